"""Cut a slice into the pieces on which a network is affine, layer by layer.

The idea, in one dimension and in two: keep the convex pieces found so far and, at their corners,
the values of the current layer. A layer's input is affine on each piece, so its values at the
corners say all. A neuron whose value has both signs on a piece bends inside it: the piece is cut
where the value is 0, and all other values at the new corners follow by linear interpolation. Once
all neurons of a layer have cut, each is active on the whole of a piece or not at all, and what the
next layer gets is affine on each piece again.

`Intervals` does this on a line; `Polygons`, in `polygons.py`, on a plane.
"""

from __future__ import annotations

import numpy as np

from scratchnet.backends import InputError
from scratchnet.depth.piecewise_linear import (
    ENTRIES_PER_BLOCK,
    AddBack,
    Affine,
    Bend,
    Jump,
    PutAside,
    Step,
)
from scratchnet.depth.slices import Line

# A value counts as 0 if it is this small beside the largest of its neuron: else the rounding of
# corners where several neurons are 0 at once would leave slivers. Or this small beside the terms it
# is the sum of: else a neuron whose terms cancel everywhere would cut along its rounding.
ROUNDING, CANCELLING = 1e-10, 1e-14

# Points of an edge are one if they are this near to each other, as a share of its length. At a
# neighbour so near, what is 0 at a point is at most ROUNDING, and so is 0 too.
SAME_PLACE = 1e-11


class TooManyRegions(InputError):
    """There are more regions than the limit allows. What was counted by then is kept here.

    `counted` pieces were found, a lower bound of the number of regions. They are `polygons`
    (counted, corners), the numbers of their corners in `vertices` (V, coordinates).
    """

    def __init__(
        self, max_regions: int, layer: int, vertices: np.ndarray, polygons: np.ndarray
    ) -> None:
        self.counted = len(polygons)
        super().__init__(
            f"stopped in hidden layer {layer} at {self.counted:,} regions, there may be more: "
            f"max_regions is {max_regions:,}; raise it, or make the window smaller"
        )
        self.vertices = vertices
        self.polygons = polygons


def places_in_order(segment: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of points by segment and share of its length, and which start a new place.

    Points of a segment whose shares differ by rounding only are one place.
    """
    order = np.lexsort((share, segment))
    segment, share = segment[order], share[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (segment[1:] != segment[:-1]) | (share[1:] - share[:-1] > SAME_PLACE)
    return order, is_new


class Pieces:
    """Convex pieces of a slice, and what the network computes at their corners.

    `values` has a row for each corner: its coordinates in the slice, then what residual layers put
    aside, then the present layer's values in the last `width` columns. `terms` (columns,) bounds
    the sums that these values came from, with all signs made positive.
    """

    values: np.ndarray

    def __init__(self, width: int) -> None:
        self.width = width
        self.terms = np.zeros(2 * width)
        # Of each hidden layer so far, for the pieces there were behind it: which neurons are active
        # (pieces, neurons), and which piece before it each is a part of.
        self.history: list[tuple[np.ndarray, np.ndarray]] = []

    def __len__(self) -> int:
        """The number of pieces."""
        raise NotImplementedError

    def cut(self, columns: slice, max_regions: int | None = None) -> np.ndarray:
        """Cut the pieces where these columns of `current` are 0, one after another.

        Returns, for each piece there is now, the number of the piece before that it is part of.
        Afterwards a column has no two signs on one piece. Raises `TooManyRegions`.
        """
        raise NotImplementedError

    def any_corner(self, holds: np.ndarray) -> np.ndarray:
        """From (corners, n) booleans, shaped as `values` is, to (pieces, n): true at some corner"""
        raise NotImplementedError

    def jump(self, active: np.ndarray) -> None:
        """Let the present values be `active` (pieces, width), and so differ across edges."""
        raise NotImplementedError

    @property
    def current(self) -> np.ndarray:
        """The present layer's values, a view."""
        return self.values[..., self.values.shape[-1] - self.width :]

    def patterns(self) -> np.ndarray:
        """(pieces, neurons): which neurons of all layers so far are active on which piece."""
        piece = np.arange(len(self))
        columns = [np.empty((len(self), 0), bool)]
        for active, origin in reversed(self.history):
            columns.append(active[piece])
            piece = origin[piece]
        return np.concatenate(columns[::-1], axis=1)

    def take(self, step: Step, max_regions: int) -> None:
        """Go through one step of the network: cut where it bends or jumps, then apply it."""
        if isinstance(step, Affine):
            self._apply_affine(step)
        elif isinstance(step, PutAside):
            self.values = np.concatenate([self.values, self.current], axis=-1)
            self.terms = np.concatenate([self.terms, self.terms[-self.width :]])
        elif isinstance(step, AddBack):
            change, change_terms = self.current, self.terms[-self.width :]
            self.values = np.ascontiguousarray(self.values[..., : -self.width])
            self.terms = self.terms[: -self.width].copy()
            self.current[...] += step.scale * change
            self.terms[-self.width :] += abs(step.scale) * change_terms
        else:
            origin = self.cut(slice(None), max_regions)
            if isinstance(step, Jump):
                active = ~self.any_corner(self.current < 0)
                self.jump(active)
                self.terms[-self.width :] = 1
            else:
                active = self.any_corner(self.current > 0)
                self._bend(step)
            self.history.append((active, origin))

    def _apply_affine(self, step: Affine) -> None:
        """In place where the width stays, and a few rows at a time: large arrays are slow to get"""
        start = self.values.shape[-1] - self.width
        old, self.width = self.values, len(step.bias)
        if start + self.width != old.shape[-1]:
            self.values = np.empty((*old.shape[:-1], start + self.width))
            self.values[..., :start] = old[..., :start]
        new = self.values
        largest = np.zeros(len(step.weight))
        rows = max(1, ENTRIES_PER_BLOCK // max(step.weight.shape))
        for block in (slice(first, first + rows) for first in range(0, len(old), rows)):
            inputs = old[block, ..., start:]
            largest = np.maximum(largest, np.abs(inputs).reshape(-1, len(largest)).max(axis=0))
            new[block, ..., start:] = inputs @ step.weight + step.bias
        terms = largest @ np.abs(step.weight) + np.abs(step.bias)
        self.terms = np.concatenate([self.terms[:start], terms])

    def round_to_zero(self, columns: slice) -> np.ndarray:
        """Let values of these columns that are 0 up to rounding be 0; the limit for each column."""
        z = self.current[..., columns]
        axes = tuple(range(z.ndim - 1))
        limit = np.maximum(
            ROUNDING * np.maximum(z.max(axis=axes), -z.min(axis=axes)),
            CANCELLING * self.terms[-self.width :][columns],
        )
        z[(z <= limit) & (z >= -limit)] = 0
        return limit

    def _bend(self, step: Bend) -> None:
        """ReLU, or leaky ReLU where the step has a slope, of the values at hand, in place."""
        if step.slope:
            self.current[self.current < 0] *= step.slope
        else:
            np.maximum(self.current, 0, out=self.current)

    def decide(self) -> tuple[np.ndarray, np.ndarray]:
        """Cut along the decision boundary: the class of each piece, and the piece it was part of.

        Classes are those of `accuracy`. With one output, class 1 is where it is above 0. With
        several, the largest wins: each in turn is compared with the largest of those before it,
        which column 0 keeps.
        """
        if self.width == 1:
            origin = self.cut(slice(0, 1))
            return self.any_corner(self.current > 0)[:, 0].astype(int), origin
        terms = self.terms[-self.width :]
        origin = np.arange(len(self))
        classes = np.zeros(len(origin), int)
        for rival in range(1, self.width):
            self.current[..., rival] -= self.current[..., 0]
            terms[rival] += terms[0]
            parts = self.cut(slice(rival, rival + 1))
            classes, origin = classes[parts], origin[parts]
            classes[self.any_corner(self.current[..., [rival]] > 0)[:, 0]] = rival
            self.current[..., 0] += np.maximum(self.current[..., rival], 0)
            terms[0] = max(terms[0], terms[rival])
        return classes, origin


class Intervals(Pieces):
    """Pieces of a line, from left to right. `values` is (pieces, 2, columns): both ends of each.

    Neighbours hold the values at their common end each for itself, so nothing is to be done where
    they differ.
    """

    def __init__(self, line: Line) -> None:
        super().__init__(width=1)
        self.values = np.array(line.interval)[None, :, None].repeat(2, axis=2)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ends(self) -> np.ndarray:
        """(pieces + 1,): where the pieces begin, and where the last one ends."""
        return np.append(self.values[:, 0, 0], self.values[-1, 1, 0])

    def any_corner(self, holds: np.ndarray) -> np.ndarray:
        return holds[:, 0] | holds[:, 1]

    def jump(self, active: np.ndarray) -> None:
        self.current[...] = active[:, None]

    def cut(self, columns: slice, max_regions: int | None = None) -> np.ndarray:
        """All columns at once: each crosses 0 at most once in a piece, whatever the others do."""
        z = self.current[:, :, columns]
        limit = self.round_to_zero(columns)

        left, right = z[:, 0], z[:, 1]
        piece, neuron = np.nonzero((left > 0) & (right < 0) | (left < 0) & (right > 0))
        share = left[piece, neuron] / (left[piece, neuron] - right[piece, neuron])
        order, is_new = places_in_order(piece, share)
        piece, share = piece[order][is_new], share[order][is_new]

        pieces = len(z)
        if max_regions is not None and pieces + len(piece) > max_regions:
            places = self._interpolated(piece, share, slice(0, 1))[:, 0]
            ends = np.sort(np.append(self.ends, places))
            number = np.arange(len(ends) - 1)
            polygons = np.stack([number, number + 1], axis=1)
            raise TooManyRegions(max_regions, len(self.history) + 1, ends[:, None], polygons)
        at_cut = self._interpolated(piece, share, slice(None))
        z_at_cut = at_cut[:, at_cut.shape[1] - self.width :][:, columns]
        z_at_cut[np.abs(z_at_cut) <= limit] = 0
        origin = np.repeat(np.arange(pieces), 1 + np.bincount(piece, minlength=pieces))
        is_first = np.append(True, origin[1:] != origin[:-1])
        is_last = np.append(is_first[1:], True)
        old, self.values = self.values, np.empty((len(origin), *self.values.shape[1:]))
        self.values[is_first, 0], self.values[~is_first, 0] = old[:, 0], at_cut
        self.values[is_last, 1], self.values[~is_last, 1] = old[:, 1], at_cut
        return origin

    def _interpolated(self, piece: np.ndarray, share: np.ndarray, columns: slice) -> np.ndarray:
        """These columns at that share of the way from the left end to the right."""
        left, right = self.values[piece, 0, columns], self.values[piece, 1, columns]
        return left + share[:, None] * (right - left)

"""Linear regions: the pieces on which a network of piecewise-linear neurons is one affine map.

Counted exactly on a line or in a window of a plane through the input space. How it is done is told
in `pieces.py`, its bounds are in `region_bounds.py`, and `sampled_regions.py` counts on a grid.

Two things are called a region, and both are given. An *activation region* has one activation
pattern: which neurons are active. It is convex, and no two have the same pattern. Neighbours may
still have the same affine map, where the neuron between them does not reach the output: merged,
they are one *linear region*, which need not be convex.

All is computed in float64, whatever the model's dtype, for the network in eval mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scratchnet.backends.errors import positive_whole
from scratchnet.depth.compiled_polygons import CompiledPolygons
from scratchnet.depth.pieces import Intervals, Pieces, TooManyRegions
from scratchnet.depth.piecewise_linear import PiecewiseLinear, restrict
from scratchnet.depth.polygons import Polygons, edges
from scratchnet.depth.slices import Line, Plane
from scratchnet.layers import Layer
from scratchnet.model import Model

__all__ = [
    "Line",
    "LineRegions",
    "Plane",
    "PlaneRegions",
    "TooManyRegions",
    "line_regions",
    "plane_mosaic",
    "plane_regions",
]

# Two maps are the same where they differ by rounding only: by this share of their own largest
# coefficient, and of the largest of all maps.
OF_OWN_SIZE, OF_ALL = 1e-9, 1e-12


@dataclass(frozen=True, eq=False)
class LineRegions:
    """The regions of a network on a line, from left to right; R activation regions.

    In region r, from `ends[r]` to `ends[r + 1]`, the outputs at t are
    `slopes[r] * t + offsets[r]`, and `linear[r]` is the number of its linear region. A network with
    thresholds jumps at the ends.
    """

    line: Line
    ends: np.ndarray
    """(R + 1,): where the regions begin and end, values of t."""
    patterns: np.ndarray
    """(R, hidden neurons), bool: which neurons are active."""
    slopes: np.ndarray
    """(R, outputs): the outputs' derivatives by t."""
    offsets: np.ndarray
    """(R, outputs): what the region's map gives at t = 0, which may lie outside it."""
    linear: np.ndarray
    """(R,): numbers from 0."""
    boundary: np.ndarray
    """(B,): the values of t at which the predicted class changes, as `accuracy` predicts it."""

    @property
    def count(self) -> int:
        """The number of activation regions."""
        return len(self.patterns)

    @property
    def linear_count(self) -> int:
        """The number of linear regions, at most `count`."""
        return int(self.linear.max()) + 1


@dataclass(frozen=True, eq=False)
class PlaneRegions:
    """The regions of a network in a window of a plane; R activation regions.

    Region r is a convex polygon with the corners `vertices[polygons[r]]`. There the outputs at
    coordinates c = (s, t) are `gradients[r] @ c + offsets[r]`. Neighbours share vertices and edges.
    """

    plane: Plane
    vertices: np.ndarray
    """(V, 2): coordinates (s, t)."""
    polygons: np.ndarray
    """(R, corners): numbers of vertices, counter-clockwise, padded with the first of the row."""
    patterns: np.ndarray
    """(R, hidden neurons), bool: which neurons are active."""
    gradients: np.ndarray
    """(R, outputs, 2): the outputs' derivatives by s and t."""
    offsets: np.ndarray
    """(R, outputs): what the region's map gives at s = t = 0, which may lie outside it."""
    linear: np.ndarray
    """(R,): the number of each region's linear region, from 0."""
    boundary: np.ndarray
    """(B, 2, 2): segments, two ends each, across which the predicted class changes."""

    @property
    def count(self) -> int:
        """The number of activation regions."""
        return len(self.polygons)

    @property
    def linear_count(self) -> int:
        """The number of linear regions, at most `count`."""
        return int(self.linear.max()) + 1

    def areas(self) -> np.ndarray:
        """(R,): the polygons' areas in the coordinates s and t."""
        x, y = np.moveaxis(self.vertices[self.polygons] - self.vertices[self.polygons[:, :1]], 2, 0)
        return (x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(axis=1) / 2

    def centres(self) -> np.ndarray:
        """(R, 2): the mean of each polygon's corners, a point inside it."""
        is_corner = self.polygons != self.polygons[:, :1]
        is_corner[:, 0] = True
        corners = self.vertices[self.polygons] * is_corner[..., None]
        return corners.sum(axis=1) / is_corner.sum(axis=1, keepdims=True)

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """The edges' ends (E, 2), vertex numbers, and sides (E, 2), region numbers or -1 for none.

        An edge on the rim of the window has a region on its first side only.
        """
        return edges(self.polygons)


def line_regions(
    model: Model | Layer, line: Line, network: int | None = None, max_regions: int = 1_000_000
) -> LineRegions:
    """The regions of `model` on a line, exactly.

    The layers may be Linear, ReLU, LeakyReLU, Threshold, BatchNorm, Dropout, Residual and
    Sequential. `network` chooses one of an ensemble. The class changes where the only output passes
    0, or where another output becomes the largest. Places where a neuron is 0 are found up to
    1e-10 of its largest value on the line; regions narrower than that may be missed. A neuron that
    is 0 all over a region counts as it does at a point: a Threshold is active, a ReLU is not.

    Raises `InputError` for other layers, a line of another dimension than the inputs', and weights
    that are not finite; `TooManyRegions`, an `InputError` that holds the pieces found by then,
    where there are more than `max_regions`.
    """
    function = restrict(model, line, network)
    pieces = Intervals(line)
    _cut_all(pieces, function, max_regions)
    ends, patterns = pieces.ends, pieces.patterns()
    gradients, offsets = function.affine_maps(patterns)
    number = np.arange(len(patterns))
    same = _same_map(gradients, offsets, number[:-1], number[1:])
    classes, _ = pieces.decide()
    return LineRegions(
        line=line,
        ends=ends,
        patterns=patterns,
        slopes=gradients[..., 0],
        offsets=offsets,
        linear=np.append(0, np.cumsum(~same)),
        boundary=pieces.ends[1:-1][classes[1:] != classes[:-1]],
    )


def plane_regions(
    model: Model | Layer,
    plane: Plane | None = None,
    network: int | None = None,
    max_regions: int = 300_000,
) -> PlaneRegions:
    """The regions of `model` in a window of a plane, exactly; by default [-1, 1]^2 of two inputs.

    Layers, `network`, classes, precision and errors are those of `line_regions`. 300,000 regions of
    a network of width 64 to 128 take 1 to 1.5 GB.
    """
    plane = Plane() if plane is None else plane
    function = restrict(model, plane, network)
    pieces = Polygons(plane)
    _cut_all(pieces, function, max_regions)
    (vertices, polygons), patterns = pieces.mosaic(), pieces.patterns()
    gradients, offsets = function.affine_maps(patterns)
    # The outputs cut too: what is between two classes then is the boundary, whether an output
    # passes 0 there or jumps across it.
    classes, region = pieces.decide()
    boundary, sides = _boundary(pieces, classes)
    left, right = region[sides].T
    same = _same_map(gradients, offsets, left, right)
    return PlaneRegions(
        plane=plane,
        vertices=vertices,
        polygons=polygons,
        patterns=patterns,
        gradients=gradients,
        offsets=offsets,
        linear=_merged(len(polygons), left[same], right[same]),
        boundary=boundary,
    )


def plane_mosaic(
    model: Model | Layer,
    plane: Plane | None = None,
    network: int | None = None,
    max_regions: int = 300_000,
    compile: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`vertices`, `polygons` and `boundary` of `plane_regions`, without the maps: for pictures.

    `compile` lets a compiled function find the same, to the bit; it raises `NoCompiler` where there
    is no compiler. It takes a second the first time, see `compiled_polygons.cutter`.
    """
    plane = Plane() if plane is None else plane
    pieces = CompiledPolygons(plane) if compile else Polygons(plane)
    _cut_all(pieces, restrict(model, plane, network), max_regions)
    vertices, polygons = pieces.mosaic()
    classes, _ = pieces.decide()
    boundary, _ = _boundary(pieces, classes)
    return vertices, polygons, boundary


def _boundary(pieces: Polygons, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges (B, 2, 2) between pieces of different classes, and the sides (E, 2) of all edges
    inside the window."""
    corners, parts = pieces.mosaic()
    ends, sides = edges(parts)
    is_inside = sides[:, 1] >= 0
    ends, sides = ends[is_inside], sides[is_inside]
    return corners[ends[classes[sides[:, 0]] != classes[sides[:, 1]]]], sides


def _cut_all(pieces: Pieces, function: PiecewiseLinear, max_regions: int) -> None:
    """Cut the pieces by every step of the function."""
    positive_whole("max_regions", max_regions)
    for step in function.steps:
        pieces.take(step, max_regions)


def _same_map(
    gradients: np.ndarray, offsets: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """(pairs,): whether regions `left` and `right` have the same affine map, up to rounding."""
    maps = [*np.moveaxis(gradients, 0, 2).reshape(-1, len(gradients)), *offsets.T]
    size = np.max(np.abs(maps), axis=0)
    tolerance = OF_OWN_SIZE * np.maximum(size[left], size[right]) + OF_ALL * size.max()
    return np.all([np.abs(each[left] - each[right]) <= tolerance for each in maps], axis=0)


def _merged(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(count,): numbers from 0, the same for regions that a chain of pairs connects."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = coo_array((np.ones(len(left), bool), (left, right)), (count, count))
    return connected_components(pairs, directed=False)[1]

"""ReLU networks with hand-set weights that decide whether a point is in K_n: one zoom per level.

*Fold nets* realise symmetric Cantor sets, one scaled copy of a box in each corner. Along each
coordinate the fold

    G(u) = |u| / q - h (1/q - 1),    u = x - centre,  h = half the box,  q = the ratio

lays all cells of K_n onto the cells of K_{n-1}, and what is outside K_n stays outside. The absolute
value is two ReLUs, so n folds are n layers of 2 d units.

The *general construction* zooms into any fractal. For each image i it computes the zoomed point
F_i^-1(x), and how far x is outside of the image; a large multiple of the latter switches the wrong
images off, and the sum of what is left is the zoomed point. That is two layers per level. A point
outside of all images is sent to a place outside K_0, and stays there.

All networks answer 1 in K_n and less outside. Class 1 is where the output is above the model's
`threshold`: 0 for the general construction, the largest number below 1 for fold nets.
"""

from __future__ import annotations

import math

import numpy as np

from scratchnet.backends import Backend, InputError
from scratchnet.backends.errors import fraction, positive_whole
from scratchnet.depth.convex import Points, minimise
from scratchnet.depth.fractals import CELL_BITS, Fractal
from scratchnet.depth.hand_set import Affine, model_from_weights
from scratchnet.model import Model

FOLD_RAMP = 2.0**-10

# The linear programmes that find the distance to wrong images are solved to 1e-7.
LEAST_GAP = 1e-6


def fold_network(
    fractal: Fractal,
    level: int,
    ramp: float = FOLD_RAMP,
    dtype: str = "float64",
    backend: str | Backend = "auto",
) -> Model:
    """K_level of a symmetric Cantor set: level + 1 hidden layers of 2 d ReLUs, weights up to 1/q.

    The output is exactly 1 in K_n and below 1 outside: 1 - s / ramp, with s the distance from the
    box after n folds, added up over the coordinates. It falls to 0 over a rim that is ramp q^n
    wide in the input. The model's `threshold` is the largest number below 1, so `classify` has no
    rim and needs no margin. Network j is the one for the coarser set K_j.

    Raises `InputError` for fractals that do not fold, and for levels that `dtype` cannot resolve.
    """
    level, ratio = fractal.check_level(level, dtype), fractal.fold_ratio
    if ratio is None:
        raise InputError(
            f"{fractal.name} is no symmetric Cantor set, so it has no fold net: must be "
            "'cantor' or 'dust'; general_network serves the others"
        )
    if not 0 < ramp < math.inf:
        raise InputError(f"ramp is {ramp}: must be a number above 0")
    centre = fractal.centre
    half = (fractal.corners.max(axis=0) - fractal.corners.min(axis=0)) / 2
    one = np.eye(fractal.dimensions)
    both, add = np.hstack([one, -one]), np.vstack([one, one])
    shift = -half * (1 / ratio - 1)
    folds: list[Affine] = [(both, -centre @ both)]
    folds += [(add / ratio @ both, shift @ both)] * (level - 1)
    outside = (add / ratio @ both, shift @ both - np.tile(half, 2))
    output = (np.full((2 * fractal.dimensions, 1), -1 / ramp), np.ones(1))
    model = model_from_weights([*folds, outside, output], "relu", dtype=dtype, backend=backend)
    model.threshold = 1 - float(np.finfo(dtype).epsneg)
    return model


def general_network(
    fractal: Fractal,
    level: int,
    margin: float,
    finest: int | None = None,
    backend: str | Backend = "auto",
) -> Model:
    """K_level of any fractal: 2 level + 1 hidden layers of at most r (facets + d) ReLUs, float64.

    It is right about every point that keeps the `margin` of `fractal_distributions.sample`, for a
    distribution of level `finest`, by default `level` itself. Nearer to a border it may err, also
    about cells far away: where images touch, a point between two is in both zooms at once.

    The multiple that switches an image off is M = 2 Q / e: no zoomed coordinate exceeds Q, and e
    is the least sum of violated facets that a wrong image can have, the factor 2 leaves room for
    rounding. As e shrinks with the margin and the level, weights grow; so float64.

    Raises `InputError` for a margin that is not between 0 and 1, and for levels so deep that e
    comes near to rounding.
    """
    level = fractal.check_level(level)
    finest = level if finest is None else fractal.check_level(finest)
    if finest < level:
        raise InputError(f"finest level {finest} of a network for level {level}: must be as deep")
    if fraction("margin", margin) == 0:
        raise InputError("margin is 0: the general construction needs one; must be from 0 to 1")
    low = fractal.corners.min(axis=0)
    base = Zoom(fractal, dead=low - 1)
    gaps = base.least_violations([margin * base.nearness ** (finest - n) for n in range(level)])
    gaps = np.minimum(gaps, min(margin, base.dead_violation))
    cell = fractal.smallest_ratio**level
    if gaps.min() < LEAST_GAP or cell * gaps.min() < 2.0 ** -CELL_BITS["float64"]:
        raise InputError(
            f"level {level} of {fractal.name} with margin {margin:g}, on a distribution of level "
            f"{finest}: the distance to wrong images, {gaps.min():.2g}, comes near to rounding; "
            "must be a smaller level or a larger margin"
        )
    weights: list[Affine] = []
    into = (np.eye(fractal.dimensions), np.zeros(fractal.dimensions))
    for gap in gaps:
        first, second, into_next = base.layers(2 * base.largest / float(gap))
        weights += [composed(into, first), second]
        into = into_next
    facets = fractal.normals.T, -1 - fractal.centre @ fractal.normals.T
    weights.append(composed(into, facets))
    weights.append((np.full((len(fractal.normals), 1), -2 / base.dead_outside), np.ones(1)))
    return model_from_weights(weights, "relu", backend=backend)


def composed(first: Affine, second: Affine) -> Affine:
    """The affine map of both, one after the other."""
    return first[0] @ second[0], first[1] @ second[0] + second[1]


class Zoom:
    """One zoom of the general construction as two layers and the affine map behind them.

        s_if = relu(facet f of image i, violated),    q_ic = relu((F_i^-1(x))_c - dead_c)
        v_ic = relu(q_ic - M sum_f s_if),             x <- sum_i v_ic + dead_c

    In the right image all s are 0 and q is positive, so v = q; in the others v = 0. Where all v are
    0 the point goes to `dead`, which is outside K_0, and from there to `dead` again.
    """

    def __init__(self, fractal: Fractal, dead: Points) -> None:
        self.fractal, self.dead = fractal, dead
        facets = [fractal.image_facets(image) for image in range(fractal.maps)]
        self.violated = np.vstack([rows for rows, _ in facets]).T
        self.bounds = np.concatenate([bound for _, bound in facets])
        self.zoomed = np.concatenate([zoom.T for zoom in fractal.zooms], axis=1)
        shifts = zip(fractal.zooms, fractal.shifts, strict=True)
        self.zoom_shift = np.concatenate([-zoom @ shift - dead for zoom, shift in shifts])
        places = np.vstack([fractal.corners, dead])
        self.largest = float((places @ self.zoomed + self.zoom_shift).max())
        sums = np.maximum(dead @ self.violated - self.bounds, 0).reshape(fractal.maps, -1)
        self.dead_violation = float(sums.sum(axis=1).min())
        normals = fractal.normals
        self.dead_outside = float(np.maximum(normals @ (dead - fractal.centre) - 1, 0).sum())

    def layers(self, multiple: float) -> tuple[Affine, Affine, Affine]:
        """(W, b) from x to (s, q), from there to v, and from v to the next x; M = `multiple`."""
        maps, dimensions = self.fractal.maps, self.fractal.dimensions
        first = (
            np.hstack([self.violated, self.zoomed]),
            np.concatenate([-self.bounds, self.zoom_shift]),
        )
        of_image = np.kron(np.eye(maps), np.ones((len(self.fractal.normals), dimensions)))
        passed = np.eye(maps * dimensions)
        second = np.vstack([-multiple * of_image, passed]), np.zeros(maps * dimensions)
        return first, second, (np.tile(np.eye(dimensions), (maps, 1)), self.dead)

    @property
    def nearness(self) -> float:
        """1 - the largest gauge of an image's centre: a margin of m within an image is a margin of
        at least m times this within K_0."""
        centres = self.fractal.push(
            np.tile(self.fractal.centre, (self.fractal.maps, 1)), np.arange(self.fractal.maps)
        )
        return float(1 - self.fractal.gauge(centres).max())

    def least_violations(self, margins: list[float]) -> Points:
        """For each margin the least sum of violated facets of image i, over the points of images
        j != i that keep the margin within theirs: a linear programme for each pair of images."""
        fractal = self.fractal
        facets = len(fractal.normals)
        none, one = np.zeros((facets, facets)), np.eye(facets)
        blocks, limits = [], []
        for margin in margins:
            for i in range(fractal.maps):
                rows, bounds = fractal.image_facets(i)
                for j in range(fractal.maps):
                    if j != i:
                        own, own_bounds = fractal.image_facets(j)
                        # s >= violations of i, s >= 0, and the point within image j.
                        nothing = np.zeros_like(rows)
                        blocks.append(np.block([[rows, -one], [nothing, -one], [own, none]]))
                        limits.append(
                            np.concatenate([bounds, np.zeros(facets), own_bounds - margin])
                        )
        cost = np.concatenate([np.zeros(fractal.dimensions), np.ones(facets)])
        return minimise(cost, blocks, limits).reshape(len(margins), -1).min(axis=1)


def general_width(fractal: Fractal) -> int:
    """r (facets + d), the width of the general construction's widest layer."""
    return positive_whole("maps", fractal.maps) * (len(fractal.normals) + fractal.dimensions)

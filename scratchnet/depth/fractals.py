"""Fractals from iterated function systems: a base K_0 and contractions F_1 ... F_r that fit in it.

    F_i(x) = A_i x + b_i,      K_n = F_1(K_{n-1}) u ... u F_r(K_{n-1})

K_n is r^n small copies of K_0, its *cells* of level n, nested in those of level n - 1. Whether a
point is in K_n is found by zooming: if it lies in the image F_i(K_0), undo F_i and ask whether the
result lies in K_{n-1}. A deep network can zoom once per layer (`fractal_networks`), which is what
makes fractals a test of depth (Malach and Shalev-Shwartz 2019, "Is Deeper Better only when Shallow
is Good?").

K_0 is a convex body, given by its corners: an interval, a polygon, or a polytope. Distances are
measured by its *gauge*: 0 at the centre, 1 on the border, growing linearly in between and beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.depth.convex import Points, hull, minimise

# The smallest cell of a level may be 2^-bits wide: what is left of a number's digits says where in
# the cell it is. That is level 30 of the Cantor set in float64, and level 10 in float32.
CELL_BITS = {"float64": 48, "float32": 16}

# What counts as 0 for lengths in gauge units: rounding of maps such as those of the pentaflake.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Fractal:
    """A base K_0 with corners (V, d), and maps x -> A_i x + b_i: A (r, d, d), b (r, d).

    Raises `InputError`, naming the map, where a map is no contraction or cannot be undone, where
    its image leaves K_0 or overlaps another one, and for corners that span no body. Images may
    touch.
    """

    name: str
    corners: Any
    matrices: Any
    shifts: Any
    fold_ratio: float | None = None
    """The ratio of a symmetric Cantor set, one scaled copy of a box in each corner; else None."""
    normals: Points = field(init=False)
    """(facets, d): K_0 = {x: normals (x - centre) <= 1}."""
    centre: Points = field(init=False)
    """(d,): the mean of the corners."""

    def __post_init__(self) -> None:
        corners = _array(f"{self.name}: corners", self.corners, 2)
        dimensions = corners.shape[1]
        matrices = _array(f"{self.name}: matrices", self.matrices, 3)
        shifts = _array(f"{self.name}: shifts", self.shifts, 2)
        if matrices.shape[1:] != (dimensions, dimensions) or shifts.shape[1] != dimensions:
            raise InputError(
                f"{self.name}: matrices {matrices.shape} and shifts {shifts.shape}: for corners in "
                f"{dimensions} dimensions needed are (r, {dimensions}, {dimensions}) and "
                f"(r, {dimensions})"
            )
        if len(matrices) != len(shifts) or len(matrices) < 2:
            raise InputError(
                f"{self.name}: {len(matrices)} matrices and {len(shifts)} shifts: must be "
                "equally many, at least 2"
            )
        corners, centre, normals = hull(self.name, corners)
        for name, value in (
            ("corners", corners),
            ("matrices", matrices),
            ("shifts", shifts),
            ("centre", centre),
            ("normals", normals),
        ):
            object.__setattr__(self, name, value)
        self._check_maps()
        self._check_overlap()

    def _check_maps(self) -> None:
        """Raise `InputError` unless each map is a contraction into the base that can be undone."""
        for number, (matrix, shift) in enumerate(zip(self.matrices, self.shifts, strict=True)):
            stretch = np.linalg.svd(matrix, compute_uv=False)
            if stretch[0] >= 1:
                raise InputError(
                    f"{self.name}: map {number + 1} stretches by {stretch[0]:.4g}: must be "
                    "a contraction, which stretches by less than 1 in every direction"
                )
            if stretch[-1] < 1e-6:
                raise InputError(
                    f"{self.name}: map {number + 1} flattens space (it shrinks by "
                    f"{stretch[-1]:.3g} in some direction): must be a map that can be undone"
                )
            farthest = self.gauge(self.corners @ matrix.T + shift).max()
            if farthest > 1 + ROUNDING:
                raise InputError(
                    f"{self.name}: the image of map {number + 1} leaves the base, up to "
                    f"{farthest:.4g} times as far from its centre as its border: must "
                    "be inside"
                )

    def _check_overlap(self) -> None:
        """Two convex images overlap where some point is inside both by more than rounding.

        A linear programme for each pair: the largest t such that a point has gauge at most 1 - t
        in both.
        """
        pairs = [(i, j) for i in range(self.maps) for j in range(i)]
        shared = np.ones((2 * len(self.normals), 1))
        blocks, limits = [], []
        for i, j in pairs:
            (rows, bounds), (others, other_bounds) = self.image_facets(i), self.image_facets(j)
            blocks.append(np.hstack([np.vstack([rows, others]), shared]))
            limits.append(np.concatenate([bounds, other_bounds]))
        depth = -minimise(np.append(np.zeros(self.dimensions), -1.0), blocks, limits)
        if depth.max() > ROUNDING:
            i, j = pairs[int(depth.argmax())]
            raise InputError(
                f"{self.name}: the images of maps {j + 1} and {i + 1} overlap (a point lies "
                f"{depth.max():.3g} of the way to the centre in both): images must be apart "
                "or touch"
            )

    @property
    def dimensions(self) -> int:
        """The number of coordinates of a point."""
        return int(self.corners.shape[1])

    @property
    def maps(self) -> int:
        """r, the number of images of K_0 in K_1."""
        return len(self.matrices)

    @cached_property
    def zooms(self) -> Points:
        """(r, d, d): the inverses of the matrices."""
        return np.linalg.inv(self.matrices)

    @cached_property
    def volumes(self) -> Points:
        """(r,): |det A_i|, the share of K_0's volume that each image has."""
        return np.abs(np.linalg.det(self.matrices))

    @cached_property
    def smallest_ratio(self) -> float:
        """The least factor by which any map shrinks in any direction."""
        return float(np.linalg.svd(self.matrices, compute_uv=False).min())

    def deepest_level(self, dtype: str = "float64") -> int:
        """The deepest level whose cells are at least 2^-48 wide, or 2^-16 for float32."""
        bits = choose("dtype", dtype, CELL_BITS)
        return int(bits * math.log(2) / -math.log(self.smallest_ratio) + ROUNDING)

    def check_level(self, level: Any, dtype: str = "float64") -> int:
        """`level` as an int; `InputError` unless it is from 1 to `deepest_level`."""
        level, deepest = positive_whole("level", level), self.deepest_level(dtype)
        if level > deepest:
            raise InputError(
                f"level {level} of {self.name}: must be from 1 to {deepest}; {dtype} cannot tell "
                "points in smaller cells apart"
            )
        return level

    def gauge(self, X: Any) -> Points:
        """(N,) from X (N, d): 0 at the centre of K_0, 1 on its border, above 1 outside."""
        return ((np.asarray(X, float) - self.centre) @ self.normals.T).max(axis=-1)

    def image_facets(self, image: int) -> tuple[Points, Points]:
        """Rows W (facets, d) and bounds w such that x is in F_i(K_0) where W x <= w.

        max(W x - w) + 1 is the gauge of F_i^-1(x).
        """
        rows = self.normals @ self.zooms[image]
        return rows, 1 + rows @ self.shifts[image] + self.normals @ self.centre

    @cached_property
    def _all_facets(self) -> tuple[Points, Points]:
        """The facets of all images: normals (d, facets) and bounds (facets,)."""
        both = [self.image_facets(image) for image in range(self.maps)]
        return np.vstack([rows for rows, _ in both]).T, np.concatenate([bound for _, bound in both])

    def image_gauges(self, X: Points) -> Points:
        """(N, r): the gauge of each F_i^-1(x); at most 1 where x is in the image F_i(K_0)."""
        rows, bounds = self._all_facets
        excess = (X @ rows - bounds).reshape(len(X), self.maps, len(self.normals))
        largest = excess[..., 0]
        for facet in range(1, excess.shape[-1]):
            largest = np.maximum(largest, excess[..., facet])
        return largest + 1

    def push(self, X: Points, images: NDArray[Any]) -> Points:
        """F_i(x) for points (N, d) and a map number i for each, (N,)."""
        pushed = np.empty_like(X)
        for image, (matrix, shift) in enumerate(zip(self.matrices, self.shifts, strict=True)):
            rows = np.flatnonzero(images == image)
            pushed[rows] = X[rows] @ matrix.T + shift
        return pushed

    def levels_inside(self, X: Any, most: int) -> NDArray[np.int64]:
        """(N,): the largest n <= `most` with x in K_n, and -1 outside K_0.

        Points on a border that two images share have several addresses; the best one counts. On
        borders in general the answer depends on rounding.
        """
        X = np.asarray(X, float)
        if X.ndim != 2 or X.shape[1] != self.dimensions:
            raise InputError(
                f"points of shape {X.shape} for {self.name}: needs (N, {self.dimensions})"
            )
        self.check_level(most)
        inside = np.full(len(X), -1)
        rows = np.flatnonzero(self.gauge(X) <= 1)
        points = X[rows]
        inside[rows] = 0
        for level in range(1, most + 1):
            which, image = np.nonzero(self.image_gauges(points) <= 1)
            rows = rows[which]
            moved = points[which] - self.shifts[image]
            points = np.einsum("ni,nji->nj", moved, self.zooms[image])
            inside[rows] = level
        return inside

    def contains(self, X: Any, level: int) -> NDArray[np.bool_]:
        """(N,): whether each point of X (N, d) is in K_level."""
        return self.levels_inside(X, level) == level

    def draw_base(self, points: int, generator: np.random.Generator) -> Points:
        """(points, d): uniform in K_0."""
        simplices, shares = self._simplices
        if len(shares) == 1 and self.dimensions == 1:
            low, high = simplices[0, :, 0]
            return low + (high - low) * generator.random((points, 1))
        chosen = generator.choice(len(shares), points, p=shares)
        weights = generator.exponential(size=(points, self.dimensions + 1))
        weights /= weights.sum(axis=1, keepdims=True)
        drawn = np.empty((points, self.dimensions))
        for number, simplex in enumerate(simplices):
            rows = np.flatnonzero(chosen == number)
            drawn[rows] = weights[rows] @ simplex
        return drawn

    @cached_property
    def _simplices(self) -> tuple[Points, Points]:
        """K_0 cut into simplices (S, d + 1, d), and the share of the volume of each, (S,)."""
        if self.dimensions == 1:
            return self.corners[None], np.ones(1)
        from scipy.spatial import Delaunay

        simplices = self.corners[Delaunay(self.corners).simplices]
        volumes = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1]))
        return simplices, volumes / volumes.sum()


def similarities(name: str, corners: Any, ratio: float, shifts: Any, **options: Any) -> Fractal:
    """The fractal of the maps x -> ratio x + b_i, for shifts b (r, d)."""
    shifts = _array(f"{name}: shifts", shifts, 2)
    matrices = np.tile(ratio * np.eye(shifts.shape[1]), (len(shifts), 1, 1))
    return Fractal(name, corners, matrices, shifts, **options)


def cantor(ratio: float = 1 / 3) -> Fractal:
    """The Cantor set on [0, 1]: q - q x and 1 - q + q x for the ratio q; the first one mirrors."""
    q = _ratio(ratio)
    return Fractal("cantor", [[0.0], [1.0]], [[[-q]], [[q]]], [[q], [1 - q]], fold_ratio=q)


def dust(ratio: float = 1 / 3, dimensions: int = 2) -> Fractal:
    """Cantor dust on [-1, 1]^d: a copy scaled by `ratio` in each of the 2^d corners."""
    q = _ratio(ratio)
    axes = [np.array([-1.0, 1.0])] * positive_whole("dimensions", dimensions)
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimensions)
    return similarities("dust", corners, q, (1 - q) * corners, fold_ratio=q)


def vicsek() -> Fractal:
    """Vicsek's cross on [-1, 1]^2: copies of a third in the four corners and in the middle."""
    corners = np.array([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
    return similarities("vicsek", corners, 1 / 3, np.vstack([2 / 3 * corners, np.zeros(2)]))


def sierpinski() -> Fractal:
    """Sierpinski's triangle (-1, -1), (1, -1), (0, 1): a copy of half the size in each corner."""
    corners = np.array([(-1.0, -1), (1, -1), (0, 1)])
    return similarities("sierpinski", corners, 0.5, corners / 2)


def pentaflake() -> Fractal:
    """Five pentagons in a pentagon of radius 1, smaller by (3 - sqrt 5) / 2, so that they touch."""
    angles = math.pi / 2 + 2 * math.pi * np.arange(5) / 5
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    ratio = (3 - math.sqrt(5)) / 2
    return similarities("pentaflake", corners, ratio, (1 - ratio) * corners)


FRACTALS: dict[str, Callable[..., Fractal]] = {
    "cantor": cantor,
    "dust": dust,
    "vicsek": vicsek,
    "sierpinski": sierpinski,
    "pentaflake": pentaflake,
}
WITH_RATIO = ("cantor", "dust")


def get_fractal(name: str, ratio: float | None = None) -> Fractal:
    """A fractal by its name; a ratio for those of `WITH_RATIO`, which else have a third."""
    make = choose("fractal", name, FRACTALS)
    if ratio is None:
        return make()
    if name not in WITH_RATIO:
        raise InputError(
            f"ratio {ratio:g} of {name}: its ratio is fixed; with a ratio it must be "
            f"{' or '.join(WITH_RATIO)}"
        )
    return make(ratio)


def _ratio(ratio: float) -> float:
    """The ratio as a float; `InputError` unless it lies between 0 and 1."""
    if not isinstance(ratio, Real) or not 0 < ratio < 1:
        raise InputError(f"ratio is {ratio!r}: must be a number above 0 and below 1")
    return float(ratio)


def _array(what: str, values: Any, axes: int) -> Points:
    """A read-only float64 array with so many axes, not empty and finite, or `InputError`."""
    try:
        array = np.array(values, float)
    except (TypeError, ValueError):
        raise InputError(f"{what} are no table of numbers") from None
    if array.ndim != axes or array.size == 0:
        raise InputError(f"{what} have shape {array.shape}: needed are {axes} axes")
    if not np.isfinite(array).all():
        raise InputError(f"{what} hold numbers that are not finite")
    array.flags.writeable = False
    return array

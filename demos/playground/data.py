"""The points that a session trains on: made, drawn, computed by a formula, or from a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet import datasets
from scratchnet.backends.errors import InputError
from scratchnet.demos.figures import window
from scratchnet.demos.playground.state import Data
from scratchnet.depth.slices import Plane

if TYPE_CHECKING:
    from scratchnet.demos.playground.tables import Tables

TWO = ("0", "1")


@dataclass(frozen=True, eq=False)
class Task:
    """Points to train and to test on, and the plane of the input space that is drawn.

    X (N, inputs) is float32, y (N,) int64. `names` are the axes of the plane.
    """

    X: Any
    y: Any
    X_test: Any
    y_test: Any
    classes: tuple[str, ...]
    plane: Plane
    names: tuple[str, str]
    notes: tuple[str, ...] = ()
    """Sentences about what was left out."""
    file: str = ""
    """The name of the file that they come from."""

    @property
    def inputs(self) -> int:
        """The number of inputs of a network that learns it."""
        return int(self.X.shape[1])

    def on_plane(self, X: Any) -> Any:
        """Coordinates (N, 2), float32, of the nearest points of the plane."""
        inverse = np.linalg.pinv(self.plane.directions)
        return ((np.asarray(X, float) - self.plane.origin) @ inverse).astype(np.float32)


def make_task(data: Data, tables: Tables | None = None) -> Task:
    """The task that `data` describes; a table is one of `tables`.

    Raises `InputError` where the points do not give two classes, and for what the kind refuses.
    """
    rng = np.random.default_rng(data.seed)
    names, file = ("x", "y"), ""
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = TWO
    if data.kind == "digits":
        return _digits()
    if data.kind == "drawn":
        X, y, classes = _drawn(data)
    elif data.kind == "table":
        from scratchnet.demos.playground.tables import Tables, chosen_columns

        table = (tables or Tables()).get(data.table)
        file = table.name
        chosen = chosen_columns(table, data, rng)
        X, y, classes, names = chosen.X, chosen.y, chosen.classes, chosen.names
        notes = chosen.notes
    elif data.kind == "formula":
        X, y, classes = _by_formula(data, rng)
    else:
        X, y = _made(data, rng)
        classes = tuple(map(str, range(int(y.max()) + 1)))
    train, test = split(y, data.train_share, rng)
    X = np.asarray(X, np.float32)
    if data.kind == "table":
        mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
        X = (X - mean) / np.where(deviation > 0, deviation, 1)
    plane = _plane(X, data)
    parts = X[train], y[train], X[test], y[test]
    return Task(*parts, classes, plane, names, notes, file)


def split(y: Any, train_share: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Indices to train and to test on: that share of each class, at least one of it on each side.

    Raises `InputError` for fewer than two classes, or a class with one point.
    """
    found, counts = np.unique(y, return_counts=True)
    if len(found) < 2:
        raise InputError(f"the points are of {len(found)} class: must be of two or more")
    if counts.min() < 2:
        rare = found[counts.argmin()]
        raise InputError(f"class {rare} has 1 point: must have 2, one to train and one to test on")
    train, test = [], []
    for each, count in zip(found, counts, strict=True):
        own = rng.permutation(np.flatnonzero(y == each))
        kept = min(max(round(train_share * count), 1), count - 1)
        train.append(own[:kept])
        test.append(own[kept:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


def _made(data: Data, rng: np.random.Generator) -> tuple[Any, Any]:
    """X and y of the kinds that are drawn at random."""
    points, noise = data.points, data.noise
    if data.kind == "spirals":
        return datasets.spirals(points, data.turns, noise, rng)
    if data.kind == "chapter_spirals":
        return datasets.chapter_spirals(points - points % 2, noise, data.seed)
    if data.kind == "circles":
        return datasets.circles(points, noise, seed=rng)
    if data.kind == "linearly_separable":
        X, y = datasets.linearly_separable(points, seed=rng)
        return X + noise * rng.standard_normal(X.shape), y
    if data.kind == "xor":
        return datasets.xor(points, noise, rng)
    if data.kind == "parity":
        corner = np.arange(points) % 2**data.dimensions
        bits = corner[:, None] >> np.arange(data.dimensions) & 1
        return bits + noise * rng.standard_normal(bits.shape), bits.sum(axis=1) % 2
    if data.kind == "moons":
        return _moons(points, noise, rng)
    if data.kind == "blobs":
        return _blobs(points, data.classes, noise, rng)
    return _fractal(data, rng)


def _moons(points: int, noise: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Two half circles that reach into one another, as scikit-learn's `make_moons`."""
    y = np.arange(points) % 2
    t = rng.uniform(0, np.pi, points)
    upper = np.stack([np.cos(t) - 0.5, np.sin(t) - 0.25], axis=1)
    X = np.where(y[:, None] == 0, upper, -upper)
    return X + noise * rng.standard_normal(X.shape), y


def _blobs(points: int, classes: int, noise: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """A normal cloud for each class, their centres on the unit circle."""
    y = np.arange(points) % classes
    angle = 2 * np.pi * y / classes
    centres = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return centres + noise * rng.standard_normal(centres.shape), y


def _fractal(data: Data, rng: np.random.Generator) -> tuple[Any, Any]:
    """Points inside the third level of a fractal (class 1), and near it outside (class 0)."""
    from scratchnet.depth.fractal_distributions import power_curve, sample
    from scratchnet.depth.fractals import get_fractal

    return sample(get_fractal(data.fractal), power_curve(3, 1.0), data.points, seed=rng)


def _drawn(data: Data) -> tuple[Any, Any, tuple[str, ...]]:
    """The drawn points (N, 2), their classes from 0 on (N,), and the names of the classes."""
    if len(data.drawn) < 4:
        raise InputError(f"{len(data.drawn)} points are drawn: must be 4 or more, of two classes")
    points = np.array(data.drawn)
    found, y = np.unique(points[:, 2].astype(np.int64), return_inverse=True)
    return points[:, :2], y, tuple(map(str, found))


def _by_formula(data: Data, rng: np.random.Generator) -> tuple[Any, Any, tuple[str, ...]]:
    """Uniform points on [-1, 1]^2, moved by noise; their classes are those before they moved."""
    from scratchnet.demos.playground.formula import classes_of

    X = rng.uniform(-1, 1, (data.points, 2))
    found, y = np.unique(classes_of(data.formula, X[:, 0], X[:, 1]), return_inverse=True)
    if len(found) < 2:
        raise InputError(
            f"formula {data.formula!r} is {found[0]} for all points: must be of two or more "
            "classes for x and y from -1 to 1"
        )
    return X + data.noise * rng.standard_normal(X.shape), y, tuple(map(str, found))


def _digits() -> Task:
    """All images of digits in their own split; the plane is that of the principal components."""
    X, y, X_test, y_test = datasets.digits()
    classes = tuple(map(str, range(10)))
    names = ("principal component 1", "principal component 2")
    return Task(X, y, X_test, y_test, classes, principal_plane(X), names)


def principal_plane(X: Any) -> Plane:
    """The plane through the mean of X along its first two principal components."""
    mean = X.mean(axis=0, dtype=float)
    _, _, components = np.linalg.svd(X - mean, full_matrices=False)
    coordinates = (X - mean) @ components[:2].T
    return Plane(mean, components[0], components[1], square(coordinates))


def square(coordinates: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """The window of a plane around the points."""
    left, right, bottom, top = window(np.asarray(coordinates, float))
    return (left, right), (bottom, top)


def _plane(X: Any, data: Data) -> Plane:
    """The plane that shows X (N, d): that of two inputs, or a projection of a cube's corners."""
    if X.shape[1] == 2:
        around = X
        if data.kind in ("drawn", "formula"):
            around = np.concatenate([X, [(-1, -1), (1, 1)]])
        return Plane(window=square(around))
    # Parity: the corners of a cube, seen so that few of them lie behind one another.
    angle = np.pi * np.arange(data.dimensions) / data.dimensions
    first, second = np.cos(angle), np.sin(angle)
    axes = np.stack([first, second]) * math.sqrt(2 / data.dimensions)
    middle = np.full(data.dimensions, 0.5)
    return Plane(middle, axes[0], axes[1], square((X - middle) @ axes.T))

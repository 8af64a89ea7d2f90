"""Fractal distributions, their approximation curves, and what a network of a given size can reach.

Half of the points are positive: uniform on K_n, the level of the distribution. The others are
negative, each of a level j from 1 to n: it is in K_{j-1} and not in K_j. How coarse the negatives
are is the *approximation curve*

    P(j) = 1/2 + 1/2 (p_1 + ... + p_j),     p_i = the share of the negatives that are of level i

the accuracy of the coarser set K_j as a classifier: it gets all positives right, and the negatives
of level up to j. P(0) = 1/2, P(n) = 1 (Malach and Shalev-Shwartz 2019). Curves are given as
(P(1), ..., P(n)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError, choose
from scratchnet.backends.errors import fraction, positive_whole
from scratchnet.datasets import Seed
from scratchnet.depth.convex import Points
from scratchnet.depth.fractals import Fractal

Curve = Sequence[float] | NDArray[Any]

CURVES = {"coarse": 0.25, "linear": 1.0, "fine": 4.0, "extreme": math.inf}
"""beta of each named curve: level j has the share p_j ~ beta^j of the negatives."""

# Below this share of K_0 that is far enough from all borders, rejection sampling does not end.
LEAST_ROOM = 0.002
PROBES, BLOCK = 8192, 2**17


def power_curve(level: int, beta: float) -> Points:
    """(P(1), ..., P(level)) for p_j ~ beta^j: coarse where beta < 1, all of the last level at inf.

    Raises `InputError` for a beta that is not above 0.
    """
    positive_whole("level", level)
    if not beta > 0:
        raise InputError(f"beta of a curve is {beta}: must be a number above 0, or inf")
    # Relative to the largest, so that nothing overflows.
    steps = np.arange(level) - (level - 1 if beta > 1 else 0)
    with np.errstate(over="ignore", under="ignore"):
        shares = np.where(steps == 0, 1.0, float(beta) ** steps)
    curve = 0.5 + np.cumsum(shares) / shares.sum() / 2
    curve[-1] = 1.0
    return np.minimum(curve, 1.0)


def named_curve(name: str, level: int) -> Points:
    """A curve of `CURVES` by its name, or one of p_j ~ beta^j by the number beta, as text."""
    try:
        beta = float(name)
    except ValueError:
        beta = choose("curve", name, CURVES)
    return power_curve(level, beta)


def checked_curve(curve: Curve) -> Points:
    """The curve as an array (n,); `InputError` unless 1/2 <= P(1) <= ... <= P(n) = 1."""
    try:
        values = np.array(curve, float)
    except (TypeError, ValueError):
        raise InputError(
            f"curve {curve!r} holds no numbers: must be numbers P(1), ..., P(n)"
        ) from None
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise InputError(f"curve {curve!r}: must be finite numbers P(1), ..., P(n)")
    before = 0.5
    for level, value in enumerate(values, start=1):
        if value < before:
            raise InputError(
                f"curve: P({level}) = {value:g} is below P({level - 1}) = {before:g}: it must "
                "start at P(0) = 0.5 and never fall"
            )
        before = float(value)
    if abs(before - 1) > 1e-9:
        raise InputError(f"curve: it ends at P({len(values)}) = {before:g}: must end at 1")
    values[-1] = 1.0
    return values


def level_shares(curve: Curve) -> Points:
    """(p_1, ..., p_n): the share of each level among the negatives."""
    return 2 * np.diff(checked_curve(curve), prepend=0.5)


def sample(
    fractal: Fractal,
    curve: Curve,
    points: int,
    margin: float = 0.0,
    seed: Seed = 0,
    within: float = 1.0,
    dtype: str = "float64",
) -> tuple[Any, NDArray[np.int64]]:
    """X (points, d) and labels y (points,), 1 in K_n: n is the length of the curve.

    Labels stand in blocks, 0 first, and class 0 has one more where `points` is odd. The levels of
    the negatives are drawn independently with the curve's shares. A positive is a uniform point of
    K_0, pushed through n maps that are drawn with probability ~ |det A_i|; a negative of level j
    is a uniform point of K_0 outside all images, pushed through j - 1 maps.

    With a `margin` m no point is near to a border, in units of the cell that it lies in, or whose
    hole it lies in: positives have gauge at most 1 - m in their smallest cell, negatives at most
    1 - m in the cell of level j - 1 and at least 1 + m for each cell of level j in it. With
    `within` below 1 the negatives have gauge at most that in the cell of level j - 1: a third
    gives the middle cell of the dust of ratio 1/3.

    Raises `InputError` for a curve that is none, a level whose cells `dtype` cannot tell apart, and
    a margin that leaves no room for negatives.
    """
    shares = level_shares(curve)
    level = fractal.check_level(len(shares), dtype)
    positive_whole("points", points)
    fraction("margin", margin)
    if not 0 < within <= 1:
        raise InputError(f"within is {within}: must be a number above 0, at most 1")
    generator = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    negatives = (points + 1) // 2
    X = np.empty((points, fractal.dimensions))
    X[negatives:] = _scaled(fractal, 1 - margin, points - negatives, generator)
    X[:negatives] = draw_outside(fractal, margin, within, negatives, generator)
    # From the innermost level outwards: each point joins at its own level.
    pushes = np.full(points, level)
    pushes[:negatives] = generator.choice(level, negatives, p=shares / shares.sum())
    for step in range(level, 0, -1):
        rows = slice(None) if (pushes >= step).all() else np.flatnonzero(pushes >= step)
        moved = X[rows]
        odds = fractal.volumes / fractal.volumes.sum()
        X[rows] = fractal.push(moved, _choices(odds, len(moved), generator))
    return X.astype(dtype), (np.arange(points) >= negatives).astype(np.int64)


def _choices(odds: Points, points: int, generator: np.random.Generator) -> NDArray[Any]:
    """(points,): numbers from 0 with the given probabilities."""
    if (odds == odds[0]).all():
        return generator.integers(0, len(odds), points, dtype=np.int16)
    return generator.choice(len(odds), points, p=odds)


def _scaled(fractal: Fractal, size: float, points: int, generator: np.random.Generator) -> Points:
    """(points, d): uniform in K_0, scaled by `size` about its centre."""
    drawn = fractal.draw_base(points, generator)
    return drawn if size == 1 else fractal.centre + size * (drawn - fractal.centre)


def draw_outside(
    fractal: Fractal, margin: float, within: float, points: int, generator: np.random.Generator
) -> Points:
    """(points, d): uniform in K_0 at gauge at most 1 - m (and `within`), 1 + m from every image."""
    size = min(1 - margin, within)
    check_room(fractal, margin, within)
    found: list[Points] = []
    missing = points
    while missing > 0:
        candidates = _scaled(fractal, size, min(16 * missing, BLOCK), generator)
        free = (fractal.image_gauges(candidates) >= 1 + margin).all(axis=1)
        found.append(candidates[free][:missing])
        missing -= len(found[-1])
    return np.concatenate(found) if found else np.empty((0, fractal.dimensions))


def check_room(fractal: Fractal, margin: float, within: float = 1.0) -> None:
    """Raise `InputError` where the margin leaves negatives no room, naming the largest that does.

    The room of a point is the largest margin with which it may be a negative; it is looked at in
    8,192 points, the same each time.
    """
    probes = _scaled(fractal, within, PROBES, np.random.default_rng(0))
    room = np.minimum(1 - fractal.gauge(probes), fractal.image_gauges(probes).min(axis=1) - 1)
    if np.mean(room >= margin) >= LEAST_ROOM:
        return
    largest = float(np.quantile(room, 1 - 2 * LEAST_ROOM))
    if largest <= 0:
        raise InputError(
            f"{fractal.name}: the images fill the base, there is no room for negatives: the "
            "images must have a gap"
        )
    raise InputError(
        f"margin {margin:g} is too large for the gap between the images of {fractal.name}: "
        f"must be at most about {math.floor(100 * largest) / 100:g}"
    )


def empirical_curve(fractal: Fractal, X: Any, y: Any, level: int) -> Points:
    """(P(1), ..., P(level)) of a sample: the share of points that K_j classifies as y says.

    Its standard error is sqrt(q (1 - q) / N_0) / 2 for N_0 negatives, q = 2 P(j) - 1.
    """
    inside = fractal.levels_inside(X, level)
    labels = np.asarray(y) == 1
    return np.array([np.mean((inside >= j) == labels) for j in range(1, level + 1)])


def coarse_error(curve: Curve, level: int) -> float:
    """1 - P(j): the error of a network that realises K_j for j = `level`; 1/2 for j = 0."""
    values = checked_curve(curve)
    if not 0 <= level <= len(values):
        raise InputError(f"coarser level {level}: must be from 0 to {len(values)}")
    return 0.5 if level == 0 else float(1 - values[level - 1])


def error_upper_bound(curve: Curve, layers: int, fold: bool = False) -> float:
    """The error that some network with so many hidden layers is sure to stay within.

    The general construction realises K_j with 2j + 1 hidden layers of width r (facets + d), fold
    nets with j + 1 hidden layers of width 2d, so the error is 1 - P(j) for the deepest j that fits.
    """
    positive_whole("layers", layers)
    level = layers - 1 if fold else (layers - 1) // 2
    return coarse_error(curve, min(level, len(checked_curve(curve))))


def error_lower_bound(curve: Curve, pieces: int, maps: int = 2) -> float:
    """The least error on a fractal in one dimension, of a function of so many linear pieces.

        max over j of (1 - pieces / r^j) (1 - P(j)),    r = maps, all of one ratio

    A piece changes its sign at most once. So in at least r^j - pieces of the r^j cells of level j
    the answer is constant, and wrong there about all positives, or about the negatives of deeper
    levels, of which there are at most as many: their share of everything is (1 - P(j)) / r^j.
    A network of t hidden layers of k ReLUs has at most (k + 1)^t pieces.
    """
    values = np.append(0.5, checked_curve(curve))
    positive_whole("pieces", pieces)
    constant = [1 - pieces / maps**level for level in range(len(values))]
    return float(max(0.0, *(constant * (1 - values))))


def width_lower_bound(maps: int, level: int, layers: int, dimensions: int) -> float:
    """Neurons per layer that a ReLU network with so many hidden layers needs to be K_n, at least.

    In one dimension (2 r^n - 2)^(1/t) - 1: r^n cells have r^n - 1 gaps between them, at whose
    ends the sign changes, and a piece of (k + 1)^t changes it once. In d dimensions
    (d / e) r^(n / (t d)), from the (e k / d)^(t d) regions at most; it is weak.
    """
    for what, value in (("maps", maps), ("level", level), ("layers", layers)):
        positive_whole(what, value)
    if positive_whole("dimensions", dimensions) == 1:
        return float(2 * maps**level - 2) ** (1 / layers) - 1
    return dimensions / math.e * maps ** (level / (layers * dimensions))

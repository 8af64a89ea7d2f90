"""What to train on: points in two classes, made here, and small images. Nothing is downloaded.

Three sets are made for networks in the plane, from easy to hard: `linearly_separable`, which one
neuron gets right; `circles`, which takes a hidden layer; `spirals`, where depth shows. `digits` are
real images; those who have the files of MNIST or CIFAR-10 read them with `image_files`.

Points are X of shape (points, dimensions) and y of shape (points,), int64, 0 or 1.
`seed` is an int of at least 0, or a `numpy.random.Generator`, which is drawn from and so moves on.
The same seed gives the same bits. Classes stand in blocks, 0 first, unless it is said otherwise;
where `points` is odd, class 0 has one more.

Each docstring says how well the classes can be told apart. The *Bayes accuracy* is that of the best
possible classifier, one that knows how the data were made; Phi is the normal distribution function.

Bad arguments raise `InputError`.
"""

from __future__ import annotations

import math

import numpy as np

from scratchnet.backends.errors import InputError, nonnegative, positive_whole, whole_number
from scratchnet.extras import require

Seed = int | np.random.Generator


def xor(
    points: int | None = None, noise: float = 0.0, seed: Seed = 0, dtype: str = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """The corners (0,0), (0,1), (1,0), (1,1) of the unit square, labelled x_1 XOR x_2.

    `points=None` gives each corner once; otherwise the points take the corners in turn, in that
    order. Gaussian noise of standard deviation `noise` is added to both coordinates.

    No line separates the classes: the best one gets three corners of four. Without noise the Bayes
    accuracy is 1. With it the best rule rounds each coordinate to 0 or 1, which errs with
    p = Phi(-0.5 / noise), and is right where neither or both err: (1 - p)^2 + p^2, that is
    .999999 at noise 0.1, .988 at 0.2 and .909 at 0.3.
    """
    points = 4 if points is None else points
    whole_number("points", points, 2)
    nonnegative("noise", noise)
    corner = np.arange(points) % 4
    bits = np.stack([corner // 2, corner % 2], axis=1)
    X = bits + noise * _generator(seed).standard_normal((points, 2))
    return X.astype(_check_dtype(dtype)), bits[:, 0] ^ bits[:, 1]


def linearly_separable(
    points: int = 200,
    dimensions: int = 2,
    margin: float = 0.2,
    seed: Seed = 0,
    dtype: str = "float32",
) -> tuple[np.ndarray, np.ndarray]:
    """A standard normal cloud, cut along the plane x_1 + ... + x_d = 0 and pulled apart.

    Class 1 lies where the sum of the coordinates is positive. Every point is at least `margin` away
    from the plane (up to the rounding of `dtype`), so the Bayes accuracy is 1 and a single neuron
    reaches it.
    """
    whole_number("points", points, 2)
    positive_whole("dimensions", dimensions)
    nonnegative("margin", margin)
    y = _blocks(points)
    normal = np.full(dimensions, 1 / math.sqrt(dimensions))
    X = _generator(seed).standard_normal((points, dimensions))
    distance = X @ normal
    wanted_distance = np.where(y == 1, 1, -1) * (margin + np.abs(distance))
    X += (wanted_distance - distance)[:, None] * normal
    return X.astype(_check_dtype(dtype)), y


def circles(
    points: int = 400,
    noise: float = 0.05,
    inner_radius: float = 0.5,
    seed: Seed = 0,
    dtype: str = "float32",
) -> tuple[np.ndarray, np.ndarray]:
    """A circle of radius 1 (class 0) around a circle of radius `inner_radius` (class 1).

    Angles are uniform; Gaussian noise of standard deviation `noise` is added to both coordinates.

    With `inner_radius` 0.5 the Bayes accuracy is .9999997 at noise 0.05, .994 at 0.1 and .890 at
    0.2 (the two densities of the radius, integrated). A line gets at most 2/3 without noise: it
    touches the inner circle and cuts off a third of the outer one.
    """
    whole_number("points", points, 2)
    nonnegative("noise", noise)
    if not 0 < inner_radius < 1:
        raise InputError(f"inner_radius is {inner_radius}: must be above 0 and below 1")
    generator = _generator(seed)
    y = _blocks(points)
    radius = np.where(y == 1, inner_radius, 1.0)
    angle = generator.uniform(0, 2 * np.pi, points)
    X = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    X += noise * generator.standard_normal((points, 2))
    return X.astype(_check_dtype(dtype)), y


def spirals(
    points: int = 400,
    turns: float = 2.0,
    noise: float = 0.02,
    seed: Seed = 0,
    dtype: str = "float32",
) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved arms, each winding `turns` times around the origin.

        u = sqrt(uniform(0.02, 1)),  angle = 2 pi turns u + pi class,  x = u (cos angle, sin angle)

    and Gaussian noise of standard deviation `noise` on both coordinates. The square root spreads
    the points evenly along an arm, whose length grows with u.

    The arms are about 1 / (2 turns) apart; for 2 turns the smallest distance D between them is
    0.2357. A point that noise moves by less than D / 2 is still nearest to its own arm, so the
    Bayes accuracy is at least 1 - exp(-(D / 2)^2 / (2 noise^2)): for the defaults it differs from 1
    by less than 3e-8. Sampled with the true densities, it is .99 for noise 0.05 and .84 for noise
    0.1 at 2 turns, and .9986 for noise 0.02 at 4 turns.
    """
    whole_number("points", points, 2)
    if nonnegative("turns", turns) == 0:
        raise InputError(f"turns is {turns}: must be a finite number above 0")
    nonnegative("noise", noise)
    generator = _generator(seed)
    y = _blocks(points)
    u = np.sqrt(generator.uniform(0.02, 1, points))
    angle = 2 * np.pi * turns * u + np.pi * y
    X = np.stack([u * np.cos(angle), u * np.sin(angle)], axis=1)
    X += noise * generator.standard_normal((points, 2))
    return X.astype(_check_dtype(dtype)), y


def chapter_spirals(
    points: int = 400, noise: float = 0.3, seed: int = 42
) -> tuple[np.ndarray, np.ndarray]:
    """The two short arms that textbooks draw, number for number; float64.

    For class c, with N = points / 2 values of r evenly spaced from 0 to 1:

        t = 4 c + 4 r + noise * randn(N),   x = r (sin t, cos t)

    so each arm makes 0.64 of a turn, and the noise is one of the angle, in radians. `seed` starts
    NumPy's legacy generator, as `numpy.random.seed(seed)` does, because published figures used it;
    so it has to be an int below 2^32. `points` has to be even.

    At equal r the arms are 4 and 2 pi - 4 radians apart, so the Bayes accuracy is
    1 - Phi(-2 / noise) - Phi(-(pi - 2) / noise): .99993 for noise 0.3 and .9978 for noise 0.4.
    The first point of each class is the origin, so one of the two is always misclassified.
    """
    whole_number("points", points, 2)
    if points % 2:
        raise InputError(f"points is {points}: must be an even number, half for each class")
    nonnegative("noise", noise)
    whole_number("seed", seed, 0, 2**32 - 1)
    generator = np.random.RandomState(seed)
    each = points // 2
    arms = []
    for label in (0, 1):
        r = np.linspace(0, 1, each)
        t = np.linspace(4 * label, 4 * (label + 1), each) + generator.randn(each) * noise
        arms.append(np.stack([r * np.sin(t), r * np.cos(t)], axis=1))
    return np.concatenate(arms), _blocks(points)


DIGITS_TEST_SHARE = 0.25


def digits(dtype: str = "float32") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X, y, X_test, y_test: 1,797 images of handwritten digits, 8 x 8 pixels, in a fixed split.

    X (1347, 64) and X_test (450, 64) hold the rows of the images, one after another, from 0 for
    white to 1 for black; y and y_test (int64) say which digit it is, 0 to 9. A quarter of each
    digit's images, drawn once and for all, is for testing. Both parts hold images by the same
    writers, so the test accuracy says nothing about new ones.

    The images come with scikit-learn: Alpaydin and Kaynak, "Optical Recognition of Handwritten
    Digits" (1998), the test part. Raises `InputError` where scikit-learn is not installed.
    """
    _check_dtype(dtype)
    images, labels = require(
        "sklearn.datasets", "scikit-learn", "data", "the dataset digits"
    ).load_digits(return_X_y=True)
    X, y = (images / 16).astype(dtype), labels.astype(np.int64)
    generator = np.random.default_rng(0)
    held_out = np.zeros(len(y), dtype=bool)
    for digit in range(10):
        own = generator.permutation(np.flatnonzero(y == digit))
        held_out[own[: round(DIGITS_TEST_SHARE * len(own))]] = True
    return X[~held_out], y[~held_out], X[held_out], y[held_out]


def _blocks(points: int) -> np.ndarray:
    """Labels 0...0 1...1, int64, class 0 with one more where `points` is odd."""
    return (np.arange(points) >= (points + 1) // 2).astype(np.int64)


def _generator(seed: Seed) -> np.random.Generator:
    """The generator that was given, or one seeded by the whole number."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(
            f"seed is {seed!r}: must be a whole number from 0 or a numpy.random.Generator"
        )
    return np.random.default_rng(seed)


def _check_dtype(dtype: str) -> str:
    """The dtype; `InputError` unless it is 'float32' or 'float64'."""
    if dtype not in ("float32", "float64"):
        raise InputError(f"dtype is {dtype!r}: must be 'float32' or 'float64'")
    return dtype

"""Datasets: reproducible, balanced, and as separable as their docstrings say."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.datasets import (
    chapter_spirals,
    circles,
    digits,
    linearly_separable,
    spirals,
    xor,
)

SEEDED: dict[str, Callable] = {
    "xor": lambda points, **options: xor(points, noise=0.1, **options),
    "linearly_separable": linearly_separable,
    "circles": circles,
    "spirals": spirals,
}
seeded = pytest.mark.parametrize("make", SEEDED.values(), ids=SEEDED.keys())


@seeded
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(points=st.integers(2, 60), seed=st.integers(0, 2**70))
@settings(deadline=None, max_examples=20)
def test_shapes_types_balance_and_repetition(
    make: Callable, dtype: str, points: int, seed: int
) -> None:
    X, y = make(points, seed=seed, dtype=dtype)
    assert X.shape == (points, 2) and X.dtype == dtype and np.isfinite(X).all()
    assert y.shape == (points,) and y.dtype == np.int64 and set(y) <= {0, 1}
    assert abs(2 * int(y.sum()) - points) <= 1
    again, labels = make(points, seed=seed, dtype=dtype)
    assert X.tobytes() == again.tobytes() and y.tobytes() == labels.tobytes()
    other, _ = make(points, seed=seed + 1, dtype=dtype)
    assert X.tobytes() != other.tobytes()


@seeded
def test_both_precisions_hold_the_same_points(make: Callable) -> None:
    single, double = make(50, seed=3, dtype="float32")[0], make(50, seed=3, dtype="float64")[0]
    assert single.tobytes() == double.astype("float32").tobytes()


@pytest.mark.parametrize(
    ("make", "first", "last"),
    [
        (lambda: xor(4, noise=0.1, seed=1), [0.03456, 0.08216], [0.9463, 1.05811]),
        (lambda: linearly_separable(4, seed=1), [-0.96304, -0.48701], [-0.39553, 0.72254]),
        (lambda: circles(4, seed=1), [-0.95197, -0.05189], [0.47562, -0.1312]),
        (lambda: spirals(4, seed=1), [-0.6605, 0.25605], [-0.92439, 0.31774]),
    ],
)
def test_a_seed_gives_the_points_that_it_always_gave(make: Callable, first: Any, last: Any) -> None:
    """Recorded results can be had again only from the same points."""
    X, _ = make()
    np.testing.assert_allclose(X[[0, -1]], [first, last], atol=1e-4)


@seeded
def test_a_generator_is_drawn_from_and_an_int_starts_one(make: Callable) -> None:
    generator = np.random.default_rng(5)
    first, second = make(20, seed=generator)[0], make(20, seed=generator)[0]
    assert first.tobytes() == make(20, seed=5)[0].tobytes()
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("make", [linearly_separable, circles, spirals])
def test_class_0_takes_the_odd_point_and_comes_first(make: Callable) -> None:
    assert make(7)[1].tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_xor_is_its_truth_table() -> None:
    X, y = xor()
    assert X.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]] and X.dtype == np.float32
    assert y.tolist() == [0, 1, 1, 0]


def test_noisy_xor_is_as_separable_as_it_says() -> None:
    X, y = xor(200_000, noise=0.3, seed=1)
    rounded = (X > 0.5).astype(int)
    accuracy = np.mean((rounded[:, 0] ^ rounded[:, 1]) == y)
    assert accuracy == pytest.approx(0.909, abs=0.004)
    assert np.std(X - xor(200_000)[0]) == pytest.approx(0.3, rel=0.01)


@given(
    dimensions=st.integers(1, 8),
    margin=st.floats(0, 5),
    points=st.integers(2, 200),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=50)
def test_the_margin_holds(dimensions: int, margin: float, points: int, seed: int) -> None:
    X, y = linearly_separable(points, dimensions, margin, seed, dtype="float64")
    distance = X.sum(axis=1) / math.sqrt(dimensions)
    assert X.shape == (points, dimensions)
    assert np.all(np.where(y == 1, distance, -distance) >= margin - 1e-12)


def test_circles_keep_their_radii() -> None:
    X, y = circles(1000, noise=0, inner_radius=0.3, dtype="float64")
    assert np.hypot(X[:, 0], X[:, 1]) == pytest.approx(np.where(y == 1, 0.3, 1.0))
    assert np.abs(X.mean(axis=0)).max() < 0.1, "the angles leave a part of the circle empty"


def test_circles_are_as_separable_as_they_say() -> None:
    X, y = circles(200_000, noise=0.2, seed=1, dtype="float64")
    radius = np.hypot(X[:, 0], X[:, 1])
    best = max(np.mean((radius < threshold) == y) for threshold in np.linspace(0.5, 1, 101))
    assert best == pytest.approx(0.890, abs=0.004)


def spiral_arm(turns: float, points: int) -> np.ndarray:
    """The middle of class 0's arm; class 1's is its point reflection."""
    u = np.linspace(math.sqrt(0.02), 1, points)
    return np.stack([u * np.cos(2 * np.pi * turns * u), u * np.sin(2 * np.pi * turns * u)], axis=1)


def test_spirals_lie_on_their_arms() -> None:
    X, y = spirals(400, turns=3, noise=0, dtype="float64")
    u = np.hypot(X[:, 0], X[:, 1])
    angle = 2 * np.pi * 3 * u + np.pi * y
    assert np.allclose(X, u[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    assert math.sqrt(0.02) <= u.min() and u.max() <= 1
    assert np.mean(u**2) == pytest.approx(0.51, abs=0.04), "u^2 is uniform from 0.02 to 1"


def test_spiral_noise_is_added_to_both_coordinates() -> None:
    exact, _ = spirals(20_000, noise=0, dtype="float64")
    noisy, _ = spirals(20_000, noise=0.02, dtype="float64")
    assert np.std(noisy - exact, axis=0) == pytest.approx(0.02, rel=0.03)
    assert abs(np.corrcoef((noisy - exact).T)[0, 1]) < 0.05


def test_spirals_are_as_separable_as_they_say() -> None:
    arm = spiral_arm(turns=2, points=801)
    gap = np.sqrt(((arm[:, None] + arm[None]) ** 2).sum(axis=2).min())
    assert gap == pytest.approx(0.2357, abs=2e-4)
    assert math.exp(-((gap / 2) ** 2) / (2 * 0.02**2)) < 3e-8

    X, y = spirals(2000, seed=4, dtype="float64")
    to_0 = ((X[:, None] - arm) ** 2).sum(axis=2).min(axis=1)
    to_1 = ((X[:, None] + arm) ** 2).sum(axis=2).min(axis=1)
    assert np.array_equal(to_1 < to_0, y == 1)


@pytest.mark.parametrize(("points", "noise", "seed"), [(400, 0.3, 42), (200, 0.4, 42), (6, 0.1, 7)])
def test_chapter_spirals_are_the_published_ones(points: int, noise: float, seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 (the published protocol uses the global generator)
    N = points // 2
    expected = np.zeros((points, 2))
    for c in range(2):
        rows = range(N * c, N * (c + 1))
        r = np.linspace(0.0, 1, N)
        t = np.linspace(c * 4, (c + 1) * 4, N) + np.random.randn(N) * noise  # noqa: NPY002
        expected[rows] = np.c_[r * np.sin(t), r * np.cos(t)]
    X, y = chapter_spirals(points, noise, seed)
    assert X.dtype == np.float64 and X.tobytes() == expected.tobytes()
    assert y.dtype == np.int64 and y.tolist() == [0] * N + [1] * N


def test_chapter_spirals_leave_the_global_generator_alone() -> None:
    np.random.seed(1)  # noqa: NPY002
    undisturbed = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    chapter_spirals()
    assert np.random.random() == undisturbed  # noqa: NPY002


@pytest.mark.parametrize(("noise", "accuracy"), [(0.3, 0.99993), (0.4, 0.9978)])
def test_chapter_spirals_are_as_separable_as_they_say(noise: float, accuracy: float) -> None:
    X, y = chapter_spirals(200_000, noise)
    r = np.hypot(X[:, 0], X[:, 1])
    angle = np.arctan2(X[:, 0], X[:, 1])

    def away_from(middle: np.ndarray) -> np.ndarray:
        return np.abs((angle - middle + np.pi) % (2 * np.pi) - np.pi)

    nearest_arm = away_from(4 + 4 * r) < away_from(4 * r)
    assert np.mean(nearest_arm == y) == pytest.approx(accuracy, abs=4e-4)
    assert np.all(X[[0, 100_000]] == 0)


@pytest.mark.parametrize(
    ("make", "options", "named"),
    [
        (xor, {"points": 1}, "points is 1"),
        (spirals, {"points": 0}, "points is 0"),
        (spirals, {"points": 10.5}, "points is 10.5"),
        (circles, {"points": True}, "points is True"),
        (chapter_spirals, {"points": 7}, "points is 7"),
        (spirals, {"noise": -0.1}, "noise is -0.1"),
        (circles, {"noise": math.nan}, "noise is nan"),
        (xor, {"noise": math.inf}, "noise is inf"),
        (chapter_spirals, {"noise": -1}, "noise is -1"),
        (spirals, {"turns": 0}, "turns is 0"),
        (spirals, {"turns": math.nan}, "turns is nan"),
        (circles, {"inner_radius": 1}, "inner_radius is 1"),
        (circles, {"inner_radius": 0}, "inner_radius is 0"),
        (linearly_separable, {"dimensions": 0}, "dimensions is 0"),
        (linearly_separable, {"margin": -1}, "margin is -1"),
        (spirals, {"seed": -1}, "seed is -1"),
        (spirals, {"seed": "x"}, "seed is 'x'"),
        (chapter_spirals, {"seed": 2**32}, "seed is 4294967296"),
        (spirals, {"dtype": "float16"}, "dtype is 'float16'"),
    ],
)
def test_bad_input_is_named_in_one_line(make: Callable, options: dict, named: str) -> None:
    with pytest.raises(InputError) as raised:
        make(**options)
    message = str(raised.value)
    assert named in message and "must be" in message and "\n" not in message


# Digits


def test_digits_are_split_once_and_for_all() -> None:
    pytest.importorskip("sklearn", reason="digits come with scikit-learn, the extra 'data'")
    X, y, X_test, y_test = digits()
    assert (X.shape, X_test.shape) == ((1347, 64), (450, 64))
    assert X.dtype == np.float32 and y.dtype == np.int64
    assert X.min() == 0 and X.max() == 1
    assert set(y) == set(y_test) == set(range(10))
    assert y_test[:12].tolist() == [1, 5, 9, 2, 4, 5, 6, 7, 9, 3, 4, 6]
    shares = np.bincount(y_test) / np.bincount(np.concatenate([y, y_test]))
    assert np.abs(shares - 0.25).max() < 0.003
    again = digits("float64")
    assert again[0].dtype == np.float64
    np.testing.assert_array_equal(again[2], X_test)
    np.testing.assert_array_equal(again[3], y_test)


def test_no_digit_is_in_both_parts() -> None:
    pytest.importorskip("sklearn", reason="digits come with scikit-learn, the extra 'data'")
    from sklearn.datasets import load_digits

    X, _, X_test, _ = digits()
    images = np.sort((load_digits().data / 16).astype("float32").view("V256").ravel())
    np.testing.assert_array_equal(np.sort(np.concatenate([X, X_test]).view("V256").ravel()), images)


def test_digits_without_scikit_learn_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"digits needs scikit-learn.*pip install -e '\.\[data\]'"):
        digits()

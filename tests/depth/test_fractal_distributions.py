"""Samples of fractal distributions: their curves, margins and labels; and the bounds on errors."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import accuracy
from scratchnet.depth.fractal_distributions import (
    CURVES,
    checked_curve,
    coarse_error,
    empirical_curve,
    error_lower_bound,
    error_upper_bound,
    level_shares,
    named_curve,
    power_curve,
    sample,
    width_lower_bound,
)
from scratchnet.depth.fractal_networks import fold_network, general_network
from scratchnet.depth.fractals import FRACTALS, cantor, dust, get_fractal, sierpinski
from scratchnet.depth.sawtooth import sawtooth

every_fractal = pytest.mark.parametrize("name", FRACTALS)


@pytest.mark.parametrize("margin", [0.0, 0.1])
@pytest.mark.parametrize("beta", [0.25, 4.0, math.inf])
@every_fractal
def test_the_empirical_curve_is_the_requested_one(name: str, beta: float, margin: float) -> None:
    fractal, curve = get_fractal(name), power_curve(4, beta)
    X, y = sample(fractal, curve, 20_001, margin)
    assert (y == 0).sum() == 10_001 and X.shape == (20_001, fractal.dimensions)
    q = 2 * curve - 1
    error = np.sqrt(q * (1 - q) / 10_001) / 2
    assert (abs(empirical_curve(fractal, X, y, 4) - curve) <= 4 * error + 1e-4).all()


@every_fractal
def test_labels_say_who_is_inside_and_points_keep_the_margin(name: str) -> None:
    fractal, margin, level = get_fractal(name), 0.1, 3
    X, y = sample(fractal, power_curve(level, 1), 6000, margin, seed=5)
    assert ((fractal.levels_inside(X, level) == level) == (y == 1)).all()
    slack = 1e-9
    points, labels = X, y
    for _ in range(level):
        assert fractal.gauge(points).max() <= 1 - margin * fractal.smallest_ratio**level + slack
        gauges = fractal.image_gauges(points)
        lost = gauges.min(axis=1) > 1
        assert (labels[lost] == 0).all()
        assert gauges[lost].min() >= 1 + margin - slack
        assert fractal.gauge(points[lost]).max() <= 1 - margin + slack
        image = gauges.argmin(axis=1)
        moved = points - fractal.shifts[image]
        points = np.einsum("nj,nij->ni", moved, fractal.zooms[image])[~lost]
        labels = labels[~lost]
    assert (labels == 1).all() and fractal.gauge(points).max() <= 1 - margin + slack


@every_fractal
def test_positives_fill_their_cells(name: str) -> None:
    """Zoomed back into the base they reach its border, as points uniform in it do."""
    fractal = get_fractal(name)
    X, y = sample(fractal, [1.0], 4000)
    image = fractal.image_gauges(X[y == 1]).argmin(axis=1)
    moved = X[y == 1] - fractal.shifts[image]
    gauges = fractal.gauge(np.einsum("nj,nij->ni", moved, fractal.zooms[image]))
    # The share within half the size is 2^-d.
    assert abs((gauges <= 0.5).mean() - 0.5**fractal.dimensions) < 0.05


def test_negatives_within_a_third_are_in_the_middle_cell() -> None:
    X, y = sample(dust(), [1.0], 4000, within=1 / 3)
    assert np.abs(X[y == 0]).max() <= 1 / 3 < np.abs(X[y == 1]).min()
    deep, y = sample(dust(), [0.5, 1.0], 4000, within=1 / 3)
    assert (dust().levels_inside(deep[y == 0], 2) == 1).all()


def test_samples_repeat_for_a_seed_and_levels_go_deep() -> None:
    curve = power_curve(30, 1)
    X, y = sample(cantor(), curve, 3000, seed=7)
    assert np.array_equal(X, sample(cantor(), curve, 3000, seed=7)[0])
    assert not np.array_equal(X, sample(cantor(), curve, 3000, seed=8)[0])
    inside = cantor().levels_inside(X, 30)
    assert (inside[y == 1] == 30).mean() > 0.99  # at the borders rounding decides
    assert sample(dust(), power_curve(4, 1), 10, dtype="float32")[0].dtype == np.float32


@given(st.integers(1, 60), st.floats(1e-3, 1e3) | st.just(math.inf))
def test_power_curves_are_curves_with_the_ratio_beta(level: int, beta: float) -> None:
    curve = power_curve(level, beta)
    assert checked_curve(curve)[-1] == 1 and len(curve) == level
    shares = level_shares(curve)
    assert math.isclose(shares.sum(), 1)
    if beta == math.inf:
        assert shares[-1] == 1
    for a, b in pairwise(shares):
        if min(a, b) > 1e-6 and beta < 1e3:
            assert math.isclose(b / a, beta, rel_tol=1e-6)


def test_named_curves() -> None:
    assert named_curve("linear", 4).tolist() == [0.625, 0.75, 0.875, 1.0]
    assert named_curve("extreme", 3).tolist() == [0.5, 0.5, 1.0]
    assert np.array_equal(named_curve("0.25", 5), named_curve("coarse", 5))
    assert list(CURVES) == ["coarse", "linear", "fine", "extreme"]
    with refused("unknown curve 'corse'", "did you mean 'coarse'"):
        named_curve("corse", 3)
    for beta in ("0", "-1", "nan"):
        with refused("beta of a curve", "above 0"):
            named_curve(beta, 3)


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        ([0.6, 0.55, 1.0], "P(2) = 0.55 is below P(1) = 0.6"),
        ([0.4, 1.0], "P(1) = 0.4 is below P(0) = 0.5"),
        ([0.6, 0.9], "ends at P(2) = 0.9"),
        ([0.6, 1.1], "ends at P(2) = 1.1"),
        ([], "must be finite numbers"),
        ([[1.0]], "must be finite numbers"),
        ([0.5, math.nan], "must be finite numbers"),
        ("no", "holds no numbers"),
    ],
)
def test_what_is_no_curve_is_refused(curve: Any, said: str) -> None:
    with refused("curve", said):
        sample(dust(), curve, 10)


def test_other_bad_samples_are_refused() -> None:
    with refused("margin 0.97 is too large for the gap", "sierpinski", "at most about 0.8"):
        sample(sierpinski(), [1.0], 10, margin=0.97)
    with refused("margin 0.5 is too large for the gap", "dust", "at most about 0.2"):
        sample(dust(0.45), [1.0], 10, margin=0.5)
    with refused("dust", "no room for negatives"):
        sample(dust(0.5), [1.0], 10)
    with refused("level 11 of cantor", "float32"):
        sample(cantor(), power_curve(11, 1), 10, dtype="float32")
    with refused("within is 0"):
        sample(dust(), [1.0], 10, within=0.0)
    with refused("margin is 1.0"):
        sample(dust(), [1.0], 10, margin=1.0)
    with refused("points is 0"):
        sample(dust(), [1.0], 0)


def test_the_network_of_a_coarser_level_has_the_error_that_the_curve_says() -> None:
    for name in FRACTALS:
        fractal, curve = get_fractal(name), power_curve(4, 1)
        X, y = sample(fractal, curve, 20_000, 0.1)
        for level in (1, 2, 3):
            expected = coarse_error(curve, level)
            nets = [general_network(fractal, level, 0.1, finest=4)]
            nets += [fold_network(fractal, level)] if fractal.fold_ratio else []
            for net in nets:
                assert abs(1 - accuracy(net, X, y) - expected) < 4 * 0.25 / 100
    assert coarse_error([0.7, 1.0], 0) == 0.5 and coarse_error([0.7, 1.0], 2) == 0
    with refused("coarser level 3", "0 to 2"):
        coarse_error([0.7, 1.0], 3)


def test_upper_bounds_count_layers() -> None:
    curve = named_curve("linear", 4)
    assert [error_upper_bound(curve, layers) for layers in (1, 2, 3, 5, 9, 20)] == [
        0.5,
        0.5,
        0.375,
        0.25,
        0,
        0,
    ]
    assert error_upper_bound(curve, 2, fold=True) == 0.375


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 6), st.sampled_from([0.25, 1.0, 4.0]))
def test_no_function_of_few_pieces_beats_the_lower_bound(depth: int, beta: float) -> None:
    """The best classifier with k sign changes, found among all fold nets and one sawtooth."""
    curve = power_curve(6, beta)
    X, y = sample(cantor(), curve, 4000)
    pieces = 2 ** (depth + 1)
    bound = error_lower_bound(curve, pieces)
    noise = 4 * 0.5 / math.sqrt(4000)
    teeth = sawtooth(depth + 1)
    shifted = teeth.predict(X)[:, 0]
    errors = [np.mean((sign * (shifted - cut) > 0) != y) for cut in (0.3, 0.6) for sign in (1, -1)]
    if depth:
        # |u| of depth folds, then a tent: 2^depth cells, each with a rise and a fall.
        errors.append(1 - accuracy(fold_network(cantor(), depth), X, y))
    assert min(errors) >= bound - noise
    assert error_lower_bound(curve, 1) <= 0.5


def test_lower_bounds_by_hand() -> None:
    # Level 2, all negatives of level 2: with 1 piece, j = 1 gives (1 - 1/2) (1 - 1/2).
    assert error_lower_bound([0.5, 1.0], 1) == 0.25
    assert error_lower_bound([0.5, 1.0], 2) == 0
    assert error_lower_bound(named_curve("extreme", 10), 2, maps=2) == (1 - 2 / 512) / 2
    assert width_lower_bound(2, 3, 1, 1) == 13
    assert math.isclose(width_lower_bound(2, 3, 2, 1), math.sqrt(14) - 1)
    assert math.isclose(width_lower_bound(4, 4, 2, 2), 2 / math.e * 4)

"""Integrals of Cantor measures, the population gradient, and the bound of fine curves on it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import LeakyReLU, Linear, Model, mlp
from scratchnet.demos.random_networks import random_networks
from scratchnet.depth.cantor_gradient import (
    DEEPEST,
    cantor_integrals,
    gradient_bound,
    linear_levels,
    network_pieces,
    population_gradient,
    theorem_level,
)
from scratchnet.depth.fractal_distributions import named_curve, power_curve, sample
from scratchnet.depth.fractals import cantor
from scratchnet.losses import hinge


def intervals(level: int, hole: bool) -> Any:
    """(cells, 2): the ends of the cells of K_level, or of the holes between them in K_{n-1}."""
    cells = np.array([[0.0, 1.0]])
    for _ in range(level - 1 if hole else level):
        lengths = np.diff(cells, axis=1) / 3
        cells = np.concatenate(
            [np.hstack([cells[:, :1], cells[:, :1] + lengths]),
             np.hstack([cells[:, 1:] - lengths, cells[:, 1:]])]
        )  # fmt: skip
    third = np.diff(cells, axis=1) / 3
    return np.hstack([cells[:, :1] + third, cells[:, :1] + 2 * third]) if hole else cells


def by_intervals(x: Any, cells: Any) -> tuple[Any, Any]:
    """Mass and first moment of [0, x], for a density that is uniform on the cells."""
    low, high = cells.T
    ends = np.clip(x[:, None], low, high)
    density = 1 / (high - low).sum()
    return density * (ends - low).sum(axis=1), density * (ends**2 - low**2).sum(axis=1) / 2


@settings(deadline=None)
@given(st.integers(1, 7), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_integrals_are_those_over_the_cells(level: int, places: list[float]) -> None:
    x = np.array([*places, 0, 1 / 3, 0.5, 2 / 3, 1])
    found = cantor_integrals(x, level)
    for kept, hole in ((found.solid[:, level], False), (found.hole[:, level - 1], True)):
        for value, expected in zip(kept, by_intervals(x, intervals(level, hole)), strict=True):
            np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def test_integrals_of_the_deepest_level_are_symmetric() -> None:
    x = np.random.default_rng(0).random(1000)
    left, right = (cantor_integrals(each, DEEPEST).solid[0, -1] for each in (x, 1 - x))
    np.testing.assert_allclose(left + right, 1, atol=1e-8)
    with refused("level 31", "1 to 30"):
        cantor_integrals(x, 31)


@pytest.mark.parametrize("beta", [0.25, 1.0, 4.0])
def test_the_gradient_is_that_of_a_large_sample(beta: float) -> None:
    """Within 5 standard errors of the mean over points, each with its gradient by autodiff."""
    model = random_networks([1, 5, 4, 1], 0, 4)
    curve = power_curve(4, beta)
    loss, gradient = population_gradient(model, curve)
    batches = []
    for seed in range(20):
        X, y = sample(cantor(), curve, 2000, seed=seed)
        value = hinge(model(X), y)
        value.backward()
        batches.append(np.concatenate([value.numpy()[:, None], model.gradient_buffer], axis=1))
    mean, error = np.mean(batches, axis=0), np.std(batches, axis=0, ddof=1) / math.sqrt(20)
    exact = np.concatenate([loss[:, None], gradient], axis=1)
    assert (abs(exact - mean) <= 5 * error + 1e-9).all()
    assert abs(gradient).max() > 0.1


def test_the_gradient_is_the_derivative_of_the_exact_loss() -> None:
    """Central differences of the population loss, by every parameter."""
    model = random_networks([1, 4, 3, 1], 3, 1, bias_deviation=1.0)
    curve, step = named_curve("linear", 6), 1e-6
    _, gradient = population_gradient(model, curve)
    for index in range(model.parameter_count):
        sides = []
        for sign in (1, -1):
            model.parameter_buffer[0, index] += sign * step
            sides.append(population_gradient(model, curve)[0][0])
            model.parameter_buffer[0, index] -= sign * step
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(gradient[0, index], abs=1e-6)


def test_on_every_cell_one_piece_the_sum_is_autodiff_on_centres() -> None:
    """A network without a bend inside K_1: negatives of level 2 and positives cancel, exactly."""
    model = Model(Linear(1, 3), LeakyReLU(0.3), Linear(3, 1), dtype="float64")
    model.parameters()[0].data[...] = 0.2
    model.parameters()[1].data[...] = -0.1  # all three bend at 1/2, in the middle of the hole
    _, gradient = population_gradient(model, named_curve("extreme", 12))
    assert abs(gradient).max() < 1e-15
    _, gradient = population_gradient(model, named_curve("coarse", 12))
    assert abs(gradient).max() > 0.01


def test_single_networks_and_curves_of_their_own() -> None:
    ensemble = random_networks([1, 6, 1], 0, 3)
    curves = [named_curve(name, 5) for name in ("coarse", "linear", "extreme")]
    losses, gradients = population_gradient(ensemble, curves)
    for index, curve in enumerate(curves):
        single = mlp([1, 6, 1], dtype="float64")
        single.load_state_dict(ensemble.state_dict(network=index))
        loss, gradient = population_gradient(single, curve)
        assert loss == pytest.approx(losses[index], rel=1e-13)
        np.testing.assert_allclose(gradient, gradients[index], rtol=0, atol=1e-14)


def test_hinge_and_linear_loss_differ_where_outputs_are_large_only() -> None:
    small, large = random_networks([1, 6, 1], 0, 6), random_networks([1, 6, 1], 0, 6)
    small.parameter_buffer *= 0.1
    large.parameter_buffer *= 3
    curve = named_curve("linear", 6)
    for model, same in ((small, True), (large, False)):
        pair = [population_gradient(model, curve, loss)[1] for loss in ("hinge", "linear")]  # type: ignore[arg-type]
        assert np.allclose(*pair, rtol=0, atol=1e-15) == same


def test_the_bound_and_its_level() -> None:
    assert gradient_bound([0.6, 1.0], 1) == pytest.approx(0.5)
    assert gradient_bound([0.6, 1.0], 0) == 0
    # log_{1.5}(4 2 64 / 0.1) = 21.07
    assert theorem_level(2, 8, 0.1) == 22
    for delta in (1.0, 0.0, -0.5):
        with refused(f"delta is {delta}"):
            theorem_level(2, 8, delta)
    with refused("level 3 of a bound", "0 to 2"):
        gradient_bound([0.6, 1.0], 3)


def test_the_level_where_no_bend_is_left() -> None:
    # 1/6 = 0.0111..., in the first hole of the second level; 1/4 = 0.0202... is in the Cantor set.
    ends = [[0.0, 1.0, 1.0, 1.0], [0.0, 0.5, 1.0, 1.0], [0.0, 1 / 6, 0.5, 1.0], [0, 0.25, 1, 1]]
    assert linear_levels(np.array(ends)).tolist()[:3] == [0, 1, 2]
    assert linear_levels(np.array(ends[3])) > 20


def test_small_weights_keep_the_bound_of_their_own_level() -> None:
    """|f| <= 1 and no bend in K_j: no entry exceeds 2 max|df/dw| (P(j) - 1/2)."""
    model = random_networks([1, 6, 6, 1], 0, 20, bias_deviation=0.2)
    model.parameter_buffer *= 0.5
    ends = network_pieces(model)
    for name in ("coarse", "linear", "fine"):
        curve = named_curve(name, 25)
        _, gradient = population_gradient(model, curve, ends=ends)
        for row, level in zip(gradient, linear_levels(ends), strict=True):
            if level <= 25:
                assert abs(row).max() <= gradient_bound(curve, level) * 2 / 5 + 1e-12


def test_what_is_refused() -> None:
    model = random_networks([1, 4, 1], 0, 2)
    with refused("1 curves for 2 networks"):
        population_gradient(model, [named_curve("fine", 3)])
    with refused("ends at P(2)"):
        population_gradient(model, [0.5, 0.9])
    with refused("unknown loss 'square'"):
        population_gradient(model, [1.0], "square")  # type: ignore[arg-type]
    with refused("a network of 2 outputs", "must have one"):
        population_gradient(random_networks([1, 4, 2], 0, 2), [1.0])
    with refused("curve []"):
        population_gradient(model, [])
    with refused("Tanh"):
        population_gradient(mlp([1, 4, 1], activation="tanh"), [1.0])

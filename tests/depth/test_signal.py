"""The recursions against random networks, and the sigmoid bound against gradients.

Networks are drawn from a fixed seed for each example, and examples are the same in every run. A
mean over n networks may be 5 standard errors off, with the standard error from theory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import Linear, Model, Sigmoid, Tensor, mlp
from scratchnet.depth.signal import (
    BATCH_NORM_RELU_GROWTH,
    WEIGHT_VARIANCES,
    backward_mean_squares,
    exercise_gradient_bound,
    forward_mean_squares,
    output_mean_square,
    relu_scatter,
    sigmoid_gradient_bound,
    slope_mean_square,
)
from scratchnet.init import INITIALIZERS

NETWORKS = 300
NORMAL_RULES = ("he_normal", "xavier_normal", "lecun_normal", "fan_out_normal")
FUNCTIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
}


def measured(
    widths: list[int], rule: str, activation: str, seed: int, networks: int = NETWORKS
) -> tuple[Any, Any]:
    """Mean squares (networks, layers) of pre-activations and gradients, written out in NumPy."""
    rng = np.random.default_rng(seed)
    function, slope = FUNCTIONS[activation]
    x = rng.standard_normal((networks, 1, widths[0]))
    x *= np.sqrt(widths[0]) / np.linalg.norm(x, axis=-1, keepdims=True)
    Ws, zs = [], []
    for fan_in, fan_out in zip(widths, widths[1:], strict=False):
        Ws.append(np.stack([INITIALIZERS[rule](rng, fan_in, fan_out) for _ in range(networks)]))
        zs.append(x @ Ws[-1])
        x = function(zs[-1])
    gs = [rng.standard_normal(zs[-1].shape)]
    for W, z in zip(reversed(Ws[1:]), reversed(zs[:-1]), strict=True):
        gs.insert(0, slope(z) * (gs[0] @ W.mT))
    forward, backward = (
        np.array([np.square(each).mean(axis=(1, 2)) for each in of]).T for of in (zs, gs)
    )
    return forward, backward


@given(
    widths=st.lists(st.integers(4, 40), min_size=2, max_size=5),
    rule=st.sampled_from(NORMAL_RULES),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_relu_networks_of_any_widths_have_the_mean_squares_of_the_recursions(
    widths: list[int], rule: str, seed: int
) -> None:
    forward, backward = measured(widths, rule, "relu", seed)
    variance = WEIGHT_VARIANCES[rule]
    scatter = [relu_scatter(widths[1:layer], widths[layer]) for layer in range(1, len(widths))]
    tolerance = 5 * np.sqrt(np.array(scatter) / NETWORKS)
    q = forward_mean_squares(widths, variance, "relu")
    assert np.all(abs(forward.mean(axis=0) / q - 1) < tolerance)
    g = backward_mean_squares(widths, variance, "relu")
    # The way back has the same law with the widths in reverse, apart from which units are on:
    # on each of them g^2 is a sum over the next layer, and a unit is on with probability 1/2.
    back = [
        (1 + 2 / widths[-1]) * math.prod(1 + 5 / n for n in widths[layer:-1]) - 1
        for layer in range(1, len(widths))
    ]
    assert np.all(abs(backward.mean(axis=0) / g - 1) < 5 * np.sqrt(np.array(back) / NETWORKS))


@given(width=st.integers(4, 40), depth=st.integers(1, 4), seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_single_relu_networks_scatter_as_the_formula_says(
    width: int, depth: int, seed: int
) -> None:
    networks = 3000
    forward, _ = measured([8, *[width] * depth, 16], "he_normal", "relu", seed, networks)
    last = forward[:, -1]
    relative = last.var() / last.mean() ** 2
    # The error of a variance, from the fourth moment that the networks themselves show.
    deviations = np.square(last - last.mean())
    error = deviations.std() / math.sqrt(networks) / last.mean() ** 2
    assert abs(relative - relu_scatter([width] * depth, 16)) < 5 * error + 0.03 * relative


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@given(
    widths=st.lists(st.integers(100, 200), min_size=3, max_size=5),
    rule=st.sampled_from(NORMAL_RULES),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_wide_networks_of_other_activations_have_them_too(
    activation: str, widths: list[int], rule: str, seed: int
) -> None:
    forward, backward = measured(widths, rule, activation, seed, networks=30)
    variance = WEIGHT_VARIANCES[rule]
    for values, expected in (
        (forward, forward_mean_squares(widths, variance, activation)),
        (backward, backward_mean_squares(widths, variance, activation)),
    ):
        error = values.std(axis=0, ddof=1) / math.sqrt(30)
        # Layers of 100 and more are wide, not infinite: a few hundredths remain.
        assert np.all(abs(values.mean(axis=0) - expected) < 5 * error + 0.05 * expected)


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("q", [1e-6, 0.03, 1.0, 40.0, 3000.0])
def test_expectations_are_those_of_a_fine_sum(activation: str, q: float) -> None:
    u = np.linspace(-12, 12, 2_000_000)
    weight = np.exp(-(u**2) / 2)
    weight /= weight.sum()
    z = np.clip(math.sqrt(q) * u, -300, 300)
    function, slope = FUNCTIONS[activation]
    assert output_mean_square(activation, q) == pytest.approx(
        (weight * function(math.sqrt(q) * u if activation == "relu" else z) ** 2).sum(), rel=1e-6
    )
    assert slope_mean_square(activation, q) == pytest.approx(
        (weight * slope(z) ** 2).sum(), rel=1e-6
    )


def test_he_is_flat_fan_out_telescopes_and_equal_widths_make_them_the_same() -> None:
    he, fan_out = WEIGHT_VARIANCES["he_normal"], WEIGHT_VARIANCES["fan_out_normal"]
    trunk = [2048 // 2**layer for layer in range(9)]
    np.testing.assert_allclose(forward_mean_squares(trunk, he, "relu"), [2] + [2] * 7)
    # z_l of fan-out is n_{l-1} 2 / n_l / 2 of the one before: 256 in all, and 2 for the first.
    assert forward_mean_squares(trunk, fan_out, "relu")[-1] == pytest.approx(2 * 2048 / 8)
    assert forward_mean_squares([32] * 9, fan_out, "relu").tolist() == pytest.approx([2.0] * 8)
    np.testing.assert_allclose(backward_mean_squares(trunk, fan_out, "relu"), np.ones(8))
    # He loses half of the gradient's mean square for each halving, seen from the last layer.
    np.testing.assert_allclose(
        backward_mean_squares(trunk, he, "relu"), 0.5 ** np.arange(7, -1, -1)
    )


@pytest.mark.parametrize("rule", WEIGHT_VARIANCES)
def test_each_initialiser_has_the_variance_that_is_said_of_it(rule: str) -> None:
    weights = INITIALIZERS[rule](np.random.default_rng(0), 150, 250)
    expected = WEIGHT_VARIANCES[rule](150, 250)
    assert np.square(weights).mean() == pytest.approx(expected, rel=0.04)
    assert set(WEIGHT_VARIANCES) == set(INITIALIZERS)


def test_batch_normalised_relus_multiply_gradients_as_the_mean_field_theory_says() -> None:
    # 20 layers of 100, batches of 100: the growth is measured from layer 5 to layer 15.
    model = mlp([100] * 22 + [1], batch_norm=True, ensemble=8, dtype="float64")
    X = np.random.default_rng(0).standard_normal((8, 100, 100))
    y = np.random.default_rng(1).standard_normal((8, 100, 1))
    (model.train()(X) * Tensor(y)).sum().backward()
    squares = [
        np.square(layer.parameters["weight"].grad).sum(axis=(1, 2))
        for layer in model.layers
        if isinstance(layer, Linear)
    ]
    growth = np.exp(np.log(squares[4] / squares[14]).mean() / 10)
    assert growth == pytest.approx(BATCH_NORM_RELU_GROWTH, rel=0.04)


# The sigmoid bound


@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    scale=st.floats(0.01, 30),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_no_gradient_passes_the_bound(widths: list[int], scale: float, seed: int) -> None:
    layers: list[Any] = []
    for fans in zip(widths, widths[1:], strict=False):
        layers += [Linear(*fans), Sigmoid()]
    model = Model(*layers, ensemble=5, seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    model.parameter_buffer[...] = scale * rng.standard_normal(model.parameter_buffer.shape)
    x = scale * rng.standard_normal((5, 1, widths[0]))
    output_gradient = rng.standard_normal((5, 1, widths[-1]))
    (model(x) * Tensor(output_gradient)).sum().backward()
    weights = [layer.parameters["weight"] for layer in layers[::2]]
    norms = np.linalg.norm(weights[0].grad, axis=(-2, -1))
    bound = sigmoid_gradient_bound(
        [each.numpy() for each in weights],
        np.linalg.norm(x, axis=(-2, -1)),
        np.linalg.norm(output_gradient, axis=(-2, -1)),
    )
    assert bound.shape == norms.shape == (5,)
    assert np.all(norms <= bound * (1 + 1e-9))


def test_the_bound_is_reached_by_one_neuron_at_0_and_passes_the_exercises() -> None:
    # x = 3, w_1 = 0 and a_1 = 1/2, so z_2 = 5/2 - 5/2 = 0: both slopes are 1/4.
    weights = [np.array([[0.0]]), np.array([[5.0]])]
    reached = 0.25 * 5 * 0.25 * 3 * 2
    assert sigmoid_gradient_bound(weights, 3.0, 2.0) == pytest.approx(reached)
    assert exercise_gradient_bound(weights, 2.0) == pytest.approx(1 / 4 * 5 * 2)
    # An input twice as large passes it: the exercise leaves the input's norm out.
    assert sigmoid_gradient_bound(weights, 6.0, 2.0) > exercise_gradient_bound(weights, 2.0)
    # 4 x 4 weights of 1 have the spectral norm 4.
    weights = [np.ones((1, 4)), *[np.ones((4, 4))] * 3]
    assert sigmoid_gradient_bound(weights, 1, 1) == pytest.approx(0.25)
    assert exercise_gradient_bound(weights, 1) == pytest.approx(4**3)
    assert exercise_gradient_bound(weights[:1], 3) == 3


def test_bad_input_is_one_line() -> None:
    he = WEIGHT_VARIANCES["he_normal"]
    with refused("at least the inputs and one layer", "(4,)"):
        forward_mean_squares((4,), he, "relu")
    with refused("a width is 0"):
        backward_mean_squares((4, 0, 2), he, "relu")
    with refused("unknown activation 'tahn'", "did you mean 'tanh'?"):
        output_mean_square("tahn", 1.0)
    with refused("a weight's variance is -1"):
        forward_mean_squares((4, 3), lambda fan_in, fan_out: -1, "relu")
    with refused("the mean square q is -1"):
        slope_mean_square("relu", -1.0)
    with refused("without weights"):
        sigmoid_gradient_bound([], 1.0, 1.0)
    with refused("outputs is 0"):
        relu_scatter([3], 0)

"""Initialisers: the variance is what the name says, and the rest of the law too."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import InputError, Linear, Model, ReLU, mlp
from scratchnet.init import (
    INITIALIZERS,
    constant,
    constant_bias,
    get_initializer,
    normal,
    orthogonal,
)

NORMAL, UNIFORM = 3.0, 9 / 5  # E[w^4] / Var(w)^2
LAWS: dict[str, tuple[Callable[[int, int], float], float]] = {
    "he_normal": (lambda fan_in, fan_out: 2 / fan_in, NORMAL),
    "he_uniform": (lambda fan_in, fan_out: 2 / fan_in, UNIFORM),
    "xavier_normal": (lambda fan_in, fan_out: 2 / (fan_in + fan_out), NORMAL),
    "xavier_uniform": (lambda fan_in, fan_out: 2 / (fan_in + fan_out), UNIFORM),
    "lecun_normal": (lambda fan_in, fan_out: 1 / fan_in, NORMAL),
    "fan_out_normal": (lambda fan_in, fan_out: 2 / fan_out, NORMAL),
}
fans = st.integers(3, 120)


def weights(name: str, fan_in: int, fan_out: int, seed: int = 0) -> Any:
    """About 20,000 weights, from as many matrices as that takes."""
    rng = np.random.default_rng(seed)
    matrices = 1 + 20_000 // (fan_in * fan_out)
    return np.stack([INITIALIZERS[name](rng, fan_in, fan_out) for _ in range(matrices)])


@pytest.mark.parametrize("name", LAWS)
@given(fan_in=fans, fan_out=fans, seed=st.integers(0, 2**32))
@settings(max_examples=25, derandomize=True)
def test_mean_and_variance_are_what_the_name_says(
    name: str, fan_in: int, fan_out: int, seed: int
) -> None:
    w = weights(name, fan_in, fan_out, seed)
    variance, kurtosis = LAWS[name][0](fan_in, fan_out), LAWS[name][1]
    assert w.shape[1:] == (fan_in, fan_out) and w.dtype == np.float64
    assert abs(w.mean()) < 5 * math.sqrt(variance / w.size)
    error_of_square = variance * math.sqrt((kurtosis - 1) / w.size)
    assert abs(np.square(w).mean() - variance) < 5 * error_of_square


@pytest.mark.parametrize("name", LAWS)
def test_uniform_laws_fill_their_bounds_and_normal_ones_pass_them(name: str) -> None:
    w = np.abs(weights(name, 20, 30))
    bound = math.sqrt(3 * LAWS[name][0](20, 30))
    if LAWS[name][1] == UNIFORM:
        assert 0.999 * bound < w.max() <= bound
    else:
        # P(|z| > sqrt 3) = 0.0833 for a standard normal z
        assert (w > bound).mean() == pytest.approx(0.0833, abs=0.01)


def test_normal_takes_the_variance_from_both_fans_and_draws_as_the_named_rules_do() -> None:
    ours = normal(lambda fan_in, fan_out: 2 / fan_out)(np.random.default_rng(2), 30, 50)
    named = INITIALIZERS["fan_out_normal"](np.random.default_rng(2), 30, 50)
    np.testing.assert_allclose(ours, named, rtol=1e-15)


@given(fan_in=fans, fan_out=fans, seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_orthogonal_has_orthonormal_rows_or_columns_and_the_variance_2_over_the_larger(
    fan_in: int, fan_out: int, seed: int
) -> None:
    w = orthogonal(np.random.default_rng(seed), fan_in, fan_out)
    assert w.shape == (fan_in, fan_out)
    products = w.T @ w if fan_in >= fan_out else w @ w.T
    np.testing.assert_allclose(products, 2 * np.eye(min(fan_in, fan_out)), atol=1e-12)
    assert np.square(w).mean() == pytest.approx(2 / max(fan_in, fan_out))


def test_orthogonal_prefers_no_sign() -> None:
    # A QR factor as LAPACK leaves it has a first entry that is never positive.
    rng = np.random.default_rng(0)
    corners = np.array([orthogonal(rng, 3, 3)[0, 0] for _ in range(2000)])
    assert abs(corners.mean()) < 5 * corners.std() / math.sqrt(2000)


def test_constant_and_zeros_draw_nothing() -> None:
    rng = np.random.default_rng(3)
    assert constant(0.5)(rng, 2, 3).tolist() == [[0.5] * 3] * 2
    assert get_initializer("zeros")(rng, 2, 3).tolist() == [[0.0] * 3] * 2
    assert rng.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_same_seed_gives_the_same_bits_and_another_one_others(name: str) -> None:
    first, again, other = (weights(name, 5, 7, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert (first.tobytes() == other.tobytes()) == (name == "zeros")


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_model_draws_by_name_or_function_layer_after_layer_with_zero_biases(name: str) -> None:
    rng = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(0,)))
    by_name = mlp((2, 5, 3, 1), init=name, seed=4, dtype="float64")
    by_function = mlp((2, 5, 3, 1), init=INITIALIZERS[name], seed=4, dtype="float64")
    for model in (by_name, by_function):
        for layer in model.layers:
            if isinstance(layer, Linear):
                assert not layer.parameters["bias"].numpy().any()
    for layer in by_name.layers:
        if isinstance(layer, Linear):
            drawn = INITIALIZERS[name](rng, layer.fan_in, layer.fan_out)
            np.testing.assert_array_equal(layer.parameters["weight"].numpy(), drawn)
    assert by_name.parameter_buffer.tobytes() == by_function.parameter_buffer.tobytes()


def test_layers_of_one_shape_and_networks_of_one_model_get_different_weights() -> None:
    model = Model(Linear(4, 4), ReLU(), Linear(4, 4), ensemble=3)
    drawn = {model.state_dict(i)[f"{layer}.weight"].tobytes() for i in range(3) for layer in (0, 2)}
    assert len(drawn) == 6


def test_both_precisions_start_from_the_same_numbers() -> None:
    single, double = (mlp((2, 5, 1), dtype=dtype) for dtype in ("float32", "float64"))
    rounded = double.parameter_buffer.astype(np.float32)
    assert single.parameter_buffer.tobytes() == rounded.tobytes()


def test_he_keeps_the_signal_through_relus_and_xavier_loses_it() -> None:
    X = np.random.default_rng(0).standard_normal((100, 200))
    sizes = {}
    for init in ("he_normal", "orthogonal", "xavier_normal"):
        layers = mlp([200] * 21 + [1], init=init).activations(X)
        sizes[init] = np.square(layers["39"]).mean() / np.square(layers["1"]).mean()
    assert 0.3 < sizes["he_normal"] < 3 and 0.3 < sizes["orthogonal"] < 3
    assert sizes["xavier_normal"] < 1e-4  # about 2^-19


def test_unknown_names_and_wrong_shapes_are_refused() -> None:
    with refused("unknown initialiser 'he_norml'", "xavier_uniform", "did you mean 'he_normal'?"):
        mlp((2, 3, 1), init="he_norml")
    with refused("unknown initialiser 3"):
        Linear(2, 3, init=3)  # type: ignore[arg-type]
    with refused("Linear(2 -> 3)", "(3, 2)", "(2, 3)"):
        Model(Linear(2, 3, init=lambda rng, fan_in, fan_out: np.zeros((fan_out, fan_in))))


def test_biases_are_zero_or_drawn_as_pytorch_does_after_the_same_weights() -> None:
    zero, drawn = mlp((4, 9, 1)), mlp((4, 9, 1), bias_init="uniform")
    np.testing.assert_array_equal(zero.state_dict()["0.weight"], drawn.state_dict()["0.weight"])
    biases = mlp((4, 900, 1), bias_init="uniform").state_dict()["0.bias"]
    assert not zero.state_dict()["0.bias"].any()
    assert 0.45 < np.abs(biases).max() <= 0.5 and abs(biases.mean()) < 0.05
    half = mlp((4, 9, 1), bias_init=constant_bias(0.5)).state_dict()
    assert (half["0.bias"] == 0.5).all() and (half["2.bias"] == 0.5).all()
    with pytest.raises(InputError, match="unknown bias initialiser 'unifrom'"):
        mlp((4, 9, 1), bias_init="unifrom")

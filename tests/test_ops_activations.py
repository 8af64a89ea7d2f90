"""Nonlinearities, standardising and dropout: values, slopes at the kinks, and large inputs."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import BETWEEN_BANDS, DTYPES, check_op, close, computed, seeds, shapes, spread

from scratchnet import InputError, Tensor, ops
from scratchnet.gradcheck import check_gradients


def gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_slope(x: Any) -> Any:
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * inner


ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "relu": (ops.relu, lambda x: np.where(x > 0, x, 0)),
    "leaky relu": (ops.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "steep leaky relu": (lambda x: ops.leaky_relu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * x)),
    "sigmoid": (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (ops.tanh, np.tanh),
    "softplus": (ops.softplus, lambda x: np.log(1 + np.exp(x))),
    "gelu": (ops.gelu, gelu),
    "threshold": (ops.threshold, lambda x: np.where(x >= 0, 1.0, 0.0)),
}


@pytest.mark.parametrize(("op", "reference"), ACTIVATIONS.values(), ids=ACTIVATIONS)
@given(shape=shapes(), seed=seeds)
def test_activation(op: Any, reference: Any, shape: Any, seed: int) -> None:
    check_op(op, reference, spread(seed, shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("op", "values", "slopes"),
    [
        (ops.relu, [0, 0, 2], [0, 0, 1]),
        (lambda x: ops.leaky_relu(x, 0.25), [-0.5, 0, 2], [0.25, 0.25, 1]),
        (ops.threshold, [0, 1, 1], [0, 0, 0]),
        (lambda x: ops.threshold(x, 1.0), [0, 1, 1], [0, 1, 0]),
        (lambda x: ops.threshold(x, 2.0), [0, 1, 1], [1, 1, 1]),
        (ops.sigmoid, None, [None, 0.25, None]),
    ],
    ids=["relu", "leaky relu", "threshold", "window 1", "window 2, bounds included", "sigmoid"],
)
def test_at_minus_2_0_and_2(op: Any, values: Any, slopes: Any, dtype: str) -> None:
    value, gradient = computed(op, Tensor([-2, 0, 2], dtype))
    assert values is None or value.tolist() == values
    assert all(slope in (None, got) for got, slope in zip(gradient.tolist(), slopes, strict=True))


def test_relu_of_negative_zero_and_of_nan() -> None:
    value, gradient = computed(ops.relu, Tensor([-0.0, np.nan]))
    assert value[0] == 0 and np.isnan(value[1]) and gradient.tolist() == [0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_array", [False, True])
def test_leaky_relu_with_slope_0_is_relu(as_array: bool, dtype: str) -> None:
    """0 times -inf would be NaN; a NaN that is there is not hidden."""
    x = Tensor([-np.inf, -1.0, -0.0, 2.0, np.inf, np.nan], dtype)
    slope = np.zeros((), dtype) if as_array else 0.0
    with np.errstate(all="raise"):
        y, gradient = computed(lambda x: ops.leaky_relu(x, slope), x)
        expected, slopes = computed(ops.relu, x)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(gradient, slopes)
    y, gradient = computed(lambda x: ops.leaky_relu(x, slope + 0.5), x)
    np.testing.assert_array_equal(y, [-np.inf, -0.5, 0, 2, np.inf, np.nan])
    assert y.dtype == dtype and gradient.tolist() == [0.5, 0.5, 0.5, 1, 1, 0.5]


STABLE: dict[str, tuple[Any, Any, Any]] = {
    "sigmoid": (
        ops.sigmoid,
        scipy.special.expit,
        lambda x: scipy.special.expit(x) * scipy.special.expit(-x),
    ),
    "softplus": (ops.softplus, lambda x: np.logaddexp(0, x), scipy.special.expit),
    "tanh": (ops.tanh, np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (ops.relu, lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1.0, 0.0)),
    "gelu": (ops.gelu, gelu, gelu_slope),
}


@pytest.mark.parametrize(("op", "reference", "slope"), STABLE.values(), ids=STABLE)
@given(x=hnp.arrays(np.float32, 4, elements=st.floats(-1e4, 1e4, width=32)))
def test_stable_up_to_1e4_in_float32(op: Any, reference: Any, slope: Any, x: Any) -> None:
    """A floating-point warning counts as a failure: an exponential has overflowed unseen."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        value, gradient = computed(op, Tensor(x))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(value, reference(exact), rtol=1e-6, atol=5e-6)
    np.testing.assert_allclose(gradient, slope(exact), rtol=1e-6, atol=5e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_keeps_its_relative_precision_in_the_left_tail(dtype: str) -> None:
    """1 / (1 + e^-x) rounds well there, 1 - 1 / (1 + e^x) gives 0."""
    x = Tensor([-30.0, -80.0], dtype)
    value, gradient = computed(ops.sigmoid, x)
    np.testing.assert_allclose(value, np.exp([-30.0, -80.0]), rtol=1e-5)
    np.testing.assert_allclose(gradient, np.exp([-30.0, -80.0]), rtol=1e-5)
    np.testing.assert_allclose(computed(ops.softplus, x)[0], np.exp([-30.0, -80.0]), rtol=1e-5)


def test_slopes_and_windows_do_not_promote_float32() -> None:
    x = Tensor([[0.3, -0.7], [0.1, 0.2]])
    for op in (
        lambda x: ops.leaky_relu(x, np.float64(0.1)),
        lambda x: ops.threshold(x, np.float64(1.0)),
        lambda x: ops.standardize(x, np.float64(1e-5))[0],
        lambda x: ops.dropout(x, np.float64(0.5), COUNTERS[:4].reshape(2, 2), KEYS[0]),
    ):
        assert [array.dtype for array in computed(op, x)] == [np.float32] * 2


# Standardising.


@given(lead=st.sampled_from([(), (2,), (0,)]), n=st.integers(2, 5), d=st.integers(0, 3), seed=seeds)
def test_standardize(lead: Any, n: int, d: int, seed: int) -> None:
    """An epsilon of 0.1 would show where it is left out of one of the terms."""
    x = spread(seed, (*lead, n, d))
    mean, variance = x.mean(axis=-2, keepdims=True), x.var(axis=-2, keepdims=True)
    check_op(
        lambda x: ops.standardize(x, 0.1)[0],
        lambda x: (x - mean) / np.sqrt(variance + 0.1),
        x,
    )
    _, *moments = ops.standardize(Tensor(x), 0.1)
    close(moments[0], mean, 1e-12)
    close(moments[1], variance, 1e-12)


def test_standardize_of_a_constant_feature_is_zero_and_of_one_sample_is_refused() -> None:
    value, gradient = computed(lambda x: ops.standardize(x)[0], Tensor(np.full((4, 2), 1e3)))
    assert not value.any() and not gradient.any()
    for shape in ((1, 3), (2, 1, 3), (3,), (0, 3)):
        with pytest.raises(InputError, match="at least 2|N >= 2") as caught:
            ops.standardize(Tensor(np.ones(shape)))
        assert str(shape) in str(caught.value)


# Dropout.

COUNTERS = np.arange(40_000, dtype=np.uint64)
KEYS = np.array([np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in range(8)])
KEYS |= np.uint64(1)


def mask(rate: float, key: Any, dtype: str = "float64") -> Any:
    return ops.dropout(Tensor(np.ones(COUNTERS.shape), dtype), rate, COUNTERS, key).data


@given(rate=st.floats(0, 0.95), key=st.sampled_from(list(KEYS)), dtype=st.sampled_from(DTYPES))
@settings(max_examples=20)
def test_dropout_scales_what_it_keeps_and_keeps_its_share(
    rate: float, key: Any, dtype: str
) -> None:
    values = mask(rate, key, dtype)
    kept = values != 0
    assert np.unique(values[kept]).tolist() == [np.array(1 / (1 - rate), dtype)]
    sigma = math.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) <= 5 * sigma


def test_dropout_masks_repeat_with_their_key_and_are_independent_with_another() -> None:
    rate = 0.3
    masks = [mask(rate, key) != 0 for key in KEYS]
    assert all(
        np.array_equal(mask(rate, key) != 0, kept) for key, kept in zip(KEYS, masks, strict=True)
    )
    both_or_neither = (1 - rate) ** 2 + rate**2
    sigma = math.sqrt(both_or_neither * (1 - both_or_neither) / COUNTERS.size)
    for i, one in enumerate(masks):
        others = [*masks[:i], np.roll(one, 1), np.roll(one, 200)]
        assert all(abs((one == other).mean() - both_or_neither) < 5 * sigma for other in others)


@given(shape=st.sampled_from([(3, 4), (2, 3, 4), (1, 4), (0, 4)]), seed=seeds)
def test_dropout_sends_the_gradient_through_the_mask_of_the_forward_pass(
    shape: Any, seed: int
) -> None:
    """Inputs that an ensemble shares meet one mask per network."""
    counters = COUNTERS[:12].reshape(3, 4)[: shape[-2]]
    for keys in (KEYS[0], KEYS[:2].reshape(2, 1, 1)):
        check_gradients(
            lambda x, keys=keys: ops.dropout(x, 0.5, counters, keys), Tensor(spread(seed, shape))
        )


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, np.nan])
def test_dropout_refuses_a_rate_outside_0_to_1(rate: float) -> None:
    with pytest.raises(InputError, match=f"rate is {rate}"):
        ops.dropout(Tensor([1.0]), rate, COUNTERS[:1], KEYS[0])


def test_the_surrogate_slope_is_rejected_as_a_derivative_and_ends_at_its_window() -> None:
    x = Tensor(spread(0, (20,)))
    with pytest.raises(AssertionError, match="gradient of tensor 0"):
        check_gradients(lambda x: ops.threshold(x, BETWEEN_BANDS), x)
    gradient = computed(lambda x: ops.threshold(x, BETWEEN_BANDS), x)[1]
    assert np.array_equal(gradient, np.abs(x.data) <= BETWEEN_BANDS)

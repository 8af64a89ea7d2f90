"""What a mask has cut off sends no gradient back: 0, also where the other branch is infinite."""

import math
from typing import Any

import numpy as np
import pytest
from strategies import DTYPES, computed

from scratchnet import Tensor, ops
from scratchnet.backends import Backend, get_backend

COUNTERS, KEY = np.arange(64, dtype=np.uint64), np.array(0x9E3779B97F4A7C15)

INFINITE_BEHIND_THE_MASK: dict[str, tuple[Any, list[float], list[float]]] = {
    "sqrt(relu)": (lambda x: ops.sqrt(ops.relu(x)), [-1, 0, 4], [0, 0, 0.25]),
    "log(relu)": (lambda x: ops.log(ops.relu(x)), [-1, 0, 4], [0, 0, 0.25]),
    "1 / relu": (lambda x: 1.0 / ops.relu(x), [-1, 0, 2], [0, 0, -0.25]),
    "relu ** 0.5": (lambda x: ops.relu(x) ** 0.5, [-1, 0, 4], [0, 0, 0.25]),
    "relu ** -1": (lambda x: ops.relu(x) ** -1, [-1, 0, 2], [0, 0, -0.25]),
    "sqrt(leaky relu of slope 0)": (
        lambda x: ops.sqrt(ops.leaky_relu(x, 0.0)),
        [-1, 0, 4],
        [0, 0, 0.25],
    ),
    "sqrt(maximum)": (lambda x: ops.sqrt(ops.maximum(x, 0.0)), [-1, 4], [0, 0.25]),
    "sqrt(-minimum)": (lambda x: ops.sqrt(-ops.minimum(0.0, x)), [1, -4], [0, -0.25]),
    "sqrt(clip)": (lambda x: ops.sqrt(ops.clip(x, 0.0, None)), [-1, 4], [0, 0.25]),
    "sqrt(|x|)": (lambda x: ops.sqrt(abs(x)), [0, -4], [0, -0.25]),
    "sqrt(where)": (
        lambda x: ops.sqrt(ops.where(x.data > 0, x, 0.0)),
        [-1, 0, 4],
        [0, 0, 0.25],
    ),
    "sqrt(threshold)": (lambda x: ops.sqrt(ops.threshold(x)), [-1, 1], [0, 0]),
    "sqrt(threshold with a window)": (
        lambda x: ops.sqrt(ops.threshold(x, 1.0)),
        [-2, 0.5, 2],
        [0, 0.5, 0],
    ),
    "sqrt(x ** 0 - 1)": (lambda x: ops.sqrt(x**0 - 1.0), [0, 2], [0, 0]),
    "log(min - 1)": (lambda x: ops.log(ops.min(x) - 1.0), [1, 3], [math.inf, 0]),
    "log(3 - max)": (lambda x: ops.log(3.0 - ops.max(x)), [1, 3], [0, -math.inf]),
}


def chosen(f: Any, otherwise: Any = 0.0) -> Any:
    return lambda x: ops.where(x.data > 0, f(x), otherwise)


INFINITE_BEFORE_THE_MASK: dict[str, tuple[Any, list[float], list[float]]] = {
    "log": (chosen(ops.log), [0, 4], [0, 0.25]),
    "sqrt": (chosen(ops.sqrt), [0, 4], [0, 0.25]),
    "x log x": (chosen(lambda x: x * ops.log(x)), [0, 1], [0, 1]),
    "log x times a row": (chosen(lambda x: ops.log(x) * x[:1]), [0, 1], [0, 0]),
    "1 / x": (chosen(lambda x: 1.0 / x), [0, 2], [0, -0.25]),
    "x / x": (chosen(lambda x: x / x, 1.0), [0, 2], [0, 0]),
    "x ** -2": (chosen(lambda x: x**-2), [0, 1], [0, -2]),
    "x ** 0.5": (chosen(lambda x: x**0.5), [0, 4], [0, 0.25]),
    "x ** x": (chosen(lambda x: x**x), [0, 1], [0, 1]),
    "log1p(x - 1)": (chosen(lambda x: ops.log1p(x - 1.0)), [0, 4], [0, 0.25]),
    "exp(-1000 x)": (
        chosen(lambda x: ops.exp(-1000.0 * x)),
        [-1, 1],
        [0, 0],
    ),
    "expm1": (chosen(lambda x: ops.expm1(-1000.0 * x)), [-1, 1], [0, 0]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("op", "x", "slope"),
    [*INFINITE_BEHIND_THE_MASK.values(), *INFINITE_BEFORE_THE_MASK.values()],
    ids=[*INFINITE_BEHIND_THE_MASK, *INFINITE_BEFORE_THE_MASK],
)
def test_what_a_mask_cuts_off_gets_the_gradient_0(
    op: Any, x: list[float], slope: list[float], dtype: str
) -> None:
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        _, gradient = computed(op, Tensor(x, dtype))
    np.testing.assert_allclose(gradient, slope, rtol=1e-6, atol=1e-30)


def test_a_dropped_entry_gets_the_gradient_0() -> None:
    x = Tensor(np.full(64, 4.0))
    with np.errstate(divide="ignore"):
        y, gradient = computed(lambda x: ops.sqrt(ops.dropout(x, 0.5, COUNTERS, KEY)), x)
    assert set(y.tolist()) == {0.0, math.sqrt(8.0)}
    np.testing.assert_allclose(gradient, np.where(y > 0, 2 / (2 * math.sqrt(8.0)), 0.0))


def test_a_power_of_zero_with_a_tensor_as_exponent() -> None:
    """0^b is 0 for every b > 0, and a^0 is 1 for every a: neither derivative is NaN."""
    with np.errstate(divide="ignore"):
        _, da, db = computed(ops.power, Tensor([0.0, 0.0, 3.0, 2.0]), Tensor([2.0, 3.0, 0.0, 2.0]))
    np.testing.assert_allclose(da, [0, 0, 0, 4])
    np.testing.assert_allclose(db, [0, 0, math.log(3), 4 * math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("default", [False, True])
def test_relu_backward_selects(default: bool, dtype: str) -> None:
    """The fast body too; an infinite or a NaN dy at a dead neuron is not multiplied by 0."""
    k = get_backend("numpy")
    dy = np.array([np.inf, -np.inf, np.nan, -2.5, np.inf, 1e-40], dtype)
    y = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 3.0], dtype)
    found = Backend.relu_backward(k, dy, y) if default else k.relu_backward(dy, y)
    assert found.dtype == dtype and found.tolist() == [0, 0, 0, 0, np.inf, dy[-1]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [2.0, np.inf, np.nan, 1e300])
def test_times_slope_is_its_default(slope: float, dtype: str) -> None:
    k = get_backend("numpy")
    with np.errstate(over="ignore"):
        dy, row = np.array([[0.0, 1.0], [-2.0, 0.0]], dtype), np.array([3.0, slope], dtype)
        found, plain = k.times_slope(dy, row), Backend.times_slope(k, dy, row)
    np.testing.assert_array_equal(found, plain)
    assert found[1, 1] == 0 and found.dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_times_slope_of_one_network_has_its_bits_whatever_another_does(dtype: str) -> None:
    """-0 too: the other's infinite slope makes the whole array take the slow way."""
    k = get_backend("numpy")
    dy, slope = np.array([[0.0, -0.0, 2.0]] * 2, dtype), np.array([[-3.0, -3.0, 4.0]] * 2, dtype)
    alone = k.times_slope(dy[:1], slope[:1])
    slope[1, 0] = np.inf
    assert k.times_slope(dy, slope)[:1].tobytes() == alone.tobytes()

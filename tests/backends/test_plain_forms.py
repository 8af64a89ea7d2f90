"""What NumPy's backend computes in a faster way is what the interface's plain form computes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends import Backend, get_backend

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30]
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
numbers = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 70))


def array(seed: int, shape: tuple[int, ...], dtype: str, share: float = 0.0) -> Any:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    return np.where(rng.random(shape) < share, rng.choice(SPECIAL, shape), values).astype(dtype)


@dtypes
@pytest.mark.parametrize("name", ["relu_backward", "times_slope"])
@given(drawn=numbers, share=st.sampled_from([0.0, 0.3]))
@settings(deadline=None, max_examples=30)
def test_gradients_through_slopes(name: str, dtype: str, drawn: Any, share: float) -> None:
    backend, (seed, n, d) = get_backend("numpy"), drawn
    dy, y = (array(seed + i, (n, d), dtype, share) for i in range(2))
    with np.errstate(invalid="ignore"):
        fast, plain = getattr(backend, name)(dy, y), getattr(Backend, name)(backend, dy, y)
    np.testing.assert_array_equal(fast, plain)


@dtypes
@given(drawn=numbers)
@settings(deadline=None, max_examples=30)
def test_relu(dtype: str, drawn: Any) -> None:
    backend, (seed, n, d) = get_backend("numpy"), drawn
    x = array(seed, (n, d), dtype, 0.3)
    np.testing.assert_array_equal(backend.relu(x), Backend.relu(backend, x))


@dtypes
@given(drawn=numbers, networks=st.sampled_from([(), (3,)]))
@settings(deadline=None, max_examples=30)
def test_sums_of_rows_and_biases(dtype: str, drawn: Any, networks: tuple[int, ...]) -> None:
    backend, (seed, n, d) = get_backend("numpy"), drawn
    y = array(seed, (*networks, n, d), dtype)
    bias = array(seed + 1, (*networks, 1, d) if networks else (d,), dtype)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(backend.sum_rows(y), Backend.sum_rows(backend, y), **close)
    plain = Backend.add_bias(backend, y.copy(), bias)
    np.testing.assert_array_equal(plain, y + bias)
    np.testing.assert_array_equal(backend.add_bias(y.copy(), bias), plain)


@dtypes
@pytest.mark.parametrize("name", ["sum", "max", "min"])
def test_reductions(name: str, dtype: str) -> None:
    backend, x = get_backend("numpy"), array(3, (4, 5), dtype)
    for axis, keepdims in ((None, False), (0, True), (-1, False)):
        fast = getattr(backend, name)(x, axis, keepdims)
        plain = getattr(Backend, f"_{name}")(backend, x, axis, keepdims, None)
        np.testing.assert_allclose(fast, plain, rtol=1e-5)

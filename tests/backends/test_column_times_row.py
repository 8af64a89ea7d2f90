"""A product in which nothing is summed: each entry is 0 + a b, alone and within an ensemble."""

from typing import Any

import numpy as np
import pytest
from agreement import either_dtype
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends import Backend, get_backend

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -2.0, 1e-30, -1e-30, 1e30, -1e30]
sides = st.sampled_from([1, 2, 3, 31, 33, 70])


def same_numbers(actual: Any, expected: Any) -> bool:
    """NaN in the same places, and elsewhere the same bits, signs of zeros included."""
    lost = np.isnan(expected)
    signs = np.signbit(actual)[~lost] == np.signbit(expected)[~lost]
    return np.array_equal(actual, expected, equal_nan=True) and bool(signs.all())


@either_dtype
@pytest.mark.parametrize("is_transposed", [False, True])
@given(n=sides, m=sides, networks=st.sampled_from([1, 3]), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_column_times_a_row(
    dtype: str, is_transposed: bool, n: int, m: int, networks: int, seed: int
) -> None:
    """np.dot leaves out products with 0, and so loses NaN and infinity, and gives -0."""
    backend: Backend = get_backend("numpy")
    rng = np.random.default_rng(seed)
    a = rng.choice(SPECIAL, (networks, n, 1)).astype(dtype)
    b = rng.choice(SPECIAL, (networks, m, 1)).astype(dtype).mT
    if not is_transposed:
        b = np.ascontiguousarray(b)
    with np.errstate(all="ignore"):
        expected = a * b + np.zeros((), dtype)
        together = backend.matmul(a, b)
        written = backend.matmul(a, b, out=np.full_like(expected, 7.0))
        assert same_numbers(together, expected) and same_numbers(written, expected)
        for i in range(networks):
            assert same_numbers(backend.matmul(a[i], b[i]), expected[i])

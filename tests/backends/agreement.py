"""How the tests of the backends compare arrays."""

from typing import Any

import numpy as np
import pytest
from strategies import DTYPES, close

from scratchnet.backends import Backend

TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
UNIT_ROUNDOFF = {"fp32": 2.0**-24, "tf32": 2.0**-11, "bf16": 2.0**-8, "fp16": 2.0**-11}
"""The largest relative error of rounding one normal number."""

either_dtype = pytest.mark.parametrize("dtype", DTYPES)


def same(backend: Backend, actual: Any, expected: Any, dtype: str) -> None:
    """An array of this backend and dtype with the expected entries, up to rounding."""
    assert type(actual) is backend.xp.ndarray and actual.dtype == dtype
    close(backend.to_numpy(actual), np.asarray(expected), TOLERANCE[dtype])

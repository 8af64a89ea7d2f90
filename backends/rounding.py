"""Products of rounded operands: the number formats of a GPU's matrix units, on the CPU.

Only the operands of a product are rounded, to the nearest number of the format and, between two,
to the one whose last bit is 0. Products, sums, parameters and gradients stay float32. So a CPU
shows what training in that format does to the numbers, though not how fast it is.

| format | bits of the fraction | largest number | smallest normal number |
|---|---|---|---|
| fp32 | 23 | 3.4e38 | 1.2e-38 |
| tf32 | 10 | 3.4e38 | 1.2e-38 |
| bf16 | 7 | 3.4e38 | 1.2e-38 |
| fp16 | 10 | 65504 | 6.1e-5 |
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.backends.interface import Array, Backend, Out
from scratchnet.backends.numpy_backend import NumpyBackend

PRECISIONS = ("fp32", "tf32", "bf16", "fp16")


def check_precise_dtype(precision: str, dtype: Any) -> None:
    """Raise `InputError` where an array of this dtype is asked for beside a rounded product."""
    if precision != "fp32" and dtype is not None and np.dtype(dtype) == np.float64:
        raise InputError(
            f"dtype float64 with precision {precision}: must be float32; float64 needs fp32"
        )


def check_operands(precision: str, *operands: Array) -> None:
    """Raise `TypeError` unless all operands of a rounded product are float32."""
    for each in operands:
        if each.dtype != np.float32:
            raise TypeError(f"a product of {each.dtype} in precision {precision}: needs float32")


def round_fraction(x: Array, dropped_bits: int, out: Array) -> Array:
    """float32 x with the last bits of its fraction rounded away: 13 give tf32, 16 bf16.

    Adding half of the last bit that stays, or one less where that bit is 0, carries into it exactly
    where x lies in the upper half of its gap, or in the middle with an odd bit. An overflow carries
    into the exponent and gives infinity, as it should; a NaN is left alone.
    """
    bits = x.view(np.uint32)
    last_kept = bits >> dropped_bits & 1
    rounded = bits + (last_kept + (2 ** (dropped_bits - 1) - 1))
    rounded &= 2**32 - 2**dropped_bits
    np.copyto(out, rounded.view(np.float32))
    np.copyto(out, x, where=np.isnan(x))
    return out


def _to_tf32(x: Array, out: Out) -> Array:
    return round_fraction(x, 13, np.empty_like(x) if out is ... else out)


def _to_bf16(x: Array, out: Out) -> Array:
    return round_fraction(x, 16, np.empty_like(x) if out is ... else out)


def _to_fp16(x: Array, out: Out) -> Array:
    """x rounded to float16, in its own dtype; infinity where that overflows."""
    out = np.empty_like(x) if out is ... else out
    with np.errstate(over="ignore"):
        np.copyto(out, x.astype(np.float16))
    return out


ROUNDINGS = {"tf32": _to_tf32, "bf16": _to_bf16, "fp16": _to_fp16}


class RoundedNumpyBackend(NumpyBackend):
    """NumPy with the operands of each product rounded to `precision`: tf32, bf16 or fp16."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self.precision = precision
        self._rounding = ROUNDINGS[precision]

    def matmul(self, a: Array, b: Array, out: Out = ...) -> Array:
        check_operands(self.precision, a, b)
        a = self.run(self._rounding, a, out=...)
        return super().matmul(a, self.run(self._rounding, b, out=...), out=out)

    def asarray(self, values: Any, dtype: Any = None) -> Array:
        check_precise_dtype(self.precision, dtype)
        return super().asarray(values, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Array:
        check_precise_dtype(self.precision, dtype)
        return super().zeros(shape, dtype)

    def is_elementwise(self, kernel: Any) -> bool:
        return kernel is self._rounding or super().is_elementwise(kernel)


def on_numpy(precision: str) -> Backend:
    """NumPy in that precision; in fp32 without any detour."""
    return NumpyBackend() if precision == "fp32" else RoundedNumpyBackend(precision)

"""NumPy on the CPU."""

from __future__ import annotations

import ctypes
import math
import operator
import os
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from scratchnet.backends.blas import blas_facts, processor_name
from scratchnet.backends.interface import Array, Axis, Backend, Call, Kernel, Out

_LARGEST_CACHED_CONSTANT = 2**20
_SHORT_ROW, _LONG_ROW, _MANY_NUMBERS = 32, 256, 2**14
_PRODUCT_WORTH_PADDING = 1024


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks for the next step instead of giving them to the system.

    By default a block above 128 KiB goes back when it is freed, and the next step pays a page
    fault for each 4 KiB of the same block. Elsewhere than on glibc nothing is changed.
    """
    trim_threshold, mmap_threshold = -1, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(mmap_threshold, 32 * 2**20)
    mallopt(trim_threshold, 512 * 2**20)


@lru_cache(maxsize=16)
def _constant(value: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """A read-only array filled with the value; the last ones are kept."""
    constant = np.full(shape, value, dtype)
    constant.flags.writeable = False
    return constant


def _repeated(bias: Array, rows: int, out: Out) -> Array:
    """`rows` copies of a row (..., 1, d), or (d,), one after another: (..., 1, rows d)."""
    *lead, d = bias.shape if bias.ndim > 1 else (1, *bias.shape)
    out = np.empty((*lead, rows * d), bias.dtype) if out is ... else out
    np.copyto(out.reshape(*lead[:-1], rows, d), bias)
    return out


def _column_times_row(a: Array, b: Array, out: Out) -> Array:
    """A product in which nothing is summed, which np.matmul leaves to a slow loop, not to BLAS.

    With a column and a row of zeros more, BLAS takes it. np.dot would too, but leaves out products
    with 0, so that 0 times infinity is 0, and may give -0 where 0 + -0 is 0.
    """
    n, m = a.shape[-2], b.shape[-1]
    if n * m < _PRODUCT_WORTH_PADDING:
        return np.matmul(a, b, out=out)
    columns, rows = np.zeros((*a.shape[:-1], 2), a.dtype), np.zeros((*b.shape[:-2], 2, m), b.dtype)
    columns[..., :1] = a
    rows[..., :1, :] = b
    return np.matmul(columns, rows, out=out)


def _column_times_row_calls(a: Array, b: Array, out: Array, _: Masks) -> list[BoundCall]:
    """As `_column_times_row`, with zeros that are made once."""
    n, m = a.shape[-2], b.shape[-1]
    if n * m < _PRODUCT_WORTH_PADDING:
        return [partial(np.matmul, a, b, out)]
    columns, rows = np.zeros((*a.shape[:-1], 2), a.dtype), np.zeros((*b.shape[:-2], 2, m), b.dtype)
    return [
        partial(np.copyto, columns[..., :1], a),
        partial(np.copyto, rows[..., :1, :], b),
        partial(np.matmul, columns, rows, out),
    ]


def _times_slope(dy: Array, slope: Array, out: Out) -> Array:
    """dy * slope, and 0 where dy is 0; a sum of squares that is finite tells that every slope is.

    That sum, by BLAS, takes a tenth of the time of np.where. Both ways give the same bits, -0 too,
    so that a network has them whatever others of its ensemble do.
    """
    if not math.isfinite(np.vdot(slope, slope)):
        one = np.copysign(slope.dtype.type(1.0), slope)
        slope = np.where(np.equal(dy, 0.0), one, slope)
    return np.multiply(dy, slope, out=out)


_BITS_AND_ZERO = {
    np.dtype(real): (np.dtype(bits), np.zeros((), real))
    for real, bits in ((np.float32, np.int32), (np.float64, np.int64))
}


def _where_positive(dy: Array, y: Array, out: Out) -> Array:
    """dy where y > 0, else 0.

    The bits of dy, read as a whole number, times 1 or 0. A product of numbers is NaN where dy is
    infinite, and np.where takes up to ten times as long. The booleans are converted in a call of
    their own: `greater` and `multiply` do it in pieces, which takes longer.
    """
    bits, zero = _BITS_AND_ZERO[y.dtype]
    chosen = np.greater(y, zero, out=...).astype(bits)
    if out is ...:
        same = dy.shape == y.shape
        out = np.empty(y.shape if same else np.broadcast_shapes(dy.shape, y.shape), y.dtype)
    np.multiply(chosen, dy.view(bits), out=out.view(bits))
    return out


def _where_positive_calls(dy: Array, y: Array, out: Array, masks: Masks) -> list[BoundCall]:
    """As `_where_positive`, on views that are made once."""
    bits, zero = _BITS_AND_ZERO[y.dtype]
    chosen, is_positive = out.view(bits), masks(y.shape)
    return [
        partial(np.greater, y, zero, is_positive),
        partial(np.copyto, chosen, is_positive),
        partial(np.multiply, chosen, dy.view(bits), chosen),
    ]


def _sum(x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
    """A ufunc's `reduce` is what np.sum calls, after handling its arguments longer than a small sum
    takes; as are np.max and np.min."""
    return np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)


def _sum_calls(x: Array, axis: Axis, keepdims: bool, out: Array, _: Masks) -> list[BoundCall]:
    return [partial(np.add.reduce, x, axis, None, out, keepdims)]


BoundCall = Callable[[], Array | None]
Masks = Callable[[tuple[int, ...]], Array]
"""Gives an array of booleans of that shape, for the moment."""

_IN_PARTS: dict[Kernel, Callable[..., list[BoundCall]]] = {
    _column_times_row: _column_times_row_calls,
    _where_positive: _where_positive_calls,
    _sum: _sum_calls,
}
"""For kernels that a replay does faster as the calls of NumPy that they consist of."""


def _bound(call: Call, masks: Masks) -> list[BoundCall]:
    """The call without arguments. A ufunc reads a positional `out` faster than one by its name.

    NumPy 2.4 deprecates that for maximum and minimum.
    """
    kernel, inputs, out, _ = call
    if kernel in _IN_PARTS:
        return _IN_PARTS[kernel](*inputs, out, masks)
    if isinstance(kernel, np.ufunc) and kernel not in (np.maximum, np.minimum):
        return [partial(kernel, *inputs, out)]
    return [partial(kernel, *inputs, out=out)]


class NumpyBackend(Backend):
    """NumPy arrays; few bodies differ from the interface's, each for a measured reason."""

    name = "numpy"
    xp = np

    def __init__(self) -> None:
        keep_freed_memory()
        # The same as the method, without a Python frame. Callers pass `out` always: `out=...` makes
        # NumPy return an array also where it would return a scalar.
        self.run = operator.call  # type: ignore[assignment, method-assign]

    def to_numpy(self, array: Array) -> Any:
        return np.asarray(array)

    def have_same_bits(self, one: Array, other: Array) -> bool:
        return bool(one.tobytes() == other.tobytes())

    def address(self, array: Array) -> int:
        return int(array.__array_interface__["data"][0])

    def device_info(self) -> dict[str, str | int | float]:
        """The processor, the cores this process may use, NumPy's BLAS, its kernel and threads."""
        return {
            "backend": self.name,
            "device": processor_name(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else (os.cpu_count() or 1),
            **blas_facts(),
            "numpy": np.__version__,
            "precision": self.precision,
        }

    def repeater(self, calls: Sequence[Call]) -> Callable[[], None]:
        """As the interface's, but what does not change from one replay to the next is done once.

        A number is made an array, the arguments are bound in the order in which a ufunc takes them
        fastest, and what a kernel needs besides is made: so one replay ends before the next begins.
        """
        masks = cache(partial(np.empty, dtype=bool))
        bound = [each for call in calls for each in _bound(self._with_arrays(call), masks)]

        def repeat() -> None:
            for call in bound:
                call()

        return repeat

    def _with_arrays(self, call: Call) -> Call:
        """The call with its Python floats as arrays of the dtype that NumPy computes them in."""
        dtypes = {each.dtype for each in call.inputs if isinstance(each, np.ndarray)}
        if not self.is_elementwise(call.kernel) or len(dtypes) != 1:
            return call
        (dtype,) = dtypes
        if dtype.kind != "f":
            return call
        inputs = [np.asarray(x, dtype) if isinstance(x, float) else x for x in call.inputs]
        return call._replace(inputs=tuple(inputs))

    def why_not_compiled(self) -> str | None:
        from scratchnet.backends.compile import compiler_available

        return compiler_available()

    def compiler(self) -> str:
        from scratchnet.backends.compile import find_compiler

        return str(find_compiler())

    def compiled(self, calls: Sequence[Call], outcome: Array, networks: int) -> Any:
        from scratchnet.backends.compile import CompiledStep

        return CompiledStep(calls, outcome, networks)

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False, out: Out = ...) -> Array:
        return self.run(_sum, x, axis, keepdims, out=out)

    def _max(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return np.maximum.reduce(x, axis=axis, keepdims=keepdims, out=out)

    def _min(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return np.minimum.reduce(x, axis=axis, keepdims=keepdims, out=out)

    def matmul(self, a: Array, b: Array, out: Out = ...) -> Array:
        """As the interface's; a column times a row takes a fifth of np.matmul's time."""
        if a.shape[-1] == 1 and a.ndim > 1 < b.ndim and b.shape[-2] == 1:
            return self.run(_column_times_row, a, b, out=out)
        return self.run(np.matmul, a, b, out=out)

    def sum_rows(self, x: Array, out: Out = ...) -> Array:
        """1^T x: BLAS adds the rows five times as fast as a reduction over that axis."""
        return self.run(np.matmul, _constant(1.0, x.shape[-2:-1], x.dtype), x, out=out)

    def add_bias(self, y: Array, bias: Array) -> Array:
        """Several rows at a time: to start NumPy's loop over a short row costs more than its sums.

        The bias is repeated to the length of those rows, and y is seen with rows of that length.
        That takes a call more, so a small array, or one of long rows, is added to as it is.
        """
        n, d = y.shape[-2:]
        if y.size < _MANY_NUMBERS or d > _SHORT_ROW or not y.flags.c_contiguous:
            return self.add(y, bias, out=y)
        rows = math.gcd(n, _LONG_ROW // d)
        long_rows = y.reshape(*y.shape[:-2], n // rows, rows * d)
        self.add(long_rows, self.run(_repeated, bias, rows, out=...), out=long_rows)
        return y

    def relu_backward(self, dy: Array, y: Array) -> Array:
        """As the interface's, in a quarter of np.where's time."""
        return self.run(_where_positive, dy, y, out=...)

    def times_slope(self, dy: Array, slope: Array) -> Array:
        return self.run(_times_slope, dy, slope, out=...)

    def relu(self, x: Array) -> Array:
        """max(0, x) with an array of zeros, which NumPy vectorises, a number it does not."""
        if x.size > _LARGEST_CACHED_CONSTANT:
            return self.maximum(x, 0.0)
        return self.maximum(x, _constant(0.0, x.shape, x.dtype))

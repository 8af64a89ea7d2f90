"""The first two layers of what the engine asks of an array library: movement, and primitives.

A primitive is one call of the array library. `interface.py` builds fused steps of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scratchnet.backends.door import Array, Call, Door, Kernel, Out
from scratchnet.backends.guarded import Guarded, bare

if TYPE_CHECKING:
    from scratchnet.backends.interface import Backend

Axis = int | tuple[int, ...] | None


class Timer:
    """Seconds of the block under `with`; `seconds` is set when the block ends."""

    seconds: float = float("nan")

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self._synchronize = synchronize

    def __enter__(self) -> Timer:
        self._synchronize()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self._synchronize()
        self.seconds = time.perf_counter() - self._start


class Primitives(Door):
    """An array library. `xp` is its NumPy-like module, for set-up and analysis outside steps."""

    name: str
    xp: ModuleType
    precision = "fp32"
    """To what the float32 operands of a product are rounded: fp32 (not at all), tf32, bf16, fp16.

    All else, the sums inside the product included, is float32.
    """
    compiled_precisions: tuple[str, ...] = ("fp32",)
    """Those in which a compiled step can multiply."""
    bits_depend_on_layout = False
    """Whether a sum or a product adds in an order that depends on how its output lies in memory."""

    row_alignment = 1
    """The networks of an ensemble begin at multiples of so many numbers in its buffers."""
    reading_waits = False
    """Whether to read numbers waits for a device that would else work on by itself."""

    def is_elementwise(self, kernel: Kernel) -> bool:
        """Whether each number of the output depends only on the inputs' numbers at its place."""
        return isinstance(kernel, self.xp.ufunc) and getattr(kernel, "signature", None) is None

    def adds_in_any_order(self, kernel: Kernel) -> bool:
        """Whether the last bits of what it computes may differ from one call to the next."""
        return False

    def ufunc(self, name: str) -> Kernel | None:
        """What `run` computes NumPy's ufunc of that name with; None where nothing does."""
        kernel: Kernel | None = getattr(self.xp, name, None)
        return kernel

    # The compiler of recorded steps: see `compile/`.

    def why_not_compiled(self) -> str | None:
        """Why no step can be compiled here and what to install, or None."""
        raise NotImplementedError

    def compiler(self) -> str:
        """What compiles steps here, in words."""
        raise NotImplementedError

    def compiled(self, calls: Sequence[Call], outcome: Array, networks: int) -> Any:
        """The recorded calls of a step as a function for many steps of all networks.

        Raises `NotCompiled` where a call has no lowering.
        """
        raise NotImplementedError

    def in_primitives(self) -> AbstractContextManager[None]:
        """Inside, in this thread or task alone, a fused step is made of primitives."""
        return nullcontext()

    def __reduce__(self) -> tuple[Callable[..., Backend], tuple[str, str]]:
        """A copied or unpickled model computes on this process's backend of the same name.

        Its precision is kept too.
        """
        from scratchnet.backends import get_backend

        return get_backend, (self.name, self.precision)

    # Movement between the host and the device.

    def asarray(self, values: Any, dtype: Any = None) -> Array:
        """`values` as a contiguous array of this backend; not a copy where it is one already.

        An array of this backend with another dtype or memory order is converted by `run`.
        """
        if type(values) not in (self.xp.ndarray, Guarded):
            return self.xp.asarray(values, dtype=dtype, order="C")
        dtype = values.dtype if dtype is None else dtype
        if values.dtype == dtype and values.flags.c_contiguous:
            return values
        return self.run(self._convert, values, out=self.empty(values.shape, dtype))

    def _convert(self, values: Array, out: Array) -> Array:
        self.xp.copyto(out, values, casting="unsafe")
        return out

    def to_numpy(self, array: Array) -> Any:
        """The numbers as a NumPy array on the host."""
        raise NotImplementedError

    def have_same_bits(self, one: Array, other: Array) -> bool:
        """Whether two arrays of one shape and dtype do; compared where they are."""
        bits = f"u{one.dtype.itemsize}"
        return bool((one.view(bits) == other.view(bits)).all())

    def address(self, array: Array) -> int:
        """Where the array's first number lies in memory."""
        raise NotImplementedError

    def shares_memory(self, a: Array, b: Array) -> bool:
        """Whether an entry of a and one of b lie in the same place; exact, and done by the host."""
        return bool(self.xp.shares_memory(a, b))

    def synchronize(self) -> None:
        """Return when the work given to the device is done: on a GPU, to the current stream."""

    def device_info(self) -> dict[str, str | int | float]:
        """The device, its library and its threads, as plain values for a report."""
        raise NotImplementedError

    def timer(self) -> Timer:
        """`with backend.timer() as timer: ...` then `timer.seconds`, the device's work included."""
        return Timer(self.synchronize)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.xp.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.xp.zeros(shape, dtype)

    def ones(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self.xp.ones(shape, dtype)

    def buffer_of_networks(self, networks: int | None, size: int, dtype: Any) -> Array:
        """Zeros (size,), or (networks, size) with a gap between them where `row_alignment` asks."""
        if networks is None:
            return self.zeros((size,), dtype)
        gap = -size % self.row_alignment
        buffer = self.zeros((networks, size + gap), dtype)
        return buffer[:, :size] if gap else buffer

    def copy(self, x: Array, out: Out = ...) -> Array:
        """The numbers of x in memory of their own."""
        return self.run(self.xp.positive, x, out=out)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """A view where x is contiguous, else a copy, made by `run`."""
        if not x.flags.c_contiguous:
            # Into a contiguous buffer: a copy has x's memory order, and would be copied once more.
            x = self.copy(x, out=self.empty(x.shape, x.dtype))
        return x.reshape(shape)

    def broadcast_to(self, x: Array, shape: tuple[int, ...]) -> Array:
        """A view that repeats x along new axes and along axes of size 1."""
        return self.guarded(self.xp.broadcast_to(bare(x), shape))

    # Elementwise primitives, with broadcasting.

    def add(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.add, a, b, out=out)

    def subtract(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.subtract, a, b, out=out)

    def multiply(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.multiply, a, b, out=out)

    def divide(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.divide, a, b, out=out)

    def power(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.power, a, b, out=out)

    def maximum(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.maximum, a, b, out=out)

    def minimum(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.minimum, a, b, out=out)

    def negative(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.negative, x, out=out)

    def absolute(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.absolute, x, out=out)

    def sign(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.sign, x, out=out)

    def square(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.square, x, out=out)

    def sqrt(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.sqrt, x, out=out)

    def exp(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.exp, x, out=out)

    def log(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.log, x, out=out)

    def log1p(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.log1p, x, out=out)

    def expm1(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.expm1, x, out=out)

    def sin(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.sin, x, out=out)

    def cos(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.cos, x, out=out)

    def tanh(self, x: Array, out: Out = ...) -> Array:
        return self.run(self.xp.tanh, x, out=out)

    # Comparisons give arrays of booleans, which count as 0 and 1 in a product.

    def greater(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.greater, a, b, out=out)

    def greater_equal(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.greater_equal, a, b, out=out)

    def less_equal(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.less_equal, a, b, out=out)

    def equal(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.equal, a, b, out=out)

    def logical_and(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.logical_and, a, b, out=out)

    def logical_or(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self.xp.logical_or, a, b, out=out)

    def where(self, condition: Array, a: Array, b: Array, out: Out = ...) -> Array:
        """a where the condition holds, else b."""
        return self.run(self._where, condition, a, b, out=out)

    def _where(self, condition: Array, a: Array, b: Array, out: Out) -> Array:
        return self._written(self.xp.where(condition, a, b), out)

    def _written(self, values: Array, out: Out) -> Array:
        """For kernels whose library call takes no `out`."""
        if out is ...:
            return values
        self.xp.copyto(out, values)
        return out

    # Reductions and products.

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False, out: Out = ...) -> Array:
        return self.run(self._sum, x, axis, keepdims, out=out)

    def max(self, x: Array, axis: Axis = None, keepdims: bool = False, out: Out = ...) -> Array:
        return self.run(self._max, x, axis, keepdims, out=out)

    def min(self, x: Array, axis: Axis = None, keepdims: bool = False, out: Out = ...) -> Array:
        return self.run(self._min, x, axis, keepdims, out=out)

    def _sum(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.sum(x, axis=axis, keepdims=keepdims, out=out)

    def _max(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.max(x, axis=axis, keepdims=keepdims, out=out)

    def _min(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.min(x, axis=axis, keepdims=keepdims, out=out)

    def cumsum(self, x: Array, axis: int, from_the_end: bool = False, out: Out = ...) -> Array:
        """The sums of the first 1, 2, ... entries along the axis, or of the last n, n - 1, ..."""
        return self.run(self._cumsum, x, axis, from_the_end, out=out)

    def _cumsum(self, x: Array, axis: int, from_the_end: bool, out: Out) -> Array:
        out = self.empty(x.shape, x.dtype) if out is ... else out
        order = (slice(None),) * axis + (slice(None, None, -1 if from_the_end else 1),)
        self.xp.copyto(out[order], self.xp.cumsum(x[order], axis=axis))
        return out

    def sum_rows(self, x: Array, out: Out = ...) -> Array:
        """(..., N, d) -> (..., d): the sum over the samples."""
        return self.sum(x, axis=-2, out=out)

    def matmul(self, a: Array, b: Array, out: Out = ...) -> Array:
        """(..., n, k) and (..., k, m) -> (..., n, m); either may be a transposed view."""
        return self.run(self.xp.matmul, a, b, out=out)

    # Selecting and joining.

    def concatenate(self, parts: list[Array], axis: int, out: Out = ...) -> Array:
        return self.run(self._concatenate, axis, *parts, out=out)

    def _concatenate(self, axis: int, *parts: Array, out: Out) -> Array:
        return self._written(self.xp.concatenate(parts, axis=axis), out)

    def take(self, x: Array, index: Any, out: Out = ...) -> Array:
        """x[index] in memory of its own; arrays in `index` are read anew at each replay."""
        return self.run(self._take, x, index, out=out)

    def _take(self, x: Array, index: Any, out: Out) -> Array:
        return self._written(self.xp.array(x[index]), out)

    def take_of_each(self, x: Array, index: Array) -> Array:
        """x (E, N, ...) and index (E, B) -> (E, B, ...): the chosen rows of each network."""
        if len(x) == 1:
            return self.take(x[0], index)
        return self.take(x, (self.xp.arange(len(x)).reshape(-1, 1), index))

    def scatter_add(
        self, values: Array, index: Any, shape: tuple[int, ...], out: Out = ...
    ) -> Array:
        """Zeros of that shape, to which `values` are added at `index`; repeated places add up."""
        return self.run(self._scatter_add, values, index, shape, out=out)

    def _scatter_add(self, values: Array, index: Any, shape: tuple[int, ...], out: Out) -> Array:
        out = self.empty(shape, values.dtype) if out is ... else out
        out[...] = 0
        self.xp.add.at(out, index, values)
        return out

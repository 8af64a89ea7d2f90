"""CuPy on an NVIDIA GPU: the primitives by CuPy, products by cuBLAS, fused steps by our kernels.

Every call below only puts work on CuPy's current stream and returns; the host waits in `to_numpy`,
`synchronize` and at the end of a timer's block. CuPy is imported when a backend is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from numbers import Real
from typing import Any

import numpy as np

from scratchnet.backends.cublas import (
    OPERANDS,
    Cublas,
    batch_step,
    gemm_arguments,
    is_usable,
    is_writable,
    layout_of,
    matrix_layout,
    product_shape,
)
from scratchnet.backends.cuda_fusing import Fusing
from scratchnet.backends.cuda_graph import as_graph
from scratchnet.backends.cuda_kernels import REALS, Kernels
from scratchnet.backends.cuda_sums import ROWS_AT_ONCE
from scratchnet.backends.cupy_arrays import by_own_kernel, elementwise, in_primitives
from scratchnet.backends.cupy_fused import FusedSteps
from scratchnet.backends.errors import DeviceMemoryError
from scratchnet.backends.interface import Array, Axis, Call, Kernel, Out, Timer
from scratchnet.backends.rounding import check_operands, check_precise_dtype

SMALL_PRODUCT, SMALL_SUM = 2**16, 128
"""Numbers of the result, and terms of a sum, of a product that one of our kernels makes."""


def refuse_outside(shape: tuple[int, ...], index: Any, device_array: Any) -> None:
    """Raise what NumPy raises for a place outside of that shape: CuPy would count on instead.

    NumPy indexes an array whose entries take no memory. An array on the device stands there as
    zeros, since to read it would wait for the device.
    """
    if isinstance(index, device_array):
        return
    parts = index if isinstance(index, tuple) else (index,)
    on_host = [
        np.zeros(part.shape, part.dtype) if isinstance(part, device_array) else part
        for part in parts
    ]
    np.empty(shape, np.dtype([]))[tuple(on_host)]


def as_words(x: Array) -> Array:
    """A contiguous array as whole numbers of 32 bits."""
    return x.reshape(-1).view(np.uint32)


class CupyBackend(FusedSteps):
    """CuPy arrays on the current device."""

    name = "cupy"
    # CuPy shares a sum among threads by the strides of the output, cuBLAS chooses by its alignment.
    bits_depend_on_layout = True
    reading_waits = True
    # 128 bytes of float32: at other places cuBLAS takes slower kernels.
    row_alignment = 32
    compiled_precisions = ("fp32", "tf32")

    def __init__(self, precision: str = "fp32") -> None:
        import cupy

        self.xp = cupy
        self.precision = precision
        self._cublas = Cublas(cupy)
        self._kernels = {dtype: Kernels(cupy, dtype) for dtype in REALS}
        self._ones = {}
        self._choose = cupy.ElementwiseKernel("bool c, T a, T b", "T y", "y = c ? a : b", "where")

    def run(self, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
        """As in the interface. CuPy's own functions ask for a new array by leaving `out` away."""
        try:
            if out is ... and isinstance(kernel, self.xp.ufunc):
                return kernel(*inputs)
            return kernel(*inputs, out=out)
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def adds_in_any_order(self, kernel: Kernel) -> bool:
        """Values that share a place are added as the threads come to it."""
        return bool(kernel == self._scatter_add)

    def ufunc(self, name: str) -> Kernel | None:
        """As the interface's, but products are ours: CuPy's cannot be captured."""
        kernel = super().ufunc(name)
        if name == "matmul":
            return self._matmul
        return kernel if isinstance(kernel, self.xp.ufunc) else None

    def repeater(self, calls: Sequence[Call]) -> Callable[[], None]:
        """Launches one CUDA graph, or repeats kernel by kernel where the calls make none."""
        calls = self.fused(calls)
        try:
            return as_graph(self.xp, calls, super().repeater(calls))
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def fused(self, calls: Sequence[Call]) -> list[Call]:
        """The same calls, of which some are one kernel together."""
        return Fusing(self)(calls)

    def why_not_compiled(self) -> str | None:
        return None

    def compiler(self) -> str:
        facts = self.device_info()
        return (
            f"NVRTC of CUDA {facts['cuda_runtime']}, CuPy {facts['cupy']}, for compute capability "
            f"{facts['compute_capability']}"
        )

    def compiled(self, calls: Sequence[Call], outcome: Array, networks: int) -> Any:
        """The calls as one CUDA kernel, a block of threads or a cluster of them for each network.

        Raises `NotCompiled`, which names what the kernel lacks.
        """
        from scratchnet.backends.compile import NotCompiled
        from scratchnet.backends.compile.cuda_step import KernelStep

        if self.precision not in self.compiled_precisions:
            known = " or ".join(self.compiled_precisions)
            raise NotCompiled(f"its products are in {self.precision}: must be in {known}")
        capability = self.device_info()["compute_capability"]
        if self.precision == "tf32" and float(capability) < 8:
            raise NotCompiled(f"tf32 on compute capability {capability}: must be at least 8.0")
        return KernelStep(self.xp, calls, outcome, networks, self.precision)

    def in_primitives(self) -> AbstractContextManager[None]:
        return in_primitives()

    # Movement between the host and the device.

    def asarray(self, values: Any, dtype: Any = None) -> Array:
        check_precise_dtype(self.precision, dtype)
        try:
            if isinstance(values, Real) and dtype is not None:
                # A kernel that writes the number: a copy from the host would wait for the device.
                return self.xp.full((), values, dtype)
            return super().asarray(values, dtype)
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def to_numpy(self, array: Array) -> Any:
        return self.xp.asnumpy(array)

    def address(self, array: Array) -> int:
        return int(array.data.ptr)

    def shares_memory(self, a: Array, b: Array) -> bool:
        """NumPy's answer for arrays that lie at the same addresses, of which it reads nothing."""
        one, other = (np.asarray(Place(self.address(each), each)) for each in (a, b))
        return np.shares_memory(one, other)

    def synchronize(self) -> None:
        """Of the current stream: to wait for the device ends what another thread captures."""
        self.xp.cuda.get_current_stream().synchronize()

    def timer(self) -> Timer:
        return DeviceTimer(self.xp)

    def device_info(self) -> dict[str, str | int | float]:
        """The GPU, its memory, its compute capability, and the versions of what drives it."""
        runtime = self.xp.cuda.runtime
        properties = runtime.getDeviceProperties(self.xp.cuda.Device().id)
        return {
            "backend": self.name,
            "device": properties["name"].decode(),
            "memory_gib": round(properties["totalGlobalMem"] / 2**30, 1),
            "compute_capability": f"{properties['major']}.{properties['minor']}",
            "cupy": self.xp.__version__,
            "cuda_runtime": cuda_version(runtime.runtimeGetVersion()),
            "cuda_driver": cuda_version(runtime.driverGetVersion()),
            "numpy": np.__version__,
            "precision": self.precision,
        }

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._allocated(self.xp.empty, shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Array:
        check_precise_dtype(self.precision, dtype)
        return self._allocated(self.xp.zeros, shape, dtype)

    def ones(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._allocated(self.xp.ones, shape, dtype)

    def _allocated(self, make: Callable[..., Array], shape: tuple[int, ...], dtype: Any) -> Array:
        """A new array. Raises the backend's own error where memory is full."""
        try:
            return make(shape, dtype)
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def _out_of_memory(self, error: MemoryError) -> DeviceMemoryError:
        """CuPy's message says how much was asked for, and how much it holds."""
        free, total = self.xp.cuda.runtime.memGetInfo()
        said = str(error).splitlines()[0]
        return DeviceMemoryError(
            f"the GPU's memory is full: {said}; the device has {free / 2**30:.1f} GiB free of "
            f"{total / 2**30:.1f}. Take smaller batches, ensembles or networks"
        )

    # Primitives for which CuPy differs from NumPy.

    def _sum(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.sum(x, axis=axis, keepdims=keepdims, out=None if out is ... else out)

    def _max(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.max(x, axis=axis, keepdims=keepdims, out=None if out is ... else out)

    def _min(self, x: Array, axis: Axis, keepdims: bool, out: Out) -> Array:
        return self.xp.min(x, axis=axis, keepdims=keepdims, out=None if out is ... else out)

    def _concatenate(self, axis: int, *parts: Array, out: Out) -> Array:
        """Part by part: CuPy would send a table of the parts' addresses from the host."""
        axis = np.lib.array_utils.normalize_axis_index(axis, parts[0].ndim)
        around = {(part.shape[:axis], part.shape[axis + 1 :]) for part in parts}
        if len(around) > 1:
            raise ValueError("all axes but the one along which the parts are joined must agree")
        if out is ...:
            ((before, after),) = around
            length = sum(part.shape[axis] for part in parts)
            out = self.empty((*before, length, *after), parts[0].dtype)
        start = 0
        for part in parts:
            stop = start + part.shape[axis]
            out[(slice(None),) * axis + (slice(start, stop),)] = part
            start = stop
        return out

    def take(self, x: Array, index: Any, out: Out = ...) -> Array:
        refuse_outside(x.shape, index, self.xp.ndarray)
        return super().take(x, self._on_device(index), out=out)

    def _take(self, x: Array, index: Any, out: Out) -> Array:
        """Rows by a kernel; CuPy's indexing makes an array of its own, which is then copied."""
        if not self._has_rows_of_words(x, index):
            return super()._take(x, index, out)
        return self._take_rows(x, index, False, (*index.shape, *x.shape[1:]), out)

    @by_own_kernel
    def take_of_each(self, x: Array, index: Array) -> Array:
        if not self._has_rows_of_words(x, index) or x.ndim < 2 or index.shape[:1] != x.shape[:1]:
            return super().take_of_each(x, index)
        return self.run(self._take_of_each, x, index, out=...)

    def _take_of_each(self, x: Array, index: Array, out: Out) -> Array:
        return self._take_rows(x, index, True, (*index.shape, *x.shape[2:]), out)

    def _has_rows_of_words(self, x: Array, index: Any) -> bool:
        """Whether the kernel that copies rows in words of 4 bytes can take these rows."""
        return bool(
            isinstance(index, self.xp.ndarray)
            and index.dtype == np.int64
            and index.ndim > 0 < x.ndim
            and x.size
            and x.itemsize % 4 == 0
            and x.flags.c_contiguous
        )

    def _take_rows(
        self, x: Array, index: Array, of_each: bool, shape: tuple[int, ...], out: Out
    ) -> Array:
        """x[index], or x[i, index[i]] for each network i, by that kernel."""
        target = self._target(out, shape, x.dtype)
        words = math.prod(shape[index.ndim :]) * x.itemsize // 4
        of_network = index.size // max(1, len(index)) if of_each else 1
        self._kernels["float32"].launch(
            "take_rows",
            index.size * words,
            *(as_words(x), self._dense(index), as_words(target), words, x.shape[of_each]),
            *(of_network, of_each, index.size * words),
        )
        return self._delivered(target, out)

    @elementwise
    def _where(self, condition: Array, a: Array, b: Array, out: Out) -> Array:
        """By one kernel: CuPy's `where` makes an array of its own, which is then copied."""
        dtypes = {each.dtype for each in (a, b) if isinstance(each, self.xp.ndarray)}
        if (
            condition.dtype != bool
            or len(dtypes) != 1
            or (out is not ... and {out.dtype} != dtypes)
        ):
            return super()._where(condition, a, b, out)
        return self._choose(condition, a, b, *(() if out is ... else (out,)))

    def scatter_add(
        self, values: Array, index: Any, shape: tuple[int, ...], out: Out = ...
    ) -> Array:
        """As the interface's; of three or more values at one place the order of adding varies."""
        refuse_outside(shape, index, self.xp.ndarray)
        return super().scatter_add(values, self._on_device(index), shape, out=out)

    def _on_device(self, index: Any) -> Any:
        """An index with its lists and host arrays moved: a kernel that is captured cannot do it.

        Booleans become the places where they are true, which only the host can count beforehand.
        """
        moved: list[Any] = []
        for each in index if isinstance(index, tuple) else (index,):
            # By `type`: an array of a step that is being recorded is on the device already.
            if not issubclass(type(each), (list, range, np.ndarray)):
                moved.append(each)
                continue
            host = np.asarray(
                each, np.intp if not isinstance(each, np.ndarray) and not each else None
            )
            places = np.nonzero(host) if host.dtype == bool and host.ndim else (host,)
            moved += [self.xp.asarray(place) for place in places]
        return tuple(moved) if isinstance(index, tuple) or len(moved) > 1 else moved[0]

    # Matrix products.

    def matmul(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self._matmul, a, b, out=out)

    def _matmul(self, a: Array, b: Array, out: Out) -> Array:
        """a b by the kernel for small products, by cuBLAS, or by CuPy for what neither takes."""
        if self.precision != "fp32":
            check_operands(self.precision, a, b)
        if min(a.ndim, b.ndim) < 2 or a.dtype != b.dtype or str(a.dtype) not in REALS:
            return self._written(self.xp.matmul(a, b), out)
        shape = product_shape(a.shape, b.shape)
        out = self.empty(shape, a.dtype) if out is ... else out
        if a.shape[-1] == 0:
            out.fill(0)
        elif out.size:
            if out.dtype != a.dtype or not is_writable(layout_of(out), shape[:-2]):
                return self._written(self._matmul(a, b, ...), out)
            if self.is_small_product(a, b, out):
                return self.affine_kernel(a, b, None, False, out)
            self._multiply(a, b, out)
        return out

    def is_small_product(self, a: Array, b: Array, out: Array) -> bool:
        """Whether the product takes a GPU less time than it takes to start a second kernel.

        One that is started anyway can add the bias and take the ReLU.
        """
        return (
            self.precision == "fp32"
            and a.ndim in (2, 3)
            and b.ndim in (2, 3)
            and out.size <= SMALL_PRODUCT
            and a.shape[-1] <= SMALL_SUM
            and a.dtype == b.dtype == out.dtype
            and out.flags.c_contiguous
            and b.strides[-1] == b.itemsize
            and min(*a.strides, *b.strides) >= 0
        )

    def affine_kernel(
        self, a: Array, b: Array, bias: Array | None, relu: bool, out: Array
    ) -> Array:
        """out = a b, or a b + bias, or max(0, a b + bias), of a small product."""
        left, right = layout_of(a).strides, layout_of(b).strides
        rows, columns = out.shape[-2:]
        networks, groups = math.prod(out.shape[:-2]), -(-rows // ROWS_AT_ONCE)
        bias_step = 0 if bias is None else self._row_step(bias, out.shape)
        threads = networks * groups * columns
        self._kernels[str(out.dtype)].launch(
            "small_product",
            threads,
            *(a, b, b if bias is None else bias, bias is not None, relu, out),
            *(rows, a.shape[-1], columns),
            *(left[0] if a.ndim == 3 and len(a) > 1 else 0, *left[-2:]),
            *(right[0] if b.ndim == 3 and len(b) > 1 else 0, right[-2]),
            *(bias_step, threads),
        )
        return out

    def _multiply(self, a: Array, b: Array, out: Array) -> None:
        """out = a b, none of them empty; an operand that cuBLAS cannot read is copied.

        What is read twice in a training step is converted twice: to keep the 16 bits would take a
        rule for when they are stale.
        """
        batch = out.shape[:-2]
        a, b = (
            each
            if is_usable(layout_of(each), batch)
            else self.xp.ascontiguousarray(
                each if each.ndim == 2 else self.xp.broadcast_to(each, batch + each.shape[-2:])
            )
            for each in (a, b)
        )
        if self.precision in ("fp16", "bf16"):
            a, b = self._in_16_bits(a), self._in_16_bits(b)
        operands = OPERANDS["float64" if out.dtype == np.float64 else self.precision]
        gemm = gemm_arguments(layout_of(a), layout_of(b), layout_of(out))
        self._cublas.multiply(gemm, a, b, out, operands)

    def _in_16_bits(self, x: Array) -> Array:
        """x as fp16 or bf16 numbers, in an array of whole numbers of 16 bits without gaps.

        A transposed view stays one.
        """
        by_columns, leading = matrix_layout(layout_of(x)) or (False, 0)
        if by_columns:
            return self._in_16_bits(x.swapaxes(-1, -2)).swapaxes(-1, -2)
        *batch, rows, columns = x.shape
        step = batch_step(layout_of(x), tuple(batch)) or 0
        y = self.empty(x.shape, np.uint16)
        self._kernels["float32"].launch(
            "to_16_bits",
            x.size,
            x,
            rows,
            columns,
            leading,
            step,
            self.precision == "bf16",
            y,
            x.size,
        )
        return y


class Place:
    """Tells NumPy where an array lies; for questions about addresses alone."""

    def __init__(self, address: int, array: Array) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (address, True),
            "typestr": array.dtype.str,
            "shape": array.shape,
            "strides": array.strides,
        }


class DeviceTimer(Timer):
    """Seconds between two events on the current stream, measured by the device.

    The first is waited for: what was begun before would hide the time that the host takes.
    """

    def __init__(self, xp: Any) -> None:
        self._cuda = xp.cuda

    def __enter__(self) -> Timer:
        self._first = self._cuda.Event()
        self._first.record()
        self._first.synchronize()
        return self

    def __exit__(self, *_: object) -> None:
        last = self._cuda.Event()
        last.record()
        last.synchronize()
        self.seconds = self._cuda.get_elapsed_time(self._first, last) / 1000


def cuda_version(number: int) -> str:
    """13020 -> 13.2"""
    return f"{number // 1000}.{number % 1000 // 10}"

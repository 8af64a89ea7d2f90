"""CuPy on an NVIDIA GPU: the primitives by CuPy, products by cuBLAS, fused steps by our kernels.

Every call below only puts work on CuPy's current stream and returns; the host waits in `to_numpy`,
`synchronize` and at the end of a timer's block. CuPy is imported when a backend is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from scratchnet.backends.cublas import (
    OPERANDS,
    Cublas,
    Layout,
    batch_step,
    gemm_arguments,
    is_usable,
    is_writable,
    layout_of,
    matrix_layout,
    product_shape,
)
from scratchnet.backends.cuda_graph import as_graph
from scratchnet.backends.cuda_kernels import REALS, Kernels
from scratchnet.backends.errors import DeviceMemoryError
from scratchnet.backends.interface import Array, Axis, Backend, Call, Kernel, Out, Timer
from scratchnet.backends.rounding import check_operands, check_precise_dtype

Function = TypeVar("Function", bound=Callable[..., Any])


def elementwise(kernel: Function) -> Function:
    """Mark a kernel each of whose outputs depends only on the inputs at its place."""
    kernel.is_elementwise = True  # type: ignore[attr-defined]
    return kernel


class CupyBackend(Backend):
    """CuPy arrays on the current device."""

    name = "cupy"

    def __init__(self, precision: str = "fp32") -> None:
        import cupy

        self.xp = cupy
        self.precision = precision
        self._cublas = Cublas(cupy)
        self._kernels = {dtype: Kernels(cupy, dtype) for dtype in REALS}

    def run(self, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
        """As in the interface. CuPy's own functions ask for a new array by leaving `out` away."""
        try:
            if out is ... and isinstance(kernel, self.xp.ufunc):
                return kernel(*inputs)
            return kernel(*inputs, out=out)
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def repeater(self, calls: Sequence[Call]) -> Callable[[], None]:
        """Launches one CUDA graph, or repeats kernel by kernel where the calls make none."""
        calls = self._with_bias_relu(calls)
        try:
            return as_graph(self.xp, calls, super().repeater(calls))
        except MemoryError as error:
            raise self._out_of_memory(error) from None

    def _with_bias_relu(self, calls: Sequence[Call]) -> list[Call]:
        """Each addition of a bias, with the ReLU that is written onto its sum, as one kernel."""
        fused: list[Call] = []
        for call in calls:
            if fused and self._makes_bias_relu(fused[-1], call):
                fused[-1] = fused[-1]._replace(kernel=self._bias_relu)
            else:
                fused.append(call)
        return fused

    def _makes_bias_relu(self, first: Call, second: Call) -> bool:
        if first.kernel is not self.xp.add or second.kernel is not self.xp.maximum:
            return False
        (y, bias), (sums, zero) = first.inputs, second.inputs
        return (
            all(
                isinstance(each, self.xp.ndarray) and each.dtype == first.out.dtype
                for each in (y, bias, sums)
            )
            and isinstance(zero, float)
            and zero == 0
            and self._has_kernel(y)
            and y.flags.c_contiguous
            and all(
                self.address(each) == self.address(y) and each.shape == y.shape
                for each in (first.out, sums, second.out)
            )
            and bias_step(layout_of(bias), y.shape) is not None
        )

    @elementwise
    def _bias_relu(self, y: Array, bias: Array, out: Array) -> Array:
        """max(0, y + b), written onto y."""
        *_, rows, d = y.shape
        step = bias_step(layout_of(bias), y.shape)
        self._kernels[str(y.dtype)].launch("bias_relu", y.size, y, bias, step, rows * d, d, y.size)
        return out

    def is_elementwise(self, kernel: Kernel) -> bool:
        return hasattr(kernel, "is_elementwise") or super().is_elementwise(kernel)

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
        self.xp.cuda.Device().synchronize()

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
            f"{total / 2**30:.1f}. Accepted are smaller batches, ensembles or networks"
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
        return super().take(x, self._on_device(index), out=out)

    def scatter_add(
        self, values: Array, index: Any, shape: tuple[int, ...], out: Out = ...
    ) -> Array:
        return super().scatter_add(values, self._on_device(index), shape, out=out)

    def _on_device(self, index: Any) -> Any:
        """An index with its lists and host arrays moved: a kernel that is captured cannot do it."""
        if isinstance(index, tuple):
            return tuple([self._on_device(each) for each in index])
        if not isinstance(index, (list, np.ndarray)):
            return index
        host = np.asarray(index)
        return self.xp.asarray(host if host.size else host.astype(np.intp))

    # Matrix products.

    def matmul(self, a: Array, b: Array, out: Out = ...) -> Array:
        return self.run(self._matmul, a, b, out=out)

    def _matmul(self, a: Array, b: Array, out: Out) -> Array:
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
            self._multiply(a, b, out)
        return out

    def _multiply(self, a: Array, b: Array, out: Array) -> None:
        """out = a b where cuBLAS can read, or gets a copy that it can read, and is not asked for 0.

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

    # Fused steps, each as one kernel. Operands that broadcast in a way that a kernel does not know
    # take the way of the interface.

    def relu_backward(self, dy: Array, y: Array) -> Array:
        if dy.shape != y.shape or not self._has_kernel(dy, y):
            return super().relu_backward(dy, y)
        return self.run(self._relu_backward, dy, y, out=...)

    @elementwise
    def _relu_backward(self, dy: Array, y: Array, out: Out) -> Array:
        target = self._target(out, y.shape, y.dtype)
        self._kernels[str(y.dtype)].launch(
            "relu_backward", y.size, self._dense(dy), self._dense(y), target, y.size
        )
        return self._delivered(target, out)

    def softmax(self, x: Array, axis: int) -> Array:
        if axis not in (-1, x.ndim - 1) or not x.ndim or not self._has_kernel(x):
            return super().softmax(x, axis)
        return self.run(self._softmax, x, False, out=...)

    def log_softmax(self, x: Array, axis: int) -> Array:
        if axis not in (-1, x.ndim - 1) or not x.ndim or not self._has_kernel(x):
            return super().log_softmax(x, axis)
        return self.run(self._softmax, x, True, out=...)

    def _softmax(self, x: Array, take_log: bool, out: Out) -> Array:
        target = self._target(out, x.shape, x.dtype)
        rows = x.size // max(1, x.shape[-1])
        self._kernels[str(x.dtype)].launch(
            "softmax", 32 * rows * bool(x.size), self._dense(x), target, take_log, rows, x.shape[-1]
        )
        return self._delivered(target, out)

    def binary_cross_entropy(self, logits: Array, targets: Array) -> tuple[Array, Array]:
        shared = targets.shape == logits.shape[logits.ndim - targets.ndim :]
        if not shared or not self._has_kernel(logits, targets):
            return super().binary_cross_entropy(logits, targets)
        both = self.run(self._binary_cross_entropy, logits, targets, out=...)
        return both[0], both[1]

    def _binary_cross_entropy(self, logits: Array, targets: Array, out: Out) -> Array:
        """The losses and their derivatives in one array (2, ...)."""
        target = self._target(out, (2, *logits.shape), logits.dtype)
        self._kernels[str(logits.dtype)].launch(
            "binary_cross_entropy",
            logits.size,
            *(self._dense(logits), self._dense(targets), targets.size, target, logits.size),
        )
        return self._delivered(target, out)

    def sgd_step(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array | None,
        scratch: Array,
        learning_rate: Array,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> None:
        self._also_written(velocity)
        rules = (velocity is not None, nesterov, float(momentum), float(weight_decay))
        self.run(
            self._sgd_step,
            *(parameters, gradients, parameters if velocity is None else velocity),
            *(learning_rate, *rules),
            out=parameters,
        )

    def _sgd_step(self, parameters: Array, *arguments: Any, out: Out) -> Array:
        return self._update("sgd_step", parameters, arguments, out)

    def adam_step(
        self,
        parameters: Array,
        gradients: Array,
        first_moment: Array,
        second_moment: Array,
        scratch: Array,
        learning_rate: Array,
        bias_corrections: tuple[Array, Array],
        betas: tuple[float, float],
        epsilon: float,
        weight_decay: float,
        decoupled: bool,
    ) -> None:
        self._also_written(first_moment, second_moment)
        self.run(
            self._adam_step,
            *(parameters, gradients, first_moment, second_moment),
            *(learning_rate, *bias_corrections),
            *(float(betas[0]), float(betas[1]), float(epsilon), float(weight_decay), decoupled),
            out=parameters,
        )

    def _adam_step(self, parameters: Array, *arguments: Any, out: Out) -> Array:
        return self._update("adam_step", parameters, arguments, out)

    def _update(self, name: str, parameters: Array, arguments: Sequence[Any], out: Array) -> Array:
        """A step that writes onto its arrays, all of them contiguous buffers of one size."""
        size = parameters.size
        self._kernels[str(parameters.dtype)].launch(name, size, parameters, *arguments, size)
        return out

    def _also_written(self, *arrays: Array | None) -> None:
        """Let a recorder know that the next kernel writes these too, besides its `out`."""
        for array in arrays:
            if array is not None:
                self.run(unchanged, out=array)

    def random_bits(self, counters: Array, keys: Array) -> Array:
        if not follows_networks(counters, keys):
            return super().random_bits(counters, keys)
        return self.run(self._random_bits, counters, keys, out=...)

    @elementwise
    def _random_bits(self, counters: Array, keys: Array, out: Out) -> Array:
        target = self._target(out, counters.shape, counters.dtype)
        of_each = counters.size // keys.size
        self._kernels["float32"].launch(
            "random_bits",
            counters.size,
            *(self._dense(counters), self._dense(keys), of_each, target, counters.size),
        )
        return self._delivered(target, out)

    def dropout_mask(self, counters: Array, keys: Array, rate: float, dtype: Any) -> Array:
        if not follows_networks(counters, keys) or str(dtype) not in REALS:
            return super().dropout_mask(counters, keys, rate, dtype)
        return self.run(self._dropout_mask, counters, keys, float(rate), str(dtype), out=...)

    def _dropout_mask(
        self, counters: Array, keys: Array, rate: float, dtype: str, out: Out
    ) -> Array:
        target = self._target(out, counters.shape, dtype)
        of_each = counters.size // keys.size
        self._kernels[dtype].launch(
            "dropout_mask",
            counters.size,
            *(self._dense(counters), self._dense(keys), of_each),
            *(round(rate * 2.0**32), 1 / (1 - rate), target, counters.size),
        )
        return self._delivered(target, out)

    # What the kernels need: operands of one float dtype, without gaps.

    def _has_kernel(self, *arrays: Array) -> bool:
        return str(arrays[0].dtype) in REALS and all(x.dtype == arrays[0].dtype for x in arrays)

    def _dense(self, x: Array) -> Array:
        return self.xp.ascontiguousarray(x) if x.ndim else x

    def _target(self, out: Out, shape: tuple[int, ...], dtype: Any) -> Array:
        """`out` where a kernel can write to it, else a new array."""
        fits = out is not ... and out.flags.c_contiguous and out.dtype == dtype
        return out if fits else self.empty(shape, dtype)

    def _delivered(self, target: Array, out: Out) -> Array:
        """`target`, or its numbers in an `out` that the kernel could not write to."""
        return target if target is out else self._written(target, out)


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
    """Seconds between two events on the current stream, measured by the device."""

    def __init__(self, xp: Any) -> None:
        self._cuda = xp.cuda

    def __enter__(self) -> Timer:
        self._first = self._cuda.Event()
        self._first.record()
        return self

    def __exit__(self, *_: object) -> None:
        last = self._cuda.Event()
        last.record()
        last.synchronize()
        self.seconds = self._cuda.get_elapsed_time(self._first, last) / 1000


def bias_step(bias: Layout, y: tuple[int, ...]) -> int | None:
    """Entries from one network's bias to the next one's, 0 for a bias that all share.

    y (N, d) or (E, N, d) and a bias (d,) or (E, 1, d); None for anything else.
    """
    if len(y) < 2 or not bias.shape or bias.shape[-1] != y[-1] or bias.strides[-1] != 1:
        return None
    if len(bias.shape) == 1:
        return 0
    return bias.strides[0] if len(y) == 3 and bias.shape == (y[0], 1, y[2]) else None


def unchanged(out: Array) -> Array:
    """The kernel that does nothing."""
    return out


def follows_networks(counters: Array, keys: Array) -> bool:
    """Whether there is one key for all counters, or one for each entry of their first axis."""
    one = keys.size == 1 and keys.ndim <= counters.ndim
    of_each = counters.ndim > 0 and keys.shape == (len(counters), *[1] * (counters.ndim - 1))
    return bool(counters.size) and (one or of_each)


def cuda_version(number: int) -> str:
    """13020 -> 13.2"""
    return f"{number // 1000}.{number % 1000 // 10}"

"""Sums over the points on CUDA, and what is built around them: a kernel of `cuda_sums.py` each."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from scratchnet.backends.cublas import OPERANDS, gemm_arguments, layout_of
from scratchnet.backends.cupy_arrays import KernelArrays, by_own_kernel, elementwise
from scratchnet.backends.interface import Array, Out

MOST_ROWS = 8192
"""Beyond it one block for 32 columns would keep too little of the GPU busy."""

MOST_NUMBERS = 2**16
"""As `MOST_ROWS`, of the sum of all numbers of a network."""

WIDTH = 32


class Sums(KernelArrays):
    """The part of the CUDA backend that sums over points, samples and whole batches."""

    _cublas: Any
    _ones: dict[tuple[int, str], Array]

    @by_own_kernel
    def sum_rows(self, x: Array, out: Out = ...) -> Array:
        """As the interface's: by a kernel, or, of many rows, by cuBLAS as a product with ones.

        Unlike CuPy's sum it adds in the same order wherever the sums are written.
        """
        if x.ndim not in (2, 3) or not x.size or not self._has_kernel(x):
            return super().sum_rows(x, out)
        return self.run(self._sum_rows, x, out=out)

    def _sum_rows(self, x: Array, out: Out) -> Array:
        """The sums over axis -2, in one kernel or as a row of ones times x."""
        target = self._row_target(out, (*x.shape[:-2], x.shape[-1]), x.dtype)
        x = self._dense(x)
        if self.sums_in_one_kernel(x):
            self._launch_sums("sum_rows", x, x, target, layout_of(target).strides[0])
        else:
            ones = self._row_of_ones(x.shape[-2], str(x.dtype))
            sums = target.reshape(*target.shape[:-1], 1, target.shape[-1])
            gemm = gemm_arguments(*map(layout_of, (ones, x, sums)))
            operands = OPERANDS["float64" if x.dtype == "float64" else "fp32"]
            self._cublas.multiply(gemm, ones, x, sums, operands)
        return self._delivered(target, out)

    def sums_in_one_kernel(self, x: Array) -> bool:
        return bool(x.shape[-2] <= MOST_ROWS)

    def _row_target(self, out: Out, shape: tuple[int, ...], dtype: Any) -> Array:
        """As `_target`; gaps between the networks' rows, as in a model's buffer, are no matter."""
        fits = out is not ... and out.dtype == dtype and out.shape == shape
        fits = fits and (out.flags.c_contiguous or self._has_rows(out))
        return out if fits else self.empty(shape, dtype)

    def _has_rows(self, sums: Array) -> bool:
        is_dense = sums.ndim == 2 and (sums.strides[1] == sums.itemsize or sums.shape[1] == 1)
        return bool(is_dense and sums.strides[0] > 0)

    def _row_of_ones(self, length: int, dtype: str) -> Array:
        """A row of ones, kept for all sums of that length."""
        if (length, dtype) not in self._ones:
            ones = self.ones((1, length), dtype)
            self.synchronize()  # another thread's stream may read them from here on
            self._ones[length, dtype] = ones
        return self._ones[length, dtype]

    def _launch_sums(self, name: str, x: Array, *arguments: Any) -> None:
        """A kernel with a task for every few columns of x (N, d) or (E, N, d)."""
        rows, d = x.shape[-2:]
        networks = math.prod(x.shape[:-2])
        width = min(WIDTH, 1 << (d - 1).bit_length())
        tasks = networks * -(-d // width)
        self._kernels[str(x.dtype)].launch_sums(name, tasks, *arguments, networks, rows, d, width)

    def relu_backward_sums(self, dy: Array, y: Array, dx: Array, out: Array) -> Array:
        """relu_backward into dx, and its sum_rows; see `cuda_fusing.py`."""
        step = layout_of(out).strides[0]
        self._launch_sums("relu_backward_sums", y, dy, y, dx, out, step)
        return out

    def times_slope_sums(self, dy: Array, slope: Array, dx: Array, out: Array) -> Array:
        """times_slope into dx, and its sum_rows."""
        step = layout_of(out).strides[0]
        self._launch_sums("times_slope_sums", dy, dy, slope, dx, out, step)
        return out

    @by_own_kernel
    def scaled_sum(self, x: Array, part: Any) -> Array:
        is_small = x.ndim in (1, 2) and x.shape[-1] <= MOST_NUMBERS and self._has_kernel(x)
        if not isinstance(part, float) or not is_small:
            return super().scaled_sum(x, part)
        return self.run(self._scaled_sum, x, part, out=...)

    def _scaled_sum(self, x: Array, part: float, out: Out) -> Array:
        target = self._target(out, x.shape[:-1], x.dtype)
        networks = math.prod(x.shape[:-1])
        self._kernels[str(x.dtype)].launch_sums(
            "scaled_sums", networks, self._dense(x), target, part, networks, x.shape[-1]
        )
        return self._delivered(target, out)

    @by_own_kernel
    def times_share(self, slopes: Array, dy: Array, part: Any) -> Array:
        networks = dy.shape == slopes.shape[: dy.ndim] and dy.ndim < 2
        if not isinstance(part, float) or not networks or not self._has_kernel(slopes, dy):
            return super().times_share(slopes, dy, part)
        return self.run(self._times_share, slopes, dy, part, out=...)

    def _times_share(self, slopes: Array, dy: Array, part: float, out: Out) -> Array:
        target = self._target(out, slopes.shape, slopes.dtype)
        of_network = slopes.size // max(1, dy.size)
        arguments = (self._dense(slopes), dy, part, target, of_network, slopes.size)
        self._kernels[str(slopes.dtype)].launch("times_share", slopes.size, *arguments)
        return self._delivered(target, out)

    @by_own_kernel
    def times_slope(self, dy: Array, slope: Array) -> Array:
        """dy * slope, and 0 where dy is 0, in one kernel: of slopes of dy's shape or of a row's."""
        same = slope.shape == dy.shape and slope.flags.c_contiguous
        row = self._row_step(slope, dy.shape) is not None
        if not (same or row) or not self._has_kernel(dy, slope):
            return super().times_slope(dy, slope)
        return self.run(self._times_slope, dy, slope, out=...)

    @elementwise
    def _times_slope(self, dy: Array, slope: Array, out: Out) -> Array:
        target = self._target(out, dy.shape, dy.dtype)
        rows, d = (1, 1, *dy.shape)[-2:]
        is_row = slope.shape != dy.shape
        step = self._row_step(slope, dy.shape) if is_row else 0
        arguments = (self._dense(dy), slope, target, is_row, step, rows * d, d, dy.size)
        self._kernels[str(dy.dtype)].launch("times_slope", dy.size, *arguments)
        return self._delivered(target, out)

    # Batch normalisation.

    @by_own_kernel
    def standardize(self, x: Array, epsilon: Any) -> tuple[Array, Array, Array, Array]:
        """y = (x - m) / s, and the rows m, v and s = sqrt(v + epsilon), in one kernel."""
        if not self._is_normalized_here(x, epsilon):
            return super().standardize(x, epsilon)
        packed = self.run(self._standardize, x, epsilon, out=...)
        *lead, _, d = x.shape
        rows = packed[x.size :].reshape(3, *lead, 1, d)
        return packed[: x.size].reshape(x.shape), rows[0], rows[1], rows[2]

    def _is_normalized_here(self, x: Array, epsilon: Any) -> bool:
        """Whether the kernel that standardises a batch takes x and epsilon."""
        return (
            isinstance(epsilon, self.xp.ndarray)
            and x.ndim in (2, 3)
            and 0 < x.shape[-2] <= MOST_ROWS
            and self._has_kernel(x, epsilon)
            and (epsilon.ndim == 0 or epsilon.shape == (*x.shape[:-2], 1, 1) and x.ndim == 3)
        )

    def _standardize(self, x: Array, epsilon: Array, out: Out) -> Array:
        """y, and the rows of means, variances and scales, one behind the other."""
        rows = 3 * x.size // x.shape[-2]
        target = self._target(out, (x.size + rows,), x.dtype)
        arguments = (self._dense(x), epsilon, epsilon.ndim > 0, 1.0 / x.shape[-2], target)
        self._launch_sums("standardize", x, *arguments)
        return self._delivered(target, out)

    @by_own_kernel
    def standardize_backward(self, dy: Array, y: Array, scale: Array) -> Array:
        known = scale.shape == (*y.shape[:-2], 1, y.shape[-1]) and dy.shape == y.shape
        if not known or y.ndim not in (2, 3) or y.shape[-2] > MOST_ROWS:
            return super().standardize_backward(dy, y, scale)
        return self.run(self._standardize_backward, dy, y, scale, out=...)

    def _standardize_backward(self, dy: Array, y: Array, scale: Array, out: Out) -> Array:
        target = self._target(out, y.shape, y.dtype)
        arguments = (self._dense(dy), self._dense(y), self._dense(scale), 1.0 / y.shape[-2])
        self._launch_sums("standardize_backward", y, *arguments, target)
        return self._delivered(target, out)

    @by_own_kernel
    def update_averages(
        self,
        running: tuple[Array, Array],
        batch: tuple[Array, Array],
        correction: Any,
        momentum: Array,
        rest: Array,
    ) -> None:
        """running <- rest * running + momentum * batch, of means and variances, in one kernel.

        The variances of the batch are first multiplied by the correction.
        """
        means, variances = running
        has_kernel = isinstance(correction, Real) and self._has_kernel(means, momentum, rest)
        if means.size != batch[0].size or not has_kernel:
            return super().update_averages(running, batch, correction, momentum, rest)
        self._also_written(variances)
        arguments = (*running, *batch, correction, momentum, rest)
        self.run(self._update_averages, *arguments, out=means)

    def _update_averages(
        self,
        means: Array,
        variances: Array,
        mean: Array,
        variance: Array,
        correction: float,
        momentum: Array,
        rest: Array,
        out: Out,
    ) -> Array:
        several = (momentum.ndim > 0) + 2 * (rest.ndim > 0)
        of_batch = self._dense(mean), self._dense(variance)
        d, n = means.shape[-1], means.size
        arguments = (means, variances, *of_batch, correction, momentum, rest, several, d, n)
        self._kernels[str(means.dtype)].launch("running_averages", n, *arguments)
        return out

"""The fused steps on CUDA: one kernel of `cuda_kernels.py` each, where the interface has several.

Operands that broadcast in a way that a kernel does not know take the interface's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends.cupy_arrays import by_own_kernel, elementwise
from scratchnet.backends.cupy_sums import Sums
from scratchnet.backends.interface import Array, Kernel, Out


class FusedSteps(Sums):
    """The part of the CUDA backend that runs our own kernels, of which it has some per dtype."""

    def is_elementwise(self, kernel: Kernel) -> bool:
        return hasattr(kernel, "is_elementwise") or super().is_elementwise(kernel)

    @by_own_kernel
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

    @by_own_kernel
    def softmax(self, x: Array, axis: int) -> Array:
        if axis not in (-1, x.ndim - 1) or not x.ndim or not self._has_kernel(x):
            return super().softmax(x, axis)
        return self.run(self._softmax, x, False, out=...)

    @by_own_kernel
    def log_softmax(self, x: Array, axis: int) -> Array:
        if axis not in (-1, x.ndim - 1) or not x.ndim or not self._has_kernel(x):
            return super().log_softmax(x, axis)
        return self.run(self._softmax, x, True, out=...)

    def _softmax(self, x: Array, take_log: bool, out: Out) -> Array:
        """The softmax of each row, or its logarithm."""
        target = self._target(out, x.shape, x.dtype)
        rows = x.size // max(1, x.shape[-1])
        self._kernels[str(x.dtype)].launch(
            "softmax", 32 * rows * bool(x.size), self._dense(x), target, take_log, rows, x.shape[-1]
        )
        return self._delivered(target, out)

    @by_own_kernel
    def binary_cross_entropy(self, logits: Array, targets: Array) -> tuple[Array, Array]:
        """As the interface's, loss and derivative by one kernel."""
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

    @by_own_kernel
    def softmax_cross_entropy(
        self, logits: Array, labels: Array, smoothing: float
    ) -> tuple[Array, Array]:
        """As the interface's, both by one kernel."""
        if labels.dtype != "int64" or not self._has_kernel(logits):
            return super().softmax_cross_entropy(logits, labels, smoothing)
        both = self.run(self._softmax_cross_entropy, logits, labels, smoothing, out=...)
        return both[0], both[1]

    def _softmax_cross_entropy(
        self, logits: Array, labels: Array, smoothing: float, out: Out
    ) -> Array:
        """The terms and their derivatives in one array (2, ...)."""
        target = self._target(out, (2, *logits.shape), logits.dtype)
        rows = logits.size // max(1, logits.shape[-1])
        self._kernels[str(logits.dtype)].launch(
            "softmax_cross_entropy",
            32 * rows * bool(logits.size),
            *(self._dense(logits), self._dense(labels), labels.size, smoothing, target),
            *(rows, logits.shape[-1]),
        )
        return self._delivered(target, out)

    def mean_binary_cross_entropy(
        self,
        logits: Array,
        targets: Array,
        both: Array,
        part: float,
        means: Array,
        dy: Array,
        share: float,
        out: Array,
    ) -> Array:
        """The losses, their means and the means' gradient; see `cuda_fusing.py`."""
        networks = means.size
        self._kernels[str(logits.dtype)].launch_sums(
            "mean_binary_cross_entropy",
            networks,
            *(logits, targets, targets.size, both, part, means, dy, share, out),
            *(networks, logits.size // networks),
        )
        return out

    def mean_softmax_cross_entropy(
        self,
        logits: Array,
        labels: Array,
        smoothing: float,
        both: Array,
        part: float,
        means: Array,
        dy: Array,
        share: float,
        out: Array,
    ) -> Array:
        """As `mean_binary_cross_entropy`."""
        networks, d = means.size, logits.shape[-1]
        self._kernels[str(logits.dtype)].launch_sums(
            "mean_softmax_cross_entropy",
            networks,
            *(logits, labels, labels.size, smoothing, both, part, means, dy, share, out),
            *(networks, logits.size // networks // d, d),
        )
        return out

    @by_own_kernel
    def sgd_step(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array,
        scratch: Array,
        learning_rate: Array,
        momentum: Array | None,
        nesterov: bool,
        weight_decay: Array | None,
    ) -> None:
        """As the interface's, by one kernel; its numbers are read on the device."""
        numbers = (learning_rate, momentum, weight_decay)
        buffers = parameters, gradients, velocity
        if not all(map(has_dense_rows, buffers)):
            args = (parameters, gradients, velocity, scratch, learning_rate, momentum, nesterov)
            return super().sgd_step(*args, weight_decay)
        self._also_written(velocity)
        self.run(
            self._sgd_step,
            *buffers,
            *(learning_rate if each is None else each for each in numbers),
            *(momentum is not None, nesterov, weight_decay is not None),
            *of_each_network(numbers, buffers),
            out=parameters,
        )

    def _sgd_step(self, parameters: Array, *arguments: Any, out: Out) -> Array:
        return self._update("sgd_step", parameters, arguments, out)

    @by_own_kernel
    def adam_step(
        self,
        parameters: Array,
        gradients: Array,
        first_moment: Array,
        second_moment: Array,
        scratch: Array,
        learning_rate: Array,
        bias_corrections: tuple[Array, Array],
        betas: tuple[tuple[Array, Array], tuple[Array, Array]],
        epsilon: Array,
        weight_decay: Array | None,
        decoupled: bool,
    ) -> None:
        """As the interface's, by one kernel; its numbers are read on the device."""
        numbers = (learning_rate, *bias_corrections, *betas[0], *betas[1], epsilon, weight_decay)
        moments = (first_moment, second_moment)
        buffers = (parameters, gradients, *moments)
        # Once counts differ the corrections are views of long arrays, with a number for each entry.
        of_networks = all(
            correction.shape == beta.shape and correction.flags.c_contiguous
            for correction, (beta, _) in zip(bias_corrections, betas, strict=True)
        )
        if not of_networks or not all(map(has_dense_rows, buffers)):
            args = (parameters, gradients, *moments, scratch, learning_rate, bias_corrections)
            return super().adam_step(*args, betas, epsilon, weight_decay, decoupled)
        self._also_written(first_moment, second_moment)
        self.run(
            self._adam_step,
            *buffers,
            *(learning_rate if each is None else each for each in numbers),
            *(weight_decay is not None, decoupled),
            *of_each_network(numbers, buffers),
            out=parameters,
        )

    def _adam_step(self, parameters: Array, *arguments: Any, out: Out) -> Array:
        return self._update("adam_step", parameters, arguments, out)

    def _update(self, name: str, parameters: Array, arguments: Sequence[Any], out: Array) -> Array:
        """A step that writes onto its arrays, all of them of one shape."""
        size = parameters.size
        self._kernels[str(parameters.dtype)].launch(name, size, parameters, *arguments, size)
        return out

    @by_own_kernel
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

    @by_own_kernel
    def dropout_mask(self, counters: Array, keys: Array, kept_from: Array, scale: Array) -> Array:
        fits = all(follows_networks(counters, each) for each in (keys, kept_from, scale))
        if not fits or not self._has_kernel(scale):
            return super().dropout_mask(counters, keys, kept_from, scale)
        return self.run(self._dropout_mask, counters, keys, kept_from, scale, out=...)

    def _dropout_mask(
        self, counters: Array, keys: Array, kept_from: Array, scale: Array, out: Out
    ) -> Array:
        target = self._target(out, counters.shape, scale.dtype)
        self._kernels[str(scale.dtype)].launch(
            "dropout_mask",
            counters.size,
            *(self._dense(counters), self._dense(keys), counters.size // keys.size),
            *(kept_from, scale, counters.size // scale.size, target, counters.size),
        )
        return self._delivered(target, out)

    # What `cuda_fusing.py` puts together.

    @elementwise
    def scale_shift(
        self, x: Array, gain: Array | None, bias: Array, relu: bool, out: Array
    ) -> Array:
        """out = x g + b, or max(0, x g + b); without a gain g is 1."""
        *_, rows, d = out.shape
        steps = [0 if row is None else self._row_step(row, out.shape) for row in (gain, bias)]
        rows_of = (bias if gain is None else gain, bias)
        self._kernels[str(out.dtype)].launch(
            "scale_shift",
            out.size,
            *(x, *rows_of, gain is not None, relu, out, *steps, rows * d, d, out.size),
        )
        return out


def has_dense_rows(buffer: Array) -> bool:
    """Whether the entries (P,), or those of each network (E, P), follow on one another."""
    is_dense = buffer.ndim in (1, 2) and buffer.strides[-1] == buffer.itemsize
    return bool(is_dense and (buffer.ndim == 1 or buffer.strides[0] >= 0))


def of_each_network(numbers: Sequence[Array | None], buffers: Sequence[Array]) -> tuple[int, ...]:
    """Which of the numbers there is one of for each network, as bits, a network's parameters, and
    of each buffer the entries from one network to the next."""
    several = [each is not None and each.ndim > 0 for each in numbers]
    bits = sum(bit << place for place, bit in enumerate(several))
    steps = [each.strides[0] // each.itemsize if each.ndim == 2 else 0 for each in buffers]
    return bits, buffers[0].shape[-1], *steps


def follows_networks(counters: Array, keys: Array) -> bool:
    """Whether there is one key for all counters, or one for each entry of their first axis."""
    one = keys.size == 1 and keys.ndim <= counters.ndim
    of_each = counters.ndim > 0 and keys.shape == (len(counters), *[1] * (counters.ndim - 1))
    return bool(counters.size) and (one or of_each)

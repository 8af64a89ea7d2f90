"""Recorded calls that follow on one another, as one kernel of CUDA where there is one.

    y <- a b;  y <- y + bias;  y <- max(0, y)       a layer: a small product, its bias, its ReLU
    y <- x g;  y <- y + bias;  y <- max(0, y)       batch normalisation: gain, shift, the ReLU
    dx <- relu_backward(dy, y);  sums <- sum_rows(dx)      ReLU's gradient, and that of the bias
    t <- times_slope(dy, x);  sums <- sum_rows(t)          the gradient of a gain
    l, s <- loss(z, t);  m <- scaled_sum(l);  dz <- times_share(s, dm)    a loss and its gradient

Each kernel rounds as the calls do, so that not a bit changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends.interface import Array, Call

MOST_LOSSES = 2**13
"""Of a network: of more, several blocks would be faster than one kernel less."""


class Fusing:
    """Writes down a list of calls again, with fewer of them."""

    def __init__(self, backend: Any) -> None:
        self._backend, self._xp = backend, backend.xp

    def __call__(self, calls: Sequence[Call]) -> list[Call]:
        return self._with_means(self._with_sums(self._with_biases(calls)))

    # A product or a gain, a bias, and a ReLU, all written to one place.

    def _with_biases(self, calls: Sequence[Call]) -> list[Call]:
        """The calls with a product or a gain, a bias and a ReLU as one call where they meet."""
        fused: list[Call] = []
        for call in calls:
            one = self._together(fused[-1], call) if fused else None
            if one is None:
                fused.append(call)
            else:
                fused[-1] = one
        return fused

    def _together(self, first: Call, second: Call) -> Call | None:
        """Both as one call, or None."""
        if not self._is_in_place(first, second):
            return None
        k, y, operand = self._backend, second.out, second.inputs[1]
        inputs: tuple[Any, ...] = ()
        kernel = k.scale_shift
        if second.kernel is self._xp.maximum and isinstance(operand, float) and operand == 0:
            if first.kernel in (k.affine_kernel, k.scale_shift) and not first.inputs[-1]:
                kernel, inputs = first.kernel, (*first.inputs[:-1], True)
            elif first.kernel is self._xp.add and self._is_shifted(first, y):
                inputs = (first.inputs[0], None, first.inputs[1], True)
        elif second.kernel is self._xp.add and self._is_row(operand, y):
            if first.kernel == k._matmul and k.is_small_product(*first.inputs, y):
                kernel, inputs = k.affine_kernel, (*first.inputs, operand, False)
            elif first.kernel is self._xp.multiply and self._is_shifted(first, y):
                inputs = (*first.inputs, operand, False)
        return first._replace(kernel=kernel, inputs=inputs) if inputs else None

    def _is_in_place(self, first: Call, second: Call) -> bool:
        """Whether the second call changes what the first has just written, and nothing else."""
        return (
            len(second.inputs) == 2
            and isinstance(second.inputs[0], self._xp.ndarray)
            and self._backend._has_kernel(second.out)
            and second.out.ndim in (2, 3)
            and second.out.flags.c_contiguous
            and self._same(first.out, second.out)
            and self._same(second.inputs[0], second.out)
        )

    def _is_shifted(self, call: Call, y: Array) -> bool:
        """Whether it multiplies or adds a row, and something of y's shape."""
        x, row = call.inputs
        is_dense = isinstance(x, self._xp.ndarray) and x.shape == y.shape and x.flags.c_contiguous
        return bool(is_dense and x.dtype == y.dtype and self._is_row(row, y))

    def _is_row(self, row: Any, y: Array) -> bool:
        """Whether this is an array that is added to each row of y."""
        return (
            isinstance(row, self._xp.ndarray)
            and row.dtype == y.dtype
            and self._backend._row_step(row, y.shape) is not None
        )

    def _same(self, a: Array, b: Array) -> bool:
        address = self._backend.address
        return a.shape == b.shape and a.strides == b.strides and address(a) == address(b)

    # A sum over the rows of what was made before.

    def _with_sums(self, calls: Sequence[Call]) -> list[Call]:
        """The calls with a sum over rows joined to what makes the rows."""
        fused: list[Call] = []
        for call in calls:
            if call.kernel != self._backend._sum_rows or not self._join(fused, call):
                fused.append(call)
        return fused

    def _join(self, before: list[Call], summing: Call) -> bool:
        """Replace what made the array that is summed, where nothing in between forbids it."""
        k, (x,), sums = self._backend, summing.inputs, summing.out
        kernels = {k._relu_backward: k.relu_backward_sums, k._times_slope: k.times_slope_sums}
        for number in reversed(range(len(before))):
            call = before[number]
            # What was fused before writes the array that it sums, its last input, too.
            is_fused = call.kernel in kernels.values()
            written = (call.out, *call.inputs[-1:]) if is_fused else (call.out,)
            if any(k.shares_memory(each, x) for each in written):
                break
            if any(k.shares_memory(sums, each) for each in (*arrays_in(call.inputs), call.out)):
                return False
        else:
            return False
        fits = (
            call.kernel in kernels
            and self._same(call.out, x)
            and all(each.shape == x.shape and each.flags.c_contiguous for each in call.inputs)
            and x.flags.c_contiguous
            and k.sums_in_one_kernel(x)
            and (sums.flags.c_contiguous or k._has_rows(sums))
        )
        if fits:
            inputs = (*call.inputs, call.out)
            before[number] = Call(kernels[call.kernel], inputs, sums, summing.is_new)
        return fits

    # A loss, its mean over the samples, and the gradient of that mean.

    def _with_means(self, calls: Sequence[Call]) -> list[Call]:
        """The calls with a loss, its mean and the mean's gradient as one call where they meet."""
        fused: list[Call] = []
        for call in calls:
            one = self._mean_of_losses(fused[-2], fused[-1], call) if len(fused) > 1 else None
            if one is None:
                fused.append(call)
            else:
                fused[-2:] = [one]
        return fused

    def _mean_of_losses(self, loss: Call, mean: Call, share: Call) -> Call | None:
        """The three as one call, or None."""
        k = self._backend
        kernels = {
            k._binary_cross_entropy: k.mean_binary_cross_entropy,
            k._softmax_cross_entropy: k.mean_softmax_cross_entropy,
        }
        if loss.kernel not in kernels or (mean.kernel, share.kernel) != (
            k._scaled_sum,
            k._times_share,
        ):
            return None
        both, logits, dz = loss.out, loss.inputs[0], share.out
        (losses, part), (slopes, dm, other_part) = mean.inputs, share.inputs
        is_one_loss = (
            loss.is_new
            and mean.is_new
            and k.address(losses) == k.address(both)
            and losses.size == slopes.size == logits.size == both.size // 2
            and k.address(slopes) == k.address(both) + logits.nbytes
            and losses.shape[:-1] == mean.out.shape == dm.shape == logits.shape[:-2]
            and 0 < losses.shape[-1] <= MOST_LOSSES
        )
        arrays = (*loss.inputs[:2], both, mean.out, dm, dz)
        if not is_one_loss or not all(each.flags.c_contiguous for each in arrays):
            return None
        written, read = (both, mean.out, dz), (*loss.inputs[:2], dm)
        # An entry of dz may lie where that of the logits or targets was, which is read before.
        apart = all(
            not k.shares_memory(one, other) or (one is dz and self._same(one, other))
            for one in written
            for other in read
        )
        if not apart or k.shares_memory(dz, both) or k.shares_memory(dz, mean.out):
            return None
        inputs = (*loss.inputs, both, part, mean.out, dm, other_part)
        return Call(kernels[loss.kernel], inputs, dz, share.is_new)


def arrays_in(inputs: Any) -> list[Array]:
    """All arrays among the inputs of a call, also those inside a tuple."""
    if isinstance(inputs, (tuple, list)):
        return [array for each in inputs for array in arrays_in(each)]
    return [inputs] if hasattr(inputs, "strides") else []

"""What the engine asks of an array library.

The engine never imports NumPy's or CuPy's functions for its arithmetic: it holds a `Backend` and
calls the methods below. They come in three layers, simple ones first:

1. `run`, the one door through which every number inside a training step is made: see `door.py`;
2. primitives (add, matmul, sum, ...), one call of the array library each: see `primitives.py`;
3. fused steps (a loss with its gradient, an optimizer step, ...), whose bodies here are the
   mathematics in terms of primitives; a backend may replace such a body by one faster kernel.

Reshaping, transposing and slicing make views. A view holds no numbers of its own, so it is made
without `run`.
"""

from __future__ import annotations

from typing import Any

from scratchnet.backends.door import Array, Call, Kernel, Out
from scratchnet.backends.primitives import Axis, Primitives, Timer

__all__ = ["Array", "Axis", "Backend", "Call", "Kernel", "Out", "Timer"]


class Backend(Primitives):
    """An array library, with the mathematics of the fused steps in terms of its primitives."""

    def add_bias(self, y: Array, bias: Array) -> Array:
        """y + b for each row of y (N, d) or (E, N, d), written onto y; b is (d,) or (E, 1, d)."""
        return self.add(y, bias, out=y)

    def where_used(self, dy: Array, slope: Array) -> Array:
        """`slope`, but 1 where dy is 0: 0 times infinity, or 0 / 0, would be NaN."""
        return self.where(self.equal(dy, 0.0), 1.0, slope)

    def times_slope(self, dy: Array, slope: Array) -> Array:
        """dy * slope, and 0 where dy is 0, also where the slope is infinite or NaN."""
        return self.multiply(dy, self.where_used(dy, slope))

    def relu(self, x: Array) -> Array:
        """max(0, x)"""
        return self.maximum(x, 0.0)

    def relu_backward(self, dy: Array, y: Array) -> Array:
        """dy where y > 0, else 0, also where dy is infinite; y is relu(x)"""
        return self.where(self.greater(y, 0.0), dy, 0.0)

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + e^-x) as e^min(x,0) / (1 + e^-|x|): no exponent is positive, none overflows."""
        numerator = self.exp(self.minimum(x, 0.0))
        denominator = self.exp(self.negative(self.absolute(x)))
        return self.divide(numerator, self.add(denominator, 1.0, out=denominator), out=numerator)

    def softplus(self, x: Array) -> Array:
        """log(1 + e^x) as max(x, 0) + log(1 + e^-|x|)"""
        small = self.log1p(self.exp(self.negative(self.absolute(x))))
        return self.add(self.maximum(x, 0.0), small, out=small)

    def softmax(self, x: Array, axis: int) -> Array:
        """e^(x - max x) / sum e^(x - max x)"""
        y = self.exp(self.subtract(x, self.max(x, axis=axis, keepdims=True)))
        return self.divide(y, self.sum(y, axis=axis, keepdims=True), out=y)

    def log_softmax(self, x: Array, axis: int) -> Array:
        """z - log sum e^z, with z = x - max x"""
        z = self.subtract(x, self.max(x, axis=axis, keepdims=True))
        total = self.sum(self.exp(z), axis=axis, keepdims=True)
        return self.subtract(z, self.log(total, out=total), out=z)

    def binary_cross_entropy(self, logits: Array, targets: Array) -> tuple[Array, Array]:
        """The loss softplus(z) - t z of each entry, and its derivative sigmoid(z) - t.

        Softplus and sigmoid as above, with their common e^-|z| computed once.
        """
        small = self.exp(self.negative(self.absolute(logits)))
        losses = self.add(self.maximum(logits, 0.0), self.log1p(small))
        losses = self.subtract(losses, self.multiply(targets, logits), out=losses)
        slopes = self.exp(self.minimum(logits, 0.0))
        slopes = self.divide(slopes, self.add(small, 1.0, out=small), out=slopes)
        return losses, self.subtract(slopes, targets, out=slopes)

    def softmax_cross_entropy(
        self, logits: Array, labels: Array, smoothing: float
    ) -> tuple[Array, Array]:
        """The terms -q ln p of each class, p = softmax z, and the derivatives p - q of their sum.

        Logits z (..., N, classes), labels (N,) or (..., N); q = (1 - s) onehot(label) + s / classes
        with s = `smoothing`.
        """
        classes = self.xp.arange(logits.shape[-1], dtype=labels.dtype)
        q = self.equal(self.reshape(labels, (*labels.shape, 1)), classes)
        if smoothing:
            onehot = self.multiply(q, self.asarray(1 - smoothing, logits.dtype))
            q = self.add(onehot, smoothing / logits.shape[-1], out=onehot)
        log_p = self.log_softmax(logits, -1)
        losses = self.negative(self.multiply(log_p, q))
        slopes = self.exp(log_p)
        return losses, self.subtract(slopes, q, out=slopes)

    def scaled_sum(self, x: Array, part: Any) -> Array:
        """part * (sum over the last axis of x); `part` is a number, or an array like the sum."""
        return self.multiply(self.sum(x, axis=-1), part)

    def times_share(self, slopes: Array, dy: Array, part: Any) -> Array:
        """slopes * (dy * part), with dy of shape () or (E,), one for each network's slopes."""
        share = self.multiply(dy, part)
        lead = (*share.shape, *[1] * (slopes.ndim - share.ndim)) if share.ndim else ()
        return self.multiply(slopes, share.reshape(lead))

    def standardize(self, x: Array, epsilon: Any) -> tuple[Array, Array, Array, Array]:
        """y = (x - m) / s, and m, v and s:  m the mean of the rows, v that of (x - m)^2,
        s = sqrt(v + epsilon).

        x (..., N, d) -> y (..., N, d), and m, v, s (..., 1, d); `epsilon` is a number or an array.
        """
        mean = self._mean_row(x)
        centred = self.subtract(x, mean)
        variance = self._mean_row(self.square(centred))
        scale = self.sqrt(self.add(variance, epsilon))
        y = self.divide(centred, scale, out=centred if scale.ndim == centred.ndim else ...)
        return y, mean, variance, scale

    def standardize_backward(self, dy: Array, y: Array, scale: Array) -> Array:
        """(dy - mean(dy) - y mean(y dy)) / s, the means being those of the rows."""
        along_y = self.multiply(y, self._mean_row(self.multiply(dy, y)))
        centred = self.subtract(self.subtract(dy, self._mean_row(dy)), along_y)
        return self.divide(centred, scale)

    def _mean_row(self, values: Array) -> Array:
        """(..., N, d) -> (..., 1, d)"""
        rows = self.sum_rows(values)
        row = self.reshape(rows, (*rows.shape[:-1], 1, rows.shape[-1]))
        return self.multiply(row, 1.0 / values.shape[-2])

    def update_averages(
        self,
        running: tuple[Array, Array],
        batch: tuple[Array, Array],
        correction: Any,
        momentum: Array,
        rest: Array,
    ) -> None:
        """running <- rest running + momentum batch, of mean and, times `correction`, variance

        `running` are (d,) or (E, 1, d), `batch` (1, d) or (E, 1, d), the others of shape (), or
        (E, 1, 1) with one for each network; `correction` is a number, or an array of shape ().
        """
        mean, variance = batch
        for average, new in zip(running, (mean, variance), strict=True):
            if new is variance:
                new = self.multiply(variance, correction)
            self.multiply(average, rest, out=average)
            share = self.multiply(new, momentum)
            share = share.reshape(share.shape[-1:]) if average.ndim == 1 else share
            self.add(average, share, out=average)

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
        """g <- g + weight_decay p;   v <- momentum v + g;   p <- p - learning_rate v

        With Nesterov's rule the step is along g + momentum v instead of v (Sutskever et al. 2013).
        Without momentum (None, or 0 for a network) v is 0, and the step is along g. Each number is
        an array of shape (), or (E, 1) with one for each network.
        """
        direction = gradients
        if weight_decay is not None:
            direction = self._with_decay(parameters, gradients, weight_decay, scratch)
        if momentum is not None:
            self.multiply(velocity, momentum, out=velocity)
            self.add(velocity, direction, out=velocity)
            ahead = velocity
            if nesterov:
                ahead = self.multiply(velocity, momentum)
                self.add(direction, ahead, out=ahead)
            if momentum.ndim:
                moves = self.greater(momentum, 0.0)
                direction = self.where(moves, ahead, direction, out=scratch)
                self.where(moves, velocity, 0.0, out=velocity)
            else:
                direction = ahead
        self.multiply(direction, learning_rate, out=scratch)
        self.subtract(parameters, scratch, out=parameters)

    def _with_decay(
        self, parameters: Array, gradients: Array, weight_decay: Array, out: Out
    ) -> Array:
        """g + weight_decay p, and g itself for a network whose decay is 0, be p infinite or not."""
        decay = self.multiply(parameters, weight_decay, out=out)
        direction = self.add(gradients, decay, out=decay)
        if weight_decay.ndim:
            self.where(self.greater(weight_decay, 0.0), direction, gradients, out=direction)
        return direction

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
        """m <- b1 m + (1-b1) g;   v <- b2 v + (1-b2) g^2;   p <- p - lr (m/c1) / (sqrt(v/c2) + eps)

        `bias_corrections` are c1 = 1 - b1^t and c2 = 1 - b2^t, and `betas` are (b1, 1-b1) and
        (b2, 1-b2). Weight decay is added to g (Kingma and Ba 2015), or, decoupled, p shrinks by
        lr weight_decay p first (Loshchilov and Hutter 2019). Each number is an array of shape (),
        or (E, 1) with one for each network.
        """
        (b1, rest1), (b2, rest2) = betas
        each = weight_decay is not None and weight_decay.ndim
        if decoupled and weight_decay is not None:
            self.multiply(parameters, weight_decay, out=scratch)
            self.multiply(scratch, learning_rate, out=scratch)
            shrunk = self.subtract(parameters, scratch, out=scratch if each else parameters)
            if each:
                decays = self.greater(weight_decay, 0.0)
                self.where(decays, shrunk, parameters, out=parameters)
        elif weight_decay is not None:
            gradients = self._with_decay(parameters, gradients, weight_decay, ...)
        self.multiply(first_moment, b1, out=first_moment)
        self.multiply(gradients, rest1, out=scratch)
        self.add(first_moment, scratch, out=first_moment)
        self.multiply(second_moment, b2, out=second_moment)
        self.multiply(self.square(gradients, out=scratch), rest2, out=scratch)
        self.add(second_moment, scratch, out=second_moment)
        self.sqrt(self.divide(second_moment, bias_corrections[1], out=scratch), out=scratch)
        self.add(scratch, epsilon, out=scratch)
        self.divide(first_moment, scratch, out=scratch)
        self.divide(scratch, bias_corrections[0], out=scratch)
        self.multiply(scratch, learning_rate, out=scratch)
        self.subtract(parameters, scratch, out=parameters)

    def random_bits(self, counters: Array, keys: Array) -> Array:
        """32 random bits for each counter, as uint64: Widynski's "Squares" generator.

        A function of counter and key alone (arXiv:2004.06278, four rounds), so that the same
        numbers come on every device and in every order. A round squares the word, adds, and swaps
        the word's two halves.
        """
        half_word = 32
        start = self.multiply(counters, keys)
        shifted = self.add(start, keys)
        word = start
        for offset in (start, shifted, start):
            word = self.add(self.multiply(word, word), offset)
            high = self.run(self.xp.right_shift, word, half_word, out=...)
            low = self.run(self.xp.left_shift, word, half_word, out=...)
            word = self.run(self.xp.bitwise_or, high, low, out=low)
        word = self.add(self.multiply(word, word), shifted)
        return self.run(self.xp.right_shift, word, half_word, out=word)

    def dropout_mask(self, counters: Array, keys: Array, kept_from: Array, scale: Array) -> Array:
        """`scale` where the random bits are at least `kept_from`, else 0, in the dtype of `scale`.

        For a rate r, kept_from is r 2^32 as uint64 and scale is 1 / (1 - r): an entry is kept with
        probability 1 - r (Srivastava et al. 2014, inverted). Both have shape (), or (E, 1, 1) with
        one for each network.
        """
        return self.multiply(self.greater_equal(self.random_bits(counters, keys), kept_from), scale)

"""What the engine asks of an array library.

The engine never imports NumPy's or CuPy's functions for its arithmetic: it holds a `Backend` and
calls the methods below. They come in three layers, simple ones first:

1. `run`, the one door through which every number inside a training step is made: see `door.py`;
2. primitives (add, matmul, sum, ...), one call of the array library each;
3. fused steps (a loss with its gradient, an optimizer step, ...), whose bodies here are the
   mathematics in terms of primitives; a backend may replace such a body by one faster kernel.

Reshaping, transposing and slicing make views. A view holds no numbers of its own, so it is made
without `run`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from scratchnet.backends.door import Array, Call, Door, Kernel, Out
from scratchnet.backends.guarded import Guarded, bare

__all__ = ["Array", "Axis", "Backend", "Call", "Kernel", "Out", "Timer"]

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


class Backend(Door):
    """An array library. `xp` is its NumPy-like module, for set-up and analysis outside steps."""

    name: str
    xp: ModuleType
    precision = "fp32"
    """To what the float32 operands of a product are rounded: fp32 (not at all), tf32, bf16, fp16.

    All else, the sums inside the product included, is float32.
    """
    bits_depend_on_layout = False
    """Whether a sum or a product adds in an order that depends on how its output lies in memory."""

    def is_elementwise(self, kernel: Kernel) -> bool:
        """Whether each number of the output depends only on the inputs' numbers at its place."""
        return isinstance(kernel, self.xp.ufunc) and getattr(kernel, "signature", None) is None

    def ufunc(self, name: str) -> Kernel | None:
        """What `run` computes NumPy's ufunc of that name with; None where nothing does."""
        kernel: Kernel | None = getattr(self.xp, name, None)
        return kernel

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

    def address(self, array: Array) -> int:
        """Where the array's first number lies in memory."""
        raise NotImplementedError

    def shares_memory(self, a: Array, b: Array) -> bool:
        """Whether an entry of a and one of b lie in the same place; exact, and done by the host."""
        return bool(self.xp.shares_memory(a, b))

    def synchronize(self) -> None:
        """Return when all work given to the device is done."""

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

    # Fused steps: the mathematics, in terms of the primitives above.

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
        self, parameters: Array, gradients: Array, weight_decay: Array | None, out: Out
    ) -> Array:
        """g + weight_decay p, and g itself for a network whose decay is 0, be p infinite or not."""
        if weight_decay is None:
            return gradients
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

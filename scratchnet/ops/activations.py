"""The neurons' nonlinearities, entry by entry, and dropout."""

from __future__ import annotations

import math

from scratchnet.backends import Array
from scratchnet.backends.errors import fraction
from scratchnet.ops.broadcasting import unbroadcast
from scratchnet.tensor import Tensor, result


def relu(x: Tensor) -> Tensor:
    """y = max(0, x);   dL/dx = dL/dy * [y > 0], so 0 at the kink x = 0"""
    k = x.backend
    y = k.relu(x.data)
    return result(y, k, (x, lambda dy: k.relu_backward(dy, y)))


def leaky_relu(x: Tensor, slope: float | Array = 0.01) -> Tensor:
    """y = x where x > 0, else slope * x;   dL/dx = dL/dy * (1 where x > 0, else slope)

    At the kink x = 0 the derivative is `slope` (Maas et al. 2013), a number, or an array of the
    backend which broadcasts with x. With the slope 0 it is relu: -inf gives 0, and NaN stays NaN.
    """
    k, data, shape = x.backend, x.data, x.data.shape
    factor = k.asarray(slope if isinstance(slope, k.xp.ndarray) else float(slope), data.dtype)

    def pullback(dy: Array) -> Array:
        # A slope of 0 times an infinite dy is 0.
        return unbroadcast(k, k.where(k.greater(data, 0.0), dy, k.times_slope(factor, dy)), shape)

    y = k.where(k.less_equal(data, 0.0), k.times_slope(factor, data), data)
    return result(y, k, (x, pullback))


def sigmoid(x: Tensor) -> Tensor:
    """y = 1 / (1 + e^-x);   dL/dx = dL/dy * y (1 - y).   Stable for any finite x."""
    k = x.backend
    y = k.sigmoid(x.data)

    def pullback(dy: Array) -> Array:
        return k.multiply(dy, k.multiply(y, k.subtract(1.0, y)))

    return result(y, k, (x, pullback))


def tanh(x: Tensor) -> Tensor:
    """y = tanh x;   dL/dx = dL/dy * (1 - y^2)"""
    k = x.backend
    y = k.tanh(x.data)
    return result(y, k, (x, lambda dy: k.multiply(dy, k.subtract(1.0, k.square(y)))))


def softplus(x: Tensor) -> Tensor:
    """y = ln(1 + e^x), a smooth relu;   dL/dx = dL/dy * sigmoid x.   Stable for any finite x."""
    k, data = x.backend, x.data
    return result(k.softplus(data), k, (x, lambda dy: k.multiply(dy, k.sigmoid(data))))


def gelu(x: Tensor) -> Tensor:
    """y = x (1 + t) / 2,  t = tanh(c (x + a x^3)),  c = sqrt(2 / pi),  a = 0.044715

    dL/dx = dL/dy * ((1 + t) / 2 + x (1 - t^2) c (1 + 3 a x^2) / 2)

    The tanh form of Hendrycks and Gimpel (2016), which is within 5e-4 of x Phi(x).
    """
    k, data = x.backend, x.data
    c, a = math.sqrt(2 / math.pi), 0.044715
    square = k.square(data)
    t = k.tanh(k.multiply(k.multiply(data, k.add(k.multiply(square, a), 1.0)), c))
    half = k.multiply(k.add(t, 1.0), 0.5)

    def pullback(dy: Array) -> Array:
        """dL/dx = dL/dy ((1 + t) / 2 + x (1 - t^2) c (1 + 3 a x^2) / 2)."""
        inner = k.multiply(k.add(k.multiply(square, 3 * a), 1.0), c / 2)
        slope = k.multiply(k.multiply(data, k.subtract(1.0, k.square(t))), inner)
        return k.multiply(dy, k.add(half, slope))

    return result(k.multiply(data, half), k, (x, pullback))


def threshold(x: Tensor, surrogate_window: float | None = None) -> Tensor:
    """y = 1 where x >= 0, else 0 (Heaviside);   dL/dx = 0

    With a `surrogate_window` w the backward pass pretends that the step is a ramp, the
    straight-through estimator: dL/dx = dL/dy * [|x| <= w] (Bengio et al. 2013, with the window of
    Hubara et al. 2016). That is no derivative of y, and a gradient check rightly rejects it.
    """
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        """dL/dx = dL/dy [|x| <= window], or 0 without a window."""
        if surrogate_window is None:
            return k.zeros(dy.shape, dy.dtype)
        return k.where(k.less_equal(k.absolute(data), surrogate_window), dy, 0.0)

    fired = k.greater_equal(data, 0.0)
    return result(k.multiply(fired, k.asarray(1.0, data.dtype)), k, (x, pullback))


def dropout(x: Tensor, rate: float | tuple[Array, Array], counters: Array, keys: Array) -> Tensor:
    """y = x * m;   dL/dx = dL/dy * m,   m = 1 / (1 - rate) with probability 1 - rate, else 0

    So the mean of y is x (Srivastava et al. 2014). The mask is a function of `counters` and `keys`
    alone: whole numbers as uint64 arrays which broadcast with x, see `Backend.random_bits`. The
    rate is a number, or the pair of arrays that `Backend.dropout_mask` takes.
    """
    k, shape = x.backend, x.data.shape
    if not isinstance(rate, tuple):
        fraction("dropout rate", rate)
        kept_from = k.asarray(round(float(rate) * 2.0**32), "uint64")
        rate = kept_from, k.asarray(1 / (1 - float(rate)), x.data.dtype)
    mask = k.dropout_mask(counters, keys, *rate)

    def pullback(dy: Array) -> Array:
        kept = k.relu_backward(dy, mask)  # dy where the mask is not 0
        return unbroadcast(k, k.multiply(kept, mask, out=kept), shape)

    return result(k.multiply(x.data, mask), k, (x, pullback))

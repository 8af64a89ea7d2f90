"""Sums, means, extremes, spreads and norms over axes, and the softmax, which is built from them.

`axis` is a number, a tuple of numbers, or None for all axes; `keepdims` keeps them with size 1.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError
from scratchnet.ops.broadcasting import as_numbers
from scratchnet.ops.shaping import axes_of, reshape
from scratchnet.tensor import Axis, Tensor, result


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = sum of x over the axes;   dL/dx = dL/dy at every entry that was added

    Over an empty axis the sum is 0.
    """
    x = as_numbers(x)
    k, shape = x.backend, x.data.shape
    axes = axes_of("sum", x, axis)
    y = k.sum(x.data, axis=axes, keepdims=keepdims)
    return result(y, k, (x, lambda dy: _spread(k, dy, axes, shape)))


def mean(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = (sum of x over the axes) / n;   dL/dx = dL/dy / n at every entry

    Raises `InputError` for an empty axis: there is no mean of nothing.
    """
    axes = _nonempty_axes("mean", x, axis)
    n = math.prod(x.shape[i] for i in axes)
    return sum(x, axes, keepdims) * (1.0 / n)


def max(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = largest x over the axes;   dL/dx = dL/dy * [x = y] / (number of entries equal to y)

    So entries that tie for the maximum share the gradient equally. Raises `InputError` for an
    empty axis.
    """
    axes = _nonempty_axes("max", x, axis)
    return _extreme(x, axes, x.backend.max(x.data, axis=axes, keepdims=True), keepdims)


def min(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = smallest x over the axes;   dL/dx and ties as for `max`"""
    axes = _nonempty_axes("min", x, axis)
    return _extreme(x, axes, x.backend.min(x.data, axis=axes, keepdims=True), keepdims)


def _extreme(x: Tensor, axes: tuple[int, ...], y: Array, keepdims: bool) -> Tensor:
    """The node of a maximum or minimum y, which has the axes that it was taken over."""
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        """dL/dx = dL/dy / ties where x is the extreme, else 0: ties share the gradient."""
        is_extreme = k.equal(data, y)
        ties = k.multiply(is_extreme, k.asarray(1.0, data.dtype))
        part = k.divide(k.reshape(dy, y.shape), k.sum(ties, axis=axes, keepdims=True))
        return k.where(is_extreme, part, 0.0)

    return result(_without_axes(k, y, axes, keepdims), k, (x, pullback))


def var(x: Tensor, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Tensor:
    """y = sum (x - m)^2 / (n - ddof),   m the mean of the n entries;

    dL/dx = dL/dy * 2 (x - m) / (n - ddof), since a shift of m changes nothing: sum (x - m) = 0.

    `ddof` is 0 as in NumPy; 1 gives the unbiased estimate, PyTorch's default. Raises `InputError`
    for an empty axis, and where ddof is not at least 0 and below n.
    """
    k = x.backend
    axes, freedom = _freedom("var", x, axis, ddof)
    centred = _centred(x, axes)
    y = k.multiply(k.sum(k.square(centred), axis=axes, keepdims=True), 1.0 / freedom)
    kept = y.shape

    def pullback(dy: Array) -> Array:
        return k.times_slope(k.multiply(k.reshape(dy, kept), 2.0 / freedom), centred)

    return result(_without_axes(k, y, axes, keepdims), k, (x, pullback))


def std(x: Tensor, axis: Axis = None, keepdims: bool = False, ddof: float = 0) -> Tensor:
    """y = sqrt(sum (x - m)^2 / (n - ddof));   dL/dx = dL/dy * (x - m) / ((n - ddof) y)

    At the kink y = 0, where all entries are equal, the derivative is 0. `ddof` and errors as `var`.
    """
    k = x.backend
    axes, freedom = _freedom("std", x, axis, ddof)
    centred = _centred(x, axes)
    total = k.sum(k.square(centred), axis=axes, keepdims=True)
    y = k.sqrt(k.multiply(total, 1.0 / freedom))

    def pullback(dy: Array) -> Array:
        rise = k.multiply(_over_length(k, dy, y), 1.0 / freedom)
        return k.times_slope(rise, centred)

    return result(_without_axes(k, y, axes, keepdims), k, (x, pullback))


def norm(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = sqrt(sum x^2), the Euclidean length;   dL/dx = dL/dy * x / y

    At the kink x = 0 the derivative is 0. Over an empty axis the length is 0.
    """
    k, data = x.backend, x.data
    axes = axes_of("norm", x, axis)
    y = k.sqrt(k.sum(k.square(data), axis=axes, keepdims=True))

    def pullback(dy: Array) -> Array:
        return k.times_slope(_over_length(k, dy, y), data)

    return result(_without_axes(k, y, axes, keepdims), k, (x, pullback))


def cumsum(x: Tensor, axis: int | None = None) -> Tensor:
    """y_i = x_1 + ... + x_i along the axis;   dL/dx_i = dL/dy_i + ... + dL/dy_n

    Of x's entries in row-major order, as one row of them, where the axis is None.
    """
    if axis is None:
        return cumsum(reshape(x, (-1,)), 0)
    k = x.backend
    axes = axes_of("cumsum", x, axis)
    if len(axes) != 1:
        raise InputError(f"cumsum over axis {axis} of shape {x.shape}: must be one axis, or None")

    def pullback(dy: Array) -> Array:
        return k.cumsum(dy, *axes, from_the_end=True)

    return result(k.cumsum(x.data, *axes), k, (x, pullback))


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """y_i = e^(x_i) / sum_j e^(x_j);   dL/dx_i = y_i (dL/dy_i - sum_j y_j dL/dy_j)

    Stable for any finite x: the maximum is subtracted first, which changes no ratio. Raises
    `InputError` for an empty axis.
    """
    k = x.backend
    _nonempty_axes("softmax", x, axis)
    y = k.softmax(x.data, axis)

    def pullback(dy: Array) -> Array:
        common = k.sum(k.multiply(dy, y), axis=axis, keepdims=True)
        return k.multiply(y, k.subtract(dy, common))

    return result(y, k, (x, pullback))


def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """y_i = x_i - ln sum_j e^(x_j);   dL/dx_i = dL/dy_i - e^(y_i) sum_j dL/dy_j"""
    k = x.backend
    _nonempty_axes("log_softmax", x, axis)
    y = k.log_softmax(x.data, axis)

    def pullback(dy: Array) -> Array:
        total = k.sum(dy, axis=axis, keepdims=True)
        return k.subtract(dy, k.multiply(k.exp(y), total))

    return result(y, k, (x, pullback))


def logsumexp(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = ln sum e^x over the axes, a smooth maximum;   dL/dx = dL/dy * e^(x - y), the softmax

    Computed as m + ln sum e^(x - m) with m = max x, so stable for any finite x. If all x are -inf,
    y is -inf and the derivative 0; entries that are +inf share the gradient equally, as for `max`.
    Raises `InputError` for an empty axis.
    """
    k, data = x.backend, x.data
    axes = _nonempty_axes("logsumexp", x, axis)
    largest = k.max(data, axis=axes, keepdims=True)
    # The finite number next to m: infinity minus infinity would be NaN.
    limit = float(np.finfo(x.dtype).max)
    shift = k.maximum(k.minimum(largest, limit), -limit)
    terms = k.exp(k.minimum(k.subtract(data, shift), 0.0))
    # The sum holds e^0 = 1, unless all x are -inf.
    total = k.maximum(k.sum(terms, axis=axes, keepdims=True), 1.0)
    y = k.add(k.log(total), largest)

    def pullback(dy: Array) -> Array:
        return k.multiply(terms, k.divide(k.reshape(dy, total.shape), total))

    return result(_without_axes(k, y, axes, keepdims), k, (x, pullback))


def _nonempty_axes(op: str, x: Tensor, axis: Axis) -> tuple[int, ...]:
    """The axes as numbers from 0; `InputError` where one has the length 0."""
    axes = axes_of(op, x, axis)
    if any(x.shape[i] == 0 for i in axes):
        raise InputError(f"{op} over axis {axis} of shape {x.shape}: the axis is empty")
    return axes


def _freedom(op: str, x: Tensor, axis: Axis, ddof: float) -> tuple[tuple[int, ...], float]:
    """The axes, and n - ddof."""
    axes = _nonempty_axes(op, x, axis)
    n = math.prod(x.shape[i] for i in axes)
    if not (isinstance(ddof, Real) and 0 <= ddof < n):
        raise InputError(
            f"{op} with ddof={ddof!r}: must be at least 0 and below {n}, the number of entries"
        )
    return axes, n - float(ddof)


def _centred(x: Tensor, axes: tuple[int, ...]) -> Array:
    """x minus its mean; exactly 0 where all entries are equal, since the first is taken off first.

    A mean of equal entries may differ from them in the last bit, and std would divide by that.
    """
    k, data = x.backend, x.data
    first = data[(..., *[slice(0, 1) if i in axes else slice(None) for i in range(data.ndim)])]
    shifted = k.subtract(data, first)
    n = math.prod(data.shape[i] for i in axes)
    mean = k.multiply(k.sum(shifted, axis=axes, keepdims=True), 1.0 / n)
    return k.subtract(shifted, mean, out=shifted)


def _over_length(k: Backend, dy: Array, length: Array) -> Array:
    """dy / length in the shape of `length`, and 0 where the length is 0."""
    dy = k.where(k.equal(length, 0.0), 0.0, k.reshape(dy, length.shape))
    return k.divide(dy, k.where_used(dy, length))


def _without_axes(k: Backend, y: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """y, whose `axes` have size 1, without them unless they are to be kept."""
    if keepdims:
        return y
    return k.reshape(y, tuple(n for i, n in enumerate(y.shape) if i not in axes))


def _spread(k: Backend, dy: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """dy of a reduction over `axes`, seen at every entry of `shape`: a view, not a copy."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return k.broadcast_to(k.reshape(dy, kept), shape)

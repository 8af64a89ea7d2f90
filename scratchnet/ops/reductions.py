"""Sums, means and extremes over axes, and the softmax, which is built from them.

`axis` is a number, a tuple of numbers, or None for all axes; `keepdims` keeps them with size 1.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from scratchnet.backends import Array, Backend, InputError
from scratchnet.tensor import Tensor, result

Axis = int | tuple[int, ...] | None


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """y = sum of x over the axes;   dL/dx = dL/dy at every entry that was added

    Over an empty axis the sum is 0.
    """
    k, shape = x.backend, x.data.shape
    axes = _axes("sum", x, axis)
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
    k, data = x.backend, x.data
    kept = tuple(n for i, n in enumerate(data.shape) if i not in axes)

    def pullback(dy: Array) -> Array:
        is_extreme = k.equal(data, y)
        ties = k.multiply(is_extreme, k.asarray(1.0, data.dtype))
        part = k.divide(k.reshape(dy, y.shape), k.sum(ties, axis=axes, keepdims=True))
        return k.where(is_extreme, part, 0.0)

    return result(y if keepdims else k.reshape(y, kept), k, (x, pullback))


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


def _axes(op: str, x: Tensor, axis: Axis) -> tuple[int, ...]:
    """The axes as non-negative numbers, each once."""
    if axis is None:
        return tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(i, Integral) for i in axes):
        raise InputError(f"{op} over axis {axis!r}: accepted are None, a whole number or a tuple")
    if any(not -x.ndim <= i < x.ndim for i in axes) or len({i % x.ndim for i in axes}) < len(axes):
        raise InputError(f"{op} over axis {axis} of shape {x.shape}: no such axis, or named twice")
    return tuple(i % x.ndim for i in axes)


def _nonempty_axes(op: str, x: Tensor, axis: Axis) -> tuple[int, ...]:
    axes = _axes(op, x, axis)
    if any(x.shape[i] == 0 for i in axes):
        raise InputError(f"{op} over axis {axis} of shape {x.shape}: the axis is empty")
    return axes


def _spread(k: Backend, dy: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """dy of a reduction over `axes`, seen at every entry of `shape`: a view, not a copy."""
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    return k.xp.broadcast_to(k.reshape(dy, kept), shape)

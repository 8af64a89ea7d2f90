"""Arithmetic and elementary functions, entry by entry.

Operands with different shapes are broadcast; each pullback sums over the axes that broadcasting
added or stretched, see `unbroadcast`. Empty axes give empty results with empty gradients. Where
dL/dy is 0, dL/dx is 0 also where the derivative is infinite: what a mask has cut off sends nothing.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from scratchnet.backends import Array, InputError
from scratchnet.ops.broadcasting import check_samples_apart, operands, unbroadcast
from scratchnet.tensor import Operand, Tensor, result


def add(a: Operand, b: Operand) -> Tensor:
    """y = a + b;   dL/da = dL/dy,   dL/db = dL/dy"""
    a, b, k = operands(a, b)
    a_shape, b_shape = a.data.shape, b.data.shape
    return result(
        k.add(a.data, b.data),
        k,
        (a, lambda dy: unbroadcast(k, dy, a_shape)),
        (b, lambda dy: unbroadcast(k, dy, b_shape)),
    )


def subtract(a: Operand, b: Operand) -> Tensor:
    """y = a - b;   dL/da = dL/dy,   dL/db = -dL/dy"""
    a, b, k = operands(a, b)
    a_shape, b_shape = a.data.shape, b.data.shape
    return result(
        k.subtract(a.data, b.data),
        k,
        (a, lambda dy: unbroadcast(k, dy, a_shape)),
        (b, lambda dy: k.negative(unbroadcast(k, dy, b_shape))),
    )


def negative(x: Tensor) -> Tensor:
    """y = -x;   dL/dx = -dL/dy"""
    k = x.backend
    return result(k.negative(x.data), k, (x, lambda dy: k.negative(dy)))


def multiply(a: Operand, b: Operand) -> Tensor:
    """y = a * b;   dL/da = dL/dy * b,   dL/db = dL/dy * a"""
    a, b, k = operands(a, b)
    a_data, b_data = a.data, b.data
    return result(
        k.multiply(a_data, b_data),
        k,
        (a, lambda dy: unbroadcast(k, k.times_slope(dy, b_data), a_data.shape)),
        (b, lambda dy: unbroadcast(k, k.times_slope(dy, a_data), b_data.shape)),
    )


def divide(a: Operand, b: Operand) -> Tensor:
    """y = a / b;   dL/da = dL/dy / b,   dL/db = -dL/dy * y / b

    Division by zero follows IEEE 754: infinity or NaN, in the value as in the gradient.
    """
    a, b, k = operands(a, b)
    a_shape, b_data = a.data.shape, b.data
    y = k.divide(a.data, b_data)

    def pullback_a(dy: Array) -> Array:
        return unbroadcast(k, k.divide(dy, k.where_used(dy, b_data)), a_shape)

    def pullback_b(dy: Array) -> Array:
        rise = k.divide(k.times_slope(dy, y), k.where_used(dy, b_data))
        return k.negative(unbroadcast(k, rise, b_data.shape))

    return result(y, k, (a, pullback_a), (b, pullback_b))


def power(a: Operand, b: Operand) -> Tensor:
    """y = a^b;   dL/da = dL/dy * b a^(b-1),   dL/db = dL/dy * y ln a

    For b = 0 dL/da is 0 everywhere, and where y = 0 dL/db is 0, the limit of y ln a. A negative a
    has a power where b is whole, and no derivative with respect to b: ln a is NaN.
    """
    if isinstance(b, Real) and isinstance(a, Tensor):
        return _power_of_number(a, float(b))
    a, b, k = operands(a, b)
    a_data, b_data = a.data, b.data
    y = k.power(a_data, b_data)

    def pullback_a(dy: Array) -> Array:
        """dL/da = dL/dy b a^(b-1), summed to a's shape."""
        # a^0 is 1 everywhere: 0 times 0^-1 would be NaN at a = 0.
        dy = k.where(k.equal(b_data, 0.0), 0.0, dy)
        slope = k.multiply(b_data, k.power(k.where_used(dy, a_data), k.subtract(b_data, 1.0)))
        return unbroadcast(k, k.multiply(dy, slope), a_data.shape)

    def pullback_b(dy: Array) -> Array:
        """dL/db = dL/dy a^b ln a, summed to b's shape; 0 where a^b is 0."""
        dy = k.where(k.equal(y, 0.0), 0.0, dy)
        slope = k.multiply(k.where_used(dy, y), k.log(k.where_used(dy, a_data)))
        return unbroadcast(k, k.multiply(dy, slope), b_data.shape)

    return result(y, k, (a, pullback_a), (b, pullback_b))


def _power_of_number(x: Tensor, exponent: float) -> Tensor:
    """x^n for a number n."""
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        """dL/dx = dL/dy n x^(n-1); 0 for n = 0."""
        if exponent == 0:
            return k.zeros(dy.shape, dy.dtype)
        slope = k.multiply(k.power(k.where_used(dy, data), exponent - 1), exponent)
        return k.multiply(dy, slope)

    return result(k.power(data, exponent), k, (x, pullback))


def exp(x: Tensor) -> Tensor:
    """y = e^x;   dL/dx = dL/dy * y"""
    k = x.backend
    y = k.exp(x.data)
    return result(y, k, (x, lambda dy: k.times_slope(dy, y)))


def expm1(x: Tensor) -> Tensor:
    """y = e^x - 1, precise near x = 0;   dL/dx = dL/dy * e^x"""
    k, data = x.backend, x.data
    return result(k.expm1(data), k, (x, lambda dy: k.times_slope(dy, k.exp(data))))


def log(x: Tensor) -> Tensor:
    """y = ln x;   dL/dx = dL/dy / x.   At x = 0: -infinity and infinity; below: NaN."""
    k, data = x.backend, x.data
    return result(k.log(data), k, (x, lambda dy: k.divide(dy, k.where_used(dy, data))))


def log1p(x: Tensor) -> Tensor:
    """y = ln(1 + x), precise near x = 0;   dL/dx = dL/dy / (1 + x).   Infinite at x = -1."""
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        return k.divide(dy, k.where_used(dy, k.add(data, 1.0)))

    return result(k.log1p(data), k, (x, pullback))


def sqrt(x: Tensor) -> Tensor:
    """y = sqrt x;   dL/dx = dL/dy / (2 y).   At x = 0 the derivative is infinite."""
    k = x.backend
    y = k.sqrt(x.data)
    return result(y, k, (x, lambda dy: k.divide(dy, k.multiply(k.where_used(dy, y), 2.0))))


def sin(x: Tensor) -> Tensor:
    """y = sin x;   dL/dx = dL/dy * cos x"""
    k, data = x.backend, x.data
    return result(k.sin(data), k, (x, lambda dy: k.multiply(dy, k.cos(data))))


def cos(x: Tensor) -> Tensor:
    """y = cos x;   dL/dx = -dL/dy * sin x"""
    k, data = x.backend, x.data
    return result(k.cos(data), k, (x, lambda dy: k.negative(k.multiply(dy, k.sin(data)))))


def absolute(x: Tensor) -> Tensor:
    """y = |x|;   dL/dx = dL/dy * sign x.   At the kink x = 0 the derivative is 0."""
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        return k.multiply(k.where(k.equal(data, 0.0), 0.0, dy), k.sign(data))

    return result(k.absolute(data), k, (x, pullback))


def maximum(a: Operand, b: Operand) -> Tensor:
    """y = max(a, b);   dL/da = dL/dy * [a > b],   dL/db = dL/dy * [b > a];   ties: 1/2 each"""
    a, b, k = operands(a, b)
    return _extreme_of_two(k.maximum(a.data, b.data), a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """y = min(a, b);   dL/da = dL/dy * [a < b],   dL/db = dL/dy * [b < a];   ties: 1/2 each"""
    a, b, k = operands(a, b)
    return _extreme_of_two(k.minimum(a.data, b.data), a, b)


def _extreme_of_two(y: Array, a: Tensor, b: Tensor) -> Tensor:
    """The result y that is a or b: the one it equals gets the gradient, both equal, half each."""
    k, a_data, b_data = a.backend, a.data, b.data

    def part(dy: Array, mine: Array) -> Array:
        shared = k.where(k.equal(a_data, b_data), k.multiply(dy, 0.5), dy)
        return unbroadcast(k, k.where(k.equal(mine, y), shared, 0.0), mine.shape)

    return result(
        y,
        k,
        (a, lambda dy: part(dy, a_data)),
        (b, lambda dy: part(dy, b_data)),
    )


def clip(x: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    """y = min(max(x, low), high);   dL/dx = dL/dy * [low <= x <= high], 1 at the two kinks

    A bound that is None does not bound. Raises `InputError` where low > high, and where both are
    None.
    """
    if low is None and high is None:
        raise InputError("clip to [None, None]: at least one bound must be a number")
    low, high = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    if not low <= high:
        raise InputError(f"clip to [{low}, {high}]: the lower bound must not exceed the upper")
    k, data = x.backend, x.data

    def pullback(dy: Array) -> Array:
        inside = k.logical_and(k.greater_equal(data, low), k.less_equal(data, high))
        return k.where(inside, dy, 0.0)

    return result(k.minimum(k.maximum(data, low), high), k, (x, pullback))


def where(condition: Any, a: Operand, b: Operand) -> Tensor:
    """y = a where the condition holds, else b;   dL/da = dL/dy * [condition],   dL/db = the rest

    `condition`, an array or a tensor of booleans, is a constant; it is broadcast with a and b.
    Raises `InputError` where the three shapes do not fit.
    """
    a, b, k = operands(a, b)
    a_shape, b_shape = a.data.shape, b.data.shape
    condition = k.asarray(condition.data if isinstance(condition, Tensor) else condition)
    check_samples_apart(condition.shape, a_shape)
    check_samples_apart(condition.shape, b_shape)
    try:
        y = k.where(condition, a.data, b.data)
    except ValueError:
        raise InputError(
            f"where of a condition of shape {condition.shape} and operands of shapes {a.shape} and "
            f"{b.shape}: they do not broadcast"
        ) from None
    return result(
        y,
        k,
        (a, lambda dy: unbroadcast(k, k.where(condition, dy, 0.0), a_shape)),
        (b, lambda dy: unbroadcast(k, k.where(condition, 0.0, dy), b_shape)),
    )

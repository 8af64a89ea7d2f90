"""Arithmetic and elementary functions, entry by entry.

Operands with different shapes are broadcast; each pullback sums over the axes that broadcasting
added or stretched, see `unbroadcast`. Empty axes give empty results with empty gradients.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from scratchnet.backends import InputError
from scratchnet.ops.broadcasting import operands, unbroadcast
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
        (a, lambda dy: unbroadcast(k, k.multiply(dy, b_data), a_data.shape)),
        (b, lambda dy: unbroadcast(k, k.multiply(dy, a_data), b_data.shape)),
    )


def divide(a: Operand, b: Operand) -> Tensor:
    """y = a / b;   dL/da = dL/dy / b,   dL/db = -dL/dy * y / b

    Division by zero follows IEEE 754: infinity or NaN, in the value as in the gradient.
    """
    a, b, k = operands(a, b)
    a_shape, b_data = a.data.shape, b.data
    y = k.divide(a.data, b_data)
    return result(
        y,
        k,
        (a, lambda dy: unbroadcast(k, k.divide(dy, b_data), a_shape)),
        (
            b,
            lambda dy: unbroadcast(
                k, k.negative(k.divide(k.multiply(dy, y), b_data)), b_data.shape
            ),
        ),
    )


def power(a: Operand, b: Operand) -> Tensor:
    """y = a^b;   dL/da = dL/dy * b a^(b-1),   dL/db = dL/dy * y ln a

    Where b is a number, a may be negative if b is whole; for b = 0 the derivative is 0 everywhere.
    Where b is a tensor or an array, a must be positive: elsewhere ln a is infinite or NaN.
    """
    if isinstance(b, Real) and isinstance(a, Tensor):
        return _power_of_number(a, float(b))
    a, b, k = operands(a, b)
    a_data, b_data = a.data, b.data
    y = k.power(a_data, b_data)

    def pullback_a(dy: Any) -> Any:
        slope = k.multiply(b_data, k.power(a_data, k.subtract(b_data, 1.0)))
        return unbroadcast(k, k.multiply(dy, slope), a_data.shape)

    def pullback_b(dy: Any) -> Any:
        return unbroadcast(k, k.multiply(dy, k.multiply(y, k.log(a_data))), b_data.shape)

    return result(y, k, (a, pullback_a), (b, pullback_b))


def _power_of_number(x: Tensor, exponent: float) -> Tensor:
    k, data = x.backend, x.data

    def pullback(dy: Any) -> Any:
        if exponent == 0:
            return k.multiply(dy, 0.0)
        return k.multiply(dy, k.multiply(k.power(data, exponent - 1), exponent))

    return result(k.power(data, exponent), k, (x, pullback))


def exp(x: Tensor) -> Tensor:
    """y = e^x;   dL/dx = dL/dy * y"""
    k = x.backend
    y = k.exp(x.data)
    return result(y, k, (x, lambda dy: k.multiply(dy, y)))


def log(x: Tensor) -> Tensor:
    """y = ln x;   dL/dx = dL/dy / x.   At x = 0: -infinity and infinity; below: NaN."""
    k, data = x.backend, x.data
    return result(k.log(data), k, (x, lambda dy: k.divide(dy, data)))


def sqrt(x: Tensor) -> Tensor:
    """y = sqrt x;   dL/dx = dL/dy / (2 y).   At x = 0 the derivative is infinite."""
    k = x.backend
    y = k.sqrt(x.data)
    return result(y, k, (x, lambda dy: k.divide(dy, k.multiply(y, 2.0))))


def absolute(x: Tensor) -> Tensor:
    """y = |x|;   dL/dx = dL/dy * sign x.   At the kink x = 0 the derivative is 0."""
    k, data = x.backend, x.data
    return result(k.absolute(data), k, (x, lambda dy: k.multiply(dy, k.sign(data))))


def maximum(a: Operand, b: Operand) -> Tensor:
    """y = max(a, b);   dL/da = dL/dy * [a > b],   dL/db = dL/dy * [b > a];   ties: 1/2 each"""
    a, b, k = operands(a, b)
    return _extreme_of_two(k.maximum(a.data, b.data), a, b)


def minimum(a: Operand, b: Operand) -> Tensor:
    """y = min(a, b);   dL/da = dL/dy * [a < b],   dL/db = dL/dy * [b < a];   ties: 1/2 each"""
    a, b, k = operands(a, b)
    return _extreme_of_two(k.minimum(a.data, b.data), a, b)


def _extreme_of_two(y: Any, a: Tensor, b: Tensor) -> Tensor:
    """The result y that is a or b: the one it equals gets the gradient, both equal, half each."""
    k, a_data, b_data = a.backend, a.data, b.data

    def share(dy: Any, mine: Any) -> Any:
        ties = k.multiply(k.equal(a_data, b_data), k.multiply(dy, 0.5))
        won = k.multiply(k.equal(mine, y), dy)
        return unbroadcast(k, k.subtract(won, ties), mine.shape)

    return result(
        y,
        k,
        (a, lambda dy: share(dy, a_data)),
        (b, lambda dy: share(dy, b_data)),
    )


def clip(x: Tensor, low: float, high: float) -> Tensor:
    """y = min(max(x, low), high);   dL/dx = dL/dy * [low <= x <= high], 1 at the two kinks

    Raises `InputError` where low > high.
    """
    if not low <= high:
        raise InputError(f"clip to [{low}, {high}]: the lower bound must not exceed the upper")
    k, data, low, high = x.backend, x.data, float(low), float(high)

    def pullback(dy: Any) -> Any:
        inside = k.logical_and(k.greater_equal(data, low), k.less_equal(data, high))
        return k.multiply(dy, inside)

    return result(k.minimum(k.maximum(data, low), high), k, (x, pullback))


def where(condition: Any, a: Operand, b: Operand) -> Tensor:
    """y = a where the condition holds, else b;   dL/da = dL/dy * [condition],   dL/db = the rest

    `condition` is an array of booleans, a constant; it is broadcast with a and b. Raises
    `InputError` where the three shapes do not fit.
    """
    a, b, k = operands(a, b)
    a_shape, b_shape = a.data.shape, b.data.shape
    condition = k.xp.asarray(condition)
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

"""Comparisons, entry by entry: constants of booleans, through which no gradient flows.

In arithmetic, sums and means a boolean counts as 0 or 1. What a recorded step compares it compares
anew at each replay; a Python `if` would not be, so take `where`, or a product with the comparison.
"""

from __future__ import annotations

from scratchnet.ops.broadcasting import operands
from scratchnet.tensor import Operand, Tensor, result


def greater(a: Operand, b: Operand) -> Tensor:
    """y = [a > b], as booleans"""
    a, b, k = operands(a, b)
    return result(k.greater(a.data, b.data), k)


def greater_equal(a: Operand, b: Operand) -> Tensor:
    """y = [a >= b], as booleans"""
    a, b, k = operands(a, b)
    return result(k.greater_equal(a.data, b.data), k)


def less(a: Operand, b: Operand) -> Tensor:
    """y = [a < b], as booleans"""
    a, b, k = operands(a, b)
    return result(k.greater(b.data, a.data), k)


def less_equal(a: Operand, b: Operand) -> Tensor:
    """y = [a <= b], as booleans"""
    a, b, k = operands(a, b)
    return result(k.less_equal(a.data, b.data), k)


def equal(a: Operand, b: Operand) -> Tensor:
    """y = [a = b], as booleans; NaN equals nothing"""
    a, b, k = operands(a, b)
    return result(k.equal(a.data, b.data), k)


def not_equal(a: Operand, b: Operand) -> Tensor:
    """y = [a != b], as booleans"""
    return logical_not(equal(a, b))


def logical_and(a: Operand, b: Operand) -> Tensor:
    """y = whether both are not 0, as booleans"""
    a, b, k = operands(a, b)
    return result(k.logical_and(a.data, b.data), k)


def logical_or(a: Operand, b: Operand) -> Tensor:
    """y = whether one or both are not 0, as booleans"""
    a, b, k = operands(a, b)
    return result(k.logical_or(a.data, b.data), k)


def logical_not(x: Tensor) -> Tensor:
    """y = [x = 0], as booleans"""
    return result(x.backend.equal(x.data, 0), x.backend)

"""Matrix products: where an MLP spends its time."""

from __future__ import annotations

from scratchnet.backends import InputError
from scratchnet.ops.broadcasting import matched, unbroadcast
from scratchnet.tensor import Operand, Tensor, result


def matmul(a: Operand, b: Operand) -> Tensor:
    """y = a b;   dL/da = dL/dy b^T,   dL/db = a^T dL/dy

    a (..., n, k), b (..., k, m) -> y (..., n, m); leading axes are broadcast. Over an empty k the
    sum is 0. Raises `InputError`, naming both shapes, where they do not fit.
    """
    a, b, k = matched(a, b)
    a_data, b_data = a.data, b.data
    if a_data.ndim < 2 or b_data.ndim < 2:
        raise InputError(f"matmul of shapes {a.shape} and {b.shape}: both need two axes or more")
    try:
        y = k.matmul(a_data, b_data)
    except ValueError:
        raise InputError(f"matmul of shapes {a.shape} and {b.shape}: they do not fit") from None
    return result(
        y,
        k,
        (a, lambda dy: unbroadcast(k, k.matmul(dy, b_data.mT), a_data.shape)),
        (b, lambda dy: unbroadcast(k, k.matmul(a_data.mT, dy), b_data.shape)),
    )


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y = x W + b;   dL/dx = dL/dy W^T,   dL/dW = x^T dL/dy,   dL/db = sum of rows of dL/dy

    x (N, in) or (E, N, in), W (in, out) or (E, in, out), b (out,) or (E, 1, out) -> y (N, out) or
    (E, N, out). The layer that calls this checks the shapes. Raises `TypeError` for two dtypes.
    """
    k, x_data, w_data, b_data = x.backend, x.data, weight.data, bias.data
    if k is not weight.backend or x_data.dtype != w_data.dtype or w_data.dtype != b_data.dtype:
        matched(x, weight)
        matched(weight, bias)
    product = k.matmul(x_data, w_data)
    return result(
        k.add_bias(product, b_data),
        k,
        (x, lambda dy: unbroadcast(k, k.matmul(dy, w_data.mT), x_data.shape)),
        (weight, lambda dy: unbroadcast(k, k.matmul(x_data.mT, dy), w_data.shape)),
        (bias, lambda dy: unbroadcast(k, dy, b_data.shape)),
    )

"""Matrix products: where an MLP spends its time."""

from __future__ import annotations

from scratchnet.backends import Array, Backend, InputError
from scratchnet.ops.broadcasting import matched, unbroadcast
from scratchnet.tensor import Operand, Tensor, result


def matmul(a: Operand, b: Operand) -> Tensor:
    """y = a b;   dL/da = dL/dy b^T,   dL/db = a^T dL/dy

    a (..., n, k), b (..., k, m) -> y (..., n, m); leading axes are broadcast. A vector a (k,) is a
    row and a vector b (k,) a column, and y is without that axis: two vectors give a number. Over an
    empty k the sum is 0. Raises `InputError`, naming both shapes, where they do not fit.
    """
    a, b, k = matched(a, b)
    a_data, b_data = a.data, b.data
    if a_data.ndim == 0 or b_data.ndim == 0:
        raise InputError(f"matmul of shapes {a.shape} and {b.shape}: both need an axis, or use *")
    rows = k.reshape(a_data, (1, *a_data.shape)) if a_data.ndim == 1 else a_data
    columns = k.reshape(b_data, (*b_data.shape, 1)) if b_data.ndim == 1 else b_data
    try:
        y = k.matmul(rows, columns)
    except ValueError:
        raise InputError(f"matmul of shapes {a.shape} and {b.shape}: they do not fit") from None
    batch, matrix = y.shape[:-2], y.shape
    shape = (*batch, *matrix[-2:-1][: a_data.ndim - 1], *matrix[-1:][: b_data.ndim - 1])

    def pullback_a(dy: Array) -> Array:
        dy = _in_shape(k, dy, matrix)
        return _in_shape(k, unbroadcast(k, k.matmul(dy, columns.mT), rows.shape), a_data.shape)

    def pullback_b(dy: Array) -> Array:
        dy = _in_shape(k, dy, matrix)
        return _in_shape(k, unbroadcast(k, k.matmul(rows.mT, dy), columns.shape), b_data.shape)

    return result(_in_shape(k, y, shape), k, (a, pullback_a), (b, pullback_b))


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y = x W + b;   dL/dx = dL/dy W^T,   dL/dW = x^T dL/dy,   dL/db = sum of rows of dL/dy

    x (N, in) or (E, N, in), W (in, out) or (E, in, out), b (out,) or (E, 1, out) -> y (N, out) or
    (E, N, out). The layer that calls this checks the shapes. Raises `TypeError` for two dtypes.
    """
    k, x_data, w_data, b_data = x.backend, x.data, weight.data, bias.data
    if k is not weight.backend or x_data.dtype != w_data.dtype or w_data.dtype != b_data.dtype:
        matched(x, weight)
        matched(weight, bias)
    y = k.add_bias(k.matmul(x_data, w_data), b_data)
    if x_data.ndim == w_data.ndim == 2:
        # One network: nothing was broadcast but the bias, over the rows.
        return result(
            y,
            k,
            (x, lambda dy: k.matmul(dy, w_data.mT)),
            (weight, lambda dy: k.matmul(x_data.mT, dy)),
            (bias, lambda dy: k.sum_rows(dy)),
        )
    return result(
        y,
        k,
        (x, lambda dy: unbroadcast(k, k.matmul(dy, w_data.mT), x_data.shape)),
        (weight, lambda dy: unbroadcast(k, k.matmul(x_data.mT, dy), w_data.shape)),
        (bias, lambda dy: unbroadcast(k, dy, b_data.shape)),
    )


def _in_shape(k: Backend, x: Array, shape: tuple[int, ...]) -> Array:
    """x itself where it has the shape already: to reshape a view may copy it."""
    return x if x.shape == shape else k.reshape(x, shape)

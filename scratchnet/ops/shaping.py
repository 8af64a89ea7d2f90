"""Moving entries about: the values do not change, so each pullback moves the gradient back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends import InputError
from scratchnet.tensor import Tensor, result


def reshape(x: Tensor, shape: Sequence[int]) -> Tensor:
    """y has x's entries in row-major order and a new shape;   dL/dx = dL/dy in x's shape

    One size may be -1: it is what is left. Raises `InputError` where the sizes do not fit.
    """
    k, old = x.backend, x.data.shape
    try:
        y = k.reshape(x.data, tuple(shape))
    except (ValueError, TypeError):
        raise InputError(
            f"reshape from {old} to {shape}: needs sizes in whole numbers with the same product"
        ) from None
    return result(y, k, (x, lambda dy: k.reshape(dy, old)))


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """y has x's axes in the order `axes`;   dL/dx has dL/dy's axes in the inverse order

    Without `axes` the last two are swapped, which transposes a matrix, or each of a stack.
    """
    k = x.backend
    if axes is None:
        if x.ndim < 2:
            raise InputError(f"transpose of shape {x.shape}: a matrix needs at least two axes")
        axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    if sorted(axis + x.ndim if axis < 0 else axis for axis in axes) != list(range(x.ndim)):
        raise InputError(f"transpose of shape {x.shape} with axes {tuple(axes)}: name each once")
    inverse = [0] * x.ndim
    for new, old in enumerate(axes):
        inverse[old] = new
    return result(x.data.transpose(axes), k, (x, lambda dy: dy.transpose(inverse)))


def concatenate(parts: Sequence[Tensor], axis: int = 0) -> Tensor:
    """y = the parts one after another along `axis`;   dL/d(part) = its slice of dL/dy"""
    k = _one_backend("concatenate", parts)
    try:
        y = k.concatenate([part.data for part in parts], axis)
    except ValueError:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise InputError(f"concatenate along axis {axis}: shapes {shapes} do not fit") from None
    axis %= y.ndim
    edges, start = [], 0
    for part in parts:
        stop = start + part.shape[axis]
        place = (slice(None),) * axis + (slice(start, stop),)
        edges.append((part, lambda dy, place=place: dy[place]))
        start = stop
    return result(y, k, *edges)


def stack(parts: Sequence[Tensor], axis: int = 0) -> Tensor:
    """y = the parts, all of one shape, along a new axis;   dL/d(part) = its slice of dL/dy"""
    _one_backend("stack", parts)
    if any(part.shape != parts[0].shape for part in parts):
        shapes = ", ".join(str(part.shape) for part in parts)
        raise InputError(f"stack: the shapes differ: {shapes}")
    axes = parts[0].ndim + 1
    if not -axes <= axis < axes:
        raise InputError(f"stack along axis {axis} of shape {parts[0].shape}: no such axis")
    axis %= axes
    shape = (*parts[0].shape[:axis], 1, *parts[0].shape[axis:])
    return concatenate([reshape(part, shape) for part in parts], axis)


def take(x: Tensor, index: Any) -> Tensor:
    """y = x[index];   dL/dx is zero but for dL/dx[index] += dL/dy, where repeated places add up

    `index` is anything NumPy indexes with: numbers, slices, None, `...`, arrays of whole numbers
    or booleans.
    """
    k, shape = x.backend, x.data.shape
    try:
        y = k.take(x.data, index)
    except IndexError as error:
        raise InputError(f"index into shape {tuple(shape)}: {error}") from None
    return result(y, k, (x, lambda dy: k.scatter_add(dy, index, shape)))


def _one_backend(op: str, parts: Sequence[Tensor]) -> Any:
    if not parts:
        raise InputError(f"{op}: no tensors were given, at least one is needed")
    if plain := [type(part).__name__ for part in parts if not isinstance(part, Tensor)]:
        raise TypeError(f"{op}: accepted are tensors, got {plain[0]}")
    if any(part.backend is not parts[0].backend for part in parts):
        names = ", ".join(part.backend.name for part in parts)
        raise TypeError(f"{op}: tensors on different backends: {names}")
    if any(part.data.dtype != parts[0].data.dtype for part in parts):
        names = ", ".join(part.dtype for part in parts)
        raise TypeError(f"{op}: tensors of different dtypes: {names}")
    return parts[0].backend

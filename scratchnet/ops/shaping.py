"""Moving entries about: the values do not change, so each pullback moves the gradient back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

from scratchnet.backends import InputError
from scratchnet.ops.broadcasting import unbroadcast
from scratchnet.tensor import Axis, Tensor, result, view


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
    return view(y, x, lambda dy: k.reshape(dy, old))


def transpose(x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """y has x's axes in the order `axes`;   dL/dx has dL/dy's axes in the inverse order

    Without `axes` the last two are swapped, which transposes a matrix, or each of a stack.
    """
    if axes is None:
        if x.ndim < 2:
            raise InputError(f"transpose of shape {x.shape}: a matrix needs at least two axes")
        axes = (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)
    if sorted(axis + x.ndim if axis < 0 else axis for axis in axes) != list(range(x.ndim)):
        raise InputError(f"transpose of shape {x.shape} with axes {tuple(axes)}: name each once")
    inverse = [0] * x.ndim
    for new, old in enumerate(axes):
        inverse[old] = new
    return view(x.data.transpose(axes), x, lambda dy: dy.transpose(inverse))


def squeeze(x: Tensor, axis: Axis = None) -> Tensor:
    """y is x without those axes, or all axes, of size 1;   dL/dx = dL/dy in x's shape"""
    axes = axes_of("squeeze", x, axis)
    if axis is None:
        axes = tuple(i for i in axes if x.shape[i] == 1)
    if any(x.shape[i] != 1 for i in axes):
        raise InputError(f"squeeze of axis {axis} of shape {x.shape}: must have size 1")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """y repeats x along new leading axes and along its axes of size 1, up to `shape`;

    dL/dx = the sum of dL/dy over what was repeated. A view: no number is copied. Raises
    `InputError` where x does not broadcast to the shape.
    """
    k, old = x.backend, x.data.shape
    try:
        y = k.xp.broadcast_to(x.data, tuple(shape))
    except (ValueError, TypeError):
        raise InputError(
            f"broadcast_to from {old} to {shape}: must be {old} with any axes put in front, and "
            "any size in place of 1"
        ) from None
    return view(y, x, lambda dy: unbroadcast(k, dy, old))


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


def split(x: Tensor, parts: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along `axis` into a list of tensors, as `numpy.split` does; `concatenate` undoes it.

    `parts` is the number of parts, all of one size, or the places at which to cut, which ascend
    from 0 to the axis's size. Each part is taken by its slice, which is also its derivative.
    """
    axes = axes_of("split", x, axis)
    if len(axes) != 1:
        raise InputError(f"split over axis {axis} of shape {x.shape}: must be one axis")
    (axis,) = axes
    size = x.shape[axis]
    if isinstance(parts, Integral):
        if parts < 1 or size % parts:
            raise InputError(
                f"split into {parts} parts: must divide {size}, the size of axis {axis} of shape "
                f"{x.shape}; or give the places at which to cut"
            )
        places = [i * (size // int(parts)) for i in range(1, int(parts))]
    else:
        places = list(parts) if hasattr(parts, "__iter__") else [parts]
    edges = [0, *places, size]
    if not all(isinstance(edge, Integral) for edge in edges) or edges != sorted(edges):
        raise InputError(
            f"split at {parts}: must be whole numbers which ascend from 0 to {size}, the size of "
            f"axis {axis} of shape {x.shape}"
        )
    before = (slice(None),) * axis
    return [take(x, (*before, slice(*pair))) for pair in pairwise(edges)]


def take(x: Tensor, index: Any) -> Tensor:
    """y = x[index];   dL/dx is zero but for dL/dx[index] += dL/dy, where repeated places add up

    `index` is anything NumPy indexes with: whole numbers, slices, None, `...`, arrays of whole
    numbers or booleans; -1 is the last place. Raises `InputError` for a place outside of x, and for
    anything else. Entries of an index that is an array on a GPU are not compared with the shape,
    which would wait for the GPU: outside of x, CuPy counts on from the other end.
    """
    k, shape = x.backend, x.data.shape
    try:
        y = k.take(x.data, index)
    except (IndexError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"index into shape {tuple(shape)}: {error}") from None
    return result(y, k, (x, lambda dy: k.scatter_add(dy, index, shape)))


def _one_backend(op: str, parts: Sequence[Tensor]) -> Any:
    """The backend of all parts; raises unless they are tensors of one backend and dtype."""
    if not parts:
        raise InputError(f"{op}: no tensors were given, at least one is needed")
    if plain := [type(part).__name__ for part in parts if not isinstance(part, Tensor)]:
        raise TypeError(f"{op}: must be tensors, got {plain[0]}")
    if any(part.backend is not parts[0].backend for part in parts):
        names = ", ".join(part.backend.name for part in parts)
        raise TypeError(f"{op}: tensors on different backends: {names}")
    if any(part.data.dtype != parts[0].data.dtype for part in parts):
        names = ", ".join(part.dtype for part in parts)
        raise TypeError(f"{op}: tensors of different dtypes: {names}")
    return parts[0].backend


def axes_of(op: str, x: Tensor, axis: Axis) -> tuple[int, ...]:
    """The axes as non-negative numbers, each once; `InputError` where one does not exist."""
    if axis is None:
        return tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(i, Integral) for i in axes):
        raise InputError(f"{op} over axis {axis!r}: must be None, a whole number or a tuple")
    if any(not -x.ndim <= i < x.ndim for i in axes) or len({i % x.ndim for i in axes}) < len(axes):
        raise InputError(f"{op} over axis {axis} of shape {x.shape}: no such axis, or named twice")
    return tuple(i % x.ndim for i in axes)

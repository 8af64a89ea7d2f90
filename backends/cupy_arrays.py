"""What our CUDA kernels ask of the arrays that they get: one float dtype, and no gaps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, TypeVar, cast

from scratchnet.backends.contexts import Blocks
from scratchnet.backends.cublas import Layout, layout_of
from scratchnet.backends.cuda_kernels import REALS, Kernels
from scratchnet.backends.interface import Array, Backend, Out

Function = TypeVar("Function", bound=Callable[..., Any])


def elementwise(kernel: Function) -> Function:
    """Mark a kernel each of whose outputs depends only on the inputs at its place."""
    kernel.is_elementwise = True  # type: ignore[attr-defined]
    return kernel


_IN_PRIMITIVES: Blocks[None] = Blocks("fused steps in primitives")


def in_primitives() -> AbstractContextManager[None]:
    """Inside, in this thread or task alone, fused steps are made of primitives, as the interface
    says them, so that what is recorded is what the compiler of steps reads."""
    return _IN_PRIMITIVES.opened(None)


def by_own_kernel(method: Function) -> Function:
    """Mark a method of the interface that a kernel of ours does, but inside `in_primitives`."""
    plain = getattr(Backend, method.__name__)

    @wraps(method)
    def chosen(self: Any, *args: Any, **kwargs: Any) -> Any:
        is_plain = _IN_PRIMITIVES.entries() and _IN_PRIMITIVES.values()
        return (plain if is_plain else method)(self, *args, **kwargs)

    return cast(Function, chosen)


def unchanged(out: Array) -> Array:
    """The kernel that does nothing."""
    return out


def row_step(row: Layout, shape: tuple[int, ...]) -> int | None:
    """Entries from one network's row to the next one's, 0 for a row that all share.

    For arrays (N, d) or (E, N, d) and a row (d,) or (E, 1, d); None for anything else.
    """
    if len(shape) < 2 or not row.shape or row.shape[-1] != shape[-1]:
        return None
    if row.strides[-1] != 1 and row.shape[-1] > 1:
        return None
    if len(row.shape) == 1:
        return 0
    is_own = len(shape) == 3 and row.shape == (shape[0], 1, shape[2])
    return row.strides[0] if is_own else None


class KernelArrays(Backend):
    """The part of the CUDA backend that fits arrays to its own kernels, some per dtype."""

    _kernels: dict[str, Kernels]

    def _has_kernel(self, *arrays: Array) -> bool:
        return str(arrays[0].dtype) in REALS and all(x.dtype == arrays[0].dtype for x in arrays)

    def _row_step(self, row: Array, shape: tuple[int, ...]) -> int | None:
        return row_step(layout_of(row), shape)

    def _dense(self, x: Array) -> Array:
        return self.xp.ascontiguousarray(x) if x.ndim else x

    def _target(self, out: Out, shape: tuple[int, ...], dtype: Any) -> Array:
        """`out` where a kernel can write to it, else a new array."""
        fits = out is not ... and out.flags.c_contiguous and out.dtype == dtype
        return out if fits else self.empty(shape, dtype)

    def _delivered(self, target: Array, out: Out) -> Array:
        """`target`, or its numbers in an `out` that the kernel could not write to."""
        return target if target is out else self._written(target, out)

    def _also_written(self, *arrays: Array) -> None:
        """Let a recorder know that the next kernel writes these too, besides its `out`."""
        for array in arrays:
            self.run(unchanged, out=array)

"""Matrix products by cuBLAS, with a handle and a workspace of our own.

CuPy's products refuse to run while a CUDA graph is captured (cupy issue 6290), and copy every
transposed operand of a batch. cuBLAS itself does neither: it is told how the operands lie.

It counts columns first. A row-major matrix, read column by column, is its transpose; so what is
asked for is out^T = b^T a^T, with the operands in the other order and nothing moved.
"""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchnet.backends.interface import Array


class Gemm(NamedTuple):
    """The integers of one call of cublasGemmStridedBatchedEx, in its order.

    Matrix number i of an operand begins `step` entries after the one before, 0 for a shared one.
    Its columns (for cuBLAS) begin `leading` entries apart.
    """

    transpose_b: bool
    transpose_a: bool
    m: int
    n: int
    k: int
    leading_b: int
    step_b: int
    leading_a: int
    step_a: int
    leading_out: int
    step_out: int
    batch: int


class Layout(NamedTuple):
    """Shape, and strides counted in entries."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]


def layout_of(array: Array) -> Layout:
    """An array's shape and its strides, in entries."""
    return Layout(array.shape, tuple([stride // array.itemsize for stride in array.strides]))


def product_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """(..., n, k) and (..., k, m) -> (..., n, m). Raises `ValueError` where they do not fit."""
    if a[-1] != b[-2]:
        raise ValueError(f"matmul of shapes {tuple(a)} and {tuple(b)}: they do not fit")
    return (*np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2])), a[-2], b[-1])


def matrix_layout(layout: Layout) -> tuple[bool, int] | None:
    """(whether it is stored by columns, entries from one row or column to the next).

    None where neither its rows nor its columns are without gaps.
    """
    (rows, columns), (row_stride, column_stride) = layout.shape[-2:], layout.strides[-2:]
    for by_columns, count, length, stride, inner in (
        (False, rows, columns, row_stride, column_stride),
        (True, columns, rows, column_stride, row_stride),
    ):
        # The stride of an axis with one entry says nothing.
        leading = stride if count > 1 else max(1, length)
        if (inner == 1 or length <= 1) and leading >= max(1, length):
            return by_columns, leading
    return None


def batch_step(layout: Layout, batch: tuple[int, ...]) -> int | None:
    """Entries from one matrix to the next over all leading axes, None where that varies."""
    missing = len(batch) - len(layout.shape[:-2])
    shape, strides = (1,) * missing + layout.shape[:-2], (0,) * missing + layout.strides[:-2]
    axes = [
        (count, stride if own > 1 else 0)
        for count, own, stride in zip(batch, shape, strides, strict=True)
        if count > 1
    ]
    for (_, outer), (count, inner) in zip(axes, axes[1:], strict=False):
        if outer != count * inner:
            return None
    return axes[-1][1] if axes else 0


def is_usable(layout: Layout, batch: tuple[int, ...]) -> bool:
    """Whether cuBLAS can read (or write) these matrices where they lie."""
    return matrix_layout(layout) is not None and batch_step(layout, batch) is not None


def is_writable(layout: Layout, batch: tuple[int, ...]) -> bool:
    """Whether they can be written: in rows, and each matrix in a place of its own."""
    found = matrix_layout(layout)
    return (
        found is not None
        and not found[0]
        and (math.prod(batch) == 1 or (batch_step(layout, batch) or 0) > 0)
    )


def gemm_arguments(a: Layout, b: Layout, out: Layout) -> Gemm:
    """What to ask cuBLAS for so that out = a b, all three being usable where they lie."""
    batch = out.shape[:-2]
    (by_columns_a, leading_a), (by_columns_b, leading_b), (_, leading_out) = (
        matrix_layout(each) or (False, 0) for each in (a, b, out)
    )
    return Gemm(
        by_columns_b,
        by_columns_a,
        b.shape[-1],
        a.shape[-2],
        a.shape[-1],
        leading_b,
        batch_step(b, batch) or 0,
        leading_a,
        batch_step(a, batch) or 0,
        leading_out,
        batch_step(out, batch) or 0,
        math.prod(batch),
    )


class Operands(NamedTuple):
    """How the numbers of a product are stored, and what it computes in: constants of cuBLAS."""

    stored: int
    result: int
    computed: int


_REAL_32, _REAL_64, _REAL_16, _BFLOAT_16 = 0, 1, 2, 14
_COMPUTE_32, _COMPUTE_32_FAST_TF32, _COMPUTE_64 = 68, 77, 70
_DEFAULT_ALGORITHM = -1

OPERANDS = {
    "float64": Operands(_REAL_64, _REAL_64, _COMPUTE_64),
    "fp32": Operands(_REAL_32, _REAL_32, _COMPUTE_32),
    "tf32": Operands(_REAL_32, _REAL_32, _COMPUTE_32_FAST_TF32),
    "fp16": Operands(_REAL_16, _REAL_32, _COMPUTE_32),
    "bf16": Operands(_BFLOAT_16, _REAL_32, _COMPUTE_32),
}
"""Of each precision, and of float64 arrays. All sums of float32 products are taken in float32."""

_int, _long, _pointer = ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p
_MATRIX = (_pointer, _int, _int)
_MATRICES = (*_MATRIX, _long)
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (ctypes.POINTER(_pointer),),
    "cublasSetStream_v2": (_pointer, _pointer),
    "cublasSetWorkspace_v2": (_pointer, _pointer, ctypes.c_size_t),
    "cublasGemmEx": (
        *(_pointer, _int, _int, _int, _int, _int),
        *(_pointer, *_MATRIX, *_MATRIX, _pointer, *_MATRIX, _int, _int),
    ),
    "cublasGemmStridedBatchedEx": (
        *(_pointer, _int, _int, _int, _int, _int),
        *(_pointer, *_MATRICES, *_MATRICES, _pointer, *_MATRICES, _int, _int, _int),
    ),
}
"""The functions of cuBLAS that are used, with the types of their arguments."""


def load_library() -> ctypes.CDLL:
    """cuBLAS, from the same places in which CuPy looks for it.

    Raises `OSError` or CuPy's `DynamicLibNotFoundError`, a `RuntimeError`, where there is none.
    """
    from cuda.pathfinder import load_nvidia_dynamic_lib

    library = ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    for name, arguments in SIGNATURES.items():
        getattr(library, name).argtypes = arguments
    library.cublasGetStatusString.restype = ctypes.c_char_p
    return library


def workspace_bytes(compute_capability: int) -> int:
    """What NVIDIA recommends: 32 MiB from Hopper on, whose number is 90, and 4 MiB before."""
    return (32 if compute_capability >= 90 else 4) * 2**20


class Handle:
    """A handle of cuBLAS for one stream, with the memory that its products may use on the way.

    It is taken from the `spare` ones where there is one, and afterwards given back to them.
    """

    def __init__(self, xp: Any, library: Any, stream: Any, spare: list[Any]) -> None:
        self._library, self._spare, self.pointer = library, spare, ctypes.c_void_p()
        try:
            self.pointer = spare.pop()
        except IndexError:
            self.call("cublasCreate_v2", ctypes.byref(self.pointer), has_handle=False)
        self.call("cublasSetStream_v2", stream.ptr)
        # cuBLAS would otherwise allocate when it first runs on a stream, which a capture forbids.
        # Setting the stream goes back to that memory, so it comes first.
        capability = int(xp.cuda.Device().compute_capability)
        self._workspace = xp.empty(workspace_bytes(capability), np.uint8)
        memory = self._workspace.data.ptr, self._workspace.nbytes
        self.call("cublasSetWorkspace_v2", *memory)

    def call(self, function: str, *arguments: Any, has_handle: bool = True) -> None:
        """Call a function of cuBLAS. Raises `RuntimeError` with its status where it fails."""
        arguments = (self.pointer, *arguments) if has_handle else arguments
        status = getattr(self._library, function)(*arguments)
        if status:
            text = self._library.cublasGetStatusString(status).decode()
            raise RuntimeError(f"{function} of cuBLAS failed with status {status}: {text}")

    def __del__(self) -> None:
        # To destroy it waits for the device, which ends what another thread captures meanwhile.
        if self.pointer:
            self._spare.append(self.pointer)


class Cublas:
    """cuBLAS on the current device. All its work is put on CuPy's current stream.

    Each thread has a handle of its own for each stream that it uses. Two products that run at the
    same time, from two threads or in two graphs, share no memory on the way, and a thread that
    captures one stream gets no product of another thread onto it. What was captured goes on using
    the memory of its handle: it must come from a pool that lives as long as the graph.
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._library = load_library()
        self._of_thread = threading.local()
        self._spare: list[Any] = []

    def _handle(self) -> Handle:
        """The one of this thread and the current stream, which ends with its stream."""
        stream = self._xp.cuda.get_current_stream()
        handles = self._of_thread.__dict__.setdefault("handles", {})
        # By address, which a later stream may have: so the stream itself is compared too.
        known, handle = handles.get(stream.ptr, (None, None))
        if known is None or known() is not stream:
            handle = None
            gone = [each for each, (old, _) in handles.items() if old() is None]
            for address in {stream.ptr, *gone} & handles.keys():
                del handles[address]
            handle = Handle(self._xp, self._library, stream, self._spare)
            handles[stream.ptr] = weakref.ref(stream), handle
        return handle

    def multiply(self, gemm: Gemm, a: Array, b: Array, out: Array, operands: Operands) -> None:
        """out = a b, of arrays whose layouts are those that `gemm` was made for."""
        number = ctypes.c_double if operands.computed == _COMPUTE_64 else ctypes.c_float
        one, zero = number(1), number(0)
        shape = gemm.transpose_b, gemm.transpose_a, gemm.m, gemm.n, gemm.k
        first = b.data.ptr, operands.stored, gemm.leading_b
        second = a.data.ptr, operands.stored, gemm.leading_a
        target = out.data.ptr, operands.result, gemm.leading_out
        scales = ctypes.byref(one), ctypes.byref(zero)
        how = operands.computed, _DEFAULT_ALGORITHM
        arguments: tuple[Any, ...]
        if gemm.batch == 1:
            # It may share a long sum among the whole GPU, which the other does not.
            function = "cublasGemmEx"
            arguments = (*shape, scales[0], *first, *second, scales[1], *target, *how)
        else:
            function = "cublasGemmStridedBatchedEx"
            arguments = (
                *(*shape, scales[0], *first, gemm.step_b, *second, gemm.step_a, scales[1]),
                *(*target, gemm.step_out, gemm.batch, *how),
            )
        self._handle().call(function, *arguments)

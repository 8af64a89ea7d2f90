"""The CUDA sources, compiled for the host by the C++ compiler, where there is one.

A CUDA kernel is C++ with a few words more. Defined away, and with a grid of one thread, what is
left is the loop over all entries. So CupyBackend's own code can be run on NumPy's arrays, all but
the device itself: which kernel gets what, in which order, of which layout.
"""

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from test_gemm_arguments import blas

from scratchnet.backends.cublas import OPERANDS, Gemm, Operands
from scratchnet.backends.cuda_kernels import TYPES, parameter_types, sources, typed
from scratchnet.backends.cupy_backend import CupyBackend
from scratchnet.backends.interface import Backend
from scratchnet.backends.numpy_backend import NumpyBackend
from scratchnet.backends.rounding import ROUNDINGS

COMPILER = shutil.which("g++") or shutil.which("clang++")

ONE_THREAD = """
#include <cmath>
#include <cstring>
using namespace std;
#define __global__
#define __device__ static
#define __shared__ static
#define BLOCK 1
static void __syncthreads() {}
#define lanes 1
static const struct { int x; } blockIdx = {0}, threadIdx = {0}, blockDim = {1}, gridDim = {1};
template <class T> T __shfl_xor_sync(unsigned, T value, int) { return value; }
static unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
"""

TO_FP16 = 'asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));'
"""The one line that only a GPU understands."""


@cache
def compiled(folder: Path, dtype: str) -> ctypes.CDLL:
    source = sources()[dtype]
    assert source.count(TO_FP16) == 1
    source = source.replace(TO_FP16, "_Float16 half = x; memcpy(&y, &half, 2);")
    path, library = folder / f"{dtype}.cpp", folder / f"{dtype}.so"
    path.write_text(ONE_THREAD + source)
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([str(COMPILER), *flags, str(path)], check=True)
    return ctypes.CDLL(str(library))


NUMBERS = {name: np.ctypeslib.as_ctypes_type(each) for name, each in TYPES.items()}


class HostKernels:
    """As `Kernels`, but each launch is a loop on the host."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self._library = compiled(folder, dtype)
        self._types = parameter_types(sources()[dtype])
        real: dict[str, Any] = {"real": dtype, "float": "f4", "word": "u8", "unsigned short": "u2"}
        dtypes = real | {"whole": "i8", "unsigned": "u4"}
        self._pointers = {
            f"{const}{name}*": np.dtype(each)
            for name, each in dtypes.items()
            for const in ("", "const ")
        }

    def launch(self, name: str, threads: int, *arguments: Any) -> None:
        if threads:
            values = typed(self._types[name], arguments)
            getattr(self._library, name)(*map(self._as_c, self._types[name], values))

    launch_sums = launch

    def _as_c(self, declared: str, value: Any) -> Any:
        if declared in NUMBERS:
            return NUMBERS[declared](value.item())
        assert isinstance(value, np.ndarray) and value.dtype == self._pointers[declared]
        return ctypes.c_void_p(value.ctypes.data)


class ReferenceBlas:
    """As `Cublas`: the product that the arguments define."""

    def multiply(self, gemm: Gemm, a: Any, b: Any, out: Any, operands: Operands) -> None:
        read = [self._numbers(x, operands) for x in (a, b)]
        blas(gemm, read[0], 0, read[1], 0, memory(out), 0)

    def _numbers(self, x: Any, operands: Operands) -> Any:
        flat = memory(x)
        if operands == OPERANDS["fp16"]:
            return flat.view(np.float16).astype(np.float32)
        if operands == OPERANDS["bf16"]:
            return (flat.astype(np.uint32) << 16).view(np.float32)
        return ROUNDINGS["tf32"](flat, ...) if operands == OPERANDS["tf32"] else flat


def memory(x: Any) -> Any:
    """All that lies from an array's first entry to its last one, as a flat view."""
    last = sum((n - 1) * stride for n, stride in zip(x.shape, x.strides, strict=True))
    return np.lib.stride_tricks.as_strided(x, (last // x.itemsize + 1,), (x.itemsize,))


class HostCupyBackend(CupyBackend):
    """CupyBackend's code on NumPy's arrays."""

    def __init__(self, folder: Path, precision: str) -> None:
        self.xp = np
        self.precision = precision
        self._cublas: Any = ReferenceBlas()
        self._kernels: Any = {dtype: HostKernels(folder, dtype) for dtype in sources()}
        self._ones = {}

    run = Backend.run
    _where = Backend._where
    timer = Backend.timer
    _max, _min = NumpyBackend._max, NumpyBackend._min

    def _sum(self, x: Any, axis: Any, keepdims: bool, out: Any) -> Any:
        """As CuPy's: a sum of rows is rounded otherwise where the output has gaps."""
        if axis == -2 and out is not ... and not out.flags.c_contiguous:
            x = x[..., ::-1, :]
        return np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)

    def to_numpy(self, array: Any) -> Any:
        return array

    def address(self, array: Any) -> int:
        return int(array.__array_interface__["data"][0])

    def synchronize(self) -> None:
        pass

    def device_info(self) -> dict[str, str | int | float]:
        return {"backend": self.name}

    def repeater(self, calls: Any) -> Any:
        return Backend.repeater(self, self.fused(calls))

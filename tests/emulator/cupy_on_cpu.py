"""The real CuPy on an emulated CUDA device: import this before cupy, or pytest -p cupy_on_cpu.

CuPy calls the driver and cuBLAS in shared libraries, which are found in our folder first. The
runtime is linked into CuPy itself: there, each of its functions is overwritten by a jump to ours.
What CuPy would give to NVIDIA's compiler is given to g++.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BUILT = Path(os.environ["CUDA_EMULATOR"])
CACHE = BUILT / "cache"
PACKAGES = next(Path(p) for p in sys.path if (Path(p) / "cupy_backends").is_dir())
WITH_RUNTIME = ("cupy_backends/cuda/api/runtime", "cupy/cuda/cub", "cupy/cuda/thrust")
KEPT = ("cudaRuntimeGetVersion", "cudaGetErrorName", "cudaGetErrorString")
"""The functions of the runtime that need no device."""

Hazard = tuple[str, list[str]]
hazards: list[Hazard] = []
"""What a capture forbids and was done: what it is, and the last calls that led to it."""

device = ctypes.CDLL(str(BUILT / "lib" / "libcuda.so.1"), mode=ctypes.RTLD_GLOBAL)
device.emu_log_line.restype = ctypes.c_char_p
device.emu_log_size.restype = ctypes.c_long
_libc = ctypes.CDLL(None)


class log:
    """Inside `with log() as log:`, what the device is given to do is noted in `log.lines`."""

    lines: list[str]

    def __enter__(self) -> log:
        device.emu_log_clear()
        device.emu_log(1)
        return self

    def __exit__(self, *_: object) -> None:
        device.emu_log(0)
        size = device.emu_log_size()
        self.lines = [device.emu_log_line(ctypes.c_long(i)).decode() for i in range(size)]

    def nodes(self) -> list[str]:
        """What was captured, in order."""
        word = "captured "
        return [line.removeprefix(word) for line in self.lines if line.startswith(word)]


@ctypes.CFUNCTYPE(None, ctypes.c_char_p)
def _note_hazard(what: bytes) -> None:
    calls = [f"{f.filename}:{f.lineno} {f.line}" for f in traceback.extract_stack()[:-1]]
    hazards.append((what.decode(), calls[-7:]))


device.emu_on_hazard(_note_hazard)


def redirect_runtime(extension: Path) -> ctypes.CDLL:
    """Let each function of the CUDA runtime inside an extension module jump to ours."""
    library = ctypes.CDLL(str(extension))
    maps = Path("/proc/self/maps").read_text().splitlines()
    base = next(int(line.split("-")[0], 16) for line in maps if line.endswith(str(extension)))
    symbols = subprocess.run(["nm", str(extension)], capture_output=True, text=True, check=True)
    for line in symbols.stdout.splitlines():
        found = re.match(r"([0-9a-f]+) [tT] (cuda[A-Z]\w*)$", line)
        if not found:
            continue
        name = re.sub(r"(_v\d+|_ptsz)+$", "", found[2])
        if name not in KEPT:
            ours = getattr(device, f"emu_{name}", device.emu_unsupported)
            _write_jump(base + int(found[1], 16), ctypes.cast(ours, ctypes.c_void_p).value or 0)
    return library


def _write_jump(place: int, target: int) -> None:
    """mov rax, target; jmp rax: the twelve bytes of x86-64."""
    code = b"\x48\xb8" + target.to_bytes(8, "little") + b"\xff\xe0"
    page, everything = place & ~4095, 7
    if _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(8192), everything):
        raise OSError(f"cannot write to the code at {place:#x}")
    ctypes.memmove(place, code, len(code))


def _redirect_all() -> list[ctypes.CDLL]:
    found = [path for name in WITH_RUNTIME for path in PACKAGES.glob(f"{name}.*.so")]
    return [redirect_runtime(extension.resolve()) for extension in found]


_redirected = _redirect_all()

import cupy  # noqa: E402, F401
from cupy.cuda import compiler, function  # noqa: E402

BARRIERS = ("__syncthreads", "__shfl", "__syncwarp", "__cluster_barrier")
FLAGS = ("-std=c++17", "-O1", "-w", "-fpermissive", "-ffp-contract=off", "-fPIC")
TO_FP16 = 'asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));'
"""The one line of the project's sources that only a GPU understands."""


def for_host(source: str) -> str:
    """The source as C++, with a function for each kernel that binds the arguments of a launch."""
    source = source.replace(TO_FP16, "_Float16 half = x; memcpy(&y, &half, 2);")
    # The shared memory whose size is given at the launch.
    dynamic = r"extern\s+__shared__\s+(?:__align__\(\d+\)\s*)?([\w ]+?)\s+(\w+)\[\];"
    source = re.sub(dynamic, r"\1* \2 = (\1*)emu_shared();", source)
    lines = [source]
    for name, has_barriers in kernels_of(source).items():
        # Blocks of a cluster run together, which takes fibers.
        clusters = re.findall(rf"__cluster_dims__\((\d+), 1, 1\)[^;{{]*\b{name}\s*\(", source)
        cluster = int(clusters[0]) if clusters else 1
        lines.append(
            f'extern "C" {{ int {name}_has_barriers = {int(has_barriers or cluster > 1)}; '
            f"int {name}_cluster = {cluster}; "
            f"std::function<void()>* {name}_bind(void** arguments) "
            f"{{ return emu_bound(&{name}, arguments); }} }}"
        )
    return "\n".join(lines) + "\n"


def kernels_of(source: str) -> dict[str, bool]:
    """The kernels, and whether the threads of a block wait for each other in them.

    They do where a barrier is named between a kernel and the next one, or a function that names
    one or another such function, and everywhere where a macro does.
    """
    bounds = r"(?:__(?:launch_bounds|cluster_dims)__\([^)]*\)\s*)*"
    texts = re.split(rf"__global__\s+void\s+{bounds}(\w+)\s*\(", source)
    words = list(BARRIERS)
    functions = re.split(r"__device__[^;{]*?(\w+)\s*\([^;{)]*\)\s*{", source)
    for name, body in zip(functions[1::2], functions[2::2], strict=True):
        if any(word in body.split("__global__")[0] for word in words):
            words.append(name)
    macros = re.findall(r"#define(?:.*\\\n)*.*", source)
    in_macro = any(word in macro for macro in macros for word in BARRIERS)
    return {
        name: in_macro or any(word in body for word in words)
        for name, body in zip(texts[1::2], texts[2::2], strict=True)
    }


def compile_for_host(source: str, options: Sequence[str] = (), **_: Any) -> Any:
    """A module of CuPy, as its own compiler returns; compiled once and kept."""
    prelude = (HERE / "kernel.h").read_text()
    source = for_host(source)
    key = hashlib.sha1((source + repr(options) + prelude).encode()).hexdigest()
    library = CACHE / f"{key}.so"
    if not library.exists():
        # In a folder of its own: other threads and processes may compile the same.
        with tempfile.TemporaryDirectory(dir=CACHE) as own:
            _compile(source, options, Path(own) / "kernel.so")
            (Path(own) / "kernel.so").rename(library)
    module = function.Module()
    module.load(str(library).encode())
    return module


def _compile(source: str, options: Sequence[str], library: Path) -> None:
    """By g++, beside the library."""
    library.with_suffix(".cpp").write_text(source)
    folders = [BUILT / "include", HERE / "include", PACKAGES / "cupy/_core/include"]
    command = [
        *("g++", *FLAGS, "-shared", "-include", "kernel.h"),
        *(f"-I{folder}" for folder in folders),
        *(each for each in options if each.startswith(("-D", "-I"))),
        *("-o", str(library), str(library.with_suffix(".cpp"))),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line][:3]
        raise RuntimeError(f"the kernel does not compile for the host: {'; '.join(errors)}")


compiler._compile_module_with_cache = compile_for_host

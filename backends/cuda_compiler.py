"""NVIDIA's compiler without a GPU: machine code of a source, and what its kernels take."""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scratchnet.backends.cuda_kernels import COMPILER_OPTIONS

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")  # A100, H100 and H200, B200
NVRTC = "nvidia-cuda-nvrtc"
_TALK = "ptxas"


class CompileError(Exception):
    """The compiler refuses a source or warns of it; in its words."""


@dataclass(frozen=True)
class Compiled:
    """A source's machine code, and what each thread of its last kernel takes."""

    code: bytes
    registers: int
    spilled_bytes: int
    """What had to go to memory and back, since there were too few registers."""


def nvrtc_library() -> Path | None:
    """The compiler of the wheel that the extra `test` brings."""
    try:
        files = importlib.metadata.files(NVRTC) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name.startswith(("libnvrtc.so", "nvrtc64")) and "builtins" not in file.name:
            return Path(str(file.locate()))
    return None


def why_no_compiler() -> str | None:
    """None where `compile_for` works, else what is missing."""
    if nvrtc_library() or shutil.which("nvcc"):
        return None
    return f"neither nvcc nor the package {NVRTC} is installed"


@lru_cache(maxsize=32)
def compile_for(architecture: str, source: str) -> Compiled:
    """Raises `CompileError` where the source has an error or gives a warning."""
    options = (*COMPILER_OPTIONS, "--ptxas-options=-v")
    by_wheel = nvrtc_library() is not None
    code, log = (_with_nvrtc if by_wheel else _with_nvcc)(source, architecture, options)
    # What ptxas tells of each kernel is no warning.
    said = [line for line in log.splitlines() if line.strip() and not line.startswith(_TALK)]
    said = [line for line in said if not re.match(r"\s+\d+ bytes stack frame", line)]
    if said:
        raise CompileError("\n".join(said))
    registers = re.findall(r"Used (\d+) registers", log)
    spilled = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    return Compiled(
        code,
        int(registers[-1]) if registers else 0,
        sum(map(int, spilled[-1])) if spilled else 0,
    )


def _with_nvrtc(source: str, architecture: str, options: Sequence[str]) -> tuple[bytes, str]:
    """The binary and the log, by NVIDIA's library. Raises `CompileError`."""
    library = ctypes.CDLL(str(nvrtc_library()))
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    given = [each.encode() for each in (f"--gpu-architecture={architecture}", *options)]
    try:
        status = library.nvrtcCompileProgram(
            program, len(given), (ctypes.c_char_p * len(given))(*given)
        )
        log = _read(library, program, "ProgramLog").rstrip(b"\0").decode()
        if status:
            raise CompileError(log or f"status {status}")
        return _read(library, program, "CUBIN"), log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _read(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    """What the library holds of that name."""
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def _with_nvcc(source: str, architecture: str, options: Sequence[str]) -> tuple[bytes, str]:
    """The binary and the log, by the program nvcc. Raises `CompileError`."""
    command = ["nvcc", *options, "-Werror", "all-warnings", f"-arch={architecture}"]
    command += ["-x", "cu", "-cubin", "-o", "/dev/stdout", "-"]
    done = subprocess.run(command, input=source.encode(), capture_output=True)
    log = done.stderr.decode()
    if done.returncode:
        raise CompileError(log)
    return done.stdout, log

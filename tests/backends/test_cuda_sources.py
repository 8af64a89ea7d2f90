"""The CUDA sources compile for the GPUs that are meant, by NVIDIA's compiler; no GPU is needed."""

import ctypes
import importlib.metadata
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scratchnet.backends.cuda_kernels import COMPILER_OPTIONS, parameter_types, sources, typed

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")  # A100, H100 and H200, B200
NVRTC = "nvidia-cuda-nvrtc"


class CompileError(Exception):
    pass


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


def with_nvrtc(source: str, architecture: str) -> bytes:
    """The machine code. Raises `CompileError` with the compiler's words, warnings included."""
    library = ctypes.CDLL(str(nvrtc_library()))
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    options = [
        f"--gpu-architecture={architecture}".encode(),
        *[o.encode() for o in COMPILER_OPTIONS],
    ]
    status = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * 2)(*options))
    log = _read(library, program, "ProgramLog").rstrip(b"\0").decode()
    if status or log.strip():
        raise CompileError(log or f"status {status}")
    return _read(library, program, "CUBIN")


def _read(library: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def with_nvcc(source: str, architecture: str) -> bytes:
    command = ["nvcc", *COMPILER_OPTIONS, "-Werror", "all-warnings", f"-arch={architecture}"]
    command += ["-x", "cu", "-cubin", "-o", "/dev/stdout", "-"]
    done = subprocess.run(command, input=source.encode(), capture_output=True)
    if done.returncode:
        raise CompileError(done.stderr.decode())
    return done.stdout


COMPILER: Callable[[str, str], bytes] | None = (
    with_nvrtc if nvrtc_library() else with_nvcc if shutil.which("nvcc") else None
)
needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason=f"neither {NVRTC}, which the extra `test` brings on Linux, nor nvcc"
)


def compiled(source: str, architecture: str) -> bytes:
    assert COMPILER is not None
    return COMPILER(source, architecture)


@needs_compiler
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", sources())
def test_the_sources_compile_without_a_warning(dtype: str, architecture: str) -> None:
    code = compiled(sources()[dtype], architecture)
    for kernel in parameter_types(sources()[dtype]):
        assert kernel.encode() in code


@needs_compiler
def test_a_typo_is_found() -> None:
    for wrong in ("dx[i] = y[i] > 0 ? dz[i] : real(0)", "dx[i] = y[i] > 0 ? dy[i] : real(0"):
        source = sources()["float32"].replace("dx[i] = y[i] > 0 ? dy[i] : real(0)", wrong)
        assert source != sources()["float32"]
        with pytest.raises(CompileError, match="error"):
            compiled(source, ARCHITECTURES[0])


def test_every_kernel_and_every_parameter_is_read_from_the_source() -> None:
    found = parameter_types(sources()["float32"])
    assert len(found) == sources()["float32"].count("__global__")
    assert found["relu_backward"] == ["const real*", "const real*", "real*", "whole"]
    assert found["to_16_bits"][:2] == ["const float*", "whole"]


def test_numbers_get_the_type_that_the_source_declares() -> None:
    array = np.ones(2)
    given = typed(["real*", "int", "whole", "word", "double"], [array, True, 3, 2**32, 1])
    assert given[0] is array
    assert [type(each) for each in given[1:]] == [np.int32, np.int64, np.uint64, np.float64]
    with pytest.raises(ValueError):
        typed(["int"], [1, 2])

"""What a user reads where CUDA cannot be used."""

import logging
import subprocess
import sys
from functools import cache
from inspect import unwrap
from pathlib import Path

import pytest
from networks import refused

import scratchnet.backends as backends
from scratchnet.backends import DeviceMemoryError, InputError, cuda_check, get_backend


def test_a_driver_serves_its_own_major_version_and_those_before() -> None:
    for driver, runtime in ((13020, 13020), (13000, 13020), (14000, 13020), (13000, 12080)):
        assert cuda_check.why_driver_is_unfit(driver, runtime) is None
    assert "driver was found" in str(cuda_check.why_driver_is_unfit(0, 13020))
    old = str(cuda_check.why_driver_is_unfit(12080, 13020))
    assert "12.8" in old and "CUDA 13" in old and "gpu-cuda12" in old
    assert "gpu-cuda12" not in str(cuda_check.why_driver_is_unfit(11080, 12080))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError("Out of memory allocating 9 bytes"), "memory is full (Out of memory"),
        (DeviceMemoryError("it is full"), "memory is full (it is full)"),
        (RuntimeError("cudaErrorNoDevice: no CUDA-capable device"), "finds no NVIDIA GPU"),
        (OSError("libcublas.so.13: cannot open"), "missing (libcublas.so.13: cannot open): pip"),
        (RuntimeError("invalid device function\nmore"), "not work here: invalid device function"),
        (ZeroDivisionError(), "not work here: ZeroDivisionError"),
    ],
)
def test_what_the_small_product_says_when_it_fails(error: Exception, expected: str) -> None:
    reason = cuda_check.why_it_failed(error)
    assert expected in reason and "\n" not in reason


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "why_cupy_is_unavailable", lambda: "the reason: what to do")
    monkeypatch.setattr(backends, "_automatic", cache(unwrap(backends._automatic)))


def test_cupy_that_was_asked_for_is_refused_with_the_reason(without_cuda: None) -> None:
    for precision in backends.PRECISIONS:
        with refused("backend 'cupy' cannot be used: the reason: what to do"):
            get_backend("cupy", precision)


@pytest.mark.parametrize("installed", [False, True])
def test_auto_says_one_line_once_and_only_where_cupy_is_installed(
    without_cuda: None,
    installed: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(backends, "cupy_is_installed", lambda: installed)
    with caplog.at_level(logging.WARNING):
        assert get_backend("auto") is get_backend("auto") is get_backend("numpy")
    assert caplog.messages == ["computing with NumPy: the reason: what to do"] * installed


FAKE_CUPY = """
class runtime:
    runtimeGetVersion = staticmethod(lambda: 13020)
    driverGetVersion = staticmethod(lambda: {driver})
    getDeviceCount = staticmethod(lambda: {devices})
class cuda:
    runtime = runtime
{then}
"""


MISSING = [
    (0, 0, "", "no NVIDIA driver was found"),
    (12040, 1, "", "serves CUDA up to 12.4"),
    (13000, 0, "", "finds no NVIDIA GPU"),
    (13000, 1, "", "cannot be used: "),
    (0, 0, "raise ImportError('libx.so: cannot open')", "CuPy cannot be imported (libx.so"),
    (0, 0, "raise RuntimeError('two wheels\\nof CuPy')", "CuPy cannot be imported (two wheels)"),
]
# A process for each CuPy, since an import is remembered; what they have in common is loaded once.
ASK = """
import os, sys
from scratchnet.backends import get_backend
for folder in sys.argv[1:]:
    if os.fork() == 0:
        sys.path.insert(0, folder)
        get_backend("cupy")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
    print("end of one", file=sys.stderr, flush=True)
"""


def test_each_thing_that_can_be_missing(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(len(MISSING))]
    for folder, (driver, devices, then, _) in zip(folders, MISSING, strict=True):
        folder.mkdir()
        text = FAKE_CUPY.format(driver=driver, devices=devices, then=then)
        (folder / "cupy.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", ASK, *map(str, folders)],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["1"] * len(MISSING)
    *errors, rest = done.stderr.split("end of one\n")
    assert not rest
    for error, (*_, expected) in zip(errors, MISSING, strict=True):
        last = error.strip().splitlines()[-1]
        assert expected in last and "InputError" in last


def test_a_full_device_is_an_input_error_of_its_own() -> None:
    """So that a sweep can go on with the next size, and a command print one line."""
    assert issubclass(DeviceMemoryError, InputError)

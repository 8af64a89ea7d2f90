"""Whether CUDA works here, and if not, what to install."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from scratchnet.backends.errors import DeviceMemoryError

INSTALL = "pip install -e '.[gpu]' (CUDA 13) or pip install -e '.[gpu-cuda12]' (CUDA 12)"

NO_GPU = "the driver finds no NVIDIA GPU"


def cupy_is_installed() -> bool:
    """Whether CuPy is there to be imported."""
    return find_spec("cupy") is not None


@cache
def why_cupy_is_unavailable() -> str | None:
    """The reason, as one line, why nothing can be computed on CUDA here; None where it can.

    It works where a small product has been computed.
    """
    if not cupy_is_installed():
        return f"CuPy is not installed: {INSTALL}"
    try:
        import cupy

        runtime, driver = (
            cupy.cuda.runtime.runtimeGetVersion(),
            cupy.cuda.runtime.driverGetVersion(),
        )
    except Exception as error:
        return f"CuPy cannot be imported ({first_line(error)}): {INSTALL}"
    if reason := why_driver_is_unfit(driver, runtime):
        return reason
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return NO_GPU
        from scratchnet.backends.cupy_backend import CupyBackend

        backend = CupyBackend()
        ones = backend.ones((2, 2), "float32")
        if backend.to_numpy(backend.matmul(ones, ones)).tolist() != [[2, 2], [2, 2]]:
            return "a product of two small matrices came out wrong on the GPU"
    except Exception as error:
        return why_it_failed(error)
    return None


def why_it_failed(error: Exception) -> str:
    """What went wrong in the small product, and what to do about it."""
    said = first_line(error)
    if isinstance(error, (MemoryError, DeviceMemoryError)):
        return f"the GPU's memory is full ({said}): end what else computes on it"
    if "cudaErrorNoDevice" in said:
        return NO_GPU
    if isinstance(error, (OSError, ImportError)) or "DynamicLib" in type(error).__name__:
        return f"a library of CUDA is missing ({said}): {INSTALL}"
    return f"CUDA does not work here: {said}"


def why_driver_is_unfit(driver: int, runtime: int) -> str | None:
    """The reason why a driver cannot serve this CuPy; versions as CUDA counts them, 13020 is 13.2.

    Within a major version any driver serves; an older one serves no newer version.
    """
    if driver == 0:
        return "no NVIDIA driver was found: install the one for your GPU, then restart"
    if driver // 1000 >= runtime // 1000:
        return None
    advice = "update the driver"
    if driver // 1000 == 12:
        advice += ", or pip uninstall cupy-cuda13x && pip install -e '.[gpu-cuda12]'"
    return (
        f"the driver serves CUDA up to {driver // 1000}.{driver % 1000 // 10}, the installed CuPy "
        f"is for CUDA {runtime // 1000}: {advice}"
    )


def first_line(error: Exception) -> str:
    """Of an error's text, or the name of its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

"""Array libraries behind one interface: `get_backend("auto" | "numpy" | "cupy", precision)`."""

from __future__ import annotations

import logging
import threading
from functools import cache

from scratchnet.backends.cuda_check import cupy_is_installed, why_cupy_is_unavailable
from scratchnet.backends.errors import DeviceMemoryError, InputError, choose
from scratchnet.backends.interface import Array, Backend
from scratchnet.backends.numpy_backend import NumpyBackend
from scratchnet.backends.rounding import PRECISIONS, on_numpy

__all__ = [
    "PRECISIONS",
    "Array",
    "Backend",
    "DeviceMemoryError",
    "InputError",
    "NumpyBackend",
    "available_backends",
    "get_backend",
]


# Two threads that ask for the first time must get the same backend.
_ONE_AT_A_TIME = threading.RLock()


@cache
def _backend(name: str, precision: str) -> Backend:
    """The backend of that name and precision; there is one object for each."""
    if name == "numpy":
        return on_numpy(precision)
    from scratchnet.backends.cupy_backend import CupyBackend

    return CupyBackend(precision)


@cache
def _automatic() -> str:
    """cupy where it works, else numpy; with a line on stderr where CuPy is there in vain."""
    reason = why_cupy_is_unavailable()
    if reason is None:
        return "cupy"
    if cupy_is_installed():
        logging.getLogger("scratchnet").warning("computing with NumPy: %s", reason)
    return "numpy"


def available_backends() -> dict[str, str | None]:
    """Each backend's name, with None where it works here and the reason, one line, where not."""
    return {"numpy": None, "cupy": why_cupy_is_unavailable()}


def get_backend(name: str | Backend = "auto", precision: str = "fp32") -> Backend:
    """The backend of that name; a `Backend` is returned as it is.

    `auto` is CUDA where it works, else NumPy. `precision` is that of the operands of a product:
    fp32, or tf32, bf16 or fp16, which the GPU multiplies faster; NumPy only rounds to them. Raises
    `InputError` for an unknown name or precision, for a `Backend` of another precision, and for
    `cupy` where CUDA cannot be used, with the reason.
    """
    if precision not in PRECISIONS:
        choose("precision", precision, dict.fromkeys(PRECISIONS))
    if isinstance(name, Backend):
        if precision not in ("fp32", name.precision):
            raise InputError(
                f"precision {precision} of a backend made for {name.precision}: give its name"
            )
        return name
    with _ONE_AT_A_TIME:
        if name == "auto":
            return _backend(_automatic(), precision)
        # NumPy is there without asking CUDA, which takes a while.
        known = {"auto": None, "numpy": None, "cupy": None}
        choose("backend", name, known)
        if name == "cupy" and (reason := why_cupy_is_unavailable()):
            raise InputError(f"backend '{name}' cannot be used: {reason}")
        return _backend(name, precision)

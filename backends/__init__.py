"""Array libraries behind one interface: `get_backend("auto" | "numpy" | "cupy")`."""

from __future__ import annotations

from functools import cache

from scratchnet.backends.errors import InputError, choose
from scratchnet.backends.interface import Array, Backend
from scratchnet.backends.numpy_backend import NumpyBackend

__all__ = ["Array", "Backend", "InputError", "NumpyBackend", "available_backends", "get_backend"]


def why_cupy_is_unavailable() -> str:
    """The reason, as one line, why no computation runs on CUDA here."""
    return "the CUDA backend is not part of this version; accepted are auto and numpy"


@cache
def _numpy_backend() -> NumpyBackend:
    return NumpyBackend()


def available_backends() -> dict[str, str | None]:
    """Each backend's name, with None where it works here and the reason, one line, where not."""
    return {"numpy": None, "cupy": why_cupy_is_unavailable()}


def get_backend(name: str | Backend = "auto") -> Backend:
    """The backend of that name; a `Backend` is returned as it is.

    `auto` is the fastest one that works here. Raises `InputError` for an unknown name, and for
    `cupy` where CUDA cannot be used, with the reason.
    """
    if isinstance(name, Backend):
        return name
    reason = choose("backend", name, {"auto": None, **available_backends()})
    if reason is not None:
        raise InputError(f"backend '{name}' cannot be used: {reason}")
    return _numpy_backend()

"""`--compile`: whether a run compiles its training steps, decided once, before its first arm.

The decision follows from the settings and from whether there is a compiler, never from what is left
to train: bits are promised within one mode only, so all arms have the same one. It is kept beside
the finished arms, and a `--resume` goes on in the mode that it finds there.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scratchnet.backends import Backend
from scratchnet.backends.errors import InputError
from scratchnet.demos.results import to_json
from scratchnet.files import write_atomically

WORTHWHILE = 20.0
"""Seconds of replays from which on `auto` compiles, which takes seconds itself."""


@dataclass(frozen=True)
class Mode:
    """How the steps of a run are done."""

    compile: bool
    compiler: str = ""
    """With its version, its flags and the width of its vectors."""
    reason: str = ""

    @property
    def line(self) -> str:
        """What the first screen says of steps."""
        if self.compile:
            return f"Steps: compiled by {self.compiler}; --compile off replays them"
        return f"Steps: replayed, as {self.reason}"

    @property
    def environment(self) -> dict[str, Any]:
        """What `result.json` says of them."""
        return {"compiler": self.compiler} if self.compile else {}

    def opened(self) -> AbstractContextManager[None]:
        """A block in which `fit` trains in this mode."""
        from scratchnet.compiled_step import compiling

        return compiling() if self.compile else nullcontext()


def decide(settings: Any, backend: Backend, seconds: float) -> Mode:
    """The mode of a run that takes so many seconds where its steps are replayed.

    Raises `InputError` where `--compile on` cannot be had, and where the run to `--resume` had
    another mode or compiler.
    """
    wanted = settings.compile
    kept = read(settings.out) if settings.resume else None
    if kept is not None:
        before = "on" if kept.compile else "off"
        if wanted not in ("auto", before):
            raise InputError(f"--compile {wanted}: must be {before}, as in the run to --resume")
        wanted = before
    obstacle = obstacle_of(settings, backend, wanted)
    if kept is not None and kept.compile and obstacle:
        raise InputError(f"--resume of a run with compiled steps: must be without, as {obstacle}")
    if wanted == "on" and obstacle:
        raise InputError(f"--compile on: must be off, as {obstacle}")
    if wanted == "off" or obstacle or (wanted == "auto" and seconds < WORTHWHILE):
        return Mode(False, reason=_reason(wanted, obstacle))
    mode = Mode(True, backend.compiler())
    if kept is not None and kept.compiler != mode.compiler:
        raise InputError(
            f"--resume: the compiler must be that of the run, {kept.compiler}; here it is "
            f"{mode.compiler}"
        )
    return mode


def obstacle_of(settings: Any, backend: Backend, wanted: str) -> str:
    """Why steps cannot be compiled, or on a GPU are not without being asked for, or nothing."""
    if not settings.record:
        return "--no-record runs them as Python"
    if backend.name != "numpy" and wanted != "on":
        return f"no GPU has timed what is compiled for the backend {backend.name} yet"
    if settings.precision not in backend.compiled_precisions:
        known = " or ".join(backend.compiled_precisions)
        return f"--precision is {settings.precision}, not {known}"
    if backend.name != "numpy" and getattr(settings, "ranks", 1) > 1:
        return "a CUDA kernel cannot wait for the GPUs of other ranks"
    return backend.why_not_compiled() or ""


def _reason(wanted: str, obstacle: str) -> str:
    """Why steps run uncompiled: by choice, for an obstacle, or as the run is too short."""
    if wanted == "off":
        return "--compile is off"
    return obstacle or f"--compile auto begins at {WORTHWHILE:g} s"


def place(folder: Path) -> Path:
    """Where a run keeps how its steps were made."""
    return folder / "arms" / "compile.json"


def keep(folder: Path, mode: Mode) -> None:
    """Write the mode where a `--resume` finds it; a disk that is full does not end a run."""
    with suppress(OSError):
        content = {"compile": mode.compile, "compiler": mode.compiler}
        write_atomically(place(folder), to_json(content).encode() + b"\n")


def read(folder: Path) -> Mode | None:
    """The mode of the run in the folder, or None where there is none, or no telling."""
    try:
        content = json.loads(place(folder).read_text())
        on, compiler = content["compile"], content["compiler"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = isinstance(on, bool) and isinstance(compiler, str)
    return Mode(on, compiler) if known else None

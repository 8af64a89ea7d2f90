"""Check a learner's file in a process of its own, and say how the process ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scratchnet.demos.learn.catalogue import Exercise
from scratchnet.demos.learn.judge import Verdict
from scratchnet.demos.learn.limits import SECONDS, SECONDS_OF_SEARCH

MOST_PRINTED = 2000
GRACE = 5
"""Seconds more than the limits, for the start of the process."""
NOTEBOOKS = r'(?:<(?!frozen)[^>"]*>|[^"]*ipykernel[^"]*)'
"""How the code of a notebook's cell is called in a traceback."""


@dataclass(frozen=True)
class Checked:
    """A verdict, and what the code printed."""

    verdict: Verdict
    printed: str = ""


def check(exercise: Exercise, file: Path, seconds: float = SECONDS) -> Checked:
    """Judge the file in a process of its own, which has limits of time, memory and output."""
    with tempfile.TemporaryDirectory(prefix="scratchnet-learn-") as name:
        folder = Path(name)
        status = run(exercise, file.resolve(), folder, seconds)
        return found_in(folder, status, re.escape(str(file.resolve())), seconds)


def check_copy(
    exercise: Exercise, judging: Callable[[], Verdict], seconds: float = SECONDS
) -> Checked:
    """As `check`, of what `judging` judges, in a copy of this process: that of a notebook."""
    with tempfile.TemporaryDirectory(prefix="scratchnet-learn-") as name:
        status = run_copy(exercise, judging, Path(name), seconds)
        return found_in(Path(name), status, NOTEBOOKS, seconds)


def found_in(folder: Path, status: int | None, file: str, seconds: float) -> Checked:
    """What the process left in the folder; `file` is the pattern of the learner's file's name."""
    printed = (folder / "printed").read_bytes()[:MOST_PRINTED].decode("utf-8", "replace")
    try:
        verdict = Verdict(**json.loads((folder / "verdict").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        printed = printed.partition("Fatal Python error")[0]
        verdict = died(status, folder / "traces", file, seconds)
    return Checked(verdict, printed.strip("\n"))


def run(exercise: Exercise, file: Path, folder: Path, seconds: float) -> int | None:
    """Run the process in the empty folder; its exit status, None where it ran too long."""
    program = "scratchnet.demos.learn.child"
    command = ["-m", program, exercise.name, str(file), "verdict", str(seconds)]
    settings = {
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:replace",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TMPDIR": str(folder),
    }
    with open(folder / "printed", "wb") as printed:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(seconds + SECONDS_OF_SEARCH + GRACE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def run_copy(
    exercise: Exercise, judging: Callable[[], Verdict], folder: Path, seconds: float
) -> int | None:
    """As `run`, in a copy of this process, which ends with the check."""
    from scratchnet.demos.learn.child import leave

    (folder / "printed").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of other threads: they are not copied
        child = os.fork()
    if child == 0:
        try:
            os.setsid()
            sys.dont_write_bytecode = True  # an import that writes would be one that is not allowed
            os.chdir(folder)
            sys.stdin = open(os.devnull)
            sys.stdout = sys.stderr = open("printed", "w", encoding="utf-8", errors="replace")
            leave(exercise, judging, None, "verdict", seconds)
        finally:
            os._exit(1)
    end = time.monotonic() + seconds + SECONDS_OF_SEARCH + GRACE
    try:
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                child = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return None
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def died(status: int | None, traces: Path, file: str, seconds: float) -> Verdict:
    """The verdict on a process that left none."""
    text = traces.read_text("utf-8", "replace") if traces.exists() else ""
    if status is None or text.startswith("Timeout"):
        found = re.search(rf'File "{file}", line (\d+)', text)
        line = f" (line {found[1]})" if found else ""
        return Verdict(
            "error", f"your code ran longer than {seconds:g} seconds{line}: does a loop ever end?"
        )
    if status < 0:
        name = signal.Signals(-status).name
        reason = ": a recursion without end?" if name in ("SIGSEGV", "SIGBUS", "SIGABRT") else ""
        return Verdict("error", f"your code ended the process by {name}{reason}")
    return Verdict("error", "your code ended the process before the check was over: os._exit?")

"""Check a learner's file in a process of its own, and say what became of the process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scratchnet.demos.learn.catalogue import Exercise
from scratchnet.demos.learn.judge import Verdict
from scratchnet.demos.learn.limits import SECONDS, SECONDS_OF_SEARCH

MOST_PRINTED = 2000
GRACE = 5
"""Seconds more than the limits, for the start of the process."""


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
        printed = (folder / "printed").read_bytes()[:MOST_PRINTED].decode("utf-8", "replace")
        try:
            verdict = Verdict(**json.loads((folder / "verdict").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            printed = printed.partition("Fatal Python error")[0]
            verdict = died(status, folder / "traces", file.resolve(), seconds)
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


def died(status: int | None, traces: Path, file: Path, seconds: float) -> Verdict:
    """The verdict on a process that left none."""
    text = traces.read_text("utf-8", "replace") if traces.exists() else ""
    if status is None or text.startswith("Timeout"):
        found = re.search(rf'File "{re.escape(str(file))}", line (\d+)', text)
        line = f" (line {found[1]})" if found else ""
        return Verdict(
            "error", f"your code ran longer than {seconds:g} seconds{line}: does a loop ever end?"
        )
    if status < 0:
        name = signal.Signals(-status).name
        reason = ": a recursion without end?" if name in ("SIGSEGV", "SIGBUS", "SIGABRT") else ""
        return Verdict("error", f"your code ended the process by {name}{reason}")
    return Verdict("error", "your code ended the process before the check was over: os._exit?")

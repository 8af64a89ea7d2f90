"""The process in which a learner's code is checked: limits, and what the code may not do.

    python -m scratchnet.demos.learn.child NAME FILE RESULT SECONDS

It judges FILE by the check of the exercise NAME, and writes the verdict to RESULT as JSON. A
notebook's process is copied for its check instead, and comes in by `leave`. The limits keep
mistakes from doing harm; they are no wall against someone who means to.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from scratchnet.demos.learn.catalogue import Exercise, exercises
from scratchnet.demos.learn.judge import NotAllowed, Verdict, explained, judge, with_slip
from scratchnet.demos.learn.limits import BYTES_OF_MEMORY, BYTES_WRITTEN, SECONDS_OF_SEARCH

SPARE = 2**24
"""Bytes that are set free to explain that there are none left."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink"),
    *("os.truncate", "os.chmod", "os.utime"),
)
PROGRAMS = (
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"),
    *("os.spawn", "os.kill", "os.killpg"),
)


def main(name: str, file: str, result: str, seconds: str) -> None:
    """Judge the file, and leave the process."""
    exercise = exercises()[name]
    leave(exercise, lambda: judge(exercise, Path(file)), Path(file), result, float(seconds))


def leave(
    exercise: Exercise,
    judging: Callable[[], Verdict],
    file: Path | None,
    result: str,
    seconds: float,
) -> NoReturn:
    """Write the verdict of `judging` here, and leave the process whatever its threads do."""
    here = Path.cwd()
    _ = exercise.module  # what the check imports is not under the limits
    logging.getLogger("scratchnet").setLevel(logging.ERROR)  # GPUs are hidden, on purpose
    spare = bytearray(SPARE)
    traces = open("traces", "w")
    set_limits()
    forbid_changes(here)
    faulthandler.dump_traceback_later(seconds, exit=True, file=traces)
    try:
        verdict = flushed(judging())
    except (KeyboardInterrupt, MemoryError) as error:
        del spare
        verdict = explained(error, file)
    write(verdict, here / result)
    # The search for a slip has a time of its own; the verdict stands without it.
    faulthandler.dump_traceback_later(SECONDS_OF_SEARCH, exit=True, file=traces)
    write(with_slip(verdict, exercise), here / result)
    os._exit(0)


def write(verdict: Verdict, file: Path) -> None:
    """Write the verdict at once, or not at all; its numbers are used up by then."""
    kept = {"kind": verdict.kind, "message": verdict.message, "lacks_reason": verdict.lacks_reason}
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(kept), "utf-8")
    os.replace(beside, file)


def flushed(verdict: Verdict) -> Verdict:
    """The verdict, or that more was printed than may be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return explained(error, None)
    except (ValueError, AttributeError):  # the code has closed or replaced it
        pass
    return verdict


def set_limits() -> None:
    """Limit memory and what is written, where the system can; macOS takes no limit of memory."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {
        resource.RLIMIT_AS: BYTES_OF_MEMORY + memory_taken(),
        resource.RLIMIT_FSIZE: BYTES_WRITTEN,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        try:
            resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
        except (ValueError, OSError):
            continue


def memory_taken() -> int:
    """The bytes of addresses that the process has already, where the system tells: a notebook's."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def forbid_changes(folder: Path) -> None:
    """From now on files are written in `folder` alone, and no other program is started."""
    inside = f"{folder.resolve()}{os.sep}"

    def may_write(path: Any) -> bool:
        """Whether the path lies in the folder, is the null device, or is an open file already."""
        if isinstance(path, int):
            return True
        name = os.path.realpath(os.fsdecode(path))
        return name.startswith(inside) or name == os.devnull

    def is_other_folder(path: Any) -> bool:
        return not isinstance(path, int) and os.path.isdir(path) and not may_write(path)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        """Refuse to change files elsewhere, to start programs and to connect, as `NotAllowed`."""
        if event == "open":
            # A folder that is open would be one to which other paths can be relative.
            if is_other_folder(values[0]):
                raise NotAllowed(
                    f"your code opens the folder {os.fsdecode(values[0])}: a check changes no files"
                )
            paths = list(values[:1]) if values[2] & WRITING else []
        elif event in CHANGES:
            paths = [each for each in values if isinstance(each, str | bytes | os.PathLike)]
            # The last values are open folders to which the paths are relative, -1 for none.
            if event != "os.truncate" and any(folder != -1 for folder in values[-len(paths) :]):
                paths = [os.path.join(os.pardir, os.fsdecode(each)) for each in paths]
        elif event in PROGRAMS:
            raise NotAllowed(f"your code calls {event}: a check runs without other programs")
        elif event == "socket.connect":
            raise NotAllowed("your code opens a connection: a check runs without a network")
        else:
            return
        for path in paths:
            if not may_write(path):
                raise NotAllowed(
                    f"your code changes the file {os.fsdecode(path)}: a check changes no files"
                )

    sys.addaudithook(hook)


if __name__ == "__main__":
    main(*sys.argv[1:])

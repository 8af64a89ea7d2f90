"""Starting several processes that find each other over MPI."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scratchnet.backends import InputError
from scratchnet.extras import require
from scratchnet.interruption import INTERRUPTED

RANK_OF = "SCRATCHNET_RANKS"
"""Set in the environment of processes that `run_on` has started."""

ON_TERMINAL = "SCRATCHNET_TERMINAL"
"""Set there too where a terminal shows what they write to stderr."""

ENDED = "scratchnet: interrupted"
"""What a rank says that mpiexec ends; the command that has started it says why."""

OF_RANK = r"^scratchnet: rank \d+ of \d+: "
"""What a line begins with that names the rank which refuses something."""

NO_REASON = r"scratchnet: warning|rank \d+ of \d+ waits for"
"""Lines that do not say why a training ended."""

MOST_OF_A_PROCESSOR = 8
"""Ranks that wait for each other take the processor from those that compute."""

SETTINGS = {
    # Open MPI as such refuses the superuser, and more processes than processors.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    # Each rank is a process: threads of BLAS would contend with the other ranks.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def launched(ranks: int, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The command and the environment for so many processes of this Python with these arguments.

    An exception in one of them ends all, by mpi4py's own runner. Raises `InputError` without
    mpi4py or `mpiexec`, and for more processes than the processors can serve.
    """
    purpose = f"training on {counted(ranks)}"
    require("mpi4py", "mpi4py", "mpi", purpose)
    most = MOST_OF_A_PROCESSOR * (os.cpu_count() or 1)
    if ranks > most:
        raise InputError(
            f"{purpose}: must be at most {most} on this machine, "
            f"{MOST_OF_A_PROCESSOR} for each of its processors; mpiexec starts more on several"
        )
    beside = Path(sys.executable).parent
    mpiexec = shutil.which("mpiexec", path=str(beside)) or shutil.which("mpiexec")
    if mpiexec is None:
        raise InputError(f"{purpose} needs the program mpiexec: pip install -e '.[mpi]'")
    python = [sys.executable, "-m", "mpi4py", *arguments]
    environment = {name: os.environ.get(name, value) for name, value in SETTINGS.items()}
    return [mpiexec, "-n", str(ranks), *python], {**os.environ, **environment}


def counted(ranks: int) -> str:
    """Such as `1 rank`, or `2 ranks`."""
    return f"{ranks} rank{'' if ranks == 1 else 's'}"


@contextmanager
def started(
    command: Sequence[str], environment: dict[str, str], stderr: int, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A block in which mpiexec runs, or until it has ended; an exception inside ends it."""
    # In a session of its own: an mpiexec that gets Ctrl-C from the terminal and then SIGTERM from
    # here ends at once, and may leave ranks behind.
    running = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    with ending_with_us(running), running:
        try:
            yield running
        except BaseException:
            running.terminate()  # mpiexec then ends its ranks
            raise


def told(lines: Iterable[str], ranks: int) -> Iterator[tuple[str, bool]]:
    """What ranks say, line by line, and whether the line has ended.

    Of mpiexec's own report it is only which rank was killed.
    """
    is_framed = False
    for line in lines:
        said = line.strip("\0\r\n")
        if not line.strip("\0"):
            continue  # what mpiexec ends its report with
        if not line.endswith("\n"):
            yield said, False
        elif set(said) == {"-"}:
            is_framed = not is_framed
        elif not is_framed:
            yield said, True
        elif (killed := re.search(r"process rank (\d+)", said)) and "noticed" in said:
            yield f"rank {killed[1]} of {ranks} was killed, which ends all", True


@contextmanager
def ending_with_us(started: subprocess.Popen[bytes]) -> Iterator[None]:
    """Inside, a process is ended where this one is, also by a signal that it cannot handle.

    A shell waits for a line of this process. The end of its pipe in place of that line means that
    this process is gone, on Linux as on macOS.
    """
    guard = subprocess.Popen(
        ["sh", "-c", 'read -r line || kill -TERM "$0"', str(started.pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C, and the end of a terminal, do not reach it
    )
    try:
        yield
    finally:
        with suppress(BrokenPipeError):
            guard.communicate(b"\n")


def run_on(ranks: int, arguments: Sequence[str]) -> int:
    """Run this Python with these arguments on so many ranks; the exit status.

    What they print comes through; what ends several of them alike is said once, and of a rank that
    was killed there is one line in place of mpiexec's.
    """
    command, environment = launched(ranks, arguments)
    environment[RANK_OF] = str(ranks)
    if not sys.stdout.isatty():
        environment["TERM"] = "dumb"  # mpiexec gives a rank a terminal of its own
    if sys.stderr.isatty():
        environment[ON_TERMINAL] = "1"
    seen: set[str] = set()
    with started(command, environment, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        with io.TextIOWrapper(running.stderr, errors="replace", newline="") as lines:
            for said, is_whole in told(lines, ranks):
                if not is_whole:
                    # One state of a line that changes: the next one is written over it.
                    print(said, end="\r", file=sys.stderr, flush=True)
                    continue
                reason = re.sub(OF_RANK, "scratchnet: ", said)
                if reason not in {*seen, ENDED, ""}:
                    if said.startswith(("scratchnet:", "rank ")):
                        seen.add(reason)
                    print(said, file=sys.stderr, flush=True)
    is_said = any(not re.match(NO_REASON, each) for each in seen)
    if running.returncode not in (0, INTERRUPTED) and not is_said:
        print(f"mpiexec ended with status {running.returncode}, and all ranks", file=sys.stderr)
    return running.returncode

"""Starting several processes that find each other over MPI."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scratchnet.backends import InputError
from scratchnet.extras import require

RANK_OF = "SCRATCHNET_RANKS"
"""Set in the environment of processes that `run_on` has started."""

ON_TERMINAL = "SCRATCHNET_TERMINAL"
"""Set there too where a terminal shows what they write to stderr."""

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
    require("mpi4py", "mpi4py", "mpi", f"training on {ranks} ranks")
    most = MOST_OF_A_PROCESSOR * (os.cpu_count() or 1)
    if ranks > most:
        raise InputError(
            f"training on {ranks} ranks: must be at most {most} on this machine, "
            f"{MOST_OF_A_PROCESSOR} for each of its processors; mpiexec starts more on several"
        )
    beside = Path(sys.executable).parent
    mpiexec = shutil.which("mpiexec", path=str(beside)) or shutil.which("mpiexec")
    if mpiexec is None:
        raise InputError(
            f"training on {ranks} ranks needs the program mpiexec: pip install -e '.[mpi]'"
        )
    python = [sys.executable, "-m", "mpi4py", *arguments]
    environment = {name: os.environ.get(name, value) for name, value in SETTINGS.items()}
    return [mpiexec, "-n", str(ranks), *python], {**os.environ, **environment}


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
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    assert started.stderr is not None
    is_framed = False
    with started, io.TextIOWrapper(started.stderr, errors="replace", newline="") as lines:
        try:
            for line in lines:
                said = line.strip("\0\r\n")
                if not line.endswith("\n"):
                    # One state of a line that changes: the next one is written over it.
                    print(said, end="\r", file=sys.stderr, flush=True)
                elif set(said) == {"-"}:
                    is_framed = not is_framed
                elif is_framed:
                    # Open MPI's own report; it names a rank that was killed.
                    killed = re.search(r"process rank (\d+)", said)
                    if killed and "noticed" in said:
                        said = f"rank {killed[1]} of {ranks} was killed, which ends the training"
                        print(said, file=sys.stderr, flush=True)
                elif said not in seen:
                    if said.startswith(("scratchnet:", "rank ")):
                        seen.add(said)
                    print(said, file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            started.terminate()
            raise
    return started.returncode

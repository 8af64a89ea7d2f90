"""Ranks that are missing where others train: named, where these would wait without a word.

The ranks of a training stand in a ring. Each says to the next that it has come, and waits for that
word of the one before it. A program that ends says so to the next one of `MPI.COMM_WORLD`: if
that one waits for it, it ends all. Another communicator may have another next one, which then only
names who is missing. The words are messages on `MPI.COMM_WORLD`, with a tag of their own: a receive
of any tag there would take them, so it must be on another communicator, as of `COMM_WORLD.Dup()`.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from typing import Any

from scratchnet.backends import InputError

TAG = 30_017
"""Of these messages."""

PATIENT = 10.0
"""Seconds after which the missing rank is named; it may only be slow."""

COME, GONE = "come", "gone"

STARTED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Where the mpiexec of Open MPI and of MPICH says how many processes it has started."""


def check_started(mpi: Any) -> None:
    """Raise `InputError` where each process of an mpiexec is alone, as with that of another MPI."""
    started = max((int(os.environ.get(name, 1)) for name in STARTED), default=1)
    found = mpi.COMM_WORLD.Get_size()
    if found == 1 < started:
        name = mpi.Get_library_version().strip("\0").splitlines()[0].split(",")[0]
        raise InputError(
            f"mpiexec has started {started} processes, and each finds itself alone: it must be the "
            f"mpiexec of mpi4py's library, {name}"
        )


def meet(communicator: Any) -> None:
    """Return once the rank before this one has come too.

    It is named on stderr where that takes long. Raises `InputError` where its program has ended.
    """
    mpi = sys.modules["mpi4py.MPI"]
    rank, size = communicator.Get_rank(), communicator.Get_size()
    world = mpi.COMM_WORLD
    in_world = communicator.group.Translate_ranks(range(size), world.group)
    if mpi.UNDEFINED in in_world:
        return  # some were started by another program, as by MPI's Spawn: all see that
    missing = (rank - 1) % size
    before, after = in_world[missing], in_world[(rank + 1) % size]
    world.send(COME, after, TAG)
    start, is_named = time.monotonic(), False
    while not world.iprobe(before, TAG):
        if not is_named and time.monotonic() - start > PATIENT:
            is_named = True
            print(
                f"rank {rank} of {size} waits for rank {missing}, which has not called "
                "fit(..., communicator=...)",
                file=sys.__stderr__,
                flush=True,
            )
        time.sleep(0.001)
    if world.recv(source=before, tag=TAG) == GONE:
        raise InputError(
            f"rank {missing} has ended without fit(..., communicator=...), which all must call"
        )


@atexit.register
def _leave() -> None:
    """Say to the next rank that this program ends."""
    mpi = sys.modules.get("mpi4py.MPI")
    if mpi is None or not mpi.Is_initialized() or mpi.Is_finalized():
        return
    world = mpi.COMM_WORLD
    if world.Get_size() > 1:
        world.send(GONE, (world.Get_rank() + 1) % world.Get_size(), TAG)

"""An experiment that trains on several processes: `--ranks N`.

All ranks run the same program on the same data, and each `fit` inside trains on all of them. Rank 0
alone writes and prints.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from scratchnet.attendance import check_started
from scratchnet.backends import InputError
from scratchnet.demos.experiment import Experiment, execute
from scratchnet.demos.settings import parse, resolve
from scratchnet.extras import require
from scratchnet.interruption import interruptions_end_the_process, interruptions_raise
from scratchnet.launching import ON_TERMINAL, RANK_OF, run_on
from scratchnet.nccl import see_own_gpu
from scratchnet.parallel import on_all_ranks


class Shown:
    """A stream that a terminal shows, though it is a pipe: progress is a line that changes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        """True, whatever the stream is."""
        return True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def naming(rank: int, ranks: int) -> Iterator[None]:
    """What another rank than the first refuses names it, and waits: rank 0 may refuse the same."""
    try:
        yield
    except InputError as error:
        if rank == 0 or str(error).startswith("rank "):
            raise
        time.sleep(1)
        raise InputError(f"rank {rank} of {ranks}: {error}") from None


class OnRanks(Experiment):
    """One whose settings have `ranks`."""

    def main(self, arguments: Sequence[str]) -> int:
        """Run the command with these arguments, here or on as many ranks; the exit status."""
        if {"-h", "--help"} & set(arguments):
            return super().main(arguments)
        if RANK_OF in os.environ:
            see_own_gpu()
        given = parse(self.settings, arguments)
        settings: Any = resolve(self.settings, given)
        if settings.ranks == 1:
            return super().main(arguments)
        for name, value in (("resume", True), ("watch", True), ("workers", given.get("workers"))):
            if value and given.get(name):
                raise InputError(f"--{name} with --ranks: must be left out")
        given.setdefault("out", Path("runs") / self.name)
        if RANK_OF not in os.environ:
            self.check(resolve(self.settings, given))
            return run_on(given["ranks"], ["-m", "scratchnet", self.name, *arguments])
        # An exception while MPI starts would leave this rank waiting for the others without an end.
        interruptions_end_the_process()
        mpi = require("mpi4py.MPI", "mpi4py", "mpi", "--ranks")
        interruptions_raise()
        check_started(mpi)
        communicator = mpi.COMM_WORLD
        with on_all_ranks(communicator), naming(communicator.Get_rank(), communicator.Get_size()):
            if communicator.Get_rank() == 0:
                shown = Shown(sys.stderr) if ON_TERMINAL in os.environ else sys.stderr
                with redirect_stderr(shown):
                    return execute(self, resolve(self.settings, given))
            with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
                own = {"out": Path(folder), "save": None, "json": False, "show": False}
                given |= {name: each for name, each in own.items() if name in given}
                with redirect_stdout(nowhere), redirect_stderr(nowhere):
                    return execute(self, resolve(self.settings, given))

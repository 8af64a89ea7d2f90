"""A rank that fails ends the others, with one line that names it."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")

from scratchnet import attendance
from scratchnet.backends import InputError
from scratchnet.launching import launched
from scratchnet.layers import Linear
from scratchnet.losses import huber
from scratchnet.model import Model
from scratchnet.parallel import Ranks, on_all_ranks, plain_settings
from scratchnet.training import fit

APART = "rank 0 of 3 ends the training: rank 1 has other parameters than rank 0 after epoch"
GONE = "rank 2 of 3 ends the training: rank 1 has ended without fit(..., communicator=...), which"
RAISED = "(failing.py, line N)"
LINES = {
    "raises": f"rank 1 of 3 ends the training: ValueError: what only one finds {RAISED}",
    "all": f"rank 0 of 3 ends the training: ValueError: what all ranks find {RAISED}",
    "begins": "rank 1 of 3 ends the training: TypeError: 'NoneType' object is not callable "
    "(training.py, line N)",
    "interrupted": "rank 1 of 3 ends the training: it was interrupted",
    "leaves": f"{GONE} all must call",
    "forgets": f"{GONE} all must call",
    "schedule": f"{APART} 0: all must train alike, with the same schedule and callbacks",
    "changes": f"{APART} 3: all must train alike, with the same schedule and callbacks",
}


def started(what: str, ranks: int = 3) -> subprocess.CompletedProcess[str]:
    command, environment = launched(ranks, [str(Path(__file__).parent / "failing.py"), what])
    # Without an end they would train, or wait, for hours.
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("what", [*LINES, "killed"])
def test_a_rank_that_fails_ends_all(what: str) -> None:
    done = started(what)
    assert done.returncode != 0
    if what in LINES:
        said = [line for line in done.stderr.splitlines() if "ends the training" in line]
        assert [re.sub(r"line \d+", "line N", line) for line in said] == [LINES[what]]
    else:
        # mpiexec says it: the rank itself cannot.
        is_named = "rank 1" in done.stderr and "signal 9" in done.stderr
        # MPICH's mpiexec knows the process only.
        assert is_named or re.search(r"PID \d+ RUNNING.*\n=\s+EXIT CODE: 9", done.stdout)


def test_a_rank_that_is_late_is_named_and_waited_for(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    script = str(Path(__file__).parent / "failing.py")
    command, environment = launched(2, [script, "is late", str(heard)])
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        said = []
        for line in running.stderr:
            if line.startswith("rank"):
                said.append(line.strip())
                heard.touch()
    assert running.returncode == 0
    assert said == ["rank 0 of 2 waits for rank 1, which has not called fit(..., communicator=...)"]


def test_no_rank_waits_where_any_was_started_by_another_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError("a message was sent")

    world = SimpleNamespace(group=None, send=refuse)
    mpi = SimpleNamespace(COMM_WORLD=world, UNDEFINED=-1)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)
    for rank in range(4):
        communicator = SimpleNamespace(
            Get_rank=lambda rank=rank: rank,
            Get_size=lambda: 4,
            group=SimpleNamespace(Translate_ranks=lambda ranks, _: [r if r else -1 for r in ranks]),
        )
        attendance.meet(communicator)


def test_a_network_that_diverges_leaves_the_others_comparable() -> None:
    def look(difference: float) -> None:
        model = Model(Linear(2, 1), ensemble=2)
        model.parameter_buffer[...] = 1
        model.parameter_buffer[0] = np.nan

        def receive(array: Any, root: int) -> None:
            array[1] += difference

        ranks: Any = SimpleNamespace(
            gathered=lambda near: [True, near], _communicator=SimpleNamespace(Bcast=receive)
        )
        Ranks.check_alike(ranks, model, 1, 0, True)

    look(1e-5)
    with pytest.raises(InputError, match="rank 1 has other parameters"):
        look(0.1)


def test_what_is_no_communicator_of_this_process_is_named() -> None:
    from mpi4py import MPI

    freed = MPI.COMM_SELF.Dup()
    freed.Free()
    wrong = {"MPI.COMM_NULL": (MPI.COMM_NULL, freed), "of type int": (3,)}
    for name, given in wrong.items():
        for communicator in given:
            with pytest.raises(InputError, match=f"communicator is {name}: must be an Intracomm"):
                fit(Model(Linear(2, 1)), [[0, 1.0]], [1], communicator=communicator)


def test_a_function_in_a_loss_is_not_compared() -> None:
    loss = partial(huber, delta=np.float32(2), f=len, of_each=np.ones(2))
    assert plain_settings(loss) == {"delta": 2.0, "of_each": [1.0, 1.0]}


def test_more_ranks_than_a_machine_serves_are_refused() -> None:
    with pytest.raises(InputError, match="training on 100000 ranks: must be at most"):
        launched(100_000, ["-c", "pass"])


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"])
def test_processes_that_do_not_find_each_other_are_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mpi4py import MPI

    model = Model(Linear(2, 1))
    fit(model, [[0, 1.0]], [1], epochs=1, communicator=MPI.COMM_WORLD)
    monkeypatch.setenv(name, "2")
    beginning = "mpiexec has started 2 processes, and each finds itself alone: it must be"
    with pytest.raises(InputError, match=beginning):
        fit(model, [[0, 1.0]], [1], communicator=MPI.COMM_WORLD)


def test_more_ranks_than_rows_are_refused() -> None:
    class Communicator:
        def Get_rank(self) -> int:
            return 0

        def Get_size(self) -> int:
            return 3

    with on_all_ranks(Communicator()):
        with pytest.raises(InputError, match="2 training rows on 3 ranks: must be at least one"):
            fit(Model(Linear(1, 1)), [[0.0], [1.0]], [0, 1])

"""A rank that fails ends the others, with one line that names it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")

from scratchnet.backends import InputError
from scratchnet.launching import launched

LINES = {
    "raises": "rank 1 of 3 ends the training: ValueError: what only one finds",
    "all": "rank 0 of 3 ends the training: ValueError: what all ranks find",
    "interrupted": "rank 1 of 3 ends the training: it was interrupted",
}


@pytest.mark.parametrize("what", [*LINES, "killed"])
def test_a_rank_that_fails_ends_all(what: str) -> None:
    command, environment = launched(3, [str(Path(__file__).parent / "failing.py"), what])
    # Without an end they would train for hours.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    if what in LINES:
        said = [line for line in done.stderr.splitlines() if "ends the training" in line]
        assert said == [LINES[what]]
    else:
        # mpiexec says it: the rank itself cannot.
        is_named = "rank 1" in done.stderr and "signal 9" in done.stderr
        # MPICH's mpiexec knows the process only.
        assert is_named or re.search(r"PID \d+ RUNNING.*\n=\s+EXIT CODE: 9", done.stdout)


def test_more_ranks_than_a_machine_serves_are_refused() -> None:
    with pytest.raises(InputError, match="training on 100000 ranks: must be at most"):
        launched(100_000, ["-c", "pass"])

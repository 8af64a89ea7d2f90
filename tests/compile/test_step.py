"""Calling a compiled step: what it leaves in the arrays of the recording, and on which threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import record

from scratchnet import SGD, mlp
from scratchnet.backends.compile import CompiledStep, compiler_available, step
from scratchnet.backends.compile.memory import ALIGNMENT

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 2))
Y = X[:, :1] > 0


def compiled() -> tuple[CompiledStep, Any, Any]:
    """A step of an ensemble in mini-batches, the array of its loss and that of its rows."""
    calls, outcome, (rows,) = record(SGD(mlp([2, 4, 1], ensemble=3), 0.1), X, Y, batch_size=8)
    return CompiledStep(calls, outcome, 3), outcome, rows


def test_the_arrays_hold_what_the_last_step_read_and_gave() -> None:
    made, outcome, rows = compiled()
    several = np.stack([(rows + i) % 40 for i in range(5)])
    losses = made.run(5, [(rows, several)])
    assert losses.shape == (5, 3)
    np.testing.assert_array_equal(rows, several[-1])
    np.testing.assert_array_equal(outcome, losses[-1])
    # One more step without anything that changes reads those rows again.
    assert made.run(1).shape == (1, 3)
    np.testing.assert_array_equal(rows, several[-1])


def test_no_step_changes_nothing() -> None:
    made, outcome, rows = compiled()
    before = outcome.copy(), rows.copy()
    assert made.run(0).shape == (0, 3)
    assert made.run(0, [(rows, rows[None][:0])]).shape == (0, 3)
    np.testing.assert_array_equal(outcome, before[0])
    np.testing.assert_array_equal(rows, before[1])


@pytest.mark.parametrize(("threads", "used"), [(None, 0), (1, 0), (2, 2), (8, 3)])
def test_networks_are_shared_out_among_threads_that_were_asked_for(
    threads: int | None, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is started for one, and none without a network to compute."""
    pools: list[int] = []

    class Pool(step.ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            pools.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(step, "ThreadPoolExecutor", Pool)
    made, _, _ = compiled()
    parts: list[tuple[int, int]] = []
    run = made.function.run

    def noted(*arguments: Any) -> None:
        parts.append(arguments[2:4])
        run(*arguments)

    monkeypatch.setattr(made.function, "run", noted)
    made.run(2, **({} if threads is None else {"threads": threads}))
    assert pools == ([used] if used else [])
    assert sorted(network for begin, end in parts for network in range(begin, end)) == [0, 1, 2]
    assert len(parts) == max(1, used) and all(begin < end for begin, end in parts)


def test_each_thread_has_a_scratch_that_begins_at_a_cache_line() -> None:
    made, _, _ = compiled()
    made.run(1, threads=2)
    assert len(made._scratch) == 2
    for block in made._scratch:
        assert block.ctypes.data % ALIGNMENT == 0
        assert block.nbytes >= made.program.scratch_bytes


def test_indices_within_reach_of_the_shortest_array_are_accepted() -> None:
    made, _, rows = compiled()
    made.run(1, [(rows, np.full((1, *rows.shape), 39))])
    made.run(1, [(rows, np.full((1, *rows.shape), -40))])
    for beyond in (40, -41):
        with pytest.raises(IndexError, match="40 rows"):
            made.run(1, [(rows, np.full((1, *rows.shape), beyond))])


@pytest.mark.parametrize(
    ("told", "threads"), [("3", 3), ("0", 1), ("", None), ("many", None), (None, None)]
)
def test_as_many_threads_as_blas_was_told_to_use(
    told: str | None, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    everything = step.default_threads()
    assert everything >= 1
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        if told is not None:
            monkeypatch.setenv(name, told)
        assert step.default_threads() == (threads or everything)
        monkeypatch.delenv(name, raising=False)

"""`lottery` on one and two workers against independent processes, and the cost of a chunk.

    pytest -m campaign tests/campaigns/test_cluster_scaling.py

Turns are interleaved, so that a machine that gets slower does so for all; the numbers are good on a
quiet machine. Writes `cluster_scaling.txt` beside this file; `CLUSTER_TURNS` is how many turns,
`CLUSTER_SEEDS` how many seeds.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ledger import enter

from scratchnet.backends.numpy_backend import NumpyBackend
from scratchnet.demos.cluster.chunks import Chunk
from scratchnet.demos.cluster.starting import opened
from scratchnet.demos.compiling import Mode
from scratchnet.demos.experiment import quick_settings
from scratchnet.demos.lottery.experiment import experiment as lottery
from scratchnet.demos.running import Run, no_progress

SEEDS, STEPS, CHUNKS = int(os.environ.get("CLUSTER_SEEDS", "200")), 300, 300
WARMING = 40
"""Seeds of a first run, in which workers and processes import what they need."""
TURNS = int(os.environ.get("CLUSTER_TURNS", "7"))
SETTINGS = {"steps": STEPS, "learning_rate": 0.01, "backend": "numpy"}
MODE = Mode(not NumpyBackend().why_not_compiled())
EVERY_PROCESS = """
import sys
from threadpoolctl import threadpool_limits
from scratchnet.demos.experiment import run_small
from test_cluster_scaling import MODE, SETTINGS, lottery
with threadpool_limits(1), MODE.opened():
    for seed, seeds in (map(int, line.split()) for line in sys.stdin):
        run_small(lottery, seed=seed, seeds=seeds, **SETTINGS)
        print("done", flush=True)
"""


@contextmanager
def processes(count: int) -> Iterator[list[subprocess.Popen]]:
    """Processes that have imported all, and run the seeds that a line of their stdin names."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    here = os.path.dirname(__file__)
    found = [
        subprocess.Popen([sys.executable, "-c", EVERY_PROCESS], cwd=here, **pipes)
        for _ in range(count)
    ]
    try:
        yield found
    finally:
        for each in found:
            each.stdin.close()
            each.wait()


def independent(running: list[subprocess.Popen], seeds: int = SEEDS) -> None:
    """The seeds in equal parts, each process on its own."""
    part = seeds // len(running)
    for number, each in enumerate(running):
        each.stdin.write(f"{number * part} {part}\n")
        each.stdin.flush()
    for each in running:
        assert each.stdout.readline() == "done\n"


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def empty_chunks(cluster) -> list[Chunk]:
    return [Chunk(f"empty {n}", "", lambda advance: ({}, {}), 1.0) for n in range(CHUNKS)]


@pytest.mark.campaign
def test_scaling_and_the_cost_of_a_chunk():
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    asked = quick_settings(lottery, seeds=SEEDS, **SETTINGS)
    size = lottery.memory(asked) / SEEDS
    few = quick_settings(lottery, **{**SETTINGS, "seeds": WARMING, "steps": 20})
    with processes(1) as one, processes(2) as two:
        times: dict[str, list[float]] = {}
        for each in (one, two):
            independent(each, WARMING)
        for _ in range(TURNS):
            for workers in (1, 2):
                # Idle workers of the other number would take time from this one.
                with opened(
                    quick_settings(lottery, workers=workers, backend="numpy"),
                    MODE,
                    size,
                    lambda line: None,
                ) as cluster:
                    assert cluster is not None
                    run = Run(asked, lottery.name, cluster=cluster)
                    lottery.run(Run(few, lottery.name, cluster=cluster))
                    found = {f"{workers} workers": seconds(lambda run=run: lottery.run(run))}
                    if workers == 2:
                        chunks = empty_chunks(cluster)
                        cpu = time.process_time()
                        elapsed = seconds(
                            lambda c=cluster, k=chunks: c.numbers(k, False, no_progress)
                        )
                        found["chunk, processor"] = (time.process_time() - cpu) / CHUNKS
                        found["chunk"] = elapsed / CHUNKS
                running = one if workers == 1 else two
                found[f"{workers} processes"] = seconds(lambda r=running: independent(r))
                for name, value in found.items():
                    times.setdefault(name, []).append(value)
    ratios = [a / b for a, b in zip(times["2 processes"], times["2 workers"], strict=True)]
    middle = {name: statistics.median(each) for name, each in times.items()}
    enter(
        "cluster_scaling",
        f"lottery --quick --seeds {SEEDS} --steps {STEPS}, steps "
        f"{'compiled' if MODE.compile else 'replayed'}, {TURNS} interleaved turns, medians: "
        f"{middle['1 processes']:.1f} s in one process, {middle['2 processes']:.1f} s in two "
        f"independent ones with half of the seeds each, {middle['1 workers']:.1f} s on one worker, "
        f"{middle['2 workers']:.1f} s on two; two workers reach {statistics.median(ratios):.2f} of "
        f"two independent processes ({min(ratios):.2f} to {max(ratios):.2f} by turn). A chunk that "
        f"does nothing takes {1000 * middle['chunk']:.1f} ms on two workers, and "
        f"{1000 * middle['chunk, processor']:.1f} ms of the processor of client and scheduler",
    )

"""`scratchnet bench --ranks 1,2`: a step on several processes, beside a model of what it can be.

With a the latency of a message, b the bandwidth, P parameters of 4 bytes, n ranks, and t1 the step
of one process on all points, an Allreduce that halves and doubles (Rabenseifner 2004) takes

    t_sum(n) = 2 log2(n) a + 2 (1 - 1/n) 4 P / b,      and a step  t(n) = t1 / n + t_sum(n)

a and b are those of the largest number of ranks that have a processor each, measured by Allreduces
of one and of many numbers.
Communication and computation are equal at the points where t1 / n = t_sum(n).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.demos.bench.cases import Case
from scratchnet.demos.results import (
    RECORD_NAME,
    check_writable,
    environment,
    print_json,
    to_json,
)
from scratchnet.demos.screen import Screen
from scratchnet.files import write_atomically
from scratchnet.interruption import INTERRUPTED, interruptions_end_the_process
from scratchnet.launching import ENDED, counted, launched, started, told

ON_PAPER = (8, 64, 1024)
MANY = 2**20
STEPS, ROUNDS = 10, 5


def measured(case: Case, ranks: int) -> dict[str, float]:
    """What `main` below finds on so many ranks. Raises `InputError` where they cannot run."""
    sizes = [str(each) for each in (case.depth, case.width, case.batch)]
    command, environment = launched(ranks, ["-m", "scratchnet.demos.bench.ranks", *sizes])
    pipe = subprocess.PIPE
    with started(command, environment, stdout=pipe, stderr=pipe) as running:
        printed, said = (each.decode(errors="replace") for each in running.communicate())
    if running.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if running.returncode:
        lines = [line for line, _ in told(said.splitlines(keepends=True), ranks) if line.strip()]
        reasons = [line for line in lines if line != ENDED] or ["no reason given"]
        raise InputError(f"bench on {counted(ranks)} ended: {reasons[-1]}")
    return dict(json.loads(printed.strip("\0\n").splitlines()[-1]))


def command(s: Any, cases: Sequence[Case]) -> int:
    """Measure, print and write `result.json`, as the other commands do; the exit status."""
    check_writable(s.out)
    launched(max(s.ranks), [])  # refuses what cannot be before anything is measured
    screen = Screen(s.json)
    found = report(cases, s.ranks, screen)
    record = {"settings": vars(s), "environment": environment("numpy"), "ranks": found}
    write_atomically(s.out / RECORD_NAME, to_json(record).encode() + b"\n")
    screen.text("\nWritten", "bold")
    screen.whole(f"  {s.out / RECORD_NAME}")
    if s.json:
        print_json(record)
    return 0


def report(cases: Sequence[Case], ranks: Sequence[int], screen: Screen) -> list[dict[str, Any]]:
    """Measure and print all cases; the numbers."""
    found: list[dict[str, Any]] = []
    for case in cases:
        of_each = {n: measured(case, n) for n in sorted({1, *ranks})}
        whole = of_each[1]["seconds"]
        found.append({"case": str(case), "parameters": case.parameters, "measured": of_each})
        screen.text(f"\n{case}, {case.parameters:,} parameters", "bold")
        for n in ranks:
            here = of_each[n]
            computed = here["seconds"] - here["communication"]
            name = "rank: " if n == 1 else "ranks:"
            screen.text(
                f"{n:5} {name} {1e3 * here['seconds']:.2f} ms a step, of which "
                f"{1e3 * computed:.2f} computing and {1e3 * here['communication']:.2f} in sums and "
                f"waiting; ideal {1e3 * whole / n:.2f}{shared(n)}"
            )
        if max(ranks) == 1:
            continue
        alone = [n for n in of_each if 1 < n <= (os.cpu_count() or 1)]
        n = max(alone or of_each)
        a, b = of_each[n]["latency"], of_each[n]["bandwidth"]
        screen.text(
            f"On paper, t1 / n + 2 log2(n) a + 2 (1 - 1/n) 4 P / b, with t1 as above and a = "
            f"{1e6 * a:.1f} us, b = {b / 1e9:.2f} GB/s as measured between {n} ranks of this "
            "machine; those of a network are others:"
        )
        for n in sorted({*ranks, *ON_PAPER} - {1}):
            total = sum_seconds(n, case.parameters, a, b)
            points = total * n / (whole / case.batch)
            found[-1].setdefault("model", {})[n] = {"sum": total, "points": points}
            screen.text(
                f"{n:5} ranks: a step would take {1e3 * (whole / n + total):.2f} ms, "
                f"{1e3 * total:.2f} of it in sums; both take equally long with {points:,.0f} points"
            )
    return found


def shared(ranks: int) -> str:
    """What is to be said of measurements of so many ranks on this machine."""
    processors = os.cpu_count() or 1
    return f"; they share {processors} processors" if ranks > processors else ""


def sum_seconds(ranks: int, parameters: int, latency: float, bandwidth: float) -> float:
    """t_sum of the formula above."""
    moved = 2 * (1 - 1 / ranks) * 4 * parameters
    return 2 * math.log2(ranks) * latency + moved / bandwidth


def main(depth: int, width: int, batch: int) -> None:
    """On each rank: time the steps and the sums; rank 0 prints the medians as JSON."""
    # There is nothing to keep, and an exception while MPI starts would leave the others waiting.
    interruptions_end_the_process()
    from mpi4py import MPI

    from scratchnet.batches import Batches, checked_data
    from scratchnet.losses import binary_cross_entropy
    from scratchnet.model import mlp
    from scratchnet.optim import SGD
    from scratchnet.parallel import Ranks
    from scratchnet.training import TrainingStep

    ranks = Ranks(MPI.COMM_WORLD)
    case = Case(depth, width, batch)
    rng = np.random.default_rng(ranks.rank)
    own = batch * (ranks.rank + 1) // ranks.size - batch * ranks.rank // ranks.size
    X = rng.normal(size=(own, case.widths[0]))
    model = mlp(case.widths, seed=0, backend="numpy")
    data = checked_data(model, X, X[:, 0] > 0, binary_cross_entropy)
    if ranks.size == 1:
        # As `fit` trains one process, which sums nothing: t1 is its step.
        batches = Batches(model, *data, None)
    else:
        batches = ranks.batches(model, *data, None, None, binary_cross_entropy)
    step = TrainingStep(batches, binary_cross_entropy, SGD(model, 0.01), None, True)
    rounds = []
    for _ in range(ROUNDS + 1):
        ranks.any(False)
        before, start = ranks.seconds, time.perf_counter()
        for _ in range(STEPS):
            step()
        rounds.append((time.perf_counter() - start, ranks.seconds - before))
    seconds, communication = np.median(rounds[1:], axis=0) / STEPS
    small, large = (fastest(ranks, np.zeros(size, np.float32)) for size in (1, MANY))
    doublings = 2 * max(1.0, math.log2(ranks.size))
    moved = 2 * (1 - 1 / max(2, ranks.size)) * 4 * MANY
    if ranks.rank == 0:
        numbers = {
            "seconds": float(seconds),
            "communication": float(communication),
            "latency": small / doublings,
            "bandwidth": moved / max(large - small, 1e-9),
        }
        print(json.dumps(numbers))


def fastest(ranks: Any, array: Any) -> float:
    """The seconds of the fastest of some sums of that array over the ranks."""
    times = []
    for _ in range(20):
        ranks.any(False)
        start = time.perf_counter()
        ranks.total(array, array.copy())
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

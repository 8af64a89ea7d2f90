"""How long a training step takes beside the same arithmetic written out by hand.

`python -m scratchnet.demos.bench.step_time` compares, on one core and one BLAS thread, an eager and
a recorded step of the engine with `numpy_loop` and with the step's matrix products alone, and an
ensemble's recorded step with its own products and with one network's. The contestants take turns in
every round, so that a machine whose speed drifts slows all of them; what is reported are ratios of
one round, their median and their spread.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet import SGD, Model, losses, mlp
from scratchnet.demos.bench.numpy_loop import numpy_loop
from scratchnet.program import RecordedStep
from scratchnet.tensor import Tensor

LEARNING_RATE = 0.01
SECONDS_PER_TURN = 0.02


@dataclass(frozen=True)
class Case:
    """A network, its number of samples, and how many networks its ensemble has, if any."""

    name: str
    widths: tuple[int, ...]
    samples: int
    ensemble: int | None = None


CASES = (
    Case("2-[32]-1", (2, 32, 1), 400),
    Case("2-[32]*8-1", (2, *[32] * 8, 1), 400, ensemble=10),
    Case("2-[64]*4-1", (2, *[64] * 4, 1), 64),
    Case("2-[128]*4-1", (2, *[128] * 4, 1), 256),
    Case("2-[256]*4-1", (2, *[256] * 4, 1), 512),
)


def training_step(
    model: Model, X: Any, y: Any, record: bool
) -> tuple[Callable[[], Any], RecordedStep]:
    """A function that makes one step of gradient descent and returns the loss; its recording."""
    optimizer = SGD(model, LEARNING_RATE)
    inputs = model.as_input(X)

    def device_part() -> Tensor:
        loss = losses.binary_cross_entropy(model(inputs), y)
        loss.backward()
        optimizer.update()
        return loss

    recording = RecordedStep(device_part, model)
    run = recording if record else device_part

    def step() -> Any:
        optimizer.prepare()
        return run().data

    return step, recording


def matrix_products(model: Model, X: Any, y: Any) -> Callable[[], None]:
    """A function that repeats the products of a training step, on the same shapes and layouts.

    Row sums are left out, although the engine computes them as products.
    """
    with model.backend.recording() as calls:
        losses.binary_cross_entropy(model(X), y).backward()
    products = [
        (*call.inputs, call.out)
        for call in calls
        if call.kernel is np.matmul and min(each.ndim for each in call.inputs) > 1
    ]

    def multiply() -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    return multiply


def contestants(case: Case) -> dict[str, Callable[[], Any]]:
    """The steps to compare, once it is sure that they compute the same losses."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((case.samples, 2)).astype(np.float32)
    y = (X[:, :1] > 0).astype(np.float32)
    model = mlp(case.widths)
    copies = [parameter.numpy().copy() for parameter in model.parameters()]
    steps = {
        "loop": numpy_loop(copies[0::2], copies[1::2], X, y, LEARNING_RATE),
        "eager": training_step(model, X, y, record=False)[0],
        "recorded": training_step(mlp(case.widths), X, y, record=True)[0],
    }
    for _ in range(20):
        loss = steps["eager"]()
        np.testing.assert_allclose(loss, steps["loop"](), rtol=1e-4)
        np.testing.assert_array_equal(loss, steps["recorded"]())
    steps["products"] = matrix_products(model, X, y)
    if case.ensemble:
        networks = mlp(case.widths, ensemble=case.ensemble)
        steps["ensemble"] = training_step(networks, X, y, record=True)[0]
        steps["ensemble products"] = matrix_products(networks, X, y)
    return steps


def interleaved(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    """Seconds per step of each contestant in each round: all take a turn, then all again."""
    repeats, seconds = {}, {name: np.empty(rounds) for name in steps}
    for name, step in steps.items():
        start = time.perf_counter()
        for _ in range(10):
            step()
        repeats[name] = max(3, int(SECONDS_PER_TURN / ((time.perf_counter() - start) / 10)))
    for number in range(rounds):
        for name, step in steps.items():
            step()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                step()
            seconds[name][number] = (time.perf_counter() - start) / repeats[name]
    return seconds


def run(rounds: int = 40) -> list[dict[str, Any]]:
    """One row per case: median ratio of the rounds, and the 10th and 90th percentile."""
    rows = []
    for case in CASES:
        seconds = interleaved(contestants(case), rounds)
        row: dict[str, Any] = {
            "network": case.name,
            "samples": case.samples,
            "loop_microseconds": float(np.median(seconds["loop"]) * 1e6),
            "eager_over_loop": _ratio(seconds["eager"], seconds["loop"]),
            "recorded_over_loop": _ratio(seconds["recorded"], seconds["loop"]),
            "recorded_over_products": _ratio(seconds["recorded"], seconds["products"]),
        }
        if case.ensemble:
            row["ensemble"] = case.ensemble
            row["ensemble_over_one"] = _ratio(seconds["ensemble"], seconds["recorded"])
            row["ensemble_over_products"] = _ratio(
                seconds["ensemble"], seconds["ensemble products"]
            )
        rows.append(row)
    return rows


def _ratio(a: Any, b: Any) -> dict[str, float]:
    low, median, high = np.quantile(a / b, [0.1, 0.5, 0.9])
    return {"median": float(median), "low": float(low), "high": float(high)}


def main() -> None:
    """Print the table; with a file name as argument, write the rows there as JSON too."""
    from threadpoolctl import threadpool_limits

    from scratchnet.demos.results import environment, to_json, write_atomically

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with threadpool_limits(1):
        rows = run()
        record = {"environment": environment("numpy"), "rows": rows}
    print("ratios of interleaved rounds: median [10th to 90th percentile]; one core, float32")
    for row in rows:
        print(f"{row['network']}, {row['samples']} points")
        for name, ratio in row.items():
            if "_over_" in name:
                of = f"{row['ensemble']} networks, " if name.startswith("ensemble") else ""
                print(f"    {of}{name.replace('_over_', ' / ')}: {_text(ratio)}")
    for path in sys.argv[1:2]:
        write_atomically(Path(path), to_json(record).encode())


def _text(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} [{ratio['low']:.2f} to {ratio['high']:.2f}]"


if __name__ == "__main__":
    main()

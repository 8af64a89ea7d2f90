"""What a run of `scratchnet bench` measured, as tables and as notes beside them."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from scratchnet.backends import get_backend
from scratchnet.demos.bench.engine import COMPILED, EAGER, KERNEL, LOOP, PRODUCTS, RECORDED
from scratchnet.demos.bench.problem import STEPS_COMPARED
from scratchnet.demos.bench.timing import Spread, span, spread
from scratchnet.demos.running import Result, Row
from scratchnet.demos.screen import Table

ONE_THREAD = "C++ step, one thread"
ORDER = (
    *(COMPILED, KERNEL, ONE_THREAD, "PyTorch eager", "torch.compile", "PyTorch CUDA graph"),
    *("JAX jit", "JAX scan", PRODUCTS, LOOP, EAGER),
)
"""Of the implementations beside the recorded step."""
NOT_COMPARED = (PRODUCTS, LOOP, ONE_THREAD)
"""In the headline: they are no other way to train the same networks."""

ROUNDS_FOR_A_CLAIM = 10
BUSY = 0.05
CASES_WITH_SPREADS = 10
"""A table of more has medians alone."""


def ratios(row: Row) -> Any:
    """Of each implementation's time to the recorded step's: a `Spread` by name."""
    return row.facts["time_over_recorded"]


def placements(row: Row) -> Any:
    """Where each implementation stands below the roofline: a `Placement` by name."""
    return row.facts["roofline"]


def present(rows: Sequence[Row]) -> list[str]:
    """Who took part in any, in their order."""
    return [name for name in ORDER if any(name in ratios(row) for row in rows)]


def headline(result: Result) -> str:
    """The range of all times."""
    rows = result.rows
    spans = [
        f"{name} {span(ratios(row)[name].median for row in rows if name in ratios(row))}"
        for name in present(rows)
        if name not in NOT_COMPARED
    ]
    return f"Where the recorded step takes 1: {', '.join(spans)}."


def limits_table(result: Result) -> Table:
    """What each step computes, how fast, and how near it is to either limit."""
    ours = (RECORDED, COMPILED, KERNEL)
    own = [name for name in ours if any(name in placements(row) for row in result.rows)]
    columns = {
        "step": "{arm}",
        "MFLOP": "{million_operations:,.1f}",
        "µs": "{microseconds:,.0f}",
        **{f"{name}\nof peak": f"{{{name}, of peak:.0%}}" for name in own},
        "of\nmemory": "{roofline[recorded].of_bandwidth:.0%}",
    }
    return Table.of(
        result.rows,
        "|".join(columns),
        "|".join(columns.values()),
        "The step beside the device's limits, of which the nearer one binds. µs are those of the "
        "recorded step of one of the networks",
        **{f"{name}, of peak": partial(_of_peak, name) for name in own},
    )


def _of_peak(name: str, row: Row) -> float:
    """The share of the peak; NaN where that implementation took no part."""
    return placements(row)[name].of_peak if name in placements(row) else math.nan


def ratio_table(result: Result) -> Table:
    """A line for each case, and in how many of them the rounds are on one side of 1."""
    rows, names = result.rows, present(result.rows)
    form = "{}" if len(rows) <= CASES_WITH_SPREADS else "{0.median:.2f}"
    shown = [{name: form.format(each) for name, each in ratios(row).items()} for row in rows]
    lines = [
        [r.arm, *(s.get(name, "") for name in names)] for r, s in zip(rows, shown, strict=True)
    ]
    sides: dict[str, Callable[[Spread], bool]] = {
        "slower than recorded in": lambda each: each.low > 1,
        "faster in": lambda each: each.high < 1,
    }
    for side, holds in sides.items() if result.settings.rounds >= ROUNDS_FOR_A_CLAIM else ():
        counts = [sum(name in ratios(r) and holds(ratios(r)[name]) for r in rows) for name in names]
        lines.append([side, *(f"{count} of {len(rows)}" for count in counts)])
    headings = [name.replace(" ", "\n") for name in names]
    return Table(
        ["step", *headings],
        lines,
        f"Time of a step, where the recorded step's is 1: median [10th to 90th percentile] of "
        f"{result.settings.rounds} rounds",
    )


def notes(result: Result) -> Iterator[str]:
    """How it was measured, what threads bring, and what may have disturbed the times."""
    s, extra, rows = result.settings, result.extra, result.rows
    device = get_backend(s.backend, s.precision).device_info()
    threads = f"{s.threads} thread{'s' * (s.threads > 1)}"
    versions = [f"{name} {version}" for name, version in extra["versions"].items()]
    names = "products by {blas}, {kernel} kernel"
    kernel = [names.format_map(device)] if "kernel" in device else []
    yield f"In {threads}: {'; '.join([*kernel, *versions])}."
    facts = ("peak_operations_per_second", "GFLOP/s"), ("bytes_per_second", "GB/s")
    for limit, (fact, unit) in zip(("peak", "memory"), facts, strict=True):
        measured = span((row.facts[fact] / 1e9 for row in rows), "{:,.0f}".format)
        yield f"{limit}: {extra[limit]}, the fastest of the rounds, {measured} {unit}."
    difference = max(row.facts["largest_loss_difference"] for row in rows)
    yield (
        f"All losses agreed over {STEPS_COMPARED} steps before anything was timed; the largest "
        f"relative difference is {difference:.1g}."
    )
    yield from scaling_notes(result)
    yield from extra["notes"]
    if s.threads > 1 and s.peers:
        yield (
            "Caution: with several threads each library keeps a pool of its own, whose threads "
            "wait actively for a while after their turn; compare libraries with --threads 1."
        )
    waited = [each for row in rows if (each := float(row.facts["share_of_other_processes"])) > BUSY]
    if waited:
        yield (
            f"Caution: other processes took up to {max(waited):.0%} of the time in {len(waited)} "
            f"of {len(rows)} cases and disturb the caches; repeat this on a quiet machine."
        )


def scaling_notes(result: Result) -> Iterator[str]:
    """How far many threads are from as many times the speed of one."""
    for row in result.rows:
        if ONE_THREAD in ratios(row):
            times = row.measures[f"{ONE_THREAD}, seconds"] / row.measures[f"{COMPILED}, seconds"]
            faster = spread(times)
            yield (
                f"{row.arm}: {result.settings.threads} threads compute {faster} times as many "
                f"compiled steps as one, {faster.median / result.settings.threads:.0%} of linear."
            )

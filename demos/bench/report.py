"""What a run of `scratchnet bench` measured: tables of ratios, and sentences that follow from them.

Times are given as multiples of the recorded step's, in the same round; seconds are in result.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from scratchnet.backends import available_backends
from scratchnet.demos.bench import jax_peer, torch_peer
from scratchnet.demos.bench.engine import COMPILED, EAGER, RECORDED
from scratchnet.demos.bench.floors import LOOP, PRODUCTS
from scratchnet.demos.bench.problem import (
    NETWORKS_AT_A_KINK,
    STEPS_COMPARED,
    TOLERANCE,
    TOLERANCES_AT_A_KINK,
)
from scratchnet.demos.bench.run import ONE_CORE, Result, Row
from scratchnet.demos.screen import new_table
from scratchnet.demos.timing import figures

if TYPE_CHECKING:
    from rich.table import Table

    from scratchnet.demos.screen import Screen

COLUMNS: dict[str, tuple[str, ...]] = {
    "C++ step": (COMPILED,),
    "PyTorch eager": (torch_peer.EAGER, torch_peer.BATCHED),
    "torch.compile": (torch_peer.COMPILED,),
    "PyTorch CUDA graph": (torch_peer.GRAPH,),
    "JAX jit": (jax_peer.JIT, jax_peer.MAPPED),
    "JAX scan": (jax_peer.SCANNED, jax_peer.MAPPED_AND_SCANNED),
    "matrix products": (PRODUCTS,),
    "hand-written loop": (LOOP,),
    "eager": (EAGER,),
    "one CPU core": (ONE_CORE,),
}
"""The contestants beside the recorded step; in a column, who stands there for an ensemble too."""

ROUNDS_FOR_A_CLAIM = 10
BUSY = 0.05
NEAR_THE_ROOF = 0.5


def report(result: Result, screen: Screen) -> None:
    """Print the devices, the tables and what they show."""
    for line in description(result):
        screen.whole(line)
    screen.text(
        "\nThe recorded step beside the device's limits; the eager step's time over it", "bold"
    )
    screen.print(roofline_table(result))
    title = "\nTime of a step, where the recorded step's is 1"
    if result.settings.figures or len(result.rows) == 1:
        screen.text(title, "bold")
        screen.print(detailed_table(result))
    elif result.settings.peers or result.settings.baseline:
        for device, rows in by_device(result.rows).items():
            screen.text(f"{title}, {device}", "bold")
            screen.print(compact_table(rows))
    screen.text("\nWhat this run showed", "bold")
    screen.items(sentences(result))


def description(result: Result) -> Iterator[str]:
    """The devices and library versions, the limits that were measured, and how times were taken."""
    s = result.settings
    for name, facts in result.environments.items():
        threads = f", {s.threads} thread{'s' * (s.threads > 1)}" if name == "numpy" else ""
        known = ("numpy", "cupy", "PyTorch", "JAX")
        versions = ", ".join(f"{each} {facts[each]}" for each in known if each in facts)
        if "compiler" in facts:
            versions += f"; compiled by {facts['compiler']}"
        blas = f"{facts['blas']}, {facts['kernel']} kernel; " if "blas" in facts else ""
        yield f"Computed by {name} on {facts['device']}{threads}; {blas}{versions}"
    for (name, precision), ceilings in result.ceilings.items():
        slow, fast = min(ceilings.bandwidths.values()), max(ceilings.bandwidths.values())
        yield (
            f"Measured limits of {name} in {precision}: {ceilings.product_rate / 1e9:,.0f} GFLOP/s "
            f"in a matrix product; an addition moves {slow / 1e9:,.0f} to {fast / 1e9:,.0f} GB/s, "
            "by its size."
        )
    yield (
        "Each step is gradient descent on binary cross-entropy over all points. One process, "
        f"{s.rounds} rounds, the contestants in turns; medians, with the 10th to 90th percentile"
        + (", of the processor time of this process." if s.clock == "processor" else ".")
    )


def roofline_table(result: Result) -> Table:
    """A row for each case; how eager and recorded compare is the last column."""
    on = on_heading(result)
    table = new_table(
        "network",
        "points",
        *(on or ["MFLOP"]),
        "GFLOP/s",
        "of\npeak",
        "of\nmemory",
        "binds",
        "eager",
    )
    table.show_edge = False
    for row in result.rows:
        placed = row.placements[RECORDED]
        table.add_row(
            *label_cells(row),
            short_device_name(row) if on else figures(row.count.operations / 1e6),
            figures(placed.rate / 1e9),
            f"{placed.of_product_rate:.0%}",
            f"{placed.of_bandwidth:.0%}",
            placed.binds,
            figures(row.ratios[EAGER].median),
        )
    return table


def on_heading(result: Result) -> list[str]:
    """A column for the device, where there is more than one."""
    return ["on"] if len({device_name(row) for row in result.rows}) > 1 else []


def label_cells(row: Row) -> list[str]:
    many = f"{row.case.networks:,} x " if row.case.networks > 1 else ""
    return [many + row.case.network, f"{row.case.batch:,}"]


def short_device_name(row: Row) -> str:
    """The backend, or the precision that only CUDA has."""
    return row.case.backend if row.case.precision == "fp32" else row.case.precision


def device_name(row: Row) -> str:
    """Such as `numpy`, or `cupy tf32`."""
    precision = "" if row.case.precision == "fp32" else f" {row.case.precision}"
    return row.case.backend + precision


def by_device(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows of each backend and precision."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(device_name(row), []).append(row)
    return found


def detailed_table(result: Result) -> Table:
    """A line for each contestant of each case, the fastest first."""
    table = new_table("network", *on_heading(result), "contestant", "median", "10 % to 90 %")
    for column in table.columns[:-2]:
        column.justify = "left"
    for row in result.rows:
        label = [str(row.case), *[short_device_name(row)] * len(on_heading(result))]
        for name, each in sorted(row.ratios.items(), key=lambda pair: pair[1].median):
            style = "bold" if name == RECORDED else ""
            spread = "" if name == RECORDED else f"{figures(each.low)} to {figures(each.high)}"
            table.add_row(*label, name, figures(each.median), spread, style=style)
            label = [""] * len(label)
        table.add_section()
    return table


def compact_table(rows: list[Row]) -> Table:
    """A line for each case of one device, medians alone. Eager steps stand in the table above."""
    present = [each for each in columns(rows) if each != "eager"]
    headings = (re.sub(r"(?<=[-.])| ", "\n", each) for each in present)
    table = new_table("network", "points", *headings)
    table.padding, table.show_edge = (0, 1, 0, 0), False
    for row in rows:
        cells = [
            figures(row.ratios[name].median) if (name := contestant_in(row, each)) else ""
            for each in present
        ]
        table.add_row(*label_cells(row), *cells)
    return table


def columns(rows: list[Row]) -> list[str]:
    """The columns in which somebody took part, in the order of `COLUMNS`."""
    return [each for each in COLUMNS if any(contestant_in(row, each) for row in rows)]


def contestant_in(row: Row, column: str) -> str | None:
    """Who stands for a column in this case, if anybody."""
    return next((name for name in COLUMNS[column] if name in row.ratios), None)


def sentences(result: Result) -> list[str]:
    """What the run showed, in words: the same ones each time, with its numbers."""
    rows, lines = result.rows, []
    if rows:
        lines.append(agreement_sentence(rows))
    backends = dict.fromkeys(row.case.backend for row in rows)
    for name in backends:
        on_it = [row for row in rows if row.case.backend == name]
        prefix = f"{name}: " if len(backends) > 1 else ""
        lines += [prefix + line for line in device_sentences(on_it, result.settings.rounds)]
    lines += crossover_sentences(rows)
    if "cupy" not in result.settings.backends:
        reason = available_backends().get("cupy") or "--backend left it out"
        lines.append(f"No GPU was measured: {reason}.")
    lines += [*result.notes, *caution_sentences(result)]
    if result.interrupted:
        lines.append("Interrupted: the above is what was finished by then.")
    return lines


def agreement_sentence(rows: list[Row]) -> str:
    worst = max(rows, key=lambda row: row.largest_difference / TOLERANCE[row.case.precision])
    tolerance = TOLERANCE[worst.case.precision]
    return (
        f"Before anything was timed, the losses of all contestants agreed over {STEPS_COMPARED} "
        f"steps: the largest relative difference was {worst.largest_difference:.1g}. It must be at "
        f"most {tolerance:g}, and {tolerance * TOLERANCES_AT_A_KINK:g} in {NETWORKS_AT_A_KINK:.0%} "
        "of many networks, where a point at a kink of ReLU may fall on either side."
    )


def device_sentences(rows: list[Row], rounds: int) -> Iterator[str]:
    """What the rows of one backend showed: beside each other, the products, and the limits."""
    for column in columns(rows):
        if column not in ("matrix products", ONE_CORE):
            yield comparison_sentence(rows, column, rounds)
    over = [1 / row.ratios[PRODUCTS].median for row in rows if PRODUCTS in row.ratios]
    if over:
        yield f"The recorded step takes {span(over)} times as long as its matrix products alone."
    yield from roof_sentences(rows)
    yield from compiled_sentences(rows)
    for row in rows:
        if ONE_CORE in row.ratios:
            yield (
                f"{row.case}: {row.ratios[ONE_CORE]} times the throughput of one CPU core, which "
                "trains ten at a time."
            )


def comparison_sentence(rows: list[Row], column: str, rounds: int) -> str:
    """How often the recorded step was faster, by the percentiles, and by how much."""
    found = [row.ratios[name] for row in rows if (name := contestant_in(row, column)) is not None]
    line = f"{column}: {span(each.median for each in found)} times the recorded step's time"
    if rounds < ROUNDS_FOR_A_CLAIM:
        return f"{line} in {rounds} rounds, too few to claim more."
    faster, slower = sum(each.low > 1 for each in found), sum(each.high < 1 for each in found)
    return (
        f"{line}; the recorded step is faster in {faster} of {len(found)} cases, slower in "
        f"{slower}, and within the spread in {len(found) - faster - slower}."
    )


def span(values: Iterable[float]) -> str:
    """The smallest and the largest, such as `1.10 to 2.12`."""
    found = sorted(values)
    return " to ".join(dict.fromkeys([figures(found[0]), figures(found[-1])]))


def roof_sentences(rows: list[Row]) -> Iterator[str]:
    """How much of its nearer limit the recorded step reaches, and which of the two that is."""
    placed = [(row.placements[RECORDED], row) for row in rows]
    (least, low), (most, high) = (
        choose(placed, key=lambda pair: pair[0].of_roof) for choose in (min, max)
    )
    by_memory = sum(each.binds == "memory" for each, _ in placed)
    yield (
        f"Of the two limits, arithmetic is nearer in {len(rows) - by_memory} cases and memory in "
        f"{by_memory}; the recorded step reaches from {least.of_roof:.0%} ({low.case}) to "
        f"{most.of_roof:.0%} ({high.case}) of what that limit allows."
    )
    far = sum(each.of_roof < NEAR_THE_ROOF for each, _ in placed)
    if far:
        yield (
            f"In {far} of {len(rows)} cases that is below {NEAR_THE_ROOF:.0%}: there neither limit "
            "explains the time. Products too small for the peak, elementwise passes of their own "
            "and the calls themselves may; this run does not tell them apart."
        )


def compiled_sentences(rows: list[Row]) -> Iterator[str]:
    """The compiled step's share of the peak, and how it compares with JAX's scan."""
    placed = [(row.placements[COMPILED], row) for row in rows if COMPILED in row.placements]
    if placed:
        (least, low), (most, high) = (
            choose(placed, key=lambda pair: pair[0].of_product_rate) for choose in (min, max)
        )
        yield (
            f"The compiled step reaches from {least.of_product_rate:.0%} ({low.case}) to "
            f"{most.of_product_rate:.0%} ({high.case}) of the rate of a large matrix product."
        )
    for column in ("JAX jit", "JAX scan", "torch.compile"):
        over = [
            row.ratios[name].median / row.ratios[COMPILED].median
            for _, row in placed
            if (name := contestant_in(row, column)) is not None
        ]
        if over:
            yield f"{column}: {span(over)} times the compiled step's time."


def crossover_sentences(rows: list[Row]) -> Iterator[str]:
    """Where the GPU is faster than the CPU, of recorded steps in fp32 that both made.

    The two were timed in rounds of their own.
    """
    seconds: dict[str, dict[str, float]] = {"numpy": {}, "cupy": {}}
    sizes = {str(row.case): row.count.operations / 1e6 for row in rows}
    for row in rows:
        if row.case.precision == "fp32":
            seconds[row.case.backend][str(row.case)] = row.seconds[RECORDED].median
    both = seconds["numpy"].keys() & seconds["cupy"].keys()
    over = {case: seconds["numpy"][case] / seconds["cupy"][case] for case in both}
    for name, faster in (("GPU", True), ("CPU", False)):
        cases = [case for case in both if (over[case] > 1) == faster]
        if cases:
            yield (
                f"The {name} is faster in {len(cases)} of {len(both)} cases that both have, from "
                f"{figures(min(sizes[case] for case in cases))} to "
                f"{figures(max(sizes[case] for case in cases))} MFLOP a step, by up to "
                f"{figures(max(max(over[case], 1 / over[case]) for case in cases))} times."
            )


def caution_sentences(result: Result) -> Iterator[str]:
    """What may have disturbed the times; nothing where nothing did.

    Several threads beside another library, and other processes, or other threads of this one, that
    took more than `BUSY` of the time.
    """
    if result.settings.threads > 1 and result.settings.peers:
        yield (
            "Caution: with several threads each library keeps a pool of its own, whose threads "
            "wait actively for a while after their turn; compare libraries with --threads 1."
        )
    waited = [row.other_processes for row in result.rows if row.other_processes > BUSY]
    if waited:
        yield (
            f"Caution: other processes took up to {max(waited):.0%} of the time in {len(waited)} "
            f"of {len(result.rows)} cases and disturb the caches; repeat this on a quiet machine, "
            "or with --clock processor, which does not count them."
        )
    disturbed = [row.other_threads for row in result.rows if row.other_threads > BUSY]
    if disturbed:
        yield (
            "Caution: threads of another library computed beside the engine, up to "
            f"{max(disturbed):.0%} of its time."
        )

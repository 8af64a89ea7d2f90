"""From which size on the GPU is faster than the CPU, where both were timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scratchnet.demos.bench.engine import RECORDED
from scratchnet.demos.timing import figures

if TYPE_CHECKING:
    from scratchnet.demos.bench.experiment import Row


def paired(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """(operations of a step, time on the CPU over time on the GPU) of the cases both have.

    Recorded steps in fp32, the smallest first. The two were timed in rounds of their own.
    """
    seconds = {
        name: {
            (row.case.depth, row.case.width, row.case.batch, row.case.networks): row
            for row in rows
            if row.case.backend == name and row.case.precision == "fp32"
        }
        for name in ("numpy", "cupy")
    }
    return sorted(
        (
            float(row.count.operations),
            row.seconds[RECORDED].median / seconds["cupy"][shape].seconds[RECORDED].median,
        )
        for shape, row in seconds["numpy"].items()
        if shape in seconds["cupy"]
    )


def crossover_sentences(rows: Sequence[Row]) -> Iterator[str]:
    """Where the GPU overtakes, as far as the measured sizes tell."""
    pairs = paired(rows)
    if not pairs:
        return
    slower = [size for size, ratio in pairs if ratio <= 1]
    faster = [size for size, ratio in pairs if ratio > 1]
    best = max(ratio for _, ratio in pairs)
    cases = f"all {len(pairs)} cases" if len(pairs) > 1 else "the only case that both have"
    if not faster:
        yield (
            f"The CPU is faster than the GPU in {cases}, up to "
            f"{figures(slower[-1] / 1e6)} MFLOP a step."
        )
    elif not slower:
        yield (
            f"The GPU is faster than the CPU in {cases}, from "
            f"{figures(faster[0] / 1e6)} MFLOP a step on, by up to {figures(best)} times."
        )
    else:
        yield (
            f"The GPU overtakes the CPU between {figures(faster[0] / 1e6)} MFLOP a step, the "
            f"smallest where it is faster, and {figures(slower[-1] / 1e6)}, the largest where it "
            f"is not; it is faster by up to {figures(best)} times."
        )

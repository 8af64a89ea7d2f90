"""What `scratchnet fractal-gradients` showed: two tables, and sentences from them by rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.fractal.verdict import curve_name, listed
from scratchnet.demos.fractal_gradients.experiment import (
    INITIALISERS,
    ROUNDING,
    Result,
    Row,
    Settings,
)
from scratchnet.demos.statistics import wilson_interval
from scratchnet.demos.tables import bullets, new_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def report(result: Result, console: Console) -> None:
    """Print what was asked, the tables, and the sentences."""
    s = result.settings
    console.print(
        f"Networks 1-[{s.width}]*{s.depth}-1 before training, {s.seeds} of each kind; hinge loss "
        "over the whole distribution on the Cantor set, exact but for rounding, float64.",
        markup=False,
    )
    if s.quick:
        full = Settings().seeds
        console.print(f"A quick run. Without --quick the default is {full} networks of each kind.")
    console.print("\n[bold]1. The largest gradient entry, median over networks[/]\n")
    for row in result.rows:
        if row.initialiser in ("pytorch", "he, large biases"):
            console.print(f"{row.initialiser}: {INITIALISERS[row.initialiser].description}")
            console.print(entry_table(result, row))
    console.print(bullets(list(entry_sentences(result))))
    console.print("\n[bold]2. How often an entry exceeds the bound[/]\n")
    console.print(violation_table(result))
    console.print(bullets(list(violation_sentences(result))))
    console.print()


def entry_table(result: Result, row: Row) -> Table:
    """A line for each level: the median, and below the bounds of the deepest one."""
    s = result.settings
    table = new_table("level n", *(curve_name(name) for name in s.curves))
    medians = np.median(row.largest, axis=-1)
    for level, values in zip(s.levels, medians, strict=True):
        table.add_row(str(level), *(f"{value:.1e}" for value in values))
    deepest = result.bounds[-1, :, 0]
    if not np.isnan(deepest).all():
        table.add_row(f"bound, {s.levels[-1]}", *(f"{value:.1e}" for value in deepest))
    return table


def entry_sentences(result: Result) -> Iterator[str]:
    """The bound and its level j, and whether any level of the run is deeper, as the theorem asks.

    For PyTorch's initialisation, where there are several levels, how the median changes with them.
    """
    s = result.settings
    j = s.theorem_level
    yield (
        f"The bound is 5 (P(j) - 1/2) at level j = {j} = log(4 t k² / δ) / log(3/2), rounded up, "
        f"for t = {s.depth} layers of k = {s.width} and δ = {s.delta:g}: with a probability of at "
        f"least {1 - s.delta:g} no bend lies in K_{j}. It speaks of distributions deeper than that."
    )
    if max(s.levels) <= j:
        yield (
            f"No level of this run is deeper than {j}, so the theorem says nothing here; smaller "
            "networks or a larger --delta bring j down."
        )
    for row in result.rows:
        medians = np.median(row.largest, axis=-1)
        if len(s.levels) > 1 and row.initialiser == "pytorch":
            yield fall_sentence(result, medians)


def fall_sentence(result: Result, medians: Any) -> str:
    """By how much the median changed from the first level to the last, for each curve."""
    s = result.settings
    parts = []
    for name, first, last in zip(s.curves, medians[0], medians[-1], strict=True):
        if first <= 0:
            continue
        change = (
            "to rounding"
            if last < ROUNDING
            else f"to {last / first:.2g} of itself"
            if last < 0.9 * first
            else "hardly"
            if last < 1.1 * first
            else f"{last / first:.2g}-fold"
        )
        parts.append(f"{curve_name(name)} {change}")
    return (
        f"With PyTorch's initialisation the median largest entry changes from level {s.levels[0]} "
        f"to {s.levels[-1]}: {', '.join(parts)}."
    )


def violation_table(result: Result) -> Table:
    table = new_table(
        "first weights",
        "bends\ngone at j",
        "|output|\nabove 1",
        "above the\ntheorem's",
        "above the\nown bound",
        "own, loss\n1 - s f",
    )
    for row in result.rows:
        own = result.own_bounds(row)
        table.add_row(
            row.initialiser,
            f"{np.median(row.own_level):.0f}",
            f"{np.mean(row.output > 1):.1%}",
            percent(row.violations(result.bounds)),
            percent(row.violations(own)),
            percent(row.violations(own, linear=True)),
        )
    return table


def share(violations: Any) -> tuple[int, int]:
    """How many networks break a bound somewhere, and of how many that it speaks of."""
    known = ~np.isnan(violations).all(axis=(0, 1))
    broken = (violations == 1).any(axis=(0, 1))
    return int(broken.sum()), int(known.sum())


def percent(violations: Any) -> str:
    broken, n = share(violations)
    return f"{broken / n:.1%}" if n else "-"


def interval(violations: Any) -> str:
    """The share with its 95 % interval."""
    broken, n = share(violations)
    low, high = wilson_interval(broken, n)
    return f"{broken / n:.1%} ({low:.1%} to {high:.1%}, n = {n})"


def violation_sentences(result: Result) -> Iterator[str]:
    """Whose networks exceed the theorem's bound in a share of at most delta, and whose in a larger.

    Nothing is said of that where no level is deeper than j. Then why some exceed their own bound.
    """
    s = result.settings
    yield (
        "A network counts as above a bound where an entry exceeds it for any level and curve. The "
        "own bound takes for j the least level without a bend of that very network in K_j, so it "
        "needs no luck with the bends."
    )
    if max(s.levels) > s.theorem_level:
        kept: list[str] = []
        not_kept: list[str] = []
        for row in result.rows:
            violations = row.violations(result.bounds)
            said = f"{row.initialiser} {interval(violations)}"
            broken, n = share(violations)
            (kept if broken <= s.delta * n else not_kept).append(said)
        if kept:
            yield f"Above the theorem's bound in at most {s.delta:.0%} of networks: {listed(kept)}."
        if not_kept:
            yield f"Above it more often: {listed(not_kept)}."
    yield from why_sentences(result)
    if result.interrupted:
        yield "The run was interrupted: not all initialisers were measured."


def why_sentences(result: Result) -> Iterator[str]:
    """Which condition of the argument fails in the networks that exceed their own bound."""
    flat = False
    for row in result.rows:
        own = result.own_bounds(row)
        broken = (row.violations(own) == 1).any(axis=(0, 1))
        linear = (row.violations(own, linear=True) == 1).any(axis=(0, 1))
        if not broken.any():
            continue
        flat |= bool((broken & ~linear).any())
        large = row.output > 1
        said = f"of {broken.sum()} networks above their own bound"
        said += f" {large[broken].sum()} have |output| > 1 somewhere on [0, 1]"
        if (~large).any():
            said += f"; of {(~large).sum()} with |output| <= 1 everywhere {broken[~large].sum()}"
            said += " are above"
        yield f"{row.initialiser}: {said}; with the loss 1 - s f(x) {linear.sum()} are above."
    if flat:
        yield (
            "Why: where s f(x) > 1 the hinge loss is flat, and points there do not pull. In a cell "
            "where one class is flat and the other is not, they do not cancel, however fine the "
            "negatives. The loss 1 - s f(x), which is never flat, leaves the size of the "
            "derivatives as the only way above the bound."
        )


def sentences(result: Result) -> list[str]:
    """All that the run says, in words."""
    return [*entry_sentences(result), *violation_sentences(result)]

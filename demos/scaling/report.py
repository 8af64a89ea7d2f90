"""What a run of `scratchnet scaling` showed: tables, fits, and sentences that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.scaling.settings import (
    BATCH,
    DEPTH,
    HELD_OUT,
    INPUTS,
    LEARNING_RATE,
    TEACHER_WIDTH,
)
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.tables import bullets, new_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.scaling.experiment import Curve, Result

NAMES = {"parameters": "parameters", "samples": "training samples", "compute": "compute"}
POOR_FIT = 0.1
"""A root mean square of ln(measured / fitted) above this is called no good power law."""


def report(result: Result, console: Console) -> None:
    """Print what was asked, the tables, and what the run showed."""
    for line in description(result):
        console.print(line, markup=False)
    console.print()
    for curve in result.curves:
        if len(curve.sizes):
            means = ", geometric means over seeds" if result.settings.seeds > 1 else ""
            title = f"Test loss against {NAMES[curve.quantity]}{means}"
            console.print(title, style="bold")
            console.print(table(result, curve))
    console.print("What this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(result: Result) -> Iterator[str]:
    """The experiment in a few lines."""
    s = result.settings
    yield (
        f"Teacher: a fixed random tanh network {INPUTS}-{TEACHER_WIDTH}-{TEACHER_WIDTH}-1 on "
        f"normal inputs, without noise. Networks: {DEPTH} hidden layers of ReLUs; loss: squared "
        "error in units of the teacher's variance."
    )
    seeds = f"seeds {s.seed} to {s.seed + s.seeds - 1}" if s.seeds > 1 else f"seed {s.seed}"
    yield (
        f"Adam, batches of {BATCH}, learning rate {LEARNING_RATE:g} with cosine decay, about "
        f"{s.steps:,} steps; {seeds}, each with its own inputs and first weights. A network counts "
        f"at its smallest loss on {HELD_OUT:,} validation samples; {HELD_OUT:,} others test it."
    )
    yield (
        f"Parameters vary on {s.most_samples:,} samples; samples vary with networks of about "
        f"{s.data_parameters:,} parameters. Compute is 6 x parameters x samples seen."
    )
    if s.quick:
        yield "A quick run: fewer sizes, steps and seeds than without --quick."


def table(result: Result, curve: Curve) -> Table:
    """A line for each size: the geometric mean over seeds, which is what is fitted, and the fit."""
    series = {"parameters": result.by_parameters, "samples": result.by_samples}
    widths = [[str(each.width)] for each in series.get(curve.quantity, ())]
    headings = ["width"] if widths else []
    shown = new_table(NAMES[curve.quantity], *headings, "test loss", "95 % interval", "fitted", "n")
    for i, (size, losses) in enumerate(zip(curve.sizes, curve.losses, strict=True)):
        estimate = mean_interval(np.log(losses))
        ends = [f"{end:.4f}" for end in np.exp(estimate.interval or ())]
        shown.add_row(
            f"{size:,.0f}" if size < 1e6 else f"{size:.3g}",
            *(widths[i] if widths else []),
            f"{np.exp(estimate.mean):.4f}" if estimate.n else "diverged",
            " to ".join(ends),
            f"{curve.law.law(size):.4f}" if curve.law else "-",
            str(estimate.n),
        )
    return shown


def law_words(curve: Curve) -> str:
    """Such as `L = 0.11 + (15 / D)^0.99`."""
    fit = curve.law
    if fit is None:
        return "no fit"
    letter = {"parameters": "N", "samples": "D", "compute": "C"}[curve.quantity]
    law, smallest = fit.law, float(np.exp(np.log(curve.losses).mean(axis=1).min()))
    offset = "" if law.offset < 1e-3 * smallest else f"{law.offset:.2g} + "
    return f"L = {offset}({law.scale:.3g} / {letter})^{law.exponent:.2f}"


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    lines = [each for curve in result.curves for each in curve_sentences(curve)]
    if result.settings.seeds == 1:
        lines.append("One seed gives no interval for an exponent.")
    by_name = {curve.quantity: curve for curve in result.curves}
    if by_name["compute"].law:
        lines.append(
            "The compute curve belongs to one training schedule: moments within longer trainings "
            "stand for short ones. What a schedule made for each budget would give was not "
            "measured, so the exponent need not be that of the best use of "
            "compute."
        )
    if result.unfinished:
        lines.append(f"The run was interrupted with {result.unfinished} ensembles left to train.")
    return lines


def curve_sentences(curve: Curve) -> Iterator[str]:
    """The exponent of a curve with its interval, or why no law was fitted.

    Adds where the offset of a good fit is most of the last loss, where the fit is poor, and where
    the interval is wider than the exponent.
    """
    name, fit = NAMES[curve.quantity], curve.law
    if fit is None:
        yield f"No power law was fitted to the losses against {name}: {curve.why_none}."
        return
    law = fit.law
    interval = (
        f" (95 % interval {fit.interval[0]:.2f} to {fit.interval[1]:.2f}, {fit.runs} seeds)"
        if fit.interval
        else ""
    )
    decades = np.log10(curve.sizes[-1] / curve.sizes[0])
    yield (
        f"Against {name}, over {decades:.1f} decades: {law_words(curve)}; exponent "
        f"{law.exponent:.2f}{interval}."
    )
    share = law.offset / float(np.exp(np.log(curve.losses[-1]).mean()))
    if share > 0.5 and fit.residual <= POOR_FIT:
        yield (
            f"The offset is {share:.0%} of the last loss: by the fit something else than {name} "
            "limits it there."
        )
    ratio = float(np.exp(fit.residual))
    if fit.residual > POOR_FIT:
        interval = (
            ", and the interval does not say by how much the exponent would change over other sizes"
            if fit.interval
            else ""
        )
        yield (
            f"Means miss the fitted curve by a factor of {ratio:.2f} (root mean square), so a "
            f"power law describes the losses against {name} roughly at best{interval}."
        )
    if fit.interval and fit.interval[1] - fit.interval[0] > law.exponent:
        yield f"The exponent against {name} is hardly determined: its interval is wider than it."

"""What a run of `scratchnet depth-limits` showed: three tables, and sentences that follow from it.

A difference is claimed under the rule of `demos.changes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.changes import TEST_NAME, Change, change
from scratchnet.demos.depth_limits.settings import DESCRIPTIONS
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.timing import Spread, ratio
from scratchnet.depth.signal import BATCH_NORM_RELU_GROWTH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.depth_limits.experiment import Result, Row


def report(result: Result, console: Console) -> None:
    """Print what was asked, the tables, and what the run showed."""
    console.print(bullets(list(description(result))))
    console.print()
    for switched in (False, True):
        rows = [row for row in result.rows if row.network.switched == switched]
        if not rows:
            continue
        suffix = f" with {result.settings.switch}" if switched else ""
        for title, cell in (
            ("Training accuracy in % (*: some networks diverged)", accuracy_cell),
            ("Gradient of the first layer before training, |dL/dW_1|", gradient_cell),
        ):
            console.print(f"{title}{suffix}", style="bold", markup=False)
            console.print(table(result, switched, cell))
    if result.times:
        rounds = len(next(iter(result.times.values())))
        title = f"Time of a training step, relative to the plain network's (medians of {rounds})"
        console.print(title, style="bold")
        console.print(table(result, False, lambda row: time_cell(result, row)))
    console.print("What this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(result: Result) -> Iterator[str]:
    """The kinds of networks, how they are trained, what He et al. saw, what a quick run omits."""
    s = result.settings
    for kind in s.kinds:
        yield f"{kind}: {DESCRIPTIONS[kind]}"
    last = s.seed + s.seeds - 1
    seeds = f"seeds {s.seed} to {last}" if s.seeds > 1 else f"seed {s.seed}"
    yield (
        f"two spirals of two turns, {s.points} points; {s.width} ReLUs in each layer; Adam, "
        f"learning rate {s.learning_rate:g}, {s.epochs} epochs on the whole set; {seeds}"
    )
    yield (
        "He et al. (2016) saw plain convolutional networks train worse with 56 layers than with "
        "20, and with 34 than with 18, and residual ones not, all of them batch-normalised"
    )
    if s.switch:
        yield f"every network is trained a second time, with {s.switch}"
    if s.quick:
        yield "a quick run: without --quick there are 10 seeds, 300 epochs and up to 64 layers"


def table(result: Result, switched: bool, cell: Callable[[Row], str]) -> Table:
    """A line for each depth, a column for each kind."""
    kinds = result.settings.kinds
    shown = new_table("layers", *(kind.replace("-", "-\n", 1) for kind in kinds))
    for layers in sorted(result.settings.layers):
        rows = [result.find(kind, layers, switched) for kind in kinds]
        if any(rows):
            shown.add_row(str(layers), *(cell(row) if row else "" for row in rows))
    return shown


def accuracy_cell(row: Row) -> str:
    estimate = mean_interval(row.accuracy)
    if estimate.n == 0:
        return "NaN"
    return f"{estimate:.1%}".replace("%", "") + ("*" if row.diverged else "")


def gradient_cell(row: Row) -> str:
    """The geometric mean over seeds, since single networks differ by factors."""
    mean = geometric_mean(row)
    return "not finite" if math.isnan(mean) else f"{mean:.2g}"


def time_cell(result: Result, row: Row) -> str:
    found = time_ratio(result, row)
    return "" if found is None else f"{found.median:.2f}"


def geometric_mean(row: Row) -> float:
    kept = row.first_gradient[np.isfinite(row.first_gradient) & (row.first_gradient > 0)]
    return float(np.exp(np.log(kept).mean())) if len(kept) else math.nan


def time_ratio(result: Result, row: Row) -> Spread | None:
    """Seconds of a step over those of the plain network of as many layers, round by round.

    None with the switches on, which were not timed, and where no network stayed finite.
    """
    kind, layers = row.network.kind, row.network.layers
    if row.network.switched or (kind, layers) not in result.times or row.all_diverged:
        return None
    return ratio(result.times[kind, layers], result.times["plain", layers])


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    lines = [*divergence_sentences(result)]
    kinds = result.settings.kinds
    lines += [line for kind in kinds for line in degradation(result, kind)]
    lines += remedies(result)
    lines += [line for kind in kinds for line in gradient_growth(result, kind)]
    lines += switch_sentences(result)
    if result.settings.seeds == 1:
        lines.append("One seed gives no interval, so no difference is claimed.")
    else:
        lines.append(f"A difference is claimed by a {TEST_NAME}; accuracies are training ones.")
    if result.unfinished:
        left_out = ", ".join(map(str, result.unfinished))
        lines.append(f"The run was interrupted before these were trained: {left_out}.")
    return lines


def divergence_sentences(result: Result) -> Iterator[str]:
    for row in result.rows:
        if row.diverged:
            first = min(row.diverged.values())
            switched = f" with {result.settings.switch}" if row.network.switched else ""
            yield (
                f"{row.network}{switched}: the loss of {len(row.diverged)} of "
                f"{len(row.accuracy)} networks was not finite, the first at epoch {first}; they "
                "are left out."
            )


def compared(result: Result, before: Row, after: Row) -> Change:
    return change(before.accuracy, after.accuracy, result.settings.points)


def degradation(result: Result, kind: str) -> Iterator[str]:
    """The best depth of a kind against its deepest: did more layers make training worse?"""
    rows = [
        row
        for row in result.rows
        if row.network.kind == kind and not row.network.switched and mean_interval(row.accuracy).n
    ]
    if len(rows) < 2:
        return
    deepest = rows[-1]
    # The shallowest of the best, so that a tie counts for fewer layers.
    best = max(rows, key=lambda row: (mean_interval(row.accuracy).mean, -row.network.layers))
    if best is deepest:
        yield f"{kind}: the deepest, {layers(deepest)}, has the highest mean, {percent(deepest)}."
        return
    gained = compared(result, best, deepest)
    moved = f"from {percent(best)} with {layers(best)} to {percent(deepest)} with {layers(deepest)}"
    if gained.sign == -1:
        yield f"{kind}: more layers made training worse, {moved}: {gained}."
    elif gained.sign is None:
        yield f"{kind}: {moved}."
    else:
        yield f"{kind}: no loss was seen {moved}: {gained}."


def layers(row: Row) -> str:
    asked, own = row.network.layers, row.network.own_layers
    return f"{own} layers" if own == asked else f"{own} layers (for {asked})"


def percent(row: Row) -> str:
    return f"{mean_interval(row.accuracy).mean:.1%}"


def remedies(result: Result) -> Iterator[str]:
    """At the deepest: each remedy against the plain network."""
    depth = max(result.settings.layers)
    plain = result.find("plain", depth)
    for kind in result.settings.kinds:
        row = result.find(kind, depth)
        if kind == "plain" or plain is None or row is None:
            continue
        gained = compared(result, plain, row)
        if gained.estimate.n == 0:
            yield f"At {depth} layers {kind} cannot be compared: no seed trained at both."
        elif gained.sign == 1:
            yield f"At {depth} layers {kind} trains better than plain: {gained}."
        elif gained.sign == -1:
            yield f"At {depth} layers {kind} trains worse than plain: {gained}."
        elif gained.sign == 0:
            yield f"At {depth} layers no difference between {kind} and plain was seen: {gained}."


def gradient_growth(result: Result, kind: str) -> Iterator[str]:
    """What each layer multiplies the first gradient by, from the shallowest to the deepest."""
    rows = [
        row
        for row in result.rows
        if row.network.kind == kind
        and not row.network.switched
        and not math.isnan(geometric_mean(row))
    ]
    if len(rows) < 2:
        return
    first, last = rows[0], rows[-1]
    more = last.network.own_layers - first.network.own_layers
    if not more:
        return
    growth = geometric_mean(last) / geometric_mean(first)
    theory = ""
    if kind == "batch-norm":
        theory = f" Theory for wide layers says {math.sqrt(BATCH_NORM_RELU_GROWTH):.3f}."
    yield (
        f"{kind}: from {first.network.own_layers} to {last.network.own_layers} layers the first "
        f"gradient changes by a factor of {growth:.2g}, which is {growth ** (1 / more):.3f} a "
        f"layer."
        f"{theory}"
    )


def switch_sentences(result: Result) -> Iterator[str]:
    """For each kind, the depths at which the switches changed what was reached."""
    if not result.settings.switch:
        return
    for kind in result.settings.kinds:
        parts = []
        for row in result.rows:
            other = result.find(kind, row.network.layers, switched=True)
            if row.network.kind != kind or row.network.switched or other is None:
                continue
            gained = compared(result, row, other)
            if gained.sign:
                parts.append(f"{gained} at {row.network.layers} layers")
        if parts:
            yield f"{result.settings.switch}, {kind}: {'; '.join(parts)}."
        elif result.settings.seeds > 1:
            yield f"{result.settings.switch}, {kind}: no difference was seen at any depth."

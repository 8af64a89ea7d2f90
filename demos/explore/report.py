"""What a run of `scratchnet explore` showed: tables, and sentences that follow from its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.changes import TEST_NAME, Change, change
from scratchnet.demos.representation import PROBE_WORDS, UNCONVERGED
from scratchnet.demos.seeded_data import DESCRIPTIONS
from scratchnet.demos.statistics import Estimate, mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.timing import Spread, figures, ratio
from scratchnet.demos.trained_ensembles import OPTIMIZER_NAMES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.explore.experiment import Inside, Result, Row


def report(result: Result, console: Console) -> None:
    """Print what was asked, a table for each dataset, and what the run showed."""
    for line in description(result):
        console.print(line, markup=False)
    console.print()
    for name in result.settings.datasets:
        if rows_of(result, name):
            console.print(f"{name}: {DESCRIPTIONS[name]}", style="bold", markup=False)
            console.print(table(result, rows_of(result, name)))
    if result.variants:
        console.print(f"{result.variants[0].dataset}, variants", style="bold")
        console.print(variant_table(result))
    if result.inside:
        console.print(
            f"Linear probes of the layers, spirals, depth {result.inside.depth}", style="bold"
        )
        console.print(inside_table(result.inside))
    console.print("What this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(result: Result) -> Iterator[str]:
    """The experiment in a few lines."""
    s = result.settings
    seeds = f"seed {s.seed}"
    if s.seeds > 1:
        seeds = (
            f"seeds {s.seed} to {s.seed + s.seeds - 1}, each with its own first weights and, but "
            "for digits, its own points"
        )
    yield f"Layers of {s.width} ReLUs, full batch; {seeds}."
    if set(s.datasets) != {"digits"}:
        yield f"There are {s.points} points to train on, and {s.points} others to test on."
    for name in s.datasets:
        t = s.training(name, 1)
        yield (
            f"{name}: {OPTIMIZER_NAMES[t.optimizer]}, learning rate {t.learning_rate:g}, "
            f"{t.epochs:,} epochs."
        )
    if s.inside_depth is not None:
        yield PROBE_WORDS
    if result.times:
        rounds = len(next(iter(result.times.values())))
        yield (
            f"Times of a step are medians, and the 10th to 90th percentile, of {rounds} rounds in "
            "which all that is trained on the same data has its turn."
        )
    if s.seeds > 1:
        yield (
            f"Means ± 95 % intervals. The same seeds at every depth: differences are claimed by a "
            f"{TEST_NAME}, with no correction for their number."
        )


def rows_of(result: Result, dataset: str) -> list[Row]:
    """The depths on one dataset, in order."""
    return sorted((row for row in result.rows if row.dataset == dataset), key=lambda row: row.depth)


def mean_test_accuracy(row: Row) -> Estimate:
    return mean_interval(row.trained.test_accuracy)


def between(before: Row, after: Row) -> Change:
    """What test accuracy gains, seed by seed."""
    return change(before.trained.test_accuracy, after.trained.test_accuracy, after.test_samples)


def time_ratio(result: Result, row: Row, reference: Row) -> Spread | None:
    """Seconds of a training step over those of the reference, round by round.

    None where all networks of either diverged, whose steps tell nothing, or where none were timed.
    """
    both = [each.trained.training for each in (row, reference)]
    if all_diverged(row) or all_diverged(reference) or not set(both) <= result.times.keys():
        return None
    return ratio(*(result.times[each] for each in both))


def all_diverged(row: Row) -> bool:
    return mean_test_accuracy(row).n == 0


def time_cell(result: Result, row: Row, reference: Row) -> str:
    """Such as `2.31 [2.25–2.40]`, and 1 for the reference itself; empty where there is no ratio."""
    found = time_ratio(result, row, reference)
    if found is None:
        return ""
    if row is reference:
        return "1"
    return f"{figures(found.median)} [{figures(found.low)}–{figures(found.high)}]"


def accuracy_cells(row: Row) -> tuple[str, str]:
    if all_diverged(row):
        return "diverged", "diverged"
    train = mean_interval(row.trained.train_accuracy)
    return f"{train:.1%}", f"{mean_test_accuracy(row):.1%}"


def table(result: Result, rows: list[Row]) -> Table:
    shown = new_table("depth", "parameters", "training", "test", "time of a step\n/ the first")
    for row in rows:
        shown.add_row(
            str(row.depth),
            f"{row.trained.parameters:,}",
            *accuracy_cells(row),
            time_cell(result, row, rows[0]),
        )
    return shown


def plain_row(result: Result, row: Row) -> Row:
    """The row of the same data and depth without batch normalisation and skip connections."""
    return next(each for each in rows_of(result, row.dataset) if each.depth == row.depth)


def variant_table(result: Result) -> Table:
    shown = new_table("depth", "variant", "training", "test", "time of a step\n/ plain")
    for depth in sorted({row.depth for row in result.variants}):
        own = [row for row in result.variants if row.depth == depth]
        plain = plain_row(result, own[0])
        for row in (plain, *own):
            shown.add_row(
                str(depth),
                row.variant,
                *accuracy_cells(row),
                time_cell(result, row, plain),
            )
    return shown


def inside_table(inside: Inside) -> Table:
    """A line for each layer: probes of it after and before training, dead units and rank after."""
    shown = new_table("layer", "trained", "untrained", "dead units", "effective rank")
    raw = f"{mean_interval(inside.inputs.test):.1%}"
    shown.add_row("input", raw, raw, "", "")
    for i, layer in enumerate(inside.after.layers):
        shown.add_row(
            str(layer),
            f"{mean_interval(inside.after.test[i]):.1%}",
            f"{mean_interval(inside.before.test[i]):.1%}",
            f"{mean_interval(inside.after.dead_share[i]).mean:.0%}",
            f"{mean_interval(inside.after.effective_rank[i]).mean:.1f}",
        )
    return shown


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    lines = [*divergence_sentences(result)]
    for name in result.settings.datasets:
        lines += depth_sentences(rows_of(result, name))
    lines += time_sentence(result)
    lines += optimizer_sentences(result)
    lines += variant_sentences(result)
    if result.inside:
        lines += inside_sentences(result.inside, result.settings.points)
    if result.settings.seeds == 1:
        lines.append("One seed gives no interval, so no difference is claimed.")
    if result.unfinished:
        left_out = "; ".join(str(each) for each in result.unfinished)
        lines.append(f"The run was interrupted before these were trained: {left_out}.")
    return lines


def divergence_sentences(result: Result) -> Iterator[str]:
    for row in (*result.rows, *result.variants):
        if row.trained.diverged:
            network, when = min(row.trained.diverged.items())
            yield (
                f"{row.trained.training}: {len(row.trained.diverged)} of {result.settings.seeds} "
                f"networks diverged and are left out (seed {result.settings.seed + network} "
                f"{when})."
            )


def depth_sentences(rows: list[Row]) -> Iterator[str]:
    """The neighbouring depths of one dataset between which a difference was seen."""
    if len(rows) < 2:
        return
    name = rows[0].dataset
    changes = [(a, b, between(a, b)) for a, b in pairwise(rows)]
    seen = [each for each in changes if each[2].sign]
    for a, b, gained in seen:
        word = "better" if gained.sign == 1 else "worse"
        yield (
            f"On {name} depth {b.depth} is {word} than depth {a.depth}: "
            f"{mean_test_accuracy(b):.1%} against {mean_test_accuracy(a):.1%}, {gained}."
        )
    means = [mean_test_accuracy(row).mean for row in rows if mean_test_accuracy(row).n]
    if not seen and means and changes[0][2].sign is not None:
        low, high = f"{min(means):.1%}", f"{max(means):.1%}"
        found = f"is {low} at each" if low == high else f"lies between {low} and {high}"
        yield (
            f"On {name} no difference between neighbouring depths was seen: mean test accuracy "
            f"{found}."
        )


def time_sentence(result: Result) -> Iterator[str]:
    """What the deepest networks cost, beside the shallowest."""
    groups = [rows_of(result, name) for name in result.settings.datasets]
    groups = [
        rows
        for rows in groups
        if len(rows) == len(result.settings.depths) > 1 and not any(map(all_diverged, rows))
    ]
    ratios = [
        f"{found} on {rows[0].dataset}"
        for rows in groups
        if (found := time_ratio(result, rows[-1], rows[0]))
    ]
    if ratios:
        yield (
            f"A training step takes at depth {groups[0][-1].depth} this many times as long as at "
            f"depth {groups[0][0].depth}: {', '.join(ratios)}."
        )


def optimizer_sentences(result: Result) -> Iterator[str]:
    """A gap under gradient descent need not be one of what networks can represent."""
    gaps = [
        name
        for name in result.settings.datasets
        if name != "digits"
        and any(between(a, b).sign == 1 for a, b in pairwise(rows_of(result, name)))
    ]
    if gaps and result.settings.optimizer == "sgd":
        yield (
            f"Whether depth helps on {', '.join(gaps)} because of what deeper networks can "
            "represent or because gradient descent finds it sooner, this run does not tell: "
            "compare --optimizer adam, or see scratchnet spiral."
        )


def variant_sentences(result: Result) -> Iterator[str]:
    """What batch normalisation and skip connections change, at the same learning rate."""
    for depth in sorted({row.depth for row in result.variants}):
        own = [row for row in result.variants if row.depth == depth]
        where = f"At depth {depth} on {own[0].dataset}, with the same learning rate"
        unseen = []
        for row in own:
            gained = between(plain_row(result, row), row)
            if gained.sign == 0:
                unseen.append(f"{row.variant}, {gained}")
            elif gained.sign is not None:
                word = "better" if gained.sign == 1 else "worse"
                yield f"{where}, {row.variant} is {word} than plain: {gained}."
        if unseen:
            yield f"{where}, no effect was seen of these: {'; '.join(unseen)}."


def inside_sentences(inside: Inside, test_samples: int) -> Iterator[str]:
    """What probes read from each layer, what training changed of the last one, how often it rises.

    Of the change nothing is said for one seed; of rises nothing for one layer, or where no run
    has a finite accuracy at every layer.
    """
    layers = inside.after.layers
    listed = ", ".join(
        f"{np.nanmean(values):.1%} after layer {layer}" if np.isfinite(values).any() else "no value"
        for layer, values in zip(layers, inside.after.test, strict=True)
    )
    yield (
        f"In the network of depth {inside.depth} on spirals a linear probe reads {listed}; of the "
        f"raw inputs {mean_interval(inside.inputs.test):.1%}."
    )
    gained = change(inside.before.test[-1], inside.after.test[-1], test_samples)
    if gained.sign is not None:
        verdict = {
            1: "training made the classes more linearly separable there",
            -1: "training made the classes less linearly separable there",
            0: "no effect of training was seen there",
        }[gained.sign]
        yield (
            f"Before training a probe after layer {layers[-1]} gets "
            f"{mean_interval(inside.before.test[-1]):.1%}; {verdict}: {gained}."
        )
    rising = np.diff(inside.after.test[:, np.isfinite(inside.after.test).all(axis=0)], axis=0)
    if len(layers) > 1 and rising.size:
        runs = rising.shape[1]
        yield (
            f"From each of the layers {', '.join(map(str, layers))} to the next it rises in "
            f"{int((rising > 0).all(axis=0).sum())} of {runs} runs, and never falls in "
            f"{int((rising >= 0).all(axis=0).sum())}."
        )
    if not (inside.before.converged and inside.after.converged and inside.inputs.converged.all()):
        yield UNCONVERGED

"""What a run of `scratchnet fractal` showed: tables, and the sentences that go with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.fractal.exact_networks import MOST_REGIONS
from scratchnet.demos.fractal.experiment import Result, stage_names
from scratchnet.demos.fractal.samples import CHECKED_POINTS
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.fractal.verdict import (
    by_place,
    course_sentences,
    curve_name,
    depths,
    learning_sentences,
    points,
)
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.depth.fractal_distributions import CURVES, width_lower_bound

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# What fits in 80 columns: levels, and a number with its interval with the space around it.
MOST_LEVELS, CELL_WIDTH, LINE = 6, 14, 80


def report(result: Result, console: Console) -> None:
    """Print what was asked, the three or four parts with their tables, and the sentences."""
    s = result.settings
    for line in description(s):
        console.print(line, markup=False)
    console.print("\n[bold]1. The distributions[/]\n")
    console.print(curve_table(result))
    console.print(bullets(list(curve_sentences(result))))
    console.print("\n[bold]2. Networks with hand-set weights[/]\n")
    console.print(shape_table(result))
    console.print(bullets(list(shape_sentences(result))))
    if result.rows:
        console.print(
            "\n[bold]3. Networks that learn: test accuracy in %, 95 % interval over seeds[/]\n"
        )
        for table in accuracy_tables(result):
            console.print(table)
    console.print(bullets(learning_sentences(result)))
    if result.courses:
        last = stage_names(s)[-1]
        console.print(f"\n[bold]4. A curriculum towards the curve {last}[/]\n")
        for table in course_tables(result):
            console.print(table)
        console.print(bullets(list(course_sentences(result))))
    console.print()


def description(settings: Settings) -> Iterator[str]:
    """The distribution, the networks and how they learn; a line on what a quick run leaves out."""
    s = settings
    fractal = s.geometry
    ratio = f" of ratio {fractal.fold_ratio:.4g}" if fractal.fold_ratio else ""
    where = f", negatives within {s.within:.3g} of a cell" if s.within < 1 else ""
    yield (
        f"{s.fractal}{ratio}: {fractal.maps} maps, level {s.level}, margin {s.margin:g}{where}; "
        f"{s.points:,} points to train on, {s.test_points:,} others to test on."
    )
    last = s.seed + s.seeds - 1
    seeds = f"seeds {s.seed} to {last}" if s.seeds > 1 else f"seed {s.seed}"
    yield (
        f"ReLU networks of width {s.width}, He's initialisation, logistic loss, Adam at "
        f"{s.learning_rate:g} falling to 0 along a cosine, {s.epochs * s.steps_per_epoch:,} steps "
        f"on batches of {s.batch_size}, float32; {seeds}, each with its own data and first weights."
    )
    if s.quick:
        full = Settings()
        yield (
            f"A quick run. Without --quick the defaults are {full.seeds} seeds, {full.steps:,} "
            f"steps, depths {', '.join(map(str, full.depths))} and the curves {', '.join(CURVES)}."
        )


def sentences(result: Result) -> list[str]:
    """All that the run says, in words."""
    return [
        *curve_sentences(result),
        *shape_sentences(result),
        *learning_sentences(result),
        *course_sentences(result),
    ]


def curve_table(result: Result) -> Table:
    """P(j) as requested, of at most six levels, and how far a sample is off at worst."""
    s = result.settings
    shown = np.unique(np.linspace(1, s.level, min(s.level, MOST_LEVELS)).round().astype(int))
    table = new_table("curve", "beta", *(f"P({level})" for level in shown), "sample's\nworst")
    for name in s.curves:
        requested = s.curve(name)
        table.add_row(
            curve_name(name),
            f"{CURVES[name] if name in CURVES else float(name):g}",
            *(f"{value:.3f}" for value in requested[shown - 1]),
            f"{abs(result.empirical[name] - requested).max():.4f}",
        )
    return table


def curve_sentences(result: Result) -> Iterator[str]:
    """What P(j) means, and how many standard errors a sample is off at worst, over all curves."""
    s = result.settings
    yield (
        "Half of the points are in K_n. P(j) is the accuracy of the coarser set K_j: it misses the "
        "negatives of deeper levels. Level j has a share ~ beta^j of the negatives."
    )
    z = []
    for name in s.curves:
        requested, q = s.curve(name), 2 * s.curve(name) - 1
        error = np.sqrt(q * (1 - q) / ((CHECKED_POINTS + 1) // 2)) / 2
        gap = abs(result.empirical[name] - requested)
        z.append(float((gap[error > 0] / error[error > 0]).max()) if (error > 0).any() else 0.0)
    yield (
        f"A sample of {CHECKED_POINTS:,} points, each looked up in the fractal, has these curves "
        f"within {max(z):.1f} standard errors."
    )


def shape_table(result: Result) -> Table:
    table = new_table(
        "network",
        "level",
        "hidden\nlayers",
        "width",
        "largest\nweight",
        "linear\nregions",
        "errors",
        "no\nmargin",
    )
    for each in result.shapes:
        table.add_row(
            each.construction,
            str(each.level),
            str(each.layers),
            str(each.width),
            f"{each.largest_weight:,.0f}",
            "many" if each.linear_regions is None else f"{each.linear_regions:,}",
            str(each.own_errors),
            str(each.own_errors_without),
        )
    return table


def shape_sentences(result: Result) -> Iterator[str]:
    """How the hand-set networks err: on their own level, and on the finer one of the distribution.

    Ends with the networks that were not built, and with the width that each depth needs at least.
    """
    s = result.settings
    margin = s.margin or 0.1
    yield (
        f"Errors of each network on its own level, among {CHECKED_POINTS:,} points that keep a "
        f"margin of {margin:g}, and among as many that keep none. Regions are those in the box "
        "around K_0."
    )
    if any(each.linear_regions is None for each in result.shapes):
        yield f"More than {MOST_REGIONS:,} regions were not counted: many."
    if wrong := [each for each in result.shapes if each.own_errors]:
        names = ", ".join(f"{each.construction} {each.level}" for each in wrong)
        yield f"With the margin these networks err, which they should not: {names}."
    elif result.shapes:
        yield "With the margin none of them errs."
    folds = [each for each in result.shapes if each.own_errors_by_1 is not None]
    if folds:
        errors = sum(each.own_errors_by_1 or 0 for each in folds)
        yield (
            f"Fold nets {'should ' * bool(errors)}need no margin where class 1 is an output of "
            f"exactly 1 instead of one above 0: by that rule they make {errors:,} errors without a "
            f"margin, of {len(folds) * CHECKED_POINTS:,} points."
        )
    gaps = [
        abs(each.errors[name] - each.expected[name])
        for each in result.shapes
        for name in each.errors
    ]
    if gaps:
        yield (
            f"The network of a coarser level j errs on 1 - P(j) of the points: off by at most "
            f"{max(gaps):.4f}, over all levels and curves."
        )
    for reason in result.not_built:
        yield f"Not built: {reason}."
    need = [width_lower_bound(s.geometry.maps, s.level, t, s.geometry.dimensions) for t in s.depths]
    listed = ", ".join(f"{bound:.3g} at depth {t}" for t, bound in zip(s.depths, need, strict=True))
    kind = "" if s.geometry.dimensions == 1 else " (this bound is weak)"
    yield f"To be K_{s.level} exactly, a network needs a width of at least {listed}{kind}."


def accuracy_tables(result: Result) -> Iterator[Table]:
    """A line for each curve, a column for each depth, as many beside each other as fit."""
    rows, finished = by_place(result), depths(result)
    for part in beside_each_other(finished, [curve_name(name) for name in result.settings.curves]):
        table = new_table("curve", *(f"depth {depth}" for depth in part))
        for name in result.settings.curves:
            values = (rows[name, depth].test_accuracy for depth in part)
            table.add_row(curve_name(name), *map(in_percent, values))
        yield table


def course_tables(result: Result) -> Iterator[Table]:
    """A line for each stage, a column for each depth, as many beside each other as fit."""
    names = [curve_name(name) for name in stage_names(result.settings)]
    for part in beside_each_other(result.courses, [f"{name} alone" for name in names]):
        table = new_table("trained on", *(f"depth {course.depth}" for course in part))
        for stage, name in enumerate(names):
            cells = [in_percent(course.curriculum[stage]) for course in part]
            table.add_row(name if stage == 0 else f"then {name}", *cells)
        table.add_row(f"{names[-1]} alone", *(in_percent(course.direct[-1]) for course in part))
        yield table


def beside_each_other(columns: Sequence[Any], labels: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The columns in parts that fit behind the labels."""
    most = max(1, (LINE - max(map(len, labels))) // CELL_WIDTH)
    for start in range(0, len(columns), most):
        yield columns[start : start + most]


def in_percent(values: Any) -> str:
    """Mean and interval of accuracies, such as `96.4 ± 0.4`."""
    return points(mean_interval(values))

"""What a run of `scratchnet fractal` showed: tables, and sentences that follow from them by rule.

A curve counts as *learned above chance* at a depth where the mean accuracy over seeds is at least
52 % and its 95 % interval lies above 50 %. *Depth helped* where the deepest networks beat the
shallowest by at least 2 points, and the interval of the paired difference lies above 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.fractal.experiment import (
    CHECKED_POINTS,
    MOST_REGIONS,
    Course,
    Result,
    Row,
    stage_names,
)
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.statistics import Estimate, mean_interval, paired_difference
from scratchnet.demos.tables import bullets, new_table
from scratchnet.depth.fractal_distributions import CURVES, error_upper_bound, width_lower_bound
from scratchnet.depth.fractal_networks import general_width

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

ABOVE_CHANCE, LEAST_GAIN = 0.52, 0.02
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
            f"A quick run. Without --quick there are {full.seeds} seeds, {full.steps:,} steps, "
            f"depths {', '.join(map(str, full.depths))} and the curves {', '.join(CURVES)}."
        )


def curve_name(name: str) -> str:
    return name if name in CURVES else f"beta {name}"


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
            "Fold nets need no margin where class 1 is an output of exactly 1 instead of one "
            f"above 0: by that rule they make {errors} errors without a margin, of "
            f"{len(folds) * CHECKED_POINTS:,} points."
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


def by_place(result: Result) -> dict[tuple[str, int], Row]:
    return {(row.curve, row.depth): row for row in result.rows}


def depths(result: Result) -> list[int]:
    """The depths that were finished, from shallow to deep."""
    return sorted({row.depth for row in result.rows})


def accuracy_tables(result: Result) -> Iterator[Table]:
    """A line for each curve, a column for each depth, as many beside each other as fit."""
    rows, finished = by_place(result), depths(result)
    for part in beside_each_other(finished, [curve_name(name) for name in result.settings.curves]):
        table = new_table("curve", *(f"depth {depth}" for depth in part))
        for name in result.settings.curves:
            values = (rows[name, depth].test_accuracy for depth in part)
            table.add_row(curve_name(name), *map(in_percent, values))
        yield table


def beside_each_other(columns: Sequence[Any], labels: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The columns in parts that fit behind the labels."""
    most = max(1, (LINE - max(map(len, labels))) // CELL_WIDTH)
    for start in range(0, len(columns), most):
        yield columns[start : start + most]


def in_percent(values: Any) -> str:
    """Mean and interval of accuracies, such as `96.4 ± 0.4`."""
    return points(mean_interval(values))


def above_chance(values: Sequence[float]) -> bool:
    """Whether the accuracies are clearly above that of guessing; never for a single seed."""
    estimate = mean_interval(values)
    return estimate.interval is not None and (
        estimate.mean >= ABOVE_CHANCE and estimate.interval[0] > 0.5
    )


def gain(result: Result, name: str) -> Estimate:
    """The deepest networks' accuracy minus the shallowest's, seed by seed."""
    rows, finished = by_place(result), depths(result)
    deep, shallow = rows[name, finished[-1]], rows[name, finished[0]]
    return paired_difference(deep.test_accuracy, shallow.test_accuracy)


def depth_helped(difference: Estimate) -> bool:
    return difference.interval is not None and (
        difference.mean >= LEAST_GAIN and difference.interval[0] > 0
    )


def depth_hurt(difference: Estimate) -> bool:
    """The same rule the other way round."""
    return difference.interval is not None and (
        difference.mean <= -LEAST_GAIN and difference.interval[1] < 0
    )


def points(estimate: Estimate) -> str:
    """In percentage points, such as `16.4 ± 1.2`."""
    half = None if estimate.half_width is None else 100 * estimate.half_width
    return f"{Estimate(100 * estimate.mean, half, estimate.n):.1f}"


def sentences(result: Result) -> list[str]:
    """All that the run says, in words."""
    lines = [*curve_sentences(result), *shape_sentences(result)]
    if result.rows:
        lines += learning_sentences(result)
    return [*lines, *course_sentences(result)]


def learning_sentences(result: Result) -> list[str]:
    """What was seen of each curve, and the verdict."""
    s = result.settings
    lines = list(failure_sentences(result))
    if result.interrupted:
        left = [str(depth) for depth in s.depths if depth not in depths(result)]
        lines.append(
            "The run was interrupted" + (f" before depth {', '.join(left)}." if left else ".")
        )
    if s.seeds == 1:
        return [*lines, "One seed gives no interval, so nothing is claimed; add others: --seeds 5."]
    lines += [curve_sentence(result, name) for name in s.curves]
    if len(depths(result)) < 2:
        return [*lines, "One depth has nothing to be compared with: add others with --depths."]
    return [*lines, verdict(result), *bound_sentences(result)]


def failure_sentences(result: Result) -> Iterator[str]:
    for row in result.rows:
        if row.diverged:
            yield (
                f"Curve {curve_name(row.curve)}, depth {row.depth}: {len(row.diverged)} of "
                f"{len(row.test_accuracy)} networks diverged and are left out (seed "
                f"{row.diverged[0]})."
            )


def curve_sentence(result: Result, name: str) -> str:
    """Where depth helped, whether shallow was above chance, and whether anything was learned."""
    rows, finished = by_place(result), depths(result)
    means = {depth: mean_interval(rows[name, depth].test_accuracy) for depth in finished}
    best = max(finished, key=lambda depth: means[depth].mean)
    shallow, deep = finished[0], finished[-1]
    learned = [depth for depth in finished if above_chance(rows[name, depth].test_accuracy)]
    curve = curve_name(name).capitalize()
    if not learned:
        return (
            f"{curve}: nothing was learned; at best {means[best]:.1%} (depth {best}), which is no "
            "more than chance."
        )
    said = f"{curve}: at depth {shallow} {means[shallow].mean:.1%}, "
    said += "above chance" if shallow in learned else "not clearly above chance"
    if shallow == deep:
        return said + "."
    difference = gain(result, name)
    if depth_helped(difference):
        said += f"; depth helped, by {points(difference)} points at depth {deep}"
    elif depth_hurt(difference):
        said += f"; depth hurt: at depth {deep} the difference is {points(difference)} points"
    else:
        said += f"; at depth {deep} the difference is {points(difference)} points: no help seen"
    if best not in (shallow, deep):
        said += f"; the best mean is {means[best].mean:.1%}, at depth {best}"
    return f"{said} (n = {difference.n})."


def sorted_out(result: Result) -> dict[tuple[bool, bool], list[str]]:
    """The curves by (shallow above chance, depth helped)."""
    rows, shallow = by_place(result), depths(result)[0]
    found: dict[tuple[bool, bool], list[str]] = {}
    for name in result.settings.curves:
        place = above_chance(rows[name, shallow].test_accuracy), depth_helped(gain(result, name))
        found.setdefault(place, []).append(curve_name(name))
    return found


def verdict(result: Result) -> str:
    """Whether deeper was better only where shallow was good, in this run."""
    found, shallow = sorted_out(result), depths(result)[0]
    agree, against = found.get((True, True), []), found.get((False, True), [])
    neither, no_help = found.get((False, False), []), found.get((True, False), [])
    parts = []
    if agree:
        parts.append(
            f"depth helped on {listed(agree)}, where networks of depth {shallow} were above chance "
            "already"
        )
    if neither:
        parts.append(
            f"on {listed(neither)} those of depth {shallow} were at chance, and depth did not help"
        )
    if no_help:
        parts.append(
            f"on {listed(no_help)} those of depth {shallow} were above chance, and depth added "
            "nothing that was seen"
        )
    if against:
        parts.append(
            f"on {listed(against)} depth helped though networks of depth {shallow} were at chance"
        )
    said = "; ".join(parts)
    if against and not result.settings.quick:
        judged = 'That contradicts "deeper is better only when shallow is good", for this setting.'
    elif result.settings.quick:
        judged = "A quick run judges no more; for that, run it without --quick."
    elif agree and neither:
        judged = 'That agrees with "deeper is better only when shallow is good", in this setting.'
    else:
        judged = (
            'That does not test "deeper is better only when shallow is good": it takes curves on '
            "which shallow networks fail and others on which they do not, and a gain with depth."
        )
    return f"{said[0].upper()}{said[1:]}. {judged}"


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def bound_sentences(result: Result) -> Iterator[str]:
    """What hand-set weights reach at the deepest depth, and in one dimension what nothing can."""
    s = result.settings
    rows, deep = by_place(result), depths(result)[-1]
    folds = s.geometry.fold_ratio is not None
    width = 2 * s.geometry.dimensions if folds else general_width(s.geometry)
    reached = {
        name: error_upper_bound(s.curve(name), deep, fold=folds)
        for name in s.curves
        if width <= s.width
    }
    left = {name: 1 - mean_interval(rows[name, deep].test_accuracy).mean for name in reached}
    if reached:
        name = max(reached, key=lambda name: left[name] - reached[name])
        if left[name] - reached[name] >= LEAST_GAIN:
            yield (
                f"Representing is not learning: with {deep} hidden layers of {width}, hand-set "
                f"weights err on {reached[name]:.1%} of the curve {curve_name(name)}; training "
                f"{deep} layers of {s.width} left an error of {left[name]:.1%}."
            )
    known = [row for row in result.rows if row.lower_bound]
    if known:
        tight = max(known, key=lambda row: row.lower_bound or 0.0)
        error = 1 - mean_interval(tight.test_accuracy).mean
        yield (
            f"No network of width {s.width} and depth {tight.depth} errs on less than "
            f"{tight.lower_bound:.1%} of the curve {curve_name(tight.curve)}; these err on "
            f"{error:.1%}."
        )


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


def course_sentences(result: Result) -> Iterator[str]:
    """Whether the curriculum reached more than the last curve alone, depth by depth."""
    if not result.courses:
        return
    s = result.settings
    name = curve_name(stage_names(s)[-1])
    yield (
        f"Test accuracy on the curve {name}, in %. Each stage is {s.epochs * s.steps_per_epoch:,} "
        f"steps; the last line is {name} alone, for as many steps as all stages together, from "
        "the same first weights."
    )
    if s.seeds == 1:
        return
    for course in result.courses:
        yield course_sentence(course, name)
    won = [course for course in result.courses if depth_helped(course_gain(course))]
    taught = [course for course in won if not above_chance(course.direct[-1])]
    if taught:
        at = listed([str(course.depth) for course in taught])
        yield (
            f"At depth {at} the same networks learn from coarse to fine what they do not learn "
            "directly: the way of training was the obstacle there, not what they can represent."
        )


def course_gain(course: Course) -> Estimate:
    return paired_difference(course.curriculum[-1], course.direct[-1])


def course_sentence(course: Course, name: str) -> str:
    difference = course_gain(course)
    reached = mean_interval(course.curriculum[-1]).mean
    if depth_helped(difference):
        return (
            f"Depth {course.depth}: the curriculum reached {reached:.1%} on {name}, "
            f"{points(difference)} points more than {name} alone (n = {difference.n})."
        )
    seen = "worse than" if depth_hurt(difference) else "not clearly different from"
    return (
        f"Depth {course.depth}: the curriculum reached {reached:.1%} on {name}, {seen} {name} "
        f"alone ({points(difference)} points, n = {difference.n})."
    )

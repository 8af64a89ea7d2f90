"""What a run of `scratchnet width` showed: did depth win, target by target?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.statistics import Estimate, mean_interval, paired_difference
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.width.settings import (
    OPTIMIZER_NAMES,
    RATES,
    TASKS,
    budget_of,
    depths_of,
    groups,
    inputs_of,
    size_of,
)
from scratchnet.depth.targets import TARGETS, get_target

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.width.experiment import Result, Row
    from scratchnet.demos.width.settings import Settings

SOLVED = {"regression": 1e-3, "classification": 1e-2}
"""Errors below count as so much, so that no difference is claimed between two that solve it."""

SMALLEST_DIFFERENCE = math.log(1.05)
"""Errors that differ by less, as a ratio, are not told apart, however small the interval."""


@dataclass(frozen=True)
class Comparison:
    """The shallowest networks of a target against deeper ones with as many parameters."""

    shallow: Row
    deep: Row
    """The depth with the smallest mean error on validation data, among the deeper ones."""

    @property
    def log_ratios(self) -> Any:
        """ln of deep error / shallow error of each seed, NaN or infinite where one diverged."""
        floor = SOLVED[self.shallow.task]
        deep, shallow = (np.log(np.maximum(row.test, floor)) for row in (self.deep, self.shallow))
        with np.errstate(invalid="ignore"):
            return deep - shallow

    @property
    def log_ratio(self) -> Estimate:
        """Their mean, paired by seed; negative where depth is better."""
        return mean_interval(self.log_ratios)

    @property
    def sign(self) -> int | None:
        """1: depth won, -1: it lost, 0: neither was seen, None: too few seeds to tell."""
        estimate = self.log_ratio
        interval = estimate.interval
        if interval is None:
            return None
        if abs(estimate.mean) < SMALLEST_DIFFERENCE:
            return 0
        return int(interval[1] < 0) - int(interval[0] > 0)

    @property
    def solved(self) -> bool:
        """Whether both are below what counts as solved, on average."""
        floor = SOLVED[self.shallow.task]
        return max(float(np.mean(row.test)) for row in (self.deep, self.shallow)) <= floor

    @property
    def ratio(self) -> str:
        """Such as `0.35 (0.21 to 0.58)`."""
        estimate = self.log_ratio
        if estimate.n == 0:
            return "no value"
        interval = estimate.interval
        shown = f"{math.exp(min(estimate.mean, 99)):.2f}"
        if interval is None:
            return shown
        low, high = (math.exp(min(each, 99)) for each in interval)
        return f"{shown} ({low:.2f} to {high:.2f})"


VERDICTS = {1: "won", -1: "lost", 0: "not seen", None: "not told"}


def verdict(comparison: Comparison) -> str:
    return "solved" if comparison.solved else VERDICTS[comparison.sign]


def comparisons(result: Result) -> list[Comparison]:
    """One for each target, task and optimizer of which two depths were trained, in that order."""
    found = []
    for target in TARGETS:
        for task in TASKS:
            for optimizer in OPTIMIZER_NAMES:
                rows = rows_of(result, target, task, optimizer)
                if len(rows) > 1:
                    deep = min(rows[1:], key=lambda row: float(np.mean(row.validation)))
                    found.append(Comparison(rows[0], deep))
    return found


def rows_of(result: Result, target: str, task: str, optimizer: str) -> list[Row]:
    """From shallow to deep."""
    name = target, task, optimizer
    rows = [row for row in result.rows if (row.target, row.task, row.optimizer) == name]
    return sorted(rows, key=lambda row: row.depth)


def report(result: Result, console: Console) -> None:
    """Print what was asked, the table, and what the run showed."""
    for line in description(result.settings):
        console.print(line, markup=False)
    console.print()
    for task in result.settings.tasks:
        for optimizer in result.settings.optimizers:
            name = OPTIMIZER_NAMES[optimizer]
            console.print(f"Test error, {task} with {name}: one layer or several", style="bold")
            console.print(table(result, task, optimizer))
    console.print("Did depth win here?", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(settings: Settings) -> Iterator[str]:
    """The experiment in a few lines."""
    s = settings
    for group in groups(s.targets):
        size = size_of(group[0])
        formulas = "; ".join(get_target(name).formula for name in group)
        samples = (
            f"all {size.train:,} inputs, to train and to test on"
            if get_target(group[0]).complete
            else f"{size.train:,} samples to train and {size.held_out:,} to test on"
        )
        yield f"{', '.join(group)}: {formulas}; {budget_of(s, group[0]):,} parameters; {samples}."
    names = " and ".join(
        f"{OPTIMIZER_NAMES[name]} on the whole set (learning rate "
        + "; ".join(f"{' or '.join(map(str, RATES[task, name]))} in {task}" for task in s.tasks)
        + ")"
        for name in s.optimizers
    )
    seeds = f"seeds {s.seed} to {s.seed + s.seeds - 1}" if s.seeds > 1 else f"seed {s.seed}"
    yield f"{names[0].upper()}{names[1:]}; {seeds}, each with its own data and first weights."
    yield "Weights are He's at first, biases uniform within 1 / sqrt(fan_in)."
    yield (
        "Errors are mean squared errors in units of the target's variance, or shares of wrong "
        "classes; a curve's classes are below it and above it. In ratios, errors below "
        + " or ".join(f"{SOLVED[task]:g} ({task})" for task in s.tasks)
        + " count as so much. Learning rate and depth are chosen on validation data"
        + (", for parity on its table." if "parity" in s.targets else ".")
    )
    if s.quick:
        yield "A quick run: fewer steps, seeds and depths, so depth may lack the time to show."


def table(result: Result, task: str, optimizer: str) -> Table:
    """A line for each comparison of a task and an optimizer."""
    shown = new_table(
        "target", "one\nlayer", "best\ndeeper", "its\nerror",
        "ratio of errors\n(95 % interval)", "depth",
    )  # fmt: skip
    for each in comparisons(result):
        shallow, deep = each.shallow, each.deep
        if (shallow.task, shallow.optimizer) == (task, optimizer):
            shown.add_row(
                shallow.target,
                error(shallow),
                f"{deep.depth} x {deep.width}",
                error(deep),
                each.ratio,
                verdict(each),
            )
    return shown


def error(row: Row) -> str:
    mean, floor = float(np.mean(row.test)), SOLVED[row.task]
    if not math.isfinite(mean):
        return "diverged"
    return f"< {floor:g}" if mean < floor else f"{mean:.3f}"


def sentences(result: Result) -> list[str]:
    """What the run showed, in words: a sentence or two for each target."""
    found = comparisons(result)
    lines = [
        target_sentence(target, mine, lost_at_depth(result, target))
        for target in TARGETS
        if (mine := [each for each in found if each.shallow.target == target])
    ]
    lines += optimisation_sentences(found)
    lines += divergence_sentence(result)
    if result.settings.seeds == 1:
        lines.append("One seed gives no interval, so no difference is claimed.")
    elif found:
        lines.append(verdict_sentence(result, found))
    if result.unfinished:
        lines.append(f"The run was interrupted with {result.unfinished} trainings left to do.")
    return lines


def divergence_sentence(result: Result) -> Iterator[str]:
    diverged = [row for row in result.rows if not np.isfinite(row.test).all()]
    if diverged:
        first = diverged[0]
        networks = sum(int((~np.isfinite(row.test)).sum()) for row in diverged)
        yield (
            f"{networks} network{'s' * (networks > 1)} left out, diverged where no learning rate "
            f"kept all seeds finite (first: {first.target}, {first.task}, depth {first.depth}, "
            f"{OPTIMIZER_NAMES[first.optimizer]})."
        )


def verdict_sentence(result: Result, found: list[Comparison]) -> str:
    """What a verdict is, and why not to trust each of many."""
    deeper = max(len(depths_of(result.settings, each.shallow.target)) for each in found) - 1
    rule = (
        f"Each verdict is a paired t-test over {result.settings.seeds} seeds at 5 %, and a "
        "difference of at least 5 %."
    )
    doubts = [
        *([f"there are {len(found)} of them"] if len(found) > 1 else []),
        *([f"each takes the best of up to {deeper} deeper networks"] if deeper > 1 else []),
    ]
    return f"{rule} Since {' and '.join(doubts)}, some may be chance." if doubts else rule


def lost_at_depth(result: Result, target: str) -> list[Comparison]:
    """Where the deepest networks of a target lost against one layer."""
    deepest = [
        Comparison(rows[0], rows[-1])
        for task in TASKS
        for optimizer in OPTIMIZER_NAMES
        if len(rows := rows_of(result, target, task, optimizer)) > 1
    ]
    return [each for each in deepest if verdict(each) == "lost"]


def target_sentence(target: str, found: list[Comparison], deepest: list[Comparison]) -> str:
    """Where depth won, where it lost, and where neither was seen.

    `deepest` are the comparisons that the deepest networks lost; those that are in `found` are
    told only once.
    """
    groups = {name: [each for each in found if verdict(each) == name] for name in VERDICT_WORDS}
    won, lost = groups["won"], groups["lost"]
    answer = "yes" if len(won) == len(found) else "no" if not won else "in part"
    if not won and not lost and groups["not told"]:
        answer = "not told"
    parts = [
        VERDICT_WORDS[name].format("; ".join(map(words, chosen)))
        for name, chosen in groups.items()
        if chosen
    ]
    known = [(each.shallow, each.deep) for each in found]
    if more := [each for each in deepest if (each.shallow, each.deep) not in known]:
        parts.append(f"The deepest networks lost in {'; '.join(map(words, more))}.")
    parts += equal_width_sentence(found)
    return f"{target} ({get_target(target).formula}): {answer}. {' '.join(parts)}"


def equal_width_sentence(found: list[Comparison]) -> Iterator[str]:
    """Where so many weights come from the inputs that depth takes nothing from the width."""
    rows = [row for each in found for row in (each.shallow, each.deep)]
    shares = [inputs_of(row.target, row.task) * row.width / row.parameters for row in rows]
    if len({row.width for row in rows}) == 1 and min(shares) > 0.9:
        yield (
            f"All these networks are {rows[0].width} wide: weights from the inputs are "
            f"{math.floor(100 * min(shares))} % of the parameters or more, so that further layers "
            "cost almost nothing."
        )


VERDICT_WORDS = {
    "won": "Depth won in {}.",
    "lost": "Depth lost in {}.",
    "not seen": "No difference was seen in {}.",
    "solved": "One layer and several solve {}.",
    "not told": "Fewer than two seeds do not tell in {}.",
}


def words(comparison: Comparison) -> str:
    """Such as `regression with Adam (depth 8, error x 0.44)`."""
    row, deep = comparison.shallow, comparison.deep
    estimate = comparison.log_ratio
    where = f"{row.task} with {OPTIMIZER_NAMES[row.optimizer]}"
    if comparison.sign not in (1, -1) or comparison.solved:
        return where
    return f"{where} (depth {deep.depth}, error x {math.exp(min(estimate.mean, 99)):.2f})"


def optimisation_sentences(found: list[Comparison]) -> Iterator[str]:
    """Where depth won under one optimizer, and by more than under the other, paired by seed."""
    by_name: dict[tuple[str, str], dict[str, Comparison]] = {}
    for each in found:
        name = each.shallow.target, each.shallow.task
        by_name.setdefault(name, {})[each.shallow.optimizer] = each
    for one, other in (("sgd", "adam"), ("adam", "sgd")):
        more = [
            f"{target} ({task})"
            for (target, task), pair in by_name.items()
            if len(pair) == 2 and verdict(pair[one]) == "won" and gains_more(pair[one], pair[other])
        ]
        if more:
            yield (
                f"Depth won under {OPTIMIZER_NAMES[one]}, and by more than under "
                f"{OPTIMIZER_NAMES[other]}, so that optimisation has a part in it: "
                f"{', '.join(more)}."
            )


def gains_more(one: Comparison, other: Comparison) -> bool:
    """Whether depth divides the error by more in `one`: the interval of the difference tells."""
    interval = paired_difference(one.log_ratios, other.log_ratios).interval
    return interval is not None and interval[1] < 0


def summary(result: Result) -> list[dict[str, Any]]:
    """The comparisons as `result.json` gives them."""
    return [
        {
            "target": each.shallow.target,
            "task": each.shallow.task,
            "optimizer": each.shallow.optimizer,
            "shallow_depth": each.shallow.depth,
            "deep_depth": each.deep.depth,
            "log_error_ratio": each.log_ratio,
            "verdict": verdict(each),
            "shallow_error": mean_interval(each.shallow.test),
            "deep_error": mean_interval(each.deep.test),
        }
        for each in comparisons(result)
    ]

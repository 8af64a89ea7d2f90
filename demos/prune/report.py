"""What a run of `scratchnet prune` showed: tables, and sentences that follow from their numbers.

There is one network, so what varies is the test samples: accuracies have Wilson's interval, and two
networks are compared by McNemar's test, sample by sample. Random masks have several draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.prune.settings import METHODS
from scratchnet.demos.statistics import mean_interval, wilson_interval
from scratchnet.demos.tables import bullets, new_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.prune.experiment import Result, Row

TEST_NAME = "McNemar's exact test at 5 %"
SIGNIFICANT = 0.05
NAMES = {
    "magnitude": "by magnitude",
    "layer-magnitude": "by magnitude within each layer",
    "neurons": "of whole neurons",
    "random": "at random",
}


def report(result: Result, console: Console) -> None:
    """Print what was asked, a table for each method, and what the run showed."""
    for line in description(result):
        console.print(line, markup=False, soft_wrap=False)
    console.print()
    for method, words in METHODS.items():
        console.print(f"{method}: {words}", style="bold", markup=False)
        console.print(table(result, method))
    console.print("What this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(result: Result) -> Iterator[str]:
    """The experiment in a few lines."""
    s = result.settings
    yield (
        f"The network of {s.file}: {result.neurons} hidden neurons, {result.weights:,} weights, "
        f"{result.model.parameter_count:,} parameters."
    )
    yield f"Its task: {task_words(result)}; {result.test_samples} samples to test on."
    yield (
        f"After pruning, each network is trained for {s.steps:,} more steps of Adam, learning "
        f"rate {s.learning_rate:g}, on the training data of its task."
    )
    if s.draws > 1:
        yield f"Random masks: means ± 95 % intervals of {s.draws} draws."


def task_words(result: Result) -> str:
    t = result.task
    if t.protocol == "chapter":
        return "the spirals of the chapter's protocol"
    return f"spirals of {t.turns:g} turns, noise {t.noise:g}, seed {t.seed}"


def of_method(result: Result, method: str) -> list[Row]:
    """From dense to sparse."""
    return [row for row in result.rows if row.method == method]


def table(result: Result, method: str) -> Table:
    shown = new_table(
        "pruned",
        "weights\nleft",
        "accuracy, %\nas pruned",
        "accuracy, %\nretrained",
        "neurons\nleft",
        "parameters when\ncompacted",
    )
    for row in of_method(result, method):
        shown.add_row(
            f"{row.sparsity:.1%}",
            f"{row.weights:,}",
            percent(row.pruned),
            percent(row.retrained),
            f"{row.neurons.mean():.0f}",
            f"{row.parameters.mean():,.0f}",
        )
    return shown


def percent(correct: Any) -> str:
    """The accuracy, with its interval over several draws."""
    estimate = mean_interval(correct.mean(axis=1))
    half = "" if estimate.half_width is None else f" ± {100 * estimate.half_width:.1f}"
    return f"{100 * estimate.mean:.1f}{half}"


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    dense, n = int(result.dense.sum()), result.test_samples
    low, high = wilson_interval(dense, n)
    again = result.dense_retrained.mean()
    lines = [
        f"The network gets {dense / n:.1%} of the test samples right (95 % interval {low:.1%} to "
        f"{high:.1%}, Wilson); without pruning, {result.settings.steps:,} more steps bring it to "
        f"{again:.1%}."
    ]
    for method in METHODS:
        lines += method_sentences(result, method)
    lines.append(size_sentence(result))
    return lines


def method_sentences(result: Result, method: str) -> Iterator[str]:
    """From which sparsity on a loss is seen, as pruned and after further training."""
    rows = of_method(result, method)
    now, later = (loss_words(rows, losses(rows, stage, result.dense)) for stage in STAGES)
    yield (
        f"Pruning {NAMES[method]}: {now} as pruned, and {later} after the further training "
        f"({test_of(rows)})."
    )


STAGES = ("pruned", "retrained")


def loss_words(rows: list[Row], lost: list[float]) -> str:
    """Where networks are worse, and that sparser ones are too only where all of them are."""
    if not lost:
        return "no loss was seen"
    if 1 < len(lost) == sum(row.sparsity >= lost[0] for row in rows):
        return f"a loss from {lost[0]:.1%} on"
    return f"a loss at {', '.join(f'{each:.1%}' for each in lost)}"


def test_of(rows: list[Row]) -> str:
    """The test behind a claim: of samples for one network, of draws for several."""
    draws = len(rows[0].pruned)
    return TEST_NAME if draws == 1 else f"95 % interval of {draws} draws"


def losses(rows: list[Row], stage: str, dense: Any) -> list[float]:
    """The sparsities at which networks are worse than the dense one."""
    return [row.sparsity for row in rows if is_worse(getattr(row, stage), dense)]


def is_worse(correct: Any, dense: Any) -> bool:
    """Whether networks (draws, samples) get fewer samples right than the dense one does."""
    if len(correct) == 1:
        return bool(correct[0].sum() < dense.sum() and mcnemar(correct[0], dense) < SIGNIFICANT)
    lost = mean_interval(dense.mean() - correct.mean(axis=1))
    # The interval of a few draws can be narrow by chance: less than a sample is no loss.
    return lost.half_width is not None and lost.mean > max(lost.half_width, 1 / len(dense))


def mcnemar(first: Any, second: Any) -> float:
    """The two-sided p-value of McNemar's exact test (1947).

    Of the samples that only one of two classifiers gets right, each gets as many where they are
    equally good: their number follows a binomial distribution with probability 1/2.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n)


def size_sentence(result: Result) -> str:
    """What compacting makes of the sparsest networks that show no loss."""
    unhurt = [
        row
        for method in METHODS
        for rows in [of_method(result, method)]
        for row in rows
        if len(row.parameters) == 1
        and row.sparsity < min(losses(rows, "retrained", result.dense), default=math.inf)
    ]
    before = result.model.parameter_count
    smallest = min(unhurt, key=lambda row: int(row.parameters[0]), default=None)
    same = (
        "all outputs diverged"
        if math.isnan(result.difference)
        else f"masked and compacted outputs agree within {result.difference:.0e} of the largest"
    )
    if smallest is None or smallest.parameters[0] == before:
        return (
            "Leaving out dead neurons makes none of the networks that show no loss smaller than "
            f"its {before:,} parameters; {same}."
        )
    return (
        f"Without its dead neurons the smallest network that shows no loss after further training "
        f"({smallest.sparsity:.1%} pruned {NAMES[smallest.method]}) is dense with "
        f"{int(smallest.parameters[0]):,} parameters instead of {before:,}; {same}."
    )


def summary(result: Result) -> dict[str, Any]:
    """For `result.json`."""
    return {
        "sentences": sentences(result),
        "test": TEST_NAME,
        "test_accuracy": float(np.mean(result.dense)),
        "test_accuracy_retrained": float(np.mean(result.dense_retrained)),
        "parameters": result.model.parameter_count,
        "weights": result.weights,
        "hidden_neurons": result.neurons,
        "largest_difference_of_compacted_outputs": result.difference,
        "seconds": result.seconds,
    }

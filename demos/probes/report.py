"""What a run of `scratchnet probes` showed: a table, and sentences that follow from its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.changes import TEST_NAME, Change, change
from scratchnet.demos.representation import PROBE_WORDS, UNCONVERGED
from scratchnet.demos.seeded_data import DESCRIPTIONS
from scratchnet.demos.statistics import Estimate, mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.trained_ensembles import OPTIMIZER_NAMES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.probes.experiment import Result

# A layer has all that the last one has where its mean is at most this far below.
ALL_BUT = 0.01


def report(result: Result, console: Console) -> None:
    """Print what was asked, the table, and what the run showed."""
    for line in description(result):
        console.print(line, markup=False)
    console.print()
    console.print("A linear probe after each hidden layer: test accuracy", style="bold")
    console.print(table(result))
    console.print("What this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(result: Result) -> Iterator[str]:
    """The experiment in a few lines."""
    s, t = result.settings, result.settings.training
    own = "first weights" if s.dataset == "digits" else "data and first weights"
    seeds = f"seed {s.seed}"
    if s.seeds > 1:
        seeds = f"seeds {s.seed} to {s.seed + s.seeds - 1}, each with its own {own}"
    variant = "" if t.variant == "plain" else f" with {t.variant}"
    yield f"Data: {DESCRIPTIONS[t.dataset]}; {result.test_samples} samples to test on."
    yield (
        f"{s.depth} hidden layers of {s.width} ReLUs{variant}, {OPTIMIZER_NAMES[s.optimizer]} with "
        f"learning rate {s.learning_rate:g}, {s.epochs:,} epochs; {seeds}."
    )
    yield PROBE_WORDS
    if s.seeds > 1:
        yield f"Means ± 95 % intervals; differences are claimed by a {TEST_NAME}."


def table(result: Result) -> Table:
    """A line for each layer: probes after and before training, zeros, dead units and rank after."""
    shown = new_table(
        "layer",
        "trained, %",
        "untrained, %",
        "difference\nin points",
        "zeros",
        "dead\nunits",
        "effective\nrank",
    )
    inputs = percent(raw_accuracy(result))
    shown.add_row("input", inputs, inputs, "", "", "", "")
    after, before = result.after, result.before
    for i, layer in enumerate(after.layers):
        gained = change(before.test[i], after.test[i], result.test_samples)
        shown.add_row(
            str(layer),
            percent(mean_interval(after.test[i])),
            percent(mean_interval(before.test[i])),
            str(gained).split(" points")[0],
            f"{mean_interval(after.zero_share[i]).mean:.0%}",
            f"{mean_interval(after.dead_share[i]).mean:.0%}",
            f"{mean_interval(after.effective_rank[i]).mean:.1f}",
        )
    return shown


def percent(estimate: Estimate) -> str:
    """Such as `97.3 ± 1.4`."""
    half = None if estimate.half_width is None else 100 * estimate.half_width
    return f"{Estimate(100 * estimate.mean, half, estimate.n):.1f}"


def raw_accuracy(result: Result) -> Estimate:
    """A probe of the raw inputs; without an interval where all seeds have the same ones."""
    tests = result.inputs.test
    return mean_interval(tests[:1] if result.settings.dataset == "digits" else tests)


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    r, n = result, result.settings.seeds
    lines: list[str] = []
    if r.trained.diverged:
        network, when = min(r.trained.diverged.items())
        lines.append(
            f"{len(r.trained.diverged)} of {n} networks diverged and are left out of the means "
            f"(seed {r.settings.seed + network} {when})."
        )
    own, raw = mean_interval(r.trained.test_accuracy), raw_accuracy(r)
    lines.append(
        f"The trained networks get {own:.1%} of the test samples right (n = {own.n}); a linear "
        f"probe of the raw inputs gets {raw:.1%}."
    )
    if own.n:
        lines += [*rise_sentences(r), *untrained_sentences(r), *statistics_sentences(r)]
    if not (r.after.converged and r.before.converged and np.all(r.inputs.converged)):
        lines.append(UNCONVERGED)
    if n == 1:
        lines.append("One seed gives no interval, so no difference is claimed.")
    return lines


def finite_runs(result: Result) -> Any:
    """Probe accuracies (layers, runs) after training of the networks that did not diverge."""
    kept = np.isfinite(result.after.test).all(axis=0) & np.isfinite(result.trained.test_accuracy)
    return result.after.test[:, kept]


def rises(result: Result) -> tuple[int, int, int]:
    """In how many runs the accuracy rises with every layer, and never falls; and the runs."""
    steps = np.diff(finite_runs(result), axis=0)
    return int((steps > 0).all(axis=0).sum()), int((steps >= 0).all(axis=0).sum()), steps.shape[1]


def first_to_last(result: Result, trained: bool) -> Change:
    """What a probe gains from the first hidden layer to the last."""
    tests = (result.after if trained else result.before).test
    return change(tests[0], tests[-1], result.test_samples)


def rise_sentences(result: Result) -> Iterator[str]:
    """Whether the probe's accuracy rises from the first layer to the last, and in how many runs.

    Names the first layer whose mean is at most `ALL_BUT` below the last one's, if it is another.
    """
    layers, test = result.after.layers, result.after.test
    if len(layers) == 1:
        yield "One hidden layer has no other to be compared with: give more with --depth."
        return
    means = np.nanmean(test, axis=1)
    gained = first_to_last(result, trained=True)
    words = {
        1: "rises from the first hidden layer to the last",
        -1: "falls from the first hidden layer to the last",
        0: "was not seen to change from the first hidden layer to the last",
        None: "goes",
    }[gained.sign]
    yield (
        f"After training the probe's accuracy {words}: from {means[0]:.1%} to {means[-1]:.1%}, "
        f"{gained}."
    )
    always, never_falls, runs = rises(result)
    yield (
        f"It rises with every single layer in {always} of {runs} runs, and never falls in "
        f"{never_falls} of {runs}."
    )
    enough = next(
        layer for layer, mean in zip(layers, means, strict=True) if mean >= means[-1] - ALL_BUT
    )
    if enough < layers[-1]:
        yield (
            f"From layer {enough} on no layer's mean is more than {100 * ALL_BUT:.0f} point below "
            "that of the last."
            if (means[enough - 1 :] >= means[-1] - ALL_BUT).all()
            else f"Layer {enough} is the first whose mean is at most {100 * ALL_BUT:.0f} point "
            "below that of the last, but not all between them are."
        )


def untrained_sentences(result: Result) -> Iterator[str]:
    """What training changed of the last layer's probe, and how that compares with the raw inputs.

    Of the raw inputs, and of the layers of the untrained networks, nothing is said for one run.
    """
    last = result.after.layers[-1]
    difference = change(result.before.test[-1], result.after.test[-1], result.test_samples)
    verdict = {
        1: "so training made the difference",
        -1: "so training made it worse",
        0: "so no effect of training was seen there",
        None: "by one seed",
    }[difference.sign]
    yield (
        f"After layer {last} a probe gets {mean_interval(result.before.test[-1]):.1%} before "
        f"training and {mean_interval(result.after.test[-1]):.1%} after it, {difference}: "
        f"{verdict}."
    )
    gained = first_to_last(result, trained=False)
    if len(result.before.layers) > 1 and gained.sign is not None:
        words = {1: "it rises", -1: "it falls", 0: "no change was seen"}[gained.sign]
        yield f"In the untrained networks {words} from the first layer to the last: {gained}."
    raw = change(result.inputs.test, result.after.test[-1], result.test_samples)
    if raw.sign is not None:
        words = {1: "better than", -1: "worse than", 0: "not seen to differ from"}[raw.sign]
        yield f"The last layer is {words} the raw inputs for a probe: {raw}."


def statistics_sentences(result: Result) -> Iterator[str]:
    zero, dead = (
        mean_interval(values[-1]) for values in (result.after.zero_share, result.after.dead_share)
    )
    yield (
        f"In the last hidden layer {zero:.0%} of the outputs are zero, while {dead:.0%} of the "
        "units are dead, which is zero on every test sample."
    )

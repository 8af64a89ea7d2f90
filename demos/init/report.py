"""What a run of `scratchnet init` showed: tables of mean squares and of training, and sentences.

Every sentence follows by rule from the numbers of that run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scratchnet.demos.init.settings import RULES
from scratchnet.demos.init.training_runs import CONSTANT_GUESS, STALLED
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.depth.signal import relu_scatter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.init.experiment import Result
    from scratchnet.demos.init.settings import Settings
    from scratchnet.demos.init.training_runs import Training
    from scratchnet.demos.init.variances import Case

ACTIVATION_NAMES = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "sigmoid"}


def report(result: Result, console: Console) -> None:
    """Print what was asked, the tables, and what the run showed."""
    console.print("\n[bold]1. Signals and gradients through depth, before training[/]\n")
    console.print(bullets(list(description(result.settings))))
    console.print()
    for title, cases in tabled(result):
        console.print(title, style="bold", markup=False)
        console.print(case_table(cases))
    console.print(bullets(list(case_sentences(result))))
    if result.trainings:
        s = result.settings
        console.print("\n[bold]2. Training: two spirals, 2-[32]*8-1, gradient descent[/]\n")
        console.print(
            f"Full batch, learning rate 0.05, {s.epochs} epochs, {seeds_in_words(s)}; all rules "
            "start from the same random numbers, on the same data.\n"
        )
        console.print(training_table(result))
        console.print(bullets(list(training_sentences(result))))
    if result.gradients:
        console.print("\n[bold]3. How far a gradient can reach through sigmoids[/]\n")
        console.print(bullets(list(bound_sentences(result))))
    if result.interrupted:
        console.print("\nThe run was interrupted: what was not finished is left out.")
    console.print()


def seeds_in_words(settings: Settings) -> str:
    last = settings.seed + settings.seeds - 1
    return f"seeds {settings.seed} to {last}" if settings.seeds > 1 else f"seed {settings.seed}"


def description(settings: Settings) -> Iterator[str]:
    """The shapes of the networks, and what each column means; a line if the run is quick."""
    s = settings
    for shape in s.shapes:
        widths = s.widths(shape)
        layers = f"{s.depth} layers of {s.width}" if shape == "constant" else arrow(widths)
        yield f"{shape} widths: {layers}, {s.networks_of(shape)} networks with one input each"
    yield "forward: the mean square of z = x W at the last layer, for inputs of mean square 1"
    yield "backward: that of dL/dz at the first layer, relative to the last layer's"
    yield (
        "variance: of a weight of n = fan_in, m = fan_out; forward and backward: by the formula; "
        "measured: the mean over networks as a multiple of it"
    )
    if s.quick:
        yield "a quick run: without --quick there are more networks, seeds and layers"


def arrow(widths: Sequence[int]) -> str:
    return f"{len(widths) - 1} layers, {widths[0]} -> {widths[1]} -> ... -> {widths[-1]}"


def tabled(result: Result) -> Iterator[tuple[str, list[Case]]]:
    """Tables for the constant shape with each activation, and for the others with the first."""
    s = result.settings
    for shape in s.shapes:
        for activation in s.activations if shape == s.shapes[0] else s.activations[:1]:
            cases = [each for each in result.cases if kind(each) == (activation, shape)]
            if cases:
                yield f"{ACTIVATION_NAMES[activation]}, {shape} widths", cases


def kind(case: Case) -> tuple[str, str]:
    return case.activation, case.shape


def case_table(cases: Sequence[Case]) -> Table:
    table = new_table(
        "rule",
        "variance",
        "forward",
        "measured",
        "backward",
        "measured",
    )
    for case in cases:
        table.add_row(
            case.rule,
            RULES[case.rule].formula,
            f"{case.forward_formula[-1]:.2g}",
            f"{case.forward_ratio:.2f}",
            f"{case.backward_formula[0]:.2g}",
            f"{case.backward_ratio:.2f}",
        )
    return table


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    lines = [*case_sentences(result), *training_sentences(result), *bound_sentences(result)]
    if result.interrupted:
        lines.append("The run was interrupted: what was not finished is left out.")
    return lines


def case_sentences(result: Result) -> Iterator[str]:
    """Agreement with the formulas, the scatter of single networks, and what fan-out does."""
    for activation in result.settings.activations:
        pairs = [each.agreement for each in result.cases if each.activation == activation]
        held, n = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
        if n:
            yield (
                f"{ACTIVATION_NAMES[activation]}: the formula lies within the 95 % interval of the "
                f"measured mean in {held:,} of {n:,} layers of all rules and shapes "
                f"({held / n:.0%}), forward and backward."
            )
    if result.cases:
        limits = [ACTIVATION_NAMES[each] for each in result.settings.activations if each != "relu"]
        yield (
            "Such a share can differ from 95 % by chance: all layers of a network share its "
            "weights, and mean squares are skewed, which makes intervals too narrow."
            + (f" For {' and '.join(limits)} the formula is a limit of wide layers." * bool(limits))
        )
    yield from scatter_sentences(result)
    yield from fan_out_sentences(result)


def scatter_sentences(result: Result) -> Iterator[str]:
    """How far single ReLU networks are from the mean."""
    for case in result.cases:
        # All normal rules scatter alike, since a ReLU network's scale can be taken out.
        if kind(case) == ("relu", "constant") and case.rule == "he":
            relative = case.forward[:, -1] / case.forward_formula[-1]
            low, middle, high = np.quantile(relative, [0.1, 0.5, 0.9])
            expected = relu_scatter(case.widths[1:-1], case.widths[-1]) ** 0.5
            yield (
                "Single networks scatter about the mean: of the He networks with ReLUs and "
                f"constant widths the middle 80 % lie between {low:.2g} and {high:.2g} times the "
                f"formula, half of them below {middle:.2g}. Their standard deviation is "
                f"{relative.std(ddof=1):.2f} times the formula's value; theory says {expected:.2f}."
            )


def fan_out_sentences(result: Result) -> Iterator[str]:
    """The product of fan_in / fan_out over the layers telescopes: see what was measured of it."""
    cases = {
        case.shape: case
        for case in result.cases
        if (case.rule, case.activation) == ("fan-out", "relu")
    }
    parts = []
    for shape, case in cases.items():
        # Behind a ReLU half of the mean square of z is left.
        growth = mean_interval(case.forward[:, -1] / 2)
        formula = case.forward_formula[-1] / 2
        parts.append(f"{growth:.3g} with {shape} widths (formula {formula:.3g})")
    if parts:
        yield (
            "Fan-out instead of fan-in: half of the last layer's mean square, which is what a ReLU "
            f"leaves of it on average, is, as a multiple of the inputs', {'; '.join(parts)}. The "
            "formula is the first width over the last one, whatever the depth."
        )


def training_table(result: Result) -> Table:
    """A line for each rule, a column for each activation: how many learn, stall or become NaN."""
    activations = list(dict.fromkeys(each.activation for each in result.trainings))
    table = new_table("rule", *(ACTIVATION_NAMES[each] for each in activations))
    outcomes = {(each.rule, each.activation): outcome(each) for each in result.trainings}
    for rule in result.settings.rules:
        table.add_row(rule, *(outcomes[rule, each] for each in activations))
    return table


def outcome(training: Training) -> str:
    """Such as `10 NaN, epoch 4-5` or `10 learn, 99.8%`."""
    parts = []
    if training.learned:
        reached = training.accuracy[training.learned].mean()
        parts.append(f"{len(training.learned)} learn, {reached:.1%}")
    if training.stalled:
        parts.append(f"{len(training.stalled)} stall")
    if training.diverged:
        parts.append(f"{len(training.diverged)} NaN, epoch {epochs(training)}")
    return "; ".join(parts)


def epochs(training: Training) -> str:
    first, last = min(training.diverged.values()), max(training.diverged.values())
    return str(first) if first == last else f"{first}-{last}"


def training_sentences(result: Result) -> Iterator[str]:
    """Which rules become NaN, which only stall, and the claim about fan-out."""
    if not result.trainings:
        return
    yield (
        f"Stalled means: finite, but with a final loss above {STALLED:.0%} of ln 2 = "
        f"{CONSTANT_GUESS:.3f}, which answering 1/2 to everything gets. Accuracies are on the "
        "training data."
    )
    for activation in dict.fromkeys(each.activation for each in result.trainings):
        yield activation_sentence([t for t in result.trainings if t.activation == activation])
    for each in result.trainings:
        if (each.rule, each.activation) == ("fan-out", "relu"):
            n = len(each.diverged)
            verdict = "was not seen" if n == 0 else "was seen"
            yield (
                'The claim "fan-out instead of fan-in gives NaN at depth 8" '
                f"{verdict} here: {n} of {each.seeds} such networks of equal widths became NaN, "
                f"and {len(each.learned)} learned."
            )


def activation_sentence(trainings: Sequence[Training]) -> str:
    """What became of the rules of one activation."""
    parts = []
    if gone := [each for each in trainings if each.diverged]:
        listed = ", ".join(
            f"{each.rule} ({len(each.diverged)} of {each.seeds} networks, at epoch {epochs(each)})"
            for each in gone
        )
        parts.append(f"NaN: {listed}")
    if stalled := [each for each in trainings if each.stalled]:
        listed = ", ".join(f"{each.rule} ({len(each.stalled)} of {each.seeds})" for each in stalled)
        parts.append(f"only stalled: {listed}")
    learned = [each.rule for each in trainings if len(each.learned) == each.seeds]
    if learned:
        parts.append(f"every network learned: {', '.join(learned)}")
    return f"{ACTIVATION_NAMES[trainings[0].activation]}. {capitalised('; '.join(parts))}."


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def bound_sentences(result: Result) -> Iterator[str]:
    """The bound beside what was measured, and how often the false one fails."""
    g = result.gradients
    if g is None:
        return
    n = len(g.norm)
    tightest = float((g.norm / g.bound).max())
    deepest = g.depth == g.depth.max()
    yield (
        "|dL/dW_1| <= (1/4)^L |W_2| ... |W_L| |x| |dL/da_L| with spectral norms: violated by "
        f"{g.violations:,} of {n:,} random networks of 1 to {g.depth.max()} sigmoid layers; the "
        f"nearest reached {tightest:.1%} of it."
    )
    yield (
        f"With all {g.depth.max()} layers the gradient is at most "
        f"{float((g.norm / g.bound)[deepest].max()):.1%} of the bound, which is then an "
        "overestimate: spectral norms are for the worst direction."
    )
    verdict = "so it is no bound" if g.false_violations else "which this run does not refute"
    yield (
        "The textbook's version (w/4)^(L-1) |dL/da_L|, w the largest weight, is violated by "
        f"{g.false_violations:,} of the same networks ({g.false_violations / n:.1%}), {verdict}."
    )

"""What a run of `scratchnet spiral` showed: a table, a picture, and sentences.

Every sentence follows by rule from the numbers of that run. A difference is claimed where the 95 %
interval of the paired difference over seeds excludes 0, and where it is more than one test point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from scratchnet.demos.spiral.settings import (
    CHAPTER_EPOCHS,
    FULL,
    FULL_DEPTHS,
    FULL_SEEDS,
    OPTIMIZER_NAMES,
)
from scratchnet.demos.statistics import Estimate, mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.demos.terminal import draw_boundaries

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.spiral.experiment import Result, Row
    from scratchnet.demos.spiral.settings import Settings, Training

# The textbook's claims about its experiment, and what counts as contradicting them.
BARELY_BEATS_CHANCE, DRAMATIC_GAIN = 0.75, 0.10
CLAIMED_AT_DEPTH_8, CLAIM_TOLERANCE = 0.945, 0.02


@dataclass(frozen=True)
class Difference:
    """Test accuracy of the deeper networks minus that of the shallower, seed by seed."""

    shallow: Row
    deep: Row
    test_point: float
    """What one test point is worth."""

    @property
    def values(self) -> Any:
        """One for each seed that both have, NaN where a network diverged."""
        shallow, deep = self.shallow.test_accuracy, self.deep.test_accuracy
        n = min(len(shallow), len(deep))
        return deep[:n] - shallow[:n]

    @property
    def estimate(self) -> Estimate:
        return mean_interval(self.values)

    @property
    def sign(self) -> int | None:
        """1: deeper was better, -1: it was worse, 0: neither was seen, None: nobody can tell."""
        if self.estimate.half_width is None:
            return None
        # The half-width of very few seeds can be 0 by chance; a test point is the least.
        if abs(self.estimate.mean) <= max(self.estimate.half_width, self.test_point):
            return 0
        return 1 if self.estimate.mean > 0 else -1

    def __str__(self) -> str:
        return points(self.estimate)


def points(estimate: Estimate) -> str:
    """The estimate in percentage points, such as `38.9 ± 3.4`."""
    half_width = None if estimate.half_width is None else 100 * estimate.half_width
    return f"{Estimate(100 * estimate.mean, half_width, estimate.n):z.1f}"


def is_positive(values: Any) -> bool:
    """Whether the 95 % interval of the mean lies above 0."""
    interval = mean_interval(values).interval
    return interval is not None and interval[0] > 0


def depth(row: Row) -> int:
    return row.training.depth


def mean_test_accuracy(row: Row) -> Estimate:
    return mean_interval(row.test_accuracy)


def first_accuracy(row: Row) -> str:
    """What the network of the first seed got, whose decision boundary is drawn."""
    accuracy = float(row.test_accuracy[0])
    return "diverged" if math.isnan(accuracy) else f"{accuracy:.1%} of test points"


def differences(result: Result) -> list[Difference]:
    """Each depth against the next larger one of the run."""
    rows = sorted(result.rows, key=depth)
    test_point = 1 / result.settings.test_points
    return [Difference(*pair, test_point) for pair in zip(rows, rows[1:], strict=False)]


def report(result: Result, console: Console) -> None:
    """Print what was asked, the table, the decision boundaries, and what the run showed."""
    for line in description(result.settings):
        console.print(line, markup=False)
    console.print()
    for title, shown in tables(result):
        console.print(title, style="bold", markup=False)
        console.print(shown)
    panels = [
        (f"depth {depth(row)}: {first_accuracy(row)}", row.probabilities) for row in result.rows
    ]
    console.print(f"Decision boundaries, seed {result.settings.seed}\n", style="bold")
    draw_boundaries(console, panels, result.extent, result.X, result.y)
    console.print("\nWhat this run showed", style="bold")
    console.print(bullets(sentences(result)))
    console.print()


def description(settings: Settings) -> Iterator[str]:
    """The experiment in a few lines."""
    s = settings
    if s.protocol == "chapter":
        yield (
            f"The chapter's protocol: {s.points} points, noise {s.noise}, to train on, and "
            f"{s.test_points}, noise {s.test_noise}, to test on; each arm makes 0.64 of a turn."
        )
        seeds = f"one network for each depth, NumPy's legacy random numbers from {s.seed}"
    else:
        yield (
            f"Two arms of {s.turns:g} turns, noise {s.noise:g}; {s.points} points to train on, and "
            f"{s.test_points} others to test on."
        )
        last = s.seed + s.seeds - 1
        seeds = f"seeds {s.seed} to {last}" if s.seeds > 1 else f"seed {s.seed}"
        seeds += ", each with its own data and first weights"
    yield (
        f"{OPTIMIZER_NAMES[s.optimizer].capitalize()} on the whole set, learning rate "
        f"{s.learning_rate:g}, {s.epochs:,} epochs, {s.dtype}; {seeds}."
    )
    if s.quick:
        rate, epochs = FULL[s.optimizer]
        depths = ", ".join(map(str, FULL_DEPTHS))
        yield (
            f"A quick run. Without --quick there are {FULL_SEEDS} seeds, depths {depths}, and "
            f"{epochs:,} epochs with learning rate {rate:g}."
        )


def tables(result: Result) -> Iterator[tuple[str, Table]]:
    """A title and a table of the depths, and of the controls; a line for each ensemble."""
    controls = [row for row in result.controls if depth(row)]
    if result.rows:
        yield OPTIMIZER_NAMES[result.settings.optimizer].capitalize(), table(result.rows)
    if logistic := [row for row in result.controls if not depth(row)]:
        yield "Logistic regression, for comparison", table(logistic)
    if controls:
        training = controls[0].training
        yield (
            f"Adam, learning rate {training.learning_rate:g}, {training.epochs:,} epochs, on the "
            "same data; where the width is the same, from the same first weights",
            table(controls),
        )


def table(rows: Sequence[Row]) -> Table:
    """Means over seeds with their 95 % intervals."""
    shown = new_table(
        "depth", "width", "parameters", "train accuracy", "test accuracy", "n", "seconds"
    )
    for row in rows:
        n, seeds = mean_test_accuracy(row).n, row.training.seeds
        shown.add_row(
            str(depth(row)),
            str(row.training.width or "-"),
            f"{row.parameters:,}",
            f"{mean_interval(row.train_accuracy):.1%}",
            f"{mean_test_accuracy(row):.1%}",
            str(n) if n == seeds else f"{n} of {seeds}",
            f"{row.seconds:.1f}",
        )
    return shown


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    lines = [*divergence_sentences(result)]
    if result.settings.protocol == "chapter":
        lines += chapter_sentences(result)
    else:
        lines += [difference_sentence(each) for each in differences(result)]
        lines += optimisation_sentences(result)
    if len(result.settings.depths) == 1:
        lines.append("One depth has nothing to be compared with: add others with --depths.")
    if result.unfinished:
        left_out = "; ".join(unfinished_words(result.unfinished))
        lines.append(f"The run was interrupted before these were trained: {left_out}.")
    return lines


def unfinished_words(trainings: Sequence[Training]) -> Iterator[str]:
    """Such as `depth 4, 8, width 32, gradient descent`."""
    for (width, optimizer), group in groupby(trainings, lambda each: (each.width, each.optimizer)):
        depths = ", ".join(str(each.depth) for each in group)
        yield f"depth {depths}, width {width}, {OPTIMIZER_NAMES[optimizer]}"


def divergence_sentences(result: Result) -> Iterator[str]:
    for row in (*result.rows, *result.controls):
        if row.diverged:
            network, when = min(row.diverged.items())
            yield (
                f"{str(row.training).capitalize()}: {len(row.diverged)} of {row.training.seeds} "
                "networks diverged and are left out of the means (seed "
                f"{result.settings.seed + network} {when})."
            )


def difference_sentence(difference: Difference) -> str:
    """What is claimed of two depths."""
    shallow, deep = difference.shallow, difference.deep
    a, b, n = depth(shallow), depth(deep), difference.estimate.n
    before, after = mean_test_accuracy(shallow).mean, mean_test_accuracy(deep).mean
    if n == 0:
        return f"Depths {a} and {b} cannot be compared: no seed trained to the end at both."
    if difference.sign is None:
        return (
            f"From depth {a} to {b} test accuracy went from {before:.1%} to {after:.1%}. One seed "
            "gives no interval, so no difference is claimed."
        )
    if difference.sign == 0:
        return (
            f"From depth {a} to {b} no difference was seen: test accuracy changed by {difference} "
            f"points (n = {n})."
        )
    word = "better" if difference.sign > 0 else "worse"
    return (
        f"Deeper was {word} from depth {a} to {b}: test accuracy went from {before:.1%} to "
        f"{after:.1%}, by {difference} points (n = {n})."
    )


def optimisation_sentences(result: Result) -> Iterator[str]:
    """How much of the gaps between shallow networks and the best depth Adam closes."""
    s = result.settings
    if s.optimizer == "adam" and len(s.depths) > 1:
        equal = " --equal-parameters" if s.equal_parameters else ""
        yield (
            "These networks were trained with Adam. How much of a gap between depths is a matter "
            f"of optimisation shows beside gradient descent: scratchnet spiral{equal}"
        )
    if s.optimizer == "adam":
        return
    gaps = gaps_to_best(result)
    explained = [explain(result, gap) for gap in gaps]
    for text, _ in explained:
        yield from text
    if gaps and all(mostly for _, mostly in explained):
        yield (
            "So the gap under gradient descent is mostly optimisation: shallower networks can "
            "represent these spirals, but gradient descent did not find how in "
            f"{s.epochs:,} epochs."
        )


def gaps_to_best(result: Result) -> list[Difference]:
    """The depths that did worse than the best one, which is deeper."""
    rows = [row for row in sorted(result.rows, key=depth) if mean_test_accuracy(row).n]
    if not rows:
        return []
    best = max(rows, key=lambda row: mean_test_accuracy(row).mean)
    test_point = 1 / result.settings.test_points
    gaps = [Difference(row, best, test_point) for row in rows if depth(row) < depth(best)]
    return [gap for gap in gaps if gap.sign == 1]


def explain(result: Result, gap: Difference) -> tuple[list[str], bool]:
    """What the controls say of one gap, and whether they close most of it."""
    controls = {(depth(row), row.training.width): row for row in result.controls}
    a, b = depth(gap.shallow), depth(gap.deep)
    shallow = controls.get((a, gap.shallow.training.width))
    deep = controls.get((b, gap.deep.training.width))
    if shallow is None or deep is None:
        return [f"Whether the gap between depth {a} and {b} is optimisation: not measured."], False
    text, mostly = same_networks(gap, Difference(shallow, deep, gap.test_point))
    wide = [row for (d, width), row in controls.items() if d == a and row is not shallow]
    if wide:
        more_text, more = more_parameters(gap, Difference(wide[0], deep, gap.test_point))
        return [text, more_text], mostly or more
    if mostly or result.settings.equal_parameters:
        return [text], mostly
    hint = (
        f"What is left may be the few parameters of depth {a} ({gap.shallow.parameters:,}, against "
        f"{gap.deep.parameters:,}) or too few epochs. To give every depth as many parameters: "
        "scratchnet spiral --equal-parameters"
    )
    return [text, hint], False


def same_networks(gap: Difference, left: Difference) -> tuple[str, bool]:
    """A gap beside what is left of it when the same networks are trained with Adam.

    It was mostly optimisation where the interval of gap - 2 * left lies above 0, which is to say
    that Adam closes more than half; and partly, where that of gap - left does.
    """
    between = f"The gap between depth {depth(gap.shallow)} and {depth(gap.deep)}"
    mostly = is_positive(gap.values - 2 * left.values)
    if mostly:
        verdict = f"{between} is mostly optimisation"
    elif is_positive(gap.values - left.values):
        verdict = f"{between} is partly optimisation"
    else:
        verdict = f"{between} was not seen to be optimisation"
    return (
        f"{verdict}: {gap} points under gradient descent, and {left} under Adam from the same "
        f"first weights on the same data, in {left.deep.training.epochs:,} epochs instead of "
        f"{gap.deep.training.epochs:,} (n = {left.estimate.n})."
    ), mostly


def more_parameters(gap: Difference, left: Difference) -> tuple[str, bool]:
    """A gap beside what is left of it when the shallow network is wide, and trained with Adam."""
    wide = left.shallow
    size = f"{wide.parameters:,} parameters (width {wide.training.width})"
    accuracy = (
        f"{mean_test_accuracy(wide):.1%} with Adam, {left} points from depth {depth(left.deep)} "
        f"(n = {left.estimate.n})."
    )
    if is_positive(gap.values[: len(left.values)] - 2 * left.values):
        return (
            f"With {size} depth {depth(wide)} represents these spirals too: {accuracy} What "
            "gradient descent does with such networks: scratchnet spiral --equal-parameters"
        ), True
    return f"With {size} depth {depth(wide)} gets {accuracy}", False


def chapter_sentences(result: Result) -> Iterator[str]:
    """The textbook's claims beside what the run measured; only those that it did measure."""
    if result.settings.epochs < CHAPTER_EPOCHS:
        yield "Fewer epochs than the chapter's, so its claims are not compared."
        return
    measured = {depth(row): float(row.test_accuracy[0]) for row in (*result.rows, *result.controls)}
    yield "One network for each depth, as in the chapter, so the differences have no interval."

    def verdict(contradicted: bool) -> str:
        return "is contradicted" if contradicted else "is not contradicted"

    if 1 in measured and 0 in measured:
        yield (
            f"One hidden layer gets {measured[1]:.1%} of the test points right, and logistic "
            f'regression {measured[0]:.1%}. The claim "one hidden layer barely beats chance" '
            f"{verdict(measured[1] > BARELY_BEATS_CHANCE)}."
        )
    doublings = [(d, 2 * d) for d in sorted(measured) if d and 2 * d in measured]
    if doublings:
        gains = [measured[b] - measured[a] for a, b in doublings]
        listed = ", ".join(
            f"{100 * gain:.1f} points from {a} to {b}"
            for (a, b), gain in zip(doublings, gains, strict=True)
        )
        yield (
            f'Doubling the depth brings {listed}. The claim "each doubling of depth helps '
            f'dramatically" {verdict(min(gains) < DRAMATIC_GAIN)}.'
        )
    if 8 in measured:
        contradicted = abs(measured[8] - CLAIMED_AT_DEPTH_8) > CLAIM_TOLERANCE
        yield (
            f"Depth 8 gets {measured[8]:.1%}. The claim that it reaches {CLAIMED_AT_DEPTH_8:.1%} "
            f"{verdict(contradicted)}."
        )

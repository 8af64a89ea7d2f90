"""What a run of `scratchnet lottery` showed: a table, and sentences from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.changes import TEST_NAME, Change, change
from scratchnet.demos.lottery.settings import METHODS, VARIANTS
from scratchnet.demos.seeded_data import DESCRIPTIONS
from scratchnet.demos.statistics import Estimate, mean_interval
from scratchnet.demos.tables import bullets, new_table
from scratchnet.lottery import CONTROLS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from scratchnet.demos.lottery.experiment import Result

HEADINGS = (
    "ticket",
    "random\nmask",
    "shuffled\nmask",
    "new\nweights",
    "scaled\nweights",
    "same\nsigns",
)
AGAINST = {
    "random mask": "a random mask",
    "shuffled mask": "a mask shuffled within the layers",
    "new weights": "new weights",
    "scaled weights": "new weights, scaled for the density",
    "same signs": "new magnitudes with the old signs",
}
FEW_ROUNDS = 3
# Differences that stay below this with their intervals are nothing: of two classes it is a tenth of
# the way from chance to perfect.
NOTHING = 0.05


def report(result: Result, console: Console) -> None:
    """Print what was asked, the table, and what the run showed."""
    for line in description(result):
        console.print(line, markup=False)
    console.print()
    console.print("Test accuracy in %, against the weights that are left", style="bold")
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
    yield f"Data: {DESCRIPTIONS[t.dataset]}; {result.test_samples} samples to test on."
    yield (
        f"{s.depth} hidden layers of {s.width} ReLUs, {result.weights:,} weights; Adam on the "
        f"whole set, learning rate {s.learning_rate:g}, {s.steps:,} steps; {seeds}."
    )
    back = "the first weights" if not s.rewind_step else f"the weights of step {s.rewind_step}"
    yield (
        f"Rounds of {s.fraction:.0%} of what remains: {METHODS[s.method]}; the ticket is set back "
        f"to {back} and trained again."
    )
    if s.rewind_step:
        yield (
            f"Every network then trains for the other {s.steps - s.rewind_step} steps, also those "
            "with weights drawn anew."
        )
    if s.quick:
        yield ("A quick run. Without --quick there are 10 seeds, and 10 rounds of 30 %.")
    if s.seeds > 1:
        yield (
            f"Means ± 95 % intervals; differences are claimed by a {TEST_NAME}, and called visible "
            "where the next round has them too, for about one in twenty such tests errs."
        )


def table(result: Result) -> Table:
    shown = new_table("left", *HEADINGS)
    for each in result.rounds:
        cells = [percent(mean_interval(values)) for values in each.test_accuracy]
        shown.add_row(f"{left(result, each.number):.1%}", *cells)
    return shown


def percent(estimate: Estimate) -> str:
    """Such as `97.3±1.4`."""
    if estimate.n == 0:
        return "diverged"
    half = "" if estimate.half_width is None else f"±{100 * estimate.half_width:.1f}"
    return f"{100 * estimate.mean:.1f}{half}"


def left(result: Result, number: int) -> float:
    """The share of weights that remain in this round."""
    return result.rounds[number].remaining / result.weights


def advantages(result: Result, control: str) -> list[Change]:
    """What the ticket has over the control, for each round from the first."""
    place = VARIANTS.index(control)
    return [
        change(each.test_accuracy[place], each.test_accuracy[0], result.test_samples)
        for each in result.rounds[1:]
    ]


def visible_from(changes: Sequence[Change], sign: int = 1) -> int | None:
    """The first round, from 1, with a difference of this sign that the next round shows as well.

    The last round has no next one. Two in a row, because of twenty tests one errs.
    """
    signs = [each.sign for each in changes]
    for i, each in enumerate(signs):
        if each == sign and (i + 1 == len(signs) or signs[i + 1] == sign):
            return i + 1
    return None


def places(result: Result, changes: Sequence[Change], sign: int) -> str:
    """The rounds with a difference of this sign, such as `24.0% (+1.2 ± 0.7 points)`."""
    return ", ".join(
        f"{left(result, i):.1%} ({points(each)})"
        for i, each in enumerate(changes, 1)
        if each.sign == sign
    )


def furthest(changes: Sequence[Change]) -> int:
    """Where the difference is largest, from 0; rounds without a value, as all diverged, last."""
    return max(range(len(changes)), key=lambda i: np.nan_to_num(changes[i].estimate.mean, nan=-2))


def sentences(result: Result) -> list[str]:
    """What the run showed, in words."""
    r = result
    lines = [*divergence_sentences(r)]
    dense = mean_interval(r.rounds[0].test_accuracy[0])
    lines.append(f"The dense networks get {dense:.1%} of the test samples right (n = {dense.n}).")
    if r.settings.seeds == 1:
        lines.append("One seed gives no interval, so no difference is claimed.")
    else:
        lines += [ticket_sentence(r), *few_rounds_sentences(r)]
        lines += [control_sentence(r, control) for control in CONTROLS]
        lines += better_sentences(r)
        lines += magic_sentences(r)
    if r.interrupted:
        lines.append(
            f"The run was interrupted: {len(r.rounds) - 1} of {r.settings.rounds} rounds are done."
        )
    return lines


def divergence_sentences(result: Result) -> Iterator[str]:
    lost = [
        (each.number, VARIANTS[variant], result.settings.seed + int(seed))
        for each in result.rounds
        for variant, seed in np.argwhere(np.isnan(each.test_accuracy))
    ]
    if lost:
        number, variant, seed = lost[0]
        yield (
            f"{len(lost)} trainings diverged and are left out of the means (the first: {variant}, "
            f"seed {seed}, round {number})."
        )


def ticket_sentence(result: Result) -> str:
    """From which sparsity on the ticket is worse than the dense network."""
    dense = result.rounds[0].test_accuracy[0]
    changes = [
        change(dense, each.test_accuracy[0], result.test_samples) for each in result.rounds[1:]
    ]
    first, last = visible_from(changes, -1), changes[-1]
    smallest = f"{left(result, len(changes)):.1%}"
    if first is not None:
        return (
            f"The ticket is worse than the dense network from {left(result, first):.1%} of the "
            f"weights on; at {smallest} by {last}."
        )
    if once := places(result, changes, -1):
        return (
            f"The ticket is worse than the dense network at {once}, but not in two rounds in a row "
            f"(n = {last.estimate.n})."
        )
    there = f", where it differs by {last}" if last.estimate.n else ""
    return f"The ticket was not seen to be worse than the dense network, down to {smallest}{there}."


def few_rounds_sentences(result: Result) -> Iterator[str]:
    """What can be seen in the first few rounds, which is where many demonstrations stop."""
    rounds = min(FEW_ROUNDS, len(result.rounds) - 1)
    changes = {control: advantages(result, control) for control in CONTROLS}
    seen = [
        control
        for control, each in changes.items()
        if any((visible_from(each, sign) or len(each) + 1) <= rounds for sign in (1, -1))
    ]
    words = f"The first {rounds} rounds" if rounds > 1 else "The first round"
    kept = f"of {result.settings.fraction:.0%}, down to {left(result, rounds):.1%},"
    if seen:
        within = words[0].lower() + words[1:]
        yield f"Within {within} {kept} the ticket differs from: {', '.join(seen)}."
        return
    early = {control: each[:rounds] for control, each in changes.items()}
    once = [
        f"{control} at {found}"
        for control, each in early.items()
        for sign in (1, -1)
        if (found := places(result, each, sign))
    ]
    reach = max(reaches(each) for found in early.values() for each in found)
    verdict = ("show" if rounds > 1 else "shows") + " nothing"
    if reach > NOTHING:
        verdict = ("leave" if rounds > 1 else "leaves") + " it open"
    twice = f" in two rounds in a row, in one only: {', '.join(once)}" if once else ""
    yield (
        f"{words} {kept} {verdict}: no control was seen to differ from the ticket{twice}; with "
        f"their intervals, the differences reach {100 * reach:.1f} points."
    )


def reaches(change: Change) -> float:
    """How far from 0 the difference may be: the outer end of its interval."""
    interval = change.estimate.interval
    return max(map(abs, interval)) if interval else 1.0


def control_sentence(result: Result, control: str) -> str:
    """From which sparsity on the ticket is better than one control."""
    changes = advantages(result, control)
    first = visible_from(changes)
    if first is None:
        n = changes[-1].estimate.n
        if once := places(result, changes, 1):
            return (
                f"Against {AGAINST[control]} an advantage of the ticket was seen at {once}, but "
                f"not in two rounds in a row (n = {n})."
            )
        number = furthest(changes)
        return (
            f"Against {AGAINST[control]} no advantage of the ticket was seen; the largest "
            f"difference is {points(changes[number])}, at {left(result, number + 1):.1%} "
            f"(n = {changes[number].estimate.n})."
        )
    largest = first - 1 + furthest(changes[first - 1 :])
    share = f"{left(result, first):.1%} of the weights"
    where = f"from {share} on" if first < len(changes) else f"at {share}, in the last round only"
    further = (
        ""
        if largest == first - 1
        else f"; largest at {left(result, largest + 1):.1%}, {points(changes[largest])}"
    )
    return (
        f"Against {AGAINST[control]} the ticket's advantage is visible {where}: "
        f"{points(changes[first - 1])}{further} (n = {changes[first - 1].estimate.n})."
    )


def better_sentences(result: Result) -> Iterator[str]:
    """Where a control did better than the ticket."""
    for control in CONTROLS:
        changes = advantages(result, control)
        if worse := places(result, changes, -1):
            alone = ", but not in two rounds in a row" if visible_from(changes, -1) is None else ""
            yield (
                f"The ticket is worse than {AGAINST[control]} at {worse}{alone} "
                f"(n = {changes[-1].estimate.n})."
            )


def magic_sentences(result: Result) -> Iterator[str]:
    """How much of the ticket's advantage over new weights their scale and their signs explain."""
    gaps = advantages(result, "new weights")
    number = furthest(gaps)
    if gaps[number].sign != 1:
        return
    accuracy = dict(zip(VARIANTS, result.rounds[number + 1].test_accuracy, strict=True))
    n = result.test_samples
    gains = {
        name: change(accuracy["new weights"], accuracy[name], n)
        for name in ("scaled weights", "same signs")
    }
    scaled, signs = (gain_words(gains[name]) for name in ("scaled weights", "same signs"))
    yield (
        f"At {left(result, number + 1):.1%} the ticket is furthest ahead of new weights, by "
        f"{points(gaps[number])}. Scaling them for the density {scaled}; giving them the signs of "
        f"the ticket's {signs} (n = {gaps[number].estimate.n})."
    )


def gain_words(gain: Change) -> str:
    if gain.sign == 1:
        return f"brings {points(gain)}"
    if gain.sign == -1:
        return f"changes accuracy by {points(gain)}"
    return f"was not seen to change that ({points(gain)})"


def points(change: Change) -> str:
    """Such as `+38.9 ± 3.4 points`."""
    return str(change).partition(" (")[0]


def summary(result: Result) -> dict[str, Any]:
    """The differences and where they begin to show, for `result.json`."""
    return {
        "sentences": sentences(result),
        "test": TEST_NAME,
        "visible_from": {
            control: None
            if (first := visible_from(advantages(result, control))) is None
            else left(result, first)
            for control in CONTROLS
        },
        "ticket_minus_control": {
            control: [each.estimate for each in advantages(result, control)] for control in CONTROLS
        },
        "interrupted": result.interrupted,
        "seconds": result.seconds,
    }

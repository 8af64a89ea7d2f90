"""What `scratchnet parity` tells: the circuits in tables, what was learned, and both in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos import tables
from scratchnet.demos.parity.experiment import Built, Result
from scratchnet.demos.parity.formulas import FORMULAS, log2_up
from scratchnet.demos.parity.learning import DEEP, KINDS, ONE, WIDE, Training
from scratchnet.demos.statistics import Estimate
from scratchnet.depth.circuits import MOST_DNF_INPUTS
from scratchnet.depth.parity import PARITY

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NAMES = {
    ONE: "one layer of 32",
    DEEP: "log2 n layers of 32",
    WIDE: "one wide layer with as many parameters as the log2 n layers",
}

SHORT = {**NAMES, WIDE: "the wide layer"}


def report(result: Result, console: Console) -> None:
    """Print the circuits, and the networks that were trained, with their sentences."""
    said = sentences(result)

    def tell(part: str) -> None:
        for sentence in said[part]:
            lines = wrap(
                sentence,
                console.width,
                initial_indent="- ",
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
            console.print(*lines, sep="\n", markup=False)

    inputs = "1 input" if result.inputs == 1 else f"{result.inputs} inputs"
    console.print(f"\n[bold]1. Circuits for the parity of {inputs}[/]\n")
    console.print(circuit_table(result))
    console.print("The same as formulas, for n inputs from 2 on:\n")
    console.print(formula_table())
    tell("circuits")
    if result.trainings:
        console.print("\n[bold]2. Which networks learn parity[/]\n")
        console.print(training_table(result.trainings))
        tell("learning")
    if result.interrupted:
        console.print("\nInterrupted: the above is what was finished by then.")
    console.print()


def new_table(*headings: str) -> Table:
    """A narrow table whose first column holds names."""
    table = tables.new_table(*headings)
    table.padding = (0, 1, 0, 0)
    table.columns[0].justify = "left"
    return table


def circuit_table(result: Result) -> Table:
    """What was counted in each network, and how it did on all rows."""
    table = new_table(
        "\ncircuit",
        "\nneurons",
        "\nrelays",
        "connec-\ntions",
        "\ndepth",
        "largest\nweight",
        "rows\nverified",
        "\nerrors",
    )
    for construction, known in PARITY.items():
        each = result.asked_for.get(construction)
        if each is None or each.counts is None or each.verification is None:
            table.add_row(known.title, *[""] * 5, "not built" if each else "not reached", "")
            continue
        counts = (f"{count:,g}" if count < 10**6 else f"{count:,.0f}" for count in exact(each))
        verified = each.verification
        table.add_row(known.title, *counts, f"{verified.rows:,}", f"{verified.errors:,}")
    return table


def exact(built: Built) -> list[float]:
    return list((built.counts or {}).values())


def formula_table() -> Table:
    """The formulas; relays, which only the tree has, stand below it in words."""
    table = new_table("\ncircuit", "\nneurons", "\nconnections", "\ndepth", "largest\nweight")
    for construction, formulas in FORMULAS.items():
        texts = (each.text for name, each in formulas.items() if name != "relays")
        table.add_row(PARITY[construction].title, *texts)
    return table


def training_table(trainings: Sequence[Training]) -> Table:
    """A row for each n and kind of network: the full table on the left, half of it on the right."""
    table = new_table(
        "\nn",
        "\nhidden",
        "para-\nmeters",
        "all rows:\nsolved",
        "95 %\ninterval",
        "rows\nright",
        "half:\nfitted",
        "right on the\nother half",
    )
    by_row = groupby(sorted(trainings, key=row_order), key=lambda each: (each.inputs, each.kind))
    previous = 0
    for (inputs, _), group in by_row:
        found = {each.half: each for each in group}
        some = found.get(False) or found[True]
        layers = f"{len(some.hidden)} x " if len(some.hidden) > 1 else ""
        cells = ["", "", ""] if False not in found else full_cells(found[False])
        cells += ["", ""] if True not in found else half_cells(found[True])
        if previous and inputs != previous:
            table.add_section()
        table.add_row(
            "" if inputs == previous else str(inputs),
            f"{layers}{some.hidden[0]}",
            f"{some.parameters:,}",
            *cells,
        )
        previous = inputs
    return table


def row_order(training: Training) -> tuple[int, int]:
    return training.inputs, KINDS.index(training.kind)


def full_cells(training: Training) -> list[str]:
    low, high = training.interval
    return [
        solved(training),
        f"{100 * low:.0f}-{100 * high:.0f} %",
        percent(float(training.right.mean())),
    ]


def half_cells(training: Training) -> list[str]:
    return [solved(training), in_percent(training.accuracy)]


def in_percent(estimate: Estimate) -> str:
    """Such as `62.0 ± 2.1 %`."""
    half_width = None if estimate.half_width is None else 100 * estimate.half_width
    return f"{Estimate(100 * estimate.mean, half_width, estimate.n):.1f} %"


def solved(training: Training) -> str:
    return f"{training.solved}/{training.networks}"


def percent(fraction: float) -> str:
    """Rounded down, so that 100 % is said of nothing less than all."""
    return f"{np.floor(1000 * fraction + 1e-9) / 10:.1f} %"


def sentences(result: Result) -> dict[str, list[str]]:
    """What the circuits and the training showed, by part."""
    said = {"circuits": list(circuit_sentences(result))}
    if result.trainings:
        said["learning"] = [
            *full_table_sentences(result),
            *half_table_sentences(result.trainings),
            *cut_sentences(result),
        ]
    return said


def circuit_sentences(result: Result) -> Iterator[str]:
    """What was verified, and what is exponential about DNF.

    From two inputs on also counting beside the tree, and its relays; for powers of two the tent.
    """
    n, formulas = result.inputs, FORMULAS
    yield from verification_sentences(result)
    yield (
        f"The exponential number, 2^(n-1) + 1 = {formulas['dnf']['neurons'](n):,}, is a bound for "
        "DNF: for ANDs and an OR on two levels, where an AND covers a single row. It is no bound "
        "for threshold networks. Also at depth 2, threshold neurons that count need n + 1 = "
        f"{formulas['counting']['neurons'](n):,}. What is exponential is not the single hidden "
        "layer, but the ANDs in it."
    )
    if n > 1:
        yield tree_sentence(n)
        yield relay_sentence(n)
        if n & (n - 1) == 0:
            yield (
                f"The ReLU tent folds the sum of the inputs log2 n = {log2_up(n)} times with "
                "layers of width 2. Depth pays here: its neurons grow with log2 n, those of one "
                "ReLU layer with n."
            )


def tree_sentence(n: int) -> str:
    """Counting beside the tree: which has fewer neurons, and which fewer connections."""
    tree, counting = FORMULAS["tree"], FORMULAS["counting"]
    compared = [
        f"{counting[name](n)} {name} against {tree[name](n)} of the tree"
        for name in ("neurons", "connections")
    ]
    winners = [
        "neither"
        if counting[name](n) == tree[name](n)
        else "counting"
        if counting[name](n) < tree[name](n)
        else "the tree"
        for name in ("neurons", "connections")
    ]
    return (
        f"Counting takes {compared[0]}, and {compared[1]}. Fewer neurons: {winners[0]}. Fewer "
        f"connections: {winners[1]}. As n grows, the tree's depth saves no neurons, but "
        "connections: about 6 n instead of n^2."
    )


def relay_sentence(n: int) -> str:
    zeros = FORMULAS["tree"]["relays"](n) // 2
    if not zeros:
        return f"The tree has no relays here: z, the zeros of n - 1 = {n - 1:b} in binary, is 0."
    return (
        f"The tree has an odd number of signals z = {zeros} time{'' if zeros == 1 else 's'}, once "
        f"for each zero of n - 1 = {n - 1:b} in binary. Two relays then carry the last signal up: "
        "they are not counted as neurons, their connections are."
    )


def verification_sentences(result: Result) -> Iterator[str]:
    """How many circuits were run on all of their rows, and which were not built, and why."""
    done = [each for each in result.circuits if each.verification is not None]
    sizes = sorted({each.inputs for each in done})
    wrong = [each for each in done if not each.right]
    if done:
        rows = sum(each.verification.rows for each in done if each.verification)
        how = "and is right on every one" if not wrong else f"and {len(wrong)} err somewhere"
        inputs = f"{sizes[0]} to {sizes[-1]} inputs" if sizes[1:] else f"n = {sizes[0]}"
        yield (
            f"Each of {len(done)} circuits, for {inputs}, was run on all of its rows ({rows:,} in "
            f"all) {how}."
        )
    for each in wrong:
        assert each.verification is not None
        yield (
            f"{each.title} for {each.inputs} inputs: {each.verification.errors:,} of "
            f"{each.verification.rows:,} rows are wrong, first row {each.verification.first_wrong}."
        )
    for each in result.asked_for.values():
        if each.reason:
            yield not_built(each)


def not_built(built: Built) -> str:
    """Why there is no such circuit at that n."""
    neurons = f"{FORMULAS[built.construction]['neurons'](built.inputs):,} neurons"
    if built.construction == "dnf":
        return f"DNF is not built beyond {MOST_DNF_INPUTS} inputs: it would take {neurons}."
    if built.construction == "tent":
        return (
            f"ReLU tent takes powers of two only: {built.inputs} inputs are the network for "
            f"{1 << log2_up(built.inputs)} ({neurons}) with the rest at 0."
        )
    return f"{built.title} is not built: {built.reason}."


def full_table_sentences(result: Result) -> Iterator[str]:
    """On which n each kind learned the full table.

    What depth was worth is said of the largest n, where all kinds were trained on it.
    """
    for kind in KINDS:
        same = [each for each in result.trainings if each.kind == kind and not each.half]
        if same:
            yield learned_sentence(kind, same)
    largest = max((each.inputs for each in result.trainings if not each.half), default=0)
    last = {
        each.kind: each for each in result.trainings if each.inputs == largest and not each.half
    }
    if len(last) == len(KINDS):
        yield from equal_sentences(last, largest)


def learned_sentence(kind: str, same: Sequence[Training]) -> str:
    """On which n a kind of network got all rows right, and how near it came on the others."""
    short = [each for each in same if each.solved < each.networks]
    whole = [each for each in same if each.solved == each.networks]
    parts = []
    if whole:
        parts.append(f"every seed solves n = {listed(each.inputs for each in whole)}")
    parts += [
        f"at n = {each.inputs} {each.solved} of {each.networks} do, with "
        f"{percent(float(each.right.mean()))} of the rows right on average"
        for each in short
    ]
    return f"{NAMES[kind]}: {'; '.join(parts)}."


def equal_sentences(last: dict[str, Training], n: int) -> Iterator[str]:
    """What depth was worth at the largest n, at equal width and at equal parameters."""
    one, deep, wide = (last[kind] for kind in (ONE, DEEP, WIDE))
    scores = f"at n = {n}, {deep.solved} of {deep.networks} against"
    at_width = (
        "Depth wins at equal width"
        if deep.solved > one.solved
        else "Depth does not win at equal width"
        if deep.solved < one.solved
        else "Depth makes no difference at equal width"
    )
    at_parameters = (
        "it wins at equal parameters too"
        if deep.solved > wide.solved
        else "it loses at equal parameters"
        if deep.solved < wide.solved
        else "it makes none at equal parameters"
        if deep.solved == one.solved
        else "it does not at equal parameters"
    )
    yield (
        f"{at_width} ({scores} {one.solved}); {at_parameters} ({wide.solved} of {wide.networks} "
        f"for the wide layer). With {one.networks} networks of each kind, only large differences "
        "show."
    )


def half_table_sentences(trainings: Sequence[Training]) -> Iterator[str]:
    """For each kind, whether what it learned from half of the rows holds on the others."""
    below_chance = False
    for kind in KINDS:
        same = [each for each in trainings if each.kind == kind and each.half]
        if not same:
            continue
        verdicts: dict[str, list[int]] = {"below": [], "above": [], "not told from": []}
        for each in same:
            verdicts[against_chance(each)].append(each.inputs)
        below_chance = below_chance or bool(verdicts["below"])
        told = "; ".join(
            f"{verdict} 50 % at n = {listed(sizes)}" for verdict, sizes in verdicts.items() if sizes
        )
        accuracies = listed(f"{100 * each.accuracy.mean:.1f}" for each in same)
        yield (
            f"With half of the rows held out, {SHORT[kind]} is right on {accuracies} % of the "
            f"other half for n = {listed(each.inputs for each in same)}: {told}."
        )
    yield from generalisation_sentences(trainings)
    if below_chance:
        yield (
            "Below 50 % is what guessing from similar rows gives: the n rows that differ from a "
            "row in one bit all have the other parity."
        )


def generalisation_sentences(trainings: Sequence[Training]) -> Iterator[str]:
    """Whether at the largest n the deep networks or the shallow ones are right on unseen rows."""
    n = max((each.inputs for each in trainings if each.half), default=0)
    last = {each.kind: each.accuracy for each in trainings if each.half and each.inputs == n}
    if len(last) < len(KINDS) or not all(each.interval for each in last.values()):
        return
    ends = {kind: each.interval or (0.0, 1.0) for kind, each in last.items()}
    shallow = (ends[ONE], ends[WIDE])
    if ends[DEEP][1] < min(low for low, _ in shallow):
        verdict = "fewer than either single layer"
        if ends[DEEP][0] <= 0.5:
            verdict += ": here depth learns the table and not the rule"
    elif ends[DEEP][0] > max(high for _, high in shallow):
        verdict = "more than either single layer"
    else:
        return
    yield f"At n = {n} the log2 n layers get {in_percent(last[DEEP])} of them right, {verdict}."


def against_chance(training: Training) -> str:
    """Whether the 95 % interval of the accuracy lies below or above ½, or holds it."""
    interval = training.accuracy.interval
    if interval is None or interval[0] <= 0.5 <= interval[1]:
        return "not told from"
    return "below" if interval[1] < 0.5 else "above"


def cut_sentences(result: Result) -> Iterator[str]:
    """What the numbers depend on, and what was not done."""
    s: dict[str, Any] = result.settings
    yield (
        f"Solved means that all 2^n rows are right. Adam at {s['learning_rate']:g}, inputs of -1 "
        "and 1, all training rows at each step. "
        f"Training stops when all seeds have every training row right (checked every "
        f"{s['steps_between_checks']} steps; accuracies are of that moment), at the latest after "
        f"{s['steps']:,} steps: what is not solved by then may be solved later."
    )


def listed(numbers: Any) -> str:
    """Such as `4, 6 and 8`."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last

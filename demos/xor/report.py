"""What `scratchnet xor` tells: a table for each of its four steps, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos import tables
from scratchnet.demos.figures import grid_points, window
from scratchnet.demos.terminal import draw_boundaries
from scratchnet.demos.xor.experiment import (
    CORNER_NAMES,
    CORNERS,
    ELSEWHERE,
    NO_SURROGATE,
    PLATEAUS,
    SOLVED,
    SURE,
    XOR,
    Labeling,
    Result,
    Training,
    plateau_loss,
    probability,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def report(result: Result, console: Console) -> None:
    """Print each step that was finished: its evidence, then its sentences."""
    said = sentences(result)

    def step(number: int, title: str) -> None:
        console.print(f"\n[bold]{number}. {title}[/]\n")

    def tell(name: str) -> None:
        for sentence in said[name]:
            lines = wrap(
                sentence,
                console.width,
                initial_indent="- ",
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
            console.print(*lines, sep="\n", markup=False)

    step(1, "One threshold neuron cannot compute XOR")
    console.print(labeling_table(result.labelings))
    tell("neuron")
    step(2, "Three threshold neurons can")
    console.print(gate_table(result.gates))
    tell("circuit")
    if result.smooth:
        step(3, "A network with a hidden layer learns it by backpropagation")
        console.print(training_table(result.smooth))
        draw_examples(result.smooth[0], console)
        tell("backpropagation")
    if result.thresholds:
        step(4, "A network of threshold neurons learns it with a surrogate derivative")
        console.print(training_table(result.thresholds, "surrogate"))
        tell("surrogate")
    console.print()


def new_table(*headings: str) -> Table:
    """A table whose first column holds names."""
    table = tables.new_table(*headings)
    table.columns[0].justify = "left"
    return table


def labeling_table(labelings: Sequence[Labeling]) -> Table:
    """The 16 labelings in two halves, side by side."""
    half = len(labelings) // 2
    headings = (" ".join(CORNER_NAMES), "fires where", "right")
    table = new_table(*headings, *headings)
    for pair in zip(labelings[:half], labelings[half:], strict=True):
        cells = [
            (
                " ".join(f"{label:>2}" for label in each.labels),
                "no neuron" if each.neuron is None else condition(each.neuron),
                f"{each.right}/4",
            )
            for each in pair
        ]
        table.add_row(*cells[0], *cells[1])
    return table


def condition(neuron: tuple[float, float, float]) -> str:
    """Where a neuron with weights in {-1, 0, 1} fires, such as `a - b >= 0.5`."""
    *weights, bias = neuron
    terms = [
        f"{'-' if weight < 0 else '+'} {name}"
        for weight, name in zip(weights, "ab", strict=True)
        if weight
    ]
    left = " ".join(terms).removeprefix("+ ") or "0"
    return f"{'-' + left[2:] if left.startswith('- ') else left} >= {-bias:g}"


def gate_table(gates: dict[str, Any]) -> Table:
    table = new_table("a b", "OR", "NAND", "AND(OR, NAND)", "XOR")
    for name, wanted, *signals in zip(CORNER_NAMES, XOR, *gates.values(), strict=True):
        table.add_row(" ".join(name), *(f"{signal:.0f}" for signal in signals), str(wanted))
    return table


def training_table(trainings: Sequence[Training], kind: str = "neurons") -> Table:
    """How many networks of each kind solve XOR, and at which loss the others end."""
    stuck = [f"stuck\n{plateau_loss(name):.3f}" for name in PLATEAUS]
    table = new_table(
        *(f"\n{heading}" for heading in (kind, "hidden", "solved", "95 % interval")),
        *stuck,
        "else-\nwhere",
    )
    previous = ""
    for each in trainings:
        low, high = each.interval
        name = each.activation.removeprefix("threshold ").removesuffix(" surrogate")
        table.add_row(
            "" if name == previous else name,
            str(each.hidden),
            f"{each.solved}/{each.networks}",
            f"{100 * low:.1f} to {percent(high)}",
            *(str(each.count(outcome)) for outcome in (*PLATEAUS, ELSEWHERE)),
        )
        previous = name
    return table


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def draw_examples(training: Training, console: Console) -> None:
    """Print what the examples of `shown_outcomes` say in the plane."""
    extent = window(CORNERS, margin=0.6)
    panels = [
        (
            f"{training.activation}, {training.hidden} hidden: {described(outcome)}",
            probability(training.example(outcome).predict(grid_points(extent))).reshape(200, 200),
        )
        for outcome in shown_outcomes(training)
    ]
    draw_boundaries(console, panels, extent, CORNERS, XOR)
    console.print()


def shown_outcomes(training: Training) -> list[str]:
    """Solved, and the outcome of most other networks, as far as they occurred."""
    others = [name for name in training.examples if name != SOLVED]
    return [
        *([SOLVED] if training.solved else []),
        *([max(others, key=training.count)] if others else []),
    ]


def described(outcome: str) -> str:
    """Such as `stuck at 0.477`."""
    return f"stuck at {plateau_loss(outcome):.3f}" if outcome in PLATEAUS else outcome


def sentences(result: Result) -> dict[str, list[str]]:
    """What each finished step showed, by the step's name."""
    said = {"neuron": neuron_sentences(result), "circuit": circuit_sentences(result)}
    if result.smooth:
        said["backpropagation"] = backpropagation_sentences(result)
    if result.thresholds:
        said["surrogate"] = surrogate_sentences(result)
    return said


def neuron_sentences(result: Result) -> list[str]:
    """What one threshold neuron can label, why not XOR, and where one that was trained ends."""
    given = [each for each in result.labelings if each.neuron is not None]
    said = [
        f"A threshold neuron can label the four points (a, b) in {len(given)} of the "
        f"{len(result.labelings)} ways. The best of them is right at "
        f"{max(each.right for each in given)} of 4 points for XOR.",
        "No neuron gives XOR or its opposite: its weighted sums obey "
        "z(00) + z(11) = z(01) + z(10), so they cannot both be >= 0 on one side and both < 0 on "
        "the other.",
    ]
    for each in result.single_neurons:
        said.append(
            f"Trained, with a sigmoid in place of the threshold, {each.solved} of {each.networks} "
            f"neurons solve it; {each.count('all four alike')} end at the loss ln 2 = "
            f"{math.log(2):.3f}, which is the answer 1/2 at every point."
        )
    return said


def circuit_sentences(result: Result) -> list[str]:
    right = int((result.gates["AND"] == XOR).sum())
    return [
        "OR fires where a + b >= 0.5, NAND where -a - b >= -1.5, AND where both of them do. Each "
        "hidden neuron cuts off one corner, and the strip between the two lines is left.",
        f"The circuit is right at {right} of 4 points.",
    ]


def backpropagation_sentences(result: Result) -> list[str]:
    """How many networks of each kind solve XOR, within how many steps, and where the others end."""
    trainings, settings = result.smooth, result.settings
    said = [
        *ends_of_each_kind(trainings),
        f"Solved means a loss below ln(2)/4 = {SURE:.3f}: one point on the wrong side alone costs "
        "as much.",
    ]
    steps = np.concatenate([each.steps_to_solve for each in trainings])
    steps = steps[steps >= 0]
    if steps.size:
        said.append(
            f"Half of the {steps.size} networks that got there did so within "
            f"{np.median(steps):.0f} steps, 99 % of them within {np.percentile(steps, 99):.0f}, "
            f"the last one after {steps.max()} of {settings['epochs']}."
        )
    said += stuck_sentences(trainings)
    said.append(
        f"All this holds for the training used here: Adam at {settings['learning_rate']:g} for "
        f"{settings['epochs']} steps, from He-normal weights and zero biases."
    )
    return said


def ends_of_each_kind(trainings: Sequence[Training]) -> list[str]:
    """For each kind of neuron, the fraction that solves XOR, narrowest and widest."""
    said = []
    for activation in dict.fromkeys(each.activation for each in trainings):
        same = [each for each in trainings if each.activation == activation]
        same.sort(key=lambda each: each.hidden)
        fractions = [
            f"{percent(each.solved / each.networks)} with {each.hidden}"
            for each in (same[:1] + same[1:][-1:])
        ]
        said.append(f"{activation}: {' and '.join(fractions)} hidden neurons solve XOR.")
    return said


def stuck_sentences(trainings: Sequence[Training]) -> list[str]:
    """On which losses the unsolved networks ended; nothing where all are solved."""
    unsolved = sum(each.networks - each.solved for each in trainings)
    if not unsolved:
        return []
    stuck = sum(each.count(name) for each in trainings for name in PLATEAUS)
    four, three, two = (f"{plateau_loss(name):.3f}" for name in PLATEAUS)
    return [
        f"{stuck} of the other {unsolved} ended on one of three plateaus. There the network gives "
        "several points of both classes one output, and the best it can say about them is their "
        f"share of ones: at {four} it is undecided about all four points, at {three} it is right "
        f"at three and wrong at one, at {two} it is right at two and undecided about two."
    ]


def surrogate_sentences(result: Result) -> list[str]:
    """How many threshold networks solve XOR with a surrogate derivative, and without."""
    trainings = result.thresholds
    said = [
        *ends_of_each_kind(trainings),
        "That is counted with true thresholds in every neuron, the output neuron included.",
        "The derivative of a threshold is 0. The surrogate passes a gradient on unchanged where "
        f"the neuron's weighted sum lies within ±{result.settings['surrogate_window']:g}.",
    ]
    without = [each for each in trainings if each.activation == NO_SURROGATE]
    if without:
        said.append(
            "Without it the hidden neurons stay as they were drawn (largest change of a weight: "
            f"{max(each.hidden_change for each in without):g}) and only the output neuron learns, "
            "so that what is solved is the luck of the draw."
        )
    return said

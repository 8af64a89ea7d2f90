"""The XOR tree: parity of n inputs by threshold neurons, two signals at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.parity.formulas import FORMULAS, QUANTITIES
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.verdicts import Claim, fact
from scratchnet.demos.xor_tree.figures import tree
from scratchnet.depth.circuits import MOST_INPUTS, verify
from scratchnet.depth.gates import RELAY, Wiring, gate_values, parse_bits
from scratchnet.depth.parity import xor_tree

DEFAULT_INPUTS, EXAMPLE = 8, "10110011"
SOURCE = "a textbook chapter"


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet xor-tree`."""

    without = ("seeds", "seed", "precision", "record", "resume", "compile", "workers", "scheduler")

    inputs: int | None = option(
        None, "How many; by default as many as --bits, or 8.", low=1, high=MOST_INPUTS
    )
    bits: str | None = option(
        None, f"The input to draw, x1 first; by default {EXAMPLE}, repeated.", metavar="BITS"
    )


def inputs_of(s: Settings) -> int:
    """How many inputs the tree has."""
    return s.inputs or (len(s.bits) if s.bits is not None else DEFAULT_INPUTS)


def bits_of(s: Settings) -> str:
    """The input whose signals are drawn."""
    n = inputs_of(s)
    return s.bits if s.bits is not None else (EXAMPLE * n)[:n]


def check(s: Settings) -> None:
    """Raise `InputError` for bits other than 0 and 1, and for too many or too few of them."""
    if s.bits is not None:
        n = inputs_of(s)
        if not 1 <= n <= MOST_INPUTS:
            raise InputError(f"--bits of {n} inputs: must be 1 to {MOST_INPUTS}")
        try:
            parse_bits(s.bits, n)
        except InputError as error:
            raise InputError(f"--{error}") from None


def run(run: Run) -> None:
    """A row for each neuron with its value for the chosen input, and the proof by all inputs."""
    s, result = run.settings, run.result
    circuit = xor_tree(inputs_of(s), backend=s.backend)
    assert circuit.wiring is not None
    values = gate_values(circuit.wiring, circuit.model, bits_of(s))
    for level, gates in enumerate(circuit.wiring.levels, start=1):
        for each in gates:
            facts = {"level": level, "kind": each.kind, "inputs": ", ".join(each.sources)}
            facts |= {"weights": each.weights, "bias": each.bias}
            measures = {"value": np.array([values[each.name]])}
            result.rows.append(Row(each.name, facts, (0,), measures))
    output = values[circuit.wiring.outputs[0]]
    result.extra |= {"circuit": circuit, "values": values, "output": output}
    result.extra |= {quantity: getattr(circuit, quantity) for quantity in QUANTITIES}
    result.extra["verification"] = verify(circuit, advance=run.advance)


def claims(result: Result) -> list[Claim]:
    """Exact ones: the proof by all inputs, and two formulas from n = 2 on."""
    n, extra, found = inputs_of(result.settings), result.extra, []
    if verified := extra.get("verification"):
        right = f"right on {verified.rows - verified.errors:,} of {verified.rows:,} inputs"
        computes = "A tree of XOR gates computes parity"
        found.append(fact(computes, SOURCE, not verified.errors, right))
    if n > 1:
        small = extra["neurons"] == 3 * (n - 1)
        shown = f"{n - 1} gates, {extra['neurons']} neurons"
        sentence = "It takes n - 1 gates of 3 threshold neurons, about 3 n"
        found.append(fact(sentence, SOURCE, small, shown, "002-016"))
        low = extra["depth"] == 2 * (n - 1).bit_length()
        sentence = "Its depth, 2 ⌈log2 n⌉, grows with the logarithm"
        found.append(fact(sentence, SOURCE, low, f"{extra['depth']} levels for {n} inputs"))
    return found


def tables(result: Result) -> list[Table]:
    """The tree as a drawing, and what it costs."""
    circuit, n = result.extra["circuit"], inputs_of(result.settings)
    lines = [(line,) for line in drawing(circuit.wiring, result.extra["values"])]
    found = [Table((), lines, f"The tree, with every signal for {bits_of(result.settings)}")]
    if n == 1:
        return found
    costs = []
    for quantity in QUANTITIES:
        tree, counting = (FORMULAS[name][quantity] for name in ("tree", "counting"))
        count, other = f"{result.extra[quantity]:,g}", f"{counting[1](n):,g}"
        costs.append((quantity.replace("_", " "), count, tree[0], other, counting[0]))
    title = "What it costs, beside one hidden layer that counts the ones"
    headings = ("", "tree", "formula", "counting", "formula")
    return [*found, Table(headings, costs, title, words=(0, 2, 4))]


def notes(result: Result) -> list[str]:
    """What z is, and what relays are."""
    zeros = f"{inputs_of(result.settings) - 1:b}".count("0")
    return [
        f"z = {zeros}: the zeros of n - 1 in binary, which is how often a level has an odd number "
        "of signals. Two relays then repeat the last one; they compute nothing, and are drawn as a "
        "line and not counted as neurons."
    ]


JOINTS = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
"""The lines that join arms towards up (1), right (2), down (4) and left (8)."""
UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8
MOST_SPREAD = 6


def drawing(wiring: Wiring, values: Mapping[str, int]) -> list[str]:
    """The tree as lines of text: inputs on the left, levels to the right.

    The two signals of an XOR meet in a vertical line, from which both OR and NAND read.
    """
    gap = 3 if len(wiring.levels) <= MOST_SPREAD else 1
    # Inputs stand two rows apart, an AND between its OR above and its NAND below.
    rows = {name: 2 * number for number, name in enumerate(wiring.inputs)}
    text = {name: f"{name:<{len(wiring.inputs[-1])}} {values[name]}" for name in wiring.inputs}
    arms: dict[tuple[int, int], int] = {}
    words: dict[tuple[int, int], str] = {}

    def arm(row: int, column: int, sides: int) -> None:
        arms[row, column] = arms.get((row, column), 0) | sides

    def signal(name: str, column: int, end: int | None) -> None:
        """Write a signal, and lead its line to column `end`; a relay is nothing but a line."""
        words.update({(rows[name], column + i): each for i, each in enumerate(text[name])})
        if end is not None:
            for place in range(column + len(text[name]) + bool(text[name]), end):
                arm(rows[name], place, LEFT | RIGHT)
            arm(rows[name], end, LEFT)

    joint = len(text[wiring.inputs[0]]) + gap
    for name in wiring.inputs:
        signal(name, 0, joint)
    for number, level in enumerate(wiring.levels, start=1):
        last = number == len(wiring.levels)
        for each in level:
            middle = sum(rows[source] for source in each.sources) // len(each.sources)
            rows[each.name] = middle + {"OR": -1, "NAND": 1}.get(each.kind, 0)
            relay = each.kind == RELAY and not last
            text[each.name] = "" if relay else f"{each.kind} {values[each.name]}"
        end = joint + 2 + max(len(text[each.name]) for each in level) + gap
        for each in level:
            for source in each.sources:
                low, high = sorted((rows[source], rows[each.name]))
                for row in range(low, high):
                    arm(row, joint, DOWN)
                    arm(row + 1, joint, UP)
            arm(rows[each.name], joint, RIGHT)
            signal(each.name, joint + (2 if text[each.name] else 1), None if last else end)
        joint = end
    lines = []
    for row in range(max(rows.values()) + 1):
        width = 1 + max((column for line, column in (*arms, *words) if line == row), default=-1)
        joined = (JOINTS[arms.get((row, column), 0)] for column in range(width))
        lines.append("".join(words.get((row, i), each) for i, each in enumerate(joined)))
    return lines


experiment = Experiment.of(
    __name__,
    question="How do threshold neurons, of which none can do XOR alone, compute parity?",
    source="a textbook chapter on depth: a tree of XOR gates, 3 (n - 1) neurons",
    look_for="how each XOR halves the number of signals, so that few levels are enough.",
    definitions=(
        "Parity of n bits is 1 where an odd number of them is 1. For two bits it is XOR: "
        "00 → 0, 01 → 1, 10 → 1, 11 → 0.",
        "A threshold neuron outputs 1 where its weighted sum reaches a threshold, else 0. "
        "OR: a + b >= 0.5.  NAND: -a - b >= -1.5.  AND: a + b >= 1.5.",
        "An XOR gate is three of them on two levels: a XOR b = AND(OR(a, b), NAND(a, b)).",
    ),
    figures=lambda result: {"tree": partial(tree, result)},
    work=lambda s: 2.0 ** inputs_of(s),
    memory=lambda s: 3e8,
    seconds=lambda s: 2 + 2.0 ** inputs_of(s) / 4.5e5,
    next=(
        "scratchnet xor-tree --bits 10110       # an odd number of inputs",
        "scratchnet xor-tree --inputs 20        # a million inputs, every one of them tried",
        "scratchnet parity                      # five circuits for parity, and what learns it",
    ),
)

"""Parity, x_1 XOR ... XOR x_n: five circuits side by side, and which networks learn it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.parity.formulas import FORMULAS, QUANTITIES, cost
from scratchnet.demos.parity.learning import DEEP, KINDS, ONE, WIDE, arm_name, arms
from scratchnet.demos.running import Advance, Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import RATES, TUNING_SEEDS, each_tuned, work_of
from scratchnet.demos.verdicts import Claim, counted, difference, fact, success, successes
from scratchnet.depth.circuits import MOST_DNF_INPUTS, MOST_INPUTS, Circuit, verify
from scratchnet.depth.parity import PARITY, parity_circuit


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet parity`."""

    inputs: int = option(16, "Of circuits.", quick=8, low=2, high=MOST_INPUTS, chooses_arms=True)
    learn: bool = option(True, "Train no networks: circuits alone.", chooses_arms=True)
    learn_inputs: tuple[int, ...] = option(
        (6, 8), "Of the tables to learn.", quick=(4,), low=2, high=14, chooses_arms=True
    )
    steps: int = option(3000, "Training steps at most.", quick=1000, low=1, high=10_000_000)


def circuits(s: Settings) -> list[tuple[str, int]]:
    """What is built: for the inputs asked for, and for fewer, for the figure; DNF, slow, last."""
    fewer = [n for n in range(2, s.inputs) if not s.quick or n & (n - 1) == 0]
    pairs = product(reversed(PARITY), [s.inputs, *fewer])
    return [pair for pair in pairs if not why_not(*pair)]


def why_not(circuit: str, inputs: int) -> str:
    """Why there is no such circuit, or nothing."""
    neurons = f"{cost(circuit, 'neurons', inputs):,} neurons"
    if circuit == "dnf" and inputs > MOST_DNF_INPUTS:
        return f"DNF is not built beyond {MOST_DNF_INPUTS} inputs: it would take {neurons}."
    if circuit == "tent" and inputs & (inputs - 1):
        return f"The ReLU tent takes powers of two; the rest stays 0 in the next one ({neurons})."
    return ""


def run(run: Run) -> None:
    """Circuits on all of their rows, and networks that learn."""
    s = run.settings
    for name, n in circuits(s):
        circuit = parity_circuit(name, n, backend=get_backend(s.backend, s.precision))
        counts = {each: getattr(circuit, each) for each in QUANTITIES}
        facts = {"circuit": name, "inputs": n, **counts}
        arm, work = f"{PARITY[name].title}, n = {n}", seconds_of(name, n)
        run.row(arm, facts, (0,), partial(verified, circuit, work), work)
    each_tuned(arms)(run)


def verified(circuit: Circuit, work: float, advance: Advance) -> tuple[dict[str, Any], Any]:
    """How many of all rows of the truth table are wrong."""
    found = verify(circuit, advance=lambda rows: advance(work * rows / 2**circuit.inputs))
    return {"rows": np.array([found.rows]), "errors": np.array([found.errors])}, {}


def seconds_of(circuit: str, inputs: int) -> float:
    """About how long it takes to run a circuit on all of its rows, at 3 ns for each neuron."""
    neurons = cost(circuit, "neurons", inputs) + cost(circuit, "relays", inputs)
    return 2**inputs * neurons * 3e-9


def work(s: Settings, share: float = 1.0) -> float:
    """In seconds, if networks took this share of their steps until they are done."""
    return share * work_of(arms)(s) + sum(seconds_of(*each) for each in circuits(s))


def memory(s: Settings) -> float:
    """Activations of the largest ensemble on the largest table."""
    networks = max(s.seeds, TUNING_SEEDS * len(RATES["adam"]))
    facts = [each.facts for each in arms(s)]
    cells = [2 ** f["inputs"] * (2 * f["inputs"] + 4 * f["depth"] * f["width"]) for f in facts]
    return 8.0 * networks * max(cells, default=0)


TEXTBOOK = "textbook chapter on depth"
DEPENDS = ("002-014", "001-011", "001-042", "002-140")
"""Rows of the ledger that hold for ANDs and ORs, and fail for threshold neurons."""


def built_circuits(result: Result) -> dict[str, Row]:
    """The rows of the circuits for the inputs asked for."""
    arms = {name: f"{PARITY[name].title}, n = {result.settings.inputs}" for name in PARITY}
    return {name: result[arm] for name, arm in arms.items() if arm in result}


def circuit_claims(result: Result) -> Iterator[Claim]:
    """Of the circuits for the inputs asked for, as far as they were built."""
    n, built = result.settings.inputs, built_circuits(result)

    def fits(name: str, most: int, depth: int) -> bool:
        """Whether it is built, right on all rows, and no larger than this."""
        row = built.get(name)
        small = row and row.facts["neurons"] <= most and row.facts["depth"] <= depth
        return bool(row and small and row["errors"][0] == 0)

    def found(name: str) -> str:
        """A circuit's neurons, depth and wrong rows in words."""
        neurons, depth = (built[name].facts[each] for each in ("neurons", "depth"))
        of = f"{PARITY[name].title} has {neurons:,} neurons at depth {depth}"
        return f"{of}, {wrong_rows(built[name])} rows wrong"

    shallow, tree, depth = 2 ** (n - 1) + 1, 3 * (n - 1), cost("tree", "depth", n)
    least = "One hidden layer needs 2^(n-1) neurons for parity, threshold neurons as well as ANDs"
    saving = "By a theorem, depth saves threshold neurons exponentially for parity"
    folding = "ReLU layers of width 2 that fold take fewer neurons than one ReLU layer"
    either = "ANDs and an OR on two levels take 2^(n-1) + 1 neurons"
    xors = "A tree of XORs takes 3 (n - 1) neurons, at depth 2 ceil(log2 n)"
    one_layer = ("002-008", "002-011", "002-134", *DEPENDS)
    for sentence, source, holds, ledger, *used in (
        (least, TEXTBOOK, not fits("counting", shallow - 1, 2), one_layer, "counting"),
        (either, "Lupanov 1961", fits("dnf", shallow, 2), ("002-002", "002-010", *DEPENDS), "dnf"),
        (xors, TEXTBOOK, fits("tree", tree, depth), ("002-003", "002-013"), "tree"),
        (saving, TEXTBOOK, not fits("counting", tree, 2), ("002-004",), "counting", "tree"),
        (folding, "after Telgarsky 2016", fits("tent", n, n), (), "tent", "relu"),
    ):
        if set(used) <= set(built):
            yield fact(sentence, source, holds, "; ".join(map(found, used)), *ledger)


def wrong_rows(row: Row) -> str:
    """Such as `0 of 256`."""
    return f"{row['errors'][0]:,} of {row['rows'][0]:,}"


def learning_claims(result: Result) -> Iterator[Claim]:
    """Of the largest table that all kinds of networks were trained on."""
    n = max(result.settings.learn_inputs)
    whole, half = ({kind: arm_name(kind, n, part) for kind in KINDS} for part in (False, True))
    if not all(name in result for name in (*whole.values(), *half.values())):
        return
    learned = partial(success, level=1.0)
    for kind, words in ((ONE, "one layer as wide"), (WIDE, "one layer as large")):
        sentence = f"More networks of log2 n layers than of {words} learn the table of {n} inputs"
        pair = (whole[DEEP], whole[kind])
        yield from result.claim(
            sentence, "texts on depth", learned, *pair, measure="train_accuracy"
        )
    for kind in KINDS:
        row = result[half[kind]]
        unfitted = len(row.seeds) - successes(row["train_accuracy"], 1.0)
        yield Claim(
            f"Networks of {kind} that fit half of the table are worse than guessing on the rest",
            f"{TEXTBOOK}: small data, 100 % on training and terrible on test data",
            difference(1 - row["test_accuracy"], 0.5, 2**n // 2),
            untested=f"{unfitted} networks do not fit" if unfitted else result.untested(row.arm),
            ledger=("002-055",),
        )


def tables(result: Result) -> list[Table]:
    """Circuits as they were counted and as formulas, and the networks that learn."""
    headings = ("circuit", "neurons", "connections", "depth", "largest\nweight")
    shown = [each for each in QUANTITIES if each != "relays"]
    in_circuits = [
        (PARITY[name].title, *(f"{row.facts[each]:,.0f}" for each in shown), wrong_rows(row))
        for name, row in built_circuits(result).items()
    ]
    texts = [
        (PARITY[name].title, *(formulas[each][0].replace("log2", "log₂") for each in shown))
        for name, formulas in FORMULAS.items()
    ]
    title = f"Counted in the circuits for {result.settings.inputs} inputs"
    found = [
        Table((*headings, "wrong rows"), in_circuits, title),
        Table(headings, texts, "For n inputs; z is the number of zeros of n - 1 in binary"),
    ]
    trained = [row for row in result.verdict_rows() if "kind" in row.facts]
    names = "network | size | rate | learn | steps | tested,\nright"
    cells = "{arm} | {parameters:,} | {learning_rate:g} | {learn} | {steps:,.0f} | "
    title = (
        f"Of {result.settings.seeds} networks: how many learn every training row (95 % interval), "
        "median steps until then; median share right of the other half, or of all rows"
    )
    learn = {"learn": lambda row: counted(row["train_accuracy"], 1.0)}
    if trained:
        found.append(Table.of(trained, names, cells + "{test_accuracy:.1%}", title, **learn))
    return found


def notes(result: Result) -> list[str]:
    """Circuits that are right or were not built, and what the networks are."""
    s, rows = result.settings, list(result.verdict_rows())
    checked = [row for row in rows if "circuit" in row.facts]
    right = sum(not row["errors"][0] for row in checked)
    networks = (
        "Networks: log2 n layers of 32 ReLUs, one layer of 32, one wide layer with as many "
        "parameters as these; Adam, full batch. Guessing from similar rows gives less than "
        "50 %: the n rows that differ from a row in one bit all have the other parity."
    )
    return [
        f"{right} of {len(checked)} circuits are right on all of their rows.",
        *filter(None, (why_not(name, s.inputs) for name in PARITY)),
        *[networks] * (len(checked) < len(rows)),
    ]


experiment = Experiment.of(
    __name__,
    question="Which networks compute the parity of n bits, at what cost, and which learn it?",
    definitions=(
        "Parity is 1 where an odd number of bits is 1; of two bits: 00 gives 0, 01 gives 1, "
        "10 gives 1, 11 gives 0 (XOR).",
        "A threshold neuron gives 1 where w·x + b >= 0, else 0. ANDs and ORs are such neurons.",
        "DNF: an AND for each row of the truth table with parity 1, and an OR of them. XOR tree: "
        "two signals at a time. Counting: hidden neuron k fires where k bits or more are 1. "
        "One ReLU layer: a zigzag of the sum of the bits. ReLU tent: folds that sum log2 n times.",
    ),
    source="a textbook chapter on depth: one hidden layer needs 2^(n-1) neurons, depth O(n)",
    look_for="which circuits grow exponentially with n, and whether networks that fit half of the "
    "table are right on the other half.",
    claims=lambda result: [*circuit_claims(result), *learning_claims(result)],
    seconds=lambda s: 1 + work(s, share=0.2),
    next=("scratchnet parity --inputs 24 --no-learn", "scratchnet parity --learn-inputs 12"),
)

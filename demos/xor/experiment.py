"""XOR: what one threshold neuron cannot compute, three can, and training sometimes finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np

from scratchnet.datasets import xor
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import Arm, Data, each_tuned, networks, work_of
from scratchnet.demos.verdicts import Claim, counted, fact, success, successes
from scratchnet.layers import Layer, Linear, Threshold
from scratchnet.model import Model
from scratchnet.optim import Adam

CORNERS, XOR = xor()
CORNER_NAMES = ("00", "01", "10", "11")

RATES = (0.0125, 0.025, 0.05, 0.1, 0.2)
WINDOW = 1.0
"""The straight-through estimator passes gradients on where |weighted sum| is at most this."""

THRESHOLDS: dict[str, Layer] = {"straight_through": Threshold(WINDOW), "threshold": Threshold()}
NO_HIDDEN = "no hidden layer"

# A network that gives several points one output can do no better than say the share of ones among
# them. These are P(right class) at the four points, and the loss is the mean of -ln P.
PLATEAUS: dict[str, tuple[float, ...]] = {
    "four points alike": (1 / 2, 1 / 2, 1 / 2, 1 / 2),
    "three points alike": (1 / 3, 2 / 3, 2 / 3, 1),
    "two points alike": (1 / 2, 1 / 2, 1, 1),
}
PLATEAU_LOSSES = {name: -float(np.log(right).mean()) for name, right in PLATEAUS.items()}
NEAR = 0.03
SOLVED, ELSEWHERE = "solved", "elsewhere"


Kind = Literal["relu", "tanh", "gelu", "leaky_relu", "sigmoid", "straight_through", "threshold"]


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet xor`."""

    activation: tuple[Kind, ...] = option(
        ("relu", "tanh", "straight_through", "threshold"),
        "Of the hidden neurons; straight_through is a threshold trained with that estimator.",
        quick=("relu", "straight_through"),
        chooses_arms=True,
    )
    hidden: tuple[int, ...] = option(
        (2, 3, 4, 8), "Hidden neurons.", quick=(2, 8), low=1, high=1000, chooses_arms=True
    )
    epochs: int = option(1000, "Training steps.", quick=400, low=1, high=10_000_000)
    seeds: int = option(100, "Networks of each kind.", quick=50, low=1, high=10_000)


def labelings(backend: str = "auto") -> list[dict[str, Any]]:
    """The 16 labelings of the corners, each with a threshold neuron (w1, w2, b) that gives it.

    All neurons with weights in {-1, 0, 1} and biases in {±½, ±1½} are run, as one ensemble. They
    give 14 labelings, and no neuron at all gives the other two, XOR and its opposite: see `WHY`.
    """
    weights, biases = (1.0, 0.0, -1.0), (-0.5, -1.5, 0.5, 1.5)
    neurons = sorted(product(weights, weights, biases), key=lambda n: abs(n[0]) + abs(n[1]))
    values = np.array(neurons)
    model = Model(Linear(2, 1), Threshold(), ensemble=len(neurons), backend=backend)
    model.load_state_dict({"0.weight": values[:, :2, None], "0.bias": values[:, 2:, None]})
    found: dict[tuple[int, ...], tuple[float, ...]] = {}
    for neuron, labels in zip(neurons, model.classify(CORNERS).tolist(), strict=True):
        found.setdefault(tuple(labels), neuron)
    return [
        {"labels": each, "neuron": found.get(each), "right": int((np.array(each) == XOR).sum())}
        for each in product((0, 1), repeat=4)
    ]


WHY = (
    "No threshold neuron gives XOR: its weighted sums obey z(00) + z(11) = z(01) + z(10), so they "
    "cannot be below 0 on the left and at least 0 on the right."
)


def gate_network(backend: str = "auto") -> Model:
    """XOR = AND(OR, NAND): [a + b >= ½] and [-a - b >= -1½], then [OR + NAND >= 1½]."""
    model = Model(Linear(2, 2), Threshold(), Linear(2, 1), Threshold(), backend=backend)
    hidden = {"0.weight": [[1, -1], [1, -1]], "0.bias": [-0.5, 1.5]}
    state = hidden | {"2.weight": [[1], [1]], "2.bias": [-1.5]}
    model.load_state_dict({name: np.array(values) for name, values in state.items()})
    return model


def gate_signals(points: Any, backend: str = "auto") -> dict[str, Any]:
    """Which neurons of the circuit fire at points (n, 2): 0 or 1, shape (n,) each."""
    outputs = gate_network(backend).activations(points)
    return {"OR": outputs["1"][:, 0], "NAND": outputs["1"][:, 1], "AND": outputs["3"][:, 0]}


def build(s: Settings, facts: Mapping[str, Any], seeds: Sequence[int]) -> Model:
    """Networks 2-hidden-1, or single neurons, 2-1, for hidden 0. The output is a logit."""
    widths = [2, facts["hidden"], 1] if facts["hidden"] else [2, 1]
    activation = THRESHOLDS.get(facts["activation"], facts["activation"])
    return networks(s, widths, seeds, activation=activation)


def arm_name(activation: str, hidden: int) -> str:
    """Such as `straight-through, 2 hidden`."""
    return f"{activation.replace('_', '-')}, {hidden} hidden" if hidden else NO_HIDDEN


def arms(s: Settings) -> list[Arm]:
    """A neuron alone, and every activation with every width."""
    found, rates = [], (0.05,) if s.quick else RATES
    for activation, hidden in [("relu", 0), *product(s.activation, s.hidden)]:
        name, facts = arm_name(activation, hidden), {"activation": activation, "hidden": hidden}
        axes = {f"state {each}": 0 for each in build(s, facts, (0,)).state_dict()}
        more: dict[str, Any] = {"facts": facts, "work": 20 + hidden, "keep": keep, "axes": axes}
        found.append(Arm(name, partial(build, s, facts), data, Adam, rates, s.epochs, **more))
    return found


def data(seeds: Sequence[int]) -> Data:
    """XOR is four points: there are no others to validate or test on."""
    return Data(CORNERS, XOR, CORNERS, XOR, CORNERS, XOR)


def keep(model: Model, history: Any, data: Data) -> dict[str, Any]:
    """All networks' parameters."""
    return {f"state {name}": values for name, values in model.state_dict().items()}


def run(run: Run) -> None:
    """What one neuron and three can do, and what training finds."""
    run.result.extra["labelings"] = labelings(run.settings.backend)
    run.result.extra["gates"] = gate_signals(CORNERS, run.settings.backend)
    each_tuned(arms)(run)


def ended(row: Row) -> list[str]:
    """How each network of a row ended: solved, on a plateau of the loss, or elsewhere."""
    names = list(PLATEAUS)
    apart = np.abs(np.array(list(PLATEAU_LOSSES.values())) - np.asarray(row["loss"])[:, None])
    return [
        SOLVED if right == 1 else names[distance.argmin()] if distance.min() < NEAR else ELSEWHERE
        for right, distance in zip(row["train_accuracy"], apart, strict=True)
    ]


def possible(result: Result) -> list[dict[str, Any]]:
    """The labelings that a threshold neuron gives."""
    return [each for each in result.extra["labelings"] if each["neuron"] is not None]


def claims(result: Result) -> list[Claim]:
    """What one neuron and three can do; wide layers, and the straight-through estimator."""
    s, given = result.settings, possible(result)
    best = max(each["right"] for each in given)
    shown = f"{len(given)} of 16 labelings, {best} of 4 points at best"
    single = "No single threshold neuron computes XOR"
    right = int((result.extra["gates"]["AND"] == XOR).sum())
    three = "Three threshold neurons compute it, two of them hidden: AND(OR, NAND)"
    texts, rows = "a course section; a textbook chapter", ("001-007", "001-048", "002-015")
    first, low, high = s.activation[0], min(s.hidden), max(s.hidden)
    stuck = f"A wider hidden layer gets stuck more often ({low} or {high} {first})"
    page = "an interview page: wide layers are more prone to local minima"
    learn = f"Threshold neurons learn through the straight-through estimator ({low} hidden)"
    return [
        fact(single, "Minsky and Papert 1969; a course section", best < 4, shown, "001-006"),
        fact(three, texts, right == 4, f"{right} of 4 points right", *rows),
        *solving(result, stuck, page, [(first, low), (first, high)], "000-020"),
        *solving(result, learn, "Bengio et al. 2013", [(each, low) for each in THRESHOLDS]),
    ]


def solving(
    result: Result, sentence: str, source: str, pair: Sequence[tuple[str, int]], *ledger: str
) -> list[Claim]:
    """That more networks of the first of two arms solve XOR."""
    names, solved = (arm_name(*each) for each in pair), partial(success, level=1.0)
    return result.claim(sentence, source, solved, *names, measure="train_accuracy", ledger=ledger)


def answer(result: Result, verdicts: Any) -> str:
    """The most points that one neuron gets right, and how often training finds XOR."""
    first, best = result.settings.activation[0], max(each["right"] for each in possible(result))
    counts = [
        f"{successes(row['train_accuracy'], 1.0)} of {len(row.seeds)} with {row.facts['hidden']}"
        for row in result.verdict_rows()
        if row.facts["activation"] == first and row.facts["hidden"]
    ]
    return (
        f"one threshold neuron gets at most {best} of the 4 points right, three get all of them. "
        f"Networks of hidden {first} neurons that find XOR: {', '.join(counts)}."
    )


def tables(result: Result) -> list[Table]:
    """What one neuron can do, what three can, and what training found."""
    cells = [
        (
            "  ".join(map(str, each["labels"])),
            "{:+g}, {:+g}, {:+g}".format(*each["neuron"]) if each["neuron"] else "no neuron",
            f"{each['right']}/4",
        )
        for each in result.extra["labelings"]
    ]
    heading = (" ".join(CORNER_NAMES), "w1, w2, bias", "as XOR")
    labeled = [left + right for left, right in zip(cells[:8], cells[8:], strict=True)]
    signals = [map(str, map(int, values)) for values in result.extra["gates"].values()]
    gates = list(zip(CORNER_NAMES, *signals, map(str, XOR), strict=True))
    circuit = ("a b", "OR: a + b >= 0.5", "NAND: -a - b >= -1.5", "AND: OR + NAND >= 1.5", "XOR")
    rows = []
    for row in result.verdict_rows():
        ends = ended(row)
        solved = counted([end == SOLVED for end in ends], 1)
        others = (str(ends.count(name)) for name in PLATEAUS)
        rows.append((row.arm, f"{row.facts['learning_rate']:g}", solved, *others))
    losses = (f"loss\n{loss:.3f}" for loss in PLATEAU_LOSSES.values())
    title = f"Of {result.settings.seeds} networks: solved (95 % interval), or stuck at a loss"
    return [
        Table(heading * 2, labeled, "The 16 ways to label the points, and a neuron", range(6)),
        Table(circuit, gates, "Three threshold neurons"),
        Table(("arm", "rate", "solved", *losses), rows, title),
    ]


def notes(result: Result) -> list[str]:
    """Why no neuron gives XOR, where networks get stuck, and on what rates were chosen."""
    losses = [f"{loss:.3f}" for loss in PLATEAU_LOSSES.values()]
    return [
        WHY,
        f"A stuck network gives points of both classes one output: all four at loss {losses[0]}, "
        f"three at {losses[1]} (one point is wrong), two at {losses[2]} (two are undecided).",
        "These four points are all there is, so the learning rate was chosen on them too, with "
        "other initial weights.",
    ]


experiment = Experiment.of(
    __name__,
    question="Why does XOR need a hidden layer, and does training find one that does it?",
    source="Minsky and Papert (1969) for one neuron; textbooks and courses for two layers",
    look_for="what no weights can do (one neuron), and what weights can do and training misses.",
    definitions=(
        "XOR of two bits a and b is 1 where exactly one of them is 1, so it is their parity: "
        "00 → 0, 01 → 1, 10 → 1, 11 → 0.",
        "A threshold neuron outputs 1, it fires, where w1 * a + w2 * b + bias >= 0, and 0 "
        "elsewhere: a straight line with all its ones on one side.",
        "Hidden neurons stand between the inputs and the output neuron, which reads them.",
        "A threshold has the derivative 0. The straight-through estimator takes 1 instead where "
        f"the weighted sum lies within ±{WINDOW:g}.",
    ),
    memory=lambda s: 4000.0 * s.seeds * max(s.hidden),
    seconds=lambda s: work_of(arms)(s) / 5e6 + 5,
    next=(
        "scratchnet xor --activation tanh,gelu,sigmoid",
        "scratchnet xor --hidden 2,16,64",
        "scratchnet xor-tree           # parity of more than two bits",
    ),
)

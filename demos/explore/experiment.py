"""Networks of several depths and kinds on data from easy to hard, at their best rates."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from scratchnet.demos.architectures import ARCHITECTURES, Kind, build
from scratchnet.demos.data import DESCRIPTIONS, HERE, PLANE, data_of, inputs_and_outputs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import probabilities, window
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import OPTIMIZERS, RATES, TUNING_SEEDS, Arm, Data, work_of
from scratchnet.demos.verdicts import Claim, Contrast, difference, exact, success
from scratchnet.model import Model

ADAM_RATES = (*RATES["adam"], 0.04)
EPOCHS = {"linear": 50, "circles": 100, "spirals": 200, "digits": 100}
"""By Adam; gradient descent gets five times as many."""

SOLVED = 0.95
"""Test accuracy from which on a network has solved the spirals."""

TEST_POINTS, TEST_DIGITS, DIGITS = 2000, 450, 898
GRID = 120
QUICK_RATES = {"sgd": (0.4,), "adam": (0.01,)}


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet explore`."""

    datasets: tuple[Literal["linear", "circles", "spirals", "digits"], ...] = option(
        HERE, "From easy to hard; digits needs scikit-learn.", chooses_arms=True
    )
    depths: tuple[int, ...] = option(
        (1, 2, 4, 8, 16), "Hidden layers.", quick=(1, 4), low=1, high=200, chooses_arms=True
    )
    kinds: tuple[Kind, ...] = option(
        ("plain", "batch-norm", "residual", "scaled-residual", "resnet", "pre-activation"),
        "Networks on the spirals at --kinds-depth; resnet is as He et al.",
        quick=("plain", "resnet"),
        chooses_arms=True,
    )
    kinds_depth: int = option(
        8, "Their hidden layers, at least.", quick=64, low=1, high=200, chooses_arms=True
    )
    width: int = option(32, "ReLUs in each layer.", low=1, high=100_000)
    optimizer: Literal["adam", "sgd"] = option(
        "adam", "sgd is full-batch gradient descent; digits always take Adam."
    )
    epochs: int | None = option(
        None,
        "By default linear 50, circles and digits 100, spirals 200; sgd 5 times.",
        quick=40,
        low=1,
    )
    points: int = option(400, "To train on; as many for validation.", low=2, high=10_000_000)


def arm_name(dataset: str, depth: int, kind: str = "plain") -> str:
    """Such as `plain, spirals, 4 layers`."""
    return f"{ARCHITECTURES[kind].label}, {dataset}, {depth} layer{'s' * (depth > 1)}"


def arms(s: Settings) -> list[Arm]:
    """Every depth on every dataset; on the spirals the other kinds of networks as well."""
    plan = [(dataset, depth, "plain") for dataset in s.datasets for depth in sorted(s.depths)]
    if "spirals" in s.datasets:
        plan += [("spirals", s.kinds_depth, kind) for kind in s.kinds]
    return [arm(s, *each) for each in dict.fromkeys(plan)]


def arm(s: Settings, dataset: str, depth: int, kind: str) -> Arm:
    """A kind of network of one depth on one dataset."""
    optimizer = "adam" if dataset == "digits" else s.optimizer
    shape, layout = inputs_and_outputs(dataset), ARCHITECTURES[kind]
    builder = partial(build, s, kind, shape, depth)
    facts = {
        "dataset": dataset,
        "kind": kind,
        "depth": depth,
        "layers": layout.layers(depth),
        "optimizer": optimizer,
        "parameters": builder((0,)).parameter_count,
    }
    samples = DIGITS if dataset == "digits" else s.points
    return Arm(
        arm_name(dataset, depth, kind),
        builder,
        data_of(dataset, s.points, TEST_POINTS),
        OPTIMIZERS[optimizer],
        (QUICK_RATES if s.quick else {**RATES, "adam": ADAM_RATES})[optimizer],
        s.epochs or EPOCHS[dataset] * (5 if optimizer == "sgd" else 1),
        facts,
        work=samples / 400 * (layout.cost * layout.layers(depth) + 0.1 * sum(shape)),
        keep=partial(boundary, dataset),
    )


def boundary(dataset: str, model: Model, history: Any, data: Data) -> dict[str, Any]:
    """P(class 1) of the first seed's network over the window around its data."""
    if dataset not in PLANE:
        return {}
    shown = probabilities(model.network(0), window(data.X[0]), GRID)
    return {"X": data.X[0], "y": data.y, "boundary": shown}


work = work_of(arms)


def memory(s: Settings) -> float:
    """The activations and gradients of the largest ensemble, about 12 arrays of its layers."""
    networks = max(s.seeds, TUNING_SEEDS * len(ADAM_RATES))
    samples = max(s.points, DIGITS * ("digits" in s.datasets))
    layers = max(*s.depths, s.kinds_depth) + 2
    return 4.0 * networks * (12 * (samples + s.width) * layers * s.width + 3 * TEST_POINTS * 2)


EASY = {
    "linear": ("a lesson on depth: one hidden layer is enough", "003-020", "000-035"),
    "circles": ("an interview page: shallow networks suffice for simple tasks", "000-021"),
}
REGULARISERS = {
    "batch-norm": ("an interview page: it reduces overfitting", "000-012"),
    "residual": ("an interview page: skips reduce overfitting", "000-013"),
}


def claims(result: Result) -> Iterator[Claim]:
    """Easy data, spirals and digits by depth; then what the kinds of networks change."""
    s, say = result.settings, result.claim
    low, some = min(s.depths), min((each for each in s.depths if each >= 4), default=max(s.depths))
    deep, at = max(s.depths), f"At {s.kinds_depth} layers on spirals,"
    spirals, plain = partial(arm_name, "spirals"), arm_name("spirals", s.kinds_depth)
    by_points = partial(difference, test_points=TEST_POINTS)
    by_digits = partial(difference, test_points=TEST_DIGITS)
    for name, (source, *ledger) in EASY.items():
        sentence = f"On {name}, depth {low} does as well as depth {some}"
        pair = arm_name(name, some), arm_name(name, low)
        yield from say(sentence, source, by_points, *pair, ledger=(*ledger,), alike=True)
    sentence = f"On spirals, more networks of {some} layers than of {low} solve them"
    source = "textbook chapter, lab: accuracy rises with depth on spirals"
    pair, solved = (spirals(some), spirals(low)), partial(success, level=SOLVED)
    yield from say(sentence, source, solved, *pair, ledger=("002-137",))
    sentence = f"On spirals, {deep} plain layers reach a lower accuracy than {some}"
    source = "textbook chapter: accuracy drops at 16 layers, by vanishing gradients"
    pair = spirals(some), spirals(deep)
    yield from say(sentence, source, by_points, *pair, ledger=("002-049",))
    sentence = f"On digits, {some} layers reach a higher accuracy than {low}"
    source = "textbook chapter: depth is not optional for real problems"
    pair = arm_name("digits", some), arm_name("digits", low)
    yield from say(sentence, source, by_digits, *pair, ledger=("002-124",))
    for kind, (source, row) in REGULARISERS.items():
        name = ARCHITECTURES[kind].label
        sentence = f"{at} {name} makes the gap between training and test accuracy smaller"
        pair = plain, spirals(s.kinds_depth, kind)
        yield from say(sentence, source, by_points, *pair, measure=gap, ledger=(row,))
    sentence = f"{at} residual + BN reaches a higher test accuracy"
    source = "an interview page: with normalisation and skips more layers regularise"
    pair = spirals(s.kinds_depth, "resnet"), plain
    yield from say(sentence, source, by_points, *pair, ledger=("000-007",))
    sentence = f"Training {deep} layers takes longer than {low}"
    source = "an interview page: too deep leads to longer training times"
    pair, rows = (spirals(deep), spirals(low)), {"measure": lambda row: row}
    yield from say(sentence, source, longer, *pair, ledger=("000-026",), **rows)


def longer(row: Row, reference: Row) -> Contrast:
    """Whether a row's training took longer than the reference."""
    ratio = times(row, reference)
    return exact(ratio > 1.1, f"{ratio:.1f} times as long on spirals")


def gap(row: Row) -> Any:
    """Training minus test accuracy of each network."""
    return row["train_accuracy"] - row["test_accuracy"]


def times(row: Row, reference: Row) -> float:
    """How many times as long as the reference a row's training took."""
    return float(row["seconds"].mean() / reference["seconds"].mean())


def answer(result: Result, verdicts: Any) -> str:
    """The median test accuracy of each depth on each dataset."""
    parts = []
    for dataset in result.settings.datasets:
        names = [arm_name(dataset, depth) for depth in sorted(result.settings.depths)]
        rows = [result[name] for name in names if name in result]
        shown = [f"{np.nanmedian(row['test_accuracy']):.1%}" for row in rows]
        parts += [f"{dataset} {', '.join(shown)}"] if shown else []
    depths = ", ".join(map(str, sorted(result.settings.depths)))
    return f"median test accuracy at depth {depths}: {'; '.join(parts)}."


def tables(result: Result) -> Iterator[Table]:
    """A table for each dataset: depths, then the other kinds of networks."""
    headings = "network | layers | para-\nmeters | rate | train | test | worst | time"
    cells = (
        "{label} | {layers} | {parameters:,} | {learning_rate:g} | {train_accuracy:.1%} | "
        "{test_accuracy:.1%} | {least test_accuracy:.1%} | {time:.1f}"
    )
    for dataset in result.settings.datasets:
        rows = [row for row in result.verdict_rows() if row.facts["dataset"] == dataset]
        if rows:
            title = f"{dataset}: {DESCRIPTIONS[dataset]}"
            yield Table.of(
                rows,
                headings,
                cells,
                title,
                label=lambda row: ARCHITECTURES[row.facts["kind"]].label,
                time=partial(times, reference=rows[0]),
            )


def notes(result: Result) -> Iterator[str]:
    """What the columns say."""
    yield "Train and test: median accuracies. Time: of the training, relative to the first line."


experiment = Experiment.of(
    __name__,
    question="How many layers does which task need, and what do normalisation and shortcuts add?",
    source="textbooks: easy tasks need one layer, hard ones several; batch normalisation and "
    "shortcuts let deeper networks train (He et al. 2016)",
    look_for="from which depth on accuracy no longer rises on each dataset, and whether blocks "
    "that cure very deep networks change anything at a depth that trains without them.",
    seconds=lambda s: 3 + work(s) * (s.width / 32) ** 1.2 * 120e-6,
    next=(
        "scratchnet explore --datasets spirals --optimizer sgd",
        "scratchnet explore --datasets spirals --kinds-depth 16 --depths 1,16",
        "scratchnet depth-limits",
        "scratchnet probes",
    ),
)

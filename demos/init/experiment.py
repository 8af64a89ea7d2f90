"""Initial weights: signals and gradients through depth, training, and a bound on sigmoids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np

from scratchnet.datasets import spirals
from scratchnet.demos import tuning
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.init.figures import between, shaped
from scratchnet.demos.init.measures import (
    BOUND_WIDTHS,
    DEEPEST,
    RULES,
    first_gradients,
    measure,
    passed,
)
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import Arm, points, tune_all
from scratchnet.demos.verdicts import Claim, Verdict, difference, fact, success, successes
from scratchnet.optim import SGD

NARROWEST = 8
"""The halving shape goes down to so many neurons, the doubling one up from them."""

LAYERS = (2, *[32] * 8, 1)
POINTS, TEST_POINTS, TURNS, NOISE = 200, 1000, 0.75, 0.02
CHAPTER_RATE, RATES = 0.05, (0.0125, 0.05, 0.2, 0.8, 3.2)
TRAINING_WORK = 60_000.0
"""Of an epoch of a network, in the parameters that are measured in that time."""

LEARNED = 0.9
"""Test accuracy from which on a network has learned the spirals; guessing gets 0.5."""

CHAPTER, EXERCISE = "textbook chapter on depth", "exercise of a textbook chapter on depth"
SOURCES = {"relu": "He et al. 2015", "tanh": "Poole et al. 2016", "sigmoid": "Poole et al. 2016"}
Names = Literal["he", "xavier", "lecun", "fan-out", "orthogonal", "unscaled", "2xhe", "no-root"]
Activations = Literal["relu", "tanh", "sigmoid"]
Shapes = Literal["constant", "halving", "doubling"]


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet init`."""

    rules: tuple[Names, ...] = option(tuple(RULES), "For initial weights.", chooses_arms=True)
    activations: tuple[Activations, ...] = option(
        ("relu", "tanh", "sigmoid"), "Of the layers.", quick=("relu", "sigmoid")
    )
    shapes: tuple[Shapes, ...] = option(
        ("constant", "halving", "doubling"),
        "How widths change with depth.",
        quick=("constant", "halving"),
        chooses_arms=True,
    )
    width: int = option(100, "Of the constant shape.", quick=50, low=2, high=1000)
    depth: int = option(20, "Layers of the constant shape.", low=2, high=50)
    halvings: int = option(8, "Layers of the other shapes.", quick=5, low=2, high=10)
    networks: int = option(
        200, "Random networks; an eighth of other shapes.", quick=24, low=8, high=10_000
    )
    epochs: int = option(300, "Training steps.", quick=50, low=1, high=100_000)
    pairs: int = option(
        250, "Random sigmoid networks of each width.", quick=40, low=8, high=100_000
    )
    seeds: int = option(10, "Networks to train of each kind.", quick=3, low=1, high=1000)


def widths_of(s: Settings, shape: str) -> tuple[int, ...]:
    """The inputs, then the layers."""
    halving = tuple(NARROWEST * 2**each for each in range(s.halvings, -1, -1))
    shapes = {"halving": halving, "doubling": halving[::-1]}
    return shapes.get(shape, (s.width,) * (s.depth + 1))


def networks_of(s: Settings, shape: str) -> int:
    """How many random networks of a shape are measured."""
    return s.networks if shape == "constant" else s.networks // 8


def trained_name(rule: str, activation: str, best: bool = True) -> str:
    """Such as `relu: he`, or `relu: he, rate 0.05` at the chapter's rate."""
    return f"{activation}: {rule}" + f", rate {CHAPTER_RATE}" * (not best)


def arms(s: Settings) -> Iterator[Arm]:
    """Every rule with every activation, at the chapter's rate and at its best."""
    for activation, best, rule in product(s.activations, range(1 if s.quick else 2), s.rules):
        init = RULES[rule].initializer
        yield Arm(
            trained_name(rule, activation, bool(best)),
            partial(tuning.networks, s, LAYERS, activation=activation, init=init),
            points(lambda n, generator: spirals(n, TURNS, NOISE, generator), POINTS, TEST_POINTS),
            SGD,
            RATES if best else (CHAPTER_RATE,),
            s.epochs,
            {"rule": rule, "activation": activation},
            work=TRAINING_WORK,
            keep=lambda model, history, data: {
                "nan_epochs": np.array([each.epoch + 1 for each in history.diverged], int)
            },
            axes={"nan_epochs": 0},
        )


def measured(s: Settings) -> Iterator[tuple[str, str, str, float]]:
    """Name, shape, rule and work of each part of the measurements."""
    for shape, rule in product(s.shapes, s.rules):
        size = sum((a + 1) * b for a, b in pairwise(widths_of(s, shape)))
        yield (
            f"{shape} widths: {rule}",
            shape,
            rule,
            networks_of(s, shape) * size * len(s.activations),
        )


def run(run: Run) -> None:
    """Mean squares, training, and the bound."""
    s = run.settings
    for name, shape, rule, work in measured(s):
        widths, seeds = widths_of(s, shape), range(s.seed, s.seed + networks_of(s, shape))
        facts = {"rule": rule, "shape": shape, "widths": widths}
        run.row(name, facts, tuple(seeds), partial(measure, s, rule, widths, seeds), work)
    tune_all(run, list(arms(s)))
    seeds = range(s.seed, s.seed + s.pairs)
    for width in BOUND_WIDTHS if "sigmoid" in s.activations else ():
        compute = partial(first_gradients, s, width, seeds)
        work = s.pairs * width**2 * DEEPEST
        run.row(f"sigmoid, {width} wide", {"width": width}, tuple(seeds), compute, work)


def work(s: Settings) -> float:
    """In parameters of networks that are measured."""
    bounds = sum(s.pairs * width**2 * DEEPEST for width in BOUND_WIDTHS)
    return bounds + sum(work for *_, work in measured(s)) + tuning.work_of(arms)(s)


def multiples(row: Row, activation: str, name: str) -> Any:
    """Mean squares (networks, layers) in multiples of the formula, `forward` or `backward`."""
    return row.arrays[f"{activation} {name}"] / row.arrays[f"{activation} {name} formula"]


def patterns(result: Result, shape: str, activation: str) -> dict[str, str]:
    """For each rule the first one whose networks are the same but for the scale of each layer.

    Rules draw from the same random numbers. Where a rule only scales a layer's weights, a ReLU
    network stays as it is in multiples of the formula: such rules are one observation, not many.
    """
    found: dict[str, tuple[str, Any]] = {}
    for row in shaped(result, shape):
        own = [multiples(row, activation, name) for name in ("forward", "backward")]
        same = (rule for rule, each in found.values() if np.allclose(own, each, 1e-6, 0))
        found[row.facts["rule"]] = next(same, row.facts["rule"]), own
    return {rule: first for rule, (first, _) in found.items()}


def claims(result: Result) -> list[Claim]:
    """Of what is trained, of the formulas, and of the bounds."""
    return [*training_claims(result), *formula_claims(result), *bound_claims(result)]


def training_claims(result: Result) -> Iterator[Claim]:
    """What becomes NaN at the chapter's rate, and who learns at the best."""
    lost: Any = {"measure": lambda row: np.isnan(row["loss"]).astype(float)}
    arm, all_are = trained_name("fan-out", "relu", best=False), partial(success, second=1, level=1)
    says = "Fan-out instead of fan-in gives NaN at depth 8 (ReLU, equal widths)"
    yield from result.claim(says, CHAPTER, all_are, arm, ledger=("002-112",), **lost)
    he, lecun, no_root = (trained_name(rule, "relu") for rule in ("he", "lecun", "no-root"))
    says = "With the root forgotten fewer ReLU networks learn than with He's weights"
    source = "interview page: deep networks underfit through bad initialisation"
    learn = partial(success, level=LEARNED)
    yield from result.claim(says, source, learn, he, no_root, ledger=("000-031",))
    gap: Any = {"measure": lambda row: row["train_accuracy"] - row["test_accuracy"]}
    says = "Training minus test accuracy is smaller with He's weights than with LeCun's (ReLU)"
    source = "interview page: He or Xavier initialisation reduces overfitting"
    yield from result.claim(says, source, difference, lecun, he, ledger=("000-014",), **gap)


def formula_claims(result: Result) -> Iterator[Claim]:
    """The recursions after a few layers, and what fan-out does in two shapes."""
    rows = {(row.facts.get("shape"), row.facts.get("rule")): row for row in result.verdict_rows()}
    activations = result.settings.activations
    if he := rows.get(("constant", "he")):
        layer = min(3, len(he.facts["widths"]) - 1)
        for activation in activations:
            relative = multiples(he, activation, "forward")[:, layer - 1]
            says = f"{activation}, layer {layer}: mean squares are those of the recursion"
            contrast = difference(relative, 1.0, unit="of the formula")
            yield Claim(says, SOURCES[activation], contrast, margin=0.1, alike=True)
    for shape, ledger in (("constant", ("002-113",)), ("halving", ("002-113", "000-041"))):
        row = rows.get((shape, "fan-out"))
        if row and "relu" in activations:
            layers = len(row.facts["widths"]) - 1
            # Behind a ReLU half of the mean square of z is left.
            formula = row.arrays["relu forward formula"][-1] / 2
            median = np.median(row.arrays["relu forward"][:, -1]) / 2
            shown = f"× {formula:.4g} by formula, × {median:.3g} in the median network"
            says = f"Fan-out doubles the variance in each of {layers} layers, {shape} widths"
            yield fact(says, CHAPTER, np.isclose(formula, 2.0**layers), shown, *ledger)


def bound_claims(result: Result) -> Iterator[Claim]:
    """Spectral radii, and the two bounds on first gradients."""
    first, second = np.array([[0.0, 10], [0, 0]]), np.array([[0.0, 0], [10, 0]])
    radius = max(abs(np.linalg.eigvals(first @ second)))
    shown = f"[[0,10],[0,0]] [[0,0],[10,0]] with radii 0 and 0 has radius {radius:g}"
    says = "A product of factors with spectral radius below 1 vanishes"
    yield fact(says, CHAPTER, radius < 1, shown, "002-052")
    if rows := [row for row in result.verdict_rows() if "exercise" in row.measures]:
        n = sum(len(row.seeds) for row in rows)
        above, wrong = (
            sum(passed(row, name).sum() for row in rows) for name in ("bound", "exercise")
        )
        says = "|dL/dW_1| <= (1/4)^L |W_2| ... |W_L| |x| |dL/da_L| in L sigmoid layers"
        shown, source = f"passed by {above} of {n:,} random networks", "theorem, from sigma' <= 1/4"
        yield fact(says, source, above == 0, shown, "001-029")
        says = "|dL/dW_1| <= (w/4)^(L-1) |W_2| ... |W_L| |dL/da_L|, w neurons per layer"
        shown = f"passed by {wrong} of {n:,}: {where_passed(rows)}"
        yield fact(says, EXERCISE, False, shown, "002-145", fails=wrong)


def where_passed(rows: Sequence[Row]) -> str:
    """How often the exercise's form fails in one layer, and in several narrow or wide ones."""
    widths = np.concatenate([np.full(len(row.seeds), row.facts["width"]) for row in rows])
    shallow = np.concatenate([row["depth"] for row in rows]) == 1
    above = np.concatenate([passed(row, "exercise") for row in rows])
    groups = {
        "one layer": shallow,
        "several layers of 1 to 3": ~shallow & (widths <= 3),
        "several of 4 to 64": ~shallow & (widths > 3),
    }
    counts = (f"{above[some].sum()} of {some.sum():,} with {name}" for name, some in groups.items())
    return ", ".join(counts)


def answer(result: Result, verdicts: Sequence[Verdict]) -> str:
    """How many ReLU networks learn with each rule."""
    best = any(trained_name(rule, "relu") in result for rule in result.settings.rules)
    names = {rule: trained_name(rule, "relu", best) for rule in result.settings.rules}
    counts = [
        f"{rule} {successes(result[name]['test_accuracy'], LEARNED)}"
        for rule, name in names.items()
        if name in result
    ]
    when = "its best learning rate" if best else f"the chapter's learning rate of {CHAPTER_RATE}"
    return f"of {result.settings.seeds} deep ReLU networks learn, at {when}: {', '.join(counts)}."


def tables(result: Result) -> Iterator[Table]:
    """Mean squares of each shape, and how many networks learn."""
    s = result.settings
    for shape in s.shapes:
        for activation in s.activations if shape == "constant" else s.activations[:1]:
            if shaped(result, shape):
                yield mean_square_table(result, shape, activation)
    for best, when in ((False, f"the chapter's rate, {CHAPTER_RATE}"), (True, "their best rates")):
        names = [[trained_name(rule, each, best) for each in s.activations] for rule in s.rules]
        lines = [
            (rule, *(outcome(result, each) for each in line))
            for rule, line in zip(s.rules, names, strict=True)
        ]
        if any(name in result for line in names for name in line):
            title = f"Of {s.seeds} networks of 8 layers, how many learn spirals at {when}"
            yield Table(("rule", *s.activations), lines, title)


def mean_square_table(result: Result, shape: str, activation: str) -> Table:
    """At the last layer forward and the first backward: the formula, and multiples of it."""
    rows, same, lines = shaped(result, shape), patterns(result, shape, activation), []
    for row in rows:
        rule, cells = row.facts["rule"], []
        for name, layer in (("forward", -1), ("backward", 0)):
            low, high = np.quantile(multiples(row, activation, name)[:, layer], [0.1, 0.9])
            cells.append(f"{row.arrays[f'{activation} {name} formula'][layer]:.2g}")
            cells.append(f"{low:.2g}-{high:.2g}" if same[rule] == rule else f"as {same[rule]}")
        lines.append((rule, RULES[rule].formula, *cells))
    widths, different = rows[0].facts["widths"], len(set(same.values()))
    title = (
        f"{activation}, {len(widths) - 1} layers, {between(widths)} wide: mean squares "
        "forward at the last layer, backward at the first, and the middle 80 % of "
        f"{len(rows[0].seeds)} networks in multiples (×) of that; {different} different rules"
    )
    return Table(("rule", "variance", "forward", "× ", "backward", "×"), lines, title, words=(0, 1))


def outcome(result: Result, name: str) -> str:
    """Such as `10 at 0.2` or `0, 10 NaN from epoch 3`."""
    if name not in result:
        return ""
    row = result[name]
    epochs = row.arrays["nan_epochs"]
    rate = "" if "rate" in name else f" at {row.facts['learning_rate']:g}"
    gone = f", {len(epochs)} NaN from epoch {epochs.min()}" if len(epochs) else ""
    return f"{successes(row['test_accuracy'], LEARNED)}{rate}{gone}"


experiment = Experiment.of(
    __name__,
    question="How large must initial weights be, and what happens otherwise?",
    source="He et al. 2015 and Poole et al. 2016 on mean squares; a textbook chapter on depth on "
    "NaN, its exercise on vanishing gradients; an interview page on underfitting and overfitting",
    look_for="which rules keep the size of signals and gradients, which of them train at the "
    "chapter's learning rate and which at their own, and where the exercise's bound fails.",
    memory=lambda s: 8.0 * 6 * max(6e6, 2e4 * s.seeds, 8 * s.pairs * 64**2 / DEEPEST),
    seconds=lambda s: 2 + work(s) * 6e-9,
    next=(
        "scratchnet init --rules he,fan-out --shapes halving --networks 800",
        "scratchnet init --activations relu --depth 40",
        "scratchnet init --width 400 --activations tanh,sigmoid --shapes constant",
    ),
)

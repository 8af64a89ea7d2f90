"""Initial weights: signals and gradients through depth, training, and a bound on sigmoids.

Eight rules for initial weights. First the mean squares of signals and gradients in random networks
of three shapes, beside their formulas. Then training, at the one learning rate of a textbook
chapter, which says what becomes NaN, and at the best rate of each rule. Last the first gradient of
sigmoid networks, beside a theorem and beside an exercise's form of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.datasets import spirals
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.init.figures import between, drawings
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
from scratchnet.demos.tuning import Arm, points, tuned
from scratchnet.demos.verdicts import Claim, Verdict, difference, exact, success, successes
from scratchnet.model import Model, mlp
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
        200, "Random networks; an eighth of other shapes.", quick=40, low=8, high=10_000
    )
    epochs: int = option(300, "Training steps.", quick=70, low=1, high=100_000)
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
    return s.networks if shape == "constant" else s.networks // 8


def trained_name(rule: str, activation: str, best: bool = True) -> str:
    return f"{activation}: {rule}" + f", rate {CHAPTER_RATE}" * (not best)


def arms(s: Settings) -> list[Arm]:
    """Every rule with every activation, at the chapter's rate and at its best."""
    both = [False] if s.quick else [False, True]
    return [arm(s, *each) for each in product(s.activations, both, s.rules)]


def arm(s: Settings, activation: str, best: bool, rule: str) -> Arm:
    def build(seeds: Sequence[int]) -> Model:
        backend, init = get_backend(s.backend, s.precision), RULES[rule].initializer
        return mlp(LAYERS, activation, init, seed=list(seeds), ensemble=len(seeds), backend=backend)

    def keep(model: Model, history: Any, data: Any) -> dict[str, Any]:
        return {"nan_epochs": np.array([each.epoch + 1 for each in history.diverged], int)}

    return Arm(
        trained_name(rule, activation, best),
        build,
        points(lambda n, generator: spirals(n, TURNS, NOISE, generator), POINTS, TEST_POINTS),
        SGD,
        RATES if best else (CHAPTER_RATE,),
        s.epochs,
        {"rule": rule, "activation": activation},
        work=TRAINING_WORK,
        keep=keep,
    )


def measured(s: Settings) -> Iterator[tuple[str, str, str, float]]:
    """Name, shape, rule and work of each part of the measurements."""
    for shape in s.shapes:
        widths = widths_of(s, shape)
        size = sum((a + 1) * b for a, b in pairwise(widths))
        for rule in s.rules:
            work = networks_of(s, shape) * size * len(s.activations)
            yield f"{shape} widths: {rule}", shape, rule, work


def run(run: Run) -> None:
    """Mean squares, training, and the bound."""
    s = run.settings
    for name, shape, rule, work in measured(s):
        widths, seeds = widths_of(s, shape), range(s.seed, s.seed + networks_of(s, shape))
        facts = {"rule": rule, "shape": shape, "widths": widths}
        run.row(name, facts, tuple(seeds), partial(measure, s, rule, widths, seeds), work)
    for each in arms(s):
        tuned(run, each)
    if "sigmoid" in s.activations:
        seeds = range(s.seed, s.seed + s.pairs)
        for width in BOUND_WIDTHS:
            compute = partial(first_gradients, s, width, seeds)
            work = s.pairs * width**2 * DEEPEST
            run.row(f"sigmoid, {width} wide", {"width": width}, tuple(seeds), compute, work)


def work(s: Settings) -> float:
    bounds = sum(s.pairs * width**2 * DEEPEST for width in BOUND_WIDTHS)
    measurements = sum(work for *_, work in measured(s))
    return measurements + bounds + sum(each.total_work(s.seeds) for each in arms(s))


def seconds(s: Settings) -> float:
    return 2 + work(s) * 6e-9


def patterns(result: Result, shape: str, activation: str) -> dict[str, str]:
    """For each rule the first one whose networks are the same but for the scale of each layer.

    Rules draw from the same random numbers. Where a rule only scales a layer's weights, a ReLU
    network stays as it is in multiples of the formula: such rules are one observation, not many.
    """
    found: dict[str, tuple[str, Any]] = {}
    for row in shaped(result, shape):
        own = [row[f"{activation} forward"], row[f"{activation} backward"]]
        same = (rule for rule, each in found.values() if np.allclose(own, each, 1e-6, 0))
        found[row.facts["rule"]] = next(same, row.facts["rule"]), own
    return {rule: first for rule, (first, _) in found.items()}


def shaped(result: Result, shape: str) -> list[Row]:
    return [row for row in result.verdict_rows() if row.facts.get("shape") == shape]


def bound_rows(result: Result) -> list[Row]:
    return [row for row in result.verdict_rows() if "exercise" in row.measures]


def claims(result: Result) -> list[Claim]:
    return [*training_claims(result), *formula_claims(result), *bound_claims(result)]


def training_claims(result: Result) -> Iterator[Claim]:
    fan_out = trained_name("fan-out", "relu", best=False)
    if fan_out in result:
        gone = np.isnan(result[fan_out]["loss"]).astype(float)
        says = "Fan-out instead of fan-in gives NaN at depth 8 (ReLU, equal widths)"
        yield Claim(says, CHAPTER, success(gone, 1.0, 1.0), ledger=("002-112",))
    he, lecun, no_root = (trained_name(rule, "relu") for rule in ("he", "lecun", "no-root"))
    page = "interview page: deep networks underfit through bad initialisation"
    if he in result and no_root in result:
        says = "With the root forgotten fewer ReLU networks learn than with He's weights"
        contrast = success(result[he]["test_accuracy"], result[no_root]["test_accuracy"], LEARNED)
        why = result.untested(he, no_root)
        yield Claim(says, page, contrast, untested=why, ledger=("000-031",))
    page = "interview page: He or Xavier initialisation reduces overfitting"
    if he in result and lecun in result:
        says = "Training minus test accuracy is smaller with He's weights than with LeCun's (ReLU)"
        gaps = [result[arm]["train_accuracy"] - result[arm]["test_accuracy"] for arm in (lecun, he)]
        why = result.untested(he, lecun)
        yield Claim(says, page, difference(*gaps), untested=why, ledger=("000-014",))


def formula_claims(result: Result) -> Iterator[Claim]:
    """The recursions after a few layers, and what fan-out does in two shapes."""
    for row in shaped(result, "constant"):
        for activation in result.settings.activations if row.facts["rule"] == "he" else ():
            layer = min(3, len(row.facts["widths"]) - 1)
            formula = row.arrays[f"{activation} forward formula"]
            relative = (row.arrays[f"{activation} forward"] / formula)[:, layer - 1]
            says = f"{activation}, layer {layer}: mean squares are those of the recursion"
            contrast = difference(relative, 1.0, unit="of the formula")
            yield Claim(says, SOURCES[activation], contrast, margin=0.1, alike=True)
    for shape, ledger in (("constant", ("002-113",)), ("halving", ("002-113", "000-041"))):
        for row in shaped(result, shape):
            if row.facts["rule"] == "fan-out" and "relu" in result.settings.activations:
                layers = len(row.facts["widths"]) - 1
                # Behind a ReLU half of the mean square of z is left.
                formula = row.arrays["relu forward formula"][-1] / 2
                median = np.median(row.arrays["relu forward"][:, -1]) / 2
                shown = f"× {formula:.4g} by formula, × {median:.3g} in the median network"
                says = f"Fan-out doubles the variance in each of {layers} layers, {shape} widths"
                holds = bool(np.isclose(formula, 2.0**layers))
                yield Claim(says, CHAPTER, exact(holds, shown), ledger=ledger)


def bound_claims(result: Result) -> Iterator[Claim]:
    first, second = np.array([[0.0, 10], [0, 0]]), np.array([[0.0, 0], [10, 0]])
    radius = max(abs(np.linalg.eigvals(first @ second)))
    shown = f"[[0,10],[0,0]] [[0,0],[10,0]] with radii 0 and 0 has radius {radius:g}"
    says = "A product of factors with spectral radius below 1 vanishes"
    yield Claim(says, CHAPTER, exact(bool(radius < 1), shown), ledger=("002-052",))
    if rows := bound_rows(result):
        above, n = sum(passed(row, "bound") for row in rows), sum(len(row.seeds) for row in rows)
        says = "|dL/dW_1| <= (1/4)^L |W_2| ... |W_L| |x| |dL/da_L| in L sigmoid layers"
        contrast = exact(above == 0, f"passed by {above} of {n:,} random networks")
        yield Claim(says, "theorem, from sigma' <= 1/4", contrast, ledger=("001-029",))
        above = sum(passed(row, "exercise") for row in rows)
        says = "|dL/dW_1| <= (w/4)^(L-1) |W_2| ... |W_L| |dL/da_L|, w neurons per layer"
        contrast = exact(above == 0, f"passed by {above} of {n:,}: {where_passed(rows)}")
        yield Claim(says, EXERCISE, contrast, ledger=("002-145",))


def where_passed(rows: Sequence[Row]) -> str:
    """How often the exercise's form fails in one layer, and in several narrow or wide ones."""
    parts = []
    for name, low, high, shallow in (
        ("one layer", 1, 64, True),
        ("several layers of 1 to 3", 1, 3, False),
        ("several of 4 to 64", 4, 64, False),
    ):
        some = [row for row in rows if low <= row.facts["width"] <= high]
        counts = [np.sum((row["depth"] == 1) == shallow) for row in some]
        above = [passed(row, "exercise", (row["depth"] == 1) == shallow) for row in some]
        parts.append(f"{sum(above)} of {sum(counts):,} with {name}")
    return ", ".join(parts)


def answer(result: Result, verdicts: Sequence[Verdict]) -> str:
    """How many ReLU networks learn with each rule."""
    lines = []
    for best, when in ((False, f"at the chapter's rate of {CHAPTER_RATE}"), (True, "at its best")):
        names = {rule: trained_name(rule, "relu", best) for rule in result.settings.rules}
        counts = [
            f"{rule} {successes(result[name]['test_accuracy'], LEARNED)}"
            for rule, name in names.items()
            if name in result
        ]
        lines += [f"{when}: {', '.join(counts)}"] if counts else []
    several = f"Of {result.settings.seeds} ReLU networks of 8 layers, with each rule, learn "
    return f"{several}{'; '.join(lines)}." if lines else ""


def tables(result: Result) -> Iterator[Table]:
    s = result.settings
    for shape in s.shapes:
        for activation in s.activations if shape == "constant" else s.activations[:1]:
            if shaped(result, shape):
                yield mean_square_table(result, shape, activation)
    for best, when in ((False, f"the chapter's rate, {CHAPTER_RATE}"), (True, "their best rates")):
        lines = [
            (rule, *(outcome(result, trained_name(rule, each, best)) for each in s.activations))
            for rule in s.rules
        ]
        if any(cell for line in lines for cell in line[1:]):
            title = f"Of {s.seeds} networks of 8 layers, how many learn spirals at {when}"
            yield Table(("rule", *s.activations), lines, title)
    bounds = [
        (f"{row.facts['width']}", f"{len(row.seeds):,}")
        + tuple(f"{passed(row, name):,}" for name in ("bound", "exercise"))
        for row in bound_rows(result)
    ]
    if bounds:
        heads = ["neurons", "networks", "pass the theorem", "pass the exercise's"]
        title = "First gradients of 1 to 8 sigmoid layers that are above the two bounds"
        yield Table(heads, bounds, title)


def mean_square_table(result: Result, shape: str, activation: str) -> Table:
    rows, same, lines = shaped(result, shape), patterns(result, shape, activation), []
    for row in rows:
        rule, cells = row.facts["rule"], []
        for name, layer in (("forward", -1), ("backward", 0)):
            low, high = np.quantile(row[f"{activation} {name}"], [0.1, 0.9])
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
    """Such as `10 at 0.2` or `0, 10 NaN`."""
    if name not in result:
        return ""
    row = result[name]
    gone = int(np.isnan(row["loss"]).sum())
    rate = "" if "rate" in name else f" at {row.facts['learning_rate']:g}"
    return f"{successes(row['test_accuracy'], LEARNED)}{rate}" + f", {gone} NaN" * (gone > 0)


def notes(result: Result) -> list[str]:
    """When networks became NaN."""
    found = {row.arm: row.arrays.get("nan_epochs", np.empty(0)) for row in result.verdict_rows()}
    return [
        f"{arm}: {len(epochs)} NaN, at epochs {epochs.min()} to {epochs.max()}."
        for arm, epochs in found.items()
        if len(epochs)
    ]


experiment = Experiment(
    "init",
    question="How large must initial weights be, and what happens otherwise?",
    source="He et al. 2015 and Poole et al. 2016 on mean squares; a textbook chapter on depth on "
    "NaN, its exercise on vanishing gradients; an interview page on underfitting and overfitting",
    look_for="which rules keep the size of signals and gradients, which of them train at the "
    "chapter's learning rate and which at their own, and where the exercise's bound fails.",
    settings=Settings,
    run=run,
    claims=claims,
    tables=lambda result: list(tables(result)),
    figures=drawings,
    answer=answer,
    notes=notes,
    work=work,
    memory=lambda s: 8.0 * 6 * max(6e6, 2e4 * s.seeds, 8 * s.pairs * 64**2 / DEEPEST),
    seconds=seconds,
    next=(
        "scratchnet init --rules he,fan-out --shapes halving --networks 800",
        "scratchnet init --activations relu --depth 40",
        "scratchnet init --width 400 --activations tanh,sigmoid --shapes constant",
    ),
)

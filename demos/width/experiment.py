"""The same number of parameters as one wide layer or as several narrow ones, target by target."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos import tuning
from scratchnet.demos.experiment import QUICK_REASON, Experiment, Table
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import OPTIMIZERS, TUNING_SEEDS, Arm, Data, mean_scores, stream
from scratchnet.demos.verdicts import Claim, Verdict, difference, judge, ratio
from scratchnet.demos.width.figures import drawings
from scratchnet.depth.budget import width_for_budget
from scratchnet.depth.regions import Line, line_regions
from scratchnet.depth.targets import INTERVAL, Target, get_target, sparse
from scratchnet.model import Model

RATES = {"adam": (0.002, 0.005, 0.0125, 0.03, 0.08), "sgd": (0.004, 0.016, 0.064, 0.256, 1.024)}
"""A wide layer takes only small steps of gradient descent on squared errors."""

SOLVED = 1e-3
"""Of a target's variance: smaller errors count as so much, since they all solve it."""

LOW = 1e-2
"""Of a target's variance: the training loss that the course section's networks race to."""

SPARSE = {"no hidden layer": (), "8 wide": (8,), "64 wide": (64,), "3 layers of 64": (64,) * 3}
PYRAMIDS = ("oscillating", "parity")
BIASES = ("nested_sine",)
SECTION, SECTION_BUDGET, SECTION_STEPS = ("nested_sine", "sin_plus_cos"), 2500, 1000
SHALLOW, DEEP = "1 layer", "4 layers"

COURSE, LESSON = "course section on width", "lesson on width"
COMPLEX = ("000-003", "001-017", "003-005", "003-028", "002-050", "002-156")
GRID: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "nested_sine": ("depth", f"{COURSE}: nested functions need depth", ("001-045",)),
    "sin_plus_cos": ("width", f"{COURSE}: width wins on flat functions", ("001-018",)),
    "linear": ("width", f"{COURSE}: width wins on flat functions", ("001-018",)),
    "cubic": ("width", f"{COURSE}: width wins on flat functions", ("001-018",)),
    "oscillating": ("depth", f"{COURSE}: at equal size, deep beats wide", COMPLEX),
    "radial": ("depth", "rule of thumb after Eldan and Shamir 2016, whose d is large", COMPLEX),
    "parity": ("depth", "textbook chapter on depth: parity needs depth", COMPLEX),
}
"""Of each target: what its source says wins, the source, and rows of the ledger."""

SAMPLES = dict.fromkeys(GRID, (200, 1000)) | {
    "radial": (600, 2000),
    "parity": (1024, 1024),
    "sparse": (256, 1000),
}
"""To train on, and as many to choose the rate on; and to test on."""

Name = Literal[
    "nested_sine", "sin_plus_cos", "linear", "cubic", "oscillating", "radial", "parity", "sparse"
]


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet width`."""

    compare: tuple[Literal["depth", "biases", "pyramid", "section"], ...] = option(
        ("depth", "biases", "pyramid"), "Questions to ask.", quick=("depth",), chooses_arms=True
    )
    targets: tuple[Name, ...] = option(
        (*GRID, "sparse"),
        "Functions to learn.",
        quick=("nested_sine", "oscillating", "parity", "sparse"),
        chooses_arms=True,
    )
    depths: tuple[int, ...] = option(
        (1, 2, 4, 8),
        "Hidden layers; radial takes 1 and 2.",
        quick=(1, 4),
        low=1,
        high=100,
        chooses_arms=True,
    )
    budget: int = option(
        500, "Parameters of every network, within half a unit of width.", low=1, high=10**6
    )
    features: int = option(2000, "Inputs of sparse.", low=10, high=100_000)
    optimizer: Literal["adam", "sgd"] = option("adam", "sgd is full-batch gradient descent.")
    bias_init: Literal["uniform", "zeros"] = option(
        "uniform", "Initial biases: within 1 / sqrt(fan_in), or 0."
    )
    steps: int = option(500, "Training steps; sparse takes a tenth.", quick=100, low=10, high=10**7)
    seeds: int = option(15, "Networks of each arm.", quick=3, low=1, high=10_000)


def layers(depth: int) -> str:
    """Such as `1 layer` or `4 layers`."""
    return f"{depth} layer{'s' * (depth > 1)}"


def target_of(s: Settings, name: str) -> Target:
    """The function of that name; the number of inputs of `sparse` is a setting."""
    return sparse(s.features) if name == "sparse" else get_target(name)


def parameters(sizes: Sequence[int]) -> int:
    """Weights and biases of layers between these sizes."""
    return sum((a + 1) * b for a, b in pairwise(sizes))


def pyramid(budget: int, depth: int, inputs: int) -> tuple[int, ...]:
    """Widths that halve from layer to layer, with about so many parameters."""
    tops = range(1, 2 * math.isqrt(budget) + 2)
    shapes = [tuple(max(1, round(top / 2**i)) for i in range(depth)) for top in tops]
    return min(shapes, key=lambda widths: abs(parameters((inputs, *widths, 1)) - budget))


def shapes(s: Settings, name: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Of each arm of a target: hidden widths, and the initialiser of biases."""
    if name == "sparse":
        wanted = SPARSE if "depth" in s.compare else {}
        return {label: (widths, s.bias_init) for label, widths in wanted.items()}
    inputs = get_target(name).inputs
    found = {}

    def equal(depth: int, label: str = "", bias: str = s.bias_init, budget: int = s.budget) -> None:
        widths = (width_for_budget(budget, depth, inputs),) * depth
        found[label or layers(depth)] = widths, bias

    if "depth" in s.compare:
        for depth in (1, 2) if name == "radial" else sorted(s.depths):
            equal(depth)
    if "pyramid" in s.compare and name in PYRAMIDS:
        equal(4)
        found["pyramid"] = pyramid(s.budget, 4, inputs), s.bias_init
    for bias, depth in product(("uniform", "zeros"), (1, 4)):
        word = bias.removesuffix("s")
        if "biases" in s.compare and name in BIASES:
            equal(depth, layers(depth) + f", {word} biases" * (bias != s.bias_init), bias)
        if "section" in s.compare and name in SECTION:
            equal(depth, f"section, {layers(depth)}, {word} biases", bias, SECTION_BUDGET)
    return found


def arms(s: Settings) -> list[Arm]:
    """Every shape on every target."""
    return [
        arm(s, name, label, *shape)
        for name in s.targets
        for label, shape in shapes(s, name).items()
    ]


def arm(s: Settings, name: str, label: str, widths: tuple[int, ...], bias: str) -> Arm:
    """One shape on one target."""
    target = target_of(s, name)
    sizes = (target.inputs, *widths, 1)
    size, train = parameters(sizes), SAMPLES[name][0]
    steps = SECTION_STEPS if "section" in label else s.steps // (10 if name == "sparse" else 1)
    facts = {"target": name, "shape": label, "widths": widths, "parameters": size}
    return Arm(
        f"{name}: {label}",
        partial(tuning.networks, s, sizes, bias_init=bias),
        partial(data, target),
        tuning.decaying(OPTIMIZERS[s.optimizer], steps),
        RATES[s.optimizer][3:4] if s.quick else RATES[s.optimizer],
        steps,
        facts | {"bias_init": bias},
        work=train * (size / 20 + 3 * sum(widths) + target.inputs / 2) + 8000 * len(widths),
        keep=keep if target.inputs == 1 else None,
        axes={"pieces": 0, "steps_to_low": 0},
        train=train_in_fives,
    )


def data(target: Target, seeds: Sequence[int]) -> Data:
    """Samples for each seed: curves with mean 0 and variance 1, else whether f is above 0."""
    is_curve = target.inputs == 1
    reference = target.function(target.sample(1024 if is_curve else 1, np.random.default_rng(0)))

    def drawn(n: int, generator: np.random.Generator) -> tuple[Any, Any]:
        """n points and their targets: standardised values of a curve, else whether f is above 0."""
        X = target.sample(n, generator)
        f = target.function(X)
        y = (f - reference.mean()) / reference.std() if is_curve else f > 0
        return X.astype(np.float32), y.astype(np.float32)

    def split(n: int, use: int) -> tuple[Any, Any]:
        X, y = zip(*(drawn(n, stream(seed, use)) for seed in seeds), strict=True)
        return np.stack(X), np.stack(y)[..., None]

    train, test = SAMPLES[target.name]
    loss = "mean_squared_error" if is_curve else "binary_cross_entropy"
    return Data(
        *split(train, tuning.TRAINING),
        *split(train, tuning.VALIDATION),
        *split(test, tuning.TEST),
        loss,
    )


def keep(model: Model, history: Any, data: Data) -> dict[str, Any]:
    """Of each network: linear pieces on the interval, and steps until the loss was low."""
    line = Line([0.0], [1.0], (-INTERVAL, INTERVAL))
    low, finite = history.loss <= LOW, np.isfinite(history.loss[-1])
    pieces = [
        line_regions(model, line, i).linear_count if known else math.nan
        for i, known in enumerate(finite)
    ]
    steps = np.where(low.any(axis=0), low.argmax(axis=0) + 1, history.epochs)
    return {"pieces": np.array(pieces, float), "steps_to_low": steps.astype(float)}


def train_in_fives(
    arm: Arm, seeds: tuple[int, ...], rates: tuple[float, ...], *how: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`train_networks` with as many networks at once as there are tuning seeds.

    The numbers are the same; so few fit into a processor's cache. What is kept are measures.
    """
    parts = []
    for start in range(0, len(seeds), TUNING_SEEDS):
        some = slice(start, start + TUNING_SEEDS)
        measures, kept = tuning.train_networks(arm, seeds[some], rates[some], *how)
        parts.append(measures | kept)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, {}


def check(s: Settings) -> None:
    """Raise `InputError` for a budget that is too small, or nothing to compare."""
    if len(s.depths) < 2 and "depth" in s.compare:
        raise InputError(f"--depths {s.depths[0]}: must be two or more, which are compared")
    if not arms(s):
        about = f"pyramid {PYRAMIDS}, biases {BIASES}, section {SECTION}"
        raise InputError(f"--targets {s.targets}: must have one of those of --compare: {about}")


def memory(s: Settings) -> float:
    """Of five networks: samples, activations, and Adam's arrays."""

    def numbers(arm: Arm) -> float:
        """The numbers that one network of the arm keeps in memory."""
        name, neurons = arm.facts["target"], sum(arm.facts["widths"])
        samples = sum(SAMPLES[name]) * (3 * target_of(s, name).inputs + 8 * neurons)
        return 5.0 * arm.facts["parameters"] + samples

    return 4.0 * TUNING_SEEDS * max(map(numbers, arms(s)))


def compared(
    result: Result,
    sentence: str,
    source: str,
    *arms: str,
    measure: str = "",
    floor: float = 0.0,
    **more: Any,
) -> list[Claim]:
    """The claim that the first arm is better: less of the measure, or a higher accuracy."""
    name = arms[0].partition(":")[0]
    if not measure and name in ("radial", "parity", "sparse"):
        points = None if name == "parity" else SAMPLES[name][1]  # parity's table is whole
        by_test = partial(difference, test_points=points)
        return result.claim(sentence, source, by_test, *arms, **more)

    def fewer(a: Any, b: Any) -> Any:
        return ratio(np.maximum(a, floor), np.maximum(b, floor))

    return result.claim(sentence, source, fewer, *arms, measure=measure or "test_loss", **more)


def rows_by_depth(result: Result, name: str) -> list[Row]:
    """A target's rows of the grid, from shallow to deep."""
    depths = sorted(result.settings.depths) if "depth" in result.settings.compare else []
    names = [f"{name}: {layers(depth)}" for depth in depths]
    return [result[each] for each in names if each in result]


def grid(result: Result) -> dict[str, Claim]:
    """By target: one layer against several, of the depth that is best on the tuning seeds."""

    def validated(row: Row) -> float:
        found = result.tuned.get(row.arm)
        return float(mean_scores(found.scores).max()) if found and found.scores is not None else 0.0

    found = {}
    for name, (winner, source, ledger) in GRID.items():
        rows = rows_by_depth(result, name)
        if len(rows) > 1:
            pair = [max(rows[1:], key=validated), rows[0]]
            a, b = pair if winner == "depth" else pair[::-1]
            sentence = f"{a.arm} better than {b.facts['shape']}"
            names = (a.arm, b.arm)
            (found[name],) = compared(result, sentence, source, *names, floor=SOLVED, ledger=ledger)
    return found


def claims(result: Result) -> list[Claim]:
    """Of the grid first, in the order of its targets."""
    return [*grid(result).values(), *other_claims(result)]


def verdicts_of(result: Result) -> list[Verdict]:
    """The verdicts of all claims."""
    return judge(claims(result), QUICK_REASON if result.settings.quick else "")


def other_claims(result: Result) -> Iterator[Claim]:
    """About pieces, biases, pyramids, sparse inputs, and the course section's own networks."""

    def say(sentence: str, source: str, name: str, a: str, b: str, *ledger: str, **how: Any) -> Any:
        """The claim that arm a is better than arm b on the target of that name."""
        sentence = f"{name}: {sentence}"
        pair = (f"{name}: {a}", f"{name}: {b}")
        return compared(result, sentence, source, *pair, ledger=ledger, **how)

    pieces = f"{COURSE}: more regions at equal size"
    more = "4 layers make more linear pieces than 1"
    yield from say(more, pieces, "oscillating", SHALLOW, DEEP, "001-014", measure="pieces")
    rule = "rule of thumb: biases may start at 0"
    for shape in (SHALLOW, DEEP):
        sentence = f"{shape}, zero biases no worse and no better than random ones"
        yield from say(sentence, rule, BIASES[0], f"{shape}, zero biases", shape, alike=True)
    for name in PYRAMIDS:
        sentence = "widths that halve better than 4 equal layers"
        yield from say(sentence, LESSON, name, "pyramid", DEEP, "003-023")
    sizes = "64 wide", "8 wide", "3 layers of 64", "no hidden layer"
    for a, b, ledger in ((0, 1, "003-025"), (0, 2, "003-025"), (3, 0, "003-027")):
        sentence = f"{sizes[a]} better than {sizes[b]}"
        yield from say(sentence, LESSON, "sparse", sizes[a], sizes[b], ledger)
    own = f"{COURSE}, its own experiment"
    shallow, deep = (f"section, {each}, uniform biases" for each in (SHALLOW, DEEP))
    nested, flat = SECTION
    yield from say("28 x 4 better than 833 x 1", own, nested, deep, shallow, "001-036")
    faster, measure = "28 x 4 reaches a low loss faster", "steps_to_low"
    yield from say(faster, own, nested, deep, shallow, "001-035", measure=measure)
    more = "28 x 4 makes more linear pieces"
    yield from say(more, own, nested, shallow, deep, "001-040", measure="pieces")
    yield from result.claim(
        f"The advantage of depth on {nested} shrinks on {flat}",
        own,
        lambda a, b, c, d: ratio(a / b, c / d),
        *(f"{name}: {each}" for name in (nested, flat) for each in (deep, shallow)),
        measure="test_loss",
        ledger=("001-038",),
    )


PHRASES = {
    "depth": "depth wins on",
    "width": "width wins on",
    "equivalent": "no difference on",
    "undecided": "undecided on",
    "not tested": "not tested on",
}


def winners(result: Result, verdicts: Sequence[Verdict]) -> dict[str, str]:
    """By target: depth, width, or why neither."""
    found = {}
    for name, verdict in zip(grid(result), verdicts, strict=False):
        claimed, other = ("depth", "width") if GRID[name][0] == "depth" else ("width", "depth")
        found[name] = {"supported": claimed, "contradicted": other}.get(verdict.name, verdict.name)
    return found


def answer(result: Result, verdicts: Sequence[Verdict]) -> str:
    """Where depth wins, and where it does not."""
    found = winners(result, verdicts)
    parts = [
        f"{words} {', '.join(name for name in found if found[name] == winner)}"
        for winner, words in PHRASES.items()
        if winner in found.values()
    ]
    return f"At {result.settings.budget:,} parameters, {'; '.join(parts)}." if parts else ""


def score(row: Row) -> str:
    """The median over seeds."""
    if "test_loss" in row.measures:
        return f"{np.nanmedian(row['test_loss']):.2g}"
    return f"{np.nanmedian(row['test_accuracy']):.1%}"


def tables(result: Result) -> Iterator[Table]:
    """The grid of targets and depths; then all other arms."""
    depths = sorted(result.settings.depths)
    lines, shown = [], set()
    for name, winner in winners(result, verdicts_of(result)).items():
        rows = rows_by_depth(result, name)
        shown |= {row.arm for row in rows}
        cells = {row.facts["shape"]: score(row) for row in rows}
        lines.append((name, *(cells.get(layers(depth), "") for depth in depths), winner))
    if lines:
        title = "Median test error in variances, or accuracy, by hidden layers"
        yield Table(("target", *map(str, depths), "wins"), lines, title, words=(0, len(depths) + 1))
    if others := [row for row in result.verdict_rows() if row.arm not in shown]:
        more: Any = {"shape": lambda row: "-".join(map(str, row.facts["widths"])), "score": score}
        form = "{arm} | {shape} | {score} | {pieces:.0f}"
        yield Table.of(others, "arm | widths | score | pieces", form, **more)


def notes(result: Result) -> Iterator[str]:
    """The widths that the budget gives, by the number of inputs."""
    rows = {get_target(name).inputs: rows_by_depth(result, name) for name in GRID}
    for n, found in rows.items():
        widths = ", ".join(str(row.facts["widths"][0]) for row in found)
        if widths:
            yield f"Widths with {n} input{'s' * (n > 1)}, from shallow to deep: {widths}."


experiment = Experiment.of(
    __name__,
    question="At the same number of parameters: one wide layer, or several narrow ones?",
    source="a course section, a lesson and a textbook chapter: deep beats wide, but on flat "
    "functions and sparse inputs width wins; Eldan and Shamir 2016",
    look_for="targets on which several layers have the smaller test error; whether the initial "
    f"biases decide it. Errors below {SOLVED:g} of a target's variance count as {SOLVED:g}: "
    "solved.",
    figures=lambda result: drawings(result, verdicts_of(result)),
    seconds=lambda s: 2 + tuning.work_of(arms)(s) * 2e-9,
    next=(
        "scratchnet width --compare section --targets nested_sine,sin_plus_cos",
        "scratchnet width --targets oscillating,cubic --optimizer sgd",
        "scratchnet width --targets sparse --features 10000",
    ),
)

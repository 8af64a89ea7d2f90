"""The largest gradient entry before training, over whole Cantor distributions, beside its bound."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.drawing import color_of
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import Figure, new_figure
from scratchnet.demos.running import Advance, Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import stream
from scratchnet.demos.verdicts import Claim, Contrast, exact, ratio, success
from scratchnet.depth.cantor_gradient import (
    DEEPEST,
    gradient_bound,
    linear_levels,
    network_pieces,
    population_gradient,
    theorem_level,
)
from scratchnet.depth.fractal_distributions import CURVES, named_curve
from scratchnet.model import Model, mlp

PAPER = "Malach and Shalev-Shwartz 2019"
WEIGHTS = 7  # the stream of a seed that weights and biases are drawn from
ROUNDING = 1e-13  # entries this small are rounding, and no sign that a bound was broken

VACUOUS = 0.5
"""From here on a bound says nothing. With the paper's weights all hidden outputs are in [0, 1]
and |f| <= 1, so an entry is half the difference between the means of df/dw over both classes, and
df/dw lies in an interval of length 1 at most: no distribution gives an entry above 1/2."""

CONSTANT, THEOREM, PYTORCH = "the paper's", "the paper's, biases random", "PyTorch's"
HE, LARGE = "He's", "He's, biases N(0, 1)"

INITIALISERS: dict[str, tuple[str, Callable[[int], float], str, Callable[[int], float]]] = {
    CONSTANT: ("uniform", lambda n: 0.5 / n, "constant", lambda n: 0.5),
    THEOREM: ("uniform", lambda n: 0.5 / n, "uniform", lambda n: 0.5),
    PYTORCH: ("uniform", lambda n: n**-0.5, "uniform", lambda n: n**-0.5),
    HE: ("normal", lambda n: (2 / n) ** 0.5, "normal", lambda n: 0.1),
    LARGE: ("normal", lambda n: (2 / n) ** 0.5, "normal", lambda n: 1.0),
}
"""How weights and how biases are drawn, each with the limit or standard deviation by fan_in."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet fractal-gradients`."""

    level: tuple[int, ...] = option(
        (2, 5, 10, 15, 20, 25, 30), "Levels of the set.", quick=(5, 15, 30), low=1, high=DEEPEST
    )
    curve: tuple[str, ...] = option(
        tuple(CURVES), f"Of the negatives: {', '.join(CURVES)}, or beta in p_j ~ beta^j."
    )
    depth: int = option(2, "Hidden layers.", low=1, high=16)
    width: int = option(8, "Neurons per layer.", low=1, high=128)
    delta: float = option(
        0.1, "Share of networks for which the theorem may fail.", low=0, above=True, high=0.999
    )
    seeds: int = option(200, "Networks of each kind.", quick=30, low=1, high=10_000)

    @property
    def theorem_level(self) -> int:
        """The level j of the theorem's bound, which is about distributions deeper than that."""
        return theorem_level(self.depth, self.width, self.delta)


def check(s: Settings) -> None:
    """Raise `InputError` for curves that are none, and for levels out of order."""
    if list(s.level) != sorted(s.level):
        raise InputError(f"--level {','.join(map(str, s.level))}: must be in increasing order")
    for name in s.curve:
        named_curve(name, 1)


def run(run: Run) -> None:
    """A row for each way to draw initial weights."""
    s = run.settings
    for name in INITIALISERS:
        seeds, facts = range(s.seed, s.seed + s.seeds), {"depth": s.depth, "width": s.width}
        run.row(name, facts, seeds, partial(measure, s, name), work(s) / len(INITIALISERS))


def networks(s: Settings, initialiser: str) -> Model:
    """An ensemble 1-[width]*depth-1, in float64, whose network i depends on seed + i only."""
    weights, weight_size, biases, bias_size = INITIALISERS[initialiser]
    how: dict[str, Any] = {"dtype": "float64", "seed": s.seed, "ensemble": s.seeds}
    model = mlp([1, *[s.width] * s.depth, 1], init="zeros", backend=s.backend, **how)
    generators = [stream(seed, WEIGHTS) for seed in model.seeds]
    state = model.state_dict()
    fan_in = 1
    for name, values in state.items():
        kind, size = biases, bias_size
        if name.endswith("weight"):
            fan_in, kind, size = values.shape[-2], weights, weight_size
        drawn = [draw(each, kind, size(fan_in), values.shape[1:]) for each in generators]
        state[name] = np.stack(drawn)
    model.load_state_dict(state)
    return model


def draw(generator: np.random.Generator, kind: str, size: float, shape: tuple[int, ...]) -> Any:
    """Numbers of a kind (normal, uniform, constant), of that size."""
    if kind == "normal":
        return generator.normal(0, size, shape)
    return generator.uniform(-size, size, shape) if kind == "uniform" else np.full(shape, size)


def measure(s: Settings, name: str, advance: Advance) -> tuple[dict[str, Any], dict[str, Any]]:
    """The largest gradient entries (levels, curves, networks), and which of them break a bound.

    `bends gone at` is the least j for which no bend of the network lies in K_j, and the own bound
    takes that j.
    """
    model = networks(s, name)
    ends = network_pieces(model)
    own = linear_levels(ends)
    advance()
    shape = len(s.level), len(s.curve), s.seeds
    largest: dict[Any, Any] = {"hinge": np.empty(shape), "linear": np.empty(shape)}
    for row, level in enumerate(s.level):
        for column, curve in enumerate(s.curve):
            for loss, values in largest.items():
                _, gradient = population_gradient(model, named_curve(curve, level), loss, ends)
                values[row, column] = np.abs(gradient).max(axis=1)
            advance()
    own_bounds = bounds(s, own)
    measures = {
        "bends gone at": own.astype(float),
        # It is largest at the end of a piece.
        "largest output": np.abs(model.predict(ends[..., None])).max(axis=(1, 2)),
        "above bound": broken(largest["hinge"], bounds(s, np.array([s.theorem_level]))),
        "above own bound": broken(largest["hinge"], own_bounds),
        "above own bound, loss 1 - s f": broken(largest["linear"], own_bounds),
    }
    for curve, values in zip(s.curve, largest["hinge"][-1], strict=True):
        measures[f"largest entry, {curve}"] = values
    return measures, {"largest": largest["hinge"]}


def bounds(s: Settings, own: Any) -> Any:
    """(levels, curves, networks): 5 (P(j) - 1/2) with the levels j in `own`.

    NaN where the theorem says nothing, since the distribution's level is not above j; infinite
    where the bound is vacuous.
    """
    found = np.full((len(s.level), len(s.curve), len(own)), np.nan)
    for row, level in enumerate(s.level):
        for column, name in enumerate(s.curve):
            curve = named_curve(name, level)
            of_level = np.array([gradient_bound(curve, j) for j in range(level)])
            bound = of_level[np.minimum(own, level - 1)]
            bound[bound >= VACUOUS] = np.inf
            found[row, column] = np.where(own < level, bound, np.nan)
    return found


def broken(largest: Any, bound: Any) -> Any:
    """(networks,): 1 where an entry exceeds a bound for any level and curve; NaN without bounds."""
    above = (largest > bound + ROUNDING).any(axis=(0, 1)).astype(float)
    return np.where(np.isfinite(bound).any(axis=(0, 1)), above, np.nan)


def claims(result: Result) -> Iterator[Claim]:
    """The theorem for each way to draw weights, what the slides make of it, and flat networks."""
    s = result.settings
    spoken = np.isfinite(bounds(s, np.array([s.theorem_level]))).any()
    silent = "" if spoken else "no bound is about these levels and curves without being vacuous"
    most = f"in at least {1 - s.delta:.0%} of networks"

    def say(name: str, sentence: str, source: str, contrast: Contrast, **more: Any) -> Claim:
        text = f"Initial weights {name}: {sentence}"
        return Claim(text, source, contrast, ledger=("004-017",), **more)

    for name in (THEOREM, PYTORCH, HE, LARGE):
        if name in result:
            source = PAPER + ("" if name == THEOREM else ", taken beyond its assumptions")
            kept = success(1 - result[name]["above bound"], 1 - s.delta, 1)
            sentence = f"{most}, no gradient entry exceeds 5 (P(j) - 1/2)"
            yield say(name, sentence, source, kept, margin=0.0, untested=silent)
    if PYTORCH in result:
        row, j = result[PYTORCH], math.ceil(math.log(s.depth * s.width**2 / s.delta))
        gone = success((row["bends gone at"] <= j).astype(float), 1 - s.delta, 1)
        sentence = f"{most}, no bend lies in K_j for j = log(t k²/δ) = {j}"
        yield say(PYTORCH, sentence, "lecture slides on the paper", gone, margin=0.0)
        if {"coarse", "extreme"} <= set(s.curve):
            less = ratio(row["largest entry, extreme"], row["largest entry, coarse"])
            sentence = f"at level {s.level[-1]}, gradients are smaller on extreme than on coarse"
            yield say(PYTORCH, sentence, PAPER, less)
    if CONSTANT in result:
        largest = result[CONSTANT].arrays["largest"].max(axis=(0, 1))
        flat = int(np.count_nonzero(largest < ROUNDING))
        shown = (
            f"vacuous, since in {flat} of {s.seeds} networks the gradient is 0 on every curve, "
            "coarse ones too: all units are active on [0, 1], and the network is linear"
        )
        depends = exact(flat < s.seeds, shown)
        yield say(CONSTANT, "the gradient depends on the curve", PAPER, depends)


def deepest(result: Result, row: Row) -> list[tuple[str, float]]:
    """For each curve the median over networks at the deepest level."""
    return [(name, np.median(row[f"largest entry, {name}"])) for name in result.settings.curve]


def small(value: float) -> str:
    """A number, or that it is 0 but for rounding, or a bound that is none."""
    if not np.isfinite(value):
        return "vacuous" if value > 0 else "none"
    return "0" if value < ROUNDING else f"{value:.1e}"


def share(values: Any) -> str:
    """The share of networks, or `-` where there is none."""
    return "-" if np.isnan(values).all() else f"{np.nanmean(values):.1%}"


def tables(result: Result) -> list[Table]:
    """The largest entries at the deepest level beside the bound, and how often bounds break."""
    s, rows = result.settings, result.rows
    bound = map(small, bounds(s, np.array([s.theorem_level]))[-1, :, 0])
    lines = [(row.arm, *(small(value) for _, value in deepest(result, row))) for row in rows]
    title = f"Largest gradient entry at level {s.level[-1]}, median over networks"
    entries = Table(("initial weights", *s.curve), [*lines, ("bound", *bound)], title)
    names = "initial weights | no bend\nin K_j | output\nbeyond ±1 | above\nbound | above\nown"
    above = [name for name in rows[0].measures if name.startswith("above")]
    cells = " | ".join(["{arm} | {bends gone at:.0f} | {wide}", *(f"{{{each}}}" for each in above)])
    more: dict[str, Any] = {each: lambda row, name=each: share(row[name]) for each in above}
    more["wide"] = lambda row: f"{np.mean(row['largest output'] > 1):.1%}"
    title = "Networks with an entry above a bound, for any level and curve"
    return [entries, Table.of(rows, f"{names} | own, loss\n1 - s f", cells, title, **more)]


def notes(result: Result) -> list[str]:
    """The level of the theorem, and what its bound and the own bound mean."""
    s = result.settings
    return [
        f"For t = {s.depth} layers of k = {s.width} and δ = {s.delta:g}, j is {s.theorem_level}; "
        "distributions of that level or less have no bound.",
        f"Vacuous: a bound of {VACUOUS:g} or more forbids nothing, since with the paper's "
        "weights no distribution at all gives a larger entry.",
        "The own bound takes the least j for which no bend of that very network lies in K_j. Where "
        "s f(x) > 1 the hinge loss is flat, and the classes of a cell do not cancel; the loss "
        "1 - s f(x) is never flat.",
    ]


def figure(result: Result) -> Figure:
    """Medians against the level with the middle 80 % of networks, and bounds that say anything."""
    s, floor = result.settings, 1e-16
    rows = [row for row in result.rows if row.arm != CONSTANT] or result.rows
    figure, panels = new_figure(
        1, len(rows), width=2.7 * len(rows) + 1.4, height=3.9, squeeze=False, sharey=True
    )
    limits = bounds(s, np.array([s.theorem_level]))[..., 0]
    bar = {"markersize": 14, "markeredgewidth": 2.5}
    for axes, row in zip(panels[0], rows, strict=True):
        for number, name in enumerate(s.curve):
            color = color_of(number)
            values = np.maximum(row.arrays["largest"][:, number], floor)
            low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=-1)
            line = "os^Dv"[number % 5] + "-"
            axes.plot(s.level, middle, line, color=color, label=name, markersize=4)
            axes.fill_between(s.level, low, high, color=color, alpha=0.15, linewidth=0)
            bound = np.maximum(limits[:, number], floor)
            axes.plot(s.level, bound, "_", color=color, **bar)
        axes.set(yscale="log", xlabel="level n", ylim=(floor / 3, 30), xticks=s.level)
        axes.set_title(f"{row.arm}\n{share(row['above bound'])} above the bound")
    panels[0, 0].set_ylabel("largest gradient entry\n(bottom: 0 but for rounding)")
    label = "bound, if\nnot vacuous"
    panels[0, -1].plot([], [], "_", color="black", label=label, **bar)
    panels[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    entries = ", ".join(f"{small(value)} ({name})" for name, value in deepest(result, rows[0]))
    figure.suptitle(f"Gradients at level {s.level[-1]}, {rows[0].arm}: {entries}")
    return figure


def work(s: Settings) -> float:
    """One unit for each initialiser, level and curve."""
    return float(len(INITIALISERS) * (len(s.level) * len(s.curve) + 1))


experiment = Experiment.of(
    __name__,
    question="How large are gradients on a fractal before training?",
    definitions=(
        "Cantor distribution: half of the points in level n of the Cantor set, half outside. P(j) "
        "is the accuracy of its coarser level K_j; it rises early on coarse curves, late on fine.",
        "Theorem: take t hidden layers of k ReLUs, weights U(±1/(2 fan_in)), biases 1/2, hinge "
        "loss, and a level n > j = ⌈log(4 t k²/δ) / log(3/2)⌉. With a probability of 1 - δ, no "
        "entry of the gradient exceeds 5 (P(j) - 1/2).",
        "Why: the few bends of the network miss the cells of K_j, and in a cell without a bend "
        "both classes have the same mean, so that their contributions cancel.",
    ),
    source=f"{PAPER}: fine fractals leave nearly no gradient, so they are not learned",
    look_for="entries that are 0 on fine curves, bounds that are vacuous, and initial weights that "
    "break the bound.",
    figures=lambda result: {"gradients": partial(figure, result)},
    memory=lambda s: 8.0 * 60 * s.seeds * (s.width * s.depth + 3) * s.width * s.depth,
    seconds=lambda s: 1 + work(s) * s.seeds * s.width * s.depth * 2e-5,
    next=("scratchnet fractal-gradients --depth 1 --width 4", "scratchnet fractal"),
)

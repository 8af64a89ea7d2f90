"""Linear regions: how many pieces ReLU networks make of the plane, counted exactly."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from scratchnet.backends import InputError
from scratchnet.datasets import spirals
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.random_networks import BIAS_DEVIATION, random_networks
from scratchnet.demos.regions.architectures import Architecture, architecture, plane, spread
from scratchnet.demos.regions.figures import animate
from scratchnet.demos.regions.reach import compare
from scratchnet.demos.running import Advance, Result, Row, Run
from scratchnet.demos.settings import Common, option
from scratchnet.demos.tuning import TUNING_SEEDS, Arm, points, train_networks, tune_all
from scratchnet.demos.verdicts import Claim, fact, ratio
from scratchnet.depth.regions import plane_regions
from scratchnet.depth.sampled_regions import sampled_regions
from scratchnet.model import Model
from scratchnet.optim import Adam

POINTS, TEST_POINTS, TURNS, NOISE = 400, 1000, 2.0, 0.02
GRID, FRAMES = 128, 40
WINDOWS = {False: (-1.2, 1.2, -1.2, 1.2), True: (-100.0, 100.0, -100.0, 100.0)}
SEEDS, QUICK_SEEDS = {False: 10, True: 300}, {False: 3, True: 60}
"""Without and with `--compare`."""
RATES, QUICK_RATE = (0.000625, 0.0025, 0.01, 0.04, 0.16), 0.01
"""Wide: eight layers of 8 need small rates, one layer of 64 large ones."""


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet regions`."""

    without: ClassVar[tuple[str, ...]] = ("precision",)  # regions are exact in float64 alone

    networks: tuple[str, ...] = option(
        {False: ("16x4",), True: ("8", "2x4")},
        "The network to draw, or those to compare: 16x4 has four layers of 16 neurons.",
        by="compare",
        positional=True,
        metavar="NETWORK",
        chooses_arms=True,
    )
    compare: bool = option(False, "Random networks and a search instead of training.")
    depths: tuple[int, ...] = option(
        (1, 2, 4, 8), "Layers that share the neurons.", quick=(1, 4), low=1, chooses_arms=True
    )
    window: tuple[float, ...] = option(
        WINDOWS, "Left, right, bottom, top of where is counted.", by="compare", repeats=True
    )
    bias: float = option(BIAS_DEVIATION, "Standard deviation of initial biases.", low=0, high=1000)
    epochs: int = option(600, "Training steps.", quick=300, low=1, high=10_000_000)
    search: int = option(5000, "Networks to look at in search of the best.", quick=600, low=1)
    seeds: int = option(
        SEEDS, "Networks of each kind.", by="compare", quick=QUICK_SEEDS, low=1, high=10_000
    )
    animate: bool = option(False, "Also write a GIF of the regions during training.")


def check(s: Settings) -> None:
    """Raise `InputError` for settings that do not fit together."""
    networks, shown = [architecture(each) for each in s.networks], " ".join(s.networks)
    neurons, window = sum(networks[0].hidden), ",".join(f"{each:g}" for each in s.window)
    if s.compare and s.animate:
        raise InputError("--animate with --compare: must be left out, since nothing is trained")
    if not s.compare and len(networks) > 1:
        raise InputError(f"{shown}: must be one network, or several with --compare")
    if not s.compare and max(s.depths) > neurons:
        raise InputError(
            f"--depths {max(s.depths)}: must be at most the {neurons} neurons of {shown}"
        )
    if len(s.window) != 4 or not (s.window[0] < s.window[1] and s.window[2] < s.window[3]):
        raise InputError(f"--window {window}: must be left,right,bottom,top, such as -1,1,-1,1")


def architectures(s: Settings) -> list[Architecture]:
    """Those to compare, or those of all depths, with the drawn one where it is none of them."""
    given = [architecture(each) for each in s.networks]
    if s.compare:
        return given
    same_neurons = [spread(sum(given[0].hidden), depth) for depth in sorted(s.depths)]
    return same_neurons if given[0] in same_neurons else [*same_neurons, given[0]]


def checkpoints(epochs: int) -> list[int]:
    """After how many epochs regions are counted; 0 is before training."""
    return sorted({round(epochs * share) for share in (0, 1 / 60, 1 / 20, 1 / 10, 1 / 3, 1)})


def arm(s: Settings, network: Architecture) -> Arm:
    """A network that learns two spirals, at its best learning rate."""

    def build(seeds: Sequence[int]) -> Model:
        widths = [2, *network.hidden, 1]
        return random_networks(widths, list(seeds), len(seeds), s.backend, s.bias)

    def draw(n: int, generator: np.random.Generator) -> tuple[Any, Any]:
        return spirals(n, TURNS, NOISE, generator, "float64")

    facts = {"network": str(network), "depth": len(network.hidden)}
    data, work = points(draw, POINTS, TEST_POINTS), sum(network.hidden) + 8.0 * len(network.hidden)
    rates = (QUICK_RATE,) if s.quick else RATES
    return Arm(network.words, build, data, Adam, rates, s.epochs, facts, work, train=train)


def train(arm: Arm, seeds: Any, rates: Any, s: Settings, advance: Advance, tuning: bool) -> Any:
    """Train, and of the verdict seeds count the regions at each checkpoint.

    The arrays are the parameters of the first network then, by epoch and name, and its data.
    """
    if tuning:
        return train_networks(arm, seeds, rates, s, advance, tuning)
    counted, states, wanted = {}, {}, checkpoints(s.epochs)
    drawn = {*wanted, *(epoch + 1 for epoch in frame_epochs(s.epochs, FRAMES * s.animate))}

    def look(epochs: int, model: Model) -> None:
        """Count the regions and keep the weights after the epochs that are asked for."""
        if epochs in wanted:
            found = [counts(s, model, number, epochs) for number in range(len(seeds))]
            counted.update({name: np.array([each[name] for each in found]) for name in found[0]})
        if epochs in drawn:
            state = model.state_dict(network=0)
            states.update({f"{epochs} {name}": values for name, values in state.items()})

    def watch(model: Model) -> list[Callable[..., None]]:
        look(0, model)
        return [lambda epoch, model, loss: look(epoch + 1, model)]

    measures, _ = train_networks(replace(arm, callbacks=watch), seeds, rates, s, advance)
    data = arm.data(seeds[:1])
    return measures | counted, states | {"X": data.X[0], "y": np.ravel(data.y)}


def counts(s: Settings, model: Model, network: int, epochs: int) -> dict[str, float]:
    """The linear regions and activation patterns of a network; NaN if it diverged.

    After training also the patterns that a grid of points sees.
    """
    names = [f"linear_{epochs}", f"patterns_{epochs}", *["grid"] * (epochs == s.epochs)]
    try:
        regions = plane_regions(model, plane(s.window), network)
    except InputError:  # weights that are not finite
        return dict.fromkeys(names, math.nan)
    found = [regions.linear_count, regions.count]
    if epochs == s.epochs:
        found.append(len(sampled_regions(model, plane(s.window), GRID, network).patterns))
    return dict(zip(names, map(float, found), strict=True))


def run(run: Run) -> None:
    """Compare every architecture, or train it."""
    s = run.settings
    if not s.compare:
        tune_all(run, [arm(s, each) for each in architectures(s)])
        return
    for each in architectures(s):
        compare(run, each, plane(s.window))


def work(s: Settings) -> float:
    """Networks that are counted, or what training costs."""
    if s.compare:
        return len(s.networks) * (s.seeds + s.search)
    return sum(arm(s, each).total_work(s.seeds) for each in architectures(s))


def seconds(s: Settings) -> float:
    """A count takes about 2 ms of a small network, and 50 ms of one of 64 neurons."""
    counted = 0.05 * len(s.depths) * s.seeds * len(checkpoints(s.epochs))
    return 2 + (2e-3 * work(s) if s.compare else 3e-6 * work(s) + counted)


def memory(s: Settings) -> float:
    """Activations and gradients of the largest ensemble; a count of regions takes up to 1 GB."""
    networks = max(s.seeds, TUNING_SEEDS * len(RATES))
    neurons = max(sum(each.hidden) for each in architectures(s))
    return 1e9 + 8.0 * networks * (6 * POINTS * neurons + 4 * neurons**2)


TEXTBOOK = "textbook chapter on depth"
COURSE = "course section on depth"


def bounds(row: Row) -> dict[str, Any]:
    """What theory says of the architecture of a row."""
    return architecture(row.facts["network"]).bounds()


def largest(row: Row) -> int:
    """The most activation patterns that a network of the row had at any time."""
    names = [name for name in row.measures if name.startswith("patterns")]
    return int(max(np.nanmax(row[name]) for name in names))


def magnitude(value: float | None) -> str:
    """A count in full, or as a power of ten where it is very large."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value < 10**8 else f"{value:.1e}"


def training_claims(result: Result) -> Iterator[Claim]:
    """The deepest network against the shallowest, training, bounds, and activation patterns."""
    rows, after = list(result.verdict_rows()), f"linear_{result.settings.epochs}"
    few, many = rows[0], rows[-1]
    more = f"networks with {few.arm} have fewer linear regions than with {many.arm}"
    source, ids = f"{COURSE}: regions grow exponentially with layers", ("001-013", "001-046")
    if few is not many:
        random = ratio(few["linear_0"], many["linear_0"])
        yield Claim(f"At random weights, {more}", source, random, ledger=ids)
    pair = few.arm, many.arm
    yield from result.claim(
        f"After training, {more}", source, ratio, *pair, measure=after, ledger=ids
    )
    sentence = f"Networks with {many.arm} have fewer linear regions before training than after"
    source, grown = "belief: training makes networks complex", ratio(many["linear_0"], many[after])
    yield Claim(sentence, source, grown, untested=result.untested(many.arm))

    near = max(rows, key=lambda row: largest(row) / bounds(row)["at_most"])
    most, bound = largest(near), bounds(near)["at_most"]
    shown = f"{near.arm}, the nearest: {most:,} of {magnitude(bound)}"
    allowed = "No network has more regions than theory allows"
    yield fact(allowed, "Serra et al. 2018", most <= bound, shown, "002-020")
    if few.facts["depth"] == 1:
        most, bound = largest(few), bounds(few)["one_layer"]
        sentence = "One layer of N neurons makes at most 1 + N + N (N - 1) / 2 regions"
        shown = f"{most:,} of {bound:,}"
        yield fact(sentence, f"Zaslavsky 1975; {TEXTBOOK}", most <= bound, shown, "002-023")
    names = (after, after.replace("linear", "patterns"), "grid")
    linear, patterns, seen = (np.concatenate([row[name] for row in rows]) for name in names)
    merged, grid = np.count_nonzero(linear < patterns), f"The patterns on {GRID**2:,} points"
    shown = f"{merged} of {len(linear)} trained networks have fewer regions than patterns"
    sentence = "Activation patterns are linear regions"
    yield fact(sentence, COURSE, False, shown, "001-039", fails=merged)
    shown, exercise = f"{np.nanmean(seen / patterns):.0%} on average", f"{TEXTBOOK}, an exercise"
    missed = (seen < patterns).any()
    yield fact(f"{grid} are all patterns", exercise, False, shown, "002-148", fails=missed)
    yield fact(f"{grid} are some of all", exercise, (seen <= patterns).all(), shown, "002-148")


def comparison_claims(result: Result) -> Iterator[Claim]:
    """What each architecture reaches, and the last against the first."""
    every = [architecture(each) for each in result.settings.networks]
    every = [each for each in every if f"{each.words}, best found" in result]
    said = [each.bounds()["textbook"] for each in every]
    best = [int(result[f"{each.words}, best found"]["linear"][0]) for each in every]
    at_most = [each.bounds()["at_most"] for each in every]
    random = [result[f"{each.words}, random"]["linear"] for each in every]
    for each, textbook, top, most, counts in zip(every, said, best, at_most, random, strict=True):
        layers = len(each.hidden)
        sentence = f"Networks {each} have up to {magnitude(textbook)} linear regions"
        shown = f"none has more than {magnitude(most)}; best found {top:,}"
        ledger = {"8": ("002-092",), "2x4": ("002-093",)}.get(str(each), ())
        product = f"{TEXTBOOK}: single layers, multiplied"
        yield fact(sentence, product, top >= textbook, shown, *ledger, fails=most < textbook)
        sentence = f"A network {each} has about 2^{layers} = {2**layers} linear regions"
        doubled, contrast = f"{COURSE}: layers double them", ratio(counts, 2.0**layers)
        if layers > 1:
            yield Claim(sentence, doubled, contrast, alike=True, ledger=("002-094",))
    if len(every) > 1:
        (few, many), times = (every[0], every[-1]), said[-1] / said[0]
        sentence = f"Random networks {few} have fewer linear regions than random {many}"
        contrast = ratio(random[0], random[-1])
        yield Claim(sentence, f"{TEXTBOOK}: depth wins", contrast, ledger=("002-096",))
        sentence = f"{many} makes {times:.1f} times as many regions as {few}"
        shown, source = f"best found: {best[-1]:,} and {best[0]:,}", f"{TEXTBOOK}: bounds, divided"
        # Both numbers are of the best networks, which lie between those found and the bounds.
        holds, fails = best[-1] >= times * at_most[0], at_most[-1] < times * best[0]
        yield fact(sentence, source, holds, shown, "002-095", fails=fails)


def claims(result: Result) -> list[Claim]:
    """Of a comparison or of training, as far as it came."""
    if result.settings.compare:
        return list(comparison_claims(result))
    return list(training_claims(result)) if any(result.verdict_rows()) else []


def tables(result: Result) -> list[Table]:
    """Regions of every row, and beside the most patterns what theory allows."""
    s, rows = result.settings, list(result.verdict_rows())
    names, after = "network | rate | before | after | test\naccuracy", f"{{linear_{s.epochs}:,.0f}}"
    cells = "{arm} | {learning_rate:g} | {linear_0:,.0f} | " + after + " | {test_accuracy:.1%}"
    title = "Linear regions before and after training: means over seeds"
    if s.compare:
        names, title = "networks | regions | patterns", "Linear regions: means over networks"
        cells = "{arm} | {linear:,.1f} | {patterns:,.1f}"
    counted = Table.of(rows, names, cells, title, np.mean)
    theory = [
        (row.facts["network"], *map(magnitude, (largest(row), *bounds(row).values())))
        for row in rows
        if not row.arm.endswith("random")
    ]
    names = (
        "network | most | N²/2 | best:\nat least | none:\nabove | textbook:\nat most | one layer:"
    )
    title = "The most patterns that were counted, and what bounds for the whole plane allow"
    return [counted, Table(f"{names}\nat most".split(" | "), theory, title)]


experiment = Experiment.of(
    __name__,
    question="How many linear regions do networks make of the plane, deep or shallow, before and "
    "after they learn?",
    definitions=(
        "A linear region is a largest connected part of the inputs on which a ReLU network is one "
        "affine function, f(x) = a·x + b.",
        "The activation pattern of an input says which neurons are active. Where two patterns that "
        "are neighbours have the same function, they are one linear region.",
    ),
    source="a textbook chapter and a course section on depth: regions grow exponentially with "
    "layers; Hanin and Rolnick 2019: at random weights they do not",
    look_for="whether more layers make more regions before and after training, and how far all of "
    "them stay below the bounds.",
    files=lambda result: (
        {"regions.gif": partial(animate, result)} if result.settings.animate else {}
    ),
    notes=lambda result: (
        "N²/2: Hanin and Rolnick 2019, at random weights. Best has at least: Montúfar et al. 2014. "
        "None has more than: Serra et al. 2018. One layer of as many neurons: Zaslavsky 1975.",
        "Counts are of the window, where parts of a region that meet outside of it count twice.",
    ),
    next=("scratchnet regions --compare 8 2x4", "scratchnet regions 8x4 --animate"),
)

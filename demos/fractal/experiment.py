"""Fractal distributions: networks that realise them exactly, and what training makes of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos import tuning
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.figures import probabilities
from scratchnet.demos.fractal.exact import (
    CHECKED_POINTS,
    box,
    build_all,
    exact_rows,
    sampled_curves,
    standard_errors_off,
)
from scratchnet.demos.fractal.settings import Settings, check
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.tuning import Arm, Data
from scratchnet.demos.verdicts import Claim, Contrast, difference, fact
from scratchnet.depth.fractal_distributions import (
    CURVES,
    coarse_error,
    error_lower_bound,
    sample,
    width_lower_bound,
)
from scratchnet.model import Model
from scratchnet.optim import Adam

PAPER = "Malach and Shalev-Shwartz 2019"
TEST_POINTS = 5000
GRID = 120


def curve_name(name: str) -> str:
    """Such as `coarse`, or `beta 0.5` for a number."""
    return name if name in CURVES else f"beta {name}"


def arm_name(curve: str, depth: int) -> str:
    """Such as `coarse, depth 5`."""
    return f"{curve_name(curve)}, depth {depth}"


def course_names(s: Settings, depth: int) -> tuple[str, str]:
    """A curriculum, and its last curve alone for as many steps."""
    last = curve_name(s.from_coarse_to_fine[-1])
    return f"curriculum to {last}, depth {depth}", f"{last} as long, depth {depth}"


def arms(s: Settings) -> list[Arm]:
    """Every curve at every depth; with a curriculum two more of each depth."""
    found = [arm(s, curve, depth) for depth in s.depths for curve in s.curve]
    order = s.from_coarse_to_fine
    for depth in s.depths if s.curriculum else ():
        plain = replace(arm(s, order[-1], depth), train=train_in_turn, keep=None)
        plain = replace(plain, work=plain.work * len(order))
        orders = order, order[-1:] * len(order)
        for name, stages in zip(course_names(s, depth), orders, strict=True):
            found.append(replace(plain, name=name, facts={**plain.facts, "stages": stages}))
    return found


def arm(s: Settings, curve: str, depth: int) -> Arm:
    """Networks of a depth that learn the distribution of a curve."""
    # Milliseconds of a step of one network, about.
    step = (0.05 + 0.06 * depth) * s.width * (s.width + 30) / 2000 * s.training.batch_size / 200
    return Arm(
        arm_name(curve, depth),
        partial(tuning.networks, s, [s.geometry.dimensions, *[s.width] * depth, 1]),
        tuning.points(partial(draw, s, curve), s.training.points, TEST_POINTS),
        tuning.decaying(Adam, s.epochs * s.steps_per_epoch),
        s.training.rates,
        s.epochs,
        {"curve": curve, "depth": depth, "width": s.width},
        work=step * s.steps_per_epoch / 1000,
        batch_size=s.training.batch_size,
        keep=partial(keep, s),
    )


def draw(s: Settings, curve: str, n: int, generator: np.random.Generator) -> tuple[Any, Any]:
    """Points of the distribution and their classes."""
    within = s.training.within
    return sample(s.geometry, s.p(curve), n, s.margin, generator, within, dtype="float32")


def train_in_turn(arm: Arm, seeds: Any, rates: Any, s: Settings, *how: Any) -> tuple[Any, Any]:
    """Train the same networks on one curve after the other; validate and test on the last."""
    model, stages, seconds = arm.build(seeds), arm.facts["stages"], 0.0
    stage = replace(arm, build=lambda _: model, work=arm.work / len(stages), train=None)
    for curve in stages:
        stage = replace(stage, data=partial(stage_data, s, curve, arm.data))
        measures, _ = tuning.train_networks(stage, seeds, rates, s, *how)
        seconds = seconds + measures["seconds"]
    return {**measures, "seconds": seconds}, {}


def stage_data(s: Settings, curve: str, last: Any, seeds: Sequence[int]) -> Data:
    """The last curve's data, to train on points of this one."""
    training = tuning.points(partial(draw, s, curve), s.training.points, 1)(seeds)
    return replace(last(seeds), X=training.X, y=training.y)


def keep(s: Settings, model: Model, history: Any, data: Data) -> dict[str, Any]:
    """P(class 1) by the first seed's network over the box around K_0, row 0 at the bottom."""
    return {"probabilities": probabilities(model.network(0), box(s), GRID)}


def run(run: Run) -> None:
    """Samples, networks with hand-set weights, and networks that learn."""
    run.result.extra["sampled"] = sampled_curves(run.settings)
    build_all(run)
    tuning.each_tuned(arms)(run)


def trained_rows(result: Result) -> list[Row]:
    """The rows of networks that learn."""
    return [row for row in result.verdict_rows() if "learning_rate" in row.facts]


def learning_claims(result: Result) -> Iterator[Claim]:
    """Of the shallowest and the deepest networks on the coarsest and the finest curve."""
    s, above = result.settings, partial(difference, test_points=TEST_POINTS)
    order, deep, shallow = s.from_coarse_to_fine, max(s.depths), min(s.depths)
    easy, hard = curve_name(order[0]), curve_name(order[-1])
    names = [arm_name(curve, t) for curve in (order[0], order[-1]) for t in (deep, shallow)]

    def gains(a: Any, b: Any, c: Any, d: Any) -> Contrast:
        return difference(a - b, c - d)

    sentence = f"On {easy}, depth {deep} reaches more than depth {shallow}"
    yield from result.claim(sentence, PAPER, above, *names[:2])
    sentence = f"Depth gains more on {easy} than on {hard}"
    yield from result.claim(sentence, PAPER, gains, *names, ledger=("004-021",))
    sentence = f"At depth {deep}, {easy} is learned better than {hard}"
    yield from result.claim(sentence, PAPER, above, *names[::2], ledger=("004-019",))
    chance = {deep: ("004-018", "004-003"), shallow: ("004-022",)} if hard == "extreme" else {}
    for depth, ledger in chance.items():
        arm, half = arm_name(hard, depth), partial(above, second=0.5)
        sentence = f"On {hard}, depth {depth} stays at chance"
        yield from result.claim(sentence, PAPER, half, arm, ledger=ledger, alike=True)
    sentence = f"At depth {deep}, a curriculum reaches more on {hard} than {hard} alone"
    source = "Bengio et al. 2009, on curricula"
    yield from result.claim(sentence, source, above, *course_names(s, deep))


def exact_claims(result: Result) -> Iterator[Claim]:
    """Of curves and of networks with hand-set weights, as far as they were built."""
    s, rows = result.settings, exact_rows(result)
    if sampled := result.extra.get("sampled"):
        off, values = standard_errors_off(s, sampled), np.array(list(sampled.values()))
        rises = (np.diff(values, prepend=0.5) >= 0).all() and (values[:, -1] == 1).all()
        shown = f"within {off:.1f} standard errors of what was asked, rising from 1/2 to 1"
        sentence = "Samples have P(j) = 1 - P[x in K_j, y = -1]"
        yield fact(sentence, PAPER, off < 4 and rises, shown, "004-012", "004-013")
    most = 5 * s.geometry.dimensions * s.geometry.maps
    for factor, name, ledger in ((2, "general", "004-006"), (1, "fold", "004-016")):
        own = exact_rows(result, name)
        errors, sizes = sum(row["errors"][0] for row in own), [row.facts for row in own]
        right = all(f["depth"] == factor * f["level"] + 1 and f["width"] <= most for f in sizes)
        shown = f"{errors:.0f} errors among {len(own) * CHECKED_POINTS:,} points with a margin"
        layers = "2n + 1" if factor == 2 else "n + 1"
        sentence = f"{layers} hidden layers, no wider than 5dr = {most}, are K_n ({name} net)"
        decided = [ledger] * (name == "general" or s.fractal == "cantor")
        if own:
            yield fact(sentence, PAPER, errors == 0 and right, shown, *decided)
    gaps = [
        abs(row[f"errors, {c}"][0] / CHECKED_POINTS - coarse_error(s.p(c), row.facts["level"]))
        for row in rows
        for c in s.curve
    ]
    if gaps:
        shown = f"off by at most {max(gaps):.4f}, with a standard error of up to 0.0035"
        sentence = "The net of a coarser level j errs on 1 - P(j) of the points"
        yield fact(sentence, PAPER, max(gaps) < 0.014, shown, "004-014")
    over = [
        1 - np.nanmax(row["test_accuracy"]) - bound
        for row in trained_rows(result)
        if s.geometry.dimensions == 1 and (bound := lower_bound(s, row))
    ]
    if over:
        shown = f"the best network of {len(over)} arms errs on {min(over):+.1%} more"
        sentence = "t layers of k err on (1 - (k+1)^t / 2^j) (1 - P(j)) at least"
        yield fact(sentence, PAPER, min(over) > -0.02, shown, "004-015")


def claims(result: Result) -> list[Claim]:
    """What is learned, and then what is exact."""
    return [*learning_claims(result), *exact_claims(result)]


def lower_bound(s: Settings, row: Row) -> float:
    """The least error of such a network on a line."""
    return error_lower_bound(s.p(row.facts["curve"]), (s.width + 1) ** row.facts["depth"])


def answer(result: Result, verdicts: Any) -> str:
    """Accuracies of the shallowest and deepest networks, beside what hand-set weights do."""
    s = result.settings
    shallow, deep = min(s.depths), max(s.depths)
    parts, rows = [], exact_rows(result)
    for curve in s.curve:
        names = [arm_name(curve, depth) for depth in dict.fromkeys((shallow, deep))]
        means = [f"{np.nanmean(result[n]['test_accuracy']):.1%}" for n in names if n in result]
        parts.append(f"{curve_name(curve)} {' → '.join(means) or 'not finished'}")
    errors = sum(row["errors"][0] for row in rows)
    return (
        f"mean test accuracy at depth {shallow} → {deep}: {', '.join(parts)}. "
        f"Hand-set weights err on {errors:.0f} of {len(rows) * CHECKED_POINTS:,} points."
    )


def binomial(accuracies: Any) -> Any:
    """The half-width of the 95 % interval of a network's own accuracy on its test points."""
    shares = (np.asarray(accuracies) * TEST_POINTS + 2) / (TEST_POINTS + 4)
    return 1.96 * np.sqrt(shares * (1 - shares) / TEST_POINTS)


def tables(result: Result) -> list[Table]:
    """Sizes and errors of the networks with hand-set weights, and what the others learn."""
    curves = result.settings.curve
    exact = Table.of(
        exact_rows(result),
        "network | layers | largest\nweight | linear\nregions | errors | without\nmargin",
        "{arm} | {depth} x {width} | {largest_weight:,.0f} | {linear regions:,.0f} | "
        "{errors:.0f} | {errors without margin:.0f}",
        f"Hand-set weights: errors among {CHECKED_POINTS:,} points of the own level",
    )
    learned = Table.of(
        sorted(trained_rows(result), key=lambda row: curves.index(row.facts["curve"])),
        "arm | rate | training | test",
        "{arm} | {learning_rate:g} | {train_accuracy:.1%} | {test_accuracy:.1%}",
        f"Networks that learn: mean accuracies (95 % error of one network on {TEST_POINTS:,} "
        f"points: up to {100 * binomial(0.5):.1f} points)",
        np.mean,
    )
    return [exact, learned] if learned.rows else [exact]


def notes(result: Result) -> list[str]:
    """What was not built, and the width that is needed."""
    s = result.settings
    need = [width_lower_bound(s.geometry.maps, s.level, t, s.geometry.dimensions) for t in s.depths]
    shown = ", ".join(f"{each:.3g} at depth {t}" for each, t in zip(need, s.depths, strict=True))
    return [
        *(f"Not built: {reason}." for reason in result.extra.get("not built", ())),
        f"To be K_{s.level} exactly, a network needs a width of at least {shown}.",
    ]


def memory(s: Settings) -> float:
    """Activations, gradients and data of the largest ensemble."""
    largest = max(s.seeds, tuning.TUNING_SEEDS * len(s.training.rates))
    cells = 30 * (s.training.batch_size + s.width) * s.width * max(s.depths)
    return 4.0 * largest * (cells + (3 * s.training.points + TEST_POINTS) * 4)


experiment = Experiment.of(
    __name__,
    question="What does depth represent of a fractal, and what does it learn of it?",
    definitions=(
        "K_n, level n of a fractal: r smaller copies of K_{n-1}, down to K_0.",
        "The distribution: half of the points are in K_n (class 1), the others are not. A negative "
        "of level j is in K_{j-1}, but not in K_j.",
        "P(j): the accuracy of the coarser K_j as an answer. Coarse curves rise early, since most "
        "negatives are of level 1; on the extreme curve all are of level n, and P(n - 1) = 1/2.",
    ),
    source=f"{PAPER}: deep networks represent fractals; they learn those that shallow ones "
    "approximate",
    look_for="whether depth gains on coarse curves and on the extreme one, where networks with "
    "hand-set weights err nowhere.",
    settings=Settings,
    check=check,
    seconds=lambda s: 8 + tuning.work_of(arms)(s),
    next=(
        "scratchnet fractal --curriculum --curve coarse,linear,extreme --depths 1,5",
        "scratchnet fractal --fractal sierpinski",
        "scratchnet fractal --fractal cantor --level 6",
        "scratchnet fractal-gradients",
    ),
)

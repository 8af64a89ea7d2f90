"""Fractal distributions: networks that realise them exactly, and what training makes of them.

1. The distribution: its requested approximation curves, and those that samples show.
2. Networks with hand-set weights, checked on samples, with the margin and without it; those of
   coarser levels beside 1 - P(j); their linear regions, counted.
3. Networks of several depths that learn each curve. All seeds and curves of a depth train side by
   side, on data of their own; a seed has the same first weights for every curve.
4. With a curriculum: the curves one after another, from coarse to fine, beside as many steps on
   the last one alone.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.demos.fractal.exact_networks import Shape, exact_networks
from scratchnet.demos.fractal.samples import (
    CHECKED_DATA,
    CHECKED_POINTS,
    TEST_DATA,
    TRAINING_DATA,
    as_picture,
    datasets,
    drawn,
    picture_points,
)
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.fractal_distributions import CURVES, empirical_curve, error_lower_bound
from scratchnet.evaluation import accuracy
from scratchnet.model import Model, mlp
from scratchnet.optim import Adam
from scratchnet.schedules import cosine
from scratchnet.training import fit

GRID = 120
FIRST_STEPS, TIMED_STEPS = 3, 12


@dataclass(frozen=True, eq=False)
class Row:
    """What became of one curve at one depth; arrays have an entry for each seed."""

    curve: str
    depth: int
    parameters: int
    train_accuracy: Any
    test_accuracy: Any
    diverged: tuple[int, ...]
    """The seeds whose loss stopped being finite; their accuracies are NaN."""
    probabilities: Any
    """P(class 1) by the network of the first seed, on the grid, row 0 at the bottom."""
    lower_bound: float | None
    """The error that no network of this shape can go below; known in one dimension."""


@dataclass(frozen=True, eq=False)
class Course:
    """A curriculum at one depth, beside the last curve alone for as many steps."""

    depth: int
    curriculum: Any
    """(stages, seeds): test accuracy on the last curve, after each stage."""
    direct: Any
    """(stages, seeds): the same, trained on the last curve all the time."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    empirical: dict[str, Any] = field(default_factory=dict)
    """For each curve the P(1), ..., P(level) that a sample of 20,000 points shows."""
    shapes: tuple[Shape, ...] = ()
    not_built: tuple[str, ...] = ()
    """Why a construction was not built."""
    rows: tuple[Row, ...] = ()
    courses: tuple[Course, ...] = ()
    seconds: float = 0.0
    """That the learning took."""
    interrupted: bool = False


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """All parts. Ctrl-C while networks learn ends the run and keeps what was finished."""
    s = settings
    empirical = {}
    for name in s.curves:
        X, y = drawn(s, s.curve(name), CHECKED_DATA, s.seed, CHECKED_POINTS, dtype="float64")
        empirical[name] = empirical_curve(s.geometry, X, y, s.level)
    shapes, not_built = exact_networks(s)
    rows: list[Row] = []
    courses: list[Course] = []
    interrupted = False
    started = time.perf_counter()
    try:
        for depth in s.depths:
            rows += learn(s, depth, advance)
        for depth in s.depths if s.curriculum else ():
            courses.append(learn_in_turn(s, depth, advance))
    except KeyboardInterrupt:
        interrupted = True
    return Result(
        s,
        empirical,
        tuple(shapes),
        tuple(not_built),
        tuple(rows),
        tuple(courses),
        time.perf_counter() - started,
        interrupted,
    )


def learn(settings: Settings, depth: int, advance: Advance = no_progress) -> list[Row]:
    """All curves and seeds at one depth, side by side."""
    s = settings
    advance(0, note=f"depth {depth}")
    X, y = datasets(s, s.curves, TRAINING_DATA, s.points)
    X_test, y_test = datasets(s, s.curves, TEST_DATA, s.test_points)
    model = networks(s, depth, len(s.curves))
    losses = train(s, model, X, y, advance, cost(s, depth, len(s.curves)))
    bad = ~np.isfinite(losses[-1])
    few = X[:, :: max(1, s.points // s.test_points)], y[:: max(1, s.points // s.test_points)]
    with np.errstate(over="ignore", invalid="ignore"):
        both = [accuracy(model, *few), accuracy(model, X_test, y_test)]
        pictures = first_pictures(s, model)
    train_accuracy, test_accuracy = (np.where(bad, np.nan, each) for each in both)
    rows = []
    for number, name in enumerate(s.curves):
        block = slice(number * s.seeds, (number + 1) * s.seeds)
        bound = None
        if s.geometry.dimensions == 1:
            bound = error_lower_bound(s.curve(name), (s.width + 1) ** depth, s.geometry.maps)
        rows.append(
            Row(
                name,
                depth,
                model.parameter_count,
                train_accuracy[block],
                test_accuracy[block],
                tuple(s.seed + int(each) for each in np.flatnonzero(bad[block])),
                pictures[number],
                bound,
            )
        )
    return rows


def first_pictures(settings: Settings, model: Model) -> list[Any]:
    """P(class 1) on the grid, by the network of the first seed for each curve."""
    s = settings
    points = picture_points(s, GRID)
    chunks = np.array_split(points, max(1, len(points) // 2000))
    logits = np.concatenate([model.predict(chunk)[:: s.seeds, :, 0] for chunk in chunks], axis=1)
    probabilities = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
    return [as_picture(s, each) for each in probabilities]


def networks(settings: Settings, depth: int, curves: int) -> Model:
    """An ensemble with a block of all seeds for each curve, which start from the same weights."""
    s = settings
    widths = [s.geometry.dimensions, *[s.width] * depth, 1]
    model = mlp(widths, seed=s.seed, ensemble=curves * s.seeds, backend=s.backend)
    state = model.state_dict()
    for name, values in state.items():
        state[name] = np.concatenate([values[: s.seeds]] * curves)
    model.load_state_dict(state)
    return model


def train(settings: Settings, model: Model, X: Any, y: Any, advance: Advance, cost: float) -> Any:
    """Train on one set; the losses (epochs, networks). Raises `KeyboardInterrupt` for Ctrl-C."""
    s = settings
    rate = cosine(s.learning_rate, s.epochs * s.steps_per_epoch)
    with warnings.catch_warnings():
        # Reports name the networks that diverged.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            X,
            y,
            optimizer=Adam(model, rate),
            epochs=s.epochs,
            batch_size=s.batch_size,
            callbacks=[lambda *_: advance(cost / s.epochs)],
        )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return history.loss


def stage_names(settings: Settings) -> tuple[str, ...]:
    """The stages of a curriculum: the curves from coarse to fine."""

    def beta(name: str) -> float:
        return CURVES[name] if name in CURVES else float(name)

    return tuple(sorted(settings.curves, key=beta))


def learn_in_turn(settings: Settings, depth: int, advance: Advance = no_progress) -> Course:
    """A curriculum from coarse to fine, and the last curve alone, side by side."""
    s = settings
    names = stage_names(s)
    advance(0, note=f"curriculum, depth {depth}")
    # Two blocks of all seeds: the curriculum, and the last curve alone.
    model = networks(s, depth, 2)
    X_test, y_test = datasets(s, names[-1:] * 2, TEST_DATA, s.test_points)
    reached = []
    for name in names:
        X, y = datasets(s, (name, names[-1]), TRAINING_DATA, s.points)
        losses = train(s, model, X, y, advance, 2 * cost(s, depth, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            values = accuracy(model, X_test, y_test)
        reached.append(np.where(np.isfinite(losses[-1]), values, np.nan))
    both = np.array(reached)
    return Course(depth, both[:, : s.seeds], both[:, s.seeds :])


def cost(settings: Settings, depth: int, curves: int) -> float:
    """The time to train an ensemble, relative to others."""
    s = settings
    return float(s.seeds * curves * (1 + depth * (s.width + 60)) * s.epochs)


def total_cost(settings: Settings) -> float:
    s = settings
    stages = 2 * len(stage_names(s)) if s.curriculum else 0
    return sum(cost(s, depth, len(s.curves)) + stages * cost(s, depth, 1) for depth in s.depths)


def expected_seconds(settings: Settings) -> float:
    """How long the learning is going to take: a few steps of each depth are timed."""
    s = settings
    total = 0.0
    generator = np.random.default_rng(0)
    for depth in s.depths:
        model = networks(s, depth, len(s.curves))
        points = TIMED_STEPS * s.batch_size
        X = generator.uniform(-1, 1, (len(model.seeds), points, s.geometry.dimensions))
        times: list[float] = []
        for part in (X[:, : FIRST_STEPS * s.batch_size], X):
            started = time.perf_counter()
            fit(
                model,
                part.astype(np.float32),
                np.arange(part.shape[1]) % 2,
                optimizer=Adam(model, 1e-6),
                epochs=1,
                batch_size=s.batch_size,
            )
            times.append(time.perf_counter() - started)
        # The first steps of a training are recorded, and slower: they are not counted.
        step = max(times[1] - times[0], 0.0) / (TIMED_STEPS - FIRST_STEPS)
        total += step * s.epochs * s.steps_per_epoch
        if s.curriculum:
            share = 2 / len(s.curves)
            total += share * len(stage_names(s)) * step * s.epochs * s.steps_per_epoch
    return total

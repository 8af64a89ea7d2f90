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
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.demos.figures import grid_points
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.regions.experiment import Mosaic, mosaic
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.fractal_distributions import (
    CURVES,
    coarse_error,
    empirical_curve,
    error_lower_bound,
    named_curve,
    sample,
)
from scratchnet.depth.fractal_networks import fold_network, general_network
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.regions import Line, Plane, TooManyRegions, line_regions, plane_regions
from scratchnet.depth.sawtooth import hidden_units
from scratchnet.layers import Linear
from scratchnet.model import Model, mlp
from scratchnet.optim import Adam
from scratchnet.schedules import cosine
from scratchnet.training import accuracy, fit

# A seed's data come from streams of their own, beside those that its network draws from.
TRAINING_DATA, TEST_DATA, CHECKED_DATA = 3, 4, 6

CHECKED_POINTS = 20_000
MOST_REGIONS, MOST_DRAWN = 50_000, 20_000
GRID = 120
LINE_POINTS = 600
PICTURE = 405

TIMED_STEPS = 12


@dataclass(frozen=True, eq=False)
class Shape:
    """A network with hand-set weights for one level j, and how often it errs."""

    construction: str
    """fold or general"""
    level: int
    layers: int
    width: int
    units: int
    parameters: int
    largest_weight: float
    errors: dict[str, float]
    """For each curve the share of points it gets wrong, of a sample with the margin."""
    expected: dict[str, float]
    """1 - P(j) of each curve."""
    own_errors: int
    """On the distribution of its own level, of 20,000 points with the margin."""
    own_errors_without: int
    """The same without a margin."""
    own_errors_by_1: int | None
    """Without a margin, of a fold net, where class 1 is an output of exactly 1."""
    linear_regions: int | None
    """In the smallest box around K_0; None where there are too many to count."""
    mosaic: Mosaic | None
    """What to draw of its regions, in the plane."""


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


def extent(settings: Settings) -> tuple[float, float, float, float]:
    """The box (left, right, bottom, top) around K_0; in one dimension from 0 to 1 upwards."""
    corners = settings.geometry.corners
    low, high = corners.min(axis=0), corners.max(axis=0)
    if corners.shape[1] == 1:
        return float(low[0]), float(high[0]), 0.0, 1.0
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def picture_points(settings: Settings, resolution: int) -> Any:
    """The centres of pixels: (N, d), of one row in one dimension."""
    left, right, bottom, top = extent(settings)
    if settings.geometry.dimensions == 1:
        return (left + (right - left) * (np.arange(LINE_POINTS) + 0.5) / LINE_POINTS)[:, None]
    return grid_points((left, right, bottom, top), resolution)


def as_picture(settings: Settings, values: Any) -> Any:
    """The values at `picture_points` as rows and columns."""
    rows = 1 if settings.geometry.dimensions == 1 else round(len(values) ** 0.5)
    return np.asarray(values).reshape(rows, -1)


def drawn(settings: Settings, curve: Any, use: int, seed: int, points: int, **options: Any) -> Any:
    """X and y of one seed, for one use; all curves share the random numbers."""
    s = settings
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
    given = {"margin": s.margin, "within": s.within, "dtype": "float32", **options}
    return sample(s.geometry, curve, points, seed=generator, **given)


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """All parts. Ctrl-C ends the run and keeps what was finished.

    Raises `KeyboardInterrupt` where that is nothing, `InputError` for settings out of range.
    """
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


def exact_networks(settings: Settings) -> tuple[list[Shape], list[str]]:
    """The networks of both constructions for all levels up to the distribution's own."""
    shapes: list[Shape] = []
    not_built: list[str] = []
    margin = settings.margin or 0.1
    for construction in ("fold", "general"):
        for level in range(1, settings.level + 1):
            try:
                net = built(settings, construction, level, margin)
            except InputError as error:
                not_built.append(str(error))
                break
            shapes.append(shape(settings, construction, level, net, margin))
    return shapes, not_built


def built(settings: Settings, construction: str, level: int, margin: float) -> Model:
    if construction == "fold":
        return fold_network(settings.geometry, level, backend=settings.backend)
    return general_network(
        settings.geometry, level, margin, finest=settings.level, backend=settings.backend
    )


def shape(settings: Settings, construction: str, level: int, net: Model, margin: float) -> Shape:
    s = settings
    fractal = s.geometry
    errors, expected = {}, {}
    exact: Any = {"dtype": "float64", "within": 1.0}
    for name in s.curves:
        X, y = drawn(s, s.curve(name), CHECKED_DATA, s.seed, CHECKED_POINTS, margin=margin, **exact)
        errors[name] = 1 - right(net, X, y)
        expected[name] = coarse_error(s.curve(name), level)
    own = []
    for each in (margin, 0.0):
        linear = named_curve("linear", level)
        X, y = drawn(s, linear, CHECKED_DATA, s.seed, CHECKED_POINTS, margin=each, **exact)
        outputs = predict_in_blocks(net, X)[:, 0]
        own.append(int(np.count_nonzero((outputs > 0) != y)))
    by_1 = int(np.count_nonzero((outputs == 1) != y)) if construction == "fold" else None
    linear_layers = [layer for layer in net.layers if isinstance(layer, Linear)]
    count, picture = counted(s, net)
    return Shape(
        construction,
        level,
        layers=len(linear_layers) - 1,
        width=max(layer.fan_out for layer in linear_layers),
        units=hidden_units(net),
        parameters=net.parameter_count,
        largest_weight=float(abs(net.backend.to_numpy(net.parameter_buffer)).max()),
        errors=errors,
        expected=expected,
        own_errors=own[0],
        own_errors_without=own[1],
        own_errors_by_1=by_1,
        linear_regions=count,
        mosaic=picture if fractal.dimensions == 2 else None,
    )


def right(net: Model, X: Any, y: Any) -> float:
    return float(np.mean((predict_in_blocks(net, X)[:, 0] > 0) == y))


def counted(settings: Settings, net: Model) -> tuple[int | None, Mosaic | None]:
    """The linear regions in the box around K_0, and what to draw of them."""
    left, right, bottom, top = extent(settings)
    try:
        if settings.geometry.dimensions == 1:
            line = Line([0.0], [1.0], (left, right))
            return line_regions(net, line, max_regions=MOST_REGIONS).linear_count, None
        window = Plane(window=((left, right), (bottom, top)))
        regions = plane_regions(net, window, max_regions=MOST_REGIONS)
    except TooManyRegions:
        return None, None
    if regions.count > MOST_DRAWN:
        return regions.linear_count, None
    return regions.linear_count, mosaic(net, Window(extent(settings)), regions, None)


@dataclass(frozen=True)
class Window:
    """What `mosaic` asks of settings."""

    extent: tuple[float, float, float, float]


def datasets(settings: Settings, curves: Any, use: int, points: int) -> tuple[Any, Any]:
    """X (curves * seeds, points, d), a block for each curve, and y (points,), which all share."""
    s = settings
    sets = [
        drawn(s, s.curve(name), use, seed, points)
        for name in curves
        for seed in range(s.seed, s.seed + s.seeds)
    ]
    return np.stack([X for X, _ in sets]), sets[0][1]


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


def cost(settings: Settings, depth: int, curves: int) -> float:
    """The time to train an ensemble, relative to others."""
    s = settings
    return float(s.seeds * curves * (1 + depth * (s.width + 60)) * s.epochs)


def total_cost(settings: Settings) -> float:
    s = settings
    stages = 2 * len(stage_names(s)) if s.curriculum else 0
    return sum(cost(s, depth, len(s.curves)) + stages * cost(s, depth, 1) for depth in s.depths)


def learn(settings: Settings, depth: int, advance: Advance = no_progress) -> Iterator[Row]:
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
    for number, name in enumerate(s.curves):
        block = slice(number * s.seeds, (number + 1) * s.seeds)
        bound = None
        if s.geometry.dimensions == 1:
            bound = error_lower_bound(s.curve(name), (s.width + 1) ** depth, s.geometry.maps)
        yield Row(
            name,
            depth,
            model.parameter_count,
            train_accuracy[block],
            test_accuracy[block],
            tuple(s.seed + int(each) for each in np.flatnonzero(bad[block])),
            pictures[number],
            bound,
        )


def first_pictures(settings: Settings, model: Model) -> list[Any]:
    """P(class 1) on the grid, by the network of the first seed for each curve."""
    s = settings
    points = picture_points(s, GRID)
    chunks = np.array_split(points, max(1, len(points) // 2000))
    logits = np.concatenate([model.predict(chunk)[:: s.seeds, :, 0] for chunk in chunks], axis=1)
    probabilities = np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
    return [as_picture(s, each) for each in probabilities]


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
        rows = [(X[:, : 3 * s.batch_size], 3), (X, TIMED_STEPS)]
        for part, _ in rows:
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
        # The first steps of a training are recorded, and slower.
        step = max(times[1] - times[0], 0.2 * times[1] / TIMED_STEPS) / (TIMED_STEPS - 3)
        total += step * s.epochs * s.steps_per_epoch
        if s.curriculum:
            share = 2 / len(s.curves)
            total += share * len(stage_names(s)) * step * s.epochs * s.steps_per_epoch
    return total

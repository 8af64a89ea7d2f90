"""Networks of several depths on two interleaved spirals: where depth helps, and why.

Each depth is trained on many seeds at once; a seed has its own data and its own first weights.

A gap between depths under gradient descent can have two causes: the shallow network cannot
represent the spirals, or gradient descent does not find how. So there are controls: the same
networks, with the same first weights and the same data, trained with Adam; and the shallowest
depth with as many parameters as a network of four layers, trained with Adam.

`--protocol chapter` repeats the experiment of a textbook chapter, number for number.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.datasets import chapter_spirals, spirals
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.figures import grid_points, window
from scratchnet.demos.spiral.settings import (
    CHAPTER_SEED,
    CHAPTER_TEST_NOISE,
    CHAPTER_TEST_POINTS,
    Settings,
    Training,
    trainings,
)
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.model import Model, mlp
from scratchnet.optim import SGD, Adam, Optimizer
from scratchnet.training import History, accuracy, evaluate_loss, fit

OPTIMIZERS: dict[str, Callable[[Model, float], Optimizer]] = {"sgd": SGD, "adam": Adam}

GRID = 150
FRAME_GRID = 100
POINTS_AT_ONCE = 2500

# A seed's data come from streams of their own, beside those that its network draws from.
TRAINING_DATA, TEST_DATA = 3, 4


@dataclass(frozen=True, eq=False)
class Row:
    """What became of an ensemble. A network that diverged has accuracies and a loss of NaN."""

    training: Training
    parameters: int
    train_accuracy: Any
    test_accuracy: Any
    final_loss: Any
    """On the training data, (seeds,) as the accuracies are."""
    loss: Any
    """(epochs, seeds), each before its step."""
    probabilities: Any
    """P(class 1) on the grid of the result's window, (GRID, GRID), by the first seed's network."""
    diverged: dict[int, str]
    """By number in the ensemble, when and where the loss stopped being finite."""
    seconds: float
    network: Model
    """The first seed's, trained."""
    frames: list[tuple[int, Any]]
    """Epochs and P(class 1) after them, as `probabilities` but (FRAME_GRID, FRAME_GRID)."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rows: tuple[Row, ...]
    """One for each depth, in the order asked for."""
    controls: tuple[Row, ...]
    unfinished: tuple[Training, ...]
    """What Ctrl-C kept from being trained to its end."""
    X: Any
    y: Any
    """The training data of the first seed, (points, 2) and (points,)."""
    extent: tuple[float, float, float, float]


def run(settings: Settings, advance: Advance = no_progress, frames: int = 0) -> Result:
    """Train every depth and the controls. Ctrl-C ends the training and keeps what was finished.

    So many `frames` of each depth's training are kept, for a moving picture.

    Raises `KeyboardInterrupt` where that is nothing, `InputError` for settings out of range.
    """
    data = datasets(settings)
    X, y = data[0][0], data[1]
    extent = window(X)
    main, controls = trainings(settings)
    rows: list[Row] = []
    try:
        for training in (*main, *controls):
            kept = frames if training in main else 0
            rows.append(train(settings, training, data, extent, advance, kept))
    except KeyboardInterrupt:
        if not rows:
            raise
    return Result(
        settings,
        rows=tuple(rows[: len(main)]),
        controls=tuple(rows[len(main) :]),
        unfinished=(*main, *controls)[len(rows) :],
        X=X,
        y=y,
        extent=extent,
    )


def datasets(settings: Settings) -> tuple[Any, Any, Any, Any]:
    """X (seeds, points, 2) and y (points,) to train on, then the same to test on.

    The classes stand in the same order for all seeds, so that they share y.
    """
    s = settings
    if s.protocol == "chapter":
        X, y = chapter_spirals(s.points, s.noise, CHAPTER_SEED)
        X_test, y_test = chapter_spirals(CHAPTER_TEST_POINTS, CHAPTER_TEST_NOISE, CHAPTER_SEED)
        return X[None], y, X_test[None], y_test

    def arms(seed: int, use: int) -> tuple[Any, Any]:
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
        return spirals(s.points, s.turns, s.noise, generator)

    seeds = range(s.seed, s.seed + s.seeds)
    training, test = ([arms(seed, use) for seed in seeds] for use in (TRAINING_DATA, TEST_DATA))
    y = training[0][1]
    return np.stack([X for X, _ in training]), y, np.stack([X for X, _ in test]), y


def build(settings: Settings, training: Training, ensemble: int | None) -> Model:
    """The networks before training. Weights come from He's distribution, and biases are zero.

    The chapter starts NumPy's legacy generator anew for each network, and draws layer by layer.
    """
    widths = [2, *[training.width] * training.depth, 1]
    if settings.protocol == "standard":
        backend = get_backend(settings.backend, settings.precision)
        return mlp(widths, seed=settings.seed, ensemble=ensemble, backend=backend)
    legacy = np.random.RandomState(CHAPTER_SEED)

    def he_normal(_: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        return legacy.randn(fan_in, fan_out) * np.sqrt(2.0 / fan_in)

    return mlp(
        widths, init=he_normal, ensemble=ensemble, dtype=settings.dtype, backend=settings.backend
    )


def train(
    settings: Settings,
    training: Training,
    data: tuple[Any, Any, Any, Any],
    extent: tuple[float, float, float, float],
    advance: Advance,
    frames: int = 0,
) -> Row:
    """Train one ensemble, full batch, on binary cross-entropy. Raises `KeyboardInterrupt`."""
    X, y, X_test, y_test = data
    X, X_test = X[: training.seeds], X_test[: training.seeds]
    model = build(settings, training, training.seeds)
    first = build(settings, training, None)
    film: list[tuple[int, Any]] = []
    epochs_to_keep = set(frame_epochs(training.epochs, frames))

    def keep_frame(epoch: int, *_: Any) -> None:
        if epoch in epochs_to_keep:
            first.load_state_dict(model.state_dict(network=0))
            film.append((epoch + 1, class_probabilities(first, extent, FRAME_GRID)))

    advance(0, note=str(training))
    with warnings.catch_warnings():
        # The report names each network that diverged, with its depth.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            X,
            y,
            optimizer=OPTIMIZERS[training.optimizer](model, training.learning_rate),
            epochs=training.epochs,
            callbacks=[lambda *_: advance(step_cost(training)), keep_frame],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance((training.epochs - history.epochs) * step_cost(training))
        with np.errstate(over="ignore", invalid="ignore"):
            final_loss = evaluate_loss(model, X, y, "binary_cross_entropy").astype(np.float64)
            train_accuracy, test_accuracy = accuracy(model, X, y), accuracy(model, X_test, y_test)
            first.load_state_dict(model.state_dict(network=0))
            probabilities = class_probabilities(first, extent, GRID)
    diverged = divergences(history, final_loss)
    for values in (train_accuracy, test_accuracy, final_loss):
        values[list(diverged)] = math.nan
    return Row(
        training,
        model.parameter_count,
        train_accuracy,
        test_accuracy,
        final_loss,
        history.loss,
        probabilities,
        diverged,
        history.seconds,
        first,
        film,
    )


def step_cost(training: Training) -> float:
    """The time of a step relative to others: a step touches every neuron of every network."""
    return float((training.depth * training.width + 1) * training.seeds)


def class_probabilities(
    network: Model, extent: tuple[float, float, float, float], grid: int
) -> Any:
    """P(class 1) over the window, (grid, grid)."""
    parts = np.array_split(grid_points(extent, grid), -(-(grid**2) // POINTS_AT_ONCE))
    logits = np.concatenate([network.predict(part)[:, 0] for part in parts]).astype(np.float64)
    return np.exp(-np.logaddexp(0, -logits)).reshape(grid, grid)


def divergences(history: History, final_loss: Any) -> dict[int, str]:
    """The networks of an ensemble whose loss stopped being finite, and when and where."""
    last = dict.fromkeys(np.flatnonzero(~np.isfinite(final_loss)).tolist(), "in the last step")
    seen = {each.network: f"at epoch {each.epoch}, in {each.layer}" for each in history.diverged}
    return last | seen

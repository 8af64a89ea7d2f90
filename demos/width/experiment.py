"""The same number of parameters as one wide layer or as several narrow ones, target by target.

A seed has its own data, and its own first weights for each depth. Each network is trained on the
whole training set with two learning rates; which one counts, and which of the deeper networks is
compared with the shallow one, is chosen by the mean loss over seeds on validation data, so that the
test data play no part in it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.demos.width.settings import (
    LOSSES,
    RATES,
    Settings,
    Training,
    is_curve,
    size_of,
    trainings,
)
from scratchnet.depth.targets import get_target
from scratchnet.model import Model, mlp
from scratchnet.optim import SGD, Adam, Optimizer
from scratchnet.schedules import cosine
from scratchnet.training import fit

OPTIMIZERS: dict[str, Callable[[Model, Any], Optimizer]] = {"sgd": SGD, "adam": Adam}

# A seed's data and biases come from streams of their own, beside that of its network's weights.
TRAINING_DATA, TEST_DATA, BIASES, VALIDATION_DATA = 3, 4, 5, 6
REFERENCE_SAMPLES = 1024


@dataclass(frozen=True, eq=False)
class Split:
    """X (networks, N, inputs) and y (networks, N, 1), float32; targets first, then their seeds."""

    X: Any
    y: Any


@dataclass(frozen=True, eq=False)
class Row:
    """What one depth made of one target: the ensemble's seeds with the rate that was chosen."""

    target: str
    task: str
    optimizer: str
    depth: int
    width: int
    parameters: int
    rate: float
    validation: Any
    """Error (seeds,), as `test`: mean squared error in units of the target's variance, or the
    share of samples in the wrong class. Infinite where a network diverged."""
    test: Any
    seconds: float
    """Of the ensemble, both rates, shared among its targets."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rows: tuple[Row, ...]
    unfinished: int
    """How many trainings Ctrl-C kept from being done."""


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Train everything. Ctrl-C ends the training and keeps the depths that had all their rates.

    Raises `KeyboardInterrupt` where that is nothing, `InputError` for settings out of range.
    """
    plan = trainings(settings)
    tried: dict[tuple[Any, ...], list[Row]] = {}
    data: dict[Any, tuple[Split, Split, Split]] = {}
    done = 0
    try:
        for training in plan:
            key = training.targets, training.task
            if key not in data:
                data = {key: datasets(settings, *key)}
            for row in train(settings, training, data[key], advance):
                name = row.task, row.target, row.optimizer, row.depth
                tried.setdefault(name, []).append(row)
            done += 1
    except KeyboardInterrupt:
        tried = {
            name: rows
            for name, rows in tried.items()
            if len(rows) == len(RATES[rows[0].task, rows[0].optimizer])
        }
        if not tried:
            raise
    return Result(settings, tuple(map(best_rate, tried.values())), len(plan) - done)


def best_rate(rows: list[Row]) -> Row:
    """The row with the smallest mean error on validation data."""
    best = min(rows, key=lambda row: float(np.mean(row.validation)))
    return Row(**{**vars(best), "seconds": sum(row.seconds for row in rows)})


def datasets(settings: Settings, targets: tuple[str, ...], task: str) -> tuple[Split, Split, Split]:
    """To train on, to choose on, and to test on; a complete table serves for all three."""
    size = size_of(targets[0])

    def split(use: int, samples: int) -> Split:
        drawn = [
            samples_of(name, task, samples, seed, use)
            for name in targets
            for seed in range(settings.seed, settings.seed + settings.seeds)
        ]
        X, y = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
        return Split(X, y[..., None])

    learn = split(TRAINING_DATA, size.train)
    if get_target(targets[0]).complete:
        return learn, learn, learn
    return learn, split(VALIDATION_DATA, size.held_out), split(TEST_DATA, size.held_out)


def samples_of(name: str, task: str, samples: int, seed: int, use: int) -> tuple[Any, Any]:
    """X (N, inputs) and y (N,), float32: the target with mean 0 and variance 1, or a class.

    A curve's classes are the points of the plane below it (1) and above (0), with ordinates that
    are uniform between its lowest and its highest; the others' are where the target is above 0.
    """
    target = get_target(name)
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
    X = target.sample(samples, generator)
    f, reference = target.function(X), reference_values(name)
    mean, deviation = reference.mean(), reference.std()
    if task == "regression":
        return X.astype(np.float32), ((f - mean) / deviation).astype(np.float32)
    if not is_curve(name):
        return X.astype(np.float32), (f > 0).astype(np.float32)
    height = generator.uniform(reference.min(), reference.max(), samples)
    plane = np.column_stack([X[:, 0], (height - mean) / deviation])
    return plane.astype(np.float32), (height < f).astype(np.float32)


@cache
def reference_values(name: str) -> Any:
    """The target at inputs that are the same for all seeds: its mean, variance and range."""
    target = get_target(name)
    return target.function(target.sample(REFERENCE_SAMPLES, np.random.default_rng(0)))


def build(settings: Settings, training: Training) -> Model:
    """The networks before training: those of each target are the same, with the run's seeds.

    Weights are He's; biases are uniform within 1 / sqrt(fan_in). If all biases were 0, all ReLUs
    of a single input would bend at 0. One wide layer, whose weights move little, would then learn
    slowly, which tells of that start and not of its capacity.
    """
    t, s = training, settings
    widths = [t.inputs, *[t.width] * t.depth, 1]
    first = mlp(widths, seed=s.seed, ensemble=t.seeds, backend=s.backend)
    state, fan_ins = first.state_dict(), iter(widths)
    generators = [
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(BIASES,)))
        for seed in first.seeds
    ]
    for name, values in state.items():
        if name.endswith("bias"):
            limit = 1 / math.sqrt(next(fan_ins))
            state[name] = np.stack(
                [rng.uniform(-limit, limit, values.shape[1:]) for rng in generators]
            )
    model = mlp(widths, seed=s.seed, ensemble=t.networks, backend=s.backend)
    copies = len(t.targets)
    model.load_state_dict(
        {
            name: np.tile(values, (copies, *[1] * (values.ndim - 1)))
            for name, values in state.items()
        }
    )
    return model


def train(
    settings: Settings,
    training: Training,
    data: tuple[Split, Split, Split],
    advance: Advance,
) -> list[Row]:
    """Train one ensemble, full batch; a row for each of its targets."""
    t = training
    learn, choose, test = data
    model = build(settings, t)
    advance(0, note=str(t))
    per_step = t.cost / t.steps
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # A network that diverged has an infinite error, which the report names.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            learn.X,
            learn.y,
            loss=LOSSES[t.task],
            optimizer=OPTIMIZERS[t.optimizer](model, cosine(t.rate, t.steps)),
            epochs=t.steps,
            callbacks=[lambda *_: advance(per_step)],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance((t.steps - history.epochs) * per_step)
        validation = errors(model, t.task, choose)
        tested = validation if test is choose else errors(model, t.task, test)
    by_target = (len(t.targets), t.seeds)
    return [
        Row(
            name,
            t.task,
            t.optimizer,
            t.depth,
            t.width,
            model.parameter_count,
            t.rate,
            chosen_by,
            measured,
            history.seconds / len(t.targets),
        )
        for name, chosen_by, measured in zip(
            t.targets, validation.reshape(by_target), tested.reshape(by_target), strict=True
        )
    ]


def errors(model: Model, task: str, split: Split) -> Any:
    """(networks,): mean squared error, or the share of wrong classes; infinite for NaN."""
    outputs = model.predict(split.X).astype(np.float64)
    wrong = (
        (outputs - split.y) ** 2
        if task == "regression"
        else ((outputs > 0) != (split.y > 0.5)).astype(float)
    )
    wrong[~np.isfinite(outputs)] = math.inf
    return wrong.mean(axis=(1, 2))

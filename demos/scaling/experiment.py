"""Test loss against parameters, data and compute, on a task that is known: a teacher network.

The teacher is a network with fixed random weights; inputs are normal, and a target is what the
teacher puts out, with mean 0 and variance 1. So the loss has no noise to stop at, and data are
unlimited in principle. A seed has its own inputs and its own first weights.

Two series are trained: networks of growing size on the largest training set, and networks of one
size on growing parts of that set. Now and then during training the loss is measured; a network
counts at the moment of its smallest validation loss. The points of the compute curve are moments
too: the one with the smallest validation loss among all that cost no more.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.demos.scaling.settings import (
    BATCH,
    DEPTH,
    HELD_OUT,
    INPUTS,
    LEARNING_RATE,
    TEACHER_GAIN,
    TEACHER_SEED,
    TEACHER_WIDTH,
    Settings,
)
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.budget import mlp_for_budget
from scratchnet.depth.scaling import FLOP_PER_PARAMETER_AND_SAMPLE, Fit, fit_power_law
from scratchnet.evaluation import evaluate_loss
from scratchnet.model import Model, mlp
from scratchnet.optim import Adam
from scratchnet.schedules import cosine
from scratchnet.training import fit

TRAINING_DATA, TEST_DATA, VALIDATION_DATA = 3, 4, 6
LOOKS = 16
COMPUTE_POINTS = 10


@dataclass(frozen=True, eq=False)
class Data:
    """X (seeds, N, inputs) and y (seeds, N, 1), float32, for each use."""

    train: tuple[Any, Any]
    validation: tuple[Any, Any]
    test: tuple[Any, Any]


@dataclass(frozen=True, eq=False)
class Trained:
    """An ensemble and its losses at some moments: (moments, seeds)."""

    parameters: int
    width: int
    samples: int
    seen: Any
    """Samples seen by the optimizer until then, (moments,)."""
    validation: Any
    test: Any
    seconds: float

    @property
    def best(self) -> Any:
        """The test loss (seeds,) at the moment of each network's smallest validation loss."""
        moment = np.argmin(np.nan_to_num(self.validation, nan=np.inf), axis=0)
        return self.test[moment, np.arange(self.test.shape[1])]

    @property
    def compute(self) -> Any:
        """6 N times the samples seen: floating-point operations of one network, (moments,)."""
        return FLOP_PER_PARAMETER_AND_SAMPLE * self.parameters * self.seen


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses (sizes, seeds) against a quantity, and the law fitted to them."""

    quantity: str
    sizes: Any
    losses: Any
    law: Fit | None
    why_none: str = ""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    by_parameters: tuple[Trained, ...]
    by_samples: tuple[Trained, ...]
    curves: tuple[Curve, ...]
    unfinished: int


def teacher_values(X: Any) -> Any:
    """The teacher's output for X (N, inputs), with mean 0 and variance 1, float32 (N, 1)."""

    def weights(generator: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        return generator.standard_normal((fan_in, fan_out)) * TEACHER_GAIN / math.sqrt(fan_in)

    widths = [INPUTS, TEACHER_WIDTH, TEACHER_WIDTH, 1]
    teacher = mlp(widths, "tanh", weights, seed=TEACHER_SEED, backend="numpy")
    reference = teacher.predict(np.random.default_rng(0).standard_normal((4096, INPUTS)))
    return (teacher.predict(X) - reference.mean()) / reference.std()


def datasets(settings: Settings) -> Data:
    """The data of all seeds."""
    s = settings

    def drawn(use: int, samples: int) -> tuple[Any, Any]:
        generators = (
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(use,)))
            for seed in range(s.seed, s.seed + s.seeds)
        )
        X = np.stack([g.standard_normal((samples, INPUTS), dtype=np.float32) for g in generators])
        return X, np.stack([teacher_values(each) for each in X])

    return Data(
        drawn(TRAINING_DATA, s.most_samples),
        drawn(VALIDATION_DATA, HELD_OUT),
        drawn(TEST_DATA, HELD_OUT),
    )


def plan(settings: Settings) -> list[tuple[int, int]]:
    """(parameters asked for, samples) of every ensemble: the first series, then the second."""
    s = settings
    first = [(size, s.most_samples) for size in sorted(s.parameters)]
    return first + [(s.data_parameters, samples) for samples in sorted(s.samples)]


def cost(settings: Settings, parameters: int, samples: int) -> float:
    """About the time of a training relative to others."""
    return settings.steps * (settings.seeds * min(BATCH, samples) * (parameters + 400) + 3e5)


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Train both series and fit. Ctrl-C keeps what was finished, where that is enough for a fit.

    Raises `KeyboardInterrupt` where it is not even one ensemble.
    """
    data = datasets(settings)
    wanted = plan(settings)
    done: list[Trained] = []
    try:
        for parameters, samples in wanted:
            done.append(train(settings, parameters, samples, data, advance))
    except KeyboardInterrupt:
        if not done:
            raise
    split = len(settings.parameters)
    return Result(
        settings,
        tuple(done[:split]),
        tuple(done[split:]),
        tuple(curves(done[:split], done[split:])),
        len(wanted) - len(done),
    )


def train(
    settings: Settings, parameters: int, samples: int, data: Data, advance: Advance
) -> Trained:
    """Train one ensemble in mini-batches with Adam, and look at its losses now and then."""
    s = settings
    model: Model
    width, model = mlp_for_budget(
        parameters, DEPTH, INPUTS, seed=s.seed, ensemble=s.seeds, backend=s.backend
    )
    X, y = (each[:, :samples] for each in data.train)
    per_epoch = math.ceil(samples / BATCH)
    epochs = max(1, s.steps // per_epoch)
    looks = set(np.unique(np.geomspace(1, epochs, LOOKS).round().astype(int)).tolist())
    seen, losses = [], []
    advance(0, note=f"{model.parameter_count:,} parameters, {samples:,} samples")
    share = cost(s, parameters, samples) / epochs

    def look(epoch: int, *_: Any) -> None:
        advance(share)
        if epoch + 1 in looks:
            seen.append((epoch + 1) * samples)
            losses.append(
                [
                    evaluate_loss(model, *each, "mean_squared_error")
                    for each in (data.validation, data.test)
                ]
            )

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            X,
            y,
            loss="mean_squared_error",
            optimizer=Adam(model, cosine(LEARNING_RATE, epochs * per_epoch)),
            epochs=epochs,
            batch_size=min(BATCH, samples),
            callbacks=[look],
        )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    validation, test = np.moveaxis(np.array(losses, np.float64), 1, 0)
    return Trained(
        model.parameter_count, width, samples, np.array(seen), validation, test, history.seconds
    )


def curves(by_parameters: Sequence[Trained], by_samples: Sequence[Trained]) -> list[Curve]:
    """Loss against each quantity, with its fit."""
    found = [
        fitted("parameters", [(each.parameters, each.best) for each in by_parameters]),
        fitted("samples", [(each.samples, each.best) for each in by_samples]),
    ]
    return [*found, fitted("compute", frontier(by_parameters))]


def frontier(trained: Sequence[Trained]) -> list[tuple[float, Any]]:
    """(compute, test losses): the best moment among those that cost no more, at growing budgets.

    The best has the smallest geometric mean of the validation losses; all of them are finite. A
    budget at which the best moment is that of the last one is left out.
    """
    moments = [
        (compute, float(np.log(validation).mean()), test)
        for each in trained
        for compute, validation, test in zip(each.compute, each.validation, each.test, strict=True)
        if np.isfinite(validation).all()
    ]
    if not moments:
        return []
    costs = [compute for compute, *_ in moments]
    found: list[tuple[float, Any]] = []
    for budget in np.geomspace(min(costs), max(costs), COMPUTE_POINTS):
        affordable = [each for each in moments if each[0] <= budget * (1 + 1e-9)]
        compute, _, test = min(affordable, key=lambda each: each[1])
        if not found or compute > found[-1][0]:
            found.append((compute, test))
    return found


def fitted(quantity: str, points: Sequence[tuple[float, Any]]) -> Curve:
    """The curve through the points, with a law where one can be fitted."""
    sizes = np.array([size for size, _ in points], np.float64)
    losses = np.array([loss for _, loss in points], np.float64)
    if not points:
        return Curve(quantity, sizes, losses, None, "no training was finished with finite losses")
    finite = np.isfinite(losses).all(axis=0)
    if not finite.any():
        return Curve(quantity, sizes, losses, None, "networks of every seed diverged")
    try:
        return Curve(quantity, sizes, losses, fit_power_law(sizes, losses[:, finite]))
    except InputError as error:
        return Curve(quantity, sizes, losses, None, str(error))

"""Networks of up to 64 layers on two spirals: training accuracy, first gradients, and time.

Accuracy is that on the training data. A deeper network could represent what a shallower one does,
so where its training accuracy is lower, training failed, and neither capacity nor overfitting is to
blame: this is the degradation that He et al. (2016) found and cured with residual blocks.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.batches import checked_data
from scratchnet.demos.depth_limits.settings import (
    COSTS,
    Network,
    Settings,
    build,
    networks,
)
from scratchnet.demos.seeded_data import Data, load
from scratchnet.demos.step_times import QUICK_ROUNDS, ROUNDS, step_times
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.losses import get_loss
from scratchnet.model import Model
from scratchnet.optim import Adam
from scratchnet.schedules import constant, linear_warmup
from scratchnet.training import fit

LOSS = "binary_cross_entropy"


@dataclass(frozen=True, eq=False)
class Row:
    """What became of the networks of one kind and depth; arrays are over the seeds."""

    network: Network
    parameters: int
    first_gradient: Any
    """|dL/dW_1| before the first step, NaN where it is not finite."""
    accuracy: Any
    """On the training data, NaN for a network that diverged."""
    final_loss: Any
    diverged: dict[int, int]
    """By number in the ensemble, the epoch (from 1) whose loss was not finite."""

    @property
    def all_diverged(self) -> bool:
        return len(self.diverged) == len(self.accuracy)


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rows: list[Row]
    unfinished: list[Network]
    times: dict[tuple[str, int], Any] = field(default_factory=dict)
    """Seconds (rounds,) of a training step of all seeds, by kind and layers."""

    def find(self, kind: str, layers: int, switched: bool = False) -> Row | None:
        for row in self.rows:
            if row.network == Network(kind, layers, switched):
                return row
        return None


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Time and train all networks.

    Ctrl-C keeps what was trained, and is raised where that is nothing.
    """
    planned = networks(settings)
    data = load("spirals", settings.points, settings.seed, settings.seeds)
    times = measure_times(settings, data, advance)
    rows: list[Row] = []
    try:
        for network in planned:
            rows.append(train(settings, network, data, advance))
    except KeyboardInterrupt:
        if not rows:
            raise
    return Result(settings, rows, planned[len(rows) :], times)


def measure_times(settings: Settings, data: Data, advance: Advance) -> dict[tuple[str, int], Any]:
    """Times of the kinds side by side, where there is a plain network to compare them with."""
    s = settings
    found: dict[tuple[str, int], Any] = {}
    for layers in sorted(s.layers) if "plain" in s.kinds and len(s.kinds) > 1 else ():
        advance(0, note=f"timing, {layers} layers")
        optimizers = {
            (each.kind, layers): Adam(build(s, each), s.learning_rate)
            for each in networks(s)
            if each.layers == layers and not each.switched
        }
        found |= step_times(optimizers, data, QUICK_ROUNDS if s.quick else ROUNDS)
    return found


def cost(settings: Settings, network: Network) -> float:
    """The time of a network relative to others, about."""
    return COSTS[network.kind] * network.layers * settings.epochs


def train(settings: Settings, network: Network, data: Data, advance: Advance) -> Row:
    """Train one ensemble with Adam, full batch. Raises `KeyboardInterrupt`."""
    s = settings
    advance(0, note=str(network))
    model = build(s, network)
    gradient = first_gradient(model, data)
    rate: Any = s.learning_rate
    if network.switched and s.warmup is not None:
        rate = linear_warmup(constant(s.learning_rate), s.warmup)
    step = cost(s, network) / s.epochs
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        # The report names what diverged.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            data.X,
            data.y,
            loss=LOSS,
            optimizer=Adam(model, rate),
            epochs=s.epochs,
            clip_norm=s.clip if network.switched else None,
            callbacks=[lambda *_: advance(step)],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance((s.epochs - history.epochs) * step)
        final = np.array(evaluate_loss(model, data.X, data.y, LOSS), np.float64)
        reached = accuracy(model, data.X, data.y)
    epochs = {each.network: each.epoch + 1 for each in history.diverged}
    for each in np.flatnonzero(~np.isfinite(final)).tolist():
        epochs.setdefault(each, s.epochs + 1)
    reached[list(epochs)] = final[list(epochs)] = math.nan
    return Row(
        network,
        model.parameter_count,
        gradient,
        reached,
        final,
        epochs,
    )


def first_gradient(model: Model, data: Data) -> Any:
    """|dL/dW_1| of each network on the whole training set, in training mode, (seeds,)."""
    compute_loss = get_loss(LOSS)
    model.train()
    with np.errstate(over="ignore", invalid="ignore"):
        inputs, targets = checked_data(model, data.X, data.y, compute_loss)
        compute_loss(model(inputs), targets).sum().backward()
    weight = model.parameters()[0]
    gradient = np.array(model.backend.to_numpy(weight.grad), np.float64)
    norms = np.sqrt(np.square(gradient).sum(axis=(-2, -1)))
    return np.where(np.isfinite(norms), norms, math.nan)

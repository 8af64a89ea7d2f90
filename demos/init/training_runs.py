"""Training with each rule for initial weights: what learns, what becomes NaN, what only stalls.

All rules of one activation are trained side by side, in one ensemble: they differ in their first
weights alone. A seed gives all of them the same data and the same random numbers.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.datasets import spirals
from scratchnet.demos.init.settings import RULES, Settings
from scratchnet.demos.terminal import Advance
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.model import mlp
from scratchnet.optim import SGD
from scratchnet.training import fit

WIDTHS = (2, *[32] * 8, 1)
POINTS, TURNS, NOISE = 200, 0.75, 0.02
LEARNING_RATE = 0.05

CONSTANT_GUESS = math.log(2)
"""The loss of answering 1/2 to everything, for two classes of the same size."""
STALLED = 0.95
"""A finite loss above this share of it is no progress."""

DATA = 3


@dataclass(frozen=True, eq=False)
class Training:
    """What became of the networks of one rule and activation."""

    rule: str
    activation: str
    loss: Any
    """(epochs, seeds), NaN from where a network diverged."""
    final_loss: Any
    accuracy: Any
    """On the training data, (seeds,); NaN for a network that diverged."""
    diverged: dict[int, int]
    """By number of the seed in the run, the epoch (from 1) whose loss was not finite."""

    @property
    def seeds(self) -> int:
        return len(self.accuracy)

    @property
    def stalled(self) -> list[int]:
        """The networks whose final loss is finite and that of a constant guess, or worse."""
        kept = [each for each in range(self.seeds) if each not in self.diverged]
        return [each for each in kept if self.final_loss[each] > STALLED * CONSTANT_GUESS]

    @property
    def learned(self) -> list[int]:
        gone = {*self.diverged, *self.stalled}
        return [each for each in range(self.seeds) if each not in gone]


def train(settings: Settings, activation: str, advance: Advance) -> list[Training]:
    """Train all rules with one activation. Raises `KeyboardInterrupt`."""
    s, rules = settings, settings.rules
    X, y = data(s)
    X = np.concatenate([X] * len(rules))
    model = mlp(WIDTHS, activation, ensemble=len(rules) * s.seeds, backend=s.backend)
    for number, rule in enumerate(rules):
        own = slice(number * s.seeds, (number + 1) * s.seeds)
        model.parameter_buffer[own] = mlp(
            WIDTHS,
            activation,
            RULES[rule].initializer,
            seed=s.seed,
            ensemble=s.seeds,
            backend=s.backend,
        ).parameter_buffer
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        # The report says of each rule which networks diverged, and when.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            X,
            y,
            optimizer=SGD(model, LEARNING_RATE),
            epochs=s.epochs,
            callbacks=[lambda *_: advance()],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance(s.epochs - history.epochs)
        final = evaluate_loss(model, X, y, "binary_cross_entropy").astype(np.float64)
        reached = accuracy(model, X, y)
    epochs = {each.network: each.epoch + 1 for each in history.diverged}
    # The last step may be the one that breaks a network: its loss is then seen only now.
    for network in np.flatnonzero(~np.isfinite(final)).tolist():
        epochs.setdefault(network, s.epochs + 1)
    reached[list(epochs)] = final[list(epochs)] = math.nan
    return [
        Training(
            rule,
            activation,
            history.loss[:, number * s.seeds : (number + 1) * s.seeds],
            final[number * s.seeds : (number + 1) * s.seeds],
            reached[number * s.seeds : (number + 1) * s.seeds],
            {n - number * s.seeds: e for n, e in epochs.items() if n // s.seeds == number},
        )
        for number, rule in enumerate(rules)
    ]


def data(settings: Settings) -> tuple[Any, Any]:
    """X (seeds, POINTS, 2), points of its own for each seed, and the labels that they share."""
    drawn = [
        spirals(
            POINTS,
            TURNS,
            NOISE,
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(DATA,))),
        )
        for seed in range(settings.seed, settings.seed + settings.seeds)
    ]
    return np.stack([X for X, _ in drawn]), drawn[0][1]

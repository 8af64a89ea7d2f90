"""Networks of one shape, one for each seed, trained side by side: as demos compare them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.seeded_data import Data
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.model import Model, mlp
from scratchnet.optim import SGD, Adam, Optimizer
from scratchnet.training import fit

OPTIMIZERS: dict[str, Callable[[Model, float], Optimizer]] = {"sgd": SGD, "adam": Adam}
OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam"}

# What batch normalisation makes of the time of a step, about.
BATCH_NORM_COST = 2.5


@dataclass(frozen=True)
class Training:
    """What to train on a dataset: `depth` hidden layers of `width` ReLUs, full batch."""

    dataset: str
    depth: int
    width: int
    optimizer: str
    learning_rate: float
    epochs: int
    batch_norm: bool = False
    skip: bool = False
    """Skip connections around all hidden layers but the first, which changes the width."""

    @property
    def variant(self) -> str:
        """Such as `plain` or `batch norm + skip`."""
        parts = [name for name, on in (("batch norm", self.batch_norm), ("skip", self.skip)) if on]
        return " + ".join(parts) or "plain"

    @property
    def cost(self) -> float:
        """About the time it takes relative to others, which progress bars need."""
        step = self.depth * self.width * (BATCH_NORM_COST if self.batch_norm else 1.0) + 1
        return step * self.epochs

    def __str__(self) -> str:
        variant = "" if self.variant == "plain" else f", {self.variant}"
        return f"{self.dataset}, depth {self.depth}{variant}"


@dataclass(frozen=True, eq=False)
class Trained:
    """What became of an ensemble; arrays have one entry for each seed.

    A network whose loss stopped being finite has accuracies of NaN.
    """

    training: Training
    parameters: int
    """Of one network."""
    train_accuracy: Any
    test_accuracy: Any
    final_loss: Any
    diverged: dict[int, str]
    """By number in the ensemble, when and where the loss stopped being finite."""
    seconds: float


def build(
    training: Training, data: Data, seed: int, ensemble: int | None, backend: str = "auto"
) -> Model:
    """The networks before training, from He's distribution, with the seeds from `seed` on."""
    return mlp(
        [data.inputs, *[training.width] * training.depth, data.outputs],
        batch_norm=training.batch_norm,
        residual=training.skip,
        residual_scale=1.0 if training.skip else None,
        seed=seed,
        ensemble=ensemble,
        backend=backend,
    )


def train(model: Model, training: Training, data: Data, advance: Advance = no_progress) -> Trained:
    """Train the ensemble on its data. Raises `KeyboardInterrupt` where Ctrl-C ended it early."""
    advance(0, note=str(training))
    per_epoch = training.cost / training.epochs
    with warnings.catch_warnings():
        # Reports name the networks that diverged.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            model,
            data.X,
            data.y,
            loss=data.loss,
            optimizer=OPTIMIZERS[training.optimizer](model, training.learning_rate),
            epochs=training.epochs,
            callbacks=[lambda *_: advance(per_epoch)],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance((training.epochs - history.epochs) * per_epoch)
        with np.errstate(over="ignore", invalid="ignore"):
            final_loss = np.array(evaluate_loss(model, data.X, data.y, data.loss), np.float64)
            train_accuracy = accuracy(model, data.X, data.y)
            test_accuracy = accuracy(model, data.X_test, data.y_test)
    last = dict.fromkeys(np.flatnonzero(~np.isfinite(final_loss)).tolist(), "in the last step")
    seen = {each.network: f"at epoch {each.epoch}, in {each.layer}" for each in history.diverged}
    diverged = last | seen
    for values in (train_accuracy, test_accuracy, final_loss):
        values[list(diverged)] = math.nan
    return Trained(
        training,
        model.parameter_count,
        train_accuracy,
        test_accuracy,
        final_loss,
        diverged,
        history.seconds,
    )

"""How long training steps take: models in turns, so that ratios of their times can be trusted.

Times of trainings one after another would tell as much of what else the machine did meanwhile.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np

from scratchnet.backends import Array
from scratchnet.batches import checked_data
from scratchnet.demos.seeded_data import Data
from scratchnet.demos.timing import Contestant, interleaved
from scratchnet.losses import Loss, get_loss
from scratchnet.optim import Optimizer
from scratchnet.program import recorded
from scratchnet.tensor import Tensor

Key = TypeVar("Key", bound=Hashable)

ROUNDS, QUICK_ROUNDS = 9, 5


def step_times(optimizers: Mapping[Key, Optimizer], data: Data, rounds: int) -> dict[Key, Any]:
    """Seconds (rounds,) of a recorded step of each optimizer's model on all of the training data.

    On NumPy they are processor time, on CUDA the device's. The models are trained by it.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Some of them may overflow, which training reports.
        warnings.simplefilter("ignore", RuntimeWarning)
        contestants = [
            Contestant(str(number), data_step(each, data), timer=each.model.backend.timer)
            for number, each in enumerate(optimizers.values())
        ]
        by_processor = all(each.model.backend.name == "numpy" for each in optimizers.values())
        turns = interleaved(contestants, rounds, lambda: None, by_processor=by_processor)
    return dict(zip(optimizers, turns.seconds.values(), strict=True))


def data_step(optimizer: Optimizer, data: Data) -> Callable[[], Tensor]:
    """A function that makes one recorded step on all of the training data; returns the loss."""
    compute_loss = get_loss(data.loss)
    inputs, targets = checked_data(optimizer.model, data.X, data.y, compute_loss)
    optimizer.model.train()
    return training_step(optimizer, inputs, targets, compute_loss)


def training_step(
    optimizer: Optimizer,
    inputs: Tensor,
    targets: Array,
    compute_loss: Loss,
    is_recorded: bool = True,
) -> Callable[[], Tensor]:
    """A function that makes one step on these samples, always the same; returns the loss."""
    model = optimizer.model

    def on_device() -> Tensor:
        loss = compute_loss(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    run: Any = recorded(on_device, model) if is_recorded else on_device

    def step() -> Tensor:
        optimizer.prepare()
        loss: Tensor = run()
        return loss

    return step

"""How long a training step takes: the kinds of one depth in turns, so that ratios can be trusted.

Times of trainings one after another would tell as much of what else the machine did meanwhile.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.batches import checked_data
from scratchnet.demos.depth_limits.settings import Settings, build, networks
from scratchnet.demos.seeded_data import Data
from scratchnet.demos.terminal import Advance
from scratchnet.demos.timing import Contestant, interleaved
from scratchnet.losses import binary_cross_entropy
from scratchnet.model import Model
from scratchnet.optim import Adam
from scratchnet.program import recorded
from scratchnet.tensor import Tensor

Times = dict[tuple[str, int], Any]
"""Seconds (rounds,) of a step of all seeds, by kind and layers; NumPy's are processor time."""

ROUNDS, QUICK_ROUNDS = 9, 5


def measure_times(settings: Settings, data: Data, advance: Advance) -> Times:
    """Times of the kinds side by side, where there is a plain network to compare them with."""
    s, found = settings, Times()
    for layers in sorted(s.layers) if "plain" in s.kinds and len(s.kinds) > 1 else ():
        advance(0, note=f"timing, {layers} layers")
        models = {
            each.kind: build(s, each)
            for each in networks(s)
            if each.layers == layers and not each.switched
        }
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Some of them may overflow, which training reports.
            warnings.simplefilter("ignore", RuntimeWarning)
            turns = interleaved(
                [
                    Contestant(kind, training_step(s, model, data), timer=model.backend.timer)
                    for kind, model in models.items()
                ],
                QUICK_ROUNDS if s.quick else ROUNDS,
                lambda: None,
                by_processor=models["plain"].backend.name == "numpy",
            )
        found |= {(kind, layers): seconds for kind, seconds in turns.seconds.items()}
    return found


def training_step(settings: Settings, model: Model, data: Data) -> Callable[[], Tensor]:
    """A function that makes one recorded step of Adam on the whole set; returns the loss."""
    optimizer = Adam(model, settings.learning_rate)
    inputs, targets = checked_data(model, data.X, data.y, binary_cross_entropy)
    model.train()

    def on_device() -> Tensor:
        loss = binary_cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    run: Any = recorded(on_device, model)

    def step() -> Tensor:
        optimizer.prepare()
        loss: Tensor = run()
        return loss

    return step

"""Networks whose loss stopped being a finite number: which, when, and in which layer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import Array
from scratchnet.batches import Batches
from scratchnet.model import Model, evaluating
from scratchnet.tensor import Tensor


@dataclass(frozen=True)
class Divergence:
    """Where a network's loss stopped being a finite number."""

    network: int
    epoch: int
    layer: str

    def __str__(self) -> str:
        return (
            f"network {self.network}: the loss was not finite at epoch {self.epoch}, first seen in "
            f"{self.layer}"
        )


def note_divergence(
    diverged: list[Divergence],
    batches: Batches,
    before: Array,
    epoch: int,
    losses: Any,
    inputs: Tensor,
) -> bool:
    """Enter the networks whose loss has just stopped being finite, with one warning each.

    `before` are the parameters that gave the losses. Where all networks have diverged by now, which
    is what this answers, they get them back.
    """
    model = batches.model
    known = {divergence.network for divergence in diverged}
    found = {int(network) for network in np.flatnonzero(~np.isfinite(np.atleast_1d(losses)))}
    if found <= known:
        return len(diverged) == len(model.seeds)
    k = model.backend
    after = k.copy(model.parameter_buffer)
    k.copy(before, out=model.parameter_buffer)
    layers = batches.located(first_nonfinite_layers(model, inputs))
    for network in sorted(found - known):
        divergence = Divergence(network, epoch, layers[network])
        diverged.append(divergence)
        if batches.reports:
            warnings.warn(str(divergence), RuntimeWarning, stacklevel=5)
    if len(diverged) < len(model.seeds):
        k.copy(after, out=model.parameter_buffer)
        return False
    return True


def first_nonfinite_layers(model: Model, X: Any) -> list[str]:
    """For each network, the first layer whose output for X holds a NaN or an infinity."""
    found = ["the loss"] * len(model.seeds)
    with evaluating(model):
        for (name, output), layer in zip(model.layer_outputs(X), model.layers, strict=True):
            finite = np.isfinite(output.numpy()).all(axis=(-2, -1))
            for network in np.flatnonzero(~np.broadcast_to(finite, len(found))):
                if found[network] == "the loss":
                    found[network] = f"layer {name}, {layer}"
    return found

"""Dropout: a network that must do without a random part of its neurons in each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import InputError
from scratchnet.hyperparameters import FRACTION, Hyperparameter, Value, shown
from scratchnet.layers.layer import Layer
from scratchnet.layers.registry import register
from scratchnet.sharing import share_of_batch
from scratchnet.tensor import Tensor


@register
class Dropout(Layer):
    """In training, each entry is 0 with probability `rate`, else x / (1 - rate); in eval, y = x.

    The mask depends on the network's seed, on the layer and on how many entries were drawn before,
    so that a network drops the same entries alone and within an ensemble, and none draws twice;
    where several processes share a batch, an entry is dropped as it would be in the whole batch.
    `rate` is one number, or one for each network.
    """

    rate = Hyperparameter(
        "dropout rate",
        FRACTION,
        {
            "kept_from": lambda rate: np.rint(rate * 2.0**32).astype(np.uint64),
            "scale": lambda rate: 1 / (1 - rate),
        },
        absent_at=0.0,
    )
    keeps_neurons_apart = True
    for_training_only = ("key", "drawn")

    def __init__(self, rate: Value) -> None:
        super().__init__()
        self.rate = rate

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(0.3)

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        # An odd key, as the generator asks for: it then visits every 64-bit state.
        key = seed.generate_state(1, np.uint64)[0] | np.uint64(1)
        return {"key": np.array(key), "drawn": np.array(0, np.uint64)}

    def forward(self, x: Tensor) -> Tensor:
        """y; raises `InputError` in training where no `Model` has given the layer a key."""
        if not self.training:
            return x
        if not self.buffers:
            raise InputError(f"{self} has no key yet: give it to a Model")
        k, key, drawn = x.backend, self.buffers["key"], self.buffers["drawn"]
        samples, features = x.data.shape[-2:]
        share = share_of_batch()
        size = samples * features
        if share is not None:
            size = k.multiply(share.samples, features)
        if self.is_absent("rate"):
            k.add(drawn, size, out=drawn)
            return x
        if share is None:
            places = k.xp.arange(size, dtype=key.dtype).reshape(samples, features)
        else:
            first = k.multiply(share.places, features).reshape(*share.places.shape, 1)
            places = k.add(first, k.xp.arange(features, dtype=key.dtype))
        counters = k.add(drawn, places)
        k.add(drawn, size, out=drawn)
        return ops.dropout(x, (self.arrays["kept_from"], self.arrays["scale"]), counters, key)

    def __repr__(self) -> str:
        return f"Dropout({shown(self.rate)})"

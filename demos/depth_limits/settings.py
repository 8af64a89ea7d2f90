"""What a run of `scratchnet depth-limits` is asked for, and the kinds of networks it compares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.init import normal
from scratchnet.model import Model, mlp

DESCRIPTIONS = {
    "plain": "Linear and ReLU, one after another",
    "batch-norm": "Linear, batch normalisation, ReLU",
    "residual": "x + ReLU(Linear(x)), weights as in a plain network",
    "scaled-residual": "the same, with the branch's weights divided by sqrt(layers)",
    "bottleneck": "x + three layers through a quarter of the width, the last from zero",
}
"""The kinds of networks. All start from He's weights, apart from what is said here."""
KINDS = tuple(DESCRIPTIONS)

LAYERS = (2, 4, 8, 16, 32, 64)
MOST_LAYERS = 200

BLOCK = 3
"""The layers of a bottleneck block."""
SHALLOWEST_BOTTLENECK = 1 + BLOCK

INPUTS, OUTPUTS = 2, 1

# The time of a step of a layer, relative to a plain one's; for the progress bar.
COSTS = {
    "plain": 1.0,
    "batch-norm": 2.2,
    "residual": 1.1,
    "scaled-residual": 1.1,
    "bottleneck": 0.4,
}


@dataclass(frozen=True)
class Settings:
    kinds: tuple[str, ...] = KINDS
    layers: tuple[int, ...] = LAYERS
    width: int = 32
    points: int = 200
    epochs: int = 300
    learning_rate: float = 0.005
    clip: float | None = None
    """Networks are trained a second time, with each one's gradient norm bounded by this."""
    warmup: int | None = None
    """The same with a learning rate that rises over so many steps; both switches work together."""
    seed: int = 0
    seeds: int = 10
    quick: bool = False
    backend: str = "auto"

    @property
    def switch(self) -> str:
        """Such as `clip 1, warm-up 50`; empty where neither switch is on."""
        clip = [] if self.clip is None else [f"clip {self.clip:g}"]
        warmup = [] if self.warmup is None else [f"warm-up {self.warmup}"]
        return ", ".join(clip + warmup)


QUICK: dict[str, Any] = {"layers": (2, 8, 32), "epochs": 200, "seeds": 5, "quick": True}


@dataclass(frozen=True)
class Network:
    """One kind of network at one depth, trained with the switches on or not."""

    kind: str
    layers: int
    """The number asked for."""
    switched: bool

    @property
    def own_layers(self) -> int:
        """Its hidden layers: those of a bottleneck network are 1 + 3 blocks, the nearest number."""
        if self.kind != "bottleneck":
            return self.layers
        return 1 + BLOCK * self.blocks

    @property
    def blocks(self) -> int:
        return max(1, round((self.layers - 1) / BLOCK))

    def __str__(self) -> str:
        return f"{self.kind}, {self.layers} layers"


def networks(settings: Settings) -> list[Network]:
    """What to train: every kind at every depth, first without and then with the switches."""
    return [
        Network(kind, layers, switched)
        for switched in ((False, True) if settings.switch else (False,))
        for layers in sorted(settings.layers)
        for kind in settings.kinds
        if kind != "bottleneck" or layers >= SHALLOWEST_BOTTLENECK
    ]


def build(settings: Settings, network: Network) -> Model:
    """The ensemble before training, one network for each seed."""
    s, kind = settings, network.kind
    hidden = 1 + network.blocks if kind == "bottleneck" else network.layers
    unscaled: dict[str, Any] = {"residual": True, "residual_scale": 1.0}
    options: dict[str, Any] = {
        "plain": {},
        "batch-norm": {"batch_norm": True},
        "residual": unscaled,
        "scaled-residual": {**unscaled, "init": branch_rule(s.width, network.layers)},
        "bottleneck": {"bottleneck": max(1, s.width // 4)},
    }[kind]
    widths = [INPUTS, *[s.width] * hidden, OUTPUTS]
    return mlp(widths, seed=s.seed, ensemble=s.seeds, backend=s.backend, **options)


def branch_rule(width: int, layers: int) -> Any:
    """He's weights, and for a branch, which keeps the width, He's divided by sqrt(layers).

    A branch then adds 1 / layers of the signal's mean square and a little more for its mean, so
    that all of them multiply it by a number that does not grow with the layers (Hanin and Rolnick
    2018; De and Smith 2020 scale branches alike).
    """
    he = normal(lambda fan_in, fan_out: 2 / fan_in)

    def rule(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
        weights = he(rng, fan_in, fan_out)
        return weights / math.sqrt(layers) if fan_in == fan_out == width else weights

    return rule

"""Which weights each method leaves, and from which values they start, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scratchnet.demos.tuning import Data
from scratchnet.lottery import CONTROL_DRAWS, CONTROLS, control_of, is_connected, rows
from scratchnet.model import Model
from scratchnet.pruning import (
    alive_parameters,
    connection_sensitivity,
    gradient_flow,
    how_many,
    prune,
    remaining_weights,
    synaptic_flow,
)

TICKETS = ("ticket", "late ticket")
BEFORE = {"snip": 1, "iterated snip": 30, "grasp": 1, "synflow": 100}
"""Methods that prune before training, and in how many rounds."""

VARIANTS = (*TICKETS, *CONTROLS, *BEFORE)
DRAWS, MOST_DRAWS = 100, 2000
"""Random masks of a seed; and how many more at most, where none of them is connected."""


def weights_left(total: int, fraction: float, rounds: int) -> int:
    """How many of `total` weights are left after rounds that each prune a fraction of the rest."""
    for _ in range(rounds):
        total -= how_many(total, total, fraction, None)
    return total


def ticket_of(variant: str) -> str:
    """The ticket that this variant is made from, or has as many weights as."""
    return "late ticket" if variant == "late ticket" else "ticket"


@dataclass
class Masks:
    """Masks and starting weights by seed."""

    build: Callable[[Sequence[int]], Model]
    """Untrained dense networks of these seeds."""
    data: Callable[[Sequence[int]], Data]
    tickets: dict[tuple[str, int], tuple[Any, Any]] = field(default_factory=dict)
    """By ticket (in time or late) and seed: masks (P,) by round, and weights (P,) to start from."""
    drawn: dict[tuple[str, int, int], tuple[Any, Any, float]] = field(default_factory=dict)
    """What `one` has drawn: it is asked for the networks, and again for what is told of them."""

    def network(self, variant: str, number: int, seeds: Sequence[int]) -> Model:
        """An ensemble of pruned networks after so many rounds, ready to be trained."""
        different = list(dict.fromkeys(seeds))
        if variant in BEFORE:
            masks, weights = self.before(variant, number, different)
        else:
            found = [self.one(variant, number, seed)[:2] for seed in different]
            masks, weights = (np.stack(each) for each in zip(*found, strict=True))
        places = [different.index(seed) for seed in seeds]
        model = self.build(seeds)
        model.set_mask(masks[places])
        model.parameter_buffer[...] = model.backend.asarray(weights[places], model.dtype)
        model.apply_mask()
        return model

    def needed(self, variant: str, number: int, seeds: Sequence[int]) -> Masks:
        """What this variant after so many rounds needs for these seeds; dense networks nothing."""
        tickets: dict[tuple[str, int], tuple[Any, Any]] = {}
        for seed in seeds if number else ():
            masks, first = self.tickets[ticket_of(variant), seed]
            tickets[ticket_of(variant), seed] = {number: masks[number]}, first
        return replace(self, tickets=tickets, drawn={})

    def one(self, variant: str, number: int, seed: int) -> tuple[Any, Any, float]:
        """Mask and weights of a ticket or control; the share of random masks without a path."""
        asked = variant, number, seed
        if asked not in self.drawn:
            self.drawn[asked] = self._one(*asked)
        return self.drawn[asked]

    def _one(self, variant: str, number: int, seed: int) -> tuple[Any, Any, float]:
        """As `one`, computed; a control without a path is drawn anew, up to `MOST_DRAWS` times."""
        kept, first = self.tickets[ticket_of(variant), seed]
        if variant in TICKETS:
            return kept[number], first, 0.0
        key = (CONTROL_DRAWS, number, CONTROLS.index(variant))
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        model = self.build([seed])

        def draw() -> tuple[Any, Any]:
            return control_of(variant, model, kept[number], first, generator)

        if "mask" not in variant:
            return *draw(), 0.0
        drawn = [draw()[0] for _ in range(DRAWS)]
        connected = [mask for mask in drawn if is_connected(model, mask)]
        share = 1 - len(connected) / DRAWS
        for _ in range(0 if connected else MOST_DRAWS):
            drawn.append(draw()[0])
            if is_connected(model, drawn[-1]):
                connected.append(drawn[-1])
                break
        return (connected or drawn)[0], first, share

    def before(self, variant: str, number: int, seeds: Sequence[int]) -> tuple[Any, Any]:
        """Masks and weights of a method that looks at untrained networks only."""
        model, data = self.build(seeds), self.data(seeds)
        first = rows(model)
        total = sum(each.total for each in remaining_weights(model))
        left = total - int((~self.tickets["ticket", seeds[0]][0][number]).sum())
        for i in range(1, BEFORE[variant] + 1):
            # In equal ratios, as SynFlow does it, down to the exact number.
            target = round(total * (left / total) ** (i / BEFORE[variant]))
            scores = self.scores(variant, model, data)
            prune(model, sparsity=(total - target) / total, scores=scores)
        return alive_parameters(model), first

    def scores(self, variant: str, model: Model, data: Data) -> Any:
        """The importance of each weight by a method that prunes before training."""
        if variant == "synflow":
            return synaptic_flow(model)
        score = gradient_flow if variant == "grasp" else connection_sensitivity
        return score(model, data.X, data.y, data.loss)

"""The largest gradient entry before training, over whole Cantor distributions, beside its bound.

For each way to draw first weights, each level and each curve: many networks, the hinge loss, and
the gradient over the distribution itself, exactly (`scratchnet.depth.cantor_gradient`). The same
networks serve all levels and curves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.cantor_gradient import (
    gradient_bound,
    linear_levels,
    network_pieces,
    population_gradient,
    theorem_level,
)
from scratchnet.depth.fractal_distributions import CURVES, named_curve
from scratchnet.model import Model, mlp

# A seed's first weights come from a stream of their own: biases are drawn here too.
WEIGHTS = 7

# Entries this small are rounding, and no sign that a bound was broken.
ROUNDING = 1e-13

Draw = Callable[[np.random.Generator, int, tuple[int, ...]], Any]


@dataclass(frozen=True)
class Initialiser:
    """How weights and biases are drawn, from fan_in; `description` says it in a formula."""

    description: str
    weight: Draw
    bias: Draw


def uniform(limit: Callable[[int], float]) -> Draw:
    return lambda rng, fan_in, shape: rng.uniform(-limit(fan_in), limit(fan_in), shape)


def normal(deviation: Callable[[int], float]) -> Draw:
    return lambda rng, fan_in, shape: rng.normal(0, deviation(fan_in), shape)


# Biases are never all the same: with the theorem's weights and biases of 1/2 every unit is active
# on [0, 1], the network is linear, and the gradient is 0 whatever the curve.
INITIALISERS = {
    "small": Initialiser(
        "weights U(±1/(2 fan_in)), biases U(±1/2)",
        uniform(lambda fan_in: 1 / (2 * fan_in)),
        uniform(lambda fan_in: 0.5),
    ),
    "pytorch": Initialiser(
        "weights and biases U(±1/sqrt(fan_in))",
        uniform(lambda fan_in: 1 / math.sqrt(fan_in)),
        uniform(lambda fan_in: 1 / math.sqrt(fan_in)),
    ),
    "he": Initialiser(
        "weights N(0, 2/fan_in), biases N(0, 0.1²)",
        normal(lambda fan_in: math.sqrt(2 / fan_in)),
        normal(lambda fan_in: 0.1),
    ),
    "he, large biases": Initialiser(
        "weights N(0, 2/fan_in), biases N(0, 1)",
        normal(lambda fan_in: math.sqrt(2 / fan_in)),
        normal(lambda fan_in: 1.0),
    ),
}


@dataclass(frozen=True)
class Settings:
    levels: tuple[int, ...] = (2, 5, 10, 15, 20, 25, 30)
    curves: tuple[str, ...] = tuple(CURVES)
    depth: int = 2
    width: int = 8
    delta: float = 0.1
    seed: int = 0
    seeds: int = 400
    quick: bool = False
    backend: str = "auto"

    @property
    def theorem_level(self) -> int:
        """The level j of the theorem's bound, which speaks of distributions deeper than that."""
        return theorem_level(self.depth, self.width, self.delta)


@dataclass(frozen=True, eq=False)
class Row:
    """One way to draw weights; arrays (seeds,), or (levels, curves, seeds)."""

    initialiser: str
    largest: Any
    """The largest entry of the gradient of the hinge loss."""
    largest_linear: Any
    """The same for the loss 1 - s f(x), which does not know where s f(x) is above 1."""
    own_level: Any
    """(seeds,): the least j without a bend of the network in K_j; 31 where it is beyond float64."""
    output: Any
    """(seeds,): the largest |output| on [0, 1]."""

    def violations(self, bounds: Any, linear: bool = False) -> Any:
        """(levels, curves, seeds): where an entry exceeds the bound, NaN where there is none."""
        values = self.largest_linear if linear else self.largest
        return np.where(np.isnan(bounds), np.nan, values > bounds + ROUNDING)


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rows: tuple[Row, ...] = ()
    interrupted: bool = False

    @property
    def bounds(self) -> Any:
        """(levels, curves, 1): 5 (P(j) - 1/2) with the theorem's j, NaN where the level is not
        deeper than that and the theorem says nothing."""
        return self._bounds(np.array([self.settings.theorem_level]))

    def own_bounds(self, row: Row) -> Any:
        """(levels, curves, seeds): the same with each network's own level."""
        return self._bounds(row.own_level)

    def _bounds(self, own: Any) -> Any:
        s = self.settings
        return np.array([[bounds(name, level, own) for name in s.curves] for level in s.levels])


def bounds(name: str, level: int, own: Any) -> Any:
    """The bounds with the levels j in `own`, NaN where the distribution's is not deeper."""
    curve = named_curve(name, level)
    of_level = np.array([gradient_bound(curve, j) for j in range(level)])
    return np.where(own < level, of_level[np.minimum(own, level - 1)], np.nan)


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """All initialisers. Ctrl-C keeps those that were finished."""
    rows: list[Row] = []
    interrupted = False
    try:
        for name in INITIALISERS:
            rows.append(measure(settings, name, advance))
    except KeyboardInterrupt:
        if not rows:
            raise
        interrupted = True
    return Result(settings, tuple(rows), interrupted)


def steps(settings: Settings) -> int:
    """How often `run` advances."""
    return len(INITIALISERS) * (1 + len(settings.levels) * len(settings.curves))


def measure(settings: Settings, name: str, advance: Advance = no_progress) -> Row:
    """Draw networks by one initialiser; their largest gradient entries for each level and curve."""
    s = settings
    advance(0, note=name)
    model = networks(s, INITIALISERS[name])
    ends = network_pieces(model)
    advance()
    shape = len(s.levels), len(s.curves), s.seeds
    both: dict[Any, Any] = {"hinge": np.empty(shape), "linear": np.empty(shape)}
    for row, level in enumerate(s.levels):
        for column, curve in enumerate(s.curves):
            for loss, values in both.items():
                _, gradient = population_gradient(model, named_curve(curve, level), loss, ends)
                values[row, column] = np.abs(gradient).max(axis=1)
            advance()
    # The largest |output| is at the end of a piece.
    output = np.abs(model.predict(ends[..., None])).max(axis=(1, 2))
    return Row(name, both["hinge"], both["linear"], linear_levels(ends), output)


def networks(settings: Settings, initialiser: Initialiser) -> Model:
    """An ensemble 1-[width]*depth-1, in float64, whose network i depends on seed + i only."""
    s = settings
    widths = [1, *[s.width] * s.depth, 1]
    model = mlp(
        widths, init="zeros", seed=s.seed, ensemble=s.seeds, dtype="float64", backend=s.backend
    )
    generators = [
        np.random.default_rng(np.random.SeedSequence(each, spawn_key=(WEIGHTS,)))
        for each in model.seeds
    ]
    state = model.state_dict()
    fan_in = 1
    for name, values in state.items():
        is_weight = name.endswith("weight")
        fan_in = values.shape[-2] if is_weight else fan_in
        draw = initialiser.weight if is_weight else initialiser.bias
        state[name] = np.stack([draw(rng, fan_in, values.shape[1:]) for rng in generators])
    model.load_state_dict(state)
    return model

"""What a run of `scratchnet init` is asked for: rules for weights, activations, shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scratchnet.depth.signal import WEIGHT_VARIANCES, Variance
from scratchnet.init import INITIALIZERS, Initializer, normal


@dataclass(frozen=True)
class Rule:
    """A rule for initial weights: the function that draws them, and their variance.

    `formula` is the variance in words, with n = fan_in and m = fan_out.
    """

    initializer: Initializer
    variance: Variance
    formula: str


def named(name: str, formula: str) -> Rule:
    return Rule(INITIALIZERS[name], WEIGHT_VARIANCES[name], formula)


def drawn_from(variance: Variance, formula: str) -> Rule:
    return Rule(normal(variance), variance, formula)


RULES: dict[str, Rule] = {
    "he": named("he_normal", "2/n"),
    "xavier": named("xavier_normal", "2/(n + m)"),
    "lecun": named("lecun_normal", "1/n"),
    "fan-out": named("fan_out_normal", "2/m"),
    "orthogonal": named("orthogonal", "2/max(n, m)"),
    "unscaled": drawn_from(lambda fan_in, fan_out: 1.0, "1"),
    "2xhe": drawn_from(lambda fan_in, fan_out: 8 / fan_in, "8/n"),
    "no-root": drawn_from(lambda fan_in, fan_out: (2 / fan_in) ** 2, "(2/n)^2"),
}
"""By the name for --rules. 2xhe doubles the weights of He; no-root scales by 2 / fan_in, without
its square root."""

ACTIVATIONS = ("relu", "tanh", "sigmoid")
SHAPES = ("constant", "halving", "doubling")


@dataclass(frozen=True)
class Settings:
    rules: tuple[str, ...] = tuple(RULES)
    activations: tuple[str, ...] = ACTIVATIONS
    shapes: tuple[str, ...] = SHAPES
    width: int = 100
    """Of every layer of a constant shape."""
    depth: int = 20
    """Its number of layers."""
    halvings: int = 8
    """The halving shape goes from 8 * 2^halvings to 8, the doubling one the other way."""
    networks: int = 100
    """Random networks of the constant shape; the others get a quarter of them."""
    seed: int = 0
    seeds: int = 10
    """Networks to train with each rule and activation."""
    epochs: int = 300
    pairs: int = 3000
    """Random sigmoid networks for the bound on gradients."""
    quick: bool = False
    backend: str = "auto"

    def widths(self, shape: str) -> tuple[int, ...]:
        """The inputs, then the layers."""
        halving = tuple(NARROWEST * 2**each for each in range(self.halvings, -1, -1))
        return {
            "constant": (self.width,) * (self.depth + 1),
            "halving": halving,
            "doubling": halving[::-1],
        }[shape]

    def networks_of(self, shape: str) -> int:
        return self.networks if shape == "constant" else max(2, self.networks // 4)


NARROWEST = 8
QUICK: dict[str, Any] = {
    "width": 50,
    "halvings": 5,
    "networks": 40,
    "seeds": 3,
    "epochs": 150,
    "pairs": 600,
    "quick": True,
}

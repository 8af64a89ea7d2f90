"""The datasets that demos compare networks on, with points of their own for every seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.datasets import circles, digits, linearly_separable, spirals

# A seed's data come from streams of their own, beside those that its network draws from. The demo
# `spiral` uses the same ones, so that both train the same networks on the same points.
TRAINING_DATA, TEST_DATA = 3, 4

POINTS: dict[str, Callable[[int, np.random.Generator], tuple[Any, Any]]] = {
    "linear": lambda points, generator: linearly_separable(points, seed=generator),
    "circles": lambda points, generator: circles(points, seed=generator),
    "spirals": lambda points, generator: spirals(points, seed=generator),
}

DESCRIPTIONS = {
    "linear": "two clouds that a line separates",
    "circles": "a circle around another, noise 0.05",
    "spirals": "two interleaved arms of two turns, noise 0.02",
    "digits": "1,797 images of digits, 8 x 8 pixels, ten classes",
}
"""From easy to hard for points in the plane; then real images."""


@dataclass(frozen=True, eq=False)
class Data:
    """Samples to train and to test on, for an ensemble of networks.

    X is (seeds, N, inputs), or (N, inputs) where all seeds share the samples; y is (N,), the same
    for all seeds, for classes stand in the same order.
    """

    name: str
    X: Any
    y: Any
    X_test: Any
    y_test: Any
    classes: int

    @property
    def inputs(self) -> int:
        return int(self.X.shape[-1])

    @property
    def outputs(self) -> int:
        """One logit for two classes, else one for each."""
        return 1 if self.classes == 2 else self.classes

    @property
    def loss(self) -> str:
        return "binary_cross_entropy" if self.classes == 2 else "softmax_cross_entropy"

    @property
    def shared(self) -> bool:
        """Whether all seeds have the same samples."""
        return self.X.ndim == 2

    def first(self) -> tuple[Any, Any]:
        """X and X_test of the first seed."""
        return (self.X, self.X_test) if self.shared else (self.X[0], self.X_test[0])


def load(name: str, points: int, seed: int, seeds: int) -> Data:
    """The data of that name in `DESCRIPTIONS`, for the seeds from `seed` on.

    Sets of points have `points` to train on and as many others to test on, drawn anew for each
    seed. The digits are the same for all, in their fixed split, and `points` does not count. Raises
    `InputError` for digits where scikit-learn is not installed.
    """
    if name == "digits":
        X, y, X_test, y_test = digits()
        return Data(name, X, y, X_test, y_test, classes=10)

    def drawn(use: int) -> tuple[Any, Any]:
        generators = (
            np.random.default_rng(np.random.SeedSequence(each, spawn_key=(use,)))
            for each in range(seed, seed + seeds)
        )
        sets = [POINTS[name](points, generator) for generator in generators]
        return np.stack([X for X, _ in sets]), sets[0][1]

    return Data(name, *drawn(TRAINING_DATA), *drawn(TEST_DATA), classes=2)

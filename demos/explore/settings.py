"""What a run of `scratchnet explore` is asked for, and what is trained for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import InputError
from scratchnet.backends.errors import choose
from scratchnet.demos.seeded_data import DESCRIPTIONS, POINTS
from scratchnet.demos.trained_ensembles import Training
from scratchnet.extras import is_installed

FULL_DEPTHS, QUICK_DEPTHS = (1, 2, 4, 8, 16), (1, 2, 4, 8)
FULL_SEEDS, QUICK_SEEDS = 10, 3
DEEPEST = 200

# Learning rate and epochs. A quick run takes a third of the epochs, with three times the learning
# rate of gradient descent.
FULL = {
    ("linear", "sgd"): (0.05, 1000),
    ("circles", "sgd"): (0.05, 1500),
    ("spirals", "sgd"): (0.05, 3000),
    ("digits", "sgd"): (0.05, 1000),
    ("linear", "adam"): (0.005, 200),
    ("circles", "adam"): (0.005, 300),
    ("spirals", "adam"): (0.005, 600),
    ("digits", "adam"): (0.003, 200),
}
QUICK_SHARE = 3

# Variants and layers are looked into on the data where depth matters, and variants where
# they should matter most: in this many of the deepest networks.
INSIDE, VARIANT_DEPTHS, INSIDE_DEPTH = "spirals", 2, 8
VARIANTS = ((True, False), (False, True), (True, True))
"""Batch normalisation, and skip connections."""


@dataclass(frozen=True)
class Settings:
    datasets: tuple[str, ...] = tuple(POINTS)
    depths: tuple[int, ...] = FULL_DEPTHS
    width: int = 32
    optimizer: str = "sgd"
    points: int = 400
    seed: int = 0
    seeds: int = FULL_SEEDS
    quick: bool = False
    backend: str = "auto"

    def training(
        self, dataset: str, depth: int, batch_norm: bool = False, skip: bool = False
    ) -> Training:
        """How networks of this depth are trained on a dataset.

        A quick run has a third of the epochs, with SGD at three times the learning rate.
        """
        # Digits are learned by Adam always: gradient descent would need many more epochs.
        optimizer = "adam" if dataset == "digits" else self.optimizer
        rate, epochs = FULL[dataset, optimizer]
        if self.quick:
            rate, epochs = rate * (QUICK_SHARE if optimizer == "sgd" else 1), epochs // QUICK_SHARE
        return Training(dataset, depth, self.width, optimizer, rate, epochs, batch_norm, skip)

    def main(self) -> list[Training]:
        """Every depth on every dataset."""
        return [self.training(dataset, depth) for dataset in self.datasets for depth in self.depths]

    def variants(self) -> list[Training]:
        """The deepest networks with batch normalisation, skip connections, and both."""
        if INSIDE not in self.datasets:
            return []
        deepest = sorted(depth for depth in self.depths if depth > 1)[-VARIANT_DEPTHS:]
        return [self.training(INSIDE, depth, *variant) for depth in deepest for variant in VARIANTS]

    @property
    def inside_depth(self) -> int | None:
        """The depth whose layers are looked into, or None where the spirals are left out."""
        if INSIDE not in self.datasets:
            return None
        return INSIDE_DEPTH if INSIDE_DEPTH in self.depths else max(self.depths)


def chosen_datasets(text: str | None) -> tuple[str, ...]:
    """The datasets of a list such as `circles,spirals`; by default all that work here.

    Raises `InputError` for a name that is unknown or given twice.
    """
    if text is None:
        return tuple(name for name in DESCRIPTIONS if name in POINTS or is_installed("sklearn"))
    names = [name.strip() for name in text.split(",")]
    for name in names:
        choose("dataset in --datasets", name, DESCRIPTIONS)
    if len(set(names)) < len(names):
        raise InputError(f"--datasets {text!r}: each can stand in the list once only")
    return tuple(names)


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is."""
    depths: Sequence[int] = given.get("depths", (1,))
    if max(depths) > DEEPEST:
        raise InputError(f"--depths {max(depths)}: expected at most {DEEPEST} hidden layers")
    quick = given.get("quick", False)
    usual = {
        "depths": QUICK_DEPTHS if quick else FULL_DEPTHS,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    return Settings(**{**usual, **given})

"""What a run of `scratchnet lottery` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scratchnet.backends import InputError
from scratchnet.demos.trained_ensembles import Training
from scratchnet.lottery import CONTROLS

VARIANTS = ("ticket", *CONTROLS)

METHODS = {
    "magnitude": "the smallest weights of the trained network go, of all layers together",
    "layer-magnitude": "the smallest weights of the trained network go, in each layer as many",
    "snip": "the weights that the loss of the untrained network depends on least go",
    "initial-magnitude": "the smallest weights of the untrained network go",
}
AT_START = ("snip", "initial-magnitude")

DATA_NAMES = {"spiral": "spirals", "digits": "digits"}
DEPTHS = {"spiral": 8, "digits": 3}
STEPS = {"spiral": 500, "digits": 200}

# A quick run takes fewer and larger rounds, which end at the same sparsity, 3 %.
FULL_ROUNDS, FULL_FRACTION, FULL_SEEDS = 10, 0.3, 10
QUICK_ROUNDS, QUICK_FRACTION, QUICK_SEEDS = 5, 0.5, 3


@dataclass(frozen=True)
class Settings:
    dataset: Literal["spiral", "digits"] = "spiral"
    method: str = "magnitude"
    rounds: int = FULL_ROUNDS
    fraction: float = FULL_FRACTION
    """Of the remaining weights, how many go in each round."""
    rewind_step: int = 0
    steps: int = STEPS["spiral"]
    depth: int = DEPTHS["spiral"]
    width: int = 32
    learning_rate: float = 3e-3
    points: int = 400
    seed: int = 0
    seeds: int = FULL_SEEDS
    quick: bool = False
    backend: str = "auto"

    @property
    def training(self) -> Training:
        return Training(
            DATA_NAMES[self.dataset],
            self.depth,
            self.width,
            "adam",
            self.learning_rate,
            self.steps,
        )

    @property
    def total_steps(self) -> int:
        """Of the ensemble, in all rounds."""
        return self.rewind_step + (self.rounds + 1) * (self.steps - self.rewind_step)


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is.

    Raises `InputError` for options that contradict each other or are out of range.
    """
    dataset = given.get("dataset", "spiral")
    if dataset == "digits" and "points" in given:
        raise InputError("--points with --dataset digits: their number is fixed")
    quick = given.get("quick", False)
    usual = {
        "depth": DEPTHS[dataset],
        "steps": STEPS[dataset],
        "rounds": QUICK_ROUNDS if quick else FULL_ROUNDS,
        "fraction": QUICK_FRACTION if quick else FULL_FRACTION,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    settings = Settings(**{**usual, **given})
    if settings.rewind_step >= settings.steps:
        raise InputError(
            f"--rewind-step {settings.rewind_step}: expected 0 to {settings.steps - 1}, less than "
            f"the {settings.steps} steps of a training"
        )
    return settings

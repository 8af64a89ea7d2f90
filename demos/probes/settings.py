"""What a run of `scratchnet probes` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scratchnet.backends import InputError
from scratchnet.demos.trained_ensembles import Training

DATA_NAMES = {"spiral": "spirals", "digits": "digits"}

# Learning rate and epochs on each dataset. A quick run on the spiral takes a third of the epochs
# with three times the learning rate.
FULL = {
    ("spiral", "sgd"): (0.05, 3000),
    ("spiral", "adam"): (0.005, 600),
    ("digits", "sgd"): (0.1, 1000),
    ("digits", "adam"): (0.003, 300),
}
QUICK = {
    ("spiral", "sgd"): (0.15, 1000),
    ("spiral", "adam"): (0.005, 400),
    ("digits", "sgd"): (0.2, 300),
    ("digits", "adam"): (0.003, 150),
}
OPTIMIZERS = {"spiral": "sgd", "digits": "adam"}
FULL_SEEDS, QUICK_SEEDS = 10, 3

DEEPEST = 200


@dataclass(frozen=True)
class Settings:
    dataset: Literal["spiral", "digits"] = "spiral"
    depth: int = 8
    width: int = 32
    optimizer: str = OPTIMIZERS["spiral"]
    learning_rate: float = FULL["spiral", "sgd"][0]
    epochs: int = FULL["spiral", "sgd"][1]
    batch_norm: bool = False
    skip: bool = False
    points: int = 400
    embedding: Literal["pca", "tsne"] = "pca"
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
            self.optimizer,
            self.learning_rate,
            self.epochs,
            self.batch_norm,
            self.skip,
        )


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is.

    Raises `InputError` for options that contradict each other or are out of range.
    """
    dataset = given.get("dataset", "spiral")
    if dataset == "digits" and "points" in given:
        raise InputError("--points with --dataset digits: their number is fixed")
    if given.get("depth", 1) > DEEPEST:
        raise InputError(f"--depth {given['depth']}: expected at most {DEEPEST} hidden layers")
    quick = given.get("quick", False)
    optimizer = given.get("optimizer", OPTIMIZERS[dataset])
    rate, epochs = (QUICK if quick else FULL)[dataset, optimizer]
    usual = {
        "optimizer": optimizer,
        "learning_rate": rate,
        "epochs": epochs,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    return Settings(**{**usual, **given})

"""What a run of `scratchnet prune` is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scratchnet.backends import InputError

METHODS = {
    "magnitude": "the smallest weights, of all layers together",
    "layer-magnitude": "the smallest weights, in each layer as many",
    "neurons": "whole neurons, those with the smallest weights, in each hidden layer as many",
    "random": "weights at random",
}
SPARSITIES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97)
QUICK_SPARSITIES = (0.0, 0.5, 0.8, 0.95)
FULL_DRAWS, QUICK_DRAWS = 5, 2
FULL_STEPS, QUICK_STEPS = 300, 100


@dataclass(frozen=True)
class Settings:
    file: Path
    sparsities: tuple[float, ...] = SPARSITIES
    """The shares of weights, or of neurons, that are taken out."""
    steps: int = FULL_STEPS
    """Of training after pruning."""
    learning_rate: float = 1e-3
    draws: int = FULL_DRAWS
    """How many random masks there are for each sparsity."""
    seed: int = 0
    quick: bool = False
    backend: str = "auto"

    @property
    def networks(self) -> list[tuple[str, float, int]]:
        """Method, sparsity and draw of each network of the ensemble, the unpruned one first."""
        pruned = [
            (method, sparsity, draw)
            for method in METHODS
            for sparsity in self.sparsities
            for draw in range(self.draws if method == "random" else 1)
        ]
        return [("magnitude", 0.0, 0), *pruned]


def shares(option: str, text: str) -> tuple[float, ...]:
    """The numbers from 0 to 1 of a list such as `0.5,0.9`, from small to large, each once.

    Raises `InputError`, which names the option, for anything else.
    """
    parts = [part.strip() for part in text.split(",")]
    number = r"[0-9]*\.?[0-9]+|[0-9]+\."
    if not all(re.fullmatch(number, part) and float(part) <= 1 for part in parts):
        raise InputError(
            f"{option} {text!r}: expected numbers from 0 to 1, separated by commas, such as 0.5,0.9"
        )
    return tuple(sorted(set(map(float, parts))))

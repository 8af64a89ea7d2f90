"""What a run of `scratchnet scaling` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import InputError
from scratchnet.depth.budget import width_for_budget
from scratchnet.depth.scaling import FEWEST_SIZES

INPUTS, DEPTH = 6, 2
"""Of the networks that learn: two hidden layers of ReLUs."""

TEACHER_WIDTH, TEACHER_GAIN, TEACHER_SEED = 64, 1.5, 0
"""The teacher is 6-[64]*2-1 with tanh; its weights have variance gain^2 / fan_in."""

LEARNING_RATE, BATCH = 0.005, 256
HELD_OUT = 2048
"""Samples to choose the best moment of a training on; and as many others to test on."""

FULL_PARAMETERS = (30, 80, 220, 600, 1600, 4300, 11500, 30000)
QUICK_PARAMETERS = (30, 100, 300, 1000, 3000)
FULL_SAMPLES = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
QUICK_SAMPLES = (64, 192, 576, 1728, 4096)
FULL_STEPS, QUICK_STEPS = 3072, 512
FULL_SEEDS, QUICK_SEEDS = 5, 3
MOST_PARAMETERS, MOST_SAMPLES = 1_000_000, 100_000


@dataclass(frozen=True)
class Settings:
    parameters: tuple[int, ...] = FULL_PARAMETERS
    """Sizes of the networks of the first series, about."""
    samples: tuple[int, ...] = FULL_SAMPLES
    """Training samples of the second series, for networks of `data_parameters`."""
    steps: int = FULL_STEPS
    seed: int = 0
    seeds: int = FULL_SEEDS
    quick: bool = False
    backend: str = "auto"

    @property
    def most_samples(self) -> int:
        """What the first series trains on, so that data do not limit it."""
        return 2 * max(self.samples)

    @property
    def data_parameters(self) -> int:
        """The size of the networks of the second series, within the first: large, yet cheap."""
        return sorted(self.parameters)[-3]


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from --quick.

    Raises `InputError` for too few sizes, or sizes out of range.
    """
    quick = given.get("quick", False)
    usual = {
        "parameters": QUICK_PARAMETERS if quick else FULL_PARAMETERS,
        "samples": QUICK_SAMPLES if quick else FULL_SAMPLES,
        "steps": QUICK_STEPS if quick else FULL_STEPS,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    settings = Settings(**{**usual, **given})
    limits = {"parameters": MOST_PARAMETERS, "samples": MOST_SAMPLES}
    for name, most in limits.items():
        sizes = getattr(settings, name)
        if len(sizes) < FEWEST_SIZES:
            raise InputError(
                f"--{name} with {len(sizes)} sizes: a power law with an offset needs at least "
                f"{FEWEST_SIZES}"
            )
        if max(sizes) > most:
            raise InputError(f"--{name} {max(sizes)}: expected at most {most:,}")
    least = -(-settings.most_samples // BATCH)
    if settings.steps < least:
        raise InputError(
            f"--steps {settings.steps}: one pass over {settings.most_samples:,} samples in batches "
            f"of {BATCH} takes {least} steps; accepted are numbers from that"
        )
    widths = {width_for_budget(size, DEPTH, INPUTS) for size in settings.parameters}
    if len(widths) < FEWEST_SIZES:
        raise InputError(
            f"--parameters {','.join(map(str, settings.parameters))}: these are networks of "
            f"{len(widths)} different widths; a power law with an offset needs at least "
            f"{FEWEST_SIZES}"
        )
    return settings

"""What a run of `scratchnet width` is asked for, and what is trained for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from scratchnet.backends import InputError
from scratchnet.depth.budget import width_for_budget
from scratchnet.depth.targets import TARGETS, get_target

TASKS = ("regression", "classification")
LOSSES = {"regression": "mean_squared_error", "classification": "binary_cross_entropy"}

FULL_DEPTHS, QUICK_DEPTHS = (1, 2, 4, 8), (1, 4)
FULL_SEEDS, QUICK_SEEDS = 5, 3
RADIAL_DEPTHS = (1, 2)
"""The theorem behind the radial target separates one hidden layer from two."""

OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam"}
RATES = {
    ("regression", "sgd"): (0.1, 0.03, 0.005, 0.001),
    ("classification", "sgd"): (0.3, 0.05),
    ("regression", "adam"): (0.01, 0.002),
    ("classification", "adam"): (0.01, 0.002),
}
"""Each is tried, and decays to 0 along half a cosine; validation data choose. A wide layer takes
only small steps of gradient descent on squared errors."""


@dataclass(frozen=True)
class Size:
    """What belongs to a target by default: parameters, samples and training steps."""

    budget: int
    train: int
    held_out: int
    """To choose the learning rate and the depth on; and as many others to test on."""
    steps: int
    quick_steps: int


SIZES = {
    "radial": Size(1000, 600, 600, 600, 120),
    "parity": Size(1000, 1024, 1024, 600, 120),
    "sparse": Size(80_060, 256, 256, 60, 15),
}
USUAL_SIZE = Size(1000, 200, 400, 600, 120)


@dataclass(frozen=True)
class Settings:
    targets: tuple[str, ...] = tuple(TARGETS)
    budget: int | None = None
    """Of every target; None for that of its size."""
    depths: tuple[int, ...] = FULL_DEPTHS
    tasks: tuple[str, ...] = TASKS
    optimizers: tuple[str, ...] = tuple(OPTIMIZER_NAMES)
    seed: int = 0
    seeds: int = FULL_SEEDS
    quick: bool = False
    backend: str = "auto"


@dataclass(frozen=True)
class Training:
    """One ensemble: every seed of each of the targets, which have as many inputs as the others."""

    targets: tuple[str, ...]
    task: str
    inputs: int
    depth: int
    width: int
    optimizer: str
    rate: float
    steps: int
    train: int
    seeds: int

    @property
    def networks(self) -> int:
        return len(self.targets) * self.seeds

    @property
    def cost(self) -> float:
        """About its time, relative to others: products, what each neuron takes, overhead."""
        w = self.width
        products = self.inputs * w / 20 + (self.depth - 1) * w * w / 20 + self.depth * (w + 3)
        return self.steps * (self.networks * self.train * products + 20_000 * self.depth)

    def __str__(self) -> str:
        names = self.targets[0] if len(self.targets) == 1 else f"{len(self.targets)} curves"
        return f"{names}, {self.task}, depth {self.depth}, {self.optimizer}"


def size_of(target: str) -> Size:
    return SIZES.get(target, USUAL_SIZE)


def budget_of(settings: Settings, target: str) -> int:
    return size_of(target).budget if settings.budget is None else settings.budget


def depths_of(settings: Settings, target: str) -> tuple[int, ...]:
    return RADIAL_DEPTHS if target == "radial" else tuple(sorted(settings.depths))


def inputs_of(target: str, task: str) -> int:
    """A curve's classes are above and below it, so that the network gets a point of the plane."""
    inputs = get_target(target).inputs
    return 2 if is_curve(target) and task == "classification" else inputs


def is_curve(target: str) -> bool:
    return get_target(target).inputs == 1


def groups(targets: Sequence[str]) -> list[tuple[str, ...]]:
    """The targets that share an ensemble: all curves; each other one is alone."""
    ordered = sorted(targets, key=list(TARGETS).index)
    key = {name: "curve" if is_curve(name) else name for name in ordered}
    return [tuple(group) for _, group in groupby(ordered, key.__getitem__)]


def trainings(settings: Settings) -> list[Training]:
    """Everything to train. Raises `InputError` for a budget that is too small for a depth."""
    s = settings
    found = []
    for group in groups(s.targets):
        size = size_of(group[0])
        for task in s.tasks:
            inputs = inputs_of(group[0], task)
            for depth in depths_of(s, group[0]):
                try:
                    width = width_for_budget(budget_of(s, group[0]), depth, inputs)
                except InputError as error:
                    raise InputError(f"target {group[0]}: {error}") from None
                steps = size.quick_steps if s.quick else size.steps
                found += [
                    Training(
                        group, task, inputs, depth, width, name, rate, steps, size.train, s.seeds
                    )
                    for name in s.optimizers
                    for rate in RATES[task, name]
                ]
    return found


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from --quick."""
    quick = given.get("quick", False)
    usual = {
        "depths": QUICK_DEPTHS if quick else FULL_DEPTHS,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    settings = Settings(**{**usual, **given})
    if len(settings.depths) < 2 and any(each != "radial" for each in settings.targets):
        raise InputError(
            f"--depths {settings.depths[0]}: one depth has nothing to be compared with; give two "
            "or more, such as 1,4"
        )
    trainings(settings)
    return settings

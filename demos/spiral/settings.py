"""What a run of `scratchnet spiral` is asked for, and what is trained for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scratchnet.backends import InputError, choose

OPTIMIZER_NAMES = {"sgd": "gradient descent", "adam": "Adam"}

CHAPTER_SEED, CHAPTER_EPOCHS = 42, 3000
CHAPTER_TEST_POINTS, CHAPTER_TEST_NOISE = 200, 0.4

# Learning rate and epochs. A quick run takes a third of the epochs with three times the learning
# rate, which leads gradient descent to the same place as long as the larger steps are stable.
FULL = {"sgd": (0.05, 3000), "adam": (0.005, 600)}
QUICK = {"sgd": (0.15, 1000), "adam": (0.005, 400)}
FULL_SEEDS, QUICK_SEEDS = 10, 3
FULL_DEPTHS, QUICK_DEPTHS = (1, 2, 4, 8), (1, 2, 4)

# Equal parameters are those of the network with four hidden layers of the width asked for.
REFERENCE_DEPTH = 4

# The shallowest depth with that many parameters is wide and slow: it gets few seeds, and is left
# out where it would be wider than this.
WIDE_SEEDS, WIDEST = 3, 5000


@dataclass(frozen=True)
class Settings:
    """What a run is asked for. Under the chapter's protocol `turns` does not count."""

    protocol: Literal["standard", "chapter"] = "standard"
    depths: tuple[int, ...] = FULL_DEPTHS
    width: int = 32
    equal_parameters: bool = False
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = FULL["sgd"][0]
    epochs: int = FULL["sgd"][1]
    points: int = 400
    turns: float = 2.0
    noise: float = 0.02
    seed: int = 0
    seeds: int = FULL_SEEDS
    quick: bool = False
    backend: str = "auto"
    precision: str = "fp32"

    @property
    def dtype(self) -> str:
        return "float64" if self.protocol == "chapter" else "float32"

    @property
    def test_points(self) -> int:
        return CHAPTER_TEST_POINTS if self.protocol == "chapter" else self.points

    @property
    def test_noise(self) -> float:
        return CHAPTER_TEST_NOISE if self.protocol == "chapter" else self.noise


def chapter_settings(
    depths: tuple[int, ...] = FULL_DEPTHS, epochs: int = CHAPTER_EPOCHS, backend: str = "auto"
) -> Settings:
    """The chapter's own: `chapter_spirals`, legacy random numbers from 42, float64, one network."""
    return Settings(
        "chapter",
        depths,
        epochs=epochs,
        noise=0.3,
        turns=math.nan,
        seed=CHAPTER_SEED,
        seeds=1,
        backend=backend,
    )


@dataclass(frozen=True)
class Training:
    """An ensemble to train: `seeds` networks 2-[width]*depth-1. Depth 0 is logistic regression."""

    depth: int
    width: int
    optimizer: str
    learning_rate: float
    epochs: int
    seeds: int

    def __str__(self) -> str:
        if self.depth == 0:
            return "logistic regression"
        return f"depth {self.depth}, width {self.width}, {OPTIMIZER_NAMES[self.optimizer]}"


def choose_settings(protocol: str, given: Mapping[str, Any], backend: str = "auto") -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is.

    Raises `InputError` for an option that the protocol does not leave open.
    """
    if protocol == "chapter":
        if fixed := ["--" + name.replace("_", "-") for name in given if name != "depths"]:
            raise InputError(
                f"{', '.join(fixed)} with --protocol chapter: the protocol fixes that; it takes "
                "--depths, --backend, --out, --json and --show"
            )
        return chapter_settings(**given, backend=backend)
    quick = given.get("quick", False)
    rate, epochs = (QUICK if quick else FULL)[given.get("optimizer", "sgd")]
    usual = {
        "depths": QUICK_DEPTHS if quick else FULL_DEPTHS,
        "learning_rate": rate,
        "epochs": epochs,
        "seeds": QUICK_SEEDS if quick else FULL_SEEDS,
    }
    return Settings(backend=backend, **{**usual, **given})


TASK = "spirals"
"""Under this name a saved model says what it was trained on."""

TASK_SETTINGS = ("protocol", "points", "turns", "noise", "seed")
PROTOCOLS = ("standard", "chapter")


def task(settings: Settings) -> dict[str, Any]:
    """What the data of the first seed follow from; the chapter's protocol fixes all of it."""
    if settings.protocol == "chapter":
        return {"protocol": "chapter"}
    return {name: getattr(settings, name) for name in TASK_SETTINGS}


def settings_of_task(task: Mapping[str, Any]) -> Settings:
    """Settings with the same data for one seed. Raises `InputError` where `task` is no task."""
    choose("protocol of the spirals", task.get("protocol", ""), dict.fromkeys(PROTOCOLS))
    if task["protocol"] == "chapter":
        return chapter_settings()
    try:
        settings = Settings(**{name: task[name] for name in TASK_SETTINGS}, seeds=1)
    except KeyError as error:
        raise InputError(f"its description of the spirals lacks {error}") from None
    if not isinstance(settings.seed, int) or settings.seed < 0:
        raise InputError(f"its seed is {settings.seed!r}: accepted are whole numbers from 0")
    return settings


def equal_width(depth: int, parameters: int, inputs: int = 2, outputs: int = 1) -> int:
    """The width that gives `depth` hidden layers about so many parameters, at least 1.

    The positive root h of (depth - 1) h^2 + b h + (outputs - parameters) = 0, rounded, where
    b = inputs + 1 + (depth - 1) + outputs counts a neuron's weights from the inputs and to the
    outputs, and the biases of all hidden layers.
    """
    b, c = inputs + depth + outputs, outputs - parameters
    root = -c / b
    if depth > 1:
        root = (math.sqrt(b * b - 4 * (depth - 1) * c) - b) / (2 * (depth - 1))
    return max(1, round(root))


def parameter_count(depth: int, width: int) -> int:
    """Weights and biases of the network 2-[width]*depth-1."""
    return 3 * width + (depth - 1) * (width + 1) * width + width + 1


def trainings(settings: Settings) -> tuple[list[Training], list[Training]]:
    """What to train: one ensemble for each depth, and the controls."""
    s = settings
    budget = parameter_count(REFERENCE_DEPTH, s.width)

    def ensemble(depth: int, optimizer: str, rate: float, epochs: int) -> Training:
        width = equal_width(depth, budget) if s.equal_parameters else s.width
        return Training(depth, width, optimizer, rate, epochs, s.seeds)

    main = [ensemble(depth, s.optimizer, s.learning_rate, s.epochs) for depth in s.depths]
    if s.protocol == "chapter":
        return main, [Training(0, 0, s.optimizer, s.learning_rate, s.epochs, s.seeds)]
    if s.optimizer == "adam" or len(s.depths) == 1:
        return main, []
    usual = QUICK if s.quick else FULL
    rate, epochs = usual["adam"]
    epochs = max(1, s.epochs * epochs // usual["sgd"][1])
    controls = [ensemble(depth, "adam", rate, epochs) for depth in s.depths]
    shallow = min(s.depths)
    wide = equal_width(shallow, budget)
    if not (s.quick or s.equal_parameters) and s.width < wide <= WIDEST:
        controls.append(Training(shallow, wide, "adam", rate, epochs, min(s.seeds, WIDE_SEEDS)))
    return main, controls

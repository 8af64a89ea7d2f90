"""What a network of `scratchnet spiral` was trained on, as a saved model describes it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scratchnet.backends.errors import InputError, choose
from scratchnet.datasets import chapter_spirals, spirals
from scratchnet.demos.tuning import TEST, TRAINING, VALIDATION, stream

TASK = "spirals"
"""Under this name a saved model says what it was trained on."""

TEST_POINTS = 2000

CHAPTER_SEED, CHAPTER_POINTS, CHAPTER_NOISE = 42, 400, 0.3
CHAPTER_TEST_POINTS, CHAPTER_TEST_NOISE = 200, 0.4


@dataclass(frozen=True)
class Task:
    """The data of one seed. The chapter's protocol fixes all of it."""

    protocol: str = "standard"
    points: int = 400
    turns: float = 2.0
    noise: float = 0.02
    seed: int = 0

    def data(self) -> tuple[Any, Any, Any, Any]:
        """X, y, X_test, y_test."""
        if self.protocol == "chapter":
            # The generator starts anew for the test data, as it does in the chapter.
            train = chapter_spirals(CHAPTER_POINTS, CHAPTER_NOISE, CHAPTER_SEED)
            return *train, *chapter_spirals(CHAPTER_TEST_POINTS, CHAPTER_TEST_NOISE, CHAPTER_SEED)
        sizes = ((self.points, TRAINING), (TEST_POINTS, TEST))
        train, test = (
            spirals(n, self.turns, self.noise, stream(self.seed, use)) for n, use in sizes
        )
        return *train, *test

    def validation(self) -> tuple[Any, Any]:
        """As many points as there are to train on. The chapter has none of its own."""
        if self.protocol == "chapter":
            return chapter_spirals(CHAPTER_POINTS, CHAPTER_NOISE, CHAPTER_SEED + 1)
        return spirals(self.points, self.turns, self.noise, stream(self.seed, VALIDATION))


def described(settings: Any) -> dict[str, Any]:
    """The task of the settings' first seed, for a saved model."""
    return {name: getattr(settings, name) for name in asdict(Task())}


def task_of(description: Mapping[str, Any]) -> Task:
    """The task that a saved model describes. Raises `InputError` where it describes none."""
    known: dict[str, Any] = {"standard": None, "chapter": None}
    choose("protocol of the spirals", description.get("protocol", ""), known)
    if description["protocol"] == "chapter":
        return Task("chapter", CHAPTER_POINTS, noise=CHAPTER_NOISE, seed=CHAPTER_SEED)
    try:
        task = Task(**{name: description[name] for name in asdict(Task())})
    except KeyError as error:
        raise InputError(f"its description of the spirals lacks {error}") from None
    if not isinstance(task.seed, int) or task.seed < 0:
        raise InputError(f"its seed is {task.seed!r}: must be a whole number from 0")
    return task

"""The learning rate as a function of the step, which counts the updates made so far: 0, 1, 2, ...

A schedule is called with the step and returns a Python float; any function that does so is one.
Those below are frozen dataclasses, so that their `repr` is the call that makes them. In lower case,
because they stand where a function stands: `cosine(0.1, steps=300)(step)`.

Bad arguments raise `InputError`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scratchnet.backends.errors import InputError, nonnegative, positive_whole
from scratchnet.optim import Schedule


@dataclass(frozen=True)
class constant:
    """learning_rate, at every step."""

    learning_rate: float

    def __post_init__(self) -> None:
        nonnegative("learning_rate", self.learning_rate)

    def __call__(self, step: int) -> float:
        return float(self.learning_rate)


@dataclass(frozen=True)
class step_decay:
    """learning_rate * factor^floor(step / every): multiplied by `factor` after each `every` steps.

    `factor` is above 0 and at most 1.
    """

    learning_rate: float
    every: int
    factor: float

    def __post_init__(self) -> None:
        nonnegative("learning_rate", self.learning_rate)
        positive_whole("every", self.every)
        if not 0 < self.factor <= 1:
            raise InputError(f"factor is {self.factor}: must be above 0 and at most 1")

    def __call__(self, step: int) -> float:
        return float(self.learning_rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class cosine:
    """final + (learning_rate - final) * (1 + cos(pi * min(step, steps) / steps)) / 2

    Half a period of a cosine, from `learning_rate` at step 0 to `final` at step `steps` and after:
    Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm Restarts", equation
    5, without the restarts.
    """

    learning_rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        nonnegative("learning_rate", self.learning_rate)
        positive_whole("steps", self.steps)
        nonnegative("final", self.final)

    def __call__(self, step: int) -> float:
        share_done = min(step, self.steps) / self.steps
        height = (1 + math.cos(math.pi * share_done)) / 2
        return float(self.final + (self.learning_rate - self.final) * height)


@dataclass(frozen=True)
class linear_warmup:
    """schedule(step) * min(1, (step + 1) / steps): a straight rise over the first `steps` steps.

    The first step already moves, by 1 / `steps` of what `schedule` says; from step `steps` - 1 on
    the rate is that of `schedule`, which is not delayed.
    """

    schedule: Schedule
    steps: int

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            raise InputError(f"schedule is {self.schedule!r}: must be a function of the step")
        positive_whole("steps", self.steps)

    def __call__(self, step: int) -> float:
        return float(self.schedule(step) * min(1.0, (step + 1) / self.steps))

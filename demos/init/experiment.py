"""The three parts of `scratchnet init`: mean squares through depth, training, the sigmoid bound."""

from __future__ import annotations

from dataclasses import dataclass

from scratchnet.demos.init.settings import Settings
from scratchnet.demos.init.sigmoid_bound import Gradients, measure_gradients
from scratchnet.demos.init.training_runs import Training, train
from scratchnet.demos.init.variances import Case, measure, work
from scratchnet.demos.terminal import Advance, no_progress

TRAINING_SHARE = 0.4
"""What the training runs take of a run's time, about."""


@dataclass(frozen=True, eq=False)
class Result:
    """What was finished; Ctrl-C leaves out the rest."""

    settings: Settings
    cases: list[Case]
    trainings: list[Training]
    gradients: Gradients | None
    interrupted: bool


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Measure, train, and compare with the bound; `advance` is given shares of 1 in all.

    Raises `KeyboardInterrupt` where not even the first case was finished, and `InputError` for
    settings out of range.
    """
    cases: list[Case] = []
    trainings: list[Training] = []
    gradients = None
    total = work(settings)
    steps = settings.epochs * len(settings.activations)
    interrupted = False
    try:
        for shape in settings.shapes:
            for rule in settings.rules:
                advance(0, note=f"{shape} widths, {rule}")
                cases += measure(
                    settings,
                    rule,
                    shape,
                    lambda done=1, note="": advance((1 - TRAINING_SHARE) * done / total),
                )
        for activation in settings.activations:
            advance(0, note=f"training, {activation}")
            trainings += train(
                settings,
                activation,
                lambda done=1, note="": advance(TRAINING_SHARE * done / steps),
            )
        if "sigmoid" in settings.activations:
            gradients = measure_gradients(settings)
    except KeyboardInterrupt:
        if not cases:
            raise
        interrupted = True
    return Result(settings, cases, trainings, gradients, interrupted)

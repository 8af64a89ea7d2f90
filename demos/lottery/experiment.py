"""Lottery tickets and their controls, of all seeds, round after round as one ensemble."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.lottery.settings import AT_START, VARIANTS, Settings
from scratchnet.demos.seeded_data import Data, load
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.demos.trained_ensembles import build
from scratchnet.evaluation import accuracy, evaluate_loss
from scratchnet.lottery import CONTROLS, iterative_pruning
from scratchnet.model import Model
from scratchnet.optim import Adam
from scratchnet.pruning import connection_sensitivity, layer_masks, magnitudes, remaining_weights
from scratchnet.training import fit


@dataclass(frozen=True, eq=False)
class Round:
    """What became of ticket and controls in one round; round 0 is the dense network."""

    number: int
    remaining: int
    """Weights that are not pruned, the same number for all seeds and variants."""
    test_accuracy: Any
    train_accuracy: Any
    """Both (variants, seeds), in the order of VARIANTS; NaN where a network diverged."""
    layer_remaining: Any
    """(layers, seeds): of the tickets."""
    masks: list[Any]
    """Of the first seed's ticket: booleans (in, out) for each layer."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    rounds: tuple[Round, ...]
    """Those that were finished, the dense network first."""
    layer_weights: tuple[int, ...]
    """The weights of each layer before pruning."""
    test_samples: int
    seconds: float

    @property
    def weights(self) -> int:
        return sum(self.layer_weights)

    @property
    def interrupted(self) -> bool:
        return len(self.rounds) <= self.settings.rounds


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Train, prune and train again. Ctrl-C keeps the rounds that are finished.

    Raises `KeyboardInterrupt` where no pruned network is, `InputError` for settings out of range.
    """
    s = settings
    data = load(s.training.dataset, s.points, s.seed, s.seeds)
    groups = len(VARIANTS)
    model = build(s.training, data, s.seed, groups * s.seeds, s.backend)
    X, X_test = (
        each if data.shared else np.concatenate([each] * groups) for each in (data.X, data.X_test)
    )
    start = time.perf_counter()
    rounds: list[Round] = []

    def train(model: Model, steps: int) -> None:
        advance(0, note=f"round {len(rounds)} of {s.rounds}")
        history = fit(
            model,
            X,
            data.y,
            loss=data.loss,
            optimizer=Adam(model, s.learning_rate),
            epochs=steps,
            callbacks=[lambda *_: advance()],
        )
        if history.stopped == "interrupted":
            raise KeyboardInterrupt
        advance(steps - history.epochs)

    pruning = iterative_pruning(
        model,
        train,
        s.steps,
        [s.fraction] * s.rounds,
        rewind_step=s.rewind_step,
        controls=CONTROLS,
        scores=scores_of(s.method, X, data),
        at_start=s.method in AT_START,
        scope="layer" if s.method == "layer-magnitude" else "global",
    )
    try:
        with warnings.catch_warnings():
            # A network that diverged is NaN in the result, and named in the report.
            warnings.simplefilter("ignore", RuntimeWarning)
            for number in pruning:
                rounds.append(measure(number, model, settings, X, X_test, data))
    except KeyboardInterrupt:
        if len(rounds) < 2:
            raise
    totals = tuple(each.total for each in remaining_weights(model))
    return Result(s, tuple(rounds), totals, len(data.y_test), time.perf_counter() - start)


def scores_of(method: str, X: Any, data: Data) -> Callable[[Model], Any]:
    if method == "snip":
        return lambda model: connection_sensitivity(model, X, data.y, data.loss)
    return magnitudes


def measure(
    number: int, model: Model, settings: Settings, X: Any, X_test: Any, data: Data
) -> Round:
    """The numbers of a round from the ensemble as it is after its training."""
    shape = (len(VARIANTS), settings.seeds)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(evaluate_loss(model, X, data.y, data.loss))
        test, train = accuracy(model, X_test, data.y_test), accuracy(model, X, data.y)
    counts = np.array([each.remaining for each in remaining_weights(model)])
    return Round(
        number,
        int(counts[:, 0].sum()),
        np.where(finite, test, np.nan).reshape(shape),
        np.where(finite, train, np.nan).reshape(shape),
        counts[:, : settings.seeds],
        [mask[0] for mask in layer_masks(model).values()],
    )

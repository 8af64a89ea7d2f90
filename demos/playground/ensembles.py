"""Several networks at once: ten seeds, or a learning rate for each network.

Both are one ensemble: its networks train side by side in the same calls, each with the bits that it
would have alone. `ten_seeds` and `sweep` are generators: each `next` trains for a moment and gives
a message of the progress, and the last one gives the result.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchnet import Model
from scratchnet.backends.errors import InputError
from scratchnet.classes import classes
from scratchnet.demos.playground.data import Task
from scratchnet.demos.playground.learning import Learning, make_model, make_optimizer
from scratchnet.demos.playground.pictures import as_bytes, scores
from scratchnet.demos.playground.protocol import MOST_STEPS
from scratchnet.demos.playground.state import LARGEST_SEED, State
from scratchnet.depth.slices import points

SEEDS = 10
STEPS = 300
"""At least, where it is not said."""
LOOKS = 40
"""How often the curves are measured."""
LARGEST_WORK = 4_000_000
"""Networks times neurons times training points."""
SECONDS_AT_ONCE = 0.05
GRID = 32
RATES = {
    "sgd": np.geomspace(1e-3, 10, 9),
    "momentum": np.geomspace(1e-4, 1, 9),
    "adam": np.geomspace(1e-4, 1, 9),
    "adamw": np.geomspace(1e-4, 1, 9),
}

Message = tuple[dict[str, Any], dict[str, Any]]
"""A header, and arrays, which are none of progress."""


def ten_seeds(of: Learning, steps: int) -> Iterator[Message]:
    """Train networks with the seeds from the state's on, on the same data.

    Of a lottery ticket each keeps the ticket's places, with the initial values of its own seed, so
    that the first is the ticket itself.

    Result: `{"say": "ten_seeds", "steps", "seeds": [...], "ticket": bool, "losses": {"train":
    [...], "test"}, "accuracies": {"train", "test"}, "diverged": [bool, ...], "sentence"}` and the
    arrays `curves` float32 (looks, 1 + 4 seeds): step, then loss, test loss, accuracy and test
    accuracy of all seeds; `predictions` uint8 (seeds, 32, 32): P(class 1), or the class;
    `agreement` uint8 (32, 32): 255 times the share of seeds that give the commonest class there.
    """
    state, task = of.state, of.task
    if state.training.seed > LARGEST_SEED - SEEDS:
        raise InputError(
            f"training.seed is {state.training.seed}: must be {LARGEST_SEED - SEEDS} at most, as "
            f"{SEEDS} seeds follow one another"
        )
    check_work(state, task, SEEDS)
    learning = Learning(state, task, masked(make_model(state, task, ensemble=SEEDS), of))
    curves = yield from _train(learning, steps, "ten_seeds")
    header, arrays = _result(learning, curves, "ten_seeds")
    accuracies = np.array(header["accuracies"]["test"])
    header["seeds"] = list(learning.model.seeds)
    header["ticket"] = of.whole is not None
    header["sentence"] = (
        f"{accuracies.mean():.0%} of the test points on average, from {accuracies.min():.0%} to "
        f"{accuracies.max():.0%}; standard deviation {100 * accuracies.std(ddof=1):.1f} points"
    )
    outputs = learning.model.predict(points(task.plane, task.plane.grid(GRID)))
    chosen = classes(outputs, learning.model.threshold)
    counts = [(chosen == each).sum(axis=0) for each in range(len(task.classes))]
    arrays["agreement"] = as_bytes(np.max(counts, axis=0) / SEEDS).reshape(GRID, GRID)
    if outputs.shape[-1] == 1:
        shown = [as_bytes(scores(each, learning.model)) for each in outputs]
    else:
        shown = [each.astype(np.uint8) for each in chosen]
    arrays["predictions"] = np.stack(shown).reshape(SEEDS, GRID, GRID)
    yield header, arrays


def sweep(of: Learning, steps: int) -> Iterator[Message]:
    """Train a network, or a lottery ticket, at each of nine learning rates, from the same seed.

    Result: `{"say": "sweep", "steps", "rates": [...], "losses": ..., "accuracies": ...,
    "diverged": ..., "best": the rate with the lowest loss on training points, or null,
    "sentence"}` and the array `curves`, as for `ten_seeds`.
    """
    state, task = of.state, of.task
    rates = RATES[state.training.optimizer]
    check_work(state, task, len(rates))
    seeds = [state.training.seed] * len(rates)
    model = masked(make_model(state, task, ensemble=len(rates), seed=seeds), of)
    learning = Learning(state, task, model, make_optimizer(state, model, rates))
    curves = yield from _train(learning, steps, "sweep")
    header, arrays = _result(learning, curves, "sweep")
    losses = np.array(header["losses"]["train"], float)
    losses[~np.isfinite(losses) | header["diverged"]] = np.inf
    best = int(losses.argmin())
    header["rates"] = [float(f"{rate:.3g}") for rate in rates]
    header["best"] = None if np.isinf(losses[best]) else header["rates"][best]
    header["sentence"] = (
        "every learning rate diverged"
        if header["best"] is None
        else f"the lowest loss after {learning.steps:,} steps: {losses[best]:.3g} at a learning "
        f"rate of {header['best']:g}"
    )
    yield header, arrays


def masked(model: Model, of: Learning) -> Model:
    """The ensemble, with the mask of a lottery ticket in each of its networks."""
    if of.model.mask_buffer is not None:
        model.set_mask(np.broadcast_to(of.model.mask_buffer, model.parameter_buffer.shape))
    return model


def steps_for(made: int, asked: int | None) -> int:
    """How many steps to train for: as asked, or as many as were made, in the bounds."""
    return asked if asked is not None else min(MOST_STEPS, max(STEPS, made))


def check_work(state: State, task: Task, networks: int) -> None:
    """Raise `InputError` where so many networks take too much memory."""
    neurons = sum(state.network.layers) + task.inputs
    work = networks * neurons * len(task.X)
    if work > LARGEST_WORK:
        raise InputError(
            f"{networks} networks of {neurons} neurons on {len(task.X):,} training points: "
            f"neurons times points must be at most {LARGEST_WORK // networks:,}"
        )


def _train(learning: Learning, steps: int, of: str) -> Any:
    """Train, with progress; returns the curves, (looks, 1 + 4 networks)."""
    rows, said = [_row(learning)], 0.0
    for target in np.unique(np.geomspace(1, steps, LOOKS).round().astype(int)):
        while learning.steps < target and not learning.has_diverged:
            end = time.monotonic() + SECONDS_AT_ONCE
            while learning.steps < target and not learning.has_diverged and time.monotonic() < end:
                learning.advance(1)
            if time.monotonic() - said > 0.2:
                said = time.monotonic()
                yield {"say": "progress", "of": of, "done": learning.steps, "steps": steps}, {}
            else:
                yield {}, {}
        rows.append(_row(learning))
    return np.array(rows)


def _row(learning: Learning) -> list[float]:
    """The steps, then loss, test loss, accuracy and test accuracy of every network."""
    found = learning.measured()
    parts = (found.loss, found.test_loss, found.accuracy, found.test_accuracy)
    return [float(learning.steps), *np.concatenate([np.asarray(part, float) for part in parts])]


def _result(learning: Learning, curves: Any, say: str) -> Message:
    """The message with the last row of the curves, and the curves as an array."""
    networks = len(learning.model.seeds)
    loss, test_loss, right, test_right = curves[-1, 1:].reshape(4, networks).tolist()
    gone = {each.network for each in learning.diverged}
    return {
        "say": say,
        "steps": learning.steps,
        "losses": {"train": loss, "test": test_loss},
        "accuracies": {"train": right, "test": test_right},
        "diverged": [i in gone for i in range(networks)],
    }, {"curves": curves.astype(np.float32)}

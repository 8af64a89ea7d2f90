"""A trained network without some of its weights or neurons, and what training makes of the rest.

Every sparsity of every method is one network of an ensemble of copies, so that all are tested, and
trained again, side by side.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.checkpoint import load_model, load_task
from scratchnet.compacting import compact
from scratchnet.demos.prune.settings import Settings
from scratchnet.demos.spiral import task as spiral
from scratchnet.demos.spiral.task import TASK, Task
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.layers import Linear
from scratchnet.model import Model
from scratchnet.optim import Adam
from scratchnet.pruning import chain, prune, prune_neurons, random_scores, remaining_weights
from scratchnet.training import fit

# A draw of a random mask has a stream of its own: this number, the draw.
RANDOM_MASKS = 7


@dataclass(frozen=True, eq=False)
class Row:
    """One method at one sparsity. Arrays lead with the draws, of which only random pruning has
    several."""

    method: str
    sparsity: float
    weights: int
    """Those that remain."""
    pruned: Any
    """Booleans (draws, test samples): what is classified right before any further training."""
    retrained: Any
    """The same after it."""
    neurons: Any
    """Hidden neurons of the compacted networks, (draws,)."""
    parameters: Any
    """Of the compacted networks, (draws,)."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    task: Task
    model: Model
    """As it was loaded."""
    weights: int
    neurons: int
    """Hidden ones, before pruning."""
    dense: Any
    """Booleans (test samples): what the network gets right as it was loaded."""
    dense_retrained: Any
    """The same after the further training, without pruning."""
    rows: tuple[Row, ...]
    difference: float
    """The largest between a logit of a masked network and of its compacted one, on the test data,
    over the largest logit; NaN where no network has outputs that are finite."""
    seconds: float

    @property
    def test_samples(self) -> int:
        return len(self.dense)


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Prune copies of the saved network in all ways asked for, and train them again.

    Raises `KeyboardInterrupt` on Ctrl-C, `InputError` for a file that cannot be used.
    """
    s = settings
    start = time.perf_counter()
    model = load_model(s.file, s.backend)
    task, (X, y, X_test, y_test) = task_of(s, model)
    copies = pruned_copies(settings, model)
    pruned = correct(copies, X_test, y_test)
    advance(0, note=f"{len(s.networks)} networks")
    with warnings.catch_warnings():
        # A network that diverges gets half of the test samples wrong, which the report shows.
        warnings.simplefilter("ignore", RuntimeWarning)
        history = fit(
            copies,
            X,
            y,
            optimizer=Adam(copies, s.learning_rate),
            epochs=s.steps,
            callbacks=[lambda *_: advance()],
        )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    retrained = correct(copies, X_test, y_test)
    with np.errstate(over="ignore", invalid="ignore"):
        neurons, parameters, difference = compacted_sizes(copies, X_test)
    return Result(
        s,
        task,
        model,
        sum(each.total for each in remaining_weights(model)),
        hidden_neurons(model),
        correct(model, X_test, y_test),
        retrained[0],
        tuple(rows(s, copies, pruned, retrained, neurons, parameters)),
        difference,
        time.perf_counter() - start,
    )


def task_of(settings: Settings, model: Model) -> tuple[Task, list[Any]]:
    """What the network was trained on, from its file: the settings, and X, y, X_test, y_test."""
    found = load_task(settings.file).get(TASK)
    if not isinstance(found, dict):
        raise InputError(
            f"{settings.file} does not say what its network was trained on: make a file with "
            f"scratchnet spiral --save {settings.file}"
        )
    try:
        task = spiral.task_of(found)
        data = [*task.data()]
    except InputError as error:
        raise InputError(f"{settings.file}: {error}") from None
    first, last = chain(model)[0].linear, chain(model)[-1].linear
    if (first.fan_in, last.fan_out) != (2, 1):
        raise InputError(
            f"{settings.file}: its network has {first.fan_in} inputs and {last.fan_out} outputs; "
            "the spirals need 2 and 1"
        )
    if not np.isfinite(model.predict(data[0])).all():
        raise InputError(f"{settings.file}: its network has diverged, its outputs are not finite")
    return task, data


def pruned_copies(settings: Settings, model: Model) -> Model:
    """The ensemble: for each of `settings.networks` a copy of the network with its mask."""
    masks = [mask_of(model, settings, *each) for each in settings.networks]
    copies = model.repeated(len(masks))
    copies.set_mask(np.stack(masks))
    return copies


def mask_of(model: Model, settings: Settings, method: str, sparsity: float, draw: int) -> Any:
    """The mask (P,) of one method at one sparsity."""
    copy = model.repeated(1)
    if method == "neurons":
        prune_neurons(copy, sparsity=sparsity)
    elif method == "random":
        key = (RANDOM_MASKS, draw)
        sequence = np.random.SeedSequence(settings.seed, spawn_key=key)
        scores = random_scores(copy, [np.random.default_rng(sequence)])
        prune(copy, sparsity=sparsity, scores=scores)
    else:
        prune(copy, sparsity=sparsity, scope="layer" if method == "layer-magnitude" else "global")
    return np.array(copy.backend.to_numpy(copy.mask_buffer))[0]


def correct(model: Model, X: Any, y: Any) -> Any:
    """Booleans (N,), or (E, N): which samples each network classifies right."""
    with np.errstate(over="ignore", invalid="ignore"):
        return model.classify(X) == y


def hidden_neurons(model: Model) -> int:
    return sum(layer.fan_out for layer in model.layers if isinstance(layer, Linear)) - 1


def compacted_sizes(copies: Model, X: Any) -> tuple[Any, Any, float]:
    """Neurons and parameters of each network when compacted; how far outputs are off at most."""
    neurons, parameters, differences = [], [], []
    outputs = copies.predict(X)
    for number, expected in enumerate(outputs):
        smaller = compact(copies.network(number))
        neurons.append(hidden_neurons(smaller))
        parameters.append(smaller.parameter_count)
        if np.isfinite(expected).all():
            scale = max(float(np.abs(expected).max()), 1.0)
            differences.append(float(np.abs(smaller.predict(X) - expected).max()) / scale)
    return np.array(neurons), np.array(parameters), max(differences, default=math.nan)


def rows(
    settings: Settings, copies: Model, pruned: Any, retrained: Any, neurons: Any, parameters: Any
) -> list[Row]:
    """The networks sorted into methods and sparsities, without the first, which is not pruned."""
    counts = sum(each.remaining for each in remaining_weights(copies))
    found: dict[tuple[str, float], list[int]] = {}
    for number, (method, sparsity, _) in enumerate(settings.networks):
        if number:
            found.setdefault((method, sparsity), []).append(number)
    return [
        Row(
            method,
            sparsity,
            int(counts[numbers[0]]),
            pruned[numbers],
            retrained[numbers],
            neurons[numbers],
            parameters[numbers],
        )
        for (method, sparsity), numbers in found.items()
    ]

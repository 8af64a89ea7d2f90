"""Which networks learn parity by gradient descent: the second half of `scratchnet parity`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.demos.parity.formulas import log2_up
from scratchnet.demos.statistics import Estimate, mean_interval, wilson_interval
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.circuits import row_bits
from scratchnet.depth.parity import parity_of_rows
from scratchnet.model import Model, mlp
from scratchnet.optim import Adam
from scratchnet.training import fit

WIDTH = 32
LEARNING_RATE = 5e-3
INITIALIZER = "he_normal"
STEPS_BETWEEN_CHECKS = 25
LARGEST_TABLE = 14

# Which rows a seed holds out is drawn from a stream that the model does not use.
HOLDING_OUT = 101

ONE, DEEP, WIDE = "one layer", "log2 n layers", "one wide layer"
KINDS = (ONE, DEEP, WIDE)


def hidden_widths(kind: str, inputs: int) -> tuple[int, ...]:
    """The hidden widths of a kind of network: 32; 32 in each of ceil(log2 n) layers; or one
    layer as wide as gives the parameters of the deep network.

    One hidden layer of h has h (n + 2) + 1 parameters.
    """
    if kind == ONE:
        return (WIDTH,)
    deep = (WIDTH,) * max(1, log2_up(inputs))
    if kind == DEEP:
        return deep
    parameters = WIDTH * (inputs + 1) + (len(deep) - 1) * WIDTH * (WIDTH + 1) + WIDTH + 1
    return (round((parameters - 1) / (inputs + 2)),)


@dataclass(frozen=True, eq=False)
class Training:
    """E networks of one kind, a network per seed, on the table of n inputs or on half of it."""

    kind: str
    inputs: int
    half: bool
    """Whether half of the rows, each seed's own, were held out."""
    hidden: tuple[int, ...]
    parameters: int
    steps_to_solve: Any
    """(E,): at which check all training rows were right for the first time; -1 where never."""
    right: Any
    """(E,): share of training rows that were right then, or else after the last step."""
    test_accuracy: Any
    """(E,): the same of the rows held out; None on the full table."""
    seconds: float

    @property
    def networks(self) -> int:
        return len(self.steps_to_solve)

    @property
    def solved(self) -> int:
        """How many networks got all training rows right."""
        return int(np.sum(self.steps_to_solve >= 0))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the probability that a seed gets all training rows right."""
        return wilson_interval(self.solved, self.networks)

    @property
    def accuracy(self) -> Estimate:
        """On the rows held out."""
        return mean_interval(self.test_accuracy)


class Checks:
    """A callback of `fit`: looks at all rows now and then, and stops when every network is done.

    What a network does after all its training rows were right for the first time is not looked at,
    so that a seed gives the same alone and within an ensemble.
    """

    def __init__(self, X: NDArray[Any], y: NDArray[Any], training_rows: NDArray[np.bool_]) -> None:
        self.X, self.y, self.training_rows = X, y, training_rows
        networks = len(training_rows)
        self.steps_to_solve = np.full(networks, -1)
        self.right = np.zeros(networks)
        self.test_accuracy = np.full(networks, np.nan)

    def __call__(self, epoch: int, model: Model, loss: Any) -> bool:
        if (epoch + 1) % STEPS_BETWEEN_CHECKS == 0:
            self.look(epoch + 1, model)
        return bool((self.steps_to_solve >= 0).all())

    def look(self, step: int, model: Model) -> None:
        right = model.classify(self.X) == self.y
        for network in np.flatnonzero(self.steps_to_solve < 0):
            chosen = self.training_rows[network]
            self.right[network] = right[network, chosen].mean()
            if not chosen.all():
                self.test_accuracy[network] = right[network, ~chosen].mean()
            if self.right[network] == 1:
                self.steps_to_solve[network] = step


def training_rows(inputs: int, half: bool, seeds: Sequence[int]) -> NDArray[np.bool_]:
    """(E, 2^n): which rows each seed trains on; all, or a random half."""
    rows = 2**inputs
    chosen = np.ones((len(seeds), rows), bool)
    if half:
        for number, seed in enumerate(seeds):
            stream = np.random.SeedSequence(seed, spawn_key=(HOLDING_OUT,))
            held_out = np.random.default_rng(stream).permutation(rows)[: rows // 2]
            chosen[number, held_out] = False
    return chosen


def train(
    kind: str,
    inputs: int,
    half: bool = False,
    steps: int = 3000,
    seed: int = 0,
    seeds: int = 1,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Training:
    """Train `seeds` networks side by side: inputs -1 and 1, full batch, Adam at 5e-3.

    Training ends when every network has all its rows right at a check, every 25 steps and after
    the last one, or after `steps`. Raises `KeyboardInterrupt` after Ctrl-C.
    """
    table = np.arange(2**inputs)
    X, y = 2 * row_bits(table, inputs) - 1, parity_of_rows(table)
    hidden = hidden_widths(kind, inputs)
    model = mlp(
        [inputs, *hidden, 1], "relu", INITIALIZER, seed=seed, ensemble=seeds, backend=backend
    )
    chosen = training_rows(inputs, half, model.seeds)
    checks = Checks(X, y, chosen)
    unit = step_cost(kind, inputs, half)
    advance(0, f"{inputs} inputs, {kind}{', half held out' if half else ''}")
    start = time.perf_counter()
    history = fit(
        model,
        np.stack([X[rows] for rows in chosen]) if half else X,
        np.stack([y[rows, None] for rows in chosen]).astype(float) if half else y,
        optimizer=Adam(model, LEARNING_RATE),
        epochs=steps,
        callbacks=[lambda *_: advance(unit), checks],
    )
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    checks.look(history.epochs, model)
    advance(unit * (steps - history.epochs))
    return Training(
        kind=kind,
        inputs=inputs,
        half=half,
        hidden=hidden,
        parameters=model.parameter_count,
        steps_to_solve=checks.steps_to_solve,
        right=checks.right,
        test_accuracy=checks.test_accuracy if half else None,
        seconds=time.perf_counter() - start,
    )


def step_cost(kind: str, inputs: int, half: bool) -> float:
    """About how long a step takes, in units of its own: rows times hidden neurons, and overhead."""
    rows = 2**inputs / (2 if half else 1)
    return rows * sum(hidden_widths(kind, inputs)) + 20_000


def trainings(sizes: Sequence[int]) -> list[tuple[str, int, bool]]:
    """The (kind, inputs, half) to train, in order."""
    return [(kind, inputs, half) for inputs, half, kind in product(sizes, (False, True), KINDS)]

"""Which networks learn parity from its truth table, whole or half: the second part of the demo."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from scratchnet.demos.parity.formulas import log2_up
from scratchnet.demos.running import Advance
from scratchnet.demos.tuning import (
    RATES,
    TRAINING,
    Arm,
    Data,
    data_of_networks,
    fitted,
    networks,
    stream,
)
from scratchnet.depth.budget import parameter_count, width_for_budget
from scratchnet.depth.circuits import row_bits
from scratchnet.depth.parity import parity_of_rows
from scratchnet.evaluation import accuracy
from scratchnet.model import Model
from scratchnet.optim import Adam

WIDTH, QUICK_RATE = 32, 0.005
STEPS_BETWEEN_CHECKS = 25

ONE, DEEP, WIDE = "one layer", "log2 n layers", "one wide layer"
KINDS = {
    ONE: f"one layer of {WIDTH}",
    DEEP: f"log2 n layers of {WIDTH}",
    WIDE: "one wide layer, as many parameters",
}
"""The networks that are trained, and what they are."""


def arm_name(kind: str, inputs: int, half: bool) -> str:
    """Such as `one layer, n = 8, half`."""
    return f"{kind}, n = {inputs}{', half' if half else ''}"


def shape(kind: str, inputs: int) -> tuple[int, int]:
    """The number of hidden layers, and their width."""
    deep = max(1, log2_up(inputs))
    if kind == WIDE:
        return 1, width_for_budget(parameter_count(deep, WIDTH, inputs), 1, inputs)
    return deep if kind == DEEP else 1, WIDTH


def arms(s: Any) -> list[Arm]:
    """Every kind of network on each table and on half of it, by the settings of the experiment."""
    sizes = sorted(s.learn_inputs) if s.learn else []
    return [arm(s, *each) for each in product(sizes, (False, True), KINDS)]


def arm(s: Any, inputs: int, half: bool, kind: str) -> Arm:
    """Networks of a kind that learn a table of so many inputs, or half of it."""
    depth, width = shape(kind, inputs)
    facts = {"kind": kind, "inputs": inputs, "half": half, "depth": depth, "width": width}
    facts["parameters"] = parameter_count(depth, width, inputs)
    return Arm(
        arm_name(kind, inputs, half),
        partial(networks, s, [inputs, *[width] * depth, 1]),
        partial(table, inputs, half),
        Adam,
        (QUICK_RATE,) if s.quick else RATES["adam"],
        s.steps,
        facts,
        work=1e-8 * 2**inputs / (1 + half) * depth * width + 1e-5,
        train=train,
    )


def table(inputs: int, half: bool, seeds: Sequence[int]) -> Data:
    """Rows of -1 and 1 with their parities. For half, each seed trains on a random half.

    The other rows are validation data of the tuning seeds, and test data of the others.
    """
    numbers = np.arange(2**inputs)
    X, y = 2 * row_bits(numbers, inputs) - 1, parity_of_rows(numbers)
    if not half:
        return Data(X, y, X, y, X, y)
    mixed = np.stack([stream(seed, TRAINING).permutation(numbers) for seed in seeds])
    seen, unseen = np.split(mixed, 2, axis=1)
    held_out = X[unseen], y[unseen][..., None]
    return Data(X[seen], y[seen][..., None].astype(float), *held_out, *held_out)


class Checks:
    """A callback of `fit`: looks at all rows now and then, and stops when every network is done.

    What a network does after all its training rows were right for the first time is not looked at,
    so that a seed gives the same alone and within an ensemble.
    """

    def __init__(self, data: Data, networks: int) -> None:
        self.data = data
        self.steps, self.right, self.unseen = np.full((3, networks), np.nan)

    def __call__(self, epoch: int, model: Model, loss: Any) -> bool:
        if (epoch + 1) % STEPS_BETWEEN_CHECKS == 0:
            self.look(epoch + 1, model)
        return bool(np.isfinite(self.steps).all())

    def look(self, step: int, model: Model) -> None:
        """Note what each network that still learns has right."""
        learning = np.isnan(self.steps)
        right = accuracy(model, self.data.X, self.data.y)
        unseen = accuracy(model, self.data.X_validation, self.data.y_validation)
        self.right[learning], self.unseen[learning] = right[learning], unseen[learning]
        self.steps[learning & (right == 1)] = step


def train(arm: Arm, seeds: Any, rates: Any, s: Any, advance: Advance, tuning: bool) -> Any:
    """Full batch, until every network has all training rows right at a check, or to the last step.

    The score of a network is the share of rows that are right. On half of the table it is that of
    the rows that were held out, and 0 where the training rows were not learned: the question is
    what networks that fit their rows make of others.
    """
    model, data = arm.build(seeds), data_of_networks(arm, seeds)
    checks = Checks(data, len(seeds))
    watched = replace(arm, callbacks=lambda model: [checks])
    history = fitted(watched, model, data, rates, s, advance)
    checks.look(history.epochs, model)
    score = np.where(checks.right == 1, checks.unseen, 0.0) if arm.facts["half"] else checks.right
    measures = {"steps": checks.steps, "train_accuracy": checks.right, "validation_score": score}
    return measures if tuning else measures | {"test_accuracy": checks.unseen}, {}

"""What all implementations share: the data, the initial weights, and the losses to reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.demos.bench.cases import Case
from scratchnet.demos.bench.counting import count_step
from scratchnet.demos.bench.floors import numpy_loop
from scratchnet.demos.bench.timing import Implementation
from scratchnet.init import he_normal

LEARNING_RATE = 0.01
WIDEST_AT_FULL_SCALE = 256

STEPS_COMPARED = 8
TOLERANCE = {"fp32": 1e-4, "tf32": 1e-2, "fp16": 1e-2, "bf16": 5e-2}
"""How far a loss may be from the reference, relative to it, after each of the steps compared."""
NETWORKS_AT_A_KINK = 0.01
TOLERANCES_AT_A_KINK = 10
"""Near a kink of ReLU rounding decides on which side a point lies, and its gradient comes or goes.

So, of many networks, that share may be that many tolerances away.
"""
NETWORKS_COMPARED = 3
LARGEST_REFERENCE = 2e9
"""Operations of a step of one network beyond which the reference is not computed on the host."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Points X (N, 2) with labels y (N, 1), and the initial weights, as float32 host arrays.

    weights[l] is (E, in, out) and biases[l] (E, 1, out), also for E = 1.
    """

    case: Case
    X: Any
    y: Any
    weights: tuple[Any, ...]
    biases: tuple[Any, ...]

    def own(self, array: Any) -> Any:
        """An array (E, ...), without that axis where the case has one network."""
        return array if self.case.ensemble else array[0]

    def loop(self, network: int, dtype: Any = np.float32) -> Any:
        """The step of one network as the hand-written loop."""
        return numpy_loop(
            [each[network].astype(dtype) for each in self.weights],
            [each[network, 0].astype(dtype) for each in self.biases],
            self.X.astype(dtype, copy=False),
            self.y.astype(dtype, copy=False),
            LEARNING_RATE,
        )


def new_problem(case: Case, seed: int = 0) -> Problem:
    """Points from a normal distribution, labelled by the sign of x1 x2; He's initial weights.

    How far a step of gradient descent changes the outputs grows with the width, and with the square
    of the points' scale. So points for wide networks lie nearer to 0: else the losses would jump,
    and rounding errors would grow from step to step.
    """
    rng = np.random.default_rng((seed, case.depth, case.width, case.batch))
    X = rng.standard_normal((case.batch, case.widths[0]), np.float32)
    X *= np.float32(min(1.0, WIDEST_AT_FULL_SCALE / case.width) ** 0.5)
    y = (X[:, :1] * X[:, 1:] > 0).astype(np.float32)
    weights = tuple(
        np.stack([he_normal(rng, i, o).astype(np.float32) for _ in range(case.networks)])
        for i, o in pairwise(case.widths)
    )
    biases = tuple(np.zeros((case.networks, 1, o), np.float32) for o in case.widths[1:])
    return Problem(case, X, y, weights, biases)


def reference_losses(problem: Problem) -> Any:
    """The first networks' losses in float64 by the hand-written loop: (steps, networks)."""
    loops = [
        problem.loop(network, np.float64)
        for network in range(min(problem.case.networks, NETWORKS_COMPARED))
    ]
    return np.array([[float(loop()) for loop in loops] for _ in range(STEPS_COMPARED)])


def first_losses(implementation: Implementation) -> Any:
    """The losses in its first steps, (steps, networks); this makes the steps."""
    assert implementation.losses is not None
    found: list[Any] = []
    while sum(map(len, found)) < STEPS_COMPARED:
        losses = implementation.losses(implementation.call())
        found.append(np.asarray(losses, dtype=np.float64))
    return np.concatenate(found)[:STEPS_COMPARED]


def check_agreement(problem: Problem, implementations: Sequence[Implementation]) -> float:
    """The largest relative difference of a loss from the reference; makes the first steps of each.

    The reference is the hand-written loop in float64, for a few networks; all networks are
    compared with the first implementation's. Only losses go to the host. A case that is too large
    for the host has no reference. Raises `InputError`, with the implementation and the step, where
    a loss is farther away than `TOLERANCE`, at a kink excepted, or where losses stand still.
    """
    case = problem.case
    tolerance = TOLERANCE[case.precision]
    runs = {each.name: first_losses(each) for each in implementations if each.losses is not None}
    first = next(iter(runs.values()))
    if (first[-1] == first[0]).any():
        raise InputError(f"{case}: the loss does not change, so the comparison would mean nothing")
    known = [first]
    if count_step(case).operations / case.networks <= LARGEST_REFERENCE:
        known.append(reference_losses(problem))
    worst = 0.0
    for name, losses in runs.items():
        for expected in known:
            both = min(losses.shape[1], expected.shape[1])
            differences = np.abs(losses[:, :both] / expected[:, :both] - 1)
            largest = differences.max(axis=1)
            wrong = np.flatnonzero(~is_accepted(differences, tolerance))
            if wrong.size:
                step = int(wrong[0])
                raise InputError(
                    f"{case}: the losses of {name} differ at step {step + 1}: relative difference "
                    f"{largest[step]:.1g}, must be at most {tolerance:g}"
                )
            worst = max(worst, float(largest.max()))
    return worst


def is_accepted(differences: Any, tolerance: float) -> Any:
    """For each step, whether the networks' differences (steps, networks) are small enough."""
    at_a_kink = int(NETWORKS_AT_A_KINK * differences.shape[1])
    farthest = tolerance * (TOLERANCES_AT_A_KINK if at_a_kink else 1)
    too_far = (~(differences <= tolerance)).sum(axis=1)
    return (too_far <= at_a_kink) & (differences <= farthest).all(axis=1)

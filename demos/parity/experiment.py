"""What `scratchnet parity` computes: circuits built and run on all rows, then networks trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.parity.formulas import FORMULAS, measured
from scratchnet.demos.parity.learning import (
    INITIALIZER,
    LEARNING_RATE,
    STEPS_BETWEEN_CHECKS,
    WIDTH,
    Training,
    step_cost,
    train,
    trainings,
)
from scratchnet.demos.results import environment
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.depth.circuits import MOST_DNF_INPUTS, Verification, verify
from scratchnet.depth.parity import PARITY, parity_circuit


@dataclass(frozen=True)
class Built:
    """A circuit for parity of n inputs, or why there is none."""

    construction: str
    """A key of `PARITY`."""
    inputs: int
    counts: dict[str, float] | None = None
    """Each of `QUANTITIES`, as counted in the network."""
    verification: Verification | None = None
    reason: str = ""
    """Why it was not built."""
    seconds: float = 0.0

    @property
    def title(self) -> str:
        return PARITY[self.construction].title

    @property
    def right(self) -> bool:
        """Whether it was run on every row, and was never wrong."""
        return self.verification is not None and self.verification.errors == 0


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    environment: dict[str, Any]
    circuits: tuple[Built, ...] = ()
    """The largest number of inputs first, then the others for the figure."""
    trainings: tuple[Training, ...] = ()
    interrupted: bool = False

    @property
    def inputs(self) -> int:
        return int(self.settings["inputs"])

    @property
    def asked_for(self) -> dict[str, Built]:
        """The circuits for the number of inputs that was asked for, by construction."""
        found = {each.construction: each for each in self.circuits if each.inputs == self.inputs}
        return {
            construction: found[construction] for construction in PARITY if construction in found
        }


def build_and_verify(
    construction: str, inputs: int, backend: str = "auto", advance: Advance = no_progress
) -> Built:
    """Build a circuit and run it on all 2^n rows, unless the construction does not take n."""
    start = time.perf_counter()
    advance(0, f"{PARITY[construction].title}, {inputs} inputs")
    try:
        circuit = parity_circuit(construction, inputs, backend=backend)
    except InputError as error:
        return Built(construction, inputs, reason=str(error))
    share = row_cost(construction, inputs)
    verification = verify(circuit, advance=lambda rows: advance(rows * share))
    counts, seconds = measured(circuit), time.perf_counter() - start
    return Built(construction, inputs, counts, verification, seconds=seconds)


def row_cost(construction: str, inputs: int) -> float:
    """About how long one row takes: in proportion to the neurons, 3 ns for each."""
    formulas = FORMULAS[construction]
    return formulas["neurons"](inputs) + formulas["relays"](inputs)


# Of one step of training and of one row of one neuron, in seconds: they make one progress bar.
SECONDS_PER_NEURON_ROW, SECONDS_PER_TRAINING_UNIT = 3e-9, 4e-8


def to_build(inputs: int, quick: bool) -> list[int]:
    """The numbers of inputs: the one asked for, and smaller ones for the figure."""
    smaller = (2**power for power in range(inputs.bit_length())) if quick else range(1, inputs)
    return [inputs, *(number for number in smaller if number < inputs)]


def total_cost(inputs: int, quick: bool, learn: Sequence[int], steps: int) -> float:
    """What `run` advances by in all, in seconds of a typical core."""
    circuits = sum(
        2**n * row_cost(construction, n) for construction, n in buildable(to_build(inputs, quick))
    )
    training = steps * sum(step_cost(*each) for each in trainings(learn))
    return circuits * SECONDS_PER_NEURON_ROW + training * SECONDS_PER_TRAINING_UNIT


def buildable(sizes: Sequence[int]) -> Iterator[tuple[str, int]]:
    """The (construction, inputs) that are built: a DNF up to 16, a tent for powers of two."""
    for n in sizes:
        for construction in PARITY:
            too_large = construction == "dnf" and n > MOST_DNF_INPUTS
            if not too_large and not (construction == "tent" and n & (n - 1)):
                yield construction, n


def scaled(advance: Advance, factor: float) -> Advance:
    """An `Advance` whose steps are `factor` of those of another."""

    def scaled_advance(steps: float = 1, note: str = "") -> None:
        advance(steps * factor, note)

    return scaled_advance


def run(
    inputs: int = 16,
    quick: bool = False,
    learn: Sequence[int] = (),
    steps: int = 3000,
    seed: int = 0,
    seeds: int = 5,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Result:
    """Build and verify all circuits up to `inputs`, then train networks for each n in `learn`.

    A quick run verifies `inputs` and the powers of two below it. Ctrl-C keeps what is finished.
    """
    settings = {
        "inputs": inputs,
        "built": to_build(inputs, quick),
        "quick": quick,
        "learn": tuple(learn),
    }
    if learn:
        settings |= {
            "steps": steps,
            "seed": seed,
            "seeds": seeds,
            "width": WIDTH,
            "activation": "relu",
            "loss": "binary_cross_entropy",
            "optimizer": "adam",
            "learning_rate": LEARNING_RATE,
            "initializer": INITIALIZER,
            "steps_between_checks": STEPS_BETWEEN_CHECKS,
        }
    circuits: list[Built] = []
    learned: list[Training] = []
    interrupted = False

    building = scaled(advance, SECONDS_PER_NEURON_ROW)
    training = scaled(advance, SECONDS_PER_TRAINING_UNIT)
    try:
        for n in to_build(inputs, quick):
            # DNF takes longest and comes last: Ctrl-C then leaves the others.
            for construction in reversed(PARITY):
                circuits.append(build_and_verify(construction, n, backend, building))
        for kind, n, half in trainings(learn):
            learned.append(train(kind, n, half, steps, seed, seeds, backend, training))
    except KeyboardInterrupt:
        interrupted = True
    return Result(settings, environment(backend), tuple(circuits), tuple(learned), interrupted)

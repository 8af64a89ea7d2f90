"""What `scratchnet xor` computes: labelings by one neuron, a circuit of three, and training."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from scratchnet.datasets import xor
from scratchnet.demos.results import environment
from scratchnet.demos.statistics import wilson_interval
from scratchnet.demos.terminal import Advance, no_progress
from scratchnet.evaluation import evaluate_loss
from scratchnet.layers import Layer, Linear, Threshold
from scratchnet.model import Model, mlp
from scratchnet.optim import Adam
from scratchnet.training import fit

CORNERS, XOR = xor()
CORNER_NAMES = ("00", "01", "10", "11")

LEARNING_RATE = 0.05
INITIALIZER = "he_normal"
SURROGATE_WINDOW = 1.0

NEURON = "single neuron"
SURROGATE = "threshold with surrogate"
NO_SURROGATE = "threshold without surrogate"
THRESHOLDS: dict[str, Layer] = {
    SURROGATE: Threshold(SURROGATE_WINDOW),
    NO_SURROGATE: Threshold(),
}

# A point on the wrong side of ½ costs at least ln 2, so a mean loss below a quarter of that
# proves that all four points are right.
SURE = math.log(2) / 4

# A network that gives several points one output can do no better than the share of ones among
# them. What follows is P(right class) at the four points, smallest first.
SOLVED, ELSEWHERE = "solved", "elsewhere"
PLATEAUS: dict[str, tuple[float, ...]] = {
    "all four alike": (1 / 2, 1 / 2, 1 / 2, 1 / 2),
    "three alike": (1 / 3, 2 / 3, 2 / 3, 1),
    "two alike": (1 / 2, 1 / 2, 1, 1),
}
PLATEAU_TOLERANCE = 0.1

# The number of loss curves that are kept for the figure.
CURVES = 200


def plateau_loss(name: str) -> float:
    """The loss of a plateau, the mean of -ln P(right class): 0.693, 0.477 or 0.347."""
    return -float(np.log(PLATEAUS[name]).mean())


@dataclass(frozen=True)
class Labeling:
    """One of the 16 ways to label the corners."""

    labels: tuple[int, ...]
    neuron: tuple[float, float, float] | None
    """The (w_1, w_2, b) of a threshold neuron that gives these labels, None where none does."""
    right: int
    """On how many corners it agrees with XOR."""


@dataclass(frozen=True)
class Training:
    """E trained networks of one kind, a network per seed."""

    activation: str
    hidden: int
    parameters: int
    loss: Any
    """(epochs, E), before each step; of the first `CURVES` networks only."""
    final_loss: Any
    """(E,), after the last step."""
    steps_to_solve: Any
    """(E,), see `steps_to_solve`."""
    points_right: Any
    """(E,), 0 to 4."""
    outcomes: tuple[str, ...]
    """Of each network: solved, a name of `PLATEAUS`, or elsewhere."""
    hidden_change: float
    """The largest change of a weight or bias of a hidden layer; 0 without a hidden layer."""
    examples: dict[str, dict[str, Any]]
    """For each outcome that occurred, the weights of the first network that ended so."""
    seconds: float

    @property
    def networks(self) -> int:
        return len(self.outcomes)

    @property
    def solved(self) -> int:
        return self.count(SOLVED)

    def count(self, outcome: str) -> int:
        return self.outcomes.count(outcome)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the probability that a seed solves XOR."""
        return wilson_interval(self.solved, self.networks)

    def example(self, outcome: str) -> Model:
        """The first network that ended so."""
        model = network(self.activation, self.hidden)
        model.load_state_dict(self.examples[outcome])
        return model


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    environment: dict[str, Any]
    labelings: tuple[Labeling, ...]
    gates: dict[str, Any]
    """The signals of OR, NAND and AND(OR, NAND) at the four corners."""
    trainings: tuple[Training, ...] = ()
    interrupted: bool = False

    @property
    def single_neurons(self) -> list[Training]:
        return [each for each in self.trainings if each.activation == NEURON]

    @property
    def smooth(self) -> list[Training]:
        """The networks that learn by their true derivative."""
        return [each for each in self.trainings if each.activation not in (NEURON, *THRESHOLDS)]

    @property
    def thresholds(self) -> list[Training]:
        return [each for each in self.trainings if each.activation in THRESHOLDS]


def labelings(backend: str = "auto") -> tuple[Labeling, ...]:
    """The 16 labelings of the corners, each with a threshold neuron that gives it.

    All neurons with weights in {-1, 0, 1} and biases in {±½, ±1½} are run, as one ensemble. They
    give 14 labelings, and no neuron at all gives the other two, XOR and its opposite. For the
    weighted sums z of a neuron satisfy z(00) + z(11) = z(01) + z(10); one of these two pairs
    would have both sums >= 0 and the other both < 0.
    """
    small_weights_first = sorted(
        product((1.0, 0.0, -1.0), (1.0, 0.0, -1.0), (-0.5, -1.5, 0.5, 1.5)),
        key=lambda neuron: abs(neuron[0]) + abs(neuron[1]),
    )
    neurons = np.array(small_weights_first)
    model = Model(Linear(2, 1), Threshold(), ensemble=len(neurons), backend=backend)
    model.load_state_dict({"0.weight": neurons[:, :2, None], "0.bias": neurons[:, 2:, None]})
    found: dict[tuple[int, ...], tuple[float, float, float]] = {}
    for neuron, fired in zip(small_weights_first, model.predict(CORNERS)[..., 0], strict=True):
        found.setdefault(tuple(fired.astype(int).tolist()), neuron)
    return tuple(
        Labeling(labels, found.get(labels), int((np.array(labels) == XOR).sum()))
        for labels in product((0, 1), repeat=4)
    )


def gate_network(backend: str = "auto") -> Model:
    """XOR = AND(OR, NAND): [a + b >= ½] and [-a - b >= -1½], then [OR + NAND >= 1½]."""
    model = Model(Linear(2, 2), Threshold(), Linear(2, 1), Threshold(), backend=backend)
    model.load_state_dict(
        {
            "0.weight": np.array([[1, -1], [1, -1]]),
            "0.bias": np.array([-0.5, 1.5]),
            "2.weight": np.array([[1], [1]]),
            "2.bias": np.array([-1.5]),
        }
    )
    return model


def gate_signals(points: Any, backend: str = "auto") -> dict[str, Any]:
    """Which neurons of the circuit fire at points (n, 2): 0 or 1, shape (n,) each."""
    outputs = gate_network(backend).activations(points)
    return {"OR": outputs["1"][:, 0], "NAND": outputs["1"][:, 1], "AND": outputs["3"][:, 0]}


def network(activation: str, hidden: int, **settings: Any) -> Model:
    """A network 2-hidden-1, or a single neuron, 2-1, for hidden 0. Its output is a logit."""
    widths = [2, hidden, 1] if hidden else [2, 1]
    layer = "relu" if activation == NEURON else THRESHOLDS.get(activation, activation)
    return mlp(widths, layer, INITIALIZER, **settings)


def train(
    activation: str,
    hidden: int,
    epochs: int,
    seed: int = 0,
    seeds: int = 1,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Training:
    """Train `seeds` networks on the four corners, side by side: full batch, Adam.

    A network of thresholds is solved when true thresholds, the output's included, give XOR; any
    other when its loss is below `SURE`. Raises `KeyboardInterrupt` after Ctrl-C.
    """
    model = network(activation, hidden, seed=seed, ensemble=seeds, backend=backend)
    before = model.state_dict()
    advance(0, f"{activation}, {hidden} hidden" if hidden else activation)
    start = time.perf_counter()
    history = fit(
        model,
        CORNERS,
        XOR,
        optimizer=Adam(model, LEARNING_RATE),
        epochs=epochs,
        callbacks=[lambda *_: advance()],
    )
    seconds = time.perf_counter() - start
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    after = model.state_dict()
    changes = [np.abs(after[name] - before[name]).max() for name in ("0.weight", "0.bias")]
    logits = model.predict(CORNERS)[..., 0]
    final_loss = evaluate_loss(model, CORNERS, XOR, "binary_cross_entropy")
    fired = fired_by_thresholds(model, hidden) if activation in THRESHOLDS else logits >= 0
    right = (fired == XOR).sum(axis=1)
    solved = right == 4 if activation in THRESHOLDS else final_loss < SURE
    ended = outcomes(np.where(XOR == 1, probability(logits), probability(-logits)), solved)
    return Training(
        activation=activation,
        hidden=hidden,
        parameters=model.parameter_count,
        loss=history.loss[:, :CURVES],
        final_loss=final_loss,
        steps_to_solve=steps_to_solve(history.loss, final_loss, solved),
        points_right=right,
        outcomes=ended,
        hidden_change=float(max(changes)) if hidden else 0.0,
        examples={name: model.state_dict(ended.index(name)) for name in dict.fromkeys(ended)},
        seconds=seconds,
    )


def probability(logits: Any) -> Any:
    """sigmoid(z) in float64, of a host array."""
    return np.exp(-np.logaddexp(0, -np.asarray(logits, np.float64)))


def fired_by_thresholds(trained: Model, hidden: int) -> Any:
    """The outputs (E, 4) at the corners of circuits of true thresholds with the trained weights."""
    layers = (Linear(2, hidden), Threshold(), Linear(hidden, 1), Threshold())
    circuits = Model(*layers, ensemble=trained.ensemble, backend=trained.backend)
    circuits.load_state_dict(trained.state_dict())
    return circuits.predict(CORNERS)[..., 0]


def outcomes(right_probabilities: Any, solved: Any) -> tuple[str, ...]:
    """What became of each network, given P(right class) (E, 4) and whether it is solved (E,).

    One that is not solved counts to the plateau from which none of its four probabilities
    differs by 0.1 or more.
    """
    names, plateaus = list(PLATEAUS), np.array(list(PLATEAUS.values()))
    distances = np.abs(np.sort(right_probabilities)[:, None] - plateaus).max(axis=2)
    nearest = [
        names[int(distance.argmin())] if distance.min() < PLATEAU_TOLERANCE else ELSEWHERE
        for distance in distances
    ]
    return tuple(SOLVED if done else name for done, name in zip(solved, nearest, strict=True))


def steps_to_solve(loss: Any, final_loss: Any, solved: Any) -> Any:
    """(E,): after how many steps the loss was below `SURE` for the first time.

    It is -1 for a network that is not solved, and for one of thresholds that is solved with a
    loss that never was so low. loss (epochs, E), final_loss (E,), solved (E,).
    """
    below = np.vstack([loss, final_loss]) < SURE
    return np.where(solved & below.any(axis=0), below.argmax(axis=0), -1)


def kinds(activations: Sequence[str], hidden: Sequence[int]) -> list[tuple[str, int]]:
    """The (activation, hidden neurons) that `run` trains, in order."""
    return [(NEURON, 0), *product((*activations, *THRESHOLDS), hidden)]


def run(
    activations: Sequence[str] = ("relu", "tanh"),
    hidden: Sequence[int] = (2, 3, 4, 8),
    epochs: int = 1000,
    seed: int = 0,
    seeds: int = 200,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Result:
    """All four steps. Each kind of network is trained from the same seeds.

    Ctrl-C ends the training; the kinds that were finished by then are kept.
    """
    settings = {
        "activations": activations,
        "hidden": hidden,
        "epochs": epochs,
        "seed": seed,
        "seeds": seeds,
        "loss": "binary_cross_entropy",
        "optimizer": "adam",
        "learning_rate": LEARNING_RATE,
        "initializer": INITIALIZER,
        "surrogate_window": SURROGATE_WINDOW,
    }
    gates = gate_signals(CORNERS, backend)
    result = Result(settings, environment(backend), labelings(backend), gates)
    trainings: list[Training] = []
    interrupted = False
    try:
        for activation, width in kinds(activations, hidden):
            trainings.append(train(activation, width, epochs, seed, seeds, backend, advance))
    except KeyboardInterrupt:
        interrupted = True
    return replace(result, trainings=tuple(trainings), interrupted=interrupted)

"""What a session trains: data, network and training, each field with its range and default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scratchnet.backends.errors import InputError
from scratchnet.demos.playground.fields import (
    Choice,
    Field,
    Fields,
    Flag,
    Many,
    Number,
    Points,
    Text,
    Whole,
    checked,
    shown,
)
from scratchnet.init import INITIALIZERS
from scratchnet.layers import ACTIVATIONS

MOST_LAYERS, MOST_NEURONS, MOST_POINTS, MOST_CLASSES = 8, 64, 5000, 10
LARGEST_COORDINATE = 1000.0
LARGEST_SEED = 2**31 - 1

KINDS = (
    "spirals", "chapter_spirals", "circles", "moons", "blobs", "linearly_separable", "xor",
    "parity", "fractal", "digits", "drawn", "formula", "table",
)  # fmt: skip
UNSCALED = "unscaled"
"""The initialiser of weights of variance 1, whatever the number of inputs."""
FRACTALS = ("dust", "vicsek", "sierpinski", "pentaflake")
LOSSES = ("cross_entropy", "mean_squared_error", "mean_absolute_error", "huber", "hinge")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")

DATA: Fields = {
    "kind": Choice("spirals", KINDS),
    "points": Whole(400, 4, MOST_POINTS),
    "noise": Number(0.05, 0.0, 1.0),
    "turns": Number(1.0, 0.1, 6.0),
    "classes": Whole(2, 2, MOST_CLASSES),
    "dimensions": Whole(2, 2, 10),
    "fractal": Choice("sierpinski", FRACTALS),
    "train_share": Number(0.5, 0.1, 0.9),
    "seed": Whole(0, 0, LARGEST_SEED),
    "formula": Text("y > sin(3 x)", 200),
    "drawn": Points((), MOST_POINTS, LARGEST_COORDINATE, MOST_CLASSES),
    "table": Text("", 64),
    "columns": Many((), Text("", 200), 2),
    "label": Text("", 200),
}
NETWORK: Fields = {
    "layers": Many((8, 8), Whole(8, 1, MOST_NEURONS), MOST_LAYERS),
    "activation": Choice("relu", tuple(ACTIVATIONS)),
    "initialiser": Choice("he_normal", (*INITIALIZERS, UNSCALED)),
    "batch_norm": Flag(False),
    "residual": Flag(False),
    "dropout": Number(0.0, 0.0, 0.9),
}
TRAINING: Fields = {
    "loss": Choice("cross_entropy", LOSSES),
    "optimizer": Choice("adam", OPTIMIZERS),
    "learning_rate": Number(0.01, 0.0, 100.0),
    "weight_decay": Number(0.0, 0.0, 10.0),
    "batch_size": Whole(None, 1, MOST_POINTS, optional=True),
    "seed": Whole(0, 0, LARGEST_SEED),
}
PARTS: Mapping[str, Fields] = {"data": DATA, "network": NETWORK, "training": TRAINING}


@dataclass(frozen=True)
class Data:
    """Where the points come from; which fields count depends on the kind."""

    kind: str
    points: int
    noise: float
    turns: float
    classes: int
    dimensions: int
    fractal: str
    train_share: float
    seed: int
    formula: str
    drawn: tuple[tuple[float, float, int], ...]
    table: str
    columns: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron: the widths of its hidden layers, and what stands between them."""

    layers: tuple[int, ...]
    activation: str
    initialiser: str
    batch_norm: bool
    residual: bool
    dropout: float


@dataclass(frozen=True)
class Training:
    """How it learns. `batch_size` None is full batch."""

    loss: str
    optimizer: str
    learning_rate: float
    weight_decay: float
    batch_size: int | None
    seed: int


@dataclass(frozen=True)
class State:
    """All that a share link holds."""

    data: Data
    network: Network
    training: Training

    def as_json(self) -> dict[str, Any]:
        """The object that `state_from` reads."""
        return asdict(self)


def state_from(given: Any) -> State:
    """The state that an object of JSON describes; what it leaves out has its default.

    Raises `InputError`, a sentence that names the field, the value and what it must be.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"state is {shown(given)}: must be an object")
    for key in given:
        if key not in PARTS:
            raise InputError(
                f"state has the unknown field {shown(key)}: must be one of {', '.join(PARTS)}"
            )
    values = {name: checked(name, fields, given.get(name, {})) for name, fields in PARTS.items()}
    return State(
        Data(**values["data"]), Network(**values["network"]), Training(**values["training"])
    )


def described_fields() -> dict[str, dict[str, Any]]:
    """Kind, range, choices and default of every field: what the page makes its controls from."""

    def described(fields: Mapping[str, Field]) -> dict[str, Any]:
        return {name: field.described() for name, field in fields.items()}

    return {name: described(fields) for name, fields in PARTS.items()}

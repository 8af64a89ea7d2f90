"""One forward and one backward pass through a tiny network, with every number on the table.

Two inputs, two hidden neurons, one output and one sample. Every number is a tensor of its own, so
each product and each sum is a node of the graph, and everything printed here is read from that
graph: values and gradients are the engine's, and a local derivative is what a pullback makes of 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends.errors import InputError, choose, nonnegative
from scratchnet.demos.backprop.report import number
from scratchnet.demos.results import environment
from scratchnet.graph import nodes_of, operation_name, to_dot
from scratchnet.losses import binary_cross_entropy
from scratchnet.model import mlp
from scratchnet.optim import SGD
from scratchnet.program import RecordedStep
from scratchnet.tensor import Tensor, no_grad

# From input i to hidden neuron j leads w_ij, from hidden neuron j to the output v_j.
PARAMETERS = {
    "w11": 0.5, "w21": -0.3, "b1": 0.2,
    "w12": -0.4, "w22": -1.2, "b2": 0.1,
    "v1": -0.6, "v2": 0.7, "c": 0.15,
}  # fmt: skip

ACTIVATIONS = {"relu": ops.relu, "tanh": ops.tanh, "sigmoid": ops.sigmoid}
PRE_ACTIVATIONS = ("z1", "z2")

STEP = 1e-5
"""h of the finite differences."""
TOLERANCE = 1e-6
LARGEST_INPUT = 10.0


@dataclass(frozen=True)
class Operation:
    """How an op on a and b is written, with y for its result and t for the target."""

    name: str
    expression: str
    derivatives: tuple[str, ...]
    """dy/da and dy/db."""


OPERATIONS = {
    "multiply": Operation("multiply", "{a} * {b}", ("{b}", "{a}")),
    "add": Operation("add", "{a} + {b}", ("1", "1")),
    "relu": Operation("relu", "relu({a})", ("1 if {a} > 0 else 0",)),
    "tanh": Operation("tanh", "tanh({a})", ("1 - {y}^2",)),
    "sigmoid": Operation("sigmoid", "sigmoid({a})", ("{y} * (1 - {y})",)),
    "loss": Operation("binary cross-entropy", "ln(1 + e^{a}) - {t} * {a}", ("sigmoid({a}) - t",)),
}


@dataclass(frozen=True)
class Node:
    """A number of the network. `gradient` is dL/d(it), and `operation` is `leaf` if none made it.

    `finite_difference` is None where nudging the node by `STEP` crosses the kink of relu.
    """

    name: str
    operation: str
    expression: str
    """In terms of its sources, such as `x1 * w11`, and in `numbers` with their values."""
    numbers: str
    value: float
    gradient: float
    finite_difference: float | None

    @property
    def difference(self) -> float | None:
        """How far the gradient and the finite difference are apart."""
        if self.finite_difference is None:
            return None
        return abs(self.gradient - self.finite_difference)


@dataclass(frozen=True)
class Edge:
    """How a gradient goes back from a node, the user, to one that it was computed from."""

    user: str
    source: str
    operation: str
    formula: str
    local_derivative: float
    """d(user)/d(source)"""
    incoming: float
    """dL/d(user)"""
    outgoing: float
    """What the source gets from this user: incoming * local derivative."""


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    environment: dict[str, Any]
    nodes: tuple[Node, ...]
    """In an order of computation; the last one is the loss L."""
    edges: tuple[Edge, ...]
    """In order of the backward pass."""
    loss_after_step: float
    """Of the same sample, after one step of gradient descent on the parameters."""
    dot: str

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def users(self, name: str) -> list[Edge]:
        """The edges along which the node gets its gradient."""
        return [edge for edge in self.edges if edge.source == name]

    @property
    def loss(self) -> float:
        return self.nodes[-1].value

    @property
    def largest_difference(self) -> float:
        return max(node.difference for node in self.nodes if node.difference is not None)

    @property
    def wrong(self) -> list[str]:
        """Nodes whose gradient and finite difference are too far apart to be rounding."""
        return [
            node.name
            for node in self.nodes
            if node.finite_difference is not None
            and not abs(node.gradient - node.finite_difference)
            <= TOLERANCE * max(1.0, abs(node.finite_difference))
        ]

    @property
    def at_a_kink(self) -> list[str]:
        return [node.name for node in self.nodes if node.finite_difference is None]

    @property
    def predicted_fall(self) -> float:
        """By how much the step lowers the loss if it is straight: rate * sum of gradient^2."""
        squares = sum(self.node(name).gradient ** 2 for name in PARAMETERS)
        return float(self.settings["learning_rate"]) * squares


def forward(
    leaves: Mapping[str, float],
    target: int,
    activation: str = "relu",
    backend: str = "numpy",
    nudge: Mapping[str, float] | None = None,
) -> dict[str, Tensor]:
    """The network's nodes by name; the last one is the loss L.

        z_j = x1 * w1j + x2 * w2j + b_j,   h_j = activation(z_j)
        z   = h1 * v1 + h2 * v2 + c,       L   = binary cross-entropy of the logit z and the target

    `leaves` are x1, x2 and the parameters. `nudge` adds a number to a node, leaf or not, before it
    is used: that is how the finite difference of any node is taken.
    """
    nodes: dict[str, Tensor] = {}

    def node(name: str, tensor: Tensor) -> Tensor:
        if nudge and name in nudge:
            tensor = tensor + nudge[name]
        nodes[name] = tensor.retain_grad()
        return tensor

    # Shape (1, 1) is what the loss takes: one sample, one output.
    x1, x2, w11, w21, b1, w12, w22, b2, v1, v2, c = (
        node(name, Tensor([[leaves[name]]], "float64", backend))
        for name in ("x1", "x2", *PARAMETERS)
    )
    activate = ACTIVATIONS[activation]

    p11 = node("p11", x1 * w11)
    p21 = node("p21", x2 * w21)
    p12 = node("p12", x1 * w12)
    p22 = node("p22", x2 * w22)
    s1 = node("s1", p11 + p21)
    s2 = node("s2", p12 + p22)
    z1 = node("z1", s1 + b1)
    z2 = node("z2", s2 + b2)
    h1 = node("h1", activate(z1))
    h2 = node("h2", activate(z2))
    q1 = node("q1", h1 * v1)
    q2 = node("q2", h2 * v2)
    s = node("s", q1 + q2)
    z = node("z", s + c)
    node("L", binary_cross_entropy(z, np.array([[target]])))
    return nodes


def finite_difference(name: str, leaves: Mapping[str, float], **network: Any) -> float | None:
    """(L(node + h) - L(node - h)) / 2h;   `network` goes to `forward`

    None where a relu is on at one of the two points and off at the other: a difference across the
    kink is no derivative.
    """
    with no_grad():
        up, down = (forward(leaves, **network, nudge={name: h}) for h in (STEP, -STEP))
    if network["activation"] == "relu":
        on_up, on_down = ([nodes[z].item() > 0 for z in PRE_ACTIVATIONS] for nodes in (up, down))
        if on_up != on_down:
            return None
    return (up["L"].item() - down["L"].item()) / (2 * STEP)


def run(
    inputs: tuple[float, float] = (2.0, -1.0),
    target: int = 1,
    activation: str = "relu",
    seed: int | None = None,
    learning_rate: float = 0.1,
    backend: str = "numpy",
) -> Result:
    """Both passes, the finite differences, and one step of gradient descent.

    The parameters are `PARAMETERS`, or with a seed uniform between -1.5 and 1.5, rounded so that
    one can calculate with them. Raises `InputError` for settings that cannot be used.
    """
    if not all(abs(x) <= LARGEST_INPUT for x in inputs):
        raise InputError(f"inputs {inputs}: accepted are numbers from -10 to 10")
    if target not in (0, 1):
        raise InputError(f"target {target}: accepted are 0 and 1")
    choose("activation", activation, ACTIVATIONS)
    nonnegative("the learning rate", learning_rate)
    network: dict[str, Any] = {"target": target, "activation": activation, "backend": backend}
    leaves = {"x1": inputs[0], "x2": inputs[1], **parameters(seed)}

    tensors = forward(leaves, **network)
    tensors["L"].backward()
    names = {tensor: name for name, tensor in tensors.items()}
    order = nodes_of(tensors["L"])
    nodes = tuple(
        described(tensor, names, target, finite_difference(names[tensor], leaves, **network))
        for tensor in order
    )
    edges = tuple(edge for tensor in reversed(order) for edge in edges_of(tensor, names))

    step = {node.name: learning_rate * node.gradient for node in nodes if node.name in PARAMETERS}
    with no_grad():
        after = forward({name: leaves[name] - step.get(name, 0.0) for name in leaves}, **network)
    settings = {
        "inputs": inputs,
        "target": target,
        "activation": activation,
        "seed": seed,
        "parameters": {name: leaves[name] for name in PARAMETERS},
        "learning_rate": learning_rate,
        "difference_step": STEP,
    }
    dot = to_dot(tensors["L"], names)
    return Result(settings, environment(backend), nodes, edges, after["L"].item(), dot)


def parameters(seed: int | None) -> dict[str, float]:
    if seed is None:
        return PARAMETERS
    drawn = np.random.default_rng(seed).uniform(-1.5, 1.5, len(PARAMETERS)).round(2)
    return dict(zip(PARAMETERS, drawn.tolist(), strict=True))


def described(
    tensor: Tensor, names: Mapping[Tensor, str], target: int, quotient: float | None
) -> Node:
    """The `Node` of a tensor; `quotient` is its finite difference.

    Its expression is written with `names` and with values, and is empty for a leaf. The gradient is
    0 where none reached the tensor.
    """
    value, gradient = tensor.item(), float(tensor.grad.item()) if tensor.grad is not None else 0.0
    if not tensor.inputs:
        return Node(names[tensor], "leaf", "", "", value, gradient, quotient)
    operation = OPERATIONS[operation_name(tensor)]
    sources = [source for source, _ in tensor.inputs]
    by_name = dict(zip("ab", (names[source] for source in sources), strict=False))
    by_value = dict(zip("ab", (number(source.item()) for source in sources), strict=False))
    return Node(
        names[tensor],
        operation.name,
        operation.expression.format(**by_name, t="t"),
        operation.expression.format(**by_value, t=target),
        value,
        gradient,
        quotient,
    )


def edges_of(user: Tensor, names: Mapping[Tensor, str]) -> list[Edge]:
    """The edges from a node to each of its sources, with what goes along them."""
    if not user.inputs or user.grad is None:
        return []
    operation = OPERATIONS[operation_name(user)]
    sources = dict(zip("ab", (names[source] for source, _ in user.inputs), strict=False))
    one = user.backend.ones(user.shape, user.dtype)
    return [
        Edge(
            names[user],
            names[source],
            operation.name,
            formula.format(**sources, y=names[user]),
            float(pullback(one).item()),
            float(user.grad.item()),
            float(pullback(user.grad).item()),
        )
        for (source, pullback), formula in zip(user.inputs, operation.derivatives, strict=True)
    ]


def recorded_calls(
    sample: tuple[float, float], target: int, activation: str, learning_rate: float, backend: str
) -> list[str]:
    """The calls of one training step of the same network as a model, as a replay repeats them."""
    model = mlp((2, 2, 1), activation, dtype="float64", backend=backend)
    optimizer = SGD(model, nonnegative("--learning-rate", learning_rate))

    def step(inputs: Any, targets: Any) -> Tensor:
        loss = binary_cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    program = RecordedStep(step, model)
    optimizer.prepare()
    program(model.backend.asarray([sample], model.dtype), model.backend.asarray([[float(target)]]))
    return program.listing()

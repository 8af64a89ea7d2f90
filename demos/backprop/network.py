"""A tiny network of which every product and every sum is a node, and what flows back through it.

Two inputs, two hidden neurons, one output and one sample. Every number is a tensor of its own, so
all that is said here is read from the engine's graph: values and gradients are the engine's, and a
local derivative is what a pullback makes of 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.graph import operation_name
from scratchnet.losses import binary_cross_entropy
from scratchnet.tensor import Tensor, no_grad

# From input i to hidden neuron j leads w_ij, from hidden neuron j to the output v_j.
PARAMETERS = {
    "w11": 0.5, "w21": -0.3, "b1": 0.2,
    "w12": -0.4, "w22": -1.2, "b2": 0.1,
    "v1": -0.6, "v2": 0.7, "c": 0.15,
}  # fmt: skip
INPUTS = ("x1", "x2")
PRE_ACTIVATIONS = ("z1", "z2")
ACTIVATIONS = {"relu": ops.relu, "tanh": ops.tanh, "sigmoid": ops.sigmoid}

STEP = 1e-5
"""h of the finite differences."""

OPERATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "leaf": ("", "", ()),
    "multiply": ("×", "{a} * {b}", ("{b}", "{a}")),
    "add": ("+", "{a} + {b}", ("1", "1")),
    "relu": ("relu", "relu({a})", ("1 if {a} > 0 else 0",)),
    "tanh": ("tanh", "tanh({a})", ("1 - {y}^2",)),
    "sigmoid": ("sigmoid", "sigmoid({a})", ("{y} * (1 - {y})",)),
    "loss": ("loss", "ln(1 + e^{a}) - {t} * {a}", ("sigmoid({a}) - t",)),
}
"""An op's symbol, how y is computed from a and b (and the target t), and dy/da and dy/db."""


@dataclass(frozen=True)
class Edge:
    """What a node sends back to one that it was computed from.

    `derivative` is d(node)/d(input), `gradient` dL/d(node), and `contribution`, their product, the
    part of dL/d(input) that comes from this node.
    """

    node: str
    input: str
    formula: str
    derivative: float
    gradient: float
    contribution: float


def parameters(seed: int) -> dict[str, float]:
    """`PARAMETERS` for seed 0, else uniform in -1.5 to 1.5, rounded for people who calculate."""
    if seed == 0:
        return PARAMETERS
    drawn = np.random.default_rng(seed).uniform(-1.5, 1.5, len(PARAMETERS)).round(2)
    return dict(zip(PARAMETERS, drawn.tolist(), strict=True))


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
        """The node as it is used, nudged where that is asked for; it keeps its gradient."""
        if nudge and name in nudge:
            tensor = tensor + nudge[name]
        nodes[name] = tensor.retain_grad()
        return tensor

    # Shape (1, 1) is what the loss takes: one sample, one output.
    x1, x2, w11, w21, b1, w12, w22, b2, v1, v2, c = (
        node(name, Tensor([[leaves[name]]], "float64", backend)) for name in (*INPUTS, *PARAMETERS)
    )
    activate = ACTIVATIONS[activation]
    p11, p21 = node("p11", x1 * w11), node("p21", x2 * w21)
    p12, p22 = node("p12", x1 * w12), node("p22", x2 * w22)
    s1, s2 = node("s1", p11 + p21), node("s2", p12 + p22)
    z1, z2 = node("z1", s1 + b1), node("z2", s2 + b2)
    h1, h2 = node("h1", activate(z1)), node("h2", activate(z2))
    q1, q2 = node("q1", h1 * v1), node("q2", h2 * v2)
    s = node("s", q1 + q2)
    z = node("z", s + c)
    node("L", binary_cross_entropy(z, np.array([[target]])))
    return nodes


def finite_difference(name: str, leaves: Mapping[str, float], **network: Any) -> float:
    """(L(node + h) - L(node - h)) / 2h;   `network` goes to `forward`

    NaN where a relu is on at one of the two points and off at the other: a difference across the
    kink is no derivative.
    """
    with no_grad():
        up, down = (forward(leaves, **network, nudge={name: h}) for h in (STEP, -STEP))
    if network["activation"] == "relu":
        on_up, on_down = ([nodes[z].item() > 0 for z in PRE_ACTIVATIONS] for nodes in (up, down))
        if on_up != on_down:
            return float("nan")
    return float(up["L"].item() - down["L"].item()) / (2 * STEP)


def edges_of(node: Tensor, names: Mapping[Tensor, str]) -> list[Edge]:
    """An edge to each input of a node, with what goes back along it."""
    if not node.inputs or node.grad is None:
        return []
    inputs = dict(zip("ab", (names[each] for each, _ in node.inputs), strict=False))
    one, gradient, found = node.backend.ones(node.shape, node.dtype), node.grad, []
    *_, formulas = OPERATIONS[operation_name(node)]
    for (each, pullback), formula in zip(node.inputs, formulas, strict=True):
        text = formula.format(**inputs, y=names[node])
        numbers = (pullback(one), gradient, pullback(gradient))
        found.append(Edge(names[node], names[each], text, *(float(x.item()) for x in numbers)))
    return found

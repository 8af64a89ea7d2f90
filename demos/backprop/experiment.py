"""One forward and one backward pass through a tiny network, with every number on the table."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.backprop import network
from scratchnet.demos.backprop.network import INPUTS, OPERATIONS, PARAMETERS, STEP, Edge
from scratchnet.demos.experiment import Experiment, Table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.settings import Common, joined, option
from scratchnet.demos.verdicts import Claim, fact
from scratchnet.graph import nodes_of, operation_name
from scratchnet.tensor import Tensor, no_grad

TOLERANCE = 1e-6
"""Of a finite difference, whose own error is about 1e-11."""

DECIMALS, TINY = 4, 1e-12
WORKED = "w11"
CURVE = 40


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet backprop`."""

    without = ("seeds", "precision", "record", "resume", "compile", "workers", "scheduler")

    inputs: tuple[float, ...] = option(
        (2, -1), "The sample: x1 and x2.", low=-10, high=10, metavar="A,B", repeats=True
    )
    target: int = option(1, "The sample's class.", low=0, high=1)
    activation: Literal["relu", "tanh", "sigmoid"] = option("relu", "Of the two hidden neurons.")
    learning_rate: float = option(0.1, "Of the step of gradient descent.", low=0, high=1000)
    seed: int = option(0, "0 takes simple weights, any other draws them.", low=0, high=2**31 - 1)


def check(s: Settings) -> None:
    """Raise `InputError` unless the sample is a pair."""
    if len(s.inputs) != 2:
        raise InputError(f"--inputs {joined(s.inputs)}: must be two numbers, such as 2,-1")


def number(value: float) -> str:
    """Four decimals, and fewer only where no digit is lost; extremes as in 1.2e-05."""
    if abs(value) < TINY:
        return "0" if value == 0 else f"{value:.0e}"
    if not 1e-3 <= abs(value) < 1e4:
        return f"{value:.1e}"
    text = f"{value:.{DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if abs(value - float(text)) < TINY else text


def aligned(value: float) -> str:
    """The number in 8 characters, its decimal point above that of the others in its column."""
    whole, point, decimals = number(value).partition(".")
    if not math.isfinite(value) or "e" in whole + decimals:
        return f"{number(value):>8}"
    return f"{whole:>3}{point or ' '}{decimals:<{DECIMALS}}"


def run(run: Run) -> None:
    """A row for each node, the edges between them, and the loss after steps of several sizes."""
    s, result = run.settings, run.result
    given = {"target": s.target, "activation": s.activation, "backend": s.backend}
    leaves = {**dict(zip(INPUTS, s.inputs, strict=True)), **network.parameters(s.seed)}
    tensors = network.forward(leaves, **given)
    tensors["L"].backward()
    names = {tensor: name for name, tensor in tensors.items()}
    order = nodes_of(tensors["L"])
    for tensor in order:
        name, gradient = names[tensor], 0.0 if tensor.grad is None else float(tensor.grad.item())
        difference = network.finite_difference(name, leaves, **given)
        measures = {"value": tensor.item(), "gradient": gradient, "finite_difference": difference}
        if name in PARAMETERS:
            measures["new_value"] = tensor.item() - s.learning_rate * gradient
        arrays = {measure: np.array([float(value)]) for measure, value in measures.items()}
        result.rows.append(Row(name, described(tensor, names, s.target), (s.seed,), arrays))

    def loss_after(rate: float) -> float:
        """L after a step of gradient descent at this rate, w - rate dL/dw."""
        moved = {name: leaves[name] - rate * at(result, name) for name in PARAMETERS}
        with no_grad():
            return network.forward({**leaves, **moved}, **given)["L"].item()

    rates = np.linspace(0, 4 * (s.learning_rate or 0.1), CURVE + 1).tolist()
    result.extra |= {
        "edges": [edge for node in reversed(order) for edge in network.edges_of(node, names)],
        "rates": rates,
        "losses": [loss_after(rate) for rate in rates],
        "loss_after_step": loss_after(s.learning_rate),
        "slope": -sum(at(result, name) ** 2 for name in PARAMETERS),
    }


def described(tensor: Tensor, names: Mapping[Tensor, str], target: int) -> dict[str, str]:
    """A node's facts: the symbol of its op, and how it is computed, by name and in numbers."""
    symbol, expression, _ = OPERATIONS[operation_name(tensor)]
    by_name = dict(zip("ab", (names[each] for each, _ in tensor.inputs), strict=False))
    by_value = dict(zip("ab", (number(each.item()) for each, _ in tensor.inputs), strict=False))
    texts = (expression.format(**by_name, t="t"), expression.format(**by_value, t=target))
    return {"operation": symbol, "expression": texts[0], "numbers": texts[1]}


def at(result: Result, node: str, measure: str = "gradient") -> float:
    """A node's gradient, or another measure."""
    return float(result[node][measure][0])


def paths(result: Result, node: str) -> list[list[Edge]]:
    """Every path from the loss back to a node, as its edges."""
    if node == "L":
        return [[]]
    edges = [edge for edge in result.extra["edges"] if edge.input == node]
    return [[*path, edge] for edge in edges for path in paths(result, edge.node)]


def product(path: Sequence[Edge]) -> float:
    """Of the derivatives along a path."""
    return math.prod(edge.derivative for edge in path)


def differences(result: Result) -> dict[str, float]:
    """How far each node's gradient is from its finite difference; NaN at a kink."""
    both = ("gradient", "finite_difference")
    return {row.arm: math.dist(*(row[each] for each in both)) for row in result.rows}


def claims(result: Result) -> list[Claim]:
    """Exact ones: what the engine computed beside what it must be."""
    apart = {name: each for name, each in differences(result).items() if not math.isnan(each)}
    wrong = [name for name in apart if apart[name] > TOLERANCE * max(1, abs(at(result, name)))]
    shown = f"at all of {len(apart)} nodes, with differences of at most {max(apart.values()):.0e}"
    shown = f"not so at {', '.join(wrong)}" if wrong else shown
    slope = f"A gradient is the finite difference (L(y + h) - L(y - h)) / 2h, h = {STEP:g}"
    ways = {leaf: paths(result, leaf) for leaf in (*INPUTS, *PARAMETERS)}
    sums = {leaf: sum(map(product, ways[leaf])) for leaf in ways}
    summed = all(math.isclose(sums[leaf], at(result, leaf), abs_tol=1e-12) for leaf in ways)
    counted = f"{sum(map(len, ways.values()))} paths from {len(ways)} leaves"
    chain = (
        "A gradient is the product of the derivatives on the path to the loss, added up where "
        "there are several paths"
    )
    before, after = at(result, "L", "value"), result.extra["loss_after_step"]
    rate, lowers = result.settings.learning_rate, "A step against the gradient lowers the loss"
    stepped = f"{number(before)} to {number(after)} at a rate of {rate:g}"
    step = fact(lowers, "textbooks on gradient descent", after < before, stepped)
    return [
        step if rate else replace(step, untested="the learning rate is 0"),
        fact(slope, "definition of the derivative", not wrong, shown),
        fact(chain, "textbooks: a product of Jacobians", summed, counted, "002-051"),
    ]


def tables(result: Result) -> list[Table]:
    """Both passes, and each leaf's gradient with its new value."""
    forward = [
        (row.arm, row.facts["expression"], row.facts["numbers"], aligned(row["value"][0]))
        for row in result.rows
        if row.facts["operation"]
    ]
    weights = [
        [name, *(aligned(at(result, name, each)) for each in result[name].measures)]
        for name in PARAMETERS
    ]
    step = f"new value = value - {result.settings.learning_rate:g} * dL/dw"
    back = "Backward pass: y sends dL/dy * dy/dx to each x that it was computed from"
    heading = ("y", "  dL/dy", "sends to x", "dy/dx =", "", "dL/dy * dy/dx")
    leaf = ("w", "  value", "  dL/dw", "  finite difference", "  new value")
    title = "Forward pass: every product and every sum is a node"
    return [
        Table(("y", "is", "in numbers", "  value"), forward, title, range(4)),
        Table(heading, backward_rows(result), back, range(6)),
        Table(leaf, weights, f"One step of gradient descent: {step}", range(5)),
    ]


def backward_rows(result: Result) -> list[tuple[str, ...]]:
    """A row per edge; edges of one node that carry the same, as those of a sum do, share a row."""
    rows: list[tuple[str, ...]] = []
    for row in reversed(result.rows):
        edges = [edge for edge in result.extra["edges"] if edge.node == row.arm]
        cells = (row.arm, aligned(row["gradient"][0]))
        for formula in dict.fromkeys(edge.formula for edge in edges):
            same = [edge for edge in edges if edge.formula == formula]
            derivative = aligned(same[0].derivative) if formula != "1" else ""
            to = ", ".join(edge.input for edge in same)
            rows.append((*cells, to, formula, derivative, aligned(same[0].contribution)))
            cells = ("", "")
    return rows


def notes(result: Result) -> list[str]:
    """Sums of contributions, one gradient in full, and relu's kink."""
    found = []
    for name in INPUTS:
        edges = [path[-1] for path in paths(result, name)][::-1]
        parts = " + ".join(number(edge.contribution) for edge in edges)
        where = " and ".join(edge.node for edge in edges)
        found.append(f"{name} adds up what {where} send: {parts} = {number(at(result, name))}.")
    (path,) = paths(result, WORKED)
    names = " * ".join(f"d{edge.node}/d{edge.input}" for edge in path)
    numbers = " * ".join(number(edge.derivative) for edge in path)
    found.append(f"In full: dL/d{WORKED} = {names} = {numbers} = {number(product(path))}.")
    if kinks := [name for name, each in differences(result).items() if math.isnan(each)]:
        found.append(
            f"At {', '.join(kinks)} the two points of the finite difference lie on both sides of "
            "relu's kink, where the derivative jumps from 0 to 1; at 0 itself the engine takes 0."
        )
    return found


def figures(result: Result) -> Mapping[str, Callable[[], Any]]:
    """The graph, and the loss after steps of several sizes."""
    from scratchnet.demos.backprop.figures import graph, step

    return {"graph": partial(graph, result), "step": partial(step, result)}


experiment = Experiment.of(
    __name__,
    question="Which way must each weight of a network change, and how much does it matter?",
    source="the chain rule; as a way to train networks, Rumelhart, Hinton and Williams (1986)",
    look_for="one rule that every node applies on the way back, and nothing else.",
    definitions=(
        "The network, with an activation f such as relu(z) = max(0, z):\n"
        "z1 = x1 * w11 + x2 * w21 + b1,  h1 = f(z1);  z2 and h2 likewise;\n"
        "z = h1 * v1 + h2 * v2 + c,  and P(1) = sigmoid(z) = 1 / (1 + e^-z) is its output.",
        "The target t is the sample's true class, and the loss L = -ln P(t): 0 where the network "
        "is sure and right.",
        "The gradient dL/dy of a number y says how fast L grows when y grows: moving y by a small "
        "d moves L by about dL/dy * d.",
    ),
    seconds=lambda s: 4,
    next=(
        "scratchnet backprop --inputs 2,1          # neuron 2 is off: nothing flows through it",
        "scratchnet backprop --inputs 0.25,0       # on the kink of relu",
        "scratchnet backprop --seed 6 --inputs 2,1 --activation tanh --learning-rate 10",
    ),
)

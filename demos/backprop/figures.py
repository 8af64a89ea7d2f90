"""The figure of `scratchnet backprop`: the graph, with what flows along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchnet.demos.backprop.experiment import PARAMETERS, Node, Result
from scratchnet.demos.backprop.graph_drawing import Arrow, Box, Kind, draw
from scratchnet.demos.backprop.report import number
from scratchnet.demos.figures import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYMBOLS = {"leaf": "", "multiply": "×", "add": "+", "binary cross-entropy": "loss"}


@styled
def plot(result: Result) -> dict[str, Figure]:
    """The graph, with every value, local derivative and gradient."""
    boxes = [
        Box(
            node.name,
            SYMBOLS.get(node.operation, node.operation),
            printed(node.value),
            printed(node.gradient),
            kind_of(node),
        )
        for node in result.nodes
    ]
    arrows = [
        Arrow(
            edge.source,
            edge.user,
            f"×{printed(edge.local_derivative)}",
            printed(edge.outgoing),
            dotted=edge.outgoing == 0,
        )
        for edge in result.edges
    ]
    return {"graph": draw(boxes, arrows)}


def printed(value: float) -> str:
    return number(value).replace("-", "−")


def kind_of(node: Node) -> Kind:
    if node.name in PARAMETERS:
        return "parameter"
    if node.operation == "leaf":
        return "input"
    return "loss" if node.name == "L" else "operation"

"""The graph behind a result: its nodes in order, their ops, and the whole as DOT text.

DOT is Graphviz's language for graphs: `dot -Tsvg graph.dot > graph.svg` draws what `to_dot` gives.

A graph holds what a gradient flows through. So constants (a model's inputs, for example, or the 2
of `2 * x`) are no nodes of it, and the result of a computation under `no_grad` stands alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from scratchnet.backends import Array
from scratchnet.tensor import Tensor

# What calls of these functions, which several ops share, are named after.
SHARED_BY_OPS = {
    "_power_of_number": "power",
    "_extreme_of_two": "maximum or minimum",
    "_extreme": "max or min",
    "_mean": "loss",
}

SHAPES = {"leaf": "shape=box", "constant": "shape=box, style=dashed"}
OPERATION_SHAPE = "shape=box, style=rounded"
RESULT_SHAPE = "peripheries=2"


def nodes_of(result: Tensor) -> list[Tensor]:
    """Every tensor that the result was computed from, each once, and the result, which is last.

    In an order of computation: a node stands behind its inputs, so the reverse is an order for a
    backward pass. It goes layer by layer, and keeps the order of an op's inputs where it can.
    Linear in the number of ops, without recursion, as `Tensor.backward` does it: the first loop
    counts the consumers of each node, and the second takes a node once all of them are taken.
    """
    consumers: dict[Tensor, int] = {result: 0}
    unexplored = [result]
    while unexplored:
        for parent, _ in unexplored.pop().inputs:
            if parent in consumers:
                consumers[parent] += 1
            else:
                consumers[parent] = 1
                unexplored.append(parent)

    order, ready = [], deque([result])
    while ready:
        node = ready.popleft()
        order.append(node)
        for parent, _ in reversed(node.inputs):
            consumers[parent] -= 1
            if consumers[parent] == 0:
                ready.append(parent)
    return order[::-1]


def operation_name(tensor: Tensor) -> str:
    """The op that computed the tensor, such as `multiply`; `leaf` or `constant` if none did.

    A pullback is defined inside its op, and Python keeps that in its qualified name:
    `multiply.<locals>.<lambda>`. So training pays nothing for names. Ops that share their pullbacks
    share a name as well: maximum and minimum, max and min, and all losses, which are called `loss`.
    """
    if not tensor.inputs:
        return "leaf" if tensor.requires_grad else "constant"
    _, pullback = tensor.inputs[0]
    qualified = getattr(pullback, "__qualname__", type(pullback).__name__)
    *enclosing, innermost = qualified.split(".<locals>.")
    name = (enclosing[-1] if enclosing else innermost).rpartition(".")[2]
    return SHARED_BY_OPS.get(name, name.lstrip("_"))


def to_dot(result: Tensor, names: Mapping[Tensor, str] | None = None) -> str:
    """The graph of the result as DOT text: a node per tensor, an arrow per use of one in an op.

    A label holds the tensor's name, where `names` has one, its op, its value and its gradient,
    where it keeps one; of an array with more than one entry the shape, and the gradient's norm.
    Leaves are boxes, results of ops rounded boxes, and the last result has a double border.
    """
    nodes = nodes_of(result)
    number = {node: index for index, node in enumerate(nodes)}
    lines = ["digraph {", "  rankdir=LR;"]
    for node, index in number.items():
        operation = operation_name(node)
        shape = SHAPES.get(operation, OPERATION_SHAPE)
        if node is result:
            shape += f", {RESULT_SHAPE}"
        label = _quoted(_label(node, (names or {}).get(node), operation))
        lines.append(f"  n{index} [label={label}, {shape}];")
    for node in nodes:
        lines += [f"  n{number[parent]} -> n{number[node]};" for parent, _ in node.inputs]
    return "\n".join([*lines, "}"]) + "\n"


def _label(node: Tensor, name: str | None, operation: str) -> str:
    """A node's lines: name and op, value or shape, and gradient."""
    lines = [f"{name} = {operation}" if name and node.inputs else name or operation]
    lines.append(f"value {_number(node.data)}" if node.data.size == 1 else f"shape {node.shape}")
    if node.grad is not None and node.data.size == 1:
        lines.append(f"gradient {_number(node.grad)}")
    elif node.grad is not None:
        lines.append(f"norm of gradient {np.linalg.norm(node.backend.to_numpy(node.grad)):.4g}")
    return "\n".join(lines)


def _number(array: Array) -> str:
    return f"{float(array.item()):.4g}"


def _quoted(text: str) -> str:
    """A DOT string: quotes and backslashes are escaped, and a line break becomes `\\n`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "")
    return '"' + escaped.replace("\n", "\\n") + '"'

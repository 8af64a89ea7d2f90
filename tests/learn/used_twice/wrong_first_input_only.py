# says: this one gets none
from collections.abc import Callable
from typing import Any

import numpy as np


class Node:
    """An array that remembers how it was made."""

    def __init__(self, value: Any, *inputs: "tuple[Node, Callable[[Any], Any]]") -> None:
        self.value = np.asarray(value, float)
        self.inputs = inputs
        self.grad: Any = None


def backward(order: list[Node]) -> None:
    """Leave d(sum of the result) / d(node) in the grad of every node; order[0] is the result."""
    for node in order:
        node.grad = np.zeros_like(node.value)
    order[0].grad = np.ones_like(order[0].value)
    for node in order:
        for parent, pullback in node.inputs:
            parent.grad = parent.grad + pullback(node.grad)
            break

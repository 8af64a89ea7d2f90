"""A node used twice.

A node holds an array, and remembers the nodes it was made from, each with its pullback:

    node.inputs = ((parent, pullback), ...)         pullback(dL/dnode) gives a part of dL/dparent

When x is used twice, L changes with x in two ways, and the chain rule adds them:

    dL/dx = sum over all uses of x of   pullback(dL/d(what it was used for))

In y = x + x * x there are three uses of x: one in the sum, and two in the product.

        x ---------------+
                         (+)---> y         1  through the sum
        x ---+           |                 x  through the first factor
             (*)---------+                 x  through the second factor
        x ---+                             dy/dx = 1 + x + x = 1 + 2 x

Write `backward`. It gets the nodes in an order that is right already: the result first, and each
node behind all nodes that were made from it. So once the turn of a node has come, its grad is
complete, and can be sent on to its inputs.

Two traps:

- Setting a parent's grad instead of adding keeps only the last use.
- Adding with += changes an array in place. But the pullbacks of a + b both return dL/dy itself, the
  very same array: then the grad of a is the grad of b. `p.grad = p.grad + dx` makes a new array.

`backward` may be called again later with the same nodes, and must give the same gradients then.

Source: scratchnet/tensor.py:Tensor.backward
"""

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
    raise NotImplementedError

"""The walk: in which order?

`backward` of the exercise before needs an order: the result first, and each node behind all of its
consumers, which are the nodes made from it. So a node's gradient is complete when it is sent on.

        a ---> b ---> c --> result           result, c, b, a    is right
        |             ^
        +-------------+                      result, c, a, b    is wrong: a is used in b as well

Three traps:

- Recursion. Python allows about 1,000 nested calls. A chain of 5,000 ops is nothing unusual.
- Sorting by the distance from the result. Above, a has the distance 2 through c, and b too; but b
  must come before a.
- Following every way. If each node is x = x + x, 50 ops have 2^50 ways. Each node must be visited
  once, and each input of a node looked at a few times at most.

A way that works: count the consumers of every node first. A node may be visited when all of them
have been visited, that is, when its count has come down to 0.

`node.inputs` is a tuple of the nodes it was made from; a leaf has (). The same node may stand in it
twice. Nodes can be keys of a dict and members of a set.

Source: scratchnet/tensor.py:Tensor.backward
"""


class Node:
    """What the walk needs to know of a node. The check makes its own."""

    def __init__(self, *inputs: "Node") -> None:
        self.inputs = inputs


def backward_order(result: Node) -> list[Node]:
    """All nodes that the result was made from, each once: the result first, leaves included."""
    raise NotImplementedError

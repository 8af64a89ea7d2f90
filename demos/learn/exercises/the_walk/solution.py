"""A right solution."""


class Node:
    """What the walk needs to know of a node. The check makes its own."""

    def __init__(self, *inputs: "Node") -> None:
        self.inputs = inputs


def backward_order(result: Node) -> list[Node]:
    """All nodes behind the result, each once all its consumers are in the order; no recursion."""
    consumers: dict[Node, int] = {}
    unexplored = [result]
    while unexplored:
        for parent in unexplored.pop().inputs:
            if parent not in consumers:
                consumers[parent] = 0
                unexplored.append(parent)
            consumers[parent] += 1
    order, ready = [], [result]
    while ready:
        order.append(node := ready.pop())
        for parent in node.inputs:
            consumers[parent] -= 1
            if consumers[parent] == 0:
                ready.append(parent)
    return order

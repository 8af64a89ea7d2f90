"""Graphs with one order, with several, deep ones, and ones with many ways."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Wrong, shown

DEEP = 5000
MOST_LOOKS = 30
"""At a node's inputs; every sensible walk looks a few times."""


class Node:
    """A node that counts how often its inputs are looked at."""

    def __init__(self, name: str, *inputs: "Node") -> None:
        self.name = name
        self._inputs = inputs
        self.looks = 0

    @property
    def inputs(self) -> "tuple[Node, ...]":
        """The nodes that it was made from. Raises `Wrong` at more than `MOST_LOOKS` looks."""
        self.looks += 1
        if self.looks > MOST_LOOKS:
            raise Wrong(
                f"the inputs of one node were looked at more than {MOST_LOOKS} times: remember "
                "which nodes were seen, or the walk follows every way"
            )
        return self._inputs

    def __repr__(self) -> str:
        return self.name


def check(learner: Any) -> None:
    """Raise `Wrong` unless each node comes once, after all nodes that were made from it."""
    leaf = Node("a")
    in_order(learner, [leaf])
    b = Node("b", leaf)
    in_order(learner, [leaf, b])
    in_order(learner, [leaf, b, Node("c", leaf, b)])
    late = Node("d", b, leaf)
    in_order(learner, [leaf, b, late, Node("e", late, leaf, leaf)])
    for seed in range(20):
        in_order(learner, random_graph(seed))
    chain = [Node("0")]
    for number in range(1, DEEP):
        chain.append(Node(str(number), chain[-1]))
    in_order(learner, chain)
    doubled = [Node("0")]
    for number in range(1, 60):
        doubled.append(Node(str(number), doubled[-1], doubled[-1]))
    in_order(learner, doubled)


def random_graph(seed: int) -> list[Node]:
    """Nodes in the order in which they were made; the last depends on all."""
    rng = np.random.default_rng(seed)
    nodes = [Node("a"), Node("b")]
    for number in range(8):
        chosen = rng.integers(0, len(nodes), 2)
        nodes.append(Node("cdefghij"[number], *(nodes[i] for i in chosen)))
    used = {parent for node in nodes for parent in node.inputs}
    return [*nodes, Node("k", *[node for node in nodes if node not in used])]


def in_order(learner: Any, nodes: list[Node]) -> None:
    """Raise `Wrong` unless the learner's order for the last node is right."""
    for node in nodes:
        node.looks = 0
    try:
        found = learner.backward_order(nodes[-1])
        order = list(found) if isinstance(found, Iterable) else [found]
    except RecursionError:
        raise Wrong(
            f"recursion: a chain of {DEEP} ops needs as many nested calls, and Python allows about "
            "1,000; keep the nodes still to visit in a list"
        ) from None
    if found is None or not all(isinstance(each, Node) for each in order):
        raise Wrong(f"backward_order returns {shown(found)}: must be a list of nodes")
    graph = described(nodes)
    if len(set(order)) < len(order):
        twice = next(node for node in order if order.count(node) > 1)
        raise Wrong(f"{graph}: {twice} is twice in the order, must be visited once")
    place = {node: number for number, node in enumerate(order)}
    if missing := [node for node in nodes if node not in place]:
        raise Wrong(f"{graph}: {missing[0]} is missing in the order")
    if len(order) > 1 and order == nodes:
        raise Wrong(f"{graph}: the order begins with the leaves, must begin with the result")
    for node in nodes:
        for parent in node._inputs:
            if place[parent] < place[node]:
                raise Wrong(
                    f"{graph}: {parent} comes before {node}, which was made from it: its gradient "
                    "is not complete there"
                )


def described(nodes: list[Node]) -> str:
    """The graph in a line, where it is small."""
    if len(nodes) > 12:
        return f"a chain of {len(nodes)} nodes"
    made = [f"{node}({', '.join(map(str, node._inputs))})" for node in nodes if node._inputs]
    return f"graph {' '.join(made) or nodes[0]}"

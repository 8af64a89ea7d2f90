"""Third stage: which calls of a phase share one loop.

A call that makes (N, d) numbers entry by entry is done in the loop that makes what it reads: the
bias and the rectifier of a layer on a block of its product that is still in registers. A call with
a single reader of the same shape waits for that reader, so that the mask [y > 0] of the backward
pass is not made and kept during the forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import Node, Value


@dataclass(eq=False)
class Loop:
    """Calls done in one loop: perhaps a product at its head, and what is done to its entries."""

    kind: str
    """`rows` over (N, width) numbers, `flat` over `size` numbers without points, or the kind of
    the one call that it holds."""
    width: int
    nodes: list[Node] = field(default_factory=list)

    @property
    def head(self) -> Node | None:
        """The product or row reduction whose results the other calls begin with."""
        return self.nodes[0] if self.nodes[0].kind in ("product", "row_reduction") else None

    @property
    def elementwise(self) -> list[Node]:
        """Its nodes without the sum or product that it begins with."""
        return self.nodes[1:] if self.head else self.nodes


def loops_over_points(inside: Sequence[Node]) -> list[Loop]:
    """The loops of a phase, in an order in which each finds what it reads."""
    loops: list[Loop] = []
    place: dict[Node, int] = {}
    waiting: set[Node] = set()
    for node in inside:
        if node.kind == "take" and node.value and not (node.value.readers or node.value.is_stored):
            continue  # such as the targets, under a loss that does not read them
        if node.kind == "elementwise" and _waits(node):
            waiting.add(node)
            continue
        if node.kind != "elementwise":
            kind = "rows" if node.kind in ("product", "row_reduction") else node.kind
            loops.append(Loop(kind, node.value.width if node.value else 0, [node]))
            place[node] = len(loops) - 1
            continue
        cluster = _cluster(node, waiting)
        waiting.difference_update(cluster)
        assert node.value is not None
        width = node.value.width
        made_in = [
            place[value.node] for each in cluster for value in each.values if value.node in place
        ]
        latest = max(made_in, default=-1)
        # Where nothing that it reads is made in this phase, a loop of its own begins here.
        found = [i for i in range(latest, len(loops)) if latest >= 0 and _is_rows(loops[i], width)]
        if not found:
            loops.append(Loop("rows", width))
            found = [len(loops) - 1]
        loops[found[0]].nodes.extend(cluster)
        place.update(dict.fromkeys(cluster, found[0]))
    return loops


def _is_rows(loop: Loop, width: int) -> bool:
    return loop.kind == "rows" and loop.width == width


def _waits(node: Node) -> bool:
    """Whether it has one reader, in the same phase and of the same shape, to be done with."""
    assert node.value is not None
    if len(node.value.readers) != 1 or node.value.is_stored:
        return False
    (reader,) = node.value.readers
    same = reader.kind == "elementwise" and reader.stage == node.stage
    return same and reader.value is not None and reader.value.width == node.value.width


def _cluster(node: Node, waiting: set[Node]) -> list[Node]:
    """The node behind those that waited for it, in the order of the calls."""
    found, unexplored = {node}, [node]
    while unexplored:
        for value in unexplored.pop().values:
            if value.node in waiting and value.node not in found:
                found.add(value.node)
                unexplored.append(value.node)
    return sorted(found, key=lambda each: each.number)


def loops_between(before: Sequence[Node], is_elementwise: frozenset[str]) -> list[Loop]:
    """The loops over arrays without points: neighbours of one length share one."""
    loops: list[Loop] = []
    for node in before:
        is_flat = node.name in is_elementwise and _is_flat(node)
        size = node.out.size
        joins = is_flat and loops and loops[-1].kind == "flat" and loops[-1].width == size
        if joins and _can_share(loops[-1], node):
            loops[-1].nodes.append(node)
        else:
            loops.append(Loop("flat" if is_flat else "whole", size, [node]))
    return loops


def _is_flat(node: Node) -> bool:
    """Whether all its arrays are single numbers or lie one entry after another like its output."""
    if not node.out.is_contiguous:
        return False
    for each in node.inputs:
        if isinstance(each, View) and each.size != 1:
            if each.shape != node.out.shape or not each.is_contiguous:
                return False
    return True


def _can_share(loop: Loop, node: Node) -> bool:
    """Whether entry i of this call needs nothing but entries i of those before it."""
    for earlier in loop.nodes:
        for each in (*node.inputs, node.out):
            if not isinstance(each, View):
                continue
            for other in (*earlier.inputs, earlier.out):
                if not isinstance(other, View) or not each.overlaps(other):
                    continue
                writes = each is node.out or other is earlier.out
                aligned = each.offset == other.offset and each.size == other.size
                if writes and not aligned:
                    return False
    return True


def kept_values(loops: Sequence[Loop]) -> set[Value]:
    """The values that a loop must store, because another one reads them."""
    place = {node: loop for loop in loops for node in loop.nodes}
    kept = set()
    for loop in loops:
        for node in loop.nodes:
            value = node.value
            if value and (value.is_stored or any(place.get(r) is not loop for r in value.readers)):
                kept.add(value)
    return kept

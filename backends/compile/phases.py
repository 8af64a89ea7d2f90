"""Second stage: what can be done in one loop over the tiles of points.

All per-point calls of a phase run on one tile before the next tile is begun, so that what they hand
to one another stays in cache. A call that needs a sum over all points must wait until every tile
has been through: it begins a new phase, as in BatchNorm, whose mean is needed to go on. What reads
no points (the optimizer) stands between the loops. Nothing is moved past a call of the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import OVER_POINTS, Node


@dataclass
class Phase:
    """The calls before a loop over the tiles, and those inside it."""

    before: list[Node]
    inside: list[Node]
    then: Node | None = None
    """The call of the host that follows, where the step is cut."""


def in_phases(nodes: Sequence[Node]) -> list[Phase]:
    """The nodes, cut into phases; within one they keep the order of the calls."""
    phases: list[Phase] = []
    part: list[Node] = []
    for node in nodes:
        if node.kind == "host":
            phases += _without_cut(part)
            phases[-1].then, part = node, []
        else:
            part.append(node)
    return phases + _without_cut(part)


def _without_cut(nodes: Sequence[Node]) -> list[Phase]:
    """The phases of nodes among which is no call of the host."""
    followers = _place_early(nodes)
    _place_late(nodes, followers)
    last = max((node.stage for node in nodes), default=0)
    return [
        Phase(
            [node for node in nodes if node.stage == stage],
            [node for node in nodes if node.stage == stage + 1],
        )
        for stage in range(0, last + 1, 2)
    ]


def _place_early(nodes: Sequence[Node]) -> dict[Node, list[tuple[Node, int]]]:
    """Give each node the first stage in which all that it needs is there.

    Returns the nodes that must come after each, and by how many stages: those that read what it
    writes, or write what it reads or writes.
    """
    touched: dict[int, list[tuple[Node, View, bool]]] = {}
    followers: dict[Node, list[tuple[Node, int]]] = {node: [] for node in nodes}
    for node in nodes:
        node.stage = 0 if node.kind == "whole" else 1
        for view, writes in _accesses(node):
            for earlier, other, wrote in touched.get(id(view.owner), []):
                if (writes or wrote) and view.overlaps(other):
                    distance = _distance(earlier, node, writes)
                    node.stage = max(node.stage, earlier.stage + distance)
                    followers[earlier].append((node, distance))
        for view, writes in _accesses(node):
            touched.setdefault(id(view.owner), []).append((node, view, writes))
    return followers


def _accesses(node: Node) -> Iterator[tuple[View, bool]]:
    """What it reads (False) and writes (True)."""
    for each in node.inputs:
        if isinstance(each, View):
            yield each, False
    for value in node.values:
        yield value.view, False
    yield node.out, True


def _distance(earlier: Node, node: Node, writes: bool) -> int:
    """The stages between `earlier` and `node`, which reads what that touched, or writes it."""
    if (earlier.kind == "whole") != (node.kind == "whole"):
        return 1
    return 2 if earlier.kind in OVER_POINTS or (writes and node.kind in OVER_POINTS) else 0


def _place_late(nodes: Sequence[Node], followers: dict[Node, list[tuple[Node, int]]]) -> None:
    """Move each node that can wait to where it is needed, so that one loop does more of them.

    A call on points waits only if what it reads is kept until then anyway.
    """
    last = max((node.stage for node in nodes), default=0)
    last += last % 2
    for node in reversed(nodes):
        latest = min([last, *(after.stage - distance for after, distance in followers[node])])
        if node.kind == "whole":
            node.stage = latest
        elif node.kind == "elementwise" and followers[node]:
            kept = (max(r.stage for r in value.readers) >= latest for value in node.values)
            if all(kept):
                node.stage = latest

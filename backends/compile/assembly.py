"""What the C++ function and the CUDA kernel of a step have in common: its loops, phase by phase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import NotCompiled, View, owner_of
from scratchnet.backends.compile.classify import ELEMENTWISE, Classified, Node, Value
from scratchnet.backends.compile.fuse import Loop, loops_between, loops_over_points
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.phases import Phase, in_phases
from scratchnet.backends.interface import Array, Call


class Assembly:
    """The loops of a recorded step in the order in which they run; a subclass writes them.

    It has a `writer` of loops over entries or points, and a `whole` that writes other calls.
    Raises `NotCompiled` where a call has no lowering.
    """

    writer: Any
    whole: Any

    def __init__(self, calls: Sequence[Call], outcome: Array) -> None:
        self.classified = Classified(calls, outcome)
        self.outcome = owner_of(outcome)
        self.nodes = self.classified.nodes
        self.phases = in_phases(self.nodes)
        self.loops = [loops_over_points(phase.inside) for phase in self.phases]
        self.between = [
            loops_between(phase.before, frozenset(ELEMENTWISE)) for phase in self.phases
        ]
        self.functions: dict[tuple[str, ...], str] = {}
        self.text: list[str] = []
        self.step: list[str] = []
        self._readers = self._count_accesses()

    def _count_accesses(self) -> dict[int, list[Node]]:
        """For the memory of each array, the nodes that read or write it."""
        accesses: dict[int, list[Node]] = {}
        for node in self.nodes:
            views = [each for each in node.inputs if isinstance(each, View)]
            for view in (*views, node.out):
                accesses.setdefault(id(view.owner), []).append(node)
        return accesses

    def write_phases(self) -> None:
        """Add the lines of all phases to `step`."""
        crossing = {
            node.value
            for node in self.nodes
            if node.value and len({node.stage, *(r.stage for r in node.value.readers)}) > 1
        }
        for number, phase in enumerate(self.phases):
            self.step.append(f"// Phase {number + 1}.")
            for loop in self.between[number]:
                self._between(loop, self._function_between(loop))
            if phase.inside:
                self._tiles(self.loops[number], crossing)
            self._end(phase)

    def _function_between(self, loop: Loop) -> Function:
        """A loop that stands before those over the points of a tile."""
        if loop.kind == "flat":
            inside = set(loop.nodes)
            return self.writer.flat_loop(loop, lambda node: self._is_needed(node, inside))
        return self.whole.loop(loop.nodes[0])

    def _is_needed(self, node: Node, inside: set[Node]) -> bool:
        """Whether what a call between the loops makes is read by more than its own loop."""
        others = set(self._readers[id(node.out.owner)]) - inside
        made_here = any(each.call.is_new and each.out.owner is node.out.owner for each in inside)
        return bool(others) or not made_here or node.out.owner is self.outcome

    def _between(self, loop: Loop, f: Function) -> None:
        """Add a call of the loop's function, which stands before a phase's tiles."""
        raise NotImplementedError

    def _tiles(self, loops: list[Loop], crossing: set[Value]) -> None:
        """Add a phase's loops over the points of a tile; `crossing` is used in later phases too."""
        raise NotImplementedError

    def _end(self, phase: Phase) -> None:
        """Add what follows a phase."""


def renumbered(lines: list[str]) -> list[str]:
    """The lines with the numbers n12, n13, ... of their results counted anew: n1, n2, ..."""
    names: dict[str, str] = {}

    def rename(match: re.Match[str]) -> str:
        return names.setdefault(match.group(), f"n{len(names) + 1}")

    return [re.sub(r"\bn\d+\b", rename, line) for line in lines]


def float_type(nodes: Sequence[Node]) -> Any:
    """The one dtype of all products. Raises `NotCompiled` where there are several, or none."""
    found = {node.out.dtype for node in nodes if node.name in ("matmul", "column_times_row")}
    if len(found) != 1 or next(iter(found)).kind != "f":
        raise NotCompiled(f"products of {', '.join(map(str, found))}")
    return np.dtype(next(iter(found)))

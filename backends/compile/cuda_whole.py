"""Calls on arrays as they were recorded, in CUDA: each entry of the output by a thread of its own.

A sum over many entries is done by a warp; sums at places that an index names, by one thread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import Axes, Literal, NotCompiled, View
from scratchnet.backends.compile.classify import Node
from scratchnet.backends.compile.cuda_memory import BlockMemory
from scratchnet.backends.compile.cuda_text import ScalarLowering
from scratchnet.backends.compile.elementwise import Term, c_type
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.whole import WholeLoops


class BlockWholeLoops(WholeLoops):
    """Writes the loops of calls of kind `whole` for the threads that train a network.

    In the `precision` tf32 the operands of a product are rounded before they are multiplied.
    """

    memory: BlockMemory

    def __init__(self, memory: BlockMemory, axes: Axes, precision: str) -> None:
        super().__init__(memory, axes)
        self._is_tf32 = precision == "tf32"

    def _entry(self, f: Function, view: View, array: Any, index: Sequence[str]) -> str:
        text = super()._entry(f, view, array, index)
        return f"__uint_as_float(to_tf32({text}))" if self._is_tf32 else text

    def _place(self, f: Function, view: View, index: Sequence[str], writes: bool = False) -> str:
        """The counters have 32 bits."""
        if view.extent[1] > 2**31:
            raise NotCompiled(f"an array of {view.extent[1]:,} numbers that is read as a whole")
        return super()._place(f, view, index, writes)

    def _nest(
        self, f: Function, shape: Sequence[int], lines: list[str], prefix: str = "i"
    ) -> list[str]:
        """The lines for each entry of that shape, which threads share out."""
        return [
            f"for (int e = {self.memory.thread}; e < {math.prod(shape)}; "
            f"e += {self.memory.threads}) {{",
            *(f"  {line}" for line in _used(_counted(shape, prefix, "e"), lines)),
            *(f"  {line}" for line in lines),
            "}",
        ]

    def _elementwise(self, f: Function, node: Node) -> None:
        lowering, index = ScalarLowering(self.memory.main), self._counters(node.out.shape)
        terms: list[Term | Literal] = []
        lines = []
        for number, each in enumerate(node.inputs):
            if isinstance(each, Literal):
                terms.append(each)
                continue
            assert isinstance(each, View)
            kind = "bool" if each.dtype == np.bool_ else c_type(each.dtype)
            lines.append(f"const {kind} u{number} = {self._place(f, each, index)};")
            terms.append(Term(f"u{number}", each.dtype))
        text = lowering.lower(node.name, terms, node.out.dtype)
        lines.append(f"{self._place(f, node.out, index, True)} = {text};")
        f.lines = self._nest(f, node.out.shape, lines)

    def _reduced(
        self, f: Function, node: Node, view: View, kept: list[int], place: list[str]
    ) -> None:
        """A warp for each entry of the output; its threads take turns with the entries of x."""
        out = self._full(node.call.out)
        reduced = [i for i in range(len(view.shape)) if i not in kept]
        kind = c_type(out.dtype)
        operation, neutral = {
            "sum": ("Add", "0"), "max": ("Max", "-INFINITY"), "min": ("Min", "INFINITY"),
        }[node.name]  # fmt: skip
        entries, terms = (math.prod(view.shape[i] for i in axes) for axes in (kept, reduced))
        index = self._counters(view.shape)
        term, target = self._place(f, view, index), self._place(f, out, place, True)
        f.lines = [
            f"for (int e = {self.memory.thread} / 32; e < {entries}; "
            f"e += {self.memory.threads} / 32) {{",
            *(f"  {line}" for line in _used(_counted_axes(view.shape, kept, "e"), [term, target])),
            f"  {kind} y = {neutral};",
            f"  for (int t = threadIdx.x % 32; t < {terms}; t += 32) {{",
            *(f"    {line}" for line in _used(_counted_axes(view.shape, reduced, "t"), [term])),
            f"    y = {operation}::of(y, {kind}({term}));",
            "  }",
            f"  y = over_warp<{operation}>(y);",
            f"  if (threadIdx.x % 32 == 0) {target} = y;",
            "}",
        ]

    def _scatter_add(self, f: Function, node: Node) -> None:
        """By one thread, so that what is added at one place is added in its order."""
        super()._scatter_add(f, node)
        thread, threads = self.memory.thread, self.memory.threads
        f.lines = [line.replace(f"e = {thread};", "e = 0;") for line in f.lines]
        f.lines = [line.replace(f"e += {threads}", "e++") for line in f.lines]
        f.lines = [f"if ({thread} == 0) {{", *(f"  {line}" for line in f.lines), "}"]


def _counted(shape: Sequence[int], prefix: str, entry: str) -> list[str]:
    """The counters of an entry's axes, by its number in C order."""
    return _counted_axes(shape, range(len(shape)), entry, prefix)


def _counted_axes(
    shape: Sequence[int], axes: Sequence[int], entry: str, prefix: str = "i"
) -> list[str]:
    """Lines that turn the number of an entry into its place along these axes."""
    lines, inner = [], 1
    for axis in reversed(axes):
        quotient = entry if inner == 1 else f"{entry} / {inner}"
        is_first = axis == axes[0]
        text = quotient if is_first else f"{quotient} % {shape[axis]}"
        lines.append(f"const int {prefix}{axis} = {text};")
        inner *= shape[axis]
    return lines[::-1]


def _used(counters: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The definitions of counters that the lines read: along an axis of one entry none does."""
    words = set(re.findall(r"\w+", " ".join(lines)))
    return [each for each in counters if each.split()[2] in words]

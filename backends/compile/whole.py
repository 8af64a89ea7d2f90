"""Calls on arrays as they were recorded, of any shape and strides: plain loops over entries.

The optimizer's long arrays are not among them (see `fuse`); what is left is small or rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import Axes, Literal, NotCompiled, View, literal
from scratchnet.backends.compile.classify import ELEMENTWISE, Node
from scratchnet.backends.compile.elementwise import Lowering, Term
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.memory import Memory


class WholeLoops:
    """Writes the loops of calls of kind `whole`."""

    def __init__(self, memory: Memory, axes: Axes) -> None:
        self.memory, self.axes = memory, axes

    def loop(self, node: Node) -> Function:
        """The function of a call on whole arrays. Raises `NotCompiled` for an unknown one."""
        f, name = Function(), node.name
        if name in ELEMENTWISE:
            self._elementwise(f, node)
        elif name in ("matmul", "column_times_row"):
            self._product(f, node)
        elif name in ("sum", "max", "min"):
            self._reduction(f, node)
        elif name == "concatenate":
            self._concatenate(f, node)
        elif name == "take":
            self._take(f, node)
        elif name == "scatter_add":
            self._scatter_add(f, node)
        else:
            raise NotCompiled(f"call {node.number}, {name}")
        return f

    def _place(self, f: Function, view: View, index: Sequence[str], writes: bool = False) -> str:
        """An entry of the view; `index` is aligned at the last axis, for broadcasting."""
        used = list(index[len(index) - len(view.shape) :]) if view.shape else []
        steps = [
            f"{i} * {stride}"
            for i, n, stride in zip(used, view.shape, view.strides, strict=True)
            if n > 1 and stride
        ]
        return f"{f.name(self.memory.array(view), writes)}[{' + '.join(steps) or '0'}]"

    def _nest(
        self, f: Function, shape: Sequence[int], lines: list[str], prefix: str = "i"
    ) -> list[str]:
        """The lines inside a loop for each axis; gives the names of the counters to `lines`."""
        opened = [
            "  " * depth
            + f"for (int64_t {prefix}{depth} = 0; {prefix}{depth} < {n}; {prefix}{depth}++)"
            for depth, n in enumerate(shape)
        ]
        inner = "  " * len(shape)
        return [*opened, inner + "{", *(f"{inner}  {line}" for line in lines), inner + "}"]

    def _counters(self, shape: Sequence[int], prefix: str = "i") -> list[str]:
        return [f"{prefix}{depth}" for depth in range(len(shape))]

    def _elementwise(self, f: Function, node: Node) -> None:
        """Vectors of one lane: the same functions, and so the same bits, as elsewhere."""
        lowering, index = Lowering(1, self.memory.main), self._counters(node.out.shape)
        terms: list[Term | Literal] = []
        lines = []
        f.vector(self.memory.main, 1)
        f.vector(np.bool_, 1)
        for number, each in enumerate(node.inputs):
            if isinstance(each, Literal):
                terms.append(each)
                continue
            assert isinstance(each, View)
            vector = f.vector(each.dtype, 1)
            is_mask = each.dtype == np.bool_
            lines.append(
                f"const {'auto' if is_mask else vector} u{number} = "
                f"{vector}{{{self._place(f, each, index)}}}{' != 0' if is_mask else ''};"
            )
            terms.append(Term(f"u{number}", each.dtype))
        text = lowering.lower(node.name, terms, node.out.dtype)
        vector = f.vector(node.out.dtype, 1)
        if node.out.dtype == np.bool_:
            text = f"zero_or_one<{vector}>({text})"
        lines.append(f"const {vector} y = {text};")
        lines.append(f"{self._place(f, node.out, index, True)} = y[0];")
        f.lines = self._nest(f, node.out.shape, lines)

    def _product(self, f: Function, node: Node) -> None:
        """Sums of products, in the order of the terms, for each entry of the output."""
        (a, b), out = node.call.inputs, node.call.out
        shapes = [np.shape(a), np.shape(b)]
        views = [self._full(each) for each in (a, b)]
        result = self._full(out)
        names = self._counters(result.shape)
        lead = names[: len(names) - (len(shapes[0]) > 1) - (len(shapes[1]) > 1)]
        row = [names[-2 if len(shapes[1]) > 1 else -1]] if len(shapes[0]) > 1 else []
        column = names[-1:] if len(shapes[1]) > 1 else []
        kind = self.memory.array(result).c_type
        left = self._entry(f, views[0], a, [*lead, *row, "k"])
        right = self._entry(f, views[1], b, [*lead, "k", *column])
        f.lines = self._nest(f, result.shape, [
            f"{kind} sum = 0;",
            f"for (int64_t k = 0; k < {shapes[0][-1]}; k++) sum += {left} * {right};",
            f"{self._place(f, result, names, True)} = sum;",
        ])  # fmt: skip

    def _entry(self, f: Function, view: View, array: Any, index: Sequence[str]) -> str:
        """A number as it is, or an array's entry at the index."""
        number = literal(array)
        if number is not None:
            return str(float(number.value))
        return self._place(f, view, index)

    def _full(self, array: Any) -> View:
        """The view with its leading axes of one entry, but without that of the networks."""
        view = self.axes.view(array)
        expected = array.ndim - (1 if view.network_stride else 0)
        missing = expected - len(view.shape)
        shape, strides = (1,) * missing + view.shape, (0,) * missing + view.strides
        return View(array, view.owner, view.offset, shape, strides, view.network_stride, None)

    def _reduction(self, f: Function, node: Node) -> None:
        """A sum, maximum or minimum over some axes."""
        x, axis, keepdims = node.call.inputs
        view, out = self._full(x), self._full(node.call.out)
        axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        shift = x.ndim - len(view.shape)
        reduced = {i % x.ndim - shift for i in axes}
        if min(reduced, default=0) < 0:
            raise NotCompiled(f"call {node.number}, {node.name} over the networks")
        index = self._counters(view.shape)
        kept = [i for i in range(len(view.shape)) if i not in reduced]
        place = [index[i] if i in kept else "0" for i in range(len(index)) if keepdims or i in kept]
        if view.dtype != out.dtype or view.dtype.kind != "f":
            raise NotCompiled(f"call {node.number}, {node.name} of {view.dtype}")
        self._reduced(f, node, view, kept, place)

    def _reduced(
        self, f: Function, node: Node, view: View, kept: list[int], place: list[str]
    ) -> None:
        """The entries of x, one by one, for each entry of the output."""
        out, index = self._full(node.call.out), self._counters(view.shape)
        kind = self.memory.array(out).c_type
        start, step = {
            "sum": ("0", "y + x"),
            "max": ("-INFINITY", "(y > x) | (y != y) ? y : x"),
            "min": ("INFINITY", "(y < x) | (y != y) ? y : x"),
        }[node.name]
        inner = [f"const {kind} x = {self._place(f, view, index)};", f"y = {step};"]
        lines = [f"{kind} y = {start};"]
        for depth in (i for i in range(len(view.shape)) if i not in kept):
            i, n = index[depth], view.shape[depth]
            lines.append(f"for (int64_t {i} = 0; {i} < {n}; {i}++)")
        lines += ["{ " + " ".join(inner) + " }"]
        lines.append(f"{self._place(f, out, place, True)} = y;")
        for depth in reversed(kept):
            i, n = index[depth], view.shape[depth]
            lines = [f"for (int64_t {i} = 0; {i} < {n}; {i}++) {{", *("  " + x for x in lines), "}"]
        f.lines = ["{", *lines, "}"]

    def _concatenate(self, f: Function, node: Node) -> None:
        """The parts one behind the other along the axis."""
        axis, *parts = node.call.inputs
        out = self._full(node.call.out)
        axis = axis % node.call.out.ndim - (node.call.out.ndim - len(out.shape))
        start = 0
        for part in parts:
            view = self._full(part)
            if axis < 0 or len(view.shape) != len(out.shape):
                raise NotCompiled(f"call {node.number}, concatenate of networks")
            index = self._counters(view.shape)
            place = [f"({i} + {start})" if d == axis else i for d, i in enumerate(index)]
            line = f"{self._place(f, out, place, True)} = {self._place(f, view, index)};"
            f.lines += self._nest(f, view.shape, [line])
            start += view.shape[axis]

    def _take(self, f: Function, node: Node) -> None:
        """By slices and numbers, which is a copy of a view, or by whole numbers: rows, or of each
        network's own the rows that it names."""
        x, index = node.call.inputs
        out = self._full(node.call.out)
        if isinstance(index, np.ndarray) and index.dtype.kind in "iu":
            if x.ndim != len(self._full(x).shape):
                raise NotCompiled(f"call {node.number}, take by networks")
            self._indexed(f, self._full(x), out, self._full(index))
            return
        if self._is_of_each(x, index):
            self._indexed(f, self._full(x), out, self._full(index[1]))
            return
        chosen = x[index]
        if not np.shares_memory(chosen, x):
            raise NotCompiled(f"call {node.number}, take by {type(index).__name__}")
        source = self.axes.view(chosen)
        if source.network_stride != out.network_stride and out.network_stride:
            raise NotCompiled(f"call {node.number}, take of a part of each network")
        names = self._counters(self.axes.view(node.call.out).shape)
        target = self.axes.view(node.call.out)
        line = f"{self._place(f, target, names, True)} = {self._place(f, source, names)};"
        f.lines = self._nest(f, target.shape, [line])

    def _row_number(self, f: Function, index: View, names: list[str], height: int) -> str:
        entry = self._place(f, index, names)
        return f"(({entry}) < 0 ? int64_t({entry}) + {height} : int64_t({entry}))"

    def _is_of_each(self, x: Any, index: Any) -> bool:
        """Whether the index is (all networks, rows of each), where x leads with the networks."""
        if self.axes.networks is None or not isinstance(index, tuple) or len(index) != 2:
            return False
        networks, rows = index
        return (
            isinstance(networks, np.ndarray)
            and np.array_equal(networks.ravel(), np.arange(len(x)))
            and isinstance(rows, np.ndarray)
            and rows.dtype.kind in "iu"
            and x.ndim == len(self._full(x).shape) + 1
        )

    def _indexed(self, f: Function, x: View, out: View, index: View) -> None:
        """out = x[index], for numbers of rows."""
        names = self._counters(out.shape)
        depth = len(index.shape)
        row = self._row_number(f, index, names[:depth], x.shape[0])
        source = self._place(f, x, [row, *names[depth:]])
        f.lines = self._nest(f, out.shape, [f"{self._place(f, out, names, True)} = {source};"])

    def _scatter_add(self, f: Function, node: Node) -> None:
        """out = 0, then out[index] += values, one after another."""
        values, index, _ = node.call.inputs
        if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
            raise NotCompiled(f"call {node.number}, scatter_add by {type(index).__name__}")
        view, out, rows = self._full(values), self._full(node.call.out), self._full(index)
        if node.call.out.ndim != len(out.shape) or view.dtype != out.dtype:
            raise NotCompiled(f"call {node.number}, scatter_add by networks")
        zeros = self._counters(out.shape)
        f.lines = self._nest(f, out.shape, [f"{self._place(f, out, zeros, True)} = 0;"])
        names, depth = self._counters(view.shape), len(rows.shape)
        row = self._row_number(f, rows, names[:depth], out.shape[0])
        line = f"{self._place(f, out, [row, *names[depth:]])} += {self._place(f, view, names)};"
        f.lines += self._nest(f, view.shape, [line])

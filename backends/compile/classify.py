"""First stage: which calls compute point by point, which sum over the points, and which do neither.

A batch of N points can be cut into tiles only where a call treats each point by itself. So each
call gets a kind:

    elementwise    (N, d) from arrays (N, d), (N, 1), rows (d,) and numbers
    product        (N, d) = (N, k) times a matrix (k, d)
    gradient       a matrix (k, d): the sum over the points of x_i^T dy_i
    column_sums    a row (d,): the sum over the points
    total          a number: the sum over all entries
    row_reduction  (N, 1): a sum or an extreme over each point's entries
    take           (N, d): rows chosen by an index
    whole          anything else, computed at once on the arrays as they were recorded
    host           a call of Python, as `door.by_host` marks it: the step is cut there

What an elementwise, product, row_reduction or take call makes is a `Value`: numbers of the points
that live in a tile. Calls of kind `whole` that work on the parameters are the optimizer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import (
    Axes,
    Literal,
    NotCompiled,
    View,
    arrays_in,
    literal,
    name_of,
    owner_of,
)
from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call

ELEMENTWISE = {
    *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "negative"),
    *("absolute", "sign", "square", "sqrt", "exp", "log", "log1p", "tanh", "greater"),
    *("greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or"),
    *("logical_not", "where", "positive", "convert", "where_positive", "times_slope"),
    *("left_shift", "right_shift", "bitwise_or", "bitwise_and", "bitwise_xor", "reciprocal"),
}
PER_POINT = ("elementwise", "product", "row_reduction", "take")
OVER_POINTS = ("gradient", "column_sums", "total")


@dataclass(eq=False)
class Value:
    """Numbers (N, width) of the points, made by one call."""

    node: Node
    width: int
    view: View
    is_stored: bool
    """Whether it must also be written to where the recording had it."""
    readers: list[Node] = field(default_factory=list)

    @property
    def dtype(self) -> Any:
        return self.view.dtype


Input = Value | View | Literal


@dataclass(eq=False)
class Node:
    """A call of the recorded step, with its kind and what it reads and makes."""

    number: int
    call: Call
    kind: str
    inputs: list[Input]
    out: View
    value: Value | None = None
    stage: int = 0
    """Even: between two loops over the tiles; odd: inside one. Set by the next stage."""

    @property
    def name(self) -> str:
        """Of the call's kernel."""
        return name_of(self.call)

    @property
    def values(self) -> list[Value]:
        """Those of its inputs that a loop over points makes."""
        return [each for each in self.inputs if isinstance(each, Value)]


class Classified:
    """The nodes of a step, in the order of its calls."""

    def __init__(self, calls: Sequence[Call], outcome: Array) -> None:
        calls = with_plain_biases(calls)
        self.axes = Axes(calls)
        self.points = self._count_points(calls)
        self.nodes: list[Node] = []
        self._current: dict[int, Value] = {}
        self._made = {id(owner_of(call.out)) for call in calls if call.is_new}
        self._last_use = {
            id(owner_of(array)): number
            for number, call in enumerate(calls, 1)
            for array in (*arrays_in(call.inputs), call.out)
        } | {id(owner_of(outcome)): len(calls) + 1}
        for number, call in enumerate(calls, 1):
            self._add(number, call)
        for value in self._current.values():
            if value.view.owner is owner_of(outcome):
                value.is_stored = True

    def _count_points(self, calls: Sequence[Call]) -> int:
        """N, or 0 where a batch of one leaves no axis to cut."""
        for call in calls:
            view = self.axes.view(call.out)
            if view.points is not None:
                return view.shape[view.points]
        return 0

    def _add(self, number: int, call: Call) -> None:
        """Add the node of a call, with what it reads and the value that it leaves."""
        out = self.axes.view(call.out)
        kind, inputs = self._kind(call, out)
        node = Node(number, call, kind, inputs, out)
        if kind in ("whole", "host"):
            node.inputs = [literal(each) or self.axes.view(each) for each in _flat(call.inputs)]
            for array in arrays_in(call.inputs):
                if value := self._current.get(id(owner_of(array))):
                    value.is_stored = True
                    value.readers.append(node)
        if kind == "host":
            self._store_for_later(number)
        self.nodes.append(node)
        for value in node.values:
            value.readers.append(node)
        if kind in PER_POINT:
            width = out.shape[1] if len(out.shape) == 2 else 1
            node.value = Value(node, width, out, id(out.owner) not in self._made)
            self._current[id(out.owner)] = node.value
        else:
            self._current.pop(id(out.owner), None)

    def _store_for_later(self, number: int) -> None:
        """What is used after the step is cut is found where the recording had it."""
        for owner, value in self._current.items():
            value.is_stored |= self._last_use[owner] > number
        self._current.clear()

    def _kind(self, call: Call, out: View) -> tuple[str, list[Input]]:
        """The call's kind, and its inputs as that kind sees them; `whole` where no other fits."""
        if is_by_host(call.kernel):
            return "host", []
        name = name_of(call)
        for kind, find in (
            ("elementwise", self._elementwise if name in ELEMENTWISE else None),
            ("product", self._product if name in ("matmul", "column_times_row") else None),
            ("gradient", self._gradient if name in ("matmul", "column_times_row") else None),
            ("total", self._total if name == "sum" else None),
            ("column_sums", self._column_sums if name in ("sum", "matmul") else None),
            ("row_reduction", self._row_reduction if name in ("sum", "max", "min") else None),
            ("take", self._take if name == "take" else None),
        ):
            if find is not None and (inputs := find(call, out)) is not None:
                return kind, inputs
        return "whole", []

    def _is_tiled(self, view: View) -> bool:
        """Whether it can be a `Value`: (N,) or (N, d), all of its owner."""
        return view.points == 0 and len(view.shape) <= 2 and view.is_whole

    def _of_points(self, array: Array) -> Value | View | None:
        """An input (N,) or (N, d), made in this step or from outside; None for any other."""
        view = self.axes.view(array)
        value = self._current.get(id(view.owner))
        if view.points != 0 or len(view.shape) > 2:
            return None
        if value is not None:
            return value if view.is_whole and view.shape[1:] in ((), (value.width,)) else None
        is_row = len(view.shape) == 1 or view.shape[1] == 1 or view.strides[1] == 1
        return view if is_row else None

    def _elementwise(self, call: Call, out: View) -> list[Input] | None:
        """The inputs of an elementwise call on values of points, numbers and rows, or None."""
        if not self._is_tiled(out):
            return None
        inputs: list[Input] = []
        for each in call.inputs:
            if (number := literal(each)) is not None:
                inputs.append(number)
                continue
            found = self._of_points(each)
            view = self.axes.view(each)
            if found is None:
                is_row = view.points is None and view.shape in ((), out.shape[1:])
                if not is_row or id(view.owner) in self._current:
                    return None
                found = view
            inputs.append(found)
        return inputs

    def _product(self, call: Call, out: View) -> list[Input] | None:
        """The inputs of points times a fixed matrix, or None."""
        a, b = call.inputs
        x = self._of_points(a)
        if x is None or not self._is_tiled(out) or a.ndim < 2 or not self._is_fixed(b):
            return None
        return [x, self.axes.view(b)]

    def _is_fixed(self, array: Array) -> bool:
        """A matrix or vector without points."""
        view = self.axes.view(array)
        own = id(view.owner) not in self._current
        return own and self.axes.points not in self.axes.of(array) and view.points is None

    def _gradient(self, call: Call, out: View) -> list[Input] | None:
        """The inputs x and dy of x^T dy, the gradient of a matrix, or None."""
        a, b = call.inputs
        if out.points is not None or a.ndim < 2 or b.ndim < 2 or not out.is_contiguous:
            return None
        x, dy = self._of_points(a.mT), self._of_points(b)
        if x is None or dy is None or a.shape[-1] != self.points:
            return None
        return [x, dy]

    def _column_sums(self, call: Call, out: View) -> list[Input] | None:
        """The input that is summed over the points, by a sum or a row of ones, or None."""
        if name_of(call) == "matmul":
            ones, x = call.inputs
            number = literal(ones)
            if ones.ndim != 1 or number is None or number.value != 1:
                return None
        else:
            x, axis, _ = call.inputs
            if axis not in (x.ndim - 2, -2, (x.ndim - 2,)):
                return None
        if x.ndim < 2 or x.shape[-2] != self.points or not out.is_contiguous:
            return None
        found = self._of_points(x)
        return None if found is None or out.points is not None else [found]

    def _total(self, call: Call, out: View) -> list[Input] | None:
        """The input all of whose entries are summed, or None."""
        view = self.axes.view(call.inputs[0])
        value = self._current.get(id(view.owner))
        if value is None or out.size != 1 or not view.is_whole or value.width * self.points == 1:
            return None
        return [value]

    def _row_reduction(self, call: Call, out: View) -> list[Input] | None:
        """The input that is reduced along the entries of each point, or None."""
        x, axis, _ = call.inputs
        found = self._of_points(x)
        if found is None or axis not in (-1, x.ndim - 1, (x.ndim - 1,)) or not self._is_tiled(out):
            return None
        return [found] if len(self.axes.view(x).shape) == 2 else None

    def _take(self, call: Call, out: View) -> list[Input] | None:
        """The source and the row numbers of rows picked for the points, or None."""
        x, index = call.inputs
        if isinstance(index, tuple):
            if len(index) != 2 or not isinstance(index[0], np.ndarray):
                return None
            networks, index = index
            if self.axes.networks is None or not np.array_equal(
                networks.ravel(), np.arange(len(x))
            ):
                return None
        if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
            return None
        rows, source = self._of_points(index), self.axes.view(x)
        if not isinstance(rows, View) or not self._is_tiled(out) or not self._is_fixed(x):
            return None
        if len(source.shape) != len(out.shape) or not source.is_contiguous:
            return None
        return [source, rows]


def _flat(inputs: Any) -> list[Any]:
    """The inputs of a call, with those inside a tuple in their place."""
    if isinstance(inputs, (tuple, list)):
        return [each for part in inputs for each in _flat(part)]
    return [inputs]


def with_plain_biases(calls: Sequence[Call]) -> list[Call]:
    """The NumPy backend adds a bias to several rows at a time; here, to each row.

    There the bias is repeated to the length of those rows first, and the sum is seen with rows of
    that length: two calls that say what y + b says.
    """
    biases = {id(call.out): call.inputs[0] for call in calls if name_of(call) == "repeated"}
    plain = []
    for call in calls:
        if name_of(call) == "repeated":
            continue
        used = [each for each in arrays_in(call.inputs) if id(each) in biases]
        if not used:
            plain.append(call)
            continue
        bias, y = biases[id(used[0])], owner_of(call.out)
        if name_of(call) != "add" or call.inputs[0] is not call.out or call.is_new:
            raise NotCompiled("a repeated bias that is not added to a product")
        rows = y.reshape(*call.out.shape[:-2], -1, bias.shape[-1])
        plain.append(Call(call.kernel, (rows, bias), rows, False))
    return plain

"""How the calls of a recorded step see their arrays: which axis is which, and where they lie.

Each axis of each array belongs to a class, and axes that a call walks along together are of one
class. Two classes matter: the networks of an ensemble, and the points of a batch. The first matrix
product has both: y (E, N, d) = x (E, N, k) times W (E, k, d).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call


class NotCompiled(Exception):
    """A recorded step that has no compiled form; the message says which call it fails at."""


@dataclass(frozen=True)
class Literal:
    """A number, or an array that nobody can write to and that holds one number only."""

    value: Any


@dataclass(frozen=True, eq=False)
class View:
    """An array as one network sees it. Offsets and strides count entries, not bytes."""

    array: Array
    owner: Array
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    network_stride: int
    """The distance to the next network's entries; 0 where the networks share them."""
    points: int | None
    """The axis of the points, where there is one."""

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def size(self) -> int:
        """The number of its entries."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_contiguous(self) -> bool:
        """Whether its entries lie one behind the other, in the order of its axes."""
        step = 1
        for n, stride in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if n != 1 and stride != step:
                return False
            step *= n
        return True

    @property
    def is_whole(self) -> bool:
        """Whether these are all the entries of its owner that the network has, in their order."""
        own = self.owner.size if not self.network_stride else self.network_stride
        return self.is_contiguous and self.offset == 0 and self.size == own

    @property
    def extent(self) -> tuple[int, int]:
        """First and last-but-one offset of the entries of one network."""
        reach = [(n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)]
        low = self.offset + sum(each for each in reach if each < 0)
        return low, self.offset + sum(each for each in reach if each > 0) + 1

    def overlaps(self, other: View) -> bool:
        """Whether the two may share memory, judged by the ends of what they span."""
        if self.owner is not other.owner:
            return False
        if self.network_stride != other.network_stride or self.dtype != other.dtype:
            return True
        (a, b), (c, d) = self.extent, other.extent
        return a < d and c < b


def owner_of(array: Array) -> Array:
    """The array that owns the memory of this one, which may be a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def arrays_in(inputs: Any) -> list[Array]:
    """All arrays among the inputs of a call, also those inside a tuple."""
    if isinstance(inputs, (tuple, list)):
        return [array for each in inputs for array in arrays_in(each)]
    return [inputs] if isinstance(inputs, np.ndarray) else []


def name_of(call: Call) -> str:
    """Of a call's kernel, as `relu_backward`."""
    return str(getattr(call.kernel, "__name__", call.kernel)).removeprefix("_")


class Axes:
    """The classes of the axes of all arrays that the calls read and write."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._parent: dict[Any, Any] = {}
        self._alive: list[Array] = []
        for call in calls:
            self._unify(call)
        self.networks, self.points = self._named(calls)

    def _named(self, calls: Sequence[Call]) -> tuple[Any, Any]:
        """The classes of the networks and of the points, from the first product."""
        for call in calls:
            if name_of(call) in ("matmul", "column_times_row") and call.out.ndim > 1:
                *lead, points, _ = self.of(call.out)
                if len(lead) > 1:
                    raise NotCompiled(f"matmul of {call.out.ndim} axes")
                return (lead[0] if lead else None), points
        raise NotCompiled("a step without a matrix product")

    def of(self, array: Array) -> list[Any]:
        """The class of each axis; an axis of one entry has none."""
        owner = owner_of(array)
        own = set(zip(owner.shape, owner.strides, strict=True))
        start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        keys = []
        for axis in zip(array.shape, array.strides, strict=True):
            key = (id(owner), *axis) if axis in own else (id(owner), start, *axis)
            keys.append(None if axis[0] == 1 else self._root(key))
        self._alive.append(owner)
        return keys

    def _root(self, key: Any) -> Any:
        """What stands for the class of this axis."""
        while key in self._parent:
            key = self._parent[key]
        return key

    def _join(self, one: Sequence[Any], other: Sequence[Any]) -> None:
        """Axes of two arrays that are walked along together, counted from the last."""
        for a, b in zip(reversed(one), reversed(other), strict=False):
            a, b = self._root(a), self._root(b)
            if a is not None and b is not None and a != b:
                self._parent[a] = b

    def _unify(self, call: Call) -> None:
        """Join the classes of those axes that a call walks along together."""
        if is_by_host(call.kernel):
            return
        name, out = name_of(call), self.of(call.out)
        if name in ("matmul", "column_times_row"):
            self._unify_product(call, out)
        elif name in ("sum", "max", "min"):
            x, axis, keepdims = call.inputs
            reduced = _axes(axis, x.ndim)
            kept = [a for i, a in enumerate(self.of(x)) if i not in reduced]
            self._join(kept, [a for i, a in enumerate(out) if not (keepdims and i in reduced)])
        elif name == "take":
            self._unify_take(call, out)
        elif name == "concatenate":
            axis, *parts = call.inputs
            for part in parts:
                classes = self.of(part)
                classes[axis] = None
                self._join(classes, out)
        elif name not in ("scatter_add", "repeated"):
            for array in arrays_in(call.inputs):
                if literal(array) is None:
                    self._join(self.of(array), out)

    def _unify_product(self, call: Call, out: list[Any]) -> None:
        """Of a matrix product: the axis summed over, the rows, the columns and the networks."""
        a, b = (self.of(each) for each in call.inputs)
        self._join(a, b[-2:-1] if len(b) > 1 else b)
        if len(a) > 1:
            self._join(a[:-1], out[:-1] if len(b) > 1 else out)
        if len(b) > 1:
            self._join(b[-1:], out)
            lead = out[:-2] if len(a) > 1 else out[:-1]
            self._join(b[:-2], lead)

    def _unify_take(self, call: Call, out: list[Any]) -> None:
        """Of rows that are picked: the axes of the index, and those behind the picked one."""
        x, index = call.inputs
        indices = arrays_in(index)
        if not indices:
            return
        number = len(index) if isinstance(index, tuple) else 1
        trailing = self.of(x)[number:]
        lead = out[: len(out) - len(trailing)]
        self._join(trailing, out)
        for each in indices:
            self._join(self.of(each), lead)
        if number == 2:
            # Networks and rows: the first axis of x is walked along with the first index.
            self._join(self.of(x)[:1], lead[:1])

    def view(self, array: Array) -> View:
        """The array without the axis of the networks, and without leading axes of one entry."""
        classes, size = self.of(array), array.itemsize
        owner = owner_of(array)
        start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        if any(stride % size for stride in (*array.strides, start)):
            raise NotCompiled(f"an array of {array.dtype} that lies across its entries")
        axes = list(zip(classes, array.shape, (s // size for s in array.strides), strict=True))
        network_stride = 0
        if self.networks is not None:
            mine = [i for i, (c, _, _) in enumerate(axes) if c == self._root(self.networks)]
            if len(mine) > 1:
                raise NotCompiled("an array with two axes of networks")
            if mine:
                network_stride = axes.pop(mine[0])[2]
        while axes and axes[0][1] == 1:
            axes.pop(0)
        found = [i for i, (c, _, _) in enumerate(axes) if c and c == self._root(self.points)]
        return View(
            array,
            owner,
            start // size,
            tuple(n for _, n, _ in axes),
            tuple(stride for _, _, stride in axes),
            network_stride,
            found[0] if len(found) == 1 else None,
        )


def _axes(axis: Any, ndim: int) -> set[int]:
    """The axes of a reduction as numbers from 0."""
    if axis is None:
        return set(range(ndim))
    return {i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))}


def literal(value: Any) -> Literal | None:
    """`value` as a literal where it is one for certain: see `Literal`."""
    if not isinstance(value, np.ndarray):
        return Literal(value)
    if owner_of(value).flags.writeable or not value.size:
        return None
    first = value.reshape(-1)[:1]
    return Literal(first[0]) if (value == first).all() else None

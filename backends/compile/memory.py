"""Where the numbers of a compiled step lie, and how C++ reaches them.

The arrays of the recording are reached by pointers to the network that is being computed. What
lives in a tile only, matrices laid out for reading by vectors, and sums over tiles lie in one block
of memory, the scratch. A row of `width` numbers in it is padded to whole vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import Value
from scratchnet.backends.compile.elementwise import c_type
from scratchnet.backends.compile.fuse import Loop
from scratchnet.backends.interface import Array

ALIGNMENT = 64


@dataclass(frozen=True)
class Pointer:
    """An expression for where something begins, the type it points to, and its distance of rows."""

    text: str
    c_type: str
    row: int = 0


@dataclass(frozen=True)
class Target:
    """The processor that is compiled for: bytes in a vector register, and how many there are."""

    vector_bytes: int
    registers: int

    def lanes(self, dtype: Any) -> int:
        """The numbers of this type that a vector holds."""
        return self.vector_bytes // int(np.dtype(dtype).itemsize)

    def lanes_of_row(self, width: int, dtype: Any) -> int:
        """The lanes of the vectors that a row of `width` numbers is cut into."""
        lanes = self.lanes(dtype)
        while lanes > 2 and lanes // 2 >= width:
            lanes //= 2
        return lanes


def rounded_up(n: int, multiple: int) -> int:
    """The smallest multiple that is n or more."""
    return -(-n // multiple) * multiple


@dataclass
class Memory:
    """The arrays of the recording by number, and the scratch as it is handed out."""

    target: Target
    main: Any
    points: int
    tile: int
    arrays: list[Array] = field(default_factory=list)
    strides: list[int] = field(default_factory=list)
    size: int = 0
    declared: list[str] = field(default_factory=list)
    _numbers: dict[int, int] = field(default_factory=dict)
    _values: dict[Any, Pointer] = field(default_factory=dict)

    def row_of(self, width: int) -> int:
        """`width` numbers in whole vectors."""
        if width <= 1:
            return 1
        return rounded_up(width, self.target.lanes_of_row(width, self.main))

    def distance_of(self, width: int) -> int:
        """The distance of rows of `width` numbers in a tile.

        The first-level cache keeps few lines whose addresses differ by multiples of 1024 or more
        bytes, and a block of a product reads one line of each of many rows: so these lie apart.
        """
        row = self.row_of(width)
        is_crowded = row * self.main.itemsize % 1024 == 0
        return row + self.target.lanes(self.main) if is_crowded else row

    @property
    def flat_points(self) -> int:
        """The points of a tile in whole vectors."""
        return rounded_up(self.tile, self.target.lanes(self.main))

    # The arrays of the recording.

    def array(self, view: View) -> Pointer:
        """Where the view begins for the present network."""
        number = self._numbers.setdefault(id(view.owner), len(self.arrays))
        if number == len(self.arrays):
            self.arrays.append(view.owner)
            self.strides.append(view.network_stride)
        self.strides[number] = max(self.strides[number], view.network_stride)
        offset = f" + {view.offset}" if view.offset else ""
        row = view.strides[0] if view.strides else 0
        return Pointer(f"m{number}{offset}", c_type(view.dtype), row)

    def tile_of_array(self, view: View) -> Pointer:
        """The present tile's rows of a view (N,) or (N, d)."""
        pointer = self.array(view)
        step = pointer.row
        return Pointer(f"{pointer.text} + first * {step}", pointer.c_type, step)

    # The scratch.

    def allocate(self, name: str, entries: int, dtype: Any) -> Pointer:
        """A new named place in the scratch."""
        place = self.size
        self.size += rounded_up(entries * int(np.dtype(dtype).itemsize), ALIGNMENT)
        kind = c_type(dtype)
        self.declared.append(f"{kind}* const {name} = ({kind}*)(scratch + {place});")
        return Pointer(name, kind)

    def entries_of_tile(self, width: int) -> int:
        """Of a value of that width for all points of a tile."""
        return self.flat_points if width == 1 else self.tile * self.distance_of(width)

    def place_values(
        self, loops: Sequence[Loop], kept: Iterable[Value], crossing: set[Value]
    ) -> None:
        """Give each kept value of a phase a place; one that is read no more gives it back."""
        kept = set(kept)
        position = {node: i for i, loop in enumerate(loops) for node in loop.nodes}
        free: dict[tuple[int, str], list[Pointer]] = {}
        ends: dict[int, list[tuple[tuple[int, str], Pointer]]] = {}
        for i, loop in enumerate(loops):
            for node in loop.nodes:
                value = node.value
                if value is None or value not in kept:
                    continue
                row, name = self.distance_of(value.width), f"v{node.number}"
                if value in crossing:
                    self._values[value] = self.place_of_all_points(name, value)
                    continue
                sort = (self.entries_of_tile(value.width), str(value.dtype))
                waiting = free.get(sort)
                pointer = waiting.pop() if waiting else self.allocate(name, sort[0], value.dtype)
                self._values[value] = Pointer(pointer.text, pointer.c_type, row)
                last = max((position.get(reader, i) for reader in value.readers), default=i)
                ends.setdefault(last, []).append((sort, pointer))
            for sort, pointer in ends.pop(i, []):
                free.setdefault(sort, []).append(pointer)

    def place_of_all_points(self, name: str, value: Value) -> Pointer:
        """The present tile's rows of a value that is kept for all points."""
        row = self.distance_of(value.width)
        rows = rounded_up(self.points, self.tile) + self.target.lanes(self.main)
        whole = self.allocate(name, rows * row, value.dtype)
        return Pointer(f"{name} + first * {row}", whole.c_type, row)

    def value(self, value: Value | View) -> Pointer:
        """The present tile's rows of a value, or of a copy of an array's rows."""
        return self._values[value if isinstance(value, Value) else _place(value)]

    def has_copy(self, view: View) -> bool:
        """Whether the present tile has rows of that array in scratch."""
        return _place(view) in self._values

    def place_copy(self, view: View, name: str) -> Pointer:
        """A place for the present tile's rows of an array, padded to whole vectors."""
        width = view.shape[1] if len(view.shape) == 2 else 1
        pointer = self.allocate(name, self.entries_of_tile(width), view.dtype)
        self._values[_place(view)] = Pointer(pointer.text, pointer.c_type, self.distance_of(width))
        return self.value(view)

    def forget_copies(self) -> None:
        """The next phase copies anew: what a copy was made of may have changed."""
        self._values = {key: p for key, p in self._values.items() if isinstance(key, Value)}


def _place(view: View) -> Any:
    return id(view.owner), view.offset, view.shape, view.strides

"""Where the numbers of a block of threads lie: in its shared memory, or in the device's.

In shared memory are the tile's columns and the network's own arrays. What does not fit there and is
touched entry by entry, as an optimizer's moments, lies outside, as does what is only written.
Arrays with points stay in the memory of the device, where they are.

Where several blocks, a cluster, train a network, each has a tile of its own, and an equal share of
each of the network's arrays; of a small one that is only read, a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import Value
from scratchnet.backends.compile.elementwise import c_type
from scratchnet.backends.compile.fuse import Loop
from scratchnet.backends.compile.loops import place_of
from scratchnet.backends.compile.memory import ALIGNMENT, Memory, Pointer, Target, rounded_up

GAP = 4
"""Entries between a tile's columns, which keep vectors of four aligned and banks apart."""
SMALL = 64
"""Entries of an array that lies in shared memory whatever else does."""
_PANEL_BYTES = 32768
"""The most that a block copies at a time of a matrix that is spread over a cluster."""


@dataclass
class Use:
    """What the step does with one of the recording's arrays."""

    entries: int
    """Those of one network."""
    network_stride: int
    is_new: bool
    """Whether the step makes it, so that nobody needs what is in it before or after."""
    has_points: bool = False
    is_read: bool = False
    is_written: bool = False
    is_entrywise: bool = True
    """Whether nothing but loops over entries touches it."""
    is_one_sort: bool = True
    """Whether all its views are equally far from one network to the next."""


@dataclass
class BlockMemory(Memory):
    """`scratch` is the block's shared memory, `far` its part of the device's."""

    cluster: int = 1
    """The blocks that train a network."""
    uses: list[Use] = field(default_factory=list)
    new_owners: frozenset[int] = frozenset()
    far_size: int = 0
    far_declared: list[str] = field(default_factory=list)
    shared_places: dict[int, int] = field(default_factory=dict)
    """For each array in shared memory, where."""
    of_phase: list[tuple[str, str, int]] = field(default_factory=list)
    """Type, name and place of what lives in one phase only; each phase uses the same memory."""
    phase_size: int = 0
    largest_phase: int = 0
    panel_bytes: int = 0

    @property
    def thread(self) -> str:
        """The number of a thread, among all that train the network."""
        return "threadIdx.x" if self.cluster == 1 else "THREAD"

    @property
    def threads(self) -> str:
        """How many they are."""
        return "THREADS" if self.cluster == 1 else "CLUSTER * THREADS"

    def distance_of(self, width: int) -> int:
        return self.tile + GAP

    def entries_of_tile(self, width: int) -> int:
        return width * self.distance_of(width)

    def allocate(self, name: str, entries: int, dtype: Any) -> Pointer:
        """A place in shared memory for the present phase."""
        kind = c_type(dtype)
        self.of_phase.append((kind, name, self.phase_size))
        self.phase_size += rounded_up(entries * int(np.dtype(dtype).itemsize), ALIGNMENT)
        self.largest_phase = max(self.largest_phase, self.phase_size)
        return Pointer(name, kind)

    def tile_of_array(self, view: View) -> Pointer:
        """With room for an array of more than 2^31 numbers: `first` has 32 bits."""
        pointer = self.array(view)
        text = f"{pointer.text} + int64_t(first) * {pointer.row}"
        return Pointer(text, pointer.c_type, pointer.row)

    def forget_copies(self) -> None:
        """A new phase begins."""
        super().forget_copies()
        self.phase_size = 0

    def use_of(self, view: View) -> Use:
        """What is known of the array's use, where it has a pointer."""
        return self.uses[self._numbers[id(view.owner)]]

    def array(self, view: View) -> Pointer:
        """The pointer to the array of a view, whose size and reach are noted."""
        known = len(self.arrays)
        pointer = super().array(view)
        own = view.network_stride or view.owner.size
        if len(self.arrays) > known:
            is_new = id(view.owner) in self.new_owners
            self.uses.append(Use(own, view.network_stride, is_new))
        use = self.use_of(view)
        low, high = view.extent
        within = 0 <= low and high <= use.entries
        use.is_one_sort &= use.network_stride == view.network_stride and within
        use.has_points |= view.points is not None
        return pointer

    def note(self, loop: Loop) -> None:
        """Enter what the loop does with the arrays that have a pointer."""
        is_flat, written = loop.kind == "flat", set()
        for node in loop.nodes:
            for view in (*(each for each in node.inputs if isinstance(each, View)), node.out):
                if id(view.owner) not in self._numbers:
                    continue
                use = self.use_of(view)
                use.is_entrywise &= is_flat
                use.is_written |= view is node.out
                # What an entry-by-entry loop has just made it has in a register.
                use.is_read |= view is not node.out and not (is_flat and place_of(view) in written)
            written.add(place_of(node.out))

    def has_place(self, value: Value) -> bool:
        """Whether other loops than the one that makes it find the value."""
        return value in self._values

    def place_of_all_points(self, name: str, value: Value) -> Pointer:
        """In shared memory where one tile holds all points, else in the device's."""
        entries, kind = self.entries_of_tile(value.width), c_type(value.dtype)
        row = self.distance_of(value.width)
        if self.points <= self.tile * self.cluster:
            super().allocate(name, entries, value.dtype)
            return Pointer(name, kind, row)
        tiles = rounded_up(-(-self.points // self.tile), self.cluster)
        if not self.far_declared:
            # Its size is known when all is written.
            self.far_declared.append("")
        self.far_declared.append(f"{kind}* const {name} = ({kind}*)(far + {self.far_size});")
        self.far_size += rounded_up(tiles * entries * int(value.dtype.itemsize), ALIGNMENT)
        return Pointer(f"{name} + int64_t(first / TILE) * {entries}", kind, row)

    def panel_columns(self, inner: int, width: int) -> int:
        """The columns of an (inner, width) matrix that are copied at a time, in equal parts."""
        most = max(4, _PANEL_BYTES // int(self.main.itemsize) // inner)
        columns = -(-width // -(-width // most))
        self.panel_bytes = max(self.panel_bytes, inner * columns * int(self.main.itemsize))
        return columns

    def settle(self, with_entrywise: bool) -> None:
        """Give the network's own arrays places in shared memory, or all but the entrywise ones."""
        for number, (use, array) in enumerate(zip(self.uses, self.arrays, strict=True)):
            is_large = use.entries > SMALL
            waits = use.is_entrywise and is_large and not (with_entrywise and use.is_read)
            if use.has_points or waits or not use.is_one_sort:
                continue
            self.shared_places[number] = self.size
            entries = self.share(use.entries) if self.is_spread(number) else use.entries
            self.size += rounded_up(entries * int(array.itemsize), ALIGNMENT)
        if self.panel_bytes:
            kind = c_type(self.main)
            self.declared.append(f"{kind}* const panel = ({kind}*)(scratch + {self.size});")
            self.size += rounded_up(self.panel_bytes, ALIGNMENT)
        for kind, name, place in self.of_phase:
            at = self.size + place
            self.declared.append(f"{kind}* const {name} = ({kind}*)(scratch + {at});")
        self.size += self.largest_phase
        if self.far_declared:
            self.far_declared[0] = f"char* const far = far_memory + network * {self.far_size};"

    def is_shared(self, number: int) -> bool:
        """Whether the array lies in shared memory."""
        return number in self.shared_places

    def is_spread(self, number: int) -> bool:
        """Whether each block of a cluster has a share of the array, if it is in shared memory."""
        use = self.uses[number]
        return self.cluster > 1 and (use.is_written or use.entries > SMALL)

    def share(self, entries: int) -> int:
        """As `kernel.cuh` has it: whole lines of sixteen."""
        return rounded_up(-(-entries // self.cluster), 16)

    def kind_of(self, number: int) -> str:
        """The array's type in C++."""
        return c_type(self.arrays[number].dtype)


def empty_memory(
    main: Any, points: int, tile: int, cluster: int, new_owners: frozenset[int]
) -> BlockMemory:
    """What a block of a kernel has before anything is placed in it."""
    return BlockMemory(Target(16, 32), main, points, tile, cluster=cluster, new_owners=new_owners)

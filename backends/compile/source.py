"""Fourth stage: the phases as one C++ function that trains each network for many steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scratchnet.backends.compile.arrays import View, owner_of
from scratchnet.backends.compile.assembly import Assembly, float_type, renumbered
from scratchnet.backends.compile.classify import OVER_POINTS, Node, Value
from scratchnet.backends.compile.elementwise import c_type, vector_type
from scratchnet.backends.compile.fuse import Loop, kept_values
from scratchnet.backends.compile.loops import Function, Writer, place_of
from scratchnet.backends.compile.memory import Memory, Pointer, Target, rounded_up
from scratchnet.backends.compile.phases import Phase
from scratchnet.backends.compile.whole import WholeLoops
from scratchnet.backends.interface import Array, Call

_LEVEL_ONE_CACHE = 40 * 1024
_SMALL_MATRIX = 16 * 1024
"""Bytes of a matrix that the first-level cache holds as it lies."""
_LEVEL_TWO_CACHE = 1024 * 1024
_SMALLEST_TILE, _LARGEST_TILE = 8, 96
_LARGEST_TILE_OF_LARGE_MATRICES = 256


@dataclass
class Program:
    """The source of a step, and what its function needs to be called."""

    source: str
    arrays: list[Array]
    """The arrays it reads and writes, in the order of its first argument."""
    scratch_bytes: int
    tile: int
    copied: list[int]
    """The numbers of the arrays of which each network changes a copy: those that all have in common
    would be changed once for each of them."""
    phases: list[Phase]
    between: list[list[Loop]] = field(default_factory=list)
    """For each phase, the loops before its tiles."""
    loops: list[list[Loop]] = field(default_factory=list)
    """For each phase, the loops over the points of a tile."""


def write_program(calls: Sequence[Call], outcome: Array, target: Target) -> Program:
    """The C++ of a recorded step. Raises `NotCompiled` where a call has no lowering."""
    return _Assembly(calls, outcome, target).program()


class _Assembly(Assembly):
    """Writes the C++ of a step."""

    def __init__(self, calls: Sequence[Call], outcome: Array, target: Target) -> None:
        super().__init__(calls, outcome)
        self.new_owners = {id(owner_of(call.out)) for call in calls if call.is_new}
        self.main = float_type(self.nodes)
        points = self.classified.points
        tile = _tile(points, self._bytes_per_point(), self._bytes_of_matrices())
        self.memory = Memory(target, self.main, points, tile)
        self.matrices: dict[Any, Pointer] = {}
        self.rows: dict[Any, Pointer] = {}
        self.writer = Writer(self.memory, self.matrices, self.rows)
        self.whole = WholeLoops(self.memory, self.classified.axes)
        self.vectors: set[tuple[str, int]] = set()
        self.parts = [self.step]

    def _bytes_per_point(self) -> int:
        """Of the values that a phase keeps for a point, in the phase that keeps most."""
        kept = map(kept_values, self.loops)
        return max(
            (sum(each.width * each.dtype.itemsize for each in these) for these in kept), default=0
        )

    def _bytes_of_matrices(self) -> int:
        """Of all that a tile of points is multiplied by, and of the gradients that it adds to."""
        size = 0
        for phase in self.phases:
            matrices = [
                node.inputs[1] if node.kind == "product" else node.out
                for node in phase.inside
                if node.kind in ("product", "gradient")
            ]
            here = sum(each.size * self.main.itemsize for each in matrices)  # type: ignore[union-attr]
            size = max(size, here)
        return size

    def program(self) -> Program:
        """The source of the step, and what its function needs to be called."""
        self.write_phases()
        copied = self._changed_by_all()
        for number in copied:
            self.memory.strides[number] = self.memory.arrays[number].size
        return Program(
            self._source(), self.memory.arrays, self.memory.size, self.memory.tile, copied,
            self.phases, self.between, self.loops,
        )  # fmt: skip

    def _changed_by_all(self) -> list[int]:
        """The numbers of arrays from before the step that are the same for all networks of an
        ensemble and that the step writes to, such as a count of steps."""
        if self.classified.axes.networks is None:
            return []
        written = {id(node.out.owner) for node in self.nodes} - self.new_owners
        return [
            number
            for number, (array, stride) in enumerate(
                zip(self.memory.arrays, self.memory.strides, strict=True)
            )
            if not stride and id(array) in written
        ]

    def _end(self, phase: Phase) -> None:
        if phase.then:
            self.step = []
            self.parts.append(self.step)

    # Functions and their calls.

    def _call(self, f: Function, nodes: Sequence[Node], note: str = "") -> str:
        """A call of the function; one with the same body and arguments is not written again."""
        self.vectors |= f.vectors
        numbers = ", ".join(str(node.number) for node in nodes)
        names = note or ", ".join(dict.fromkeys(node.name for node in nodes))
        renamed = renumbered(f.body)
        key = (f.parameters, *renamed)
        if key not in self.functions:
            self.functions[key] = f"loop_{len(self.functions) + 1}"
            self.text += [
                f"// {names}",
                f"LOOP {self.functions[key]}({f.parameters}, int rows) {{",
                *("  " + line for line in renamed),
                "}",
            ]
        comment = f"  // {numbers}: {names}" if numbers else f"  // {names}"
        return f"{self.functions[key]}({f.arguments}, rows);{comment}"

    def _between(self, loop: Loop, f: Function) -> None:
        self.step.append(self._call(f, loop.nodes))

    # One phase's loop over the tiles.

    def _tiles(self, loops: list[Loop], crossing: set[Value]) -> None:
        memory = self.memory
        memory.forget_copies()
        self.rows.clear()
        kept = kept_values(loops)
        memory.place_values(loops, kept, crossing)
        before: list[str] = []
        after: list[str] = []
        inside: list[str] = []
        for loop in loops:
            self._lay_out(loop, before, inside)
        for loop in loops:
            inside.append(self._point_loop(loop, before, after))
            inside += self._stored(loop)
        n, tile = memory.points, memory.tile
        self.step += before
        if n == tile:
            self.step += ["{ const int64_t first = 0; const int rows = " + f"{n};"]
        else:
            count = (
                str(tile) if n % tile == 0 else f"int(first + {tile} <= {n} ? {tile} : {n} - first)"
            )
            self.step += [
                f"for (int64_t first = 0; first < {n}; first += {tile}) {{",
                f"  const int rows = {count};",
            ]
        self.step += ["  " + line for line in inside] + ["}"] + after

    def _lay_out(self, loop: Loop, before: list[str], inside: list[str]) -> None:
        """What the loop reads from the recording's arrays, where vectors can read it."""
        head = loop.nodes[0]
        if head.kind == "product":
            self._matrix(head, before)
            self._rows_of(head.inputs[0], inside, needs_padding=False)
        elif head.kind == "gradient":
            x, dy = head.inputs
            wide = x if head.call.inputs[1].shape[-1] == 1 < head.call.inputs[0].shape[-2] else dy
            self._rows_of(wide, inside, needs_padding=True, all_rows=False)
        elif head.kind in ("column_sums", "row_reduction"):
            self._rows_of(head.inputs[0], inside, needs_padding=True)
        elementwise = loop.elementwise if loop.kind == "rows" else []
        for node in elementwise:
            for each in node.inputs:
                if isinstance(each, View) and each.points is not None:
                    self._rows_of(each, inside, needs_padding=True, always=True)
                elif isinstance(each, View) and each.size > 1:
                    self._row(each, before)

    def _rows_of(
        self, each: Any, inside: list[str], needs_padding: bool, all_rows: bool = True,
        always: bool = False,
    ) -> None:  # fmt: skip
        """Copy the tile's rows of an array from outside, where they cannot be read in place."""
        if not isinstance(each, View) or self.memory.has_copy(each):
            return
        memory = self.memory
        width = each.shape[1] if len(each.shape) == 2 else 1
        padded = memory.row_of(width) == width
        in_full_tiles = (
            memory.points % memory.flat_points == 0 and memory.tile == memory.flat_points
        )
        if not always and (padded or not needs_padding) and (in_full_tiles or not all_rows):
            return
        source = memory.tile_of_array(each)
        target = memory.place_copy(each, f"x{len(memory.declared)}")
        f = self.writer.copied_rows(source, target, width)
        inside.append(self._call(f, [], "rows of an array from outside"))

    def _matrix(self, head: Node, before: list[str]) -> None:
        """The matrix of a product, where it can be read: in place, or a copy made before."""
        view, b = head.inputs[1], head.call.inputs[1]
        assert isinstance(view, View)
        inner, width = head.call.inputs[0].shape[-1], (b.shape[-1] if b.ndim > 1 else 1)
        down, along = (s // b.itemsize for s in (b.strides[-2:] if b.ndim > 1 else (*b.strides, 0)))
        source = self.memory.array(view)
        if width == 1:
            self.matrices[head], line = self._column(source, f"w{head.number}", inner, down)
        else:
            self.matrices[head], line = self._panels(
                source, f"w{head.number}", inner, width, down, along
            )
        if line:
            before.append(f"{line}  // {head.number}: the matrix")

    def _column(self, source: Pointer, name: str, inner: int, down: int) -> tuple[Pointer, str]:
        """A matrix of one column, in whole vectors."""
        lanes = self.memory.target.lanes(self.main)
        if inner % lanes == 0 and down == 1:
            return source, ""
        copy = self.memory.allocate(name, rounded_up(inner, lanes), self.main)
        return copy, f"arrange<1, {inner}>({source.text}, 0, {down}, {copy.text}, 0);"

    def _panels(
        self, source: Pointer, name: str, inner: int, width: int, down: int, along: int
    ) -> tuple[Pointer, str]:
        """As it lies, where its rows are whole vectors and it is small; else in panels."""
        lanes, row = self.memory.target.lanes_of_row(width, self.main), self.memory.row_of(width)
        block = self.writer.block(row // lanes)[1] * lanes
        is_small = inner * row * self.main.itemsize <= _SMALL_MATRIX
        if along == 1 and row == width and (is_small or row == block):
            return Pointer(source.text, source.c_type, down), ""
        copy = self.memory.allocate(name, inner * row, self.main)
        line = (
            f"arrange_panels<{self._vector(lanes)}, {inner}, {width}, {block}>"
            f"({source.text}, {down}, {along}, {copy.text});"
        )
        return Pointer(copy.text, copy.c_type, block), line

    def _vector(self, lanes: int) -> str:
        self.vectors.add((str(self.main), lanes))
        return vector_type(self.main, lanes)

    def _row(self, view: View, before: list[str]) -> None:
        """Copy a row into a padded one before the loop, unless it lies as needed."""
        width, memory = view.size, self.memory
        stride = view.strides[-1]
        if place_of(view) in self.rows or (memory.row_of(width) == width and stride == 1):
            return
        copy = memory.allocate(f"r{len(memory.declared)}", memory.row_of(width), view.dtype)
        self.rows[place_of(view)] = copy
        source = memory.array(view)
        before.append(
            f"arrange<1, {width}>({source.text}, 0, {stride}, {copy.text}, 0);  // a row, padded"
        )

    def _point_loop(self, loop: Loop, before: list[str], after: list[str]) -> str:
        """The line that calls a loop over points."""
        head = loop.nodes[0]
        if head.kind in OVER_POINTS:
            write = getattr(self.writer, head.kind)
            return self._call(write(head, self._sum(head, before, after)), loop.nodes)
        if head.kind == "take":
            return self._call(self.writer.taken_rows(head), loop.nodes)
        return self._call(self.writer.rows_loop(loop, kept_values([loop])), loop.nodes)

    def _sum(self, node: Node, before: list[str], after: list[str]) -> Pointer:
        """Where a sum over the points grows: the output itself, or a copy with padded rows."""
        memory, out = self.memory, self.memory.array(node.out)
        size = node.out.size
        if node.kind == "gradient":
            height, width = node.call.inputs[0].shape[-2], node.call.inputs[1].shape[-1]
            if width == 1:
                height, width = 1, height
        else:
            height, width = 1, size
        row = memory.row_of(width)
        if row == width:
            before.append(f"memset({out.text}, 0, {size} * sizeof *({out.text}));")
            return out
        sums = memory.allocate(f"s{node.number}", height * row, node.out.dtype)
        before.append(f"memset({sums.text}, 0, {height * row} * sizeof *{sums.text});")
        after.append(f"arrange<{height}, {width}>({sums.text}, {row}, 1, {out.text}, {width});")
        return sums

    def _stored(self, loop: Loop) -> list[str]:
        """Copies of the values that are wanted where the recording had them."""
        lines = []
        for node in loop.nodes:
            if node.value is not None and node.value.is_stored:
                source = self.memory.value(node.value)
                target = self.memory.tile_of_array(node.out)
                f = self.writer.copied_rows(source, target, node.value.width)
                lines.append(self._call(f, [node], "to the recorded array"))
        return lines

    # The whole source.

    def _source(self) -> str:
        """The whole source: vectors, the loops' functions, and the step that calls them."""
        header = Path(__file__).with_name("vectors.h").read_text()
        names = sorted(self.vectors)
        lines = [
            header,
            *(
                f"using {vector_type(dtype, lanes)} = vec<{c_type(dtype)}, {lanes}>;"
                for dtype, lanes in names
            ),
            "",
            *self.text,
            "",
            "// Each network from `begin` to `end` - 1, for that many steps. An array that changes",
            "// from step to step has `step_bytes` for each of them.",
            *(
                line
                for number, step in enumerate(self.parts)
                for line in self._function(name_of_part(number), step)
            ),
        ]
        return "\n".join(lines) + "\n"

    def _function(self, name: str, step: list[str]) -> list[str]:
        """The function that makes the steps, or a part of each, for a range of networks."""
        return [
            f'extern "C" void {name}(char* const* arrays, const int64_t* step_bytes, '
            "int64_t begin, int64_t end,",
            "                    int64_t steps, char* scratch) {",
            "  const TinyResultsAreZero here;",
            *("  " + line for line in self.memory.declared),
            "  for (int64_t network = begin; network < end; network++)",
            "    for (int64_t step = 0; step < steps; step++) {",
            *(f"      {self._array(i)}" for i in range(len(self.memory.arrays))),
            "      const int rows = 0;",
            *("      " + line for line in step),
            "    }",
            "}",
        ]

    def _array(self, number: int) -> str:
        """The line that finds an array of this network in this step."""
        array, stride = self.memory.arrays[number], self.memory.strides[number]
        kind = c_type(str(array.dtype))
        move = f" + network * {stride}" if stride else ""
        place = f"arrays[{number}] + step * step_bytes[{number}]"
        return f"{kind}* const m{number} = ({kind}*)({place}){move};"


def name_of_part(number: int) -> str:
    """The function of a step, or of a part of one that is cut at calls of the host."""
    return f"run_{number + 1}" if number else "run"


def _tile(points: int, bytes_per_point: int, bytes_of_matrices: int) -> int:
    """The number of points that go through a phase together.

    Enough to be worth a loop, few enough to stay in the first-level cache, and so many that the
    last tile is nearly full. Matrices beyond the first-level cache are fetched for each tile anew,
    which should then be longer, and much longer where they are beyond the second-level one.
    """
    are_large = bytes_of_matrices > _LEVEL_TWO_CACHE
    largest = _LARGEST_TILE_OF_LARGE_MATRICES if are_large else _LARGEST_TILE
    per_tile = 24 if are_large else 12 if bytes_of_matrices > _LEVEL_ONE_CACHE else 6
    best, least = _SMALLEST_TILE, float("inf")
    for tile in range(_SMALLEST_TILE, largest + 1, 8):
        computed = -(-points // tile) * tile
        spilled = math.log2(max(1.0, tile * bytes_per_point / _LEVEL_ONE_CACHE))
        cost = computed * (1 + per_tile / tile) * (1 + 0.1 * spilled)
        if cost < least:
            best, least = tile, cost
    return best

"""Each loop as a C++ function: its head, its elementwise calls, and what it stores.

Two loops with the same body, as those of equal layers, become one function, called twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import Literal, View
from scratchnet.backends.compile.classify import Input, Node, Value
from scratchnet.backends.compile.elementwise import Lowering, Term, vector_type
from scratchnet.backends.compile.fuse import Loop
from scratchnet.backends.compile.memory import Memory, Pointer


@dataclass
class Function:
    """A function in the making: its arguments, named in the order in which they are met."""

    pointers: dict[str, tuple[str, Pointer]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    opening: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    vectors: set[tuple[str, int]] = field(default_factory=set)

    def name(self, pointer: Pointer, writes: bool = False) -> str:
        """The argument that stands for this pointer."""
        number = len(self.pointers)
        letter = chr(ord("a") + number) if number < 8 else f"p{number}"
        name, _ = self.pointers.setdefault(pointer.text, (letter, pointer))
        if writes:
            self.written.add(name)
        return name

    def vector(self, dtype: Any, lanes: int) -> str:
        """The type of a vector, which the source must declare."""
        self.vectors.add((str(np.dtype(dtype)), lanes))
        return vector_type(dtype, lanes)

    @property
    def parameters(self) -> str:
        """The parameters as C++ declares them; what is not written is const."""
        return ", ".join(
            f"{'' if name in self.written else 'const '}{pointer.c_type}* __restrict__ {name}"
            for name, pointer in self.pointers.values()
        )

    @property
    def arguments(self) -> str:
        return ", ".join(self.pointers)

    @property
    def body(self) -> list[str]:
        return [*self.opening, *self.lines]


class Writer:
    """Writes loops as functions, on what `memory` says of their operands."""

    def __init__(
        self, memory: Memory, matrices: dict[Any, Pointer], rows: dict[Any, Pointer]
    ) -> None:
        self.memory, self.matrices, self.rows = memory, matrices, rows
        self.main = np.dtype(memory.main)

    # Elementwise calls, over points or not.

    def _terms(self, f: Function, lanes: int, at: Any) -> _Terms:
        return _Terms(f, Lowering(lanes, self.main), self.memory, at)

    def rows_loop(self, loop: Loop, kept: set[Value]) -> Function:
        """Over (N, width) numbers of the points."""
        f = Function()
        if loop.width == 1:
            self._column(f, loop, kept)
        else:
            self._rows(f, loop, kept)
        return f

    def _column(self, f: Function, loop: Loop, kept: set[Value]) -> None:
        """One number per point: the vectors run along the points."""
        lanes = self.memory.target.lanes(self.main)
        n = self.memory.flat_points
        vector = f.vector(self.main, lanes)
        terms = self._terms(f, lanes, lambda width, row: "Full{i}")
        head = loop.head
        if head is None:
            opening, closing = f"for (int64_t i = 0; i < {n}; i += {lanes}) {{", "}"
        elif head.kind == "product":
            x, w = self._left(f, head.inputs[0]), f.name(self.matrices[head])
            terms.name(head, f"n{head.number}")
            opening = (
                f"multiply_by_column<{vector}, {n}, {_inner(head)}>({x}, {w}, "
                f"[&](int i, {vector} n{head.number}) {{"
            )
            closing = "});"
        else:
            opening, closing = self._reduced_rows(f, head, n, lanes, terms), "}"
        terms.write(loop.nodes, kept)
        f.lines = [opening, *("  " + line for line in terms.lines), closing]

    def _reduced_rows(self, f: Function, head: Node, n: int, lanes: int, terms: _Terms) -> str:
        """Define the reduction of `lanes` rows at once, and give the loop's first line."""
        x = head.inputs[0]
        width = x.width if isinstance(x, Value) else x.shape[1]  # type: ignore[union-attr]
        inner = f.vector(self.main, self.memory.target.lanes_of_row(width, self.main))
        vector = f.vector(self.main, lanes)
        operation = {"sum": "Add", "max": "Max", "min": "Min"}[head.name]
        pointer = self._points(x)
        name = f.name(pointer)
        terms.name(head, f"n{head.number}")
        terms.lines.append(
            f"const {vector} n{head.number} = reduce_rows<{operation}, {inner}, {vector}, {width}>"
            f"({name} + i * {pointer.row}, {pointer.row});"
        )
        return f"for (int64_t i = 0; i < {n}; i += {lanes}) {{"

    def _rows(self, f: Function, loop: Loop, kept: set[Value]) -> None:
        """Rows of several numbers: the vectors run along each row."""
        width = loop.width
        row, lanes = self.memory.row_of(width), self.memory.target.lanes_of_row(width, self.main)
        head, nodes = loop.head, loop.nodes
        if head is None and not _has_rows(nodes, width):
            # The same for every entry, so that rows need not be told apart.
            lanes = self.memory.target.lanes(self.main)
            terms = self._terms(f, lanes, lambda width, row: "Full{i}")
            terms.write(nodes, kept)
            entries = self.memory.entries_of_tile(width)
            opening = f"for (int64_t i = 0; i < {entries}; i += {lanes}) {{"
            f.vector(self.main, lanes)
            f.lines = [opening, *("  " + line for line in terms.lines), "}"]
            return
        vector = f.vector(self.main, lanes)
        terms = self._terms(f, lanes, lambda width, row: f"Full{{i * {row} + j}}")
        terms.row_pointers = self.rows
        if head is None:
            terms.write(nodes, kept)
            f.lines = [
                f"for (int64_t i = 0; i < {self.memory.tile}; i++)",
                f"  for (int64_t j = 0; j < {row}; j += {lanes}) {{",
                *("    " + line for line in terms.lines),
                "  }",
            ]
            return
        rows, columns = self.block(row // lanes, self.memory.tile)
        start = f"{vector}{{}}"
        if (bias := _bias(loop)) is not None:
            # What comes out of the product is the result of the call that adds the bias.
            start = f"load<{vector}>({f.name(terms.row(bias))}, Full{{j}})"
            nodes = nodes[1:]
        first = f"n{nodes[0].number}"
        terms.name(nodes[0], first)
        matrix = self.matrices[head]
        x, w = self._left(f, head.inputs[0]), f.name(matrix)
        block = columns * lanes
        # Side by side where the matrix is read in place, else one behind the other.
        panel = block * _inner(head) if matrix.row == block else block
        terms.write(nodes, kept)
        f.lines = [
            f"multiply<{vector}, {self.memory.tile}, {_inner(head)}, {row}, {rows}, {columns}>("
            f"{x}, {w}, {matrix.row}, {panel}, [&](int j) {{ return {start}; }},",
            f"  [&](int64_t i, int64_t j, {vector} {first}) {{",
            *("    " + line for line in terms.lines),
            "});",
        ]

    def block(self, vectors: int, n: int = 0) -> tuple[int, int]:
        """Rows and vectors of a product's block that fit the registers, for n rows.

        Each row has a number to load and each column a vector, for rows x columns products; so
        the squarer the block the fewer loads. Of two columns, 8 rows are enough, and up to 12 fit:
        so many are taken that no smaller block is left over.
        """
        if self.memory.target.registers < 32:
            return (6, 2) if vectors % 2 == 0 else (12, 1)
        if vectors % 4 == 2:
            return next((rows for rows in (12, 11, 10, 9, 8) if n % rows == 0), 8), 2
        return (6, 4) if vectors % 4 == 0 else (12, 1)

    def _points(self, each: Input) -> Pointer:
        """The present tile's rows of a value or of an array of the points."""
        if isinstance(each, Value):
            return self.memory.value(each)
        assert isinstance(each, View)
        if self.memory.has_copy(each):
            return self.memory.value(each)
        return self.memory.tile_of_array(each)

    def _left(self, f: Function, x: Input) -> str:
        pointer = self._points(x)
        return f"{f.name(pointer)}, {pointer.row}"

    def flat_loop(self, loop: Loop, is_needed: Any) -> Function:
        """Over entries without points. `is_needed(view)` says whether another loop reads them."""
        f = Function()
        lanes = self.memory.target.lanes(self.main)
        f.vector(self.main, lanes)
        terms = self._terms(f, lanes, lambda width, row: "at")
        terms.write_flat(loop.nodes, is_needed)
        if loop.width == 1:
            f.lines = ["const Part at{0, 1};", *terms.lines]
        else:
            f.lines = [
                f"each<{lanes}>({loop.width}, [&](auto at) {{",
                *("  " + line for line in terms.lines),
                "});",
            ]
        return f

    # Calls that are a loop of their own.

    def gradient(self, node: Node, out: Pointer) -> Function:
        """The sum over the points of x_i^T dy_i; where dy is a column, of dy_i x_i as a row."""
        f = Function()
        x, dy = node.inputs
        height, width = node.call.inputs[0].shape[-2], node.call.inputs[1].shape[-1]
        if width == 1 and height > 1:
            x, dy, height, width = dy, x, width, height
        row, lanes = self.memory.row_of(width), self.memory.target.lanes_of_row(width, self.main)
        if width == 1:
            self._dot(f, x, dy, out)
            return f
        rows, columns = self.block(row // lanes, height)
        rows = min(rows, height)
        vector = f.vector(self.main, lanes)
        a, b = self._left(f, x), self._left(f, dy)
        f.lines = [
            f"add_outer<{vector}, {height}, {row}, {rows}, {columns}>"
            f"({a}, {b}, rows, {f.name(out, writes=True)});"
        ]
        return f

    def _dot(self, f: Function, x: Input, dy: Input, out: Pointer) -> None:
        """Add the dot product over the rows to a single number."""
        vector = f.vector(self.main, self.memory.target.lanes(self.main))
        a, b = self._points(x), self._points(dy)
        f.lines = [
            f"*{f.name(out, writes=True)} += dot<{vector}>"
            f"({f.name(a)}, {a.row}, {f.name(b)}, {b.row}, rows);"
        ]

    def column_sums(self, node: Node, out: Pointer) -> Function:
        """Adds to `out` the sum of each column over the points of a tile: a bias's gradient."""
        f = Function()
        x = node.inputs[0]
        pointer = self._points(x)
        width = node.out.size
        name, to = f.name(pointer), f.name(out, writes=True)
        if width == 1:
            vector = f.vector(self.main, self.memory.target.lanes(self.main))
            f.lines = [f"*{to} += sum_of_all<{vector}, {vector}, 1>({name}, {pointer.row}, rows);"]
            return f
        lanes = self.memory.target.lanes_of_row(width, self.main)
        vector = f.vector(self.main, lanes)
        f.lines = [
            f"add_rows<{vector}, {self.memory.row_of(width)}>({name}, {pointer.row}, rows, {to});"
        ]
        return f

    def total(self, node: Node, out: Pointer) -> Function:
        """Adds to `out` the sum of all entries of a tile: a loss before its mean."""
        f = Function()
        value = node.values[0]
        pointer = self.memory.value(value)
        vector = f.vector(self.main, self.memory.target.lanes(self.main))
        row = f.vector(self.main, self.memory.target.lanes_of_row(value.width, self.main))
        f.lines = [
            f"*{f.name(out, writes=True)} += sum_of_all<{vector}, {row}, {value.width}>"
            f"({f.name(pointer)}, {pointer.row}, rows);"
        ]
        return f

    def copied_rows(self, source: Pointer, target: Pointer, width: int) -> Function:
        """The present tile's rows from one place to another, whose rows are further apart."""
        f = Function()
        a, b = f.name(source), f.name(target, writes=True)
        f.lines = [f"copy_rows<{width}>({a}, {source.row}, {b}, {target.row}, rows);"]
        return f

    def taken_rows(self, node: Node) -> Function:
        """Copies the rows that an index names for the points of a tile: a mini-batch's samples."""
        f = Function()
        source, index = node.inputs
        assert isinstance(source, View) and isinstance(index, View) and node.value is not None
        rows, target = self._points(index), self.memory.value(node.value)
        a, b = f.name(self.memory.array(source)), f.name(rows)
        c = f.name(target, writes=True)
        f.lines = [
            f"take_rows<{node.value.width}>"
            f"({a}, {source.shape[0]}, {b}, {rows.row}, {c}, {target.row}, rows);"
        ]
        return f


def _inner(head: Node) -> int:
    return int(head.call.inputs[0].shape[-1])


def _has_rows(nodes: list[Node], width: int) -> bool:
    """Whether a row (width,) or a column (N, 1) is among the operands."""
    for node in nodes:
        for each in node.inputs:
            if isinstance(each, Value) and each.width != width:
                return True
            if isinstance(each, View) and each.size > 1 and each.shape[1:] != (width,):
                return True
    return False


def _bias(loop: Loop) -> View | None:
    """The row that the second call adds to the product, where nothing else reads the product."""
    head, *others = loop.nodes
    if not others or others[0].name != "add" or head.value is None:
        return None
    rows = [each for each in others[0].inputs if isinstance(each, View)]
    if head.value.readers != [others[0]] or not rows:
        return None
    bias = rows[0]
    is_row = bias.points is None and bias.size > 1
    return bias if is_row and bias.dtype == head.value.dtype else None


class _Terms:
    """The lines of a loop's body: each operand loaded once, each call one line."""

    def __init__(self, f: Function, lowering: Lowering, memory: Memory, at: Any) -> None:
        self.f, self.lowering, self.memory, self.at = f, lowering, memory, at
        self.lines: list[str] = []
        self.row_pointers: dict[Any, Pointer] = {}
        self._known: dict[Any, Term] = {}

    def name(self, node: Node, text: str) -> None:
        """Let later nodes of the loop read the node's value by this text."""
        assert node.value is not None
        self._known[node.value] = Term(text, node.out.dtype)

    def row(self, view: View) -> Pointer:
        return self.row_pointers.get(place_of(view)) or self.memory.array(view)

    def write(self, nodes: list[Node], kept: set[Value]) -> None:
        """The calls on points; what a product or reduction gives has its name already."""
        for node in nodes:
            value = node.value
            assert value is not None
            if value not in self._known:
                self._define(node, [self._operand(each) for each in node.inputs])
                self._known[value] = Term(f"n{node.number}", node.out.dtype)
            if value in kept:
                self._store(self.memory.value(value), self._known[value], value.width)

    def write_flat(self, nodes: list[Node], is_needed: Any) -> None:
        """The calls on entries without points; of several results for one place the last counts."""
        last = {place_of(node.out): node for node in nodes}
        for node in nodes:
            self._define(node, [self._flat_operand(each) for each in node.inputs])
            term = Term(f"n{node.number}", node.out.dtype)
            self._known[place_of(node.out)] = term
            if last[place_of(node.out)] is node and is_needed(node):
                self._store(self.memory.array(node.out), term, 1)

    def _define(self, node: Node, terms: list[Term | Literal]) -> None:
        """Add the line that computes the node."""
        text = self.lowering.lower(node.name, terms, node.out.dtype)
        if node.out.dtype == np.bool_:
            self.lines.append(f"const auto n{node.number} = {text};")
        else:
            vector = self.f.vector(node.out.dtype, self.lowering.lanes)
            self.lines.append(f"const {vector} n{node.number} = {text};")

    def _store(self, pointer: Pointer, term: Term, width: int) -> None:
        """Add the line that stores a vector."""
        name = self.f.name(pointer, writes=True)
        text = term.text
        if term.dtype == np.bool_:
            text = f"zero_or_one<{self.f.vector(np.bool_, self.lowering.lanes)}>({text})"
        self.lines.append(f"store({name}, {self.at(width, pointer.row)}, {text});")

    def _load(self, pointer: Pointer, dtype: Any, at: str, name: str) -> Term:
        """Add the line that loads a vector, and give its term."""
        vector = self.f.vector(dtype, self.lowering.lanes)
        text = f"load<{vector}>({self.f.name(pointer)}, {at})"
        if dtype == np.bool_:
            self.lines.append(f"const auto {name} = {text} != 0;")
        else:
            self.lines.append(f"const {vector} {name} = {text};")
        return Term(name, dtype)

    def _everywhere(self, pointer: Pointer, dtype: Any, entry: str, name: str, once: bool) -> Term:
        """One number in every lane."""
        vector = self.f.vector(dtype, self.lowering.lanes)
        text = f"all<{vector}>({self.f.name(pointer)}[{entry}])"
        text += " != 0" if dtype == np.bool_ else ""
        kind = "auto" if dtype == np.bool_ else vector
        (self.f.opening if once else self.lines).append(f"const {kind} {name} = {text};")
        return Term(name, dtype)

    def _fresh(self) -> str:
        return f"u{len(self._known)}"

    def _operand(self, each: Input) -> Term | Literal:
        """What an input is called in the loop; it is loaded once."""
        if isinstance(each, Literal):
            return each
        key = each if isinstance(each, Value) else place_of(each)
        if key in self._known:
            return self._known[key]
        name = self._fresh()
        if isinstance(each, View) and each.points is None:
            if each.size == 1:
                term = self._everywhere(self.memory.array(each), each.dtype, "0", name, True)
            else:
                term = self._load(self.row(each), each.dtype, "Full{j}", name)
        else:
            pointer = self.memory.value(each)
            width = each.width if isinstance(each, Value) else (*each.shape, 1)[1]
            if width == 1 and "j" in self.at(width, pointer.row):
                term = self._everywhere(pointer, each.dtype, "i", name, False)
            else:
                term = self._load(pointer, each.dtype, self.at(width, pointer.row), name)
        self._known[key] = term
        return term

    def _flat_operand(self, each: Input) -> Term | Literal:
        """As `_operand`, where the entries are counted through."""
        if isinstance(each, Literal):
            return each
        assert isinstance(each, View)
        key = place_of(each)
        if key not in self._known:
            pointer, name = self.memory.array(each), self._fresh()
            if each.size == 1:
                self._known[key] = self._everywhere(pointer, each.dtype, "0", name, True)
            else:
                self._known[key] = self._load(pointer, each.dtype, "at", name)
        return self._known[key]


def place_of(view: View) -> Any:
    """A key that equal entries have in common, whatever the shape of the view."""
    return id(view.owner), view.offset, view.size, view.is_contiguous or view.strides

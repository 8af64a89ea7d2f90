"""Each loop as a CUDA function that all threads of a block call: see `kernel.cuh`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends.compile.arrays import View
from scratchnet.backends.compile.classify import Input, Node, Value
from scratchnet.backends.compile.cuda_memory import BlockMemory
from scratchnet.backends.compile.cuda_text import ScalarTerms
from scratchnet.backends.compile.elementwise import c_type
from scratchnet.backends.compile.fuse import Loop
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.memory import Pointer

THREADS = 256
_WARP = 32
_OPERATIONS = {"sum": "Add", "max": "Max", "min": "Min"}


class BlockWriter:
    """Writes loops as functions, on what `memory` says of their operands.

    Products are in fp32 or, where the `precision` is that, in TF32.
    """

    def __init__(self, memory: BlockMemory, precision: str) -> None:
        self.memory, self.is_tf32 = memory, precision == "tf32"

    def rows_loop(self, loop: Loop, kept: set[Value]) -> Function:
        """Over (N, width) numbers of the points."""
        f, head, width = Function(), loop.head, max(1, loop.width)
        if head is not None and head.kind == "product":
            columns_at_a_time = self._columns_at_a_time(head, width)
            points, columns = (2, 0) if self.is_tf32 else self._block(columns_at_a_time)
            terms = ScalarTerms(f, self.memory, points)
            opening = self._product(f, head, points, columns, width)
            terms.name(head, f"n{head.number}.at[q]")
            closing = "});"
        else:
            points = 1 if head is not None else self._block(width, most_columns=1)[0]
            terms = ScalarTerms(f, self.memory, points)
            opening, closing = f"each<{points}, {width}>([&](int p, int j) {{", "});"
            if head is not None:
                terms.loads.append(self._reduced(f, head))
                terms.name(head, f"n{head.number}")
        terms.write(loop.nodes, kept)
        f.lines = [opening, *("  " + line for line in terms.lines()), closing]
        return f

    def _block(self, width: int, most_columns: int = 4) -> tuple[int, int]:
        """The points and columns that a thread does at a time: the fewest instructions in all."""

        def cost(block: tuple[int, int]) -> int:
            """A thread's instructions for one term of each of its sums, with such blocks."""
            points, columns = block
            tasks = self.memory.tile // points * -(-width // columns)
            return -(-tasks // THREADS) * (points * columns + columns + 1)

        blocks = [(p, c) for p in (4, 2, 1) for c in (4, 2, 1) if c <= min(width, most_columns)]
        return min(blocks, key=cost)

    def _columns_at_a_time(self, head: Node, width: int) -> int:
        """The columns of a matrix in one panel; all of them where a block works alone."""
        if self.memory.cluster == 1:
            return width
        return self.memory.panel_columns(int(head.call.inputs[0].shape[-1]), width)

    def _product(self, f: Function, head: Node, points: int, columns: int, width: int) -> str:
        """The call of a product, up to the function that it gives each entry to."""
        x, b, view = head.inputs[0], head.call.inputs[1], head.inputs[1]
        assert isinstance(view, View)
        down, along = (s // b.itemsize for s in (b.strides[-2:] if b.ndim > 1 else (*b.strides, 0)))
        kind, inner = c_type(head.out.dtype), int(head.call.inputs[0].shape[-1])
        name, matrix = f.name(self.points(x)), f.name(self.memory.array(view))
        call = f"({name}, {matrix}, [&](int p, int j, Some<{kind}, {points}> n{head.number}) {{"
        if self.is_tf32:
            rows, columns = _warp_block(width, self.memory.tile)
            return f"multiply_tf32<{rows}, {columns}, {inner}, {width}, {down}, {along}>{call}"
        sizes = f"{points}, {columns}, {inner}, {width}, {down}, {along}"
        if self.memory.cluster > 1:
            panel = f.name(Pointer("panel", kind))
            at_a_time = self._columns_at_a_time(head, width)
            call = call.replace(f"{matrix}, ", f"{matrix}, {panel}, ", 1)
            return f"multiply_by_panels<{sizes}, {at_a_time}>{call}"
        return f"multiply<{sizes}>{call}"

    def _reduced(self, f: Function, head: Node) -> str:
        """The line that reduces the entries of a point."""
        x = head.inputs[0]
        width = x.width if isinstance(x, Value) else x.shape[1]  # type: ignore[union-attr]
        operation = _OPERATIONS[head.name]
        kind = c_type(head.out.dtype)
        name = f.name(self.points(x))
        return f"const {kind} n{head.number} = over_row<{operation}, {width}>({name}, p);"

    def points(self, each: Input) -> Pointer:
        """The present tile's columns of a value, or of the copy of an array of the points."""
        assert not isinstance(each, View) or self.memory.has_copy(each)
        return self.memory.value(each)  # type: ignore[arg-type]

    def flat_loop(self, loop: Loop, is_needed: Any) -> Function:
        """Over entries without points."""
        f = Function()
        terms = ScalarTerms(f, self.memory, 1)
        terms.write_flat(loop.nodes, is_needed)
        n, memory = loop.width, self.memory
        opening = f"for (int i = threadIdx.x; i < {n}; i += THREADS) {{"
        if n == 1:
            opening = f"if (const int i = 0; {memory.thread} == 0) {{"
        elif memory.cluster > 1:
            # Each block does its own share of the arrays.
            opening = (
                f"for (int i = RANK * share({n}) + threadIdx.x; "
                f"i < {n} && i < (RANK + 1) * share({n}); i += THREADS) {{"
            )
        f.lines = [opening, *("  " + line for line in terms.body), "}"]
        return f

    # Calls that are a loop of their own.

    def gradient(self, node: Node, out: Pointer) -> Function:
        """The sum over the points of x_i^T dy_i."""
        f = Function()
        x, dy = (f.name(self.points(each)) for each in node.inputs)
        height, width = node.call.inputs[0].shape[-2], node.call.inputs[1].shape[-1]
        call = f"({x}, {dy}, rows, first == 0, {f.name(out, writes=True)});"
        if self.is_tf32:
            a, b = _warp_block(height, width)
            f.lines = [f"add_outer_tf32<{a}, {b}, {height}, {width}>{call}"]
            return f
        a, b = min(4, height), min(4, width)
        blocks, parts = -(-height // a) * -(-width // b), 1
        threads = THREADS * self.memory.cluster
        while parts < _WARP and 2 * parts * blocks <= threads and 8 * parts <= self.memory.tile:
            parts *= 2
        f.lines = [f"add_outer<{a}, {b}, {parts}, {height}, {width}>{call}"]
        return f

    def column_sums(self, node: Node, out: Pointer) -> Function:
        """The sum of each column over the points: a bias's gradient."""
        return self._sum(f"add_columns<{node.out.size}>", node, out)

    def total(self, node: Node, out: Pointer) -> Function:
        """The sum of all entries: a loss before its mean."""
        return self._sum(f"add_all<{node.values[0].width}>", node, out)

    def _sum(self, function: str, node: Node, out: Pointer) -> Function:
        """The function that adds up over the points."""
        f = Function()
        x = f.name(self.points(node.inputs[0]))
        f.lines = [f"{function}({x}, rows, first == 0, {f.name(out, writes=True)});"]
        return f

    def fetched_rows(self, view: View, target: Pointer) -> Function:
        """The tile's rows of an array from outside."""
        f = Function()
        width = view.shape[1] if len(view.shape) == 2 else 1
        along = view.strides[1] if len(view.shape) == 2 else 0
        source = self.memory.tile_of_array(view)
        a, b = f.name(source), f.name(target, writes=True)
        row_of = "[&](int p) { return p; }"
        f.lines = [f"fetch<{width}>({a}, {source.row}, {along}, rows, {b}, {row_of});"]
        return f

    def taken_rows(self, node: Node) -> Function:
        """The rows that an index names for the tile's points: a mini-batch's samples."""
        f = Function()
        source, index = node.inputs
        assert isinstance(source, View) and isinstance(index, View) and node.value is not None
        rows, pointer = self.memory.tile_of_array(index), self.memory.array(source)
        a, b = f.name(pointer), f.name(rows)
        c = f.name(self.memory.value(node.value), writes=True)
        along = source.strides[1] if len(source.shape) == 2 else 0
        height = source.shape[0]
        row_of = (
            f"[&](int p) {{ const int64_t row = {b}[p * {rows.row}]; "
            f"return row < 0 ? row + {height} : row; }}"
        )
        f.lines = [f"fetch<{node.value.width}>({a}, {pointer.row}, {along}, rows, {c}, {row_of});"]
        return f

    def delivered_rows(self, node: Node) -> Function:
        """To where the recording had them, for a call that reads them as a whole."""
        f = Function()
        assert node.value is not None
        target = self.memory.tile_of_array(node.out)
        a, b = f.name(self.memory.value(node.value)), f.name(target, writes=True)
        along = node.out.strides[1] if len(node.out.shape) == 2 else 0
        f.lines = [f"deliver<{node.value.width}>({a}, rows, {b}, {target.row}, {along});"]
        return f


def _warp_block(height: int, width: int) -> tuple[int, int]:
    """The 16 rows and 8 columns, times what is returned, of a product in TF32 that a warp does at a
    time: the fewest operands to load and products to start in all."""

    def cost(block: tuple[int, int]) -> int:
        """A warp's loads and products for a step along the sums, with such blocks."""
        rows, columns = block
        tasks = -(-height // (16 * rows)) * -(-width // (8 * columns))
        return -(-tasks * _WARP // THREADS) * (4 * rows + 2 * columns + rows * columns)

    return min(((r, c) for r in (2, 1) for c in (4, 2, 1)), key=cost)


def shared_views(nodes: Sequence[Node]) -> list[View]:
    """The arrays of the points that a loop's head reads in full: they are copied into the tile."""
    found = []
    for node in nodes:
        if node.kind in ("product", "gradient", "column_sums", "row_reduction", "total"):
            candidates = node.inputs[:1] if node.kind == "product" else node.inputs
            found += [each for each in candidates if isinstance(each, View)]
    return found

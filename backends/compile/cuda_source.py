"""The phases of a step as one CUDA kernel: a block of threads trains a network for many steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scratchnet.backends.compile.arrays import NotCompiled, View, owner_of
from scratchnet.backends.compile.classify import ELEMENTWISE, OVER_POINTS, Classified, Node, Value
from scratchnet.backends.compile.cuda_loops import THREADS, BlockWriter, shared_views
from scratchnet.backends.compile.cuda_memory import GAP, empty_memory
from scratchnet.backends.compile.cuda_whole import BlockWholeLoops
from scratchnet.backends.compile.fuse import Loop, kept_values, loops_between, loops_over_points
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.phases import Phase, in_phases
from scratchnet.backends.compile.source import float_type, renumbered
from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call

SHARED_BYTES = {"sm_80": 166912, "sm_90": 232448, "sm_100": 232448}
"""What a block may have, by compute capability."""
KERNEL_BEGINS = "// ---- The step."
_LARGEST_TILE, _USEFUL_TILE, _SMALLEST_TILE = 1024, 64, 8


@dataclass(repr=False)
class Kernel:
    """The source of a step's kernel, and what its launch needs."""

    source: str
    arrays: list[Array]
    """The arrays it reads and writes, in the order of its first argument."""
    is_shared_by_networks: list[bool]
    """For each, whether it is written, and the same for all networks."""
    shared_bytes: int
    """Of shared memory, for a block."""
    far_bytes: int
    """Of the device's memory, for a network."""
    tile: int
    threads: int
    phases: list[Phase]
    between: list[list[Loop]] = field(default_factory=list)
    loops: list[list[Loop]] = field(default_factory=list)


def write_kernel(calls: Sequence[Call], outcome: Array, most_shared: int) -> Kernel:
    """The CUDA source of a recorded step, for blocks of at most so many bytes of shared memory.

    Raises `NotCompiled` where a call has no lowering, or the network is too large.
    """
    if any(is_by_host(call.kernel) for call in calls):
        raise NotCompiled("a step with sums over processes")
    points = Classified(calls, outcome).points
    tiles = _tiles(points)
    useful = [tile for tile in tiles if tile >= min(points, _USEFUL_TILE)]
    for with_entrywise, candidates in ((True, useful), (False, tiles)):
        # The larger the tile the more it takes, so that a search by halves finds the largest.
        fitting = None
        while candidates:
            middle = len(candidates) // 2 if fitting else len(candidates) - 1
            kernel = _Assembly(calls, outcome, candidates[middle], with_entrywise).kernel()
            if kernel.shared_bytes <= most_shared:
                fitting, candidates = kernel, candidates[:middle]
            else:
                candidates = candidates[middle + 1 :]
        if fitting:
            return fitting
    needed = -(-kernel.shared_bytes // 1024)
    raise NotCompiled(
        f"the network, its gradients and {kernel.tile} points take {needed} KiB of shared memory: "
        f"must be at most {most_shared // 1024} KiB"
    )


def _tiles(points: int) -> list[int]:
    """Sizes of which the last tile is nearly full, the largest first."""
    sizes = []
    for count in range(1, max(2, points + 1)):
        size = -(-max(1, points) // count)
        size += -size % 4
        if size <= _LARGEST_TILE:
            sizes.append(size)
        if size <= _SMALLEST_TILE:
            break
    return list(dict.fromkeys(sizes))


@dataclass
class Access:
    """What one call of a function reads and writes: a place, and a range of entries in it."""

    reads: list[tuple[str, int, int]] = field(default_factory=list)
    writes: list[tuple[str, int, int]] = field(default_factory=list)

    def must_wait_for(self, earlier: Access) -> bool:
        return (
            _meet(self.reads, earlier.writes)
            or _meet(self.writes, earlier.writes)
            or _meet(self.writes, earlier.reads)
        )


def _meet(some: Iterable[tuple[str, int, int]], others: Iterable[tuple[str, int, int]]) -> bool:
    return any(p == q and a < d and c < b for p, a, b in some for q, c, d in others)


class _Assembly:
    """Writes the kernel with tiles of one size."""

    def __init__(
        self, calls: Sequence[Call], outcome: Array, tile: int, with_entrywise: bool
    ) -> None:
        self.classified = Classified(calls, outcome)
        self.nodes = self.classified.nodes
        self.outcome, self.with_entrywise = owner_of(outcome), with_entrywise
        self.loss = self.classified.axes.view(outcome)
        self.phases = in_phases(self.nodes)
        self.loops = [loops_over_points(phase.inside) for phase in self.phases]
        self.between = [
            loops_between(phase.before, frozenset(ELEMENTWISE)) for phase in self.phases
        ]
        new = frozenset(id(owner_of(call.out)) for call in calls if call.is_new)
        self.memory = empty_memory(float_type(self.nodes), self.classified.points, tile, new)
        self.writer = BlockWriter(self.memory)
        self.whole = BlockWholeLoops(self.memory, self.classified.axes)
        self.functions: dict[tuple[str, ...], str] = {}
        self.text: list[str] = []
        self.step: list[str] = []
        self._since: list[Access] = []
        self._readers = self._count_accesses()

    def _count_accesses(self) -> dict[int, list[Node]]:
        """For the memory of each array, the nodes that read or write it."""
        accesses: dict[int, list[Node]] = {}
        for node in self.nodes:
            views = [each for each in node.inputs if isinstance(each, View)]
            for view in (*views, node.out):
                accesses.setdefault(id(view.owner), []).append(node)
        return accesses

    def kernel(self) -> Kernel:
        """The source of the step's kernel, and what it needs to be launched."""
        crossing = {
            node.value
            for node in self.nodes
            if node.value and len({node.stage, *(r.stage for r in node.value.readers)}) > 1
        }
        for number, phase in enumerate(self.phases):
            self.step.append(f"// Phase {number + 1}.")
            for loop in self.between[number]:
                self._between(loop)
            if phase.inside:
                self._tiles(self.loops[number], crossing)
        for loop in (each for loops in (*self.between, *self.loops) for each in loops):
            self.memory.note(loop)
        self.memory.array(self.loss)
        self.memory.settle(self.with_entrywise)
        return self._kernel()

    def _kernel(self) -> Kernel:
        memory = self.memory
        numbers = range(len(memory.arrays))
        is_ensemble = self.classified.axes.networks is not None
        for i in numbers:
            use = memory.uses[i]
            if is_ensemble and use.is_written and not memory.is_shared(i):
                if not use.network_stride or not use.is_one_sort:
                    raise NotCompiled("an array with points that all networks write to")
        return Kernel(
            self._source(),
            memory.arrays,
            [
                use.is_written and not use.is_new and is_ensemble and not use.network_stride
                for use in memory.uses
            ],
            memory.size,
            memory.far_size,
            memory.tile,
            THREADS,
            self.phases,
            self.between,
            self.loops,
        )

    # Functions, their calls, and the barriers between them.

    def _call(
        self, lines: list[str], f: Function, nodes: Sequence[Node], access: Access, note: str = ""
    ) -> None:
        """Add a call of the function; one with the same body and arguments is not written again."""
        names = note or ", ".join(dict.fromkeys(node.name for node in nodes))
        renamed = renumbered(f.body)
        parameters = f.parameters.replace("__restrict__ ", "")
        takes_tile = any("rows" in line or "first" in line for line in renamed)
        key = (parameters, *renamed)
        if key not in self.functions:
            self.functions[key] = f"loop_{len(self.functions) + 1}"
            rest = ", int first, int rows" if takes_tile else ""
            self.text += [
                f"// {names}",
                f"INLINE void {self.functions[key]}({parameters}{rest}) {{",
                *("  " + line for line in renamed),
                "}",
            ]
        numbers = ", ".join(str(node.number) for node in nodes)
        comment = f"  // {numbers}: {names}" if numbers else f"  // {names}"
        self._wait(lines, access)
        rest = ", first, rows" if takes_tile else ""
        lines.append(f"{self.functions[key]}({f.arguments}{rest});{comment}")

    def _wait(self, lines: list[str], access: Access) -> None:
        """A barrier, where another thread may not be done with what this one touches."""
        if any(access.must_wait_for(earlier) for earlier in self._since):
            self._barrier(lines)
        self._since.append(access)

    def _barrier(self, lines: list[str]) -> None:
        """A barrier, unless nothing was done since the last one."""
        if self._since:
            lines.append("__syncthreads();")
            self._since.clear()

    def _access(self, nodes: Sequence[Node], kept: set[Value], is_between: bool) -> Access:
        found = Access()
        for node in nodes:
            for each in node.inputs:
                if isinstance(each, View):
                    found.reads.append(self._range(each))
                elif isinstance(each, Value) and self.memory.has_place(each):
                    found.reads.append(self._slot(each))
            if is_between or node.kind in OVER_POINTS:
                found.writes.append(self._range(node.out))
            if node.value is not None and node.value in kept:
                found.writes.append(self._slot(node.value))
        return found

    def _range(self, view: View) -> tuple[str, int, int]:
        """The entries of an array; those of its copy in the tile, where it has one."""
        if view.points is not None and self.memory.has_copy(view):
            return self._slot(view)
        return f"array {id(view.owner)}", *view.extent

    def _slot(self, value: Value | View) -> tuple[str, int, int]:
        return self.memory.value(value).text.split(" ")[0], 0, 1

    def _between(self, loop: Loop) -> None:
        if loop.kind == "flat":
            inside = set(loop.nodes)
            f = self.writer.flat_loop(loop, lambda node: self._is_needed(node, inside))
        else:
            f = self.whole.loop(loop.nodes[0])
        self._call(self.step, f, loop.nodes, self._access(loop.nodes, set(), True))

    def _is_needed(self, node: Node, inside: set[Node]) -> bool:
        """Whether what a call between the loops makes is read by more than its own loop."""
        others = set(self._readers[id(node.out.owner)]) - inside
        made_here = any(each.call.is_new and each.out.owner is node.out.owner for each in inside)
        return bool(others) or not made_here or node.out.owner is self.outcome

    # One phase's loop over the tiles.

    def _tiles(self, loops: list[Loop], crossing: set[Value]) -> None:
        memory = self.memory
        memory.forget_copies()
        kept = kept_values(loops)
        memory.place_values(loops, kept, crossing)
        lines: list[str] = []
        self._barrier(self.step)
        for view in shared_views([node for loop in loops for node in loop.nodes]):
            self._fetch(lines, view)
        for loop in loops:
            self._point_loop(lines, loop, kept)
        n, tile = memory.points, memory.tile
        if n <= tile:
            self.step += [f"{{ const int first = 0, rows = {n};", *("  " + x for x in lines), "}"]
            return
        # The next tile's first call may overtake the last one of this.
        self._barrier(lines)
        self.step += [
            f"for (int first = 0; first < {n}; first += TILE) {{",
            f"  const int rows = first + TILE <= {n} ? TILE : {n} - first;",
            *("  " + line for line in lines),
            "}",
        ]

    def _fetch(self, lines: list[str], view: View) -> None:
        memory = self.memory
        if memory.has_copy(view):
            return
        access = Access(reads=[self._range(view)])
        target = memory.place_copy(view, f"x{len(memory.of_phase)}")
        access.writes.append(self._slot(view))
        f = self.writer.fetched_rows(view, target)
        self._call(lines, f, [], access, "rows of an array from outside")

    def _point_loop(self, lines: list[str], loop: Loop, kept: set[Value]) -> None:
        head = loop.nodes[0]
        if head.kind in OVER_POINTS:
            f = getattr(self.writer, head.kind)(head, self.memory.array(head.out))
        elif head.kind == "take":
            f = self.writer.taken_rows(head)
        else:
            f = self.writer.rows_loop(loop, kept)
        self._call(lines, f, loop.nodes, self._access(loop.nodes, kept, False))
        for node in loop.nodes:
            if node.value is not None and node.value.is_stored:
                access = Access([self._slot(node.value)], [self._range(node.out)])
                f = self.writer.delivered_rows(node)
                self._call(lines, f, [node], access, "to the recorded array")

    # The whole source.

    def _source(self) -> str:
        memory, count = self.memory, len(self.memory.arrays)
        lines = [
            f"#define THREADS {THREADS}",
            f"#define TILE {memory.tile}",
            f"#define LD {memory.tile + GAP}",
            Path(__file__).with_name("kernel.cuh").read_text(),
            KERNEL_BEGINS,
            *self.text,
            "",
            "// A block for each network does so many steps. The table has the addresses of the",
            "// arrays, the bytes from a step to the next where they change, and where to write",
            "// what is left; `outcomes` are the losses, (steps, networks).",
            'extern "C" __global__ void __launch_bounds__(THREADS, 1) run(',
            f"    const int64_t* table, {self.memory.array(self.loss).c_type}* outcomes,",
            "    char* far_memory, int64_t steps) {",
            f"  const int64_t *arrays = table, *step_bytes = table + {count}, "
            f"*targets = step_bytes + {count};",
            "  extern __shared__ __align__(64) char scratch[];",
            "  const int64_t network = blockIdx.x;",
            *("  " + line for line in (*memory.declared, *memory.far_declared)),
            *("  " + line for i in memory.shared_places for line in self._own(i)),
            "  for (int64_t step = 0; step < steps; step++) {",
            *("    " + line for i in range(len(memory.arrays)) for line in self._of_step(i)),
            "    __syncthreads();",
            *("    " + line for line in self.step),
            "    __syncthreads();",
            "    if (threadIdx.x == 0) outcomes[step * gridDim.x + network] = "
            f"({self.memory.array(self.loss).text})[0];",
            "  }",
            *("  " + line for i in memory.shared_places for line in self._written_back(i)),
            "}",
        ]
        return "\n".join(lines) + "\n"

    def _outside(self, number: int, place: str) -> str:
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        move = f" + network * {use.network_stride}" if use.network_stride else ""
        return f"({kind}*)({place}){move}"

    def _read_from(self, number: int) -> str:
        return self._outside(number, f"arrays[{number}] + step * step_bytes[{number}]")

    def _own(self, number: int) -> list[str]:
        """The array's place in shared memory, and what is in it before the first step."""
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        place = self.memory.shared_places[number]
        lines = [f"{kind}* const m{number} = ({kind}*)(scratch + {place});"]
        if use.is_written and not use.is_new:
            lines.append(
                f"copy({self._outside(number, f'arrays[{number}]')}, m{number}, {use.entries});"
            )
        return lines

    def _of_step(self, number: int) -> list[str]:
        """What is read from outside in this step; an array that changes is fetched anew."""
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        if not self.memory.is_shared(number):
            return [f"{kind}* const m{number} = {self._read_from(number)};"]
        if use.is_written or use.is_new:
            return []
        text = f"copy({self._read_from(number)}, m{number}, {use.entries});"
        return [f"if (step == 0 || step_bytes[{number}]) {text}"]

    def _written_back(self, number: int) -> list[str]:
        use = self.memory.uses[number]
        if not use.is_written or use.is_new:
            return []
        text = f"copy(m{number}, {self._outside(number, f'targets[{number}]')}, {use.entries});"
        if self.classified.axes.networks is not None and not use.network_stride:
            # All networks leave the same in it.
            text = f"if (network == 0) {text}"
        return [text]

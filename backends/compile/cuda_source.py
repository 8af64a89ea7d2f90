"""The phases of a step as one CUDA kernel: a block of threads trains a network for many steps.

A network that is too large for a block is trained by a cluster of 2, 4 or 8, which reach each
other's shared memory: from compute capability 9.0 on. Each block does the points of its own tile,
and a share of the entries of the network's arrays and of the sums over the points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scratchnet.backends.compile.arrays import NotCompiled, View, owner_of
from scratchnet.backends.compile.assembly import Assembly, float_type, renumbered
from scratchnet.backends.compile.classify import OVER_POINTS, Classified, Node, Value
from scratchnet.backends.compile.cuda_loops import THREADS, BlockWriter, shared_views
from scratchnet.backends.compile.cuda_memory import GAP, empty_memory
from scratchnet.backends.compile.cuda_whole import BlockWholeLoops
from scratchnet.backends.compile.fuse import Loop, kept_values
from scratchnet.backends.compile.loops import Function
from scratchnet.backends.compile.phases import Phase
from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call

SHARED_BYTES = {"sm_80": 166912, "sm_90": 232448, "sm_100": 232448}
"""What a block may have, by compute capability."""
CLUSTERS = {"sm_80": (1,), "sm_90": (1, 2, 4, 8), "sm_100": (1, 2, 4, 8)}
"""How many blocks may train a network."""
KERNEL_BEGINS = "// ---- The step."
_ARRAY = "array "
"""What the places of the recording's arrays begin with; others are columns of a block's tile."""
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
    """Of a block."""
    cluster: int
    """The blocks that train a network."""
    phases: list[Phase]
    between: list[list[Loop]] = field(default_factory=list)
    loops: list[list[Loop]] = field(default_factory=list)


def write_kernel(
    calls: Sequence[Call],
    outcome: Array,
    most_shared: int,
    clusters: Sequence[int] = (1,),
    precision: str = "fp32",
) -> Kernel:
    """The CUDA source of a recorded step, for blocks of at most so many bytes of shared memory.

    As many of them train a network as the first of `clusters` says with which it fits. The operands
    of its products are float32 or, in the `precision` tf32, rounded to TF32, by one block.
    Raises `NotCompiled` where a call has no lowering, or the network is too large.
    """
    if any(is_by_host(call.kernel) for call in calls):
        raise NotCompiled("a step with sums over processes")
    points = Classified(calls, outcome).points
    for cluster in clusters if precision == "fp32" else (1,):
        own = -(-points // cluster)
        tiles = _tiles(own)
        useful = [tile for tile in tiles if tile >= min(own, _USEFUL_TILE)]
        for with_entrywise, candidates in ((True, useful), (False, tiles)):
            # The larger the tile the more it takes, so that a search by halves finds the largest.
            fitting = None
            while candidates:
                middle = len(candidates) // 2 if fitting else len(candidates) - 1
                tile = candidates[middle]
                kernel = _Assembly(
                    calls, outcome, tile, cluster, with_entrywise, precision
                ).kernel()
                if kernel.shared_bytes <= most_shared:
                    fitting, candidates = kernel, candidates[:middle]
                else:
                    candidates = candidates[middle + 1 :]
            if fitting:
                return fitting
    needed, most = -(-kernel.shared_bytes // 1024), most_shared // 1024
    of_each = f" of each of {cluster} blocks" if cluster > 1 else ""
    if precision != "fp32" and max(clusters) > 1:
        of_each = f" of the one block that trains it in {precision}"
    raise NotCompiled(
        f"the network, its gradients and {kernel.tile * cluster} points take {needed} KiB of "
        f"shared memory{of_each}: must be at most {most} KiB"
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
    is_of_all_tiles: bool = False
    """Whether each block reads the tiles of all."""

    def must_wait_for(self, earlier: Access) -> bool:
        """Whether another thread may not be done with what this one touches."""
        return bool(self._common(earlier))

    def must_wait_for_blocks(self, earlier: Access) -> bool:
        """Whether another block may be in the way: not where both keep to their own tiles."""
        common = self._common(earlier)
        are_own = not (self.is_of_all_tiles or earlier.is_of_all_tiles)
        return any(place.startswith(_ARRAY) for place in common) or (bool(common) and not are_own)

    def _common(self, earlier: Access) -> set[str]:
        """The places that one writes and the other reads or writes."""
        return (
            _meeting(self.reads, earlier.writes)
            | _meeting(self.writes, earlier.writes)
            | _meeting(self.writes, earlier.reads)
        )


def _meeting(
    some: Iterable[tuple[str, int, int]], others: Iterable[tuple[str, int, int]]
) -> set[str]:
    """The places that stand on both sides and overlap."""
    return {p for p, a, b in some for q, c, d in others if p == q and a < d and c < b}


class _Assembly(Assembly):
    """Writes the kernel with tiles of one size."""

    def __init__(
        self,
        calls: Sequence[Call],
        outcome: Array,
        tile: int,
        cluster: int,
        with_entrywise: bool,
        precision: str,
    ) -> None:
        super().__init__(calls, outcome)
        self.with_entrywise, self.cluster = with_entrywise, cluster
        self.loss = self.classified.axes.view(outcome)
        new = frozenset(id(owner_of(call.out)) for call in calls if call.is_new)
        main, points = float_type(self.nodes), self.classified.points
        self.memory = empty_memory(main, points, tile, cluster, new)
        self.writer = BlockWriter(self.memory, precision)
        self.whole = BlockWholeLoops(self.memory, self.classified.axes, precision)
        self.headers = ["kernel.cuh", *["tensor_cores.cuh"] * (precision == "tf32")]
        self._since: list[Access] = []
        self._since_of_blocks: list[Access] = []

    def kernel(self) -> Kernel:
        """The source of the step's kernel, and what it needs to be launched."""
        self.write_phases()
        for loop in (each for loops in (*self.between, *self.loops) for each in loops):
            self.memory.note(loop)
        self.memory.array(self.loss)
        self.memory.settle(self.with_entrywise)
        return self._kernel()

    def _kernel(self) -> Kernel:
        """The kernel with what its launch needs; `NotCompiled` for writes that would clash."""
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
            self.cluster,
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
        kinds = ""
        if self.cluster > 1:
            # An array is a pointer or spread over the blocks.
            names_of = [name for name, _ in f.pointers.values()]
            kinds = f"template <{', '.join(f'class {x.upper()}' for x in names_of)}> "
            parameters = ", ".join(f"{x.upper()} {x}" for x in names_of)
        takes_tile = any("rows" in line or "first" in line for line in renamed)
        key = (parameters, *renamed)
        if key not in self.functions:
            self.functions[key] = f"loop_{len(self.functions) + 1}"
            rest = ", int first, int rows" if takes_tile else ""
            self.text += [
                f"// {names}",
                f"{kinds}INLINE void {self.functions[key]}({parameters}{rest}) {{",
                *("  " + line for line in renamed),
                "}",
            ]
        numbers = ", ".join(str(node.number) for node in nodes)
        comment = f"  // {numbers}: {names}" if numbers else f"  // {names}"
        self._wait(lines, access)
        rest = ", first, rows" if takes_tile else ""
        if rest and access.is_of_all_tiles:
            rest = ", round, left"
        lines.append(f"{self.functions[key]}({f.arguments}{rest});{comment}")

    def _wait(self, lines: list[str], access: Access) -> None:
        """A barrier, where another thread may not be done with what this one touches."""
        if self.cluster > 1 and any(map(access.must_wait_for_blocks, self._since_of_blocks)):
            self._barrier(lines)
        elif any(map(access.must_wait_for, self._since)):
            lines.append("__syncthreads();")
            self._since.clear()
        self._since.append(access)
        self._since_of_blocks.append(access)

    def _barrier(self, lines: list[str]) -> None:
        """A barrier of all that train the network, unless nothing was done since the last one."""
        if self._since_of_blocks:
            lines.append(self._all_wait)
            self._since.clear()
            self._since_of_blocks.clear()

    @property
    def _all_wait(self) -> str:
        return "__syncthreads();" if self.cluster == 1 else "cluster_barrier();"

    def _access(self, nodes: Sequence[Node], kept: set[Value], is_between: bool) -> Access:
        """What the nodes of a loop read and write, by place."""
        is_of_all_tiles = self.cluster > 1 and any(node.kind in OVER_POINTS for node in nodes)
        found = Access(is_of_all_tiles=is_of_all_tiles)
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
        return f"{_ARRAY}{id(view.owner)}", *view.extent

    def _slot(self, value: Value | View) -> tuple[str, int, int]:
        return self.memory.value(value).text.split(" ")[0], 0, 1

    def _between(self, loop: Loop, f: Function) -> None:
        self._call(self.step, f, loop.nodes, self._access(loop.nodes, set(), True))

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
        if self.cluster > 1:
            self._rounds(lines)
            return
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

    def _rounds(self, lines: list[str]) -> None:
        """The loop over the points of a cluster, each of whose blocks does a tile at a time."""
        n = self.memory.points
        if n <= self.memory.tile * self.cluster:
            opening = [f"{{ const int round = 0, left = {n};"]
        else:
            self._barrier(lines)
            opening = [
                f"for (int round = 0; round < {n}; round += CLUSTER * TILE) {{",
                f"  const int left = {n} - round;",
            ]
        self.step += [
            *opening,
            "  [[maybe_unused]] const int first = round + RANK * TILE, rows = rows_of(RANK, left);",
            *("  " + line for line in lines),
            "}",
        ]

    def _fetch(self, lines: list[str], view: View) -> None:
        """Copy the rows of an array from outside, unless they are there already."""
        memory = self.memory
        if memory.has_copy(view):
            return
        access = Access(reads=[self._range(view)])
        target = memory.place_copy(view, f"x{len(memory.of_phase)}")
        access.writes.append(self._slot(view))
        f = self.writer.fetched_rows(view, target)
        self._call(lines, f, [], access, "rows of an array from outside")

    def _point_loop(self, lines: list[str], loop: Loop, kept: set[Value]) -> None:
        """A loop over points, and the copies of its values that go to recorded arrays."""
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
        """The whole source: headers, functions, and the kernel that calls them in order."""
        memory, count = self.memory, len(self.memory.arrays)
        cluster, wait = self.cluster, self._all_wait
        in_cluster = f"__cluster_dims__({cluster}, 1, 1) " if cluster > 1 else ""
        divided = f" / {cluster}" if cluster > 1 else ""
        networks = f"(gridDim.x{divided})" if divided else "gridDim.x"
        lines = [
            f"#define THREADS {THREADS}",
            f"#define TILE {memory.tile}",
            f"#define LD {memory.tile + GAP}",
            f"#define CLUSTER {cluster}",
            *(Path(__file__).with_name(name).read_text() for name in self.headers),
            KERNEL_BEGINS,
            *self.text,
            "",
            f"// {'A block' if cluster == 1 else 'A cluster'} for each network does so many steps.",
            "// The table has the addresses of the arrays, the bytes from a step to the next where",
            "// they change, and where to write what is left; `outcomes` are the losses,",
            "// (steps, networks).",
            f'extern "C" __global__ void {in_cluster}__launch_bounds__(THREADS, 1) run(',
            f"    const int64_t* table, {self.memory.array(self.loss).c_type}* outcomes,",
            "    char* far_memory, int64_t steps) {",
            f"  const int64_t *arrays = table, *step_bytes = table + {count}, "
            f"*targets = step_bytes + {count};",
            "  extern __shared__ __align__(64) char scratch[];",
            f"  const int64_t network = blockIdx.x{divided};",
            *("  " + line for line in (*memory.declared, *memory.far_declared)),
            *("  " + line for i in memory.shared_places for line in self._own(i)),
            "  for (int64_t step = 0; step < steps; step++) {",
            *("    " + line for i in range(len(memory.arrays)) for line in self._of_step(i)),
            f"    {wait}",
            *("    " + line for line in self.step),
            f"    {wait}",
            f"    if ({memory.thread} == 0) outcomes[step * {networks} + network] = "
            f"({self.memory.array(self.loss).text})[0];",
            "  }",
            *("  " + line for i in memory.shared_places for line in self._written_back(i)),
            *([f"  {wait}  // Others may read what this block has, until here."] * (cluster > 1)),
            "}",
        ]
        return "\n".join(lines) + "\n"

    def _outside(self, number: int, place: str) -> str:
        """A pointer to this network's part of an array outside."""
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        move = f" + network * {use.network_stride}" if use.network_stride else ""
        return f"({kind}*)({place}){move}"

    def _read_from(self, number: int) -> str:
        return self._outside(number, f"arrays[{number}] + step * step_bytes[{number}]")

    def _own(self, number: int) -> list[str]:
        """The array's place in shared memory, and what is in it before the first step."""
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        place = f"({kind}*)(scratch + {self.memory.shared_places[number]})"
        lines = [f"{kind}* const m{number} = {place};"]
        if self.memory.is_spread(number):
            lines = [f"const Spread<{kind}, {use.entries}> m{number} = {{{place}, 0}};"]
        if use.is_written and not use.is_new:
            lines.append(
                self._copy(number, self._outside(number, f"arrays[{number}]"), f"m{number}")
            )
        return lines

    def _copy(self, number: int, source: str, target: str) -> str:
        """The call that copies an array, shared out over the blocks where it is spread."""
        entries = self.memory.uses[number].entries
        if self.memory.is_spread(number):
            return f"copy_share<{entries}>({source}, {target});"
        return f"copy({source}, {target}, {entries});"

    def _of_step(self, number: int) -> list[str]:
        """What is read from outside in this step; an array that changes is fetched anew."""
        use, kind = self.memory.uses[number], self.memory.kind_of(number)
        if not self.memory.is_shared(number):
            return [f"{kind}* const m{number} = {self._read_from(number)};"]
        if use.is_written or use.is_new:
            return []
        text = self._copy(number, self._read_from(number), f"m{number}")
        return [f"if (step == 0 || step_bytes[{number}]) {text}"]

    def _written_back(self, number: int) -> list[str]:
        """The lines that copy an array to where it is kept, none if it is not written."""
        use = self.memory.uses[number]
        if not use.is_written or use.is_new:
            return []
        text = self._copy(number, f"m{number}", self._outside(number, f"targets[{number}]"))
        if self.classified.axes.networks is not None and not use.network_stride:
            # All networks leave the same in it.
            text = f"if (network == 0) {text}"
        return [text]

"""Where a step's numbers lie: rows in whole vectors, and memory that is used again."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compiled import WIDE, call, step_of, written

from scratchnet import SGD, mlp
from scratchnet.backends.compile import Program, write_program
from scratchnet.backends.compile.elementwise import vector_type
from scratchnet.backends.compile.loops import Function, Writer
from scratchnet.backends.compile.memory import ALIGNMENT, Memory, Pointer, Target, rounded_up
from scratchnet.backends.compile.source import _tile

RNG = np.random.default_rng(0)
NARROW = Target(16, 16)


def data(samples: int, inputs: int = 2) -> tuple[Any, Any]:
    X = RNG.normal(size=(samples, inputs))
    return X, X[:, :1]


def program_of(widths: list[int], samples: int, dtype: str = "float32") -> Program:
    model = mlp(widths, dtype=dtype)
    return written(SGD(model, 0.1), *data(samples, widths[0]), loss="mean_squared_error")


# Vectors, rows and blocks.


def test_a_vector_has_as_many_lanes_as_fit_a_register() -> None:
    assert [WIDE.lanes(each) for each in ("float32", "float64", "uint8")] == [16, 8, 64]
    assert NARROW.lanes("float32") == 4
    assert vector_type("float32", WIDE.lanes("float32")) == "f32x16"


def test_a_narrow_row_is_cut_into_narrow_vectors() -> None:
    """The narrowest that hold the row at once, but at least two numbers."""
    lanes = [WIDE.lanes_of_row(width, "float32") for width in (1, 2, 3, 4, 5, 8, 9, 16, 17, 64)]
    assert lanes == [2, 2, 4, 4, 8, 8, 16, 16, 16, 16]


def test_a_row_in_the_scratch_is_whole_vectors() -> None:
    memory = Memory(WIDE, np.dtype("float32"), 100, 24)
    assert [memory.row_of(width) for width in (1, 2, 3, 5, 9, 16, 17, 33)] == [
        *(1, 2, 4, 8, 16, 16, 32, 48)
    ]
    assert memory.flat_points == 32
    assert memory.entries_of_tile(1) == 32 and memory.entries_of_tile(3) == 24 * 4
    assert [rounded_up(n, 8) for n in (0, 1, 8, 9)] == [0, 8, 8, 16]


def test_rows_of_a_tile_that_would_share_lines_of_the_cache_lie_a_vector_apart() -> None:
    memory = Memory(WIDE, np.dtype("float32"), 100, 24)
    assert [memory.distance_of(width) for width in (1, 3, 128, 250, 256, 272, 512)] == [
        *(1, 4, 128, 272, 272, 272, 528)
    ]
    assert memory.entries_of_tile(256) == 24 * 272
    assert Memory(WIDE, np.dtype("float64"), 100, 24).distance_of(128) == 136


def test_places_in_the_scratch_are_aligned_and_do_not_overlap() -> None:
    memory = Memory(WIDE, np.dtype("float32"), 100, 24)
    memory.allocate("a", 3, "float32")
    memory.allocate("b", 17, "float64")
    memory.allocate("c", 1, "bool")
    assert memory.declared == [
        "float* const a = (float*)(scratch + 0);",
        "double* const b = (double*)(scratch + 64);",
        "uint8_t* const c = (uint8_t*)(scratch + 256);",
    ]
    assert memory.size == 320 and memory.size % ALIGNMENT == 0


def test_a_block_of_a_product_fits_the_registers() -> None:
    """Sums of rows x columns vectors, a vector of each column and a number of the row."""
    many, few = {1: 12, 2: 8, 4: 6}, {1: 12, 2: 6}
    sizes = range(8, 97, 8)
    for target, rows in ((WIDE, many), (Target(32, 16), few), (Target(16, 32), many)):
        writer = Writer(Memory(target, np.dtype("float32"), 100, 24), {}, {})
        for vectors in range(1, 9):
            block, columns = writer.block(vectors, 7)
            assert columns == max(each for each in rows if vectors % each == 0)
            assert block == rows[columns]
            largest = max(writer.block(vectors, n)[0] for n in sizes)
            assert largest * columns + columns + 1 <= target.registers
    wide = Writer(Memory(WIDE, np.dtype("float32"), 100, 24), {}, {})
    assert [wide.block(2, n)[0] for n in sizes] == [8, 8, 12, 8, 10, 12, 8, 8, 12, 10, 11, 12]


@pytest.mark.parametrize("samples", [1, 8, 9, 16, 30, 96, 97, 200, 1000, 4096])
@pytest.mark.parametrize("width", [2, 64, 512])
def test_a_tile_is_worth_a_loop_and_fits_the_cache(samples: int, width: int) -> None:
    tile = program_of([2, width, 1], samples).tile
    assert tile % 8 == 0 and 8 <= tile <= 96
    # Little of the last tile is wasted.
    least = 8 if samples <= 8 else 16
    assert -(-samples // tile) * tile <= max(least, 1.34 * samples)


def test_wide_layers_have_small_tiles() -> None:
    assert [program_of([2, width, 1], 960).tile for width in (4, 64, 256)] == [96, 80, 40]


@pytest.mark.parametrize(
    ("points", "bytes_per_point", "bytes_of_matrices", "tile"),
    [
        *((0, 512, 0, 8), (1, 0, 0, 8), (64, 1500, 0, 32), (96, 0, 0, 96), (1024, 512, 0, 80)),
        *(
            (300, 1500, 2**20, 80),
            (300, 1500, 40 * 1024, 40),
            (300, 1500, 2**20 + 1, 152),
            (1000, 0, 2**20 + 1, 200),
        ),
        *((250, 1000, 2**20 + 1, 128), (250, 1024, 2**20 + 1, 256)),
    ],
)
def test_a_tile_is_the_cheapest(
    points: int, bytes_per_point: int, bytes_of_matrices: int, tile: int
) -> None:
    """Of the multiples of 8 up to 96, or 256 where matrices do not fit the second-level cache. A
    tile costs as much as 6 points, 12 where they do not fit the first-level one, or 24, and all a
    tenth more for each doubling beyond 40 KiB."""
    most, extra = (257, 24) if bytes_of_matrices > 2**20 else (97, 6)
    if 40 * 1024 < bytes_of_matrices <= 2**20:
        extra = 12

    def cost(tile: int) -> float:
        doublings = np.log2(max(1, tile * bytes_per_point / 40960))
        return float(np.ceil(points / tile) * (tile + extra) * (1 + doublings / 10))

    assert _tile(points, bytes_per_point, bytes_of_matrices) == tile
    assert tile == min(range(8, most, 8), key=cost)


def test_a_step_that_keeps_nothing_of_its_points_has_a_tile() -> None:
    """As where a loss reads the weights only."""
    x, W, y = (np.empty(shape, np.float32) for shape in ((960, 2), (2, 5), (960, 5)))
    square = np.empty((2, 5), np.float32)
    calls = [call("matmul", x, W, out=y), call("square", W, out=square)]
    assert write_program(calls, square, WIDE).tile == 96


def test_the_last_tile_may_be_shorter_than_the_others() -> None:
    def counts(samples: int) -> list[str]:
        return [
            line for line in step_of(program_of([2, 4, 1], samples).source) if " rows = " in line
        ]

    assert counts(96) == ["{ const int64_t first = 0; const int rows = 96;"]
    assert counts(192) == ["const int rows = 96;"]
    for samples in (100, 97 * 8, 481):
        tile = program_of([2, 4, 1], samples).tile
        assert samples % tile
        assert counts(samples) == [
            f"const int rows = int(first + {tile} <= {samples} ? {tile} : {samples} - first);"
        ]


# Memory that is used again.


def test_a_value_that_is_read_no_more_gives_its_place_back() -> None:
    """A chain of products needs two places, however long it is."""
    sizes = []
    for length in (3, 9):
        x, W = np.empty((30, 5), np.float32), np.empty((5, 5), np.float32)
        calls = []
        for _ in range(length):
            y = np.empty((30, 5), np.float32)
            calls += [call("matmul", x, W, out=y)]
            x = y
        program = write_program(calls, y, WIDE)
        values = {line for line in program.source.splitlines() if re.search(r"\bv\d+ = \(", line)}
        sizes.append(len(values))
    assert sizes == [2, 2]


def test_the_backward_pass_works_in_the_places_of_the_forward_pass() -> None:
    """One more layer keeps one more array of activations, and nothing for its gradient."""
    counts = [
        len(re.findall(r"\bv\d+ = \(", program_of([8, *[8] * depth, 1], 64).source))
        for depth in (2, 3, 4, 5)
    ]
    assert counts[1:] == [counts[0] + 1, counts[0] + 2, counts[0] + 3]


def test_a_value_that_a_later_phase_reads_is_kept_for_all_points() -> None:
    model = mlp([2, 8, 1], batch_norm=True)
    program = written(SGD(model, 0.1), *data(1000), loss="mean_squared_error")
    plain = program_of([2, 8, 1], 1000)
    assert plain.scratch_bytes < 1000 * 8 * 4 < program.scratch_bytes
    assert re.search(r"v\d+ \+ first \* 8", program.source)
    assert not re.search(r"v\d+ \+ first", plain.source)


def test_numbers_of_different_types_do_not_share_a_place() -> None:
    x, W, y, z, u = (np.empty(s, np.float32) for s in ((32, 4), (4, 4), (32, 4), (32, 4), (32, 4)))
    mask = np.empty((32, 4), bool)
    program = write_program(
        [
            call("matmul", x, W, out=y),
            call("greater", y, 0.0, out=mask),
            call("matmul", y, W, out=z),
            call("where", mask, z, y, out=z, is_new=False),
            call("matmul", z, W, out=u),
            call("where", mask, u, z, out=u, is_new=False),
        ],
        u,
        WIDE,
    )
    assert "uint8_t* const v2" in program.source


# What is read where the recording has it, and what is copied first.


def copies(program: Program) -> list[str]:
    return [line for line in step_of(program.source) if "rows of an array" in line]


def matrices(program: Program) -> list[str]:
    return [line for line in step_of(program.source) if line.endswith(": the matrix")]


def test_data_in_whole_tiles_are_read_in_place() -> None:
    """Targets are not: they are read as vectors along the points, beside what is computed."""
    assert len(copies(program_of([2, 16, 1], 96))) == 1
    assert len(copies(program_of([16, 16, 1], 96))) == 1


def test_nothing_is_read_past_the_end_of_the_data() -> None:
    """Blocks of a product take several rows at once; the last tile has fewer, so it is copied."""
    for samples in (20, 30, 100):
        program = program_of([16, 16, 1], samples)
        assert samples % program.tile
        assert len(copies(program)) == 2


def test_rows_that_are_no_whole_vectors_are_padded_where_they_are_read_as_such() -> None:
    """The gradient of a wide first layer runs along its outputs, and reads inputs one by one; a
    layer with one output runs along its inputs."""
    assert len(copies(program_of([3, 16, 1], 96))) == 1
    assert len(copies(program_of([3, 1], 96))) == 2


def test_a_matrix_of_whole_vectors_is_read_in_place() -> None:
    assert matrices(program_of([2, 16, 1], 96)) == []
    # 2 x 9 is padded to rows of 16, for the forward pass.
    padded, *_ = matrices(program_of([2, 9, 1], 96))
    assert padded.startswith("arrange_panels<f32x16, 2, 9, 16>(") and ", 9, 1, w" in padded
    # The way back reads W^T, row by row; a column is a row then.
    (turned,) = matrices(program_of([2, 16, 16, 1], 96))
    assert turned.startswith("arrange_panels<f32x16, 16, 16, 16>(") and ", 1, 16, w" in turned


def test_a_matrix_beyond_the_cache_is_read_in_panels() -> None:
    """As wide as a block of the product; those of a matrix that is read in place overlap."""
    (turned,) = matrices(program_of([2, 64, 64, 1], 96))
    assert "<f32x16, 64, 64, 64>(" in turned
    forward, turned = matrices(program_of([2, 64, 128, 1], 96))
    assert "<f32x16, 64, 128, 64>(" in forward and ", 128, 1, w" in forward
    assert "<f32x16, 128, 64, 64>(" in turned and ", 1, 128, w" in turned
    source = program_of([2, 128, 1], 96).source
    assert re.search(r"multiply<f32x16, \d+, 2, 128, 6, 4>\(b, 2, c, 128, 64, ", source)
    source = program_of([2, 64, 128, 1], 96).source
    assert re.search(r"multiply<f32x16, \d+, 64, 128, 6, 4>\(b, 64, c, 64, 4096, ", source)


def test_large_matrices_are_fetched_for_long_tiles() -> None:
    tiles = [program_of([2, width, width, width, 1], 1024).tile for width in (128, 256, 512)]
    assert tiles[0] <= 64 and tiles[1] == tiles[2] == 256


def test_a_column_is_read_in_place_where_its_numbers_lie_side_by_side() -> None:
    x, W, out = (np.empty(shape, np.float32) for shape in ((96, 16), (16, 3), (96, 1)))
    for column, copied in ((W[:, :1], True), (np.empty((16, 1), np.float32), False)):
        program = write_program([call("matmul", x, column, out=out)], out, WIDE)
        assert bool(matrices(program)) == copied
    (line,) = matrices(write_program([call("matmul", x, W[:, 1:2], out=out)], out, WIDE))
    assert line.startswith("arrange<1, 16>(m0 + 1, ") and ", 0, 3, w1, 0);" in line


def test_a_row_of_whole_vectors_is_read_in_place() -> None:
    def rows(width: int) -> list[str]:
        program = program_of([2, width, 1], 96)
        return [line for line in step_of(program.source) if "a row, padded" in line]

    assert rows(16) == []
    (line,) = rows(9)
    assert line.startswith("arrange<1, 9>(") and ", 0, 1, r" in line


def test_sums_of_whole_vectors_are_added_up_in_the_recorded_array() -> None:
    def sums(width: int) -> int:
        return len(re.findall(r"\bs\d+ = \(", program_of([2, width, 1], 96).source))

    assert sums(16) == 0
    # Padded rows: gradients of the matrix, of the row of biases, and of the next matrix, a row too.
    assert sums(9) == 3


# The text.


def test_loops_of_equal_layers_are_one_function() -> None:
    def functions(depth: int) -> int:
        return program_of([16, *[16] * depth, 1], 96).source.count("LOOP loop_")

    assert functions(3) == functions(4) == functions(9)


def test_a_bias_is_what_the_sums_of_a_product_begin_with() -> None:
    source = program_of([2, 16, 16, 1], 96).source
    starts = re.findall(r"\[&\]\(int j\) \{ return (.*); \},", source)
    assert sum(start.startswith("load<f32x16>(") for start in starts) == 2
    # The products of the backward pass begin with nothing.
    assert sum(start == "f32x16{}" for start in starts) == len(starts) - 2 > 0


def bodies(program: Program, kind: str) -> list[str]:
    """The first lines of the functions of that kind of loop."""
    return re.findall(rf"// {kind}\n.*\n  (.*)", program.source)


def test_each_sum_over_the_points_is_added_up_by_the_function_of_its_shape() -> None:
    sums = [line for line in bodies(program_of([2, 16, 1], 96), "matmul") if "multiply" not in line]
    assert sums == [
        "add_outer<f32x16, 1, 16, 1, 1>(a, 1, b, 16, rows, c);",  # V (16, 1), as a row
        "*b += sum_of_all<f32x16, f32x16, 1>(a, 1, rows);",  # its one bias
        "add_outer<f32x16, 2, 16, 2, 1>(a, 2, b, 16, rows, c);",  # W (2, 16), 2 rows at once
        "add_rows<f32x16, 16>(a, 16, rows, b);",  # its biases
    ]
    narrow = program_of([2, 1, 1], 96)
    assert "*a += dot<f32x16>(b, 1, c, 1, rows);" in bodies(narrow, "matmul")
    assert bodies(narrow, "sum") == ["*a += sum_of_all<f32x16, f32x2, 1>(b, 1, rows);"]


def test_a_mini_batch_is_taken_row_by_row() -> None:
    model = mlp([2, 16, 1])
    X, y = data(50)
    program = written(SGD(model, 0.1), X, y, loss="mean_squared_error", batch_size=10)
    assert bodies(program, "take") == [
        "take_rows<2>(a, 50, b, 1, c, 2, rows);",
        "take_rows<1>(a, 50, b, 1, c, 1, rows);",
    ]


def test_what_needs_no_rows_told_apart_is_one_loop_over_all_entries() -> None:
    x, W, y = (np.empty(shape, np.float32) for shape in ((96, 5), (5, 5), (96, 5)))
    outside, out, row = np.empty((96, 5), np.float32), np.empty((96, 5), np.float32), np.empty(5)
    first = [call("matmul", x, W, out=y), call("add", y, outside, out=y, is_new=False)]

    def counts(*operands: Any) -> list[str]:
        calls = [*first, call("multiply", *operands, out=out)]
        body = write_program(calls, out, WIDE).source.partition("// multiply\n")[2]
        return re.findall(r"for \(int64_t (\w) = 0; \w < (\d+); \w \+= (\d+)\)", body)[:1]

    assert counts(outside, 2.0) == [("i", "768", "16")]  # 96 rows of 8 numbers
    assert counts(outside, outside) == [("i", "768", "16")]
    assert counts(outside, row.astype(np.float32)) == [("j", "8", "8")]
    assert counts(outside, outside[:, :1]) == [("j", "8", "8")]


def test_arguments_have_letters_that_no_counter_has() -> None:
    """i and j count in the loops."""
    f = Function()
    names = [f.name(Pointer(f"m{number}", "float"), writes=number == 8) for number in range(10)]
    assert names == [*"abcdefgh", "p8", "p9"]
    assert f.name(Pointer("m3", "float")) == "d" and f.arguments == "m0, m1, m2, m3, m4, " + (
        "m5, m6, m7, m8, m9"
    )
    assert f.parameters.startswith("const float* __restrict__ a, const float* __restrict__ b, ")
    assert f.parameters.endswith(", float* __restrict__ p8, const float* __restrict__ p9")


def test_a_function_may_write_only_what_it_says() -> None:
    source = program_of([2, 16, 16, 1], 96).source
    for parameters in re.findall(r"LOOP loop_\d+\((.*), int rows\)", source):
        kinds = [each.startswith("const ") for each in parameters.split(", ")]
        assert not all(kinds)
    head = source.partition("// matmul, add, maximum\n")[2].splitlines()[0]
    assert re.findall(r"const float\* __restrict__ (\w)", head) == ["a", "b", "c"]

"""What a loop is in C++: its operands loaded once, a line for each call, and what others read."""

from __future__ import annotations

from typing import Any

import numpy as np
from compiled import WIDE, call

from scratchnet.backends.compile import write_program


def empty(*shape: int, dtype: Any = np.float32) -> Any:
    return np.empty(shape, dtype)


class Step:
    """y = x W for 40 points, which are one tile, and calls that follow."""

    def __init__(self) -> None:
        self.x, self.W, self.y = empty(40, 2), empty(2, 5), empty(40, 5)

    def function(self, name: str, *calls: Any) -> list[str]:
        """The lines of the function that does the calls of that name."""
        first = call("matmul", self.x, self.W, out=self.y)
        source = write_program([first, *calls], calls[-1].out, WIDE).source
        lines = source.partition(f"// {name}\n")[2].partition("\n}\n")[0].splitlines()
        return [line.strip() for line in lines[1:]]


def test_rows_are_loaded_by_vectors_and_a_column_by_its_number() -> None:
    """Only what others read is stored; a mask as numbers 0 and 1 in bytes."""
    step, column, z, r = Step(), empty(40, 1), empty(40, 5), empty(40, 5)
    mask, V = empty(40, 5, dtype=bool), empty(5, 5)
    calls = [
        call("max", step.y, -1, True, out=column),
        call("subtract", step.y, column, out=z),
        call("greater", z, 0.5, out=mask),
        call("matmul", z, V, out=r),
        call("where", mask, r, 0.0, out=r, is_new=False),
        call("multiply", r, mask, out=r, is_new=False),
    ]
    assert step.function("max", *calls) == [
        "for (int64_t i = 0; i < 48; i += 16) {",
        "const f32x16 n1 = reduce_rows<Max, f32x8, f32x16, 5>(a + i * 8, 8);",
        "store(b, Full{i}, n1);",
        "}",
    ]
    assert step.function("subtract, greater", *calls) == [
        "for (int64_t i = 0; i < 40; i++)",
        "for (int64_t j = 0; j < 8; j += 8) {",
        "const f32x8 u0 = load<f32x8>(a, Full{i * 8 + j});",
        "const f32x8 u1 = all<f32x8>(b[i]);",
        "const f32x8 n1 = u0 - u1;",
        "store(c, Full{i * 8 + j}, n1);",
        "const auto n2 = n1 > 0.5f;",
        "store(d, Full{i * 8 + j}, zero_or_one<u8x8>(n2));",
        "}",
    ]
    # In the product's loop its result is n1, and the mask is loaded once for two calls.
    assert step.function("matmul, where, multiply", *calls)[2:] == [
        "const auto u1 = load<u8x8>(c, Full{i * 8 + j}) != 0;",
        "const f32x8 n2 = as_mask<f32x8>(as_mask<f32x8>(u1)) ? n1 : all<f32x8>(0.0f);",
        "const f32x8 n3 = n2 * zero_or_one<f32x8>(u1);",
        "store(d, Full{i * 8 + j}, n3);",
        "});",
    ]


def test_sums_and_least_numbers_of_a_row() -> None:
    step, least, total = Step(), empty(40, 1), empty(40)
    lines = step.function("min", call("min", step.y, -1, True, out=least))
    assert "reduce_rows<Min, f32x8, f32x16, 5>(a + i * 8, 8);" in lines[1]
    lines = step.function("sum", call("sum", step.y, -1, False, out=total))
    assert "reduce_rows<Add, f32x8, f32x16, 5>(a + i * 8, 8);" in lines[1]


def test_one_number_for_each_point_runs_along_the_points() -> None:
    step, targets, error, square = Step(), empty(40), empty(40), empty(40)
    calls = [
        call("matmul", step.y, empty(5), out=error),
        call("subtract", error, targets, out=error, is_new=False),
        call("square", error, out=square),
        call("exp", error, out=empty(40)),
    ]
    assert step.function("matmul, subtract, square, exp", *calls) == [
        "multiply_by_column<f32x16, 48, 5>(a, 8, b, [&](int i, f32x16 n1) {",
        "const f32x16 u1 = load<f32x16>(c, Full{i});",
        "const f32x16 n2 = n1 - u1;",
        "const f32x16 n3 = n2 * n2;",
        "const f32x16 n4 = exponential(n2);",
        "store(d, Full{i}, n4);",
        "});",
    ]


def test_one_number_for_each_point_from_outside() -> None:
    step, targets, double = Step(), empty(40), empty(40)
    lines = step.function(
        "exp, multiply",
        call("add", step.y[:, 0], targets, out=empty(40)),
        call("exp", targets, out=(power := empty(40))),
        call("multiply", power, 2.0, out=double),
        call("sum", double, 0, False, out=empty()),
    )
    assert lines == [
        "for (int64_t i = 0; i < 48; i += 16) {",
        "const f32x16 u0 = load<f32x16>(a, Full{i});",
        "const f32x16 n1 = exponential(u0);",
        "const f32x16 n2 = n1 * 2.0f;",
        "store(b, Full{i}, n2);",
        "}",
    ]


def test_arrays_without_points_are_read_a_vector_at_a_time() -> None:
    """A number for all is read before the loop; what is written here is not read again."""
    step, p, gradient, rate = Step(), empty(20), empty(20), empty()
    calls = [
        call("multiply", rate, 0.5, out=rate, is_new=False),
        call("multiply", gradient, rate, out=(change := empty(20))),
        call("subtract", p, change, out=p, is_new=False),
        call("greater", p, 0.0, out=empty(20, dtype=bool)),
    ]
    assert step.function("multiply, subtract, greater", *calls) == [
        "const f32x16 u1 = all<f32x16>(b[0]);",
        "each<16>(20, [&](auto at) {",
        "const f32x16 u0 = load<f32x16>(a, at);",
        "const f32x16 n1 = u0 * u1;",
        "const f32x16 u3 = load<f32x16>(c, at);",
        "const f32x16 n2 = u3 - n1;",
        "store(c, at, n2);",
        "const auto n3 = n2 > 0.0f;",
        "store(d, at, zero_or_one<u8x16>(n3));",
        "});",
    ]
    assert step.function("multiply", *calls) == [
        "const f32x16 u0 = all<f32x16>(a[0]);",
        "const Part at{0, 1};",
        "const f32x16 n1 = u0 * 0.5f;",
        "store(a, at, n1);",
    ]


def test_of_several_results_for_one_place_the_last_is_stored() -> None:
    step, p, out = Step(), empty(20), empty(20)
    lines = step.function(
        "exp, multiply, negative",
        call("exp", p, out=p, is_new=False),
        call("multiply", p, 2.0, out=p, is_new=False),
        call("negative", p, out=out),
    )
    assert [line for line in lines if line.startswith("store")] == [
        "store(a, at, n2);",
        "store(b, at, n3);",
    ]


def test_a_mask_from_outside_is_compared_with_zero() -> None:
    step, mask = Step(), empty(20, dtype=bool)
    flag, p = empty(dtype=bool), empty(20)
    lines = step.function(
        "where",
        call("where", mask, p, 0.0, out=p, is_new=False),
        call("where", flag, p, 0.0, out=p, is_new=False),
    )
    assert lines[:3] == [
        "const auto u2 = all<u8x16>(c[0]) != 0;",
        "each<16>(20, [&](auto at) {",
        "const auto u0 = load<u8x16>(a, at) != 0;",
    ]

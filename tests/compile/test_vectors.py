"""The functions of `vectors.h` alone: reductions of rows that are padded to whole vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scratchnet.backends.compile import build, compiler_available, find_compiler
from scratchnet.backends.compile.elementwise import c_type, vector_type
from scratchnet.backends.compile.memory import Memory

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

WIDTHS = (1, 2, 3, 4, 5, 9, 15, 16, 17, 40)
HEADER = Path(build.__file__).with_name("vectors.h").read_text()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_reduced_without_what_pads_them(dtype: str) -> None:
    """The padding is NaN, and so is an entry of one row, which its results then are."""
    target = find_compiler().target
    memory, lanes = Memory(target, np.dtype(dtype), 0, 0), target.lanes(dtype)
    vector, rng = vector_type(dtype, lanes), np.random.default_rng(0)
    rows, lines = [], []
    results = np.zeros((len(WIDTHS), 4, lanes), dtype)
    for number, width in enumerate(WIDTHS):
        distance = max(memory.row_of(width), 2)
        x = np.full((lanes, distance), np.nan, dtype)
        x[:, :width] = rng.integers(-9, 9, (lanes, width))
        x[lanes - 1, width - 1] = np.nan
        rows.append(x)
        row = f"vec<{c_type(dtype)}, {target.lanes_of_row(width, dtype)}>"
        x_here, y_here = f"({c_type(dtype)}*)arrays[{number}]", f"y + {4 * number * lanes}"
        for i, operation in enumerate(("Add", "Max", "Min")):
            call = f"reduce_rows<{operation}, {row}, {vector}, {width}>({x_here}, {distance})"
            lines.append(f"store({y_here}, Full{{{i * lanes}}}, {call});")
        total = f"sum_of_all<{vector}, {row}, {width}>({x_here}, {distance}, {lanes - 1})"
        lines.append(f"({y_here})[{3 * lanes}] = {total};")
    source = (
        f"{HEADER}\nusing {vector} = vec<{c_type(dtype)}, {lanes}>;\n"
        'extern "C" void run(char* const* arrays, const int64_t*, int64_t, int64_t, int64_t, '
        f"char*) {{\n{c_type(dtype)}* y = ({c_type(dtype)}*)arrays[{len(WIDTHS)}];\n"
        + "\n".join(lines)
        + "\n}\n"
    )
    addresses = np.array([each.ctypes.data for each in (*rows, results)], np.int64)
    build.built(source, find_compiler())(addresses.ctypes.data, None, 0, 0, 0, None)
    for x, width, found in zip(rows, WIDTHS, results, strict=True):
        own = x[:, :width]
        np.testing.assert_array_equal(found[0], own.sum(axis=1))
        np.testing.assert_array_equal(found[1], own.max(axis=1))
        np.testing.assert_array_equal(found[2], own.min(axis=1))
        assert found[3, 0] == own[:-1].sum()

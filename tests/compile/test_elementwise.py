"""Each elementwise call as an expression of C++, and the numbers in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchnet.backends.compile.arrays import Literal, NotCompiled
from scratchnet.backends.compile.elementwise import Lowering, Term, c_type, number, vector_type

F32, F64, BOOL, I64 = (np.dtype(name) for name in ("float32", "float64", "bool", "int64"))
U32, U64, I8 = np.dtype("uint32"), np.dtype("uint64"), np.dtype("int8")
A, B, MASK = Term("a", F32), Term("b", F32), Term("m", BOOL)


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.5, F32, "0.5f"),
        (0.5, F64, "0.5"),
        (-2, F32, "-2.0f"),
        (0.1, F32, "0.1f"),
        (1 / 3, F32, "0.33333334f"),
        (1 / 3, F64, "3.333333333333333e-01"),
        (1e-30, F32, "1.e-30f"),
        (float("nan"), F32, "NAN"),
        (float("inf"), F64, "INFINITY"),
        (-float("inf"), F32, "-INFINITY"),
        (1e300, F32, "INFINITY"),  # as NumPy rounds it
        (True, BOOL, "1"),
        (0.0, BOOL, "0"),
        (7, U32, "7"),
        (-7, I8, "-7"),
        (7, U64, "7ull"),
        (-7, I64, "-7ll"),
    ],
)
def test_a_number_is_written_in_its_type(value: Any, dtype: Any, text: str) -> None:
    with np.errstate(over="ignore"):
        found = number(value, dtype)
    if "e" in text and dtype.kind == "f":
        assert float(found.rstrip("f")) == dtype.type(value) and found[-1:] == text[-1:]
    else:
        assert found == text


@pytest.mark.parametrize("dtype", [F32, F64])
def test_any_number_comes_back_with_its_bits(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for value in rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200):
        rounded = dtype.type(value)
        text = number(value, dtype)
        assert dtype.type(float(text.rstrip("f"))) == rounded
        assert "." in text and text.endswith("f") == (dtype == F32)


def test_types_by_their_names() -> None:
    assert [c_type(each) for each in (F32, F64, BOOL, I8, U64)] == [
        *("float", "double", "uint8_t", "int8_t", "uint64_t"),
    ]
    assert [vector_type(each, 4) for each in (F32, F64, BOOL, I8, U64)] == [
        *("f32x4", "f64x4", "u8x4", "i8x4", "u64x4"),
    ]
    with pytest.raises(NotCompiled, match="numbers of type complex64"):
        c_type(np.complex64)


HALF, ZERO, NAN = Literal(0.5), Literal(0.0), Literal(float("nan"))


@pytest.mark.parametrize(
    ("name", "terms", "out", "text"),
    [
        ("add", [A, B], F32, "a + b"),
        ("subtract", [A, HALF], F32, "a - 0.5f"),
        ("divide", [HALF, B], F32, "0.5f / b"),
        ("multiply", [HALF, HALF], F32, "all<f32x4>(0.5f) * 0.5f"),
        ("multiply", [A, MASK], F32, "a * zero_or_one<f32x4>(m)"),
        ("add", [A, Term("d", F64)], F32, "a + __builtin_convertvector(d, f32x4)"),
        ("left_shift", [Term("u", U32), Literal(3)], U32, "u << 3"),
        ("bitwise_xor", [Term("u", U64), Literal(3)], U64, "u ^ 3ull"),
        # A number goes first, unless it is NaN, which has to come out.
        ("maximum", [A, ZERO], F32, "all<f32x4>(0.0f) > a ? all<f32x4>(0.0f) : a"),
        ("minimum", [ZERO, A], F32, "all<f32x4>(0.0f) < a ? all<f32x4>(0.0f) : a"),
        ("maximum", [A, B], F32, "maximum(a, b)"),
        ("minimum", [A, NAN], F32, "minimum(a, all<f32x4>(NAN))"),
        ("power", [A, Literal(2)], F32, "a * a"),
        ("power", [A, Literal(1.0)], F32, "a"),
        ("power", [A, HALF], F32, "square_root(a)"),
        ("power", [A, Literal(-1.0)], F32, "1 / a"),
        ("power", [A, Literal(3.0)], F32, "power(a, all<f32x4>(3.0f))"),
        ("power", [A, B], F32, "power(a, b)"),
        ("square", [A], F32, "a * a"),
        ("negative", [A], F32, "-a"),
        ("reciprocal", [A], F32, "1 / a"),
        ("tanh", [A], F32, "tanh_of(a)"),
        ("log1p", [A], F32, "logarithm_of_one_plus(a)"),
        ("positive", [A], F32, "a"),
        ("positive", [MASK], BOOL, "as_mask<f32x4>(m)"),
        ("convert", [MASK], F32, "zero_or_one<f32x4>(m)"),
        ("convert", [A], BOOL, "as_mask<f32x4>(a != 0)"),
        ("convert", [Term("u", U32)], F32, "__builtin_convertvector(u, f32x4)"),
        # [y > 0] dy and dy slope, where 0 times an infinite slope is 0.
        ("where_positive", [A, B], F32, "b > 0 ? a : all<f32x4>(0.0f)"),
        ("times_slope", [A, B], F32, "a * (a == 0 ? all<f32x4>(1.0f) : b)"),
        ("where", [MASK, A, ZERO], F32, "as_mask<f32x4>(as_mask<f32x4>(m)) ? a : all<f32x4>(0.0f)"),
        ("greater", [A, ZERO], BOOL, "a > 0.0f"),
        ("less_equal", [HALF, A], BOOL, "0.5f <= a"),
        ("equal", [MASK, Literal(1)], BOOL, "zero_or_one<f32x4>(m) == 1.0f"),
        ("equal", [Term("i", I64), Literal(2)], BOOL, "i == 2ll"),
        ("equal", [Term("i", I8), Literal(-128)], BOOL, "i == -128"),
        ("equal", [Term("i", I8), Literal(127)], BOOL, "i == 127"),
        ("not_equal", [A, MASK], BOOL, "a != zero_or_one<f32x4>(m)"),
        ("logical_and", [MASK, A], BOOL, "as_mask<f32x4>(m) & as_mask<f32x4>(a != 0)"),
        ("logical_or", [MASK, Literal(True)], BOOL, "as_mask<f32x4>(m) | all<mask<f32x4>>(-1)"),
        ("logical_or", [MASK, ZERO], BOOL, "as_mask<f32x4>(m) | all<mask<f32x4>>(0)"),
        ("logical_not", [MASK], BOOL, "~as_mask<f32x4>(m)"),
    ],
)
def test_what_a_call_is(name: str, terms: list[Any], out: Any, text: str) -> None:
    assert Lowering(4, F32).lower(name, terms, out) == text


@pytest.mark.parametrize(
    ("name", "terms", "out", "match"),
    [
        ("add", [MASK, MASK], BOOL, "add of booleans"),
        ("sqrt", [Term("i", I64)], I64, "sqrt of int64"),
        ("maximum", [Term("i", I64), Literal(0)], I64, "maximum of int64"),
        ("divide", [Term("i", I64), Literal(2)], I64, "divide of int64"),
        ("equal", [Term("i", I64), HALF], BOOL, "equal of int64 with 0.5"),
        ("less", [Term("i", I8), Literal(128)], BOOL, "less of int8 with 128"),
        ("less", [Term("i", I8), Literal(-129)], BOOL, "less of int8 with -129"),
    ],
)
def test_what_cpp_would_compute_otherwise_is_refused(
    name: str, terms: list[Any], out: Any, match: str
) -> None:
    with pytest.raises(NotCompiled, match=match):
        Lowering(4, F32).lower(name, terms, out)

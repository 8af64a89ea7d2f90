"""A formula is read by its own small grammar: what it means, and that nothing else runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet import InputError
from scratchnet.demos.playground.formula import FUNCTIONS, LONGEST, classes_of, with_products

X = np.linspace(-1, 1, 41)
Y = np.linspace(0.5, -0.5, 41)


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        ("y > sin(3 x)", Y > np.sin(3 * X)),
        ("y > sin(3*x)", Y > np.sin(3 * X)),
        ("2x(y + 1) > x y", 2 * X * (Y + 1) > X * Y),
        ("x^2 + y² < 1/2", X**2 + Y**2 < 0.5),
        ("-x^2 < -0.25", -(X**2) < -0.25),
        ("r ≥ 0.5 and not x < 0", (np.hypot(X, Y) >= 0.5) & ~(X < 0)),
        ("-0.5 < x < 0.5", (-0.5 < X) & (X < 0.5)),
        ("(x > 0) ^ (y > 0)", None),
        ("(x > 0) != (y > 0)", (X > 0) != (Y > 0)),
        ("floor(2 (x + 1))", np.floor(2 * (X + 1))),
        ("(x > 0) + 2 (y > 0)", (X > 0) + 2 * (Y > 0)),
        ("max(x, y) > min(x, y) + 1e-1", np.maximum(X, Y) > np.minimum(X, Y) + 0.1),
        ("π x > e y", np.pi * X > np.e * Y),
        ("atan2(y, x) > 1", np.arctan2(Y, X) > 1),
        ("exp(1000 x) > 1", X > 0),
        ("1e400 > x", np.ones(41)),
        ("sqrt(x) > 0", X > 0),
        ("3 > 2", np.ones(41)),
    ],
)
def test_what_a_formula_means(formula: str, wanted: object) -> None:
    if wanted is None:
        # ^ is a power, as people write it; of comparisons that is what 0 and 1 give.
        wanted = np.power((X > 0).astype(float), (Y > 0).astype(float))
    np.testing.assert_array_equal(classes_of(formula, X, Y), wanted)


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os').system('true')", "x.__class__", "().__class__.__bases__",
        "[x for x in y]",
        "lambda: 1", "x[0]", "{x: y}", "'text' > x", "f'{x}' > 'a'", "True", "None", "3j > x",
        "x if y else x", "x := 3", "(x := 3)", "x = y", "x; y", "x\ny\nz(", "import os", "await x",
        "print(x)", "open(x)", "eval(x)", "sin", "sin()", "sin(x, y)", "sin(*x)", "sin(x=1)",
        "sin(x)(y)", "min(x)", "(sin if x else cos)(x)", "x @ y", "x << 3", "x // 2 > 1", "z > 1",
        "x is y", "x in y", "...", "", " ", "\x00", "#", "\\", "*x", "x, y", "(x, y)", "…",
        "ｅval(x)",
        "-" * 199 + ".", "(" * 200, "(" * 90 + "x" + ")" * 91, "9" * 200 + "0", "x" * 201,
        "1 / 0", "0 / 0", "x", "10", "-1", "floor(1e300)", "log(-1)",
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence(formula: str) -> None:
    with pytest.raises(InputError) as error:
        classes_of(formula, X, Y)
    assert "must" in str(error.value) and "formula" in str(error.value)


def test_a_refusal_names_what_is_near() -> None:
    with refused("'sinn' is unknown", "did you mean 'sin'?"):
        classes_of("sinn(x) > 0", X, Y)


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=LONGEST + 5) | st.text("xyr sincoael()+-*/^<>=!&|~.0123456789,", max_size=60)
)
def test_no_text_does_more_than_compute_or_be_refused(formula: str) -> None:
    try:
        classes = classes_of(formula, X, Y)
    except InputError as error:
        assert "must" in str(error)
    else:
        assert classes.shape == X.shape and classes.dtype == np.int64
        assert 0 <= classes.min() and classes.max() <= 9


# A formula, and the same for NumPy: Python's own numbers and `**` give a complex root or an error
# where NumPy gives NaN.
EXPRESSIONS = st.recursive(
    st.sampled_from(
        [("0.5", "half"), ("2", "two"), *[(name,) * 2 for name in ("x", "y", "r", "pi")]]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(
            lambda parts: tuple(
                f"({a} {parts[1]} {b})" for a, b in zip(parts[0], parts[2], strict=True)
            )
        ),
        st.tuples(inner, inner).map(
            lambda parts: (
                f"({parts[0][0]} ** {parts[1][0]})",
                f"power({parts[0][1]}, {parts[1][1]})",
            )
        ),
        st.tuples(st.sampled_from(["sin", "tanh", "abs", "floor"]), inner).map(
            lambda parts: tuple(f"{parts[0]}({a})" for a in parts[1])
        ),
        inner.map(lambda parts: tuple(f"(-{a})" for a in parts)),
    ),
    max_leaves=6,
)
NUMBERS = {"half": np.float64(0.5), "two": np.float64(2), "pi": np.float64(np.pi)}


@settings(deadline=None, max_examples=100)
@given(EXPRESSIONS, EXPRESSIONS)
def test_a_comparison_is_what_numpy_says(left: tuple[str, str], right: tuple[str, str]) -> None:
    formula = f"{left[0]} < {right[0]}"
    if len(formula) > LONGEST:
        return
    names = {"x": X, "y": Y, "r": np.hypot(X, Y), "power": np.power, **NUMBERS, **FUNCTIONS}
    with np.errstate(all="ignore"):
        # The text was made above, of nothing but these names.
        wanted = eval(f"{left[1]} < {right[1]}", {}, names)
    np.testing.assert_array_equal(classes_of(formula, X, Y), np.broadcast_to(wanted, X.shape))


def test_factors_stand_side_by_side() -> None:
    assert with_products("2x y(3)").replace(" ", "") == "2*x*y*(3)"
    assert with_products("sin(x) 2").replace(" ", "") == "sin(x)*2"
    assert with_products("1e3 x and y").split() == ["1e3", "*", "x", "and", "y"]

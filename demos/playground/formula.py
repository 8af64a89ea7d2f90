"""Classes from a formula in x and y, such as `y > sin(3 x)`, read by `ast` and never run as Python.

A comparison gives class 1 where it holds, else 0. A number gives the class that it is when rounded
down, so `(x > 0) + 2 (y > 0)` has four. Only the names, functions and operators below have a
meaning; anything else is refused by name. A factor may stand without its sign, as in `3 x`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError, nearest_name
from scratchnet.demos.playground.state import MOST_CLASSES

LONGEST = 200

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "exp": np.exp, "log": np.log,
    "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "floor": np.floor, "ceil": np.ceil,
    "min": np.minimum, "max": np.maximum, "atan2": np.arctan2,
}  # fmt: skip
TWO_ARGUMENTS = ("min", "max", "atan2")
NAMES = ("x", "y", "r", "pi", "e")
"""r is the distance from the origin."""
BINARY: Mapping[type, Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide,
    ast.Mod: np.mod, ast.Pow: np.power,
}  # fmt: skip
LOGICAL: Mapping[type, Callable[..., Any]] = {
    ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or, ast.BitXor: np.logical_xor,
}  # fmt: skip
COMPARISONS: Mapping[type, Callable[..., Any]] = {
    ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
WORDS = ("and", "or", "not")
SIGNS = {"^": "**", "²": "**2", "³": "**3", "≥": ">=", "≤": "<=", "≠": "!=", "·": "*", "×": "*",
         "−": "-", "π": " pi "}  # fmt: skip
TOKEN = re.compile(
    r"\s*((?P<number>(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|[<>=!]=|.))"
)


def classes_of(formula: str, x: Any, y: Any) -> Any:
    """The class of each point (N,), int64, from its coordinates (N,).

    Raises `InputError` for a formula that cannot be read, and for values that are no classes.
    """
    tree = read(formula)
    with np.errstate(all="ignore"):
        values = np.broadcast_to(_value(tree, _names(x, y), formula), np.shape(x))
    if values.dtype == bool:
        return values.astype(np.int64)
    number = np.floor(values)
    wrong = number[~((number >= 0) & (number < MOST_CLASSES))]
    if len(wrong):
        raise InputError(
            f"formula {formula!r} is {wrong[0]:g} at a point: must be true or false, or a class "
            f"from 0 to {MOST_CLASSES - 1}"
        )
    return number.astype(np.int64)


def read(formula: str) -> ast.expr:
    """The formula as a tree. Raises `InputError` where it is none."""
    if len(formula) > LONGEST:
        raise InputError(f"formula has {len(formula)} characters: must have at most {LONGEST}")
    try:
        return ast.parse(with_products(formula), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(
            f"formula {formula!r} cannot be read: must be one such as y > sin(3 x)"
        ) from None


def with_products(formula: str) -> str:
    """The formula in Python's signs, with `*` where factors stand side by side."""
    for sign, python in SIGNS.items():
        formula = formula.replace(sign, python)
    parts: list[str] = []
    before = ""
    for found in TOKEN.finditer(formula):
        text = found[1]
        kind = "number" if found["number"] else "name" if found["name"] else text
        if text in WORDS:
            kind = "word"
        ends_factor = before in ("number", "name", ")")
        if ends_factor and kind in ("number", "name", "("):
            parts.append("*")
        # The brackets of a function's arguments are no factor.
        before = "function" if kind == "name" and text in FUNCTIONS else kind
        parts.append(text)
    return " ".join(parts)


def _names(x: Any, y: Any) -> dict[str, Any]:
    """The names of a formula with their values: x, y, r = sqrt(x^2 + y^2), pi and e."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return {"x": x, "y": y, "r": np.hypot(x, y), "pi": np.pi, "e": np.e}


def _value(node: ast.expr, names: Mapping[str, Any], formula: str) -> Any:
    """The value of a node: booleans of comparisons, else float64."""

    def value(inner: ast.expr) -> Any:
        return _value(inner, names, formula)

    def number(inner: ast.expr) -> Any:
        return np.asarray(value(inner), np.float64)

    match node:
        case ast.Constant(value=int() | float() as found) if not isinstance(found, bool):
            try:
                return np.float64(found)
            except OverflowError:
                return np.inf
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -number(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return number(inner)
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=inner):
            return np.logical_not(value(inner))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](number(left), number(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in LOGICAL:
            return LOGICAL[type(op)](value(left), value(right))
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return join.reduce(np.broadcast_arrays(*[value(each) for each in parts]))
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(
            type(op) in COMPARISONS for op in ops
        ):
            sides = [number(each) for each in (left, *rest)]
            hold = [
                COMPARISONS[type(op)](a, b)
                for op, a, b in zip(ops, sides[:-1], sides[1:], strict=True)
            ]
            return np.logical_and.reduce(np.broadcast_arrays(*hold))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            needed = 2 if name in TWO_ARGUMENTS else 1
            if len(arguments) != needed:
                raise InputError(
                    f"formula {formula!r}: {name} has {len(arguments)} arguments: must have "
                    f"{needed}"
                )
            return FUNCTIONS[name](*[number(each) for each in arguments])
    raise InputError(f"formula {formula!r}: {_refused(node)}")


def _refused(node: ast.AST) -> str:
    """What is wrong with a node that has no meaning here."""
    known = [*NAMES, *FUNCTIONS]
    if isinstance(node, ast.Name | ast.Call):
        name = node.id if isinstance(node, ast.Name) else getattr(node.func, "id", "a call")
        hint = nearest_name(name, dict.fromkeys(known))
        return f"{name!r} is unknown: must be one of {', '.join(known)}{hint}"
    kind = type(node).__name__
    return f"{kind} has no meaning: must be numbers, + - * / % ^, comparisons, and, or, not"

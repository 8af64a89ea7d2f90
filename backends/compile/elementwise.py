"""What each elementwise call is in C++, on vectors of entries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import Literal, NotCompiled

C_TYPES = {
    "float32": "float",
    "float64": "double",
    "bool": "uint8_t",
    **{f"{sign}int{bits}": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
LETTERS = {"float32": "f32", "float64": "f64", "bool": "u8"}


def c_type(dtype: Any) -> str:
    """The type in C++. Raises `NotCompiled` where there is none."""
    name = str(np.dtype(dtype))
    if name not in C_TYPES:
        raise NotCompiled(f"numbers of type {name}")
    return C_TYPES[name]


def vector_type(dtype: Any, lanes: int) -> str:
    """The name of a vector, such as f32x16."""
    name = str(np.dtype(dtype))
    letters = LETTERS.get(name) or name.replace("uint", "u").replace("int", "i")
    return f"{letters}x{lanes}"


@dataclass(frozen=True)
class Term:
    """An expression of one vector. A term of dtype bool is a mask: see `vectors.h`."""

    text: str
    dtype: Any


def number(value: Any, dtype: Any) -> str:
    """A number as C++ writes it, rounded to `dtype` as NumPy rounds it."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        rounded = dtype.type(value)
        if not np.isfinite(rounded):
            return "NAN" if math.isnan(rounded) else "INFINITY" if rounded > 0 else "-INFINITY"
        digits = np.format_float_scientific(rounded, unique=True, trim="0")
        plain = repr(float(str(rounded)))
        text = plain if "e" not in plain and len(plain) < 12 else digits
        return text + ("f" if dtype == np.float32 else "")
    if dtype.kind == "b":
        return str(int(bool(value)))
    suffix = {"u": "ull", "i": "ll"}[dtype.kind] if dtype.itemsize == 8 else ""
    return f"{int(value)}{suffix}"


OPERATORS = {
    **{"add": "+", "subtract": "-", "multiply": "*", "divide": "/"},
    **{"left_shift": "<<", "right_shift": ">>"},
    **{"bitwise_or": "|", "bitwise_and": "&", "bitwise_xor": "^"},
}
COMPARISONS = {
    **{"greater": ">", "greater_equal": ">=", "less": "<", "less_equal": "<="},
    **{"equal": "==", "not_equal": "!="},
}
FUNCTIONS = {
    **{"absolute": "absolute", "sign": "sign", "sqrt": "square_root", "exp": "exponential"},
    **{"log": "logarithm", "log1p": "logarithm_of_one_plus", "tanh": "tanh_of", "power": "power"},
}
# x^p for the p for which NumPy does not call the C library's pow either.
POWERS = {2.0: "{0} * {0}", 1.0: "{0}", 0.5: "square_root({0})", -1.0: "1 / {0}"}


class Lowering:
    """Calls as expressions over vectors of `lanes` entries; `main` is the step's float type."""

    functions = FUNCTIONS
    powers = POWERS

    def __init__(self, lanes: int, main: Any) -> None:
        self.lanes, self.main = lanes, np.dtype(main)

    def vector(self, dtype: Any) -> str:
        """The type of a vector of these numbers."""
        return vector_type(dtype, self.lanes)

    def as_type(self, term: Term | Literal, dtype: Any) -> str:
        """The term as a vector of `dtype`, which is not bool."""
        if isinstance(term, Literal):
            return f"all<{self.vector(dtype)}>({number(term.value, dtype)})"
        if term.dtype == dtype:
            return term.text
        if term.dtype == np.bool_:
            return f"zero_or_one<{self.vector(dtype)}>({term.text})"
        return f"__builtin_convertvector({term.text}, {self.vector(dtype)})"

    def _scalar_or_vector(self, term: Term | Literal, dtype: Any) -> str:
        """Beside a vector, a number need not be made one."""
        return number(term.value, dtype) if isinstance(term, Literal) else self.as_type(term, dtype)

    def as_mask(self, term: Term | Literal) -> str:
        """The term as a mask as wide as the step's floats."""
        vector = self.vector(self.main)
        if isinstance(term, Literal):
            return f"all<mask<{vector}>>({-int(bool(term.value))})"
        if term.dtype == np.bool_:
            return f"as_mask<{vector}>({term.text})"
        return f"as_mask<{vector}>({term.text} != 0)"

    def choose(self, mask: str, a: str, b: str, out: Any) -> str:
        """a where the mask is set, else b."""
        return f"as_mask<{self.vector(out)}>({mask}) ? {a} : {b}"

    def negated(self, mask: str) -> str:
        """The mask of what `mask` leaves out."""
        return f"~{mask}"

    def lower(self, name: str, terms: list[Term | Literal], out: Any) -> str:
        """The expression of a call. Arithmetic is done in the type of its output, as NumPy does."""
        out = np.dtype(out)
        if name in COMPARISONS:
            return self._comparison(name, terms)
        if name in ("logical_and", "logical_or"):
            masks = [self.as_mask(each) for each in terms]
            return f"{masks[0]} {'&' if name == 'logical_and' else '|'} {masks[1]}"
        if name == "logical_not":
            return self.negated(self.as_mask(terms[0]))
        if out == np.bool_ and name not in ("positive", "convert"):
            raise NotCompiled(f"{name} of booleans")
        if name == "where":
            a, b = (self.as_type(each, out) for each in terms[1:])
            return self.choose(self.as_mask(terms[0]), a, b, out)
        if name == "where_positive":
            dy, y = (self.as_type(each, out) for each in terms)
            return f"{y} > 0 ? {dy} : {self.as_type(Literal(0.0), out)}"
        if name == "times_slope":
            dy, slope = (self.as_type(each, out) for each in terms)
            return f"{dy} * ({dy} == 0 ? {self.as_type(Literal(1.0), out)} : {slope})"
        if name in ("positive", "convert"):
            return self.as_mask(terms[0]) if out == np.bool_ else self.as_type(terms[0], out)
        if out.kind != "f" and name not in OPERATORS and name not in ("square", "negative"):
            raise NotCompiled(f"{name} of {out}")
        return self._arithmetic(name, terms, out)

    def _comparison(self, name: str, terms: list[Term | Literal]) -> str:
        """In the type of the operand that is no number; a mask counts as 0 and 1."""
        dtypes = [each.dtype for each in terms if isinstance(each, Term)]
        dtype = np.result_type(*dtypes)
        if dtype == np.bool_:
            dtype = self.main
        if not all(isinstance(each, Term) for each in terms) and dtype.kind in "iu":
            value = next(each.value for each in terms if isinstance(each, Literal))
            if value != int(value) or not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
                raise NotCompiled(f"{name} of {dtype} with {value}")
        a, b = (self._scalar_or_vector(each, dtype) for each in terms)
        return f"{a} {COMPARISONS[name]} {b}"

    def _arithmetic(self, name: str, terms: list[Term | Literal], out: Any) -> str:
        """The C++ expression of an arithmetic call."""
        if name in OPERATORS:
            if name == "divide" and out.kind != "f":
                raise NotCompiled(f"divide of {out}")
            a, b = (self._scalar_or_vector(each, out) for each in terms)
            if all(isinstance(each, Literal) for each in terms):
                a = self.as_type(terms[0], out)
            return f"{a} {OPERATORS[name]} {b}"
        vectors = [self.as_type(each, out) for each in terms]
        if name in ("maximum", "minimum"):
            # A number that is no NaN goes first, which leaves one comparison.
            for one, other in (vectors, vectors[::-1]):
                term = terms[vectors.index(one)]
                if isinstance(term, Literal) and term.value == term.value:
                    sign = ">" if name == "maximum" else "<"
                    return f"{one} {sign} {other} ? {one} : {other}"
            return f"{name}({', '.join(vectors)})"
        if name == "power":
            exponent = terms[1]
            if isinstance(exponent, Literal) and float(exponent.value) in self.powers:
                return self.powers[float(exponent.value)].format(vectors[0])
            return f"{self.functions[name]}({', '.join(vectors)})"
        if name == "square":
            return f"{vectors[0]} * {vectors[0]}"
        if name == "negative":
            return f"-{vectors[0]}"
        if name == "reciprocal":
            return f"1 / {vectors[0]}"
        return f"{self.functions[name]}({vectors[0]})"

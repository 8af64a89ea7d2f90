"""What each elementwise call is in CUDA: one thread computes one entry at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import Literal, View
from scratchnet.backends.compile.classify import Input, Node, Value
from scratchnet.backends.compile.elementwise import Lowering, Term, c_type, number
from scratchnet.backends.compile.loops import Function, place_of
from scratchnet.backends.compile.memory import Memory, Pointer


class ScalarLowering(Lowering):
    """Calls as expressions of single numbers; a term of dtype bool is true or false."""

    functions = {
        **{"absolute": "fabs", "sign": "sign", "sqrt": "sqrt", "exp": "exp"},
        **{"log": "log", "log1p": "log1p", "tanh": "tanh", "power": "pow"},
    }
    powers = {2.0: "{0} * {0}", 1.0: "{0}", 0.5: "sqrt({0})", -1.0: "1 / {0}"}

    def __init__(self, main: Any) -> None:
        super().__init__(1, main)

    def vector(self, dtype: Any) -> str:
        return c_type(dtype)

    def as_type(self, term: Term | Literal, dtype: Any) -> str:
        if isinstance(term, Literal):
            return number(term.value, dtype)
        return term.text if term.dtype == dtype else f"{c_type(dtype)}({term.text})"

    def as_mask(self, term: Term | Literal) -> str:
        if isinstance(term, Literal):
            return "true" if term.value else "false"
        return term.text if term.dtype == np.bool_ else f"({term.text} != 0)"

    def choose(self, mask: str, a: str, b: str, out: Any) -> str:
        return f"{mask} ? {a} : {b}"

    def negated(self, mask: str) -> str:
        return f"!{mask}"


class ScalarTerms:
    """The lines of a loop's body in CUDA, which does P points, or one entry without points.

    `loads` come first, then `body` for each point q of the P, then `stores`.
    """

    def __init__(self, f: Function, memory: Memory, points: int) -> None:
        self.f, self.memory, self.points = f, memory, points
        self.lowering = ScalarLowering(memory.main)
        self.loads: list[str] = []
        self.body: list[str] = []
        self.stores: list[str] = []
        self._known: dict[Any, Term] = {}

    def name(self, node: Node, text: str) -> None:
        """What a product or a reduction gives has its name already."""
        assert node.value is not None
        self._known[node.value] = Term(text, node.out.dtype)

    def write(self, nodes: list[Node], kept: set[Value]) -> None:
        """The calls on points."""
        for node in nodes:
            value = node.value
            assert value is not None
            if value not in self._known:
                self._define(node, [self._operand(each) for each in node.inputs])
                self._known[value] = Term(f"n{node.number}", node.out.dtype)
            if value in kept:
                self._store(self.memory.value(value), self._known[value], value.width, node.number)

    def lines(self) -> list[str]:
        """The body of a loop over columns j and points p, p + 1, ..."""
        if self.points == 1:
            body = ["{ const int q = 0;", *("  " + line for line in self.body), "}"]
        else:
            body = [
                "#pragma unroll",
                f"for (int q = 0; q < {self.points}; q++) {{",
                *("  " + line for line in self.body),
                "}",
            ]
        return [*self.loads, *body, *self.stores]

    def write_flat(self, nodes: list[Node], is_needed: Any) -> None:
        """The calls on entries i without points; of several for one place the last counts."""
        last = {place_of(node.out): node for node in nodes}
        for node in nodes:
            self._define(node, [self._flat_operand(each) for each in node.inputs])
            self._known[place_of(node.out)] = Term(f"n{node.number}", node.out.dtype)
            if last[place_of(node.out)] is node and is_needed(node):
                name = self.f.name(self.memory.array(node.out), writes=True)
                self.body.append(f"{name}[i] = n{node.number};")

    def _define(self, node: Node, terms: list[Term | Literal]) -> None:
        """Add the line that computes the node."""
        text = self.lowering.lower(node.name, terms, node.out.dtype)
        kind = "bool" if node.out.dtype == np.bool_ else c_type(node.out.dtype)
        self.body.append(f"const {kind} n{node.number} = {text};")

    def _store(self, pointer: Pointer, term: Term, width: int, number: int) -> None:
        """Add the lines that store a node's entries behind the loop."""
        name = self.f.name(pointer, writes=True)
        self.loads.append(f"Some<{pointer.c_type}, {self.points}> o{number};")
        self.body.append(f"o{number}.at[q] = {term.text};")
        self.stores.append(f"store({_at(name, width)}, o{number});")

    def _operand(self, each: Input) -> Term | Literal:
        """What an input is called in the loop; it is loaded once."""
        if isinstance(each, Literal):
            return each
        key = each if isinstance(each, Value) else place_of(each)
        if key not in self._known:
            self._known[key] = self._loaded(each, f"u{len(self._known)}")
        return self._known[key]

    def _loaded(self, each: Value | View, name: str) -> Term:
        """Add the line that loads an input, and give its term."""
        dtype = each.dtype
        if isinstance(each, View) and each.points is None:
            step = each.strides[-1] if each.size > 1 else 0
            place = f"{self.f.name(self.memory.array(each))}[{f'j * {step}' if step else 0}]"
            self.loads.append(f"const {_kind(dtype)} {name} = {place};")
            return Term(name, dtype)
        if isinstance(each, View) and not self.memory.has_copy(each):
            return self._outside(each, name)
        pointer = self.memory.value(each)
        width = each.width if isinstance(each, Value) else (*each.shape, 1)[1]
        at = _at(self.f.name(pointer), width)
        self.loads.append(f"const auto {name} = load<{self.points}>({at});")
        return Term(f"({name}.at[q] != 0)" if dtype == np.bool_ else f"{name}.at[q]", dtype)

    def _outside(self, each: View, name: str) -> Term:
        """An entry of an array from outside, which has no rows behind the last point."""
        pointer = self.memory.tile_of_array(each)
        along = f" + j * {each.strides[1]}" if len(each.shape) == 2 and each.shape[1] > 1 else ""
        place = f"{self.f.name(pointer)}[int64_t(p + q) * {pointer.row}{along}]"
        self.body.append(f"const {_kind(each.dtype)} {name} = p + q < rows ? {place} : 0;")
        return Term(name, each.dtype)

    def _flat_operand(self, each: Input) -> Term | Literal:
        """As `_operand`, where the entries are counted through."""
        if isinstance(each, Literal):
            return each
        assert isinstance(each, View)
        key = place_of(each)
        if key not in self._known:
            name, at = f"u{len(self._known)}", "i" if each.size > 1 else "0"
            place = f"{self.f.name(self.memory.array(each))}[{at}]"
            self.body.append(f"const {_kind(each.dtype)} {name} = {place};")
            self._known[key] = Term(name, each.dtype)
        return self._known[key]


def _kind(dtype: Any) -> str:
    return "bool" if dtype == np.bool_ else c_type(dtype)


def _at(name: str, width: int) -> str:
    return f"{name} + p" if width == 1 else f"{name} + j * LD + p"

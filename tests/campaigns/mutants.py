"""Mutants: a module with one small mistake in it, of the kinds that people make."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In},
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult},
    **{ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitXor: ast.BitOr},
}
DRAWN = 300
GPU_FILES = ("cupy", "cuda", "cublas")
"""How the names of the files begin that only a GPU runs."""

SYMMETRIC = ("add", "multiply", "maximum", "minimum", "equal", "not_equal", "shares_memory", "gcd")
"""Functions whose arguments may be swapped."""
TWO_KINDS = ("isinstance", "getattr", "setattr", "hasattr", "range")
"""Python's own, of which any swap fails at once."""

Change = tuple[str, Callable[[], None]]
"""The kind of a mistake, and what makes it in the tree."""


@dataclass(frozen=True)
class Mutant:
    path: str
    """Of the module, from the root of the repository."""
    line: int
    kind: str
    what: str
    source: str
    """The whole module with the mistake."""


def drawn(root: Path, count: int, seed: int) -> list[Mutant]:
    """The first of `DRAWN` mutants of the engine and its NumPy backend, in an order of the seed."""
    places = [
        (path, number, variant)
        for path in modules(root)
        for number, node in enumerate(nodes(ast.parse(path.read_text())))
        for variant in range(len(changes(node)))
    ]
    return [mutant(root, *place) for place in random.Random(seed).sample(places, DRAWN)[:count]]


def modules(root: Path) -> list[Path]:
    """The modules of the engine and the backends without those of the GPU."""
    found = sorted([*root.glob("scratchnet/**/*.py"), *root.glob("backends/**/*.py")])
    return [path for path in found if not path.name.startswith(GPU_FILES)]


def mutant(root: Path, path: Path, number: int, variant: int) -> Mutant:
    """The module with one node of its tree changed in one way."""
    tree = ast.parse(path.read_text())
    node = list(nodes(tree))[number]
    line, before = node.lineno, first_line(node)
    kind, change = changes(node)[variant]
    change()
    ast.fix_missing_locations(tree)
    what = f"{before}  ->  {first_line(node)}"
    return Mutant(str(path.relative_to(root)), line, kind, what, ast.unparse(tree))


def first_line(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:90]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes below in which a mistake can be made.

    Annotations, format specifications, `__all__` and what only type checkers read are left out.
    """
    for name, field in ast.iter_fields(tree):
        if name in ("annotation", "returns", "format_spec", "type_comment"):
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST) and not is_passive(child):
                if hasattr(child, "lineno"):
                    yield child
                yield from nodes(child)


def is_passive(node: ast.AST) -> bool:
    """Whether nothing that runs depends on it."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def changes(node: ast.AST) -> list[Change]:
    """Every mistake that can be made at this node."""
    if isinstance(node, ast.Compare):
        return [
            ("comparison", lambda place=place, op=op: put(node.ops, place, COMPARISONS[type(op)]()))
            for place, op in enumerate(node.ops)
        ]
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC:
        sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
        deleted: list[Change] = []
        if isinstance(node, ast.AugAssign):
            deleted = [("deleted statement", lambda: become(node, ast.Pass()))]
        if any(is_text(each) for each in sides):
            return deleted
        op = ARITHMETIC[type(node.op)]()
        return [("arithmetic", lambda: setattr(node, "op", op)), *deleted]
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [("and, or", lambda: setattr(node, "op", other))]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [("removed not", lambda: become(node, node.operand))]
    if isinstance(node, ast.Constant):
        return of_constant(node)
    if isinstance(node, ast.Call):
        return of_call(node)
    if isinstance(node, ast.Slice):
        return [
            ("off by one", lambda end=end, bound=bound: setattr(node, end, one_more(bound)))
            for end in ("lower", "upper")
            if (bound := getattr(node, end)) is not None and not isinstance(bound, ast.Constant)
        ]
    return of_statement(node)


def of_constant(node: ast.Constant) -> list[Change]:
    value = node.value
    if isinstance(value, bool):
        return [("constant", lambda: setattr(node, "value", not value))]
    if isinstance(value, (int, float)):
        return [
            ("constant", lambda by=by: setattr(node, "value", value + by))  # type: ignore[misc]
            for by in (1, -1)
        ]
    return []


def of_call(node: ast.Call) -> list[Change]:
    """Swapped arguments, and a range that is one longer."""
    called, arguments = ast.unparse(node.func), node.args
    found: list[Change] = []
    if called == "range" and not isinstance(arguments[-1], (ast.Constant, ast.Starred)):
        found.append(("off by one", lambda: put(arguments, -1, one_more(arguments[-1]))))
    two = arguments[:2]
    if len(two) < 2 or any(isinstance(each, ast.Starred) for each in two):
        return found
    if called in TWO_KINDS or called.rpartition(".")[2] in SYMMETRIC:
        return found
    if ast.unparse(two[0]) != ast.unparse(two[1]):
        found.append(("swapped arguments", lambda: arguments.__setitem__(slice(2), two[::-1])))
    return found


def of_statement(node: ast.AST) -> list[Change]:
    """A deleted statement, a returned None, another default."""
    if isinstance(node, ast.Return) and node.value is not None and not is_none(node.value):
        return [("return None", lambda: setattr(node, "value", ast.Constant(None)))]
    targets = node.targets if isinstance(node, ast.Assign) else []
    stores = any(isinstance(each, (ast.Attribute, ast.Subscript)) for each in targets)
    calls = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if stores or calls or isinstance(node, ast.Raise):
        return [("deleted statement", lambda: become(node, ast.Pass()))]
    if isinstance(node, ast.FunctionDef):
        defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]
        return [
            ("default", lambda each=each: setattr(each, "value", each.value + "_"))
            for each in defaults
            if is_text(each) and isinstance(each, ast.Constant)
        ]
    return []


def put(items: list[Any], place: int, item: Any) -> None:
    items[place] = item


def become(node: ast.AST, other: ast.AST) -> None:
    """The node is the other one from here on, wherever it hangs in the tree."""
    place = {name: getattr(node, name) for name in ("lineno", "col_offset")}
    node.__class__ = other.__class__  # type: ignore[assignment]
    node.__dict__ = other.__dict__ | place


def one_more(node: ast.AST) -> ast.AST:
    return ast.BinOp(left=node, op=ast.Add(), right=ast.Constant(1))


def is_text(node: ast.AST) -> bool:
    is_constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_constant or isinstance(node, ast.JoinedStr)


def is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None

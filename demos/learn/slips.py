"""Small slips in a right solution: where one gives the learner's numbers, it is the explanation.

A check knows the mistakes that it was told of. For others the solution is changed in one place: an
operator, a constant, a name, an axis, a factor that is left out. If the check says the very same
sentence about the changed solution, with the same numbers, the learner has made that slip, in
whatever form. The sentence then quotes the line with the slip, and not the right one. Of a line
with several values it quotes the one with the slip: the others may be still to be written.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from scratchnet.demos.learn.catalogue import Exercise
from scratchnet.demos.learn.wrong import WrongNumbers, is_close, searching
from scratchnet.files import one_line

MOST = 400
LONGEST = 100
OPERATORS: dict[type, tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
REDUCTIONS = ("mean", "sum", "max")


def slip_that_says(exercise: Exercise, sentence: str, numbers: Sequence[float] = ()) -> str | None:
    """The line with the slip about which the check says this sentence; None where there is none.

    The sentence tells one entry; all numbers must be those of the learner.

    Solutions with a `while` are left alone, for a slip in one may never end; and so are bug hunts,
    where little is written.
    """
    tree = ast.parse(exercise.solution)
    if exercise.name.startswith("hunt_") or any(
        isinstance(node, ast.While) for node in ast.walk(tree)
    ):
        return None
    token = searching.set(True)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            for number, (line, changed) in enumerate(slips(tree)):
                if number == MOST:
                    return None
                said = said_about(exercise, changed)
                if said is None or " ".join(str(said).split()) != sentence:
                    continue
                if len(said.numbers) == len(numbers) and is_close(
                    np.array(said.numbers), np.array(numbers)
                ):
                    return line
    finally:
        searching.reset(token)
    return None


def said_about(exercise: Exercise, tree: ast.Module) -> WrongNumbers | None:
    """What the check says about the solution that this tree holds; None where it fails."""
    module = ModuleType("slip")
    before = sys.modules.get("slip")
    sys.modules["slip"] = module
    try:
        with np.errstate(all="ignore"):
            exec(compile(ast.fix_missing_locations(tree), "slip", "exec"), module.__dict__)
            exercise.module.check(module)
    except WrongNumbers as wrong:
        return wrong
    except Exception:
        pass
    finally:
        if before is None:
            del sys.modules["slip"]
    return None


def slips(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Each change of one place, as the line that it makes, and the whole."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = sorted({each.arg for each in function.args.args if each.arg != "self"})
        for statement in function.body:
            for part in statements(statement):
                for node in expressions(part):
                    for other in alternatives(node, names):
                        if ast.dump(other) != ast.dump(node):
                            yield replaced(tree, part, node, other)


def statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statement, or those in its body, which have no others in them."""
    inner = [each for each in ast.iter_child_nodes(statement) if isinstance(each, ast.stmt)]
    if not inner:
        yield statement
    for each in inner:
        yield from statements(each)


def expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Every expression of the statement."""
    return (node for node in ast.walk(statement) if isinstance(node, ast.expr))


def alternatives(node: ast.expr, names: list[str]) -> Iterator[ast.expr]:
    """What may stand there by mistake, the likelier first."""
    if isinstance(node, ast.BinOp):
        for operator in OPERATORS.get(type(node.op), ()):
            yield ast.BinOp(node.left, operator(), node.right)
        yield from (node.left, node.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value: Any = node.value
        yield from (ast.Constant(each) for each in (value + 1, value - 1, 2 * value, -value))
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for comparison in (ast.Lt, ast.LtE, ast.Gt, ast.GtE):
            if not isinstance(node.ops[0], comparison):
                yield ast.Compare(node.left, [comparison()], node.comparators)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Attribute) and node.attr in REDUCTIONS:
        others = (each for each in REDUCTIONS if each != node.attr)
        yield from (ast.Attribute(node.value, each, node.ctx) for each in others)
    elif isinstance(node, ast.Call):
        if len(node.args) == 1 and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
            yield node.args[0]
        if isinstance(node.func, ast.Attribute) and not node.args:
            yield node.func.value
        for number in range(len(node.keywords)):
            rest = [*node.keywords[:number], *node.keywords[number + 1 :]]
            yield ast.Call(node.func, node.args, rest)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        for i in range(len(node.elts) - 1):
            swapped = [*node.elts]
            swapped[i : i + 2] = swapped[i + 1], swapped[i]
            yield ast.Tuple(swapped, ast.Load())
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (ast.Name(each, ast.Load()) for each in names if each != node.id)


def replaced(
    tree: ast.Module, statement: ast.stmt, node: ast.expr, other: ast.expr
) -> tuple[str, ast.Module]:
    """A copy of the tree with `other` for the node, and the line of its statement there."""
    memo: dict[int, Any] = {id(node): copy.deepcopy(other)}
    changed = copy.deepcopy(tree, memo)
    quoted = copy.copy(memo[id(statement)])
    before, after = getattr(statement, "value", None), getattr(quoted, "value", None)
    if isinstance(before, ast.Tuple) and isinstance(after, ast.Tuple):
        pairs = list(zip(before.elts, after.elts, strict=True))
        values = [b if ast.dump(a) != ast.dump(b) else ast.Constant(...) for a, b in pairs]
        quoted.value = ast.Tuple(values, ast.Load())
    return one_line(ast.unparse(quoted), LONGEST), changed

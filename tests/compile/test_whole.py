"""Calls that neither treat each point by itself nor sum over the points, as a loss may have them.

They are computed at once on the recorded arrays, and leave the numbers of a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiled import WIDE, call, compare, record

from scratchnet import SGD, Tensor, mlp, ops
from scratchnet.backends.compile import NotCompiled, compiler_available, write_program
from scratchnet.backends.compile.classify import Classified

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 2))
Y = RNG.normal(size=(30, 3))

Loss = Callable[[Tensor], Tensor]


def square(x: Tensor) -> Tensor:
    return (x * x).sum((-2, -1))


LOSSES: dict[str, tuple[Loss, set[str]]] = {
    "rows by number": (lambda y: square(y[np.array([0, -1, 0])]), {"take", "scatter_add"}),
    "columns side by side": (
        lambda y: square(ops.concatenate([y, 2.0 * y], -1)),
        {"concatenate"},
    ),
    "points one after another": (
        lambda y: square(ops.concatenate([y, 2.0 * y], -2)),
        {"concatenate"},
    ),
    "the largest of all points": (lambda y: y.max(-2).sum(-1), {"max"}),
    "a row beside every point": (lambda y: square(y - y.min(-2, keepdims=True)), {"min"}),
    "a choice by column": (
        lambda y: square(ops.where(y.mean(-2, keepdims=True) > 0, y, -2.0 * y)),
        {"greater"},
    ),
    "a new last axis": (
        lambda y: (ops.stack([y, 0.5 - y], -1).max(-1) ** 2).sum((-2, -1)),
        {"concatenate", "max"},
    ),
    "a sum over the points of a stack": (
        lambda y: square(ops.stack([y, 2.0 * y]).sum(1)),
        {"concatenate", "sum"},
    ),
    "products of all pairs": (lambda y: square(ops.matmul(y, y.T)), {"matmul"}),
    "means of a transpose": (lambda y: (y.T.mean(-1) ** 2).sum(), {"sum"}),
}
ALONE = {
    "rows by number",
    "a sum over the points of a stack",
    "products of all pairs",
    "means of a transpose",
}


@pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
@pytest.mark.parametrize(
    ("name", "ensemble"),
    [
        (name, ensemble)
        for name in LOSSES
        for ensemble in (None, 2)
        if not (ensemble and name in ALONE)
    ],
)
def test_the_numbers_of_a_replay(name: str, ensemble: int | None) -> None:
    loss, expected = LOSSES[name]
    model = mlp([2, 5, 3], dtype="float64", ensemble=ensemble)
    calls, outcome, _ = record(SGD(model, 0.01), X, Y, loss=lambda outputs, _: loss(outputs))
    at_once = {node.name for node in Classified(calls, outcome).nodes if node.kind == "whole"}
    assert expected <= at_once
    compare(model, calls, outcome)


@pytest.mark.parametrize(
    ("loss", "ensemble", "match"),
    [
        (lambda y: square(y[..., :2]), None, "scatter_add by tuple"),
        (lambda y: square(y[2:5]), None, "scatter_add by slice"),
        (lambda y: square(y[np.arange(30) % 2 == 0]), None, "take by ndarray"),
        (lambda y: square(y[:, np.array([0, 1, 0])]), None, "take by tuple"),
        (lambda y: square(ops.split(y, 3, -1)[0] * y), 2, "take of a part of each network"),
        (lambda y: square(y[np.array([0, 0])][0]), 2, "take by networks"),
        (lambda y: square(ops.concatenate([y, y], 0)), 2, "concatenate of networks"),
        (lambda y: square(ops.stack([y, y])), 2, "concatenate of networks"),
        (lambda y: y.max(0).sum(), 2, "max over the networks"),
    ],
)
def test_what_has_no_compiled_form_is_named(loss: Loss, ensemble: int | None, match: str) -> None:
    model = mlp([2, 5, 3], dtype="float64", ensemble=ensemble)
    calls, outcome, _ = record(SGD(model, 0.01), X, Y, loss=lambda outputs, _: loss(outputs))
    with pytest.raises(NotCompiled, match=rf"call \d+, {match}"):
        write_program(calls, outcome, WIDE)


def test_an_extreme_of_whole_numbers_is_refused() -> None:
    x, W, y = (np.empty(shape, np.float32) for shape in ((30, 2), (2, 3), (30, 3)))
    product, numbers = call("matmul", x, W, out=y), np.zeros(5, int)
    out = np.zeros((), int)
    with pytest.raises(NotCompiled, match="call 2, max of int64"):
        write_program([product, call("max", numbers, None, False, out=out)], out, WIDE)


def test_products_of_two_types_are_refused() -> None:
    x, W, y = (np.zeros(shape, np.float32) for shape in ((30, 2), (2, 3), (30, 3)))
    other = [array.astype(float) for array in (x, W, y)]
    calls = [call("matmul", x, W, out=y), call("matmul", other[0], other[1], out=other[2])]
    with pytest.raises(NotCompiled, match="products of .*float(32|64), .*float(32|64)"):
        write_program(calls, y, WIDE)


@pytest.mark.parametrize(
    ("a", "b", "term"),
    [
        ((4, 5), (5, 3), "a[i0 * 5 + k * 1] * b[k * 3 + i1 * 1]"),
        ((5,), (5, 3), "a[k * 1] * b[k * 3 + i0 * 1]"),
        ((4, 5), (5,), "a[i0 * 5 + k * 1] * b[k * 1]"),
        ((2, 4, 5), (2, 5, 3), "a[i0 * 20 + i1 * 5 + k * 1] * b[i0 * 15 + k * 3 + i2 * 1]"),
        ((5,), (2, 5, 3), "a[k * 1] * b[i0 * 15 + k * 3 + i1 * 1]"),
        ((2, 4, 5), (5,), "a[i0 * 20 + i1 * 5 + k * 1] * b[k * 1]"),
        ((2, 4, 5), (5, 3), "a[i0 * 20 + i1 * 5 + k * 1] * b[k * 3 + i2 * 1]"),
        ("ones", (2, 5, 3), "1.0 * a[i0 * 15 + k * 3 + i1 * 1]"),
    ],
)
def test_the_terms_of_a_product_of_whole_arrays(a: Any, b: tuple[int, ...], term: str) -> None:
    x, W, y = (np.zeros(shape, np.float32) for shape in ((30, 2), (2, 7), (30, 7)))
    left, right = np.ones(5 if a == "ones" else a, np.float32), np.zeros(b, np.float32)
    left.flags.writeable = a != "ones"
    out = np.matmul(left, right)
    calls = [call("matmul", x, W, out=y), call("matmul", left, right, out=out)]
    source = write_program(calls, out, WIDE).source
    assert f"for (int64_t k = 0; k < 5; k++) sum += {term};" in source
    entry = " + ".join(f"i{i} * {s // 4}" for i, s in enumerate(out.strides))
    assert f"[{entry}] = sum;" in source

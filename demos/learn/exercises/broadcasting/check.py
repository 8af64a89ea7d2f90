"""Gradients of operands that were added to, stretched, both, and neither."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Mistake, Wrong, compare, is_close, read

CASES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((5, 3), (5, 3)),
    ((5, 3), (3,)),
    ((4, 4), (4,)),
    ((5, 3), (5, 1)),
    ((5, 3), (1, 3)),
    ((5, 4, 3), (4, 3)),
    ((5, 4, 3), (1, 3)),
    ((5, 4, 3), (4, 1)),
    ((5, 4, 3), (5, 1, 3)),
    ((5, 3), (1, 1)),
    ((5, 3), ()),
    ((5, 1), (1,)),
)
ALL_SUMMED = "everything was summed, must be only the axes that were repeated"


def check(learner: Any) -> None:
    """Raise `Wrong` unless `unbroadcast` sums dL/dy over the axes that were added or stretched."""
    rng = np.random.default_rng(5)
    for full, shape in CASES:
        dy = rng.uniform(0.5, 1.5, full)
        right = summed(dy, shape)
        what = f"dy {full}, operand {shape}: the gradient"
        found = read(learner.unbroadcast(dy.copy(), shape), what, f"an array of shape {shape}")
        if found.shape != shape:
            raise Wrong(
                f"{what} has shape {found.shape}, must be {shape}: {reason(found, dy, right)}"
            )
        repeated = dy.size // max(1, right.size)
        nothing = "nothing was repeated, so nothing is to be summed"
        mistakes: list[Mistake] = [
            ("a mean, must be a sum: each use counts in full", right / repeated),
            ("only the first use counts, must be the sum over all", first(dy, shape)),
            (nothing if full == shape else ALL_SUMMED, 0 * right + dy.sum()),
        ]
        if full == (4, 4):
            mistakes.append(("summed over the wrong axis: the added axis is the first", dy.sum(1)))
        compare(found, right, what, mistakes)


def reason(found: Any, dy: Any, right: Any) -> str:
    """Why the shape may be another one."""
    if found.size == right.size and is_close(found.ravel(), right.ravel()):
        return "the numbers are right; keepdims=True leaves an axis of size 1 where it sums"
    if found.shape == dy.shape:
        return "nothing was summed"
    if found.shape == () or found.shape == (1,) * found.ndim:
        return ALL_SUMMED
    if any(found.shape == each.shape and is_close(found, each) for each in sums(dy)):
        return "summed over other axes than those that were added or stretched"
    return "sum over the added axes, and over the stretched ones with keepdims=True"


def sums(dy: Any) -> list[Any]:
    """dy summed over each axis alone."""
    return [dy.sum(axis=axis, keepdims=kept) for axis in range(dy.ndim) for kept in (True, False)]


def summed(dy: Any, shape: tuple[int, ...]) -> Any:
    """dy summed over the axes that an operand of that shape lacks, or has with length 1."""
    padded = (1,) * (dy.ndim - len(shape)) + shape
    axes = tuple(i for i, n in enumerate(padded) if n == 1)
    return dy.sum(axis=axes).reshape(shape)


def first(dy: Any, shape: tuple[int, ...]) -> Any:
    """dy at the first use of each entry of an operand of that shape."""
    padded = (1,) * (dy.ndim - len(shape)) + shape
    return dy[tuple(slice(0, n) for n in padded)].reshape(shape)

"""Compare the gradients of a learner with finite differences, and name the mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import compare

STEP = 1e-5


def gradient_fault(
    what: str,
    forward: Callable[..., Any],
    pullback: Callable[..., Any],
    *arrays: Any,
    seed: int = 0,
) -> None:
    """Raise `Wrong` unless `pullback` is that of `forward` at these float64 arrays.

    `forward(*arrays)` gives y; `pullback(dy, *arrays)` the learner's gradient with respect to each
    array: an array where there is one, else a tuple. `what` names the function in sentences.
    """
    y = np.asarray(forward(*arrays))
    dy = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape)
    found = pullback(dy, *(each.copy() for each in arrays))
    if len(arrays) == 1:
        found = (found,)
    for number, gradient in enumerate(found):
        name = what if len(arrays) == 1 else f"gradient {number + 1} of {what}"
        compare(gradient, differences(forward, arrays, number, dy), name, tolerance=1e-5)


def differences(
    forward: Callable[..., Any], arrays: tuple[Any, ...], number: int, dy: Any
) -> np.ndarray:
    """d(sum of dy * forward) / d(one of the arrays), by central differences."""
    x = arrays[number]
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        sides = []
        for step in (STEP, -STEP):
            moved = x.copy()
            moved[place] += step
            inputs = (*arrays[:number], moved, *arrays[number + 1 :])
            sides.append(np.asarray(forward(*inputs)))
        slopes[place] = np.sum(dy * (sides[0] - sides[1])) / (2 * STEP)
    return slopes

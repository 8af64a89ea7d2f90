"""Compare the gradients of a learner with finite differences, and name the mistake."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Mistake, Wrong, compare, searching, shown
from scratchnet.gradcheck import explain_pullback

STEP = 1e-5
TOLERANCE = 1e-5
INPUT = re.compile(r"\(input (\d)\)|\binput (\d)\b|\bx\b")
"""How the diagnosis calls an input; x is the one in question."""

Pullback = Callable[..., Any]


def gradient_fault(
    what: str,
    forward: Callable[..., Any],
    pullback: Pullback,
    *arrays: Any,
    names: Sequence[str] = ("x",),
    mistakes: Sequence[tuple[str, Pullback]] = (),
    seed: int = 0,
) -> None:
    """Raise `Wrong` unless `pullback` is that of `forward` at these float64 arrays.

    `forward(*arrays)` gives y, and the learner's `pullback(dy, *arrays)` the gradients with respect
    to the named arrays, the first ones: an array where there is one name, else several.
    `mistakes` are sentences with pullbacks that make the mistake.
    """
    y = np.asarray(forward(*arrays))
    dy = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape)
    found = gradients(what, pullback, dy, arrays, names)
    known = [(sentence, gradients(what, wrong, dy, arrays, names)) for sentence, wrong in mistakes]
    for number, (name, gradient) in enumerate(zip(names, found, strict=True)):
        right = differences(forward, arrays, number, dy)
        these: list[Mistake] = [(sentence, values[number]) for sentence, values in known]
        try:
            compare(gradient, right, f"{what}: dL/d{name}", these, TOLERANCE)
        except Wrong as wrong:
            reason = None if wrong.is_named else diagnosis(forward, pullback, arrays, names, number)
            raise Wrong(f"{wrong}: {reason}") if reason else wrong from None


def gradients(
    what: str, pullback: Pullback, dy: Any, arrays: Sequence[Any], names: Sequence[str]
) -> Sequence[Any]:
    """What the pullback gives for each name; it gets copies."""
    with np.errstate(all="ignore"):
        found = pullback(np.copy(dy), *(np.copy(each) for each in arrays))
    if len(names) == 1:
        return [found[0] if isinstance(found, tuple) and len(found) == 1 else found]
    if not isinstance(found, tuple | list) or len(found) != len(names):
        wanted = ", ".join(f"dL/d{name}" for name in names)
        raise Wrong(f"{what} returns {shown(found)}: must be {len(names)} gradients, {wanted}")
    return found


def diagnosis(
    forward: Callable[..., Any],
    pullback: Pullback,
    arrays: Sequence[Any],
    names: Sequence[str],
    number: int,
) -> str | None:
    """The simplest mistake that explains the gradient with respect to that array, in a sentence."""
    if len(names) < len(arrays) or searching.get():
        return None
    # The pullback is called many times: what it prints was printed once already.
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        known = explain_pullback(forward, pullback, *arrays)
    for each in known:
        if each.mistake and each.argument == number:
            return INPUT.sub(
                lambda found: names[int(found[1] or found[2] or number)], each.sentence
            )
    return None


def differences(
    forward: Callable[..., Any], arrays: Sequence[Any], number: int, dy: Any
) -> np.ndarray:
    """d(sum of dy * forward) / d(one of the arrays), by central differences."""
    x = np.asarray(arrays[number])
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

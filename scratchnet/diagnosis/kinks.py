"""At a kink itself, where differences give no derivative: is the gradient one that may be taken?

With the slopes l to the left and r to the right, any number between them is a subgradient: at its
bounds clip takes the larger slope, at 0 relu the smaller. As a function does not say which of the
two it is, a gradient is wrong only

    outside of l and r
    as l or r where l = -r: must be 0 there, as for `absolute`, but where equal entries level out
    as r at the 0 of y = l x for x < 0, r x for x > 0, where |l| < |r|: must be l, as for `relu` and
    `leaky_relu`; and as l where r = 0
    where entries of x tie for an extreme, and do not add up to the slope of all of them together

`scratchnet.ops` says what the engine's ops take. They are right, so a function is judged by this
only where no pullback is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from scratchnet.diagnosis.mistakes import MISTAKES
from scratchnet.diagnosis.subjects import Subject
from scratchnet.diagnosis.trials import Trial, by_differences, noise_near

OPEN = "open at the kink"
FoundAt = tuple[str | None, str, Trial]
"""A name, a sentence, and the point with what is right there."""


def faults_at_kinks(t: Trial, subject: Subject, has_reference: bool) -> Iterator[FoundAt]:
    """What is wrong at the kinks of one point, the first that there is.

    With a reference the gradient must be its; `t.right` is.
    """
    if has_reference:
        yield from _unlike_reference(t, subject)
    elif t.has_right_shape and np.isinf(t.error).any() and subject.is_own(t.inputs):
        yield from _unlike_slopes(t, subject)


def error_of_differences(t: Trial, subject: Subject) -> Any:
    """Infinity at kinks, where there is a reference as well."""
    return t.error if t.error.any() else by_differences(subject, t.argument)(t.inputs)[1]


def _unlike_reference(t: Trial, subject: Subject) -> Iterator[FoundAt]:
    """What is wrong at a kink, by the gradient of a reference."""
    wrong = ~t.equal(t.got, t.right)
    if not t.has_right_shape or not wrong.any():
        return
    if np.isinf(error_of_differences(t, subject)[wrong]).all():
        is_open = np.all(np.abs(t.got[wrong]) >= np.abs(t.right[wrong]))
        at_kink = "at the kink itself the gradient is another than it should be"
        yield OPEN, MISTAKES[OPEN] if is_open else at_kink, t


def _unlike_slopes(t: Trial, subject: Subject) -> Iterator[FoundAt]:
    """What is wrong at a kink, by the slopes on its two sides."""
    left, right = (np.array([_slopes(subject, t, u, s) for u in np.eye(t.x.size)]) for s in (-1, 1))
    gap = abs(right - left)
    steps = 1e-4 * np.maximum(abs(t.x.reshape(-1, 1)), 0.1)
    noise = noise_near(subject, t.inputs, t.argument, 1e-4)
    rounding = np.fmax(64 * np.finfo(float).eps * abs(t.y.ravel()), 16 * noise) / steps
    kinks = np.isinf(t.error) & (gap > 1e-3 * np.maximum(abs(left), abs(right)) + rounding)
    nearest = np.clip(t.got, np.minimum(left, right), np.maximum(left, right))
    outside = kinks & ~(abs(t.got - nearest) <= 1e-3 * gap)
    is_corner = kinks & (abs(left + right) < 1e-3 * gap)
    closed = np.where(is_corner & ~_levelled(subject, t, is_corner), 0.0, np.nan)
    if _is_relu(subject, t, left, right):
        closed = np.where(kinks & (abs(left) < abs(right)), left, closed)
        closed = np.where(kinks & (right == 0), right, closed)
    is_open = abs(t.got - closed) > 0.999 * np.maximum(abs(left - closed), abs(right - closed))
    for wrong, name, must_be in ((outside, None, nearest), (is_open, OPEN, closed)):
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            got, must, below, above = (
                f"{each[place] + 0.0:.4g}" for each in (t.got, must_be, left, right)
            )
            sentence = (
                f"{MISTAKES[OPEN] if name else 'at a kink the gradient is wrong'}: it is {got}, "
                f"where the slopes on the two sides are {below} and {above}: must be "
                f"{must if name else 'between them'}"
            )
            yield name, sentence, replace(t, right=np.where(wrong, must_be, t.got))
            return
    if t.x.any():
        yield from _not_shared(t, subject, kinks)


def _levelled(subject: Subject, t: Trial, corners: Any) -> Any:
    """Where equal entries have no kink when they move together: no |x|, but their distance."""
    found = np.zeros(corners.shape, bool)
    x = t.x.ravel()
    for i, j in np.argwhere(corners):
        tied = corners[:, j] & (x == x[i])
        below, above = (_slopes(subject, t, tied.astype(float), side)[j] for side in (-1, 1))
        found[i, j] = np.isclose(below, above, rtol=1e-4, atol=1e-6)
    return found


def _not_shared(t: Trial, subject: Subject, kinks: Any) -> Iterator[FoundAt]:
    """Of equal entries, whose kinks are none when all of them move together."""
    for j, column in enumerate(kinks.T):
        tied = np.flatnonzero(column)
        if len(tied) < 2 or np.ptp(t.x.ravel()[tied]):
            continue
        below, above = (_slopes(subject, t, column.astype(float), side)[j] for side in (-1, 1))
        added = t.got[tied, j].sum()
        if np.isclose(below, above, rtol=1e-4) and not np.isclose(added, above, rtol=1e-3):
            shared = t.got.copy()
            shared[tied, j] = above / len(tied)
            yield (
                OPEN if abs(added) > abs(above) else None,
                f"{len(tied)} entries tie, and their gradients add up to {added:.4g} times dL/dy: "
                f"must add up to {above:.4g}",
                replace(t, right=shared),
            )
            return


def _slopes(subject: Subject, t: Trial, u: Any, side: int) -> Any:
    """Of all outputs along u, on one side alone; NaN where there is none, as at a jump."""
    h = side * 1e-4 * max(float(np.abs(t.x.ravel()[u != 0]).max()), 0.1)
    rises = []
    for step in (h, h / 2):
        inputs = [*t.inputs]
        inputs[t.argument] = t.x + step * u.reshape(t.x.shape)
        rises.append(np.ravel(subject.value(inputs)) - np.ravel(t.y))
    slope, plain = (4 * rises[1] - rises[0]) / h, rises[0] / h
    return np.where(abs(slope - plain) <= 0.01 * abs(slope) + 1e-9, slope, np.nan)


def _is_relu(subject: Subject, t: Trial, left: Any, right: Any) -> bool:
    """y = l x for x < 0 and r x for x > 0, entry by entry, at x = 0."""
    if t.x.any() or t.y.any() or ((left != 0) | (right != 0)).sum(axis=0).max(initial=0) > 1:
        return False
    for side in (-1.0, 1.0):
        near, far = (
            subject.value(
                [*t.inputs[: t.argument], np.full(t.x.shape, x), *t.inputs[t.argument + 1 :]]
            )
            for x in (side, 1e3 * side)
        )
        if not np.allclose(1e3 * near, far, rtol=1e-9):
            return False
    return True

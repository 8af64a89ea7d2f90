"""A gradient that was rounded on its way: to float32, to whole numbers, or to a few decimals."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.diagnosis.subjects import Subject
from scratchnet.diagnosis.trials import Found, Trial, Trials


def rounded_to_float32(subject: Subject, trials: Trials, rng: Any) -> Found:
    """Rounded to float32: the gradient is off by as little, and has the marks of it."""
    if all(_is_rounded(subject, t, rng) for t in trials):
        yield "float32", "the gradient was rounded to float32 on its way, where float64 was given"


def _is_rounded(subject: Subject, t: Trial, rng: Any) -> bool:
    """It has that type, or all its numbers would fit, or what is rounded away does not change it.

    A change of 1e-12 in dL/dy, or in the inputs, is no change for a pullback that rounds them.
    """
    if not t.has_right_shape or not np.any(t.pulled):
        return False
    largest = np.abs(t.expected).max()
    error = np.where(np.isfinite(t.error), t.error, 0) @ np.abs(t.dy).ravel()
    known = np.isfinite(t.error).all(axis=1)
    gaps = np.where(known, np.abs(t.pulled - t.expected).ravel() - 10 * error, 0)
    if gaps.max() > 1e-6 * largest:
        return False
    if t.pulled.dtype == np.float32:
        return True
    off = gaps > 1e-10 * largest
    if not off.any():
        return False
    if np.array_equal(t.pulled.astype(np.float32), t.pulled):
        return True
    dy = t.dy * (1 + 1e-12 * rng.uniform(-1, 1, t.dy.shape))
    inputs = [x * (1 + 1e-12 * rng.uniform(-1, 1, np.shape(x))) for x in t.inputs]
    for again in (subject.at(t.inputs)[1](dy), subject.at(inputs)[1](t.dy)):
        if np.mean((again[t.argument] == t.pulled).ravel()[off]) > 0.9:
            return True
    return False


def rounded_to_decimals(trials: Trials) -> str | None:
    """All numbers are whole, or have a few decimals, or those of float16."""
    for digits in range(4):
        pulled = [10**digits * t.pulled for t in trials]
        if all(np.any(each) and np.allclose(each, np.round(each), atol=1e-9) for each in pulled):
            to = f"{digits} decimals" if digits else "whole numbers"
            return f"the gradient was rounded to {to}: an array of integers, or a call of round"
    if all(np.array_equal(t.pulled.astype("float16"), t.pulled) for t in trials):
        return "the gradient was rounded to float16 on its way, where float64 was given"
    return None

"""The tent map on [0, 1], parity of all rows, and how often it folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers
from scratchnet.demos.learn.wrong import Wrong, WrongShape
from scratchnet.depth.circuits import row_bits
from scratchnet.depth.regions import line_regions
from scratchnet.depth.sawtooth import sawtooth
from scratchnet.depth.slices import Line


def relu(t: Any) -> Any:
    """max(0, t)."""
    return np.maximum(t, 0)


def tent(t: Any) -> Any:
    """The tent map, on [0, 1] and outside of it as two ReLUs have it."""
    return relu(2 * t) - relu(4 * t - 2)


def check(learner: Any) -> None:
    """Raise `Wrong` unless the tent is right and `parity` folds the share of ones log2 n times."""
    t = np.linspace(0, 1, 12)
    mistakes = [
        ("this tent stands on its head, 1 where it must be 0", 1 - tent(t)),
        ("the second ReLU must take away twice the slope, 4 t - 2", relu(2 * t) - relu(2 * t - 1)),
        ("the second ReLU must start at t = 1/2", relu(2 * t) - relu(4 * t - 1)),
        ("the second ReLU must be taken away, not added", relu(2 * t) + relu(4 * t - 2)),
        ("the two ReLUs are missing, and without them it is one line", 2 * t - (4 * t - 2)),
        ("the fold is missing, this is only its first half", 2 * t),
        ("this tent has half the height", tent(t) / 2),
    ]
    compare_numbers(learner.tent(t.copy()), tent(t), "tent(t)", mistakes)
    for n in (4, 2, 8, 1):
        check_parity(learner, n)


def check_parity(learner: Any, n: int) -> None:
    """Every row of n bits must get its parity, after log2 n folds."""
    folded = 0

    def fold(t: Any) -> Any:
        """The tent map of t, which counts how many numbers were folded."""
        nonlocal folded
        folded += np.size(t)
        return tent(np.asarray(t, np.float64))

    X = row_bits(np.arange(2**n), n, "float64")
    s, folds = X.sum(axis=1), n.bit_length() - 1
    given = learner.parity(X.copy(), fold)
    try:
        found = numbers(given, f"parity of {n} bits", (len(X),))
    except WrongShape as wrong:
        why = ": the bits of a row are added up by axis=1" if np.shape(given) == (n,) else ""
        raise Wrong(f"{wrong}{why}") from None
    if folded != folds * len(X):
        count = folded / len(X)
        raise Wrong(f"parity of {n} bits folds {count:g} times: must be log2 n = {folds} times")
    mistakes = [
        ("the sum must be divided by n, so that t lies in [0, 1]", folded_times(s, folds)),
        ("fold returns a new array, and does not change t", s / n),
        ("this is the parity inverted", 1 - s % 2),
    ]
    compare_numbers(found, s % 2, f"parity of {n} bits", mistakes)


def folded_times(t: Any, times: int) -> Any:
    """t after so many folds."""
    for _ in range(times):
        t = tent(t)
    return t


def outcome() -> tuple[str, int]:
    """The pieces of ten folds, counted."""
    model = sawtooth(10)
    pieces = line_regions(model, Line((0.0,), (1.0,), (0.0, 1.0))).linear_count
    return f"ten folds have {pieces:,} straight pieces on [0, 1]", (20, 100, 1024).index(pieces)

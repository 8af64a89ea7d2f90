"""All rows of bits, and what the learner's neurons do for each number of ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import numbers, parts, row
from scratchnet.demos.learn.wrong import Wrong, WrongNumbers, shown
from scratchnet.depth.circuits import row_bits


def check(learner: Any) -> None:
    """Raise `Wrong` unless n hidden neurons give the parity of every row of n bits."""
    for n in (3, 4, 6, 1):
        given = [*parts(learner.weights(n), 4, f"what weights({n}) returns")]
        given[1] = row(given[1], f"b1 of weights({n})")
        hidden = len(given[1])
        if hidden > n:
            raise Wrong(f"weights({n}) has {hidden} hidden neurons: must be {n}, that is enough")
        shapes = ((n, n), (n,), (n, 1), (1,))
        names = (f"{name} of weights({n})" for name in ("W1", "b1", "W2", "b2"))
        W1, b1, W2, b2 = (
            numbers(value, name, shape)
            for value, name, shape in zip(given, names, shapes, strict=True)
        )
        check_rows(n, W1, b1, W2, b2)


def check_rows(n: int, W1: Any, b1: Any, W2: Any, b2: Any) -> None:
    """Every row of n bits must get its parity; the reason is looked for in the rows 1...10...0."""
    X = row_bits(np.arange(2**n), n, "float64")
    ones = X.sum(axis=1)
    h, z, y = outputs(X, W1, b1, W2, b2)
    right = ones % 2
    if (y == right).all():
        return
    by_count = (np.arange(n + 1)[:, None] > np.arange(n)).astype(float)
    h_by_count, _, y_by_count = outputs(by_count, W1, b1, W2, b2)
    wrong = np.flatnonzero(y != right)
    row = wrong[np.argmin(ones[wrong])]
    bits = "".join(str(int(each)) for each in X[row])
    fires = shown([int(each) for each in h[row]])
    one = (
        f"parity of {bits} is {y[row]:g}, must be {right[row]:g}: h is {fires} and "
        f"h W2 + b2 is {z[row]:g}"
    )
    reason = reason_for(n, h_by_count, y_by_count, y)
    differs = ~np.isclose(W1, W1[:1])
    if differs.any() and y.any() and not y.all():
        i, j = np.argwhere(differs)[0]
        reason = (
            f"W1[{i}, {j}] is {W1[i, j]:g} and W1[0, {j}] {W1[0, j]:g}: to count, a neuron needs "
            "the same weight from every bit"
        )
    elif (W2[0] < 0 and b2 < 0) and not y.any():
        reason = f"the output never fires: its first weight must be positive, and is {W2[0, 0]:g}"
    elif not y.any():
        reason = f"the output never fires: b2 is {b2[0]:g}, and the weights must lift it above 0"
    if reason:
        raise Wrong(f"{one}; {reason}")
    raise WrongNumbers(one, y)


def outputs(X: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> tuple[Any, Any, Any]:
    """The hidden neurons, the sum of the output neuron, and the output."""
    h = (X @ W1 + b1 >= 0).astype(float)
    z = (h @ W2 + b2)[:, 0]
    return h, z, (z >= 0).astype(float)


def reason_for(n: int, h: Any, y: Any, of_rows: Any) -> str:
    """Why the output is not the parity; h (n + 1, n) and y (n + 1,) are for 0, 1, ..., n ones."""
    counts = np.arange(n + 1)
    firing = h.sum(axis=1)
    if (firing == n).all() or (firing == 0).all():
        return "the hidden neurons do not count: the same ones fire for every row"
    if np.array_equal(firing, n - counts):
        return "the biases have the wrong sign: neurons fire where s is small"
    if np.array_equal(firing, np.minimum(counts + 1, n)):
        return "the neurons fire one too early, from s = 0 on: k starts at 1"
    if np.array_equal(firing, np.maximum(counts - 1, 0)):
        return "the neurons fire one too late: [s >= k] must fire at s = k"
    if of_rows.all():
        return "the output fires always, b2 must be below 0 so that a sum of 0 does not fire"
    if n > 1 and np.array_equal(y, counts > 0):
        return "this is OR, the output weights must alternate in sign"
    if np.array_equal(y, 1 - counts % 2):
        return "this is the parity inverted: the first output weight must be positive"
    return ""

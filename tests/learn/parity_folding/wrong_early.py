# says: must start at t = 1/2
"""A right solution."""

import numpy as np


def tent(t):
    """relu(2 t) - relu(4 t - 2), of t's shape."""
    return np.maximum(2 * t, 0) - np.maximum(4 * t - 1, 0)


def parity(X, fold):
    """The parity of every row of X, by log2 n folds."""
    n = X.shape[1]
    t = X.sum(axis=1) / n
    for _ in range(int(np.log2(n))):
        t = fold(t)
    return t

# says: np.maximum work entry by entry
from collections.abc import Callable

import numpy as np


def tent(t: np.ndarray) -> np.ndarray:
    """relu(2 t) - relu(4 t - 2), of t's shape."""
    return max(2 * t, 0) - max(4 * t - 2, 0)


def parity(X: np.ndarray, fold: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The parity of every row of X, by log2 n folds."""
    n = X.shape[1]
    t = X.sum(axis=1) / n
    for _ in range(int(np.log2(n))):
        t = fold(t)
    return t

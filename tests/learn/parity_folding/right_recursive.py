import numpy as np


def tent(t):
    t = np.asarray(t, dtype=np.float32)
    return np.minimum(2 * t, 2 - 2 * t)


def parity(X, fold):
    def folded(t, n):
        return t if n == 1 else fold(folded(t, n // 2))

    n = X.shape[-1]
    return folded(X @ np.full((n, 1), 1 / n), n)

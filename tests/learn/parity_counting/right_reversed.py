import numpy as np


def weights(n):
    b1 = 0.25 - np.arange(n, 0, -1)
    signs = np.array([1.0 if k % 2 else -1.0 for k in range(n, 0, -1)])
    return np.full((n, n), 1.0), b1, 3 * signs.reshape(n, 1), np.array([-1.5])

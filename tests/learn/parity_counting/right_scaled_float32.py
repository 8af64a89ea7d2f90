import numpy as np


def weights(n):
    W1 = np.full((n, n), 2, dtype=np.float32)
    b1 = np.float32(1) - 2 * np.arange(1, n + 1, dtype=np.float32)
    W2 = np.ones((n, 1), np.float32)
    W2[1::2] *= -1
    return W1, b1, W2, np.float32([-0.5])

# says: a neuron needs the same weight from every bit
import numpy as np


def weights(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """W1, b1, W2 and b2 of a network that computes the parity of n bits by counting them."""
    W1 = np.tril(np.ones((n, n)))
    b1 = 0.5 - np.arange(1, n + 1)
    W2 = np.array([[1.0 if k % 2 == 0 else -1.0] for k in range(n)])
    b2 = np.array([-0.5])
    return W1, b1, W2, b2

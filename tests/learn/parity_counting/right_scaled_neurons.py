import numpy as np


def weights(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """W1, b1, W2 and b2 of a network that computes the parity of n bits by counting them."""
    k = np.arange(1, n + 1.0)
    W1 = np.tile(k, (n, 1))
    b1 = -(k**2)
    W2 = (-1.0) ** np.arange(n)
    return W1, b1, W2[:, None], np.array([-0.5])

# says: cut off at -1 and 1
import numpy as np


def loss(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The mean over the samples of the cross-entropy, for p = sigmoid(X w)."""
    z = X @ w
    return float(np.mean(np.logaddexp(0, z) - y * z))


def gradient(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d(loss)/dw, (d,)."""
    p = 1 / (1 + np.exp(-X @ w))
    return np.asarray(np.clip(X.T @ (p - y), -1, 1))


def train(X: np.ndarray, y: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """The weights after so many steps of gradient descent from 0."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w = w - rate * gradient(w, X, y)
    return w

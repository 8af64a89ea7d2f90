# says: the window is one for x, and not for dL/dy
import numpy as np


def relu(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = max(0, x), with 0 at the kink."""
    return dy * (x > 0)


def sigmoid(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = 1 / (1 + e^-x)."""
    y = 1 / (1 + np.exp(-x))
    return dy * y * (1 - y)


def tanh(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = tanh x."""
    return dy * (1 - np.tanh(x) ** 2)


def threshold(dy: np.ndarray, x: np.ndarray, window: float) -> np.ndarray:
    """dL/dx of the step by the straight-through estimator."""
    return np.clip(dy, -window, window)

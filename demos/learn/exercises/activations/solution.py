"""A right solution."""

import numpy as np


def relu(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx = dy [x > 0]."""
    return dy * (x > 0)


def sigmoid(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx = dy y (1 - y) with y = 1 / (1 + e^-x)."""
    y = 1 / (1 + np.exp(-x))
    return dy * y * (1 - y)


def tanh(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx = dy (1 - tanh(x)^2)."""
    return dy * (1 - np.tanh(x) ** 2)


def threshold(dy: np.ndarray, x: np.ndarray, window: float) -> np.ndarray:
    """dL/dx = dy [|x| <= window]."""
    return np.where(np.abs(x) <= window, dy, 0.0)

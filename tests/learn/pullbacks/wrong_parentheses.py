# says: b - 1 must stand in parentheses
import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def add(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a + b."""
    return dy, dy


def multiply(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a * b."""
    return dy * b, dy * a


def divide(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a / b."""
    return dy / b, -dy * a / b**2


def power(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da and dL/db of y = a ** b, for positive a."""
    return dy * b * a**b - 1, dy * a**b * np.log(a)

"""A right solution."""

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


def add(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da = dy, dL/db = dy."""
    return dy, dy


def multiply(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da = dy b, dL/db = dy a."""
    return dy * b, dy * a


def divide(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da = dy / b, dL/db = -dy a / b^2."""
    return dy / b, -dy * a / b**2


def power(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> Pair:
    """dL/da = dy b a^(b-1), dL/db = dy a^b ln a."""
    return dy * b * a ** (b - 1), dy * a**b * np.log(a)

# says: are one array, or not moved
from collections.abc import Callable

import numpy as np


def difference(f: Callable[[float], float], x: float, h: float) -> float:
    """The central difference of f at x with the step h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float) -> np.ndarray:
    """The derivative of f with respect to each entry of x, in x's shape. x stays as it was."""
    g = np.zeros_like(x)
    for i, place in enumerate(np.ndindex(x.shape)):
        up, down = x.copy(), x.copy()
        up.flatten()[i] += h
        down.flatten()[i] -= h
        g[place] = (f(up) - f(down)) / (2 * h)
    return g


def is_kink(f: Callable[[float], float], x: float, h: float) -> bool:
    """Whether f has a kink at x."""

    def gap(h):
        return (f(x + h) - f(x)) / h - (f(x) - f(x - h)) / h

    return abs(gap(h / 2)) > 0.75 * abs(gap(h))

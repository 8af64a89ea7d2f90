"""A right solution."""

from collections.abc import Callable

import numpy as np


def difference(f: Callable[[float], float], x: float, h: float) -> float:
    """(f(x + h) - f(x - h)) / 2h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float) -> np.ndarray:
    """The central difference of f with each entry of x moved alone, in x's shape."""
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = h
        slopes[place] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


def is_kink(f: Callable[[float], float], x: float, h: float) -> bool:
    """Whether the gap of the one-sided slopes remains as h is halved; without a kink it halves."""
    gaps = [(f(x + each) - 2 * f(x) + f(x - each)) / each for each in (h, h / 2)]
    return bool(abs(gaps[1]) > 0.75 * abs(gaps[0]))

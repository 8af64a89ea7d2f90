"""A right solution."""

from collections.abc import Callable

import numpy as np


def difference(f: Callable[[float], float], x: float, h: float) -> float:
    return (f(x + h) - f(x - h)) / (2 * h)


def gradient(f: Callable[[np.ndarray], float], x: np.ndarray, h: float) -> np.ndarray:
    slopes = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = h
        slopes[place] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


def is_kink(f: Callable[[float], float], x: float, h: float) -> bool:
    gaps = [(f(x + each) - 2 * f(x) + f(x - each)) / each for each in (h, h / 2)]
    return bool(abs(gaps[1]) > 0.75 * abs(gaps[0]))

"""A right solution."""

import numpy as np


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Normal weights times sqrt(2 / fan_in)."""
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)


def mean_squares(x: np.ndarray, weights: list[np.ndarray]) -> list[float]:
    """mean(x_l^2) of x_l = max(0, x_(l-1) W_l), for each layer."""
    found = []
    for w in weights:
        x = np.maximum(x @ w, 0)
        found.append(float(np.mean(x**2)))
    return found

# says: sqrt(2 fan_in), must be
import numpy as np


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Weights (fan_in, fan_out) of mean 0 and variance 2 / fan_in, drawn from rng."""
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 * fan_in)


def mean_squares(x: np.ndarray, weights: list[np.ndarray]) -> list[float]:
    """The mean of the squares of x1, x2, ..., one number for each matrix of weights."""
    result = []
    for w in weights:
        x = np.maximum(x @ w, 0)
        result.append((x**2).mean())
    return result

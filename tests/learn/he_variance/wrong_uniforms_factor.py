# says: sqrt(6 / fan_in) is for U(-a, a)
import numpy as np


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(6 / fan_in)


def mean_squares(x: np.ndarray, weights: list[np.ndarray]) -> list[float]:
    found = []
    for w in weights:
        x = np.maximum(x @ w, 0)
        found.append(float(np.mean(x**2)))
    return found

# says: multiplied by 1 + rate
from typing import Any

import numpy as np


def dropout(
    x: np.ndarray, rate: float, rng: np.random.Generator, training: bool
) -> tuple[np.ndarray, Any]:
    """y, and `kept`: what the backward pass must know about m."""
    if not training:
        return x, np.ones_like(x)
    m = rng.random(x.shape) >= rate
    return x * m * (1 + rate), m


def dropout_backward(dy: np.ndarray, kept: Any, rate: float) -> np.ndarray:
    """dx, for the y and `kept` of a call in training mode."""
    return dy * kept / (1 - rate)

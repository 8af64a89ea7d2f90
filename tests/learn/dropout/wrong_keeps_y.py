# says: the backward pass multiplies by y
from typing import Any

import numpy as np


def dropout(
    x: np.ndarray, rate: float, rng: np.random.Generator, training: bool
) -> tuple[np.ndarray, Any]:
    """y, and `kept`: what the backward pass must know about m."""
    if not training:
        return x, None
    m = rng.random(x.shape) >= rate
    y = x * m / (1 - rate)
    return y, y


def dropout_backward(dy: np.ndarray, kept: Any, rate: float) -> np.ndarray:
    """dx, for the y and `kept` of a call in training mode."""
    return dy * kept / (1 - rate)

# says: for the same rng: draw from rng
from typing import Any

import numpy as np


def dropout(
    x: np.ndarray, rate: float, rng: np.random.Generator, training: bool
) -> tuple[np.ndarray, Any]:
    """y, and the mask m."""
    if not training:
        return x, np.ones_like(x)
    kept = np.random.random(x.shape) >= rate
    return x * kept / (1 - rate), kept


def dropout_backward(dy: np.ndarray, kept: Any, rate: float) -> np.ndarray:
    """dx"""
    return dy * kept / (1 - rate)

"""A right solution."""

import numpy as np

Array = np.ndarray


def descent(w: Array, g: Array, rate: float) -> Array:
    """w - rate g."""
    return w - rate * g


def momentum(w: Array, v: Array, g: Array, rate: float, beta: float) -> tuple[Array, Array]:
    """w - rate v and v, with v = beta v + g."""
    v = beta * v + g
    return w - rate * v, v


def adam(
    w: Array,
    m: Array,
    v: Array,
    g: Array,
    t: int,
    rate: float,
    b1: float,
    b2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """w - rate m' / (sqrt(v') + epsilon), m, v; m' = m / (1 - b1^t) and v' = v / (1 - b2^t)."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    corrected_m, corrected_v = m / (1 - b1**t), v / (1 - b2**t)
    return w - rate * corrected_m / (np.sqrt(corrected_v) + epsilon), m, v

# says: beta belongs to the old v
import numpy as np

Array = np.ndarray


def descent(w: Array, g: Array, rate: float) -> Array:
    """w after a step of gradient descent."""
    return w - rate * g


def momentum(w: Array, v: Array, g: Array, rate: float, beta: float) -> tuple[Array, Array]:
    """w and v after a step with momentum."""
    v = beta * (v + g)
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
    """w, m and v after step t = 1, 2, ... of Adam."""
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    m_hat = m / (1 - b1**t)
    v_hat = v / (1 - b2**t)
    return w - rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v

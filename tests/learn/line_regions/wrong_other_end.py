# says: this has v1 above
"""A right solution."""

import numpy as np


def cut(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The points and the places between them where a column of values crosses 0, sorted."""
    left, right = values[:-1], values[1:]
    piece, neuron = np.nonzero(left * right < 0)
    v0, v1 = left[piece, neuron], right[piece, neuron]
    p0, p1 = points[piece], points[piece + 1]
    return np.unique(np.concatenate([points, p0 + v1 / (v0 - v1) * (p1 - p0)]))


def count(layers: list[tuple[np.ndarray, np.ndarray]], low: float, high: float) -> int:
    """The pieces on [low, high] of a network with these hidden layers (W, b)."""
    points = np.array([low, high])
    for number in range(len(layers)):
        points = np.asarray(cut(points, inputs_of(layers[: number + 1], points)))
    return len(points) - 1


def inputs_of(layers: list[tuple[np.ndarray, np.ndarray]], points: np.ndarray) -> np.ndarray:
    """What goes into the ReLUs of the last of these layers, (P, n)."""
    x = points[:, None]
    for W, b in layers[:-1]:
        x = np.maximum(x @ W + b, 0)
    W, b = layers[-1]
    return np.asarray(x @ W + b)

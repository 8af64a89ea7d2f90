# says: kinks may lie near to each other
import numpy as np


def cut(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The points and the places between them where a column of values crosses 0, sorted."""
    found = list(points)
    for column in values.T:
        for p0, p1, v0, v1 in zip(points, points[1:], column, column[1:]):
            if v0 * v1 < 0:
                found.append(p0 + v0 / (v0 - v1) * (p1 - p0))
    return np.unique(np.round(found, 2))


def count(layers: list[tuple[np.ndarray, np.ndarray]], low: float, high: float) -> int:
    """The pieces on [low, high] of a network with these hidden layers (W, b); written already."""
    points = np.array([low, high])
    for number in range(len(layers)):
        points = np.asarray(cut(points, inputs_of(layers[: number + 1], points)))
    return len(points) - 1


def inputs_of(layers: list[tuple[np.ndarray, np.ndarray]], points: np.ndarray) -> np.ndarray:
    """What goes into the ReLUs of the last of these layers, (P, n); written already."""
    x = points[:, None]
    for W, b in layers[:-1]:
        x = np.maximum(x @ W + b, 0)
    W, b = layers[-1]
    return np.asarray(x @ W + b)

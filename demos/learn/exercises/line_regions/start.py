"""Count the linear regions on a line.

A ReLU is linear on both sides of the place where its input is 0, so a network of ReLUs is a broken
line over a one-dimensional input: straight pieces with kinks between. How many pieces there are
says how much the network can bend. They can be found exactly, a layer at a time:

    points    where the function may bend, sorted, the two ends of the interval included
    values    what goes into the ReLUs of the next layer, at the points

Between two neighbouring points everything is straight so far. So an input that has both signs there
crosses 0 once, and where it does follows from the line through both ends:

    v0 *
          *                     share = v0 / (v0 - v1)        of the way from p0 to p1
    ---------*---------- 0      p = p0 + share (p1 - p0)
    p0       p  *     p1
                   * v1         0 at an end is no crossing: that point is there already

Write `cut(points, values)`: points (P,), values (P, n) for n neurons. It returns all points,
sorted, with the crossings of all neurons among them, each place once. `count` then does it for
each layer in turn.

Source: scratchnet/depth/pieces.py:Intervals.cut
"""

import numpy as np


def cut(points: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The points and the places between them where a column of values crosses 0, sorted."""
    raise NotImplementedError


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

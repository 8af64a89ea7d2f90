"""Bug hunt: more data, worse training.

Logistic regression by hand: one neuron with a sigmoid, X (N, d), labels y (N,) of 0 and 1, and
gradient descent from w = 0. There is one bug in it. On 20 samples it trains, somewhat unsteadily.
On 2,000 of the same kind the first step throws the weights far off, at the very same learning rate:

                      a weight after 1, 2, 3, 4 steps, rate 0.5
    20 samples        -1.75   -3.11   -2.78   -3.72
    2,000 samples     -324    -321    -313    -304
    2,000, mended     -0.16   -0.30   -0.43   -0.54

A learning rate should not depend on how many samples there are. With the loss as it is defined
here, twice the same data has the same loss, so it has the same gradient, and must give the same
weights.

Find the bug and mend it, in any way you like, so that `train` makes the steps of gradient descent
on `loss`. The rate that `train` is given is right.

Source: scratchnet/losses.py:binary_cross_entropy
"""

import numpy as np


def loss(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """The mean over the samples of the cross-entropy, for p = sigmoid(X w)."""
    z = X @ w
    return float(np.mean(np.logaddexp(0, z) - y * z))


def gradient(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d(loss)/dw, (d,)."""
    p = 1 / (1 + np.exp(-X @ w))
    return np.asarray(X.T @ (p - y))


def train(X: np.ndarray, y: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """The weights after so many steps of gradient descent from 0."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w = w - rate * gradient(w, X, y)
    return w

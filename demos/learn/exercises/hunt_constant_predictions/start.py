"""Bug hunt: the same prediction for every sample.

Here is a whole training, with one bug. It runs without an error, and the loss falls for a while.
Then it stops at the variance of y, and the network gives the same number for every sample: the mean
of y. That is what the best *constant* would do.

    x   -1.0  -0.5   0.0   0.5   1.0
    y   -2.9  -1.6   0.1   1.4   3.0         what was learned:  0.0  0.0  0.0  0.0  0.0

The model has one output, so it gives (N, 1) for X (N, inputs). y comes as most data sets have it,
one number per sample. Look at the shape of each result on the way to the loss.

Find the bug and mend it, here in the file, in any way you like. Rate, number of steps and the loss
itself, the mean of the squared errors, are as they should be.

Source: scratchnet/losses.py:column
"""

import numpy as np

from scratchnet import SGD, Model, Tensor


def squared_error(model: Model, X: np.ndarray, y: np.ndarray) -> Tensor:
    """The mean over the samples of (output - y)^2."""
    outputs = model(X)
    targets = Tensor(y)
    return ((outputs - targets) ** 2).mean()


def train(model: Model, X: np.ndarray, y: np.ndarray, rate: float, steps: int) -> list[float]:
    """Gradient descent on all samples; the loss before each step."""
    optimizer = SGD(model, rate)
    losses = []
    for _ in range(steps):
        loss = squared_error(model, X, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

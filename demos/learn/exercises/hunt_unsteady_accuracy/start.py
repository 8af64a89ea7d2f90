"""Bug hunt: an accuracy that is never the same twice.

A network with BatchNorm and Dropout is trained, and its accuracy on a test set is taken after each
epoch. Ask for it twice, with nothing in between, and it may give two numbers. Ask for a single
sample, and BatchNorm refuses it. There is one bug.

                  in training                            in eval
    Dropout       drops entries at random                y = x
    BatchNorm     mean and variance of this batch,       the running averages, which stay
                  and the running averages move
                  towards them

So an evaluation in the wrong mode is not only noisy: it also changes the model, since the running
averages then hold something of the test set. And one sample alone has no variance.

`model.train()` and `model.eval()` switch the mode, and it stays until the next switch;
`model.training` tells it. `model.predict(X)` computes in eval mode, whatever the mode is, and
leaves it as it was.

Find the bug and mend it, in any way you like. Training must go on as it did: in training mode, in
each of the epochs.

Source: scratchnet/model.py:evaluating
"""

import numpy as np

from scratchnet import Adam, Model
from scratchnet.losses import binary_cross_entropy


def share_correct(model: Model, X: np.ndarray, y: np.ndarray) -> float:
    """The share of samples whose class the model gives."""
    outputs = model(X).numpy()
    return float(((outputs[:, 0] > 0) == (y == 1)).mean())


def train(
    model: Model,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
    epochs: int,
) -> list[float]:
    """Train on all samples at once; the accuracy on the test set after each epoch."""
    model.train()
    optimizer = Adam(model, 0.01)
    accuracies = []
    for _ in range(epochs):
        loss = binary_cross_entropy(model(X), y)
        loss.backward()
        optimizer.step()
        accuracies.append(share_correct(model, X_test, y_test))
    return accuracies

# says: must be 3, the loss of every epoch
import numpy as np

from scratchnet import SGD, Model
from scratchnet.losses import binary_cross_entropy


def train(
    model: Model,
    X: np.ndarray,
    y: np.ndarray,
    optimizer: SGD,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
) -> list[float]:
    """Train the model in place; the mean loss of every epoch."""
    model.train()
    N = len(X)
    history = []
    for _ in range(epochs):
        order = rng.permutation(N)
        total = 0.0
        for start in range(0, N, batch_size):
            batch = order[start : start + batch_size]
            loss = binary_cross_entropy(model(X[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += len(batch) * float(loss)
        history.append(total / N)
    return history[-1]

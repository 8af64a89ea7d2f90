# says: epoch 0 takes them as 0, 1, 2
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
    losses = []
    for epoch in range(epochs):
        order = rng.permutation(len(X)) if epoch else np.arange(len(X))
        total = 0.0
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            loss = binary_cross_entropy(model(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += float(loss) * len(rows)
        losses.append(total / len(X))
    return losses

# says: held against y[0]
import numpy as np

from scratchnet import SGD, Model, Tensor


def squared_error(model: Model, X: np.ndarray, y: np.ndarray) -> Tensor:
    """The mean over the samples of (output - y)^2."""
    outputs = model(X)
    targets = Tensor(y[0])
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

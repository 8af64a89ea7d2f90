"""A right solution."""

import numpy as np


class Layer:
    """tanh(x W)"""

    def __init__(self, W: np.ndarray) -> None:
        self.W = W
        self.dW = np.zeros_like(W)
        self.calls: list[tuple[np.ndarray, np.ndarray]] = []

    def forward(self, x: np.ndarray) -> np.ndarray:
        """y = tanh(x W); x and y are kept for `backward`."""
        y = np.tanh(x @ self.W)
        self.calls.append((x, y))
        return np.asarray(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Add dL/dW to dW, for the latest call of `forward`; dL/dx."""
        x, y = self.calls.pop()
        dz = dy * (1 - y**2)
        self.dW += x.T @ dz
        return np.asarray(dz @ self.W.T)


def train(
    layers: list[Layer], X: np.ndarray, t: np.ndarray, rate: float, steps: int
) -> list[float]:
    """Gradient descent on the mean squared error; the loss before each step."""
    losses = []
    for _ in range(steps):
        for layer in layers:
            layer.dW[...] = 0
        y = X
        for layer in layers:
            y = layer.forward(y)
        losses.append(float(((y - t) ** 2).mean()))
        dy = 2 * (y - t) / t.size
        for layer in reversed(layers):
            dy = layer.backward(dy)
        for layer in set(layers):
            layer.W -= rate * layer.dW
    return losses

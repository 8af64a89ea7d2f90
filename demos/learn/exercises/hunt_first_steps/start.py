"""Bug hunt: the first step is right.

A small engine of layers, tanh(x W), with a gradient dW for each weight matrix W. A layer may stand
in the network twice, and is then used twice in a step: that is why `backward` *adds* to dW.

    X -- A -- B -- B -- y            dL/dW of B = the part of its first use + that of its second

There is one bug. The first step of a training is right to the last digit. The second is not, and
after some more the loss swings up and down where it should fall:

    steps     1     2     3     4     5    ...
    right    g1    g2    g3    g4    g5               the gradient that the step goes along
    here     g1    g1    g1    g1    g1
                  +g2   +g2   +g2   +g2
                        +g3   +g3   +g3  ...

Find the bug and mend it, in any way you like; a layer must still be allowed to stand there twice.
(PyTorch adds up as this engine does, and leaves it to `optimizer.zero_grad()`. In scratchnet
`backward()` replaces what is there, and adds within one backward pass alone.)

Source: scratchnet/tensor.py:Tensor.backward
"""

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

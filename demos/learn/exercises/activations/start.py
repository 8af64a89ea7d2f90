"""ReLU, sigmoid, tanh, and a step.

Between two layers stands a nonlinear function, entry by entry. Without it two layers x W1 W2 are
one layer with the weights W1 W2.

    ReLU        y = max(0, x)              dy/dx = 1 where x > 0, 0 where x < 0
    sigmoid     y = 1 / (1 + e^-x)         dy/dx = y (1 - y)
    tanh        y = tanh x                 dy/dx = 1 - y^2
    threshold   y = 1 where x >= 0, else 0

        ReLU      /            sigmoid   ____1       threshold    ____1
                 /                     /                         |
        ________/              ____0__/              ____0_______|

At the kink x = 0 ReLU has no derivative: its slope is 0 on the left and 1 on the right. An engine
must choose a number. This one, like most others, takes 0.

sigmoid and tanh have derivatives in terms of y, which is known from the way forward. But the rule
needs y = sigmoid(x) in it. `x (1 - x)` is a common mistake.

The threshold is flat: its derivative is 0 wherever it has one. Then nothing below it learns. The
straight-through estimator pretends on the way back that the step is a ramp of slope 1 near 0:

    dL/dx = dL/dy where |x| <= window, else 0           (Bengio et al. 2013, Hubara et al. 2016)

That is no derivative of y, and a gradient check rejects it. Training uses it all the same.

All arrays have one shape. Write the four pullbacks.

Source: scratchnet/ops/activations.py:relu
Source: scratchnet/ops/activations.py:sigmoid
Source: scratchnet/ops/activations.py:threshold
"""

import numpy as np


def relu(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = max(0, x), with 0 at the kink."""
    raise NotImplementedError


def sigmoid(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = 1 / (1 + e^-x)."""
    raise NotImplementedError


def tanh(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dL/dx of y = tanh x."""
    raise NotImplementedError


def threshold(dy: np.ndarray, x: np.ndarray, window: float) -> np.ndarray:
    """dL/dx of the step by the straight-through estimator."""
    raise NotImplementedError

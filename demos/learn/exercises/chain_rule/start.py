"""One neuron by hand.

A neuron takes a number x, and gives a number y:

    z = w x + b          w is its weight, b its bias
    y = tanh(z)
    L = (y - t)^2        the loss: how far y is from the target t

       w    b        t
       |    |        |
  x ---+----+-- z -- tanh -- y -- (y - t)^2 -- L

To learn, the neuron must know how L changes when w changes: the derivative dL/dw. The chain rule
says: multiply the derivatives along the way from L back to w.

    dL/dw = dL/dy * dy/dz * dz/dw

Each factor is easy. For tanh it is dy/dz = 1 - tanh(z)^2 = 1 - y^2.

Two of the factors are the same for w, b and x. So compute dL/dy first, then dL/dz, and use dL/dz
three times. This order, from the loss back, is all that backpropagation is.

Example: x = 2, w = 0.5, b = -1, t = 1. Then z = 0, y = 0, L = 1, dL/dy = -2, dL/dz = -2 and
dL/dw = -4.

Source: scratchnet/ops/activations.py:tanh
"""

import math


def forward(x: float, w: float, b: float, t: float) -> tuple[float, float, float]:
    """z, y and L of the neuron. This one is written already."""
    z = w * x + b
    y = math.tanh(z)
    loss = (y - t) ** 2
    return z, y, loss


def backward(x: float, w: float, b: float, t: float) -> tuple[float, float, float]:
    """dL/dw, dL/db and dL/dx, in this order."""
    raise NotImplementedError

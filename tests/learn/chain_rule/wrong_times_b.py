# says: dz/db is 1
import math


def forward(x: float, w: float, b: float, t: float) -> tuple[float, float, float]:
    """z, y and L of the neuron. This one is written already."""
    z = w * x + b
    y = math.tanh(z)
    loss = (y - t) ** 2
    return z, y, loss


def backward(x: float, w: float, b: float, t: float) -> tuple[float, float, float]:
    """dL/dw, dL/db and dL/dx, in this order."""
    z, y, loss = forward(x, w, b, t)
    dz = 2 * (y - t) * (1 - y**2)
    return dz * x, dz * b, dz * w

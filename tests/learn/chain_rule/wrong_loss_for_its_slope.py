# says: this has L for it
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
    dy = (y - t) ** 2
    dz = dy * (1 - y**2)
    return dz * x, dz, dz * w

# says: this is dL/dx: the order is
import math


def backward(x, w, b, t):
    z = w * x + b
    y = math.tanh(z)
    dz = 2 * (y - t) * (1 - y**2)
    return dz * w, dz, dz * x

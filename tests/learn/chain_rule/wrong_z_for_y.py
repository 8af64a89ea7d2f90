# says: with y = tanh(z), not with z
import math


def backward(x, w, b, t):
    z = w * x + b
    y = math.tanh(z)
    dz = 2 * (y - t) * (1 - z**2)
    return dz * x, dz, dz * w

# says: factor 2 is missing
import math


def backward(x, w, b, t):
    z = w * x + b
    y = math.tanh(z)
    dz = (y - t) * (1 - y**2)
    return dz * x, dz, dz * w

# says: sign is wrong
import math


def backward(x, w, b, t):
    z = w * x + b
    y = math.tanh(z)
    dz = 2 * (t - y) * (1 - y**2)
    return dz * x, dz, dz * w

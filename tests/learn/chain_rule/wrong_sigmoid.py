# says: for the sigmoid
import math


def backward(x, w, b, t):
    y = math.tanh(w * x + b)
    dz = 2 * (y - t) * y * (1 - y)
    return dz * x, dz, dz * w

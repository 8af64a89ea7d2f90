# says: returns None
import math


def backward(x, w, b, t):
    y = math.tanh(w * x + b)
    dz = 2 * (y - t) * (1 - y**2)
    print(dz * x, dz, dz * w)

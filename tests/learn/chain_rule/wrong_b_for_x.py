# says: the last factor is -1.5, and not b
import math


def forward(x, w, b, t):
    z = w * x + b
    y = math.tanh(z)
    return z, y, (y - t) ** 2


def backward(x, w, b, t):
    z, y, loss = forward(x, w, b, t)
    dz = 2 * (y - t) * (1 - y * y)
    return dz * b, dz, dz * w

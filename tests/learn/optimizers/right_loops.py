import numpy as np


def descent(w, g, rate):
    return np.array(
        [[p - rate * q for p, q in zip(*r, strict=True)] for r in zip(w, g, strict=True)]
    )


def momentum(w, v, g, rate, beta):
    new_w, new_v = w.copy(), v.copy()
    for place in np.ndindex(*w.shape):
        new_v[place] = beta * v[place] + g[place]
        new_w[place] -= rate * new_v[place]
    return [new_w, new_v]


def adam(w, m, v, g, t, rate, b1, b2, epsilon):
    new_w, new_m, new_v = w.copy(), m.copy(), v.copy()
    for place in np.ndindex(*w.shape):
        new_m[place] += (1 - b1) * (g[place] - m[place])
        new_v[place] += (1 - b2) * (g[place] ** 2 - v[place])
        step = new_m[place] / (1 - b1**t) / ((new_v[place] / (1 - b2**t)) ** 0.5 + epsilon)
        new_w[place] -= rate * step
    return new_w, new_m, new_v

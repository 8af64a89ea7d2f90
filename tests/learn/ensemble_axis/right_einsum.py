import numpy as np


def draw(seeds, fan_in, fan_out):
    W = np.empty((len(seeds), fan_in, fan_out), np.float32)
    for i, seed in enumerate(seeds):
        W[i] = np.random.RandomState(seed).randn(fan_in, fan_out) * np.sqrt(2.0 / fan_in)
    return W


def forward(X, W1, b1, W2, b2):
    h = np.einsum("ni,eih->enh", X, W1) + b1
    h[h < 0] = 0
    return np.einsum("enh,ehk->enk", h, W2) + b2


def losses(y, t):
    d = y - t[None]
    return np.einsum("enk,enk->e", d, d) / t.size


def output_gradient(y, t):
    return np.asarray(2.0 / t.size * np.subtract(y, t), dtype=np.float32)

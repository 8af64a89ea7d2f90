# says: must be drawn from rng
import numpy as np


def initial_weights(sizes, rng):
    rng = np.random.default_rng(42)
    return [rng.standard_normal((a, b)) * np.sqrt(2 / a) for a, b in zip(sizes, sizes[1:])]


def forward(X, weights):
    outputs = []
    for W in weights:
        X = np.maximum(X @ W, 0)
        outputs.append(X)
    return outputs

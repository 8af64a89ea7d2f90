# says: the same weights: must be drawn anew
import numpy as np


def initial_weights(sizes, rng):
    seed = int(rng.integers(1000))
    weights = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        rng = np.random.default_rng(seed)
        weights.append(rng.standard_normal((n_in, n_out)) * np.sqrt(2 / n_in))
    return weights


def forward(X, weights):
    outputs = []
    for W in weights:
        X = np.maximum(X @ W, 0)
        outputs.append(X)
    return outputs

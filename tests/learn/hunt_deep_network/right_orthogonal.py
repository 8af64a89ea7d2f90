import numpy as np


def initial_weights(sizes, rng):
    weights = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        q, _ = np.linalg.qr(rng.standard_normal((max(n_in, n_out), min(n_in, n_out))))
        weights.append(np.sqrt(2) * (q if n_in >= n_out else q.T))
    return weights


def forward(X, weights):
    outputs = [X]
    for W in weights:
        outputs.append(np.clip(outputs[-1] @ W, 0, None))
    return outputs[1:]

import numpy as np


def draw(seeds, fan_in, fan_out):
    result = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        result.append(rng.normal(0, (2 / fan_in) ** 0.5, size=(fan_in, fan_out)).tolist())
    return result


def forward(X, W1, b1, W2, b2):
    return [np.maximum(X @ w1 + c1, 0) @ w2 + c2 for w1, c1, w2, c2 in zip(W1, b1, W2, b2)]


def losses(y, t):
    return [float(np.mean(np.square(each - t))) for each in y]


def output_gradient(y, t):
    n, k = t.shape
    return [(each - t) * (2 / (n * k)) for each in y]

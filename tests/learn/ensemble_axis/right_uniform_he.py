import numpy as np


def draw(seeds, fan_in, fan_out):
    a = np.sqrt(6 / fan_in)
    return np.array(
        [np.random.default_rng([seed, 7]).uniform(-a, a, (fan_in, fan_out)) for seed in seeds]
    )


def forward(X, W1, b1, W2, b2):
    z = np.matmul(X[np.newaxis], W1)
    z += b1
    return np.matmul(z * (z > 0), W2) + b2


def losses(y, t):
    return np.mean(np.mean((t - y) ** 2, axis=-1), axis=-1, keepdims=True)


def output_gradient(y, t):
    d = y - t
    d *= 2
    d /= d[0].size
    return d

# says: len(y), which is E
from collections.abc import Sequence

import numpy as np


def draw(seeds: Sequence[int], fan_in: int, fan_out: int) -> np.ndarray:
    """Weights (E, fan_in, fan_out), those of network i from seeds[i] alone."""
    return np.stack(
        [
            np.random.default_rng(s).standard_normal((fan_in, fan_out)) * np.sqrt(2 / fan_in)
            for s in seeds
        ]
    )


def forward(
    X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    """The outputs (E, N, k) for X (N, in) and W1 (E, in, h), b1 (E, 1, h), W2, b2 likewise."""
    hidden = np.maximum(X @ W1 + b1, 0)
    return hidden @ W2 + b2


def losses(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The loss of each network, (E,)."""
    return ((y - t) ** 2).mean(axis=(1, 2))


def output_gradient(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """d(sum of the losses)/dy, (E, N, k)."""
    return 2 * (y - t) / len(y)

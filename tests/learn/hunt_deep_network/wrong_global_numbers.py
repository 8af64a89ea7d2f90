# says: for the same rng: draw from rng
import numpy as np


def initial_weights(sizes: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """The weights (n_in, n_out) of each layer, drawn at random."""
    return [
        np.random.normal(0, (2 / n_in) ** 0.5, (n_in, n_out))
        for n_in, n_out in zip(sizes, sizes[1:], strict=False)
    ]


def forward(X: np.ndarray, weights: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of each layer of ReLUs, first to last."""
    outputs = []
    for W in weights:
        X = np.maximum(X @ W, 0)
        outputs.append(X)
    return outputs

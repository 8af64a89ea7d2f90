"""Bug hunt: a network of depth 8.

With two layers this network trains, if badly. With eight the loss is infinite or NaN within a few
steps. The cause can be seen before any training, in the size of what the layers give, the root of
the mean square:

    input    layer 1    layer 2    layer 3    ...    layer 8
      1         ?          ?          ?                 ?            width 64

An output is a sum of n_in terms. If the weights have the variance v, and x the mean square q, the
sum has the variance n_in v q; a ReLU lets half of it through:

    q_out = (n_in v / 2) q_in           eight layers: (n_in v / 2)^8

So there is one v at which the size stays what it was; with half of it, or twice as much, the mean
square is wrong by a factor of 2^8 after eight layers. Measure, find the bug, and mend it in any way
you like:

    for a in forward(X, initial_weights([64] * 9, rng)):
        print(np.sqrt((a**2).mean()))

After eight layers of width 64 the mean square must be within a factor of 1,000 of that of the
input, up or down. The weights must stay random: draw them from rng.

Source: scratchnet/init.py:he_normal
"""

import numpy as np


def initial_weights(sizes: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """The weights (n_in, n_out) of each layer, drawn at random."""
    return [
        rng.standard_normal((n_in, n_out)) for n_in, n_out in zip(sizes, sizes[1:], strict=False)
    ]


def forward(X: np.ndarray, weights: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs of each layer of ReLUs, first to last."""
    outputs = []
    for W in weights:
        X = np.maximum(X @ W, 0)
        outputs.append(X)
    return outputs

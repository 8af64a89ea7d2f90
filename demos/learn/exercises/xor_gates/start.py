"""XOR from three gates.

A threshold neuron fires, y = 1, where w.x + b >= 0, and else y = 0. On inputs that are 0 or 1 one
neuron can be AND, OR, NAND or NOR, as a line in the plane separates their 1s from their 0s:

    x2                        OR    fires from x1 + x2 >= 1/2 on
    1 | 1   0                 AND   fires from x1 + x2 >= 3/2 on
    0 | 0   1                 NAND  is NOT AND
      +------- x1
        0   1                 XOR: no line separates the two 1s from the two 0s

No single neuron is XOR (Minsky and Papert 1969). Two levels are enough:

    x1 XOR x2 = AND(OR(x1, x2), NAND(x1, x2))          x1 --+-- OR ---+
                                                            X         +-- AND -- y
                                                       x2 --+-- NAND -+

Choose the weights. `network` computes them for all rows of X at once,

    h = threshold(X W1 + b1)      y = threshold(h W2 + b2)

with the shapes X (N, 2), W1 (2, 2), b1 (2,), W2 (2, 1), b2 (1,). A column of W1 holds the weights
into one hidden neuron. There is more than one right answer.

Source: scratchnet/depth/gates.py:xor
"""

import numpy as np


def network(
    X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    """The outputs (N, 1) of the two levels; this one is written already."""
    hidden = (X @ W1 + b1 >= 0).astype(float)
    output: np.ndarray = (hidden @ W2 + b2 >= 0).astype(float)
    return output


def weights() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """W1, b1, W2 and b2 of a network that computes XOR."""
    raise NotImplementedError

"""One round of a lottery.

A dense network is trained, most of its weights are pruned, and what remains is set back to the
weights it began with. Frankle and Carbin (2019) found that such a sparse network, a winning ticket,
often learns as well as the dense one, where a random mask of the same size does not. A round of
iterative pruning takes three things and makes two:

    first      the initial weights of the dense network, before any training
    trained    the weights after this round's training; 0 where the mask is 0
    mask       1 for the weights that are left, 0 for those that went in earlier rounds

    prune      the fraction of what *remains* that has the smallest |trained| goes too
    rewind     the next round starts from the initial weights where the new mask is 1, and else 0

    first       0.7  -0.3   0.8   0.1  -0.6
    trained     0.9  -0.1  -0.4   0     1.2       one has gone before; 4 remain, half of them go
    mask         1     1     1    0     1
    new mask     1     0     0    0     1
    start       0.7    0     0    0    -0.6       not 0.9 and 1.2

Write `ticket(first, trained, mask, fraction)`: it returns the new mask and the start, of the shape
of first. Exactly round(fraction * remaining) weights go, `remaining` being the sum of the mask.

How much one sees of a ticket's advantage depends on how sparse it is. On the spirals of this
project a ticket beats a random mask from about 17 % of the weights on, after five rounds of 30 %,
and hardly before.

Source: scratchnet/lottery.py:iterative_pruning
"""

import numpy as np


def ticket(
    first: np.ndarray, trained: np.ndarray, mask: np.ndarray, fraction: float
) -> tuple[np.ndarray, np.ndarray]:
    """The mask after this round, and the weights that the next round starts from."""
    raise NotImplementedError

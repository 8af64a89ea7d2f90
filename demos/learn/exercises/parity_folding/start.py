r"""Parity by folding.

Depth can fold. The tent map takes the interval [0, 1] and folds it in the middle, so that 0 and 1
both land on 0, and 1/2 on 1. Two ReLUs make it:

    tent(t) = relu(2 t) - relu(4 t - 2)

    1 |    /\            tent once           1 |  /\  /\        tent(tent(t))
      |   /  \           2 pieces              | /  \/  \       4 pieces
    0 +--+----+--        2 ReLUs             0 +-+-------+-      4 ReLUs
      0      1                                 0        1

Every fold doubles the number of straight pieces: L layers of two neurons have 2^L pieces (Telgarsky
2016). One hidden layer would need a neuron for each.

For parity, put the sum of the n bits, s = x1 + ... + xn, on [0, 1] as t = s / n, with n a power of
two. Fold L = log2 n times. A fold doubles what lies below 1/2 and mirrors what lies above. At the
end every even s has landed on 0, and every odd s on 1:

    n = 4     s         0     1     2     3     4
              t         0    1/4   1/2   3/4    1
              fold      0    1/2    1    1/2    0
              fold      0     1     0     1     0          the parity of s

Write `tent(t)` for an array t, and `parity(X, fold)` for bits X (N, n), n = 1, 2, 4, ...: (N,)
numbers 0 or 1. `fold` is the tent map again, handed over so that the check can count.

Source: scratchnet/depth/parity.py:tent_parity
"""

from collections.abc import Callable

import numpy as np


def tent(t: np.ndarray) -> np.ndarray:
    """relu(2 t) - relu(4 t - 2), of t's shape."""
    raise NotImplementedError


def parity(X: np.ndarray, fold: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The parity of every row of X, by log2 n folds."""
    raise NotImplementedError

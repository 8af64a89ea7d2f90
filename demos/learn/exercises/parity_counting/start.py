"""Parity by counting.

It is often said that a network with one hidden layer needs 2^(n-1) neurons for the parity of n
bits. That is true of AND and OR gates: each AND covers one row of the truth table. A threshold
neuron can do more. It can count. With s = x1 + ... + xn,

    hidden neuron k fires where s >= k,        k = 1 ... n

                s = 0   1   2   3
    k = 1           0   1   1   1              with s ones the first s neurons fire
    k = 2           0   0   1   1
    k = 3           0   0   0   1
    parity          0   1   0   1

The output weighs the neurons so that each one that fires turns the result over: what the first adds
the second takes away, and so on. n + 1 neurons in two layers do it.

Write `weights(n)`: W1 (n, n), b1 (n,), W2 (n, 1) and b2 (1,), so that for every row of bits x

    h = [x W1 + b1 >= 0]       y = [h W2 + b2 >= 0]

is the parity, 1 for an odd number of ones and else 0. A neuron fires at exactly 0 too: keep all
sums away from it by adding 1/2 or taking it away.

Source: scratchnet/depth/parity.py:counting_parity
"""

import numpy as np


def weights(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """W1, b1, W2 and b2 of a network that computes the parity of n bits by counting them."""
    raise NotImplementedError

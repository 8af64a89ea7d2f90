"""Gradient descent, momentum, Adam.

The gradient g = dL/dw says in which direction the loss grows. So weights move against it:

    descent     w <- w - rate g

Where the loss is a narrow valley, g points across it, and the weights jump from side to side.
Momentum remembers: the velocity v sums the gradients of the past, with weights that decay. What
points along the valley adds up, what alternates cancels.

    momentum    v <- beta v + g                 beta is 0.9 or so; v begins at 0
                w <- w - rate v

Adam (Kingma and Ba 2015) gives each weight a step of about the size `rate`, however large its
gradients are: it divides the running mean of g by the root of the running mean of g^2.

    Adam        m <- b1 m + (1 - b1) g          b1 is 0.9, b2 is 0.999
                v <- b2 v + (1 - b2) g^2        g^2 entry by entry
                w <- w - rate m' / (sqrt(v') + epsilon)

    with        m' = m / (1 - b1^t)             t = 1 in the first step, 2 in the second, ...
                v' = v / (1 - b2^t)

Why m' and v'? m and v begin at 0, and are too small at first: after one step m is 0.1 g and v is
0.001 g^2. Uncorrected, the first step would be 0.1 / sqrt(0.001), which is 3 times too large. The
corrected m' and v' are used in the step alone; what is kept for the next step is m and v.

All arrays have one shape. Write the three rules. Return new arrays: those that you are given must
stay as they are.

Source: scratchnet/optim.py:sgd_rule
Source: scratchnet/optim.py:adam_rule
"""

import numpy as np

Array = np.ndarray


def descent(w: Array, g: Array, rate: float) -> Array:
    """w after a step of gradient descent."""
    raise NotImplementedError


def momentum(w: Array, v: Array, g: Array, rate: float, beta: float) -> tuple[Array, Array]:
    """w and v after a step with momentum."""
    raise NotImplementedError


def adam(
    w: Array,
    m: Array,
    v: Array,
    g: Array,
    t: int,
    rate: float,
    b1: float,
    b2: float,
    epsilon: float,
) -> tuple[Array, Array, Array]:
    """w, m and v after step t = 1, 2, ... of Adam."""
    raise NotImplementedError

"""Pruning that momentum cannot undo.

Magnitude pruning takes the weights with the smallest |w| out of a network, for good: a mask of 1s
and 0s says which ones stay, and w m is what remains.

    w       0.9  -0.1   0.4  -0.7   2.0            fraction = 0.4 of 5 weights: 2 go
    m        1     0     0     1     1
    w m     0.9    0     0   -0.7   2.0

Training goes on after that, and it must not bring back what is gone. With momentum it is not enough
that a pruned weight gets no gradient: the velocity still holds what earlier gradients left there,
and moves the weight on.

    v <- momentum v + g
    w <- w - rate v                  g = 0, but v is not

Write `prune` and `step`, for arrays of any shape. `prune(w, fraction)` gives the mask: exactly
round(fraction * w.size) weights go, those with the smallest magnitudes; of equal ones any.
`step(w, g, v, mask, rate, momentum)` gives w and v after one step of gradient descent with
momentum, for the gradient g. Where the mask is 0 the weight must be 0 after every step, whatever
w, g and v were; everywhere else the two formulas hold.

Source: scratchnet/pruning.py:without_lowest
Source: scratchnet/optim.py:Optimizer.update
"""

import numpy as np


def prune(w: np.ndarray, fraction: float) -> np.ndarray:
    """The mask, of w's shape: 1 for what stays, 0 for what goes."""
    raise NotImplementedError


def step(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, mask: np.ndarray, rate: float, momentum: float
) -> tuple[np.ndarray, np.ndarray]:
    """w and v after a step."""
    raise NotImplementedError

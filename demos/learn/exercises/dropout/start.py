"""Dropout, and why what is kept is scaled up.

A network may come to rely on a few neurons and on what they do together. Dropout works against
that: in each training step every entry of a layer's output is set to 0 with probability `rate`,
each for itself (Srivastava et al. 2014). With the rest as it is, the next layer would get less than
in eval mode, where nothing is dropped. So what is kept is divided by the share that is kept
("inverted dropout"), and on average the sum stays what it was:

    y = x m / (1 - rate)        m = 0 with probability rate, else 1; drawn for each entry

                       x     1.0  2.0  3.0  4.0
    rate = 0.5         m     1    0    0    1
                       y     2.0  0    0    8.0

In eval mode y = x: nothing is dropped and nothing is scaled. Backwards, an entry that was dropped
had no part in the loss, and one that was kept had the factor 1 / (1 - rate):

    dL/dx = dL/dy m / (1 - rate)          with the same m as forwards

Shapes: x, y, dy and dx are (N, d). `rng` is a numpy.random.Generator: draw from it, so that every
call drops other entries. What `dropout` returns as `kept` is yours to choose; `dropout_backward`
gets it back.

Source: backends/interface.py:Backend.dropout_mask
Source: scratchnet/ops/activations.py:dropout
"""

from typing import Any

import numpy as np


def dropout(
    x: np.ndarray, rate: float, rng: np.random.Generator, training: bool
) -> tuple[np.ndarray, Any]:
    """y, and `kept`: what the backward pass must know about m."""
    raise NotImplementedError


def dropout_backward(dy: np.ndarray, kept: Any, rate: float) -> np.ndarray:
    """dx, for the y and `kept` of a call in training mode."""
    raise NotImplementedError

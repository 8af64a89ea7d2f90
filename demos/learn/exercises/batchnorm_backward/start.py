"""BatchNorm backward.

Batch normalisation makes each feature, a column of x (N, d), a column of mean 0 and variance 1
(Ioffe and Szegedy 2015):

    m = mean of x over the samples                              (d,)
    s = sqrt(mean of (x - m)^2 over the samples + epsilon)      (d,)
    y = (x - m) / s                                             (N, d)

Were m and s constants, dL/dx would be dL/dy / s. But they are made of the same x: to move one x_n
moves m and s a little, and with them the y of all samples. Following all three ways from x to y
gives, for each column,

    dL/dx = ( dL/dy  -  mean(dL/dy)  -  y mean(y dL/dy) ) / s
              |          |              |
              direct     through m      through s

with means over the samples. The formula can be checked by two facts, which need no derivative:

- To add a number to a whole column of x changes nothing, for m moves along. So the column of dL/dx
  must sum to 0: mean(dL/dy) is taken out.
- To stretch a column of (x - m) changes nothing, but for epsilon. So dL/dx must have no part along
  y: y mean(y dL/dy) is taken out.

A check with dL/dy = 1 everywhere proves nothing: then dL/dx is 0 in any case, and so is that of
many wrong formulas. The checker takes a random dL/dy.

The variance is the mean of (x - m)^2: divided by N, not by N - 1.

Source: scratchnet/ops/normalization.py:standardize
"""

import numpy as np


def batchnorm(dy: np.ndarray, x: np.ndarray, epsilon: float) -> np.ndarray:
    """dL/dx (N, d) of y = (x - m) / s."""
    raise NotImplementedError

"""A layer: y = x W + b.

N samples stand in the rows of x. A layer with `in` inputs and `out` neurons makes y of them:

    y      =  x       W         +  b             y_nj = sum over i of x_ni W_ij  +  b_j
    (N, out)  (N, in) (in, out)    (out,)

Take one weight W_ij. It goes from input i to neuron j, for every sample n. So L changes with it
through the y_nj of all samples, each by the factor x_ni:

    dL/dW_ij = sum over n of  x_ni  dL/dy_nj

And one input x_ni goes to every neuron j of its own sample, each by the factor W_ij:

    dL/dx_ni = sum over j of  dL/dy_nj  W_ij

Both are matrix products. A product sums over the last axis of its left side and the first axis of
its right side, so one side must be transposed in each. The shapes show which.

    forward     (N, in) (in, out)   -> (N, out)
    dL/dx       ?       ?           -> (N, in)
    dL/dW       ?       ?           -> (in, out)

b is repeated for all samples: see the exercise before.

There is no 1/N here. A mean over the samples belongs to the loss, which has put it into dL/dy.

Source: scratchnet/ops/products.py:affine
"""

import numpy as np


def affine(
    dy: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx, dL/dW and dL/db of y = x W + b, in this order."""
    raise NotImplementedError

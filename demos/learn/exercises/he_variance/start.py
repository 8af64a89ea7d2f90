"""He's variance.

A neuron adds up n = fan_in products: z = w_1 x_1 + ... + w_n x_n. If the weights are independent,
with mean 0 and variance v, then over the draws of the weights

    E[z^2] = n v E[x^2]

The mean square, not the variance, is what counts: behind a ReLU the x have no mean of 0. And since
z is as often negative as positive, ReLU sets half of the z to 0, so

    E[relu(z)^2] = E[z^2] / 2 = (n v / 2) E[x^2]

Every layer multiplies the mean square by n v / 2. Through 20 layers that is (n v / 2)^20: with
v = 1 / n a factor of about a millionth, and the gradients shrink in the same way. To keep the size,
n v / 2 must be 1 (He et al. 2015):

    v = 2 / fan_in          fan_in: the inputs of a neuron, the rows of W (fan_in, fan_out)

Write `he`, and `mean_squares`, which measures what becomes of a signal:

    x0 (N, d0) -> x1 = relu(x0 W1) -> x2 = relu(x1 W2) -> ...

The checker measures your weights, too.

Source: scratchnet/init.py:he_normal
Source: scratchnet/init.py:lecun_normal
"""

import numpy as np


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Weights (fan_in, fan_out) of mean 0 and variance 2 / fan_in, drawn from rng."""
    raise NotImplementedError


def mean_squares(x: np.ndarray, weights: list[np.ndarray]) -> list[float]:
    """The mean of the squares of x1, x2, ..., one number for each matrix of weights."""
    raise NotImplementedError

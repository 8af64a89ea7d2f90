"""The ensemble axis.

One training says little: another seed, another result. So E networks are trained side by side,
each with a seed of its own, in arrays with one axis more in front. The same few large kernels then
do the work of E small trainings:

                    one network      E networks
    W               (in, out)        (E, in, out)
    b               (out,)           (E, 1, out)         the 1 is where the N samples go
    X               (N, in)          (N, in)             shared by all
    X W + b         (N, out)         (E, N, out)         np.matmul multiplies the last two axes
    loss            ()               (E,)                one for each network

Two rules keep the networks apart.

*Seeds.* Network i draws its weights from a generator of its own, np.random.default_rng(seeds[i]).
Then it is the same alone as beside others, and the ensemble may grow without changing a network
that is there.

*Losses.* The sum of the E losses is differentiated. Network i's parameters are in L_i alone, so the
gradient of the sum is its own gradient, whatever E is. The mean over the networks would divide
every gradient by E.

    L_i = mean over samples and outputs of (y_i - t)^2      d(sum of L)/dy_i = 2 (y_i - t) / (N k)

Write the four functions, for E networks with one hidden layer of ReLUs and k outputs: t is (N, k).
Weights are He's: normal numbers times sqrt(2 / fan_in).

Source: scratchnet/model.py:Model._initialize
"""

from collections.abc import Sequence

import numpy as np


def draw(seeds: Sequence[int], fan_in: int, fan_out: int) -> np.ndarray:
    """Weights (E, fan_in, fan_out), those of network i from seeds[i] alone."""
    raise NotImplementedError


def forward(
    X: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    """The outputs (E, N, k) for X (N, in) and W1 (E, in, h), b1 (E, 1, h), W2, b2 likewise."""
    raise NotImplementedError


def losses(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The loss of each network, (E,)."""
    raise NotImplementedError


def output_gradient(y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """d(sum of the losses)/dy, (E, N, k)."""
    raise NotImplementedError

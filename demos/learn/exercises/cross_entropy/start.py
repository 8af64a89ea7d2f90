"""Softmax and cross-entropy.

For each of N samples a network gives one number per class, the logits z (N, classes). Softmax makes
probabilities of a row, and the loss is small where the true class has a high probability:

    p_k = e^(z_k) / sum over j of e^(z_j)              each row of p sums to 1
    L   = mean over the samples of  -ln p_label

Two things go wrong with that as it stands:

- e^1000 is infinity in a computer, and infinity / infinity is NaN. But a number m may be subtracted
  from all logits of a row, for it cancels: e^(z_k - m) / sum of e^(z_j - m) is the same p_k. With m
  the row's largest logit, every exponent is 0 or below.
- p_k can round to 0, and ln 0 is minus infinity. So the loss takes the logarithm by hand:

      ln p_k = (z_k - m) - ln(sum over j of e^(z_j - m))

The gradient is simple. Write t for the labels as rows of zeros with a 1 at the label (one-hot).
ln p_label = z_label - ln(sum of e^(z_j)). The derivative of the first part with respect to z_k is
t_k, that of the second is p_k. Together, with the minus of L and the mean:

    dL/dz = (p - t) / N

        p    0.7  0.2  0.1
        t    0    1    0
        p-t  0.7 -0.8  0.1       pushes the label's logit up, the others down

Source: scratchnet/losses.py:softmax_cross_entropy
Source: scratchnet/ops/reductions.py:log_softmax
"""

import numpy as np


def softmax(z: np.ndarray) -> np.ndarray:
    """The probabilities p (N, classes), also for logits such as 3000 and -3000."""
    raise NotImplementedError


def loss(z: np.ndarray, labels: np.ndarray) -> float:
    """L for labels (N,), which are whole numbers from 0; finite for any finite logits."""
    raise NotImplementedError


def gradient(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """dL/dz (N, classes)."""
    raise NotImplementedError

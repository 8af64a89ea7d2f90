"""A right solution."""

import numpy as np


def softmax(z: np.ndarray) -> np.ndarray:
    """p = e^(z - m) / (sum of e^(z - m) in the row), with the row's largest logit m."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def loss(z: np.ndarray, labels: np.ndarray) -> float:
    """The mean of -ln p(label), with ln p = z - m - ln(sum of e^(z - m))."""
    z = z - z.max(axis=1, keepdims=True)
    logarithms = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return float(-logarithms[np.arange(len(z)), labels].mean())


def gradient(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """dL/dz = (p - t) / N: p with 1 subtracted at the labels."""
    p = softmax(z)
    p[np.arange(len(z)), labels] -= 1
    return p / len(z)

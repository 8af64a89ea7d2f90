# says: inverted mask
"""Dropout: the solution."""

import numpy as np


def dropout(x, rate, rng, training):
    """y, and the mask m."""
    if not training:
        return x, np.ones_like(x)
    kept = rng.random(x.shape) >= rate
    return x * kept / (1 - rate), kept


def dropout_backward(dy, kept, rate):
    """dx"""
    return dy * ~kept / (1 - rate)

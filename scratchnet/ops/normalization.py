"""Standardising each feature over the samples: the inner part of batch normalisation."""

from __future__ import annotations

from scratchnet.backends import Array, InputError
from scratchnet.ops.broadcasting import unbroadcast
from scratchnet.tensor import Tensor, result


def standardize(x: Tensor, epsilon: float | Array = 1e-5) -> tuple[Tensor, Array, Array]:
    """y = (x - m) / s,   m = mean of x over the samples,   s^2 = mean of (x - m)^2 + epsilon

    dL/dx = (dL/dy - mean(dL/dy) - y mean(y dL/dy)) / s   (Ioffe and Szegedy 2015): what is left of
    dL/dy when its parts along 1 and along y are taken out, since a shift or a stretch of x changes
    nothing.

    x (..., N, d) -> y (..., N, d), with the mean and the variance (..., 1, d), which are constants
    for a running average. Raises `InputError` for fewer than two samples.
    """
    k, data = x.backend, x.data
    if data.ndim < 2 or data.shape[-2] < 2:
        raise InputError(f"standardize over shape {x.shape}: needs (..., N, d) with N >= 2 samples")
    epsilon = epsilon if isinstance(epsilon, k.xp.ndarray) else float(epsilon)
    y, mean, variance, scale = k.standardize(data, epsilon)

    def pullback(dy: Array) -> Array:
        return unbroadcast(k, k.standardize_backward(dy, y, scale), data.shape)

    return result(y, k, (x, pullback)), mean, variance

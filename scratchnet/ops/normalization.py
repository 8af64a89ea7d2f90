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
    samples = data.shape[-2]

    def mean_row(values: Array) -> Array:
        rows = k.sum_rows(values)
        return k.multiply(k.reshape(rows, (*rows.shape[:-1], 1, rows.shape[-1])), 1.0 / samples)

    mean = mean_row(data)
    centred = k.subtract(data, mean)
    variance = mean_row(k.square(centred))
    epsilon = epsilon if isinstance(epsilon, k.xp.ndarray) else float(epsilon)
    scale = k.sqrt(k.add(variance, epsilon))
    y = k.divide(centred, scale, out=centred if scale.ndim == centred.ndim else ...)

    def pullback(dy: Array) -> Array:
        along_y = k.multiply(y, mean_row(k.multiply(dy, y)))
        dx = k.divide(k.subtract(k.subtract(dy, mean_row(dy)), along_y), scale)
        return unbroadcast(k, dx, data.shape)

    return result(y, k, (x, pullback)), mean, variance

"""Means over seeds with their 95 % intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over n values and the half-width of its 95 % interval, None for fewer than two.

    `str` gives `0.620 ± 0.021`; a format specification applies to both numbers, so that
    `f"{estimate:.1%}"` gives `62.0% ± 2.1%`.
    """

    mean: float
    half_width: float | None
    n: int

    def __format__(self, specification: str) -> str:
        specification = specification or ".3f"
        if self.n == 0:
            return "no value"
        mean = format(self.mean, specification)
        if self.half_width is None:
            return mean
        return f"{mean} ± {format(self.half_width, specification)}"

    def __str__(self) -> str:
        return format(self, "")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the interval, or None where there is none."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width


def mean_interval(values: ArrayLike) -> Estimate:
    """Mean of the values ± t(0.975, n−1) · s / √n, with s the sample standard deviation.

    This is Student's t interval: of 100 such intervals over independent, normal values about 95
    hold the true mean. Values that are NaN or infinite (a network that diverged) are left out,
    and n counts those that remain; with none of them the mean is NaN.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[np.isfinite(array)]
    n = array.size
    if n == 0:
        return Estimate(math.nan, None, 0)
    if n == 1:
        return Estimate(float(array[0]), None, 1)
    from scipy.special import stdtrit

    t = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    return Estimate(float(array.mean()), t * float(array.std(ddof=1)) / math.sqrt(n), n)

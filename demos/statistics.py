"""Means and fractions over seeds with their 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scratchnet.backends.errors import InputError

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


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The mean of `first[i] − second[i]` with its interval, for runs that share their seeds.

    Pairing removes what a seed does to both runs alike, so the interval is narrower than that
    of two separate means. A pair with a NaN or infinite value is left out.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise InputError(f"a paired difference needs equally many values, got {a.shape}, {b.shape}")
    both = np.isfinite(a) & np.isfinite(b)
    return mean_interval(a[both] - b[both])


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a probability, after `successes` of `n` independent trials.

    (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²) with z = 1.96, which are the probabilities
    from which k/n is z standard deviations away (Wilson 1927). Unlike k/n ± z s it stays within
    [0, 1] and has a width at 0 and at n. Raises `InputError` unless 0 <= successes <= n, n >= 1.
    """
    if not 0 <= successes <= n or n < 1:
        raise InputError(f"{successes} of {n} is no fraction: 0 <= successes <= n is accepted")
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    middle = successes + z**2 / 2
    half = z * math.sqrt(successes * (n - successes) / n + z**2 / 4)
    return max(0.0, (middle - half) / (n + z**2)), min(1.0, (middle + half) / (n + z**2))

"""The gradient of a standardised batch, with an epsilon that can be seen."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.gradients import gradient_fault

EPSILON = 0.3


def forward(x: Any) -> Any:
    """y = (x - m) / s with the mean m and the spread s of each feature, over the samples."""
    return (x - x.mean(axis=0)) / spread(x)


def spread(x: Any, axis: int = 0, ddof: int = 0, epsilon: float = EPSILON) -> Any:
    """sqrt(var(x) + epsilon) along the axis, which keeps the length 1."""
    return np.sqrt(x.var(axis=axis, ddof=ddof, keepdims=True) + epsilon)


def right(dy: Any, x: Any, s: Any, means: Any = np.mean) -> Any:
    """The formula, with the spread s and with these means."""
    y = (x - x.mean(axis=0)) / s
    return (dy - means(dy, axis=0) - y * means(y * dy, axis=0)) / s


def rows(dy: Any, x: Any) -> Any:
    """The formula over the features of a sample, as in layer normalisation."""
    s = spread(x, axis=1)
    y = (x - x.mean(axis=1, keepdims=True)) / s
    inner = y * (y * dy).mean(axis=1, keepdims=True)
    return (dy - dy.mean(axis=1, keepdims=True) - inner) / s


def check(learner: Any) -> None:
    """Raise `Wrong` unless `batchnorm` gives dL/dx through x, m and s."""
    x = np.random.default_rng(12).normal(0.5, 1.3, (7, 3))
    s, y = spread(x), forward(x)

    def mean(values: Any) -> Any:
        """The mean over the samples, (d,)."""
        return values.mean(axis=0)

    mistakes = [
        ("m and s are taken for constants: two parts are missing", lambda dy, x: dy / s),
        ("the part through s is missing: y mean(y dL/dy)", lambda dy, x: (dy - mean(dy)) / s),
        ("the part through m is missing: mean(dL/dy)", lambda dy, x: (dy - y * mean(y * dy)) / s),
        ("sums, must be means over the samples", lambda dy, x: right(dy, x, s, np.sum)),
        ("it is still to be divided by s", lambda dy, x: right(dy, x, s) * s),
        ("divided by s^2, the variance, must be divided by s", lambda dy, x: right(dy, x, s) / s),
        ("epsilon is missing in s", lambda dy, x: right(dy, x, spread(x, epsilon=0.0))),
        ("epsilon stands behind the root, must be under it", outside),
        (
            "the variance is divided by N - 1, must be by N",
            lambda dy, x: right(dy, x, spread(x, ddof=1)),
        ),
        ("the means are over the features, must be over the samples, axis=0", rows),
        (
            "the last part is mean(y dL/dy) alone, must be times y",
            lambda dy, x: (dy - mean(dy) - mean(y * dy)) / s,
        ),
        (
            "the last part must be y mean(y dL/dy), and not y mean(dL/dy)",
            lambda dy, x: (dy - mean(dy) - y * mean(dy)) / s,
        ),
        (
            "the last part has x in place of y",
            lambda dy, x: (dy - mean(dy) - x * mean(x * dy)) / s,
        ),
        (
            "a sign is wrong: both parts are subtracted",
            lambda dy, x: (dy - mean(dy) + y * mean(y * dy)) / s,
        ),
        (
            "all three parts are divided by s: mean(dL/dy) stands outside of the parentheses",
            lambda dy, x: (dy - y * mean(y * dy)) / s - mean(dy),
        ),
        (
            "all three parts are divided by s: parentheses are missing",
            lambda dy, x: dy - mean(dy) - y * mean(y * dy) / s,
        ),
        (
            "all three parts are divided by s: parentheses are missing",
            lambda dy, x: dy / s - mean(dy) - y * mean(y * dy),
        ),
        ("s has no root, must be the root of the variance", lambda dy, x: right(dy, x, s * s)),
        ("dL/dy is missing, it is a factor of every part", lambda dy, x: right(1 + 0 * dy, x, s)),
    ]

    def pullback(dy: Any, x: Any) -> Any:
        """The learner's gradient with the epsilon of `forward`."""
        return learner.batchnorm(dy, x, EPSILON)

    gradient_fault("batchnorm", forward, pullback, x, mistakes=mistakes)


def outside(dy: Any, x: Any) -> Any:
    """The formula with epsilon added to the root, not under it."""
    return right(dy, x, np.sqrt(x.var(axis=0)) + EPSILON)

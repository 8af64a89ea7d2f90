"""The weights beside those of gradient descent on the mean, for a few and for many samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, row
from scratchnet.demos.learn.wrong import is_close

RATE, STEPS = 0.5, 6


def check(learner: Any) -> None:
    """Raise `Wrong` unless the steps go along the mean of the samples' gradients, not their sum."""
    check_loss(learner)
    for samples in (20, 1000):
        draw = np.random.default_rng(samples)
        X = draw.standard_normal((samples, 3))
        y = (X @ [1.0, -2.0, 0.5] + 0.5 * draw.standard_normal(samples) > 0).astype(float)
        right = descend(X, y, samples)
        with np.errstate(over="ignore"):
            found = row(learner.train(X.copy(), y.copy(), RATE, STEPS), "what train returns")
            slips = [
                ("not mended, the gradient is the sum over the samples, not the mean", 1.0),
                ("this is divided by the number of inputs, must be by that of samples", 3.0),
                ("this is divided by N twice", samples**2.0),
                ("this is divided by the root of N, must be by N", samples**0.5),
                ("this is divided by 2 N, must be by N", 2.0 * samples),
                ("this is half of N, must be N", samples / 2),
                ("this is divided by samples times inputs, must be by samples", 3.0 * samples),
                ("the sign is turned, it goes uphill", -float(samples)),
            ]
            mistakes = [(text, descend(X, y, divisor)) for text, divisor in slips]
            mistakes.append(("nothing moves", 0 * right))
            mistakes += [(text, descend(X, y, samples, along)) for text, along in OTHERS.items()]
            mistakes += [
                ("the rate was made smaller, the sum is still there", each)
                for each in smaller(found, X, y)
            ]
            compare_numbers(found, right, f"w for {samples} samples", mistakes)
        twice = learner.train(np.tile(X, (2, 1)), np.tile(y, 2), RATE, STEPS)
        fixed = descend(np.tile(X, (2, 1)), np.tile(y, 2), samples)
        says = f"the divisor is always {samples}, must be the number of samples there is"
        compare_numbers(twice, right, f"w for {samples} samples, each twice,", [(says, fixed)])


def check_loss(learner: Any) -> None:
    """The loss must still be the mean; a file may do without it."""
    loss = getattr(learner, "loss", None)
    if loss is None:
        return
    draw = np.random.default_rng(0)
    X, w, y = draw.standard_normal((7, 3)), draw.standard_normal(3), np.arange(7) % 2
    errors = np.logaddexp(0, X @ w) - y * (X @ w)
    mistakes = [("the loss was the mean, and must remain so", errors.sum())]
    compare_numbers(loss(w, X, y), errors.mean(), "the loss", mistakes)


def descend(X: Any, y: Any, divisor: float, along: Callable[..., Any] | None = None) -> Any:
    """The weights after gradient descent along the sum over the samples, divided by `divisor`.

    Or along what `along` makes of X, y and p.
    """
    w = np.zeros(3)
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-X @ w))
        w = w - RATE * (along(X, y, p) if along else X.T @ (p - y) / divisor)
    return w


def unit(g: Any) -> Any:
    """g / |g|."""
    return g / np.linalg.norm(g)


OTHERS: dict[str, Callable[..., Any]] = {
    "every step has the length of the rate, must be the rate times the gradient": (
        lambda X, y, p: unit(X.T @ (p - y))
    ),
    "the sum is cut off at -1 and 1, must be divided by N": (
        lambda X, y, p: np.clip(X.T @ (p - y), -1, 1)
    ),
    "p alone is divided by N, must be the whole sum: parentheses": (
        lambda X, y, p: X.T @ (p / len(y) - y)
    ),
    "y alone is divided by N, must be the whole sum: parentheses": (
        lambda X, y, p: X.T @ (p - y / len(y))
    ),
    "the mean is over the weights too, all get the same: must be over the samples alone": (
        lambda X, y, p: np.full(3, np.mean(X.T @ (p - y)))
    ),
}


def smaller(found: Any, X: Any, y: Any) -> list[Any]:
    """The weights of fixed smaller rates, as far as they are what was found."""
    tried = [descend(X, y, divisor) for divisor in (5.0, 10.0, 50.0, 100.0, 500.0)]
    return [w for w in tried if found.shape == w.shape and is_close(found, w, 1e-4)]

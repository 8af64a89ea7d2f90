"""The gradients of a layer, at shapes that all differ and at square ones."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.gradients import Pullback, gradient_fault

NAMES = ("x", "W", "b")
SHAPES = ((5, 3, 4), (4, 4, 4))

MISTAKES: tuple[tuple[str, Pullback], ...] = (
    (
        "a mean over the samples, must be the sum: 1/N belongs to the loss",
        lambda dy, x, w, b: (dy @ w.T / len(x), x.T @ dy / len(x), dy.mean(axis=0)),
    ),
    (
        "dL/dy is missing, it is a factor of every gradient",
        lambda dy, x, w, b: (np.ones(dy.shape) @ w.T, x.T @ np.ones(dy.shape), 0 * b + len(x)),
    ),
    ("the order is dL/dx, dL/dW, dL/db", lambda dy, x, w, b: (x.T @ dy, dy @ w.T, dy.sum(axis=0))),
    (
        "keepdims=True leaves an axis of size 1, and b has none",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(axis=0, keepdims=True)),
    ),
)
IN_SQUARES: tuple[tuple[str, Pullback], ...] = (
    (
        "W must be transposed for dL/dx, and x for dL/dW",
        lambda dy, x, w, b: (dy @ w, x @ dy, dy.sum(axis=0)),
    ),
    (
        "the result of the product must not be transposed",
        lambda dy, x, w, b: (w @ dy.T, dy.T @ x, dy.sum(axis=0)),
    ),
    (
        "the product is the wrong way round",
        lambda dy, x, w, b: (w.T @ dy, dy @ x.T, dy.sum(axis=0)),
    ),
    (
        "b was repeated over the samples, axis 0: sum over that axis",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(axis=1)),
    ),
)
"""These have the right shapes where the layer is square, and nowhere else."""


def check(learner: Any) -> None:
    """Raise `Wrong` unless `affine` gives the gradients of x W + b with respect to x, W and b."""
    for n, fan_in, fan_out in SHAPES:
        rng = np.random.default_rng(n)
        shapes = (n, fan_in), (fan_in, fan_out), (fan_out,)
        x, w, b = (rng.uniform(0.5, 2.0, shape) for shape in shapes)
        mistakes = (*MISTAKES, *IN_SQUARES) if n == fan_in == fan_out else MISTAKES
        what = f"affine with x {shapes[0]}, W {shapes[1]}, b {shapes[2]}"
        gradient_fault(what, forward, learner.affine, x, w, b, names=NAMES, mistakes=mistakes)


def forward(x: Any, w: Any, b: Any) -> Any:
    """y = x W + b, (N, out)."""
    return x @ w + b

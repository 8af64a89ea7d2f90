"""The gradients of a layer, at shapes that all differ and at square ones."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.gradients import gradient_fault

NAMES = ("x", "W", "b")
SHAPES = ((5, 3, 4), (4, 4, 4))


def forward(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def check(learner: Any) -> None:
    for n, fan_in, fan_out in SHAPES:
        rng = np.random.default_rng(n)
        shapes = (n, fan_in), (fan_in, fan_out), (fan_out,)
        x, w, b = (rng.uniform(0.5, 2.0, shape) for shape in shapes)
        mistakes = [
            ("a mean over the samples, must be the sum: 1/N belongs to the loss", mean),
            ("dL/dy is missing, it is a factor of every gradient", without_dy),
            ("the order is dL/dx, dL/dW, dL/db", swapped),
            ("keepdims=True leaves an axis of size 1, and b has none", with_ones),
        ]
        if n == fan_in == fan_out:
            mistakes += [
                ("W must be transposed for dL/dx, and x for dL/dW", untransposed),
                ("the product is the wrong way round, or its result transposed", turned),
                ("b was repeated over the samples, axis 0: sum over that axis", other_axis),
            ]
        what = f"affine with x {shapes[0]}, W {shapes[1]}, b {shapes[2]}"
        gradient_fault(what, forward, learner.affine, x, w, b, names=NAMES, mistakes=mistakes)


def mean(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return dy @ w.T / len(x), x.T @ dy / len(x), dy.mean(axis=0)


def without_dy(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    ones = np.ones(dy.shape)
    return ones @ w.T, x.T @ ones, ones.sum(axis=0)


def swapped(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return x.T @ dy, dy @ w.T, dy.sum(axis=0)


def with_ones(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return dy @ w.T, x.T @ dy, dy.sum(axis=0, keepdims=True)


def untransposed(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return dy @ w, x @ dy, dy.sum(axis=1)


def turned(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return w @ dy.T, dy.T @ x, dy.sum(axis=1)


def other_axis(dy: Any, x: Any, w: Any, b: Any) -> tuple[Any, ...]:
    return w.T @ dy, dy @ x.T, dy.sum(axis=1)

"""A third set of wrong gradients: slips in whole steps of a network, written by hand.

As `likely_mistakes`: each is one slip in one pullback, under the name of its kind or, where it has
none in `MISTAKES`, with None and the words by which the sentence must tell it. They were written
before the diagnosis was extended for them, so the first count stands apart from the other sets.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from likely_mistakes import OPS as EARLIER
from likely_mistakes import Likely, normal, rows, scale, signs, softmax, standard_slope
from planted_gradients import Op


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


X, T, W, B = normal(5, 4), normal(5, 3, seed=1), normal(4, 3, seed=2), normal(3, seed=3)
SQUARE, V = normal(4, 4, seed=4), normal(3, 4, seed=5)
POSITIVE, CHANCE = np.exp(normal(5, 4, seed=6)), sigmoid(normal(5, 4, seed=7))
GAIN, SHIFT = np.exp(normal(4, seed=8)), normal(4, seed=9)
PLACES = np.array([2, 0, 2, 1, 0])


def kept(x: Any) -> Any:
    """Dropout's mask, for a share of 3/4 that stays."""
    return np.resize([1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1], x.shape)


def hits(x: Any) -> Any:
    """Targets of 0 and 1."""
    return (1 + signs(x)) / 2


def added_at(dy: Any, x: Any) -> Any:
    """Rows of dy added to those of a table that they were taken from."""
    dx = np.zeros_like(x)
    np.add.at(dx, PLACES % len(x), dy)
    return dx


def put_at(dy: Any, x: Any) -> Any:
    dx = np.zeros_like(x)
    dx[PLACES % len(x)] = dy
    return dx


def differences(dy: Any) -> Any:
    """The gradient of x[1:] - x[:-1], along axis 0."""
    none = np.zeros((1, *dy.shape[1:]))
    return np.concatenate([none, dy]) - np.concatenate([dy, none])


def middle(x: Any) -> Any:
    """Where the median of each column stands."""
    return x == np.sort(x, 0)[len(x) // 2]


def pooled(x: Any) -> Any:
    return x.mean(0, keepdims=True)


NEW: dict[str, Op] = {
    "layer": Op(
        lambda x, w, b: np.maximum(x @ w + b, 0),
        (
            lambda dy, y, x, w, b: (dy * (y > 0)) @ w.T,
            lambda dy, y, x, w, b: x.T @ (dy * (y > 0)),
            lambda dy, y, x, w, b: (dy * (y > 0)).sum(0),
        ),
        (X, W, B),
    ),
    "two layers": Op(
        lambda x, w, v: np.tanh(x @ w) @ v,
        (
            lambda dy, y, x, w, v: (dy @ v.T * (1 - np.tanh(x @ w) ** 2)) @ w.T,
            lambda dy, y, x, w, v: x.T @ (dy @ v.T * (1 - np.tanh(x @ w) ** 2)),
            lambda dy, y, x, w, v: np.tanh(x @ w).T @ dy,
        ),
        (X, W, V),
    ),
    "residual": Op(
        lambda x, w: x + np.tanh(x @ w),
        (
            lambda dy, y, x, w: dy + (dy * (1 - (y - x) ** 2)) @ w.T,
            lambda dy, y, x, w: x.T @ (dy * (1 - (y - x) ** 2)),
        ),
        (X, SQUARE),
    ),
    "regression": Op(
        lambda x, w, t: np.mean((x @ w - t) ** 2),
        (
            lambda dy, y, x, w, t: dy * 2 * (x @ w - t) @ w.T / t.size,
            lambda dy, y, x, w, t: dy * 2 * x.T @ (x @ w - t) / t.size,
            lambda dy, y, x, w, t: -dy * 2 * (x @ w - t) / t.size,
        ),
        (X, W, T),
    ),
    "decay": Op(
        lambda x, w: np.sum(x @ w) + 0.3 * np.sum(w**2),
        (
            lambda dy, y, x, w: dy * np.ones((len(x), 1)) * w.sum(1),
            lambda dy, y, x, w: dy * (x.sum(0)[:, None] + 0.6 * w),
        ),
        (X, W),
    ),
    "cross-entropy of chances": Op(
        lambda p: -np.mean(hits(p) * np.log(p) + (1 - hits(p)) * np.log(1 - p)),
        (lambda dy, y, p: dy * (p - hits(p)) / (p * (1 - p)) / p.size,),
        (CHANCE,),
    ),
    "warm softmax": Op(
        lambda x: softmax(x / 3),
        (lambda dy, y, x: y * (dy - rows(dy * y)) / 3,),
        (X,),
    ),
    "inverted dropout": Op(
        lambda x: x * kept(x) / 0.75, (lambda dy, y, x: dy * kept(x) / 0.75,), (X,)
    ),
    "table": Op(lambda x: x[PLACES % len(x)], (lambda dy, y, x: added_at(dy, x),), (normal(4, 3),)),
    "steps": Op(lambda x: x[1:] - x[:-1], (lambda dy, y, x: differences(dy),), (X,)),
    "flat": Op(lambda x: x.T.ravel(), (lambda dy, y, x: dy.reshape(x.T.shape).T,), (X,)),
    "product of rows": Op(
        lambda x: x.prod(1, keepdims=True), (lambda dy, y, x: dy * y / x,), (POSITIVE,)
    ),
    "bell": Op(lambda x: np.exp(-(x**2)), (lambda dy, y, x: -2 * dy * x * y,), (X,)),
    "wave": Op(lambda x: np.sin(3 * x), (lambda dy, y, x: 3 * dy * np.cos(3 * x),), (X,)),
    "arctan": Op(np.arctan, (lambda dy, y, x: dy / (1 + x**2),), (X,)),
    "mean row": Op(
        lambda x: x - pooled(x) ** 2,
        (lambda dy, y, x: dy - 2 * pooled(x) * dy.sum(0) / len(x),),
        (X,),
    ),
}


class Fresh(Likely):
    """A slip in an op of any of the three sets."""

    ops: ClassVar[dict[str, Op]] = EARLIER | NEW


FRESH: tuple[Fresh, ...] = (
    # A layer of ReLUs, and two layers.
    Fresh("layer", "mask forgotten", lambda dy, y, x, w, b: dy @ w.T),
    Fresh("layer", "mask forgotten", lambda dy, y, x, w, b: x.T @ dy, 1),
    Fresh("layer", "mask forgotten", lambda dy, y, x, w, b: dy.sum(0), 2),
    Fresh("layer", "sign", lambda dy, y, x, w, b: -(dy * (y > 0)) @ w.T),
    Fresh("layer", "constant factor", lambda dy, y, x, w, b: x.T @ (dy * (y > 0)) / len(x), 1),
    Fresh("layer", "factor of the output", lambda dy, y, x, w, b: (dy * y) @ w.T),
    Fresh("layer", "mask inverted", lambda dy, y, x, w, b: (dy * (y <= 0)) @ w.T),
    Fresh("layer", "not summed", lambda dy, y, x, w, b: dy * (y > 0), 2),
    Fresh("layer", "wrong axis", lambda dy, y, x, w, b: (dy * (y > 0)).sum(0).sum(), 2),
    Fresh("two layers", None, lambda dy, y, x, w, v: (dy @ v.T) @ w.T, words="tanh"),
    Fresh("two layers", None, lambda dy, y, x, w, v: x.T @ (dy @ v.T), 1, words="factor"),
    Fresh(
        "two layers",
        "constant factor",
        lambda dy, y, x, w, v: 2 * x.T @ (dy @ v.T * (1 - np.tanh(x @ w) ** 2)),
        1,
    ),
    Fresh("two layers", None, lambda dy, y, x, w, v: (x @ w).T @ dy, 2, words="input"),
    Fresh(
        "two layers",
        None,
        lambda dy, y, x, w, v: x.T @ (dy @ v.T * (1 - np.tanh(x @ w))),
        1,
        words="factor",
    ),
    Fresh("two layers", "transposed", lambda dy, y, x, w, v: dy.T @ np.tanh(x @ w), 2),
    # Residual branches.
    Fresh("residual", "use forgotten", lambda dy, y, x, w: (dy * (1 - (y - x) ** 2)) @ w.T),
    Fresh("residual", "use forgotten", lambda dy, y, x, w: dy),
    Fresh("residual", None, lambda dy, y, x, w: dy + (dy * (1 - y**2)) @ w.T, words="one part"),
    Fresh("residual", "transposed", lambda dy, y, x, w: dy + (dy * (1 - (y - x) ** 2)) @ w),
    Fresh(
        "residual",
        "constant factor",
        lambda dy, y, x, w: 2 * dy + (dy * (1 - (y - x) ** 2)) @ w.T,
    ),
    Fresh("residual", "sign", lambda dy, y, x, w: dy - (dy * (1 - (y - x) ** 2)) @ w.T),
    Fresh("residual", None, lambda dy, y, x, w: x.T @ dy, 1, words="factor"),
    # Losses.
    Fresh("regression", "constant factor", lambda dy, y, x, w, t: dy * x.T @ (x @ w - t) / 15, 1),
    Fresh(
        "regression",
        "constant factor",
        lambda dy, y, x, w, t: dy * 2 * x.T @ (x @ w - t) / len(x),
        1,
    ),
    Fresh("regression", "sign", lambda dy, y, x, w, t: dy * 2 * (x @ w - t) / t.size, 2),
    Fresh(
        "regression",
        "use forgotten",
        lambda dy, y, x, w, t: dy * 2 * x.T @ (x @ w) / t.size,
        1,
    ),
    Fresh(
        "regression",
        "sign",
        lambda dy, y, x, w, t: dy * 2 * x.T @ (x @ w + t) / t.size,
        1,
    ),
    Fresh("decay", "use forgotten", lambda dy, y, x, w: dy * x.sum(0)[:, None] + 0 * w, 1),
    Fresh("decay", "constant factor", lambda dy, y, x, w: dy * (x.sum(0)[:, None] + 0.3 * w), 1),
    Fresh("decay", "constant factor", lambda dy, y, x, w: dy * (x.sum(0)[:, None] + 2 * w), 1),
    Fresh("decay", "sign", lambda dy, y, x, w: dy * (x.sum(0)[:, None] - 0.6 * w), 1),
    Fresh("cross-entropy", "sign", lambda dy, y, z, q: dy * (q - softmax(z)) / len(z)),
    Fresh("cross-entropy", "constant factor", lambda dy, y, z, q: dy * (softmax(z) - q) / z.size),
    Fresh(
        "cross-entropy",
        None,
        lambda dy, y, z, q: dy * (np.log(softmax(z)) - q) / len(z),
        words="one part",
    ),
    Fresh(
        "cross-entropy of chances",
        "factor of an input",
        lambda dy, y, p: dy * (p - hits(p)) / p.size,
    ),
    Fresh(
        "cross-entropy of chances",
        None,
        lambda dy, y, p: -dy * hits(p) / p / p.size,
        words="entries",
    ),
    Fresh(
        "cross-entropy of chances",
        "sign",
        lambda dy, y, p: dy * (hits(p) - p) / (p - p * p) / p.size,
    ),
    Fresh("warm softmax", "constant factor", lambda dy, y, x: y * (dy - rows(dy * y))),
    Fresh(
        "warm softmax",
        None,
        lambda dy, y, x: softmax(x) * (dy - rows(dy * softmax(x))) / 3,
        words="softmax",
    ),
    # Normalisation.
    Fresh("batch norm", "factor of an input", lambda dy, y, x, g, b: standard_slope(dy, x)),
    Fresh(
        "batch norm",
        "factor of an input",
        lambda dy, y, x, g, b: standard_slope(dy * g, x) / scale(x),
    ),
    Fresh("batch norm", None, lambda dy, y, x, g, b: (dy * x).sum(0), 1, words="input 0"),
    Fresh("batch norm", None, lambda dy, y, x, g, b: (dy * y).sum(0), 1, words="by y"),
    Fresh("batch norm", "wrong axis", lambda dy, y, x, g, b: standard_slope(dy * g, x, 1)),
    Fresh(
        "standardize",
        None,
        lambda dy, y, x: (dy - np.median(dy, 0) - y * (dy * y).mean(0)) / scale(x),
        words="linear",
    ),
    Fresh("standardize", "factor of an input", lambda dy, y, x: standard_slope(dy, x) * scale(x)),
    Fresh(
        "standardize",
        None,
        lambda dy, y, x: (dy - dy.mean(0) - x * (dy * y).mean(0)) / scale(x),
        words="instead",
    ),
    Fresh("mean row", "use forgotten", lambda dy, y, x: dy),
    Fresh("mean row", "constant factor", lambda dy, y, x: dy - 2 * pooled(x) * dy.sum(0)),
    Fresh("mean row", None, lambda dy, y, x: dy - 2 * x * dy.sum(0) / len(x), words="instead"),
    # Dropout.
    Fresh("inverted dropout", "constant factor", lambda dy, y, x: dy * kept(x)),
    Fresh("inverted dropout", "mask forgotten", lambda dy, y, x: dy / 0.75),
    Fresh("inverted dropout", "mask inverted", lambda dy, y, x: dy * (1 - kept(x)) / 0.75),
    Fresh("inverted dropout", None, lambda dy, y, x: dy * (x > 0) / 0.75, words="another mask"),
    # Elementwise.
    Fresh("tanh", "factor of the output", lambda dy, y, x: dy * (1 - y)),
    Fresh("sigmoid", None, lambda dy, y, x: dy * y * (1 + y), words="factor"),
    Fresh("sigmoid", "factor of the output", lambda dy, y, x: dy * (1 - y)),
    Fresh("exp", "factor of an input", lambda dy, y, x: dy * x * np.exp(x - 1)),
    Fresh("elu", "right only where x > 0", lambda dy, y, x: dy * np.where(x > 0, 1, y)),
    Fresh("leaky_relu", "right only where x > 0", lambda dy, y, x: dy * (x > 0)),
    Fresh("bell", "factor of an input", lambda dy, y, x: dy * y),
    Fresh("wave", "constant factor", lambda dy, y, x: dy * np.cos(3 * x)),
    Fresh("arctan", None, lambda dy, y, x: dy / np.sqrt(1 + x**2), words="factor"),
    Fresh("cube", "factor of an input", lambda dy, y, x: dy * 3 * x**3),
    Fresh("divide", "sign", lambda dy, y, a, b: (dy * a / b**2).sum(0), 1),
    Fresh("divide", "factor of 1/x", lambda dy, y, a, b: -(dy * a / b).sum(0), 1),
    Fresh("tanh", None, lambda dy, y, x: np.round(dy * (1 - y * y), 2), words="round"),
    Fresh("square", None, lambda dy, y, x: (2 * x * dy).astype(int), words="whole numbers"),
    Fresh("relu", None, lambda dy, y, x: dy * (dy > 0), words="dL/dy"),
    # Reductions, places and orders.
    Fresh("mean of rows", None, lambda dy, y, x: dy * middle(x), words="median"),
    Fresh("max", None, lambda dy, y, x: dy * np.roll(x == y, 1, 1), words="shifted"),
    Fresh("max", "mask forgotten", lambda dy, y, x: dy * np.ones_like(x)),
    Fresh("product of rows", "factor of 1/x", lambda dy, y, x: dy * y * np.ones_like(x)),
    Fresh("norm", "factor of the output", lambda dy, y, x: dy * x),
    Fresh("logsumexp", "factor of the output", lambda dy, y, x: dy * np.exp(x)),
    Fresh("table", "overwritten", lambda dy, y, x: put_at(dy, x)),
    Fresh("steps", None, lambda dy, y, x: np.concatenate([dy[:1] * 0, dy]), words="part"),
    Fresh("steps", "sign", lambda dy, y, x: -differences(dy)),
    Fresh("flat", "transposed", lambda dy, y, x: dy.reshape(x.shape)),
    Fresh(
        "cumsum",
        None,
        lambda dy, y, x: np.roll(dy[:, ::-1].cumsum(1)[:, ::-1], 1, 1),
        words="shifted",
    ),
)

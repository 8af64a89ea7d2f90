"""A second set of wrong gradients: what learners write for softmax, normalisations and products.

As in `planted_gradients`, each is one mistake in one pullback, under the name of its kind. They
were written after the diagnosis had its first form, and before it was extended for them, so what
they measure stands apart from the first set. A mistake that has no name of its own in `MISTAKES`
has None and the words by which the sentence must tell it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from planted_gradients import BITS, ONEHOT, Op, Pullback
from planted_gradients import OPS as FIRST

from scratchnet import Tensor, ops


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([7, seed, *shape]).standard_normal(shape)


def softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def rows(values: Any) -> Any:
    """The sum of each row, as a column."""
    return values.sum(-1, keepdims=True)


def scale(x: Any, axis: int = 0) -> Any:
    return np.sqrt(x.var(axis, keepdims=True) + 1e-5)


def standard(x: Any, axis: int = 0) -> Any:
    return (x - x.mean(axis, keepdims=True)) / scale(x, axis)


def standard_slope(dy: Any, x: Any, axis: int = 0) -> Any:
    y = standard(x, axis)
    mean, part = (each.mean(axis, keepdims=True) for each in (dy, dy * y))
    return (dy - mean - y * part) / scale(x, axis)


C = np.sqrt(2 / np.pi)


def gate(x: Any) -> Any:
    """The factor of GELU's tanh form."""
    return (1 + np.tanh(C * (x + 0.044715 * x**3))) / 2


def gate_slope(x: Any) -> Any:
    t = np.tanh(C * (x + 0.044715 * x**3))
    return (1 - t**2) * C * (1 + 3 * 0.044715 * x**2) / 2


def signs(z: Any) -> Any:
    return 2 * np.resize(BITS, z.shape) - 1


def targets(x: Any) -> Any:
    return np.resize(ONEHOT, x.shape)


X, ROW, P = normal(5, 4), normal(4), np.exp(normal(5, 4, seed=1))
SQUARE, OTHER = normal(4, 4), normal(4, 4, seed=1)
CUBE = normal(2, 3, 4)
AT_ZERO = np.where(np.arange(20).reshape(5, 4) % 3 == 0, 0.0, X)
AT_TARGET = np.where(np.arange(20).reshape(5, 4) % 3 == 0, ONEHOT, X)
AT_MARGIN = np.where(np.arange(20).reshape(5, 4) % 3 == 0, 2 * BITS - 1, X)
TIES = np.round(X)
SLOPES = np.array([0.1, 0.2, 0.3, 0.4])

NEW: dict[str, Op] = {
    "centre": Op(
        lambda x: x - x.mean(0),
        (lambda dy, y, x: dy - dy.mean(0),),
        (X,),
        graph=lambda x: x - ops.mean(x, 0, keepdims=True),
    ),
    "unit rows": Op(
        lambda x: x / np.sqrt(rows(x**2)),
        (lambda dy, y, x: (dy - y * rows(dy * y)) / np.sqrt(rows(x**2)),),
        (X,),
    ),
    "parts of the sum": Op(
        lambda x: x / rows(x), (lambda dy, y, x: (dy - rows(dy * y)) / rows(x),), (P,)
    ),
    "rms norm": Op(
        lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True)),
        (
            lambda dy, y, x: (
                (dy - y * (dy * y).mean(-1, keepdims=True))
                / np.sqrt((x**2).mean(-1, keepdims=True))
            ),
        ),
        (X,),
    ),
    "gelu": Op(lambda x: x * gate(x), (lambda dy, y, x: dy * (gate(x) + x * gate_slope(x)),), (X,)),
    "softsign": Op(lambda x: x / (1 + abs(x)), (lambda dy, y, x: dy / (1 + abs(x)) ** 2,), (X,)),
    "quadratic form": Op(
        lambda x, a: ((x @ a) * x).sum(1),
        (
            lambda dy, y, x, a: dy[:, None] * (x @ a + x @ a.T),
            lambda dy, y, x, a: x.T @ (dy[:, None] * x),
        ),
        (normal(5, 3), normal(3, 3)),
    ),
    "linear (out, in)": Op(
        lambda x, w, b: x @ w.T + b,
        (
            lambda dy, y, x, w, b: dy @ w,
            lambda dy, y, x, w, b: dy.T @ x,
            lambda dy, y, x, w, b: dy.sum(0),
        ),
        (SQUARE, OTHER, ROW),
    ),
    "outer": Op(
        lambda a, b: a[:, None] * b,
        (lambda dy, y, a, b: (dy * b).sum(1), lambda dy, y, a, b: (dy * a[:, None]).sum(0)),
        (normal(5), ROW),
    ),
    "scale": Op(
        lambda x, s: x * s,
        (lambda dy, y, x, s: dy * s, lambda dy, y, x, s: (dy * x).sum()),
        (X, np.array(1.7)),
    ),
    "stretch": Op(
        lambda a, b: a * b,
        (
            lambda dy, y, a, b: (dy * b).sum((0, 2))[:, None],
            lambda dy, y, a, b: dy * a,
        ),
        (normal(3, 1), CUBE),
    ),
    "batched matmul": Op(
        lambda a, w: a @ w,
        (
            lambda dy, y, a, w: dy @ w.T,
            lambda dy, y, a, w: (a.swapaxes(1, 2) @ dy).sum(0),
        ),
        (CUBE, normal(4, 5)),
    ),
    "cumsum": Op(lambda x: x.cumsum(1), (lambda dy, y, x: dy[:, ::-1].cumsum(1)[:, ::-1],), (X,)),
    "permute": Op(
        lambda x: x.transpose(1, 2, 0), (lambda dy, y, x: dy.transpose(2, 0, 1),), (CUBE,)
    ),
    "sum of columns": Op(
        lambda x: x.sum(1), (lambda dy, y, x: dy[:, None] * np.ones_like(x),), (SQUARE,)
    ),
    "mean of columns": Op(
        lambda x: x.mean(1), (lambda dy, y, x: dy[:, None] * np.ones_like(x) / x.shape[1],), (X,)
    ),
    "largest, shared": Op(
        lambda x: x.max(1, keepdims=True),
        (lambda dy, y, x: dy * (x == y) / rows(x == y),),
        (TIES,),
    ),
    "halves": Op(
        lambda a, b: np.concatenate([a, b], 1),
        (lambda dy, y, a, b: dy[:, : a.shape[1]], lambda dy, y, a, b: dy[:, a.shape[1] :]),
        (X, normal(5, 4, seed=2)),
    ),
    "smaller than 0": Op(lambda x: np.minimum(x, 0), (lambda dy, y, x: dy * (x < 0),), (X,)),
    "prelu": Op(
        lambda x, a: np.where(x > 0, x, a * x),
        (
            lambda dy, y, x, a: dy * np.where(x > 0, 1, a),
            lambda dy, y, x, a: (dy * np.where(x > 0, 0, x)).sum(0),
        ),
        (X, SLOPES),
    ),
}
OPS = FIRST | NEW


@dataclass(frozen=True)
class Likely:
    """A mistake in the pullback of one input of an op, at inputs of its own where it has some."""

    ops: ClassVar[dict[str, Op]] = OPS
    op: str
    mistake: str | None
    pullback: Pullback = field(repr=False)
    argument: int = 0
    inputs: tuple[Any, ...] | None = field(default=None, repr=False)
    words: str = ""

    @property
    def function(self) -> Callable[..., Tensor]:
        pullbacks = list(self.ops[self.op].pullbacks)
        pullbacks[self.argument] = self.pullback
        return self.ops[self.op].function(*pullbacks)

    @property
    def reference(self) -> Callable[..., Tensor]:
        """The same function with the right gradient."""
        return self.ops[self.op].graph or self.ops[self.op].function()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        arrays = self.inputs or self.ops[self.op].inputs
        return tuple(Tensor(np.array(array), requires_grad=True) for array in arrays)

    def gradient(self, *, right: bool = False) -> Any:
        """What the pullback, or the right one, gives for a random incoming gradient."""
        function = self.ops[self.op].function() if right else self.function
        y = function(*self.tensors)
        dy = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
        return np.asarray(y.inputs[self.argument][1](dy))


LIKELY: tuple[Likely, ...] = (
    # Softmax and what is made of it.
    Likely("softmax", "use forgotten", lambda dy, y, x: dy * y * (1 - y)),
    Likely("softmax", "use forgotten", lambda dy, y, x: dy * y * (1 - y), inputs=(ROW,)),
    Likely("softmax", "use forgotten", lambda dy, y, x: dy * y * (1 - y), inputs=(SQUARE,)),
    Likely("softmax", "use forgotten", lambda dy, y, x: -y * (rows(dy * y) - dy * y)),
    Likely("softmax", "not summed", lambda dy, y, x: y * (dy - dy * y)),
    Likely("softmax", "factor of the output", lambda dy, y, x: y * (dy - rows(dy))),
    Likely(
        "softmax", "constant factor", lambda dy, y, x: y * (dy - (dy * y).mean(-1, keepdims=True))
    ),
    Likely("softmax", "sign", lambda dy, y, x: y * (dy + rows(dy * y))),
    Likely("softmax", "wrong axis", lambda dy, y, x: y * (dy - (dy * y).sum())),
    Likely("softmax", "wrong axis", lambda dy, y, x: y * (dy - (dy * y).sum(0)), inputs=(SQUARE,)),
    Likely("softmax", "incoming gradient ignored", lambda dy, y, x: y * (1 - y)),
    Likely("log_softmax", "use forgotten", lambda dy, y, x: dy * (1 - np.exp(y))),
    Likely("log_softmax", "use forgotten", lambda dy, y, x: dy, inputs=(SQUARE,)),
    Likely("log_softmax", "not summed", lambda dy, y, x: dy - np.exp(y) * dy),
    Likely(
        "log_softmax",
        "constant factor",
        lambda dy, y, x: dy - np.exp(y) * dy.mean(-1, keepdims=True),
    ),
    Likely("log_softmax", "sign", lambda dy, y, x: dy + np.exp(y) * rows(dy)),
    Likely("log_softmax", "wrong axis", lambda dy, y, x: dy - np.exp(y) * dy.sum()),
    Likely("logsumexp", "wrong axis", lambda dy, y, x: dy * softmax(x, 0)),
    Likely("cross-entropy", "use forgotten", lambda dy, y, z, q: dy * softmax(z) / len(z)),
    Likely("cross-entropy", "use forgotten", lambda dy, y, z, q: -dy * q / len(z)),
    Likely("cross-entropy", "sign", lambda dy, y, z, q: dy * (softmax(z) + q) / len(z)),
    Likely("cross-entropy", "wrong axis", lambda dy, y, z, q: dy * (softmax(z, 0) - q) / len(z)),
    Likely(
        "cross-entropy", "incoming gradient ignored", lambda dy, y, z, q: (softmax(z) - q) / len(z)
    ),
    Likely(
        "binary cross-entropy",
        "use forgotten",
        lambda dy, y, z: dy / (1 + np.exp(-z)) / z.size,
    ),
    Likely(
        "binary cross-entropy",
        "sign",
        lambda dy, y, z: dy * (1 / (1 + np.exp(-z)) + np.resize(BITS, z.shape)) / z.size,
    ),
    Likely("squared error", "use forgotten", lambda dy, y, x: dy * 2 * x / x.size),
    Likely("squared error", "sign", lambda dy, y, x: dy * 2 * (x + targets(x)) / x.size),
    # Centring and normalising.
    Likely("centre", "use forgotten", lambda dy, y, x: dy),
    Likely("centre", "use forgotten", lambda dy, y, x: -dy.mean(0) * np.ones_like(x)),
    Likely("centre", "sign", lambda dy, y, x: dy + dy.mean(0)),
    Likely("centre", "constant factor", lambda dy, y, x: dy - dy.sum(0)),
    Likely("centre", "wrong axis", lambda dy, y, x: dy - dy.mean(1, keepdims=True)),
    Likely("centre", "wrong axis", lambda dy, y, x: dy - dy.mean()),
    Likely("centre", "not summed", lambda dy, y, x: dy - dy / len(x)),
    Likely("standardize", "use forgotten", lambda dy, y, x: dy / scale(x)),
    Likely("standardize", "use forgotten", lambda dy, y, x: (dy - dy.mean(0)) / scale(x)),
    Likely("standardize", "use forgotten", lambda dy, y, x: (dy - y * (dy * y).mean(0)) / scale(x)),
    Likely(
        "standardize",
        "sign",
        lambda dy, y, x: (dy - dy.mean(0) + y * (dy * y).mean(0)) / scale(x),
    ),
    Likely(
        "standardize",
        "sign",
        lambda dy, y, x: (dy + dy.mean(0) - y * (dy * y).mean(0)) / scale(x),
    ),
    Likely(
        "standardize",
        "constant factor",
        lambda dy, y, x: (dy - dy.mean(0) - y * (dy * y).sum(0)) / scale(x),
    ),
    Likely(
        "standardize",
        "constant factor",
        lambda dy, y, x: (dy - dy.sum(0) - y * (dy * y).mean(0)) / scale(x),
    ),
    Likely(
        "standardize",
        "constant factor",
        lambda dy, y, x: (dy - dy.mean(0) - y * (dy * y).sum(0) / (len(x) - 1)) / scale(x),
    ),
    Likely(
        "standardize",
        "wrong axis",
        lambda dy, y, x: (dy - dy.mean(1, keepdims=True) - y * (dy * y).mean(0)) / scale(x),
    ),
    Likely("batch norm", "use forgotten", lambda dy, y, x, g, b: dy * g / scale(x)),
    Likely(
        "batch norm",
        "use forgotten",
        lambda dy, y, x, g, b: g * (dy - standard(x) * (dy * standard(x)).mean(0)) / scale(x),
    ),
    Likely(
        "batch norm",
        "sign",
        lambda dy, y, x, g, b: (
            g * (dy - dy.mean(0) + standard(x) * (dy * standard(x)).mean(0)) / scale(x)
        ),
    ),
    Likely(
        "batch norm",
        "constant factor",
        lambda dy, y, x, g, b: (
            g * (dy - dy.mean(0) - standard(x) * (dy * standard(x)).sum(0)) / scale(x)
        ),
    ),
    Likely("batch norm", "constant factor", lambda dy, y, x, g, b: (dy * standard(x)).mean(0), 1),
    Likely("batch norm", "factor of an input", lambda dy, y, x, g, b: (dy * g).sum(0), 2),
    Likely(
        "batch norm",
        None,
        lambda dy, y, x, g, b: dy.sum(0),
        1,
        words="gradient of input 2",
    ),
    Likely("layer norm", "use forgotten", lambda dy, y, x, g, b: dy * g / scale(x, -1)),
    Likely(
        "layer norm",
        "use forgotten",
        lambda dy, y, x, g, b: (
            (dy * g - standard(x, -1) * (dy * g * standard(x, -1)).mean(-1, keepdims=True))
            / scale(x, -1)
        ),
    ),
    Likely("layer norm", "wrong axis", lambda dy, y, x, g, b: standard_slope(dy * g, x, 0)),
    Likely(
        "layer norm",
        "wrong axis",
        lambda dy, y, x, g, b: dy.sum(1),
        2,
        inputs=(SQUARE, ROW, ROW[::-1]),
    ),
    Likely("unit rows", "use forgotten", lambda dy, y, x: dy / np.sqrt(rows(x**2))),
    Likely("unit rows", "use forgotten", lambda dy, y, x: dy * (1 - y**2) / np.sqrt(rows(x**2))),
    Likely("unit rows", "sign", lambda dy, y, x: (dy + y * rows(dy * y)) / np.sqrt(rows(x**2))),
    Likely(
        "unit rows", "wrong axis", lambda dy, y, x: (dy - y * (dy * y).sum(0)) / np.sqrt(rows(x**2))
    ),
    Likely("parts of the sum", "use forgotten", lambda dy, y, x: dy / rows(x)),
    Likely("parts of the sum", "use forgotten", lambda dy, y, x: dy * (1 - y) / rows(x)),
    Likely("parts of the sum", "sign", lambda dy, y, x: (dy + rows(dy * y)) / rows(x)),
    Likely("parts of the sum", "factor of the output", lambda dy, y, x: (dy - rows(dy)) / rows(x)),
    Likely(
        "rms norm", "use forgotten", lambda dy, y, x: dy / np.sqrt((x**2).mean(-1, keepdims=True))
    ),
    Likely(
        "rms norm",
        "constant factor",
        lambda dy, y, x: (dy - y * rows(dy * y)) / np.sqrt((x**2).mean(-1, keepdims=True)),
    ),
    Likely("var", "use forgotten", lambda dy, y, x: dy * 2 * x / len(x)),
    Likely("var", "sign", lambda dy, y, x: dy * 2 * (x + x.mean(0)) / len(x)),
    Likely("std", "use forgotten", lambda dy, y, x: dy * x / (len(x) * y)),
    # One of two factors that hold x.
    Likely("gelu", "use forgotten", lambda dy, y, x: dy * gate(x)),
    Likely("gelu", "use forgotten", lambda dy, y, x: dy * x * gate_slope(x)),
    Likely("softsign", "use forgotten", lambda dy, y, x: dy / (1 + abs(x))),
    Likely("softsign", "right only where x > 0", lambda dy, y, x: dy / (1 + x) ** 2),
    Likely("quadratic form", "use forgotten", lambda dy, y, x, a: dy[:, None] * (x @ a)),
    Likely("quadratic form", "use forgotten", lambda dy, y, x, a: dy[:, None] * (x @ a.T)),
    Likely("quadratic form", "constant factor", lambda dy, y, x, a: x.T @ (dy[:, None] * x) / 2, 1),
    # Products, square or not.
    Likely("matmul", "transposed", lambda dy, y, a, b: dy @ b, inputs=(SQUARE, OTHER)),
    Likely("matmul", "transposed", lambda dy, y, a, b: a @ dy, 1, inputs=(SQUARE, OTHER)),
    Likely("matmul", "transposed", lambda dy, y, a, b: b.T @ dy, inputs=(SQUARE, OTHER)),
    Likely(
        "matmul",
        None,
        lambda dy, y, a, b: a.T @ dy,
        inputs=(SQUARE, OTHER),
        words="gradient of input 1",
    ),
    Likely("linear (out, in)", "transposed", lambda dy, y, x, w, b: dy @ w.T),
    Likely("linear (out, in)", "transposed", lambda dy, y, x, w, b: x.T @ dy, 1),
    Likely("linear (out, in)", "wrong axis", lambda dy, y, x, w, b: dy.sum(1), 2),
    Likely("linear (out, in)", "constant factor", lambda dy, y, x, w, b: dy.T @ x / len(x), 1),
    Likely(
        "affine", "wrong axis", lambda dy, y, x, w, b: dy.sum(1), 2, inputs=(SQUARE, OTHER, ROW)
    ),
    Likely("batched matmul", "not summed", lambda dy, y, a, w: a.swapaxes(1, 2) @ dy, 1),
    Likely(
        "batched matmul", "constant factor", lambda dy, y, a, w: (a.swapaxes(1, 2) @ dy).mean(0), 1
    ),
    # Broadcasting.
    Likely("outer", "not summed", lambda dy, y, a, b: dy * b),
    Likely("outer", "wrong axis", lambda dy, y, a, b: (dy * b).sum(0)),
    Likely("outer", "wrong axis", lambda dy, y, a, b: (dy * b).sum(0), inputs=(ROW, ROW[::-1])),
    Likely("outer", "factor of an input", lambda dy, y, a, b: dy.sum(0), 1),
    Likely("scale", "not summed", lambda dy, y, x, s: dy * x, 1),
    Likely("scale", "not summed", lambda dy, y, x, s: (dy * x).sum(0), 1),
    Likely("scale", "constant factor", lambda dy, y, x, s: (dy * x).mean(), 1),
    Likely("scale", "factor of an input", lambda dy, y, x, s: dy.sum(), 1),
    Likely("stretch", "not summed", lambda dy, y, a, b: (dy * b).sum(0)),
    Likely("stretch", "not summed", lambda dy, y, a, b: dy * b),
    Likely("add", "wrong axis", lambda dy, y, a, b: dy.sum(1), 1, inputs=(SQUARE, ROW)),
    Likely("multiply", "wrong axis", lambda dy, y, a, b: (dy * a).sum(1), 1, inputs=(SQUARE, ROW)),
    # The other input's gradient.
    Likely("multiply alike", None, lambda dy, y, a, b: dy * a, words="gradient of input 1"),
    Likely("multiply alike", None, lambda dy, y, a, b: dy * b, 1, words="gradient of input 0"),
    Likely("power", None, lambda dy, y, a, b: dy * y * np.log(a), words="gradient of input 1"),
    Likely("halves", None, lambda dy, y, a, b: dy[:, a.shape[1] :], words="gradient of input 1"),
    # Sums over axes, and orders of axes.
    Likely("sum of columns", "wrong axis", lambda dy, y, x: dy * np.ones_like(x)),
    Likely("mean of columns", "constant factor", lambda dy, y, x: dy[:, None] * np.ones_like(x)),
    Likely(
        "mean of columns",
        "constant factor",
        lambda dy, y, x: dy[:, None] * np.ones_like(x) / len(x),
    ),
    Likely("cumsum", "transposed", lambda dy, y, x: dy.cumsum(1)),
    Likely("cumsum", "use forgotten", lambda dy, y, x: dy),
    Likely("cumsum", "wrong axis", lambda dy, y, x: dy[::-1].cumsum(0)[::-1]),
    Likely("permute", "transposed", lambda dy, y, x: dy),
    Likely("permute", "transposed", lambda dy, y, x: dy.transpose(1, 2, 0)),
    Likely("transpose", "transposed", lambda dy, y, x: dy, inputs=(SQUARE,)),
    Likely("max", "wrong axis", lambda dy, y, x: dy * (x == x.max(0))),
    Likely("max", "constant factor", lambda dy, y, x: dy * (x == y) / x.shape[1]),
    # Kinks and ties, where the given inputs lie on them.
    Likely("relu", "open at the kink", lambda dy, y, x: dy * (x >= 0), inputs=(AT_ZERO,)),
    Likely("smaller than 0", "open at the kink", lambda dy, y, x: dy * (x <= 0)),
    Likely("prelu", "open at the kink", lambda dy, y, x, a: dy * np.where(x >= 0, 1, a)),
    Likely(
        "absolute error",
        "open at the kink",
        lambda dy, y, x: dy * np.where(x >= targets(x), 1, -1) / x.size,
        inputs=(AT_TARGET,),
    ),
    Likely(
        "hinge",
        "open at the kink",
        lambda dy, y, z: -dy * signs(z) * (1 - signs(z) * z >= 0) / z.size,
        inputs=(AT_MARGIN,),
    ),
    Likely(
        "largest, shared",
        "open at the kink",
        lambda dy, y, x: dy * (x == y),
        inputs=(TIES,),
    ),
)

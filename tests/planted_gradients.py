"""Ops with a right gradient and, beside each, gradients as people get them wrong.

`OPS` has about fifty functions of NumPy arrays with their pullbacks, `PLANTED` one mistake after
another in one of those pullbacks, each with the name of its kind from `gradcheck.MISTAKES`, and
`WALKS` backward passes that are wrong themselves. They were written before anything that tells
them apart.

A pullback gets dL/dy, y and the op's inputs, and returns dL/d(input).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet import Tensor, ops
from scratchnet.tensor import result

Pullback = Callable[..., Any]


@dataclass(frozen=True)
class Op:
    """y = forward(*inputs), its pullbacks, and inputs to try it at.

    `graph` is the same function in ops of the engine, for functions that use an input twice.
    `at_kink` are inputs that lie at kinks, and which the pullbacks have an answer for.
    """

    forward: Callable[..., Any]
    pullbacks: tuple[Pullback, ...]
    inputs: tuple[Any, ...]
    graph: Callable[..., Tensor] | None = None
    at_kink: tuple[Any, ...] | None = None

    def function(self, *pullbacks: Pullback) -> Callable[..., Tensor]:
        """The op as a function of tensors, with these pullbacks in place of the right ones."""

        def call(*tensors: Tensor) -> Tensor:
            arrays = [tensor.data for tensor in tensors]
            y = np.asarray(self.forward(*arrays))
            edges = [
                (tensor, lambda dy, p=pullback: p(dy, y, *arrays))
                for tensor, pullback in zip(tensors, pullbacks or self.pullbacks, strict=True)
            ]
            return result(y, tensors[0].backend, *edges)

        return call


@dataclass(frozen=True)
class Planted:
    """A mistake of a named kind in the pullback of one input of an op."""

    op: str
    mistake: str
    pullback: Pullback = field(repr=False)
    argument: int = 0

    @property
    def function(self) -> Callable[..., Tensor]:
        pullbacks = list(OPS[self.op].pullbacks)
        pullbacks[self.argument] = self.pullback
        return OPS[self.op].function(*pullbacks)

    @property
    def reference(self) -> Callable[..., Tensor]:
        """The same function with the right gradient."""
        return OPS[self.op].graph or OPS[self.op].function()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        op = OPS[self.op]
        arrays = op.inputs
        if self.mistake == "open at the kink" and op.at_kink is not None:
            arrays = op.at_kink
        return tuple(Tensor(np.array(array), requires_grad=True) for array in arrays)


def _normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def _positive(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).uniform(0.5, 2.0, shape)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _rows(dy: Any) -> Any:
    return dy.sum(0)


X = _normal(5, 4)
ROW = _normal(4, seed=1)
COLUMN = _normal(5, 1, seed=1)
P = _positive(5, 4)
P_ROW = _positive(4, seed=1)
A, B = _normal(5, 3, seed=2), _normal(3, 4, seed=3)
KINKS = np.where(np.arange(20).reshape(5, 4) % 3 == 0, 0.0, X)
ONEHOT = np.eye(4)[[0, 2, 1, 3, 0]]
BITS = (X > 0.2) * 1.0
KEEP = (np.random.default_rng(8).random((5, 4)) < 0.5) * 2.0
LAST = np.array([3, 0, 2])
CONDITION = np.random.default_rng(9).random((5, 4)) < 0.5


def _standard(x: Any, axis: int) -> Any:
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5)


def _standard_slope(dy: Any, y: Any, x: Any, axis: int) -> Any:
    scale = np.sqrt(x.var(axis, keepdims=True) + 1e-5)
    mean = dy.mean(axis, keepdims=True)
    return (dy - mean - y * (dy * y).mean(axis, keepdims=True)) / scale


def _fixed(array: Any, x: Any) -> Any:
    """The entries of a constant beside x, for however many rows and columns x has."""
    return np.resize(array, x.shape)


def _standardized(x: Tensor, axis: int) -> Tensor:
    centred = x - ops.mean(x, axis, keepdims=True)
    variance = ops.mean(centred * centred, axis, keepdims=True)
    return centred / ops.sqrt(variance + 1e-5)


OPS: dict[str, Op] = {
    "add": Op(np.add, (lambda dy, y, a, b: dy, lambda dy, y, a, b: _rows(dy)), (X, ROW)),
    "subtract": Op(np.subtract, (lambda dy, y, a, b: dy, lambda dy, y, a, b: -_rows(dy)), (X, ROW)),
    "add column": Op(
        np.add, (lambda dy, y, a, b: dy, lambda dy, y, a, b: dy.sum(1, keepdims=True)), (X, COLUMN)
    ),
    "multiply": Op(
        np.multiply, (lambda dy, y, a, b: dy * b, lambda dy, y, a, b: _rows(dy * a)), (X, ROW)
    ),
    "multiply alike": Op(
        np.multiply,
        (lambda dy, y, a, b: dy * b, lambda dy, y, a, b: dy * a),
        (X, _normal(5, 4, seed=4)),
    ),
    "divide": Op(
        np.divide,
        (lambda dy, y, a, b: dy / b, lambda dy, y, a, b: -_rows(dy * y / b)),
        (X, P_ROW),
    ),
    "reciprocal": Op(lambda x: 1 / x, (lambda dy, y, x: -dy / x**2,), (P,)),
    "square": Op(np.square, (lambda dy, y, x: 2 * x * dy,), (X,), graph=lambda x: x * x),
    "cube": Op(lambda x: x**3, (lambda dy, y, x: 3 * x**2 * dy,), (X,)),
    "power 2.5": Op(lambda x: x**2.5, (lambda dy, y, x: 2.5 * x**1.5 * dy,), (P,)),
    "power": Op(
        np.power,
        (lambda dy, y, a, b: dy * b * a ** (b - 1), lambda dy, y, a, b: dy * y * np.log(a)),
        (P, _positive(5, 4, seed=4)),
    ),
    "negative": Op(np.negative, (lambda dy, y, x: -dy,), (X,)),
    "exp": Op(np.exp, (lambda dy, y, x: dy * y,), (X,)),
    "expm1": Op(np.expm1, (lambda dy, y, x: dy * np.exp(x),), (X,)),
    "log": Op(np.log, (lambda dy, y, x: dy / x,), (P,)),
    "log1p": Op(np.log1p, (lambda dy, y, x: dy / (1 + x),), (P,)),
    "sqrt": Op(np.sqrt, (lambda dy, y, x: dy / (2 * y),), (P,)),
    "sin": Op(np.sin, (lambda dy, y, x: dy * np.cos(x),), (X,)),
    "cos": Op(np.cos, (lambda dy, y, x: -dy * np.sin(x),), (X,)),
    "absolute": Op(np.abs, (lambda dy, y, x: dy * np.sign(x),), (X,), at_kink=(KINKS,)),
    "maximum": Op(
        np.maximum,
        (lambda dy, y, a, b: dy * (a > b), lambda dy, y, a, b: dy * (b > a)),
        (X, _normal(5, 4, seed=4)),
    ),
    "minimum": Op(
        np.minimum,
        (lambda dy, y, a, b: dy * (a < b), lambda dy, y, a, b: dy * (b < a)),
        (X, _normal(5, 4, seed=4)),
    ),
    "clip": Op(lambda x: np.clip(x, -0.8, 0.8), (lambda dy, y, x: dy * (abs(x) <= 0.8),), (X,)),
    "where": Op(
        lambda a, b: np.where(_fixed(CONDITION, a), a, b),
        (
            lambda dy, y, a, b: np.where(_fixed(CONDITION, a), dy, 0),
            lambda dy, y, a, b: np.where(_fixed(CONDITION, a), 0, dy),
        ),
        (X, _normal(5, 4, seed=4)),
    ),
    "sum": Op(np.sum, (lambda dy, y, x: dy * np.ones_like(x),), (X,)),
    "sum of rows": Op(lambda x: x.sum(0), (lambda dy, y, x: dy * np.ones_like(x),), (X,)),
    "mean": Op(np.mean, (lambda dy, y, x: dy * np.ones_like(x) / x.size,), (X,)),
    "mean of rows": Op(
        lambda x: x.mean(0), (lambda dy, y, x: dy * np.ones_like(x) / len(x),), (X,)
    ),
    "sum of squares": Op(
        lambda x: (x**2).sum(1, keepdims=True),
        (lambda dy, y, x: 2 * dy * x,),
        (X,),
        graph=lambda x: ops.sum(x * x, 1, keepdims=True),
    ),
    "max": Op(lambda x: x.max(1, keepdims=True), (lambda dy, y, x: dy * (x == y),), (X,)),
    "var": Op(
        lambda x: x.var(0),
        (lambda dy, y, x: dy * 2 * (x - x.mean(0)) / len(x),),
        (X,),
    ),
    "std": Op(lambda x: x.std(0), (lambda dy, y, x: dy * (x - x.mean(0)) / (len(x) * y),), (X,)),
    "norm": Op(
        lambda x: np.sqrt((x**2).sum(1, keepdims=True)), (lambda dy, y, x: dy * x / y,), (X,)
    ),
    "softmax": Op(
        _softmax,
        (lambda dy, y, x: y * (dy - (dy * y).sum(-1, keepdims=True)),),
        (X,),
        graph=lambda x: ops.exp(x) / ops.sum(ops.exp(x), -1, keepdims=True),
    ),
    "log_softmax": Op(
        lambda x: np.log(_softmax(x)),
        (lambda dy, y, x: dy - np.exp(y) * dy.sum(-1, keepdims=True),),
        (X,),
        graph=lambda x: x - ops.logsumexp(x, -1, keepdims=True),
    ),
    "logsumexp": Op(
        lambda x: np.log(np.exp(x).sum(-1, keepdims=True)),
        (lambda dy, y, x: dy * np.exp(x - y),),
        (X,),
    ),
    "matmul": Op(np.matmul, (lambda dy, y, a, b: dy @ b.T, lambda dy, y, a, b: a.T @ dy), (A, B)),
    "affine": Op(
        lambda x, w, b: x @ w + b,
        (
            lambda dy, y, x, w, b: dy @ w.T,
            lambda dy, y, x, w, b: x.T @ dy,
            lambda dy, y, x, w, b: _rows(dy),
        ),
        (A, B, ROW),
    ),
    "gram": Op(
        lambda x: x @ x.T, (lambda dy, y, x: (dy + dy.T) @ x,), (A,), graph=lambda x: x @ x.T
    ),
    "transpose": Op(np.transpose, (lambda dy, y, x: dy.T,), (X,)),
    "concatenate": Op(
        lambda a, b: np.concatenate([a, b], 1),
        (
            lambda dy, y, a, b: dy[:, : a.shape[1]],
            lambda dy, y, a, b: dy[:, a.shape[1] :],
        ),
        (X, A),
    ),
    "take column": Op(
        lambda x: x[:, 1],
        (lambda dy, y, x: dy[:, None] * (np.arange(x.shape[1]) == 1),),
        (X,),
    ),
    "relu": Op(
        lambda x: np.maximum(x, 0), (lambda dy, y, x: dy * (x > 0),), (X,), at_kink=(KINKS,)
    ),
    "relu squared": Op(
        lambda x: np.maximum(x, 0) ** 2, (lambda dy, y, x: 2 * dy * x * (x > 0),), (X,)
    ),
    "leaky_relu": Op(
        lambda x: np.where(x > 0, x, 0.1 * x),
        (lambda dy, y, x: dy * np.where(x > 0, 1, 0.1),),
        (X,),
        at_kink=(KINKS,),
    ),
    "elu": Op(
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        (lambda dy, y, x: dy * np.where(x > 0, 1, y + 1),),
        (X,),
    ),
    "sigmoid": Op(_sigmoid, (lambda dy, y, x: dy * y * (1 - y),), (X,)),
    "tanh": Op(np.tanh, (lambda dy, y, x: dy * (1 - y**2),), (X,)),
    "softplus": Op(lambda x: np.log1p(np.exp(x)), (lambda dy, y, x: dy * _sigmoid(x),), (X,)),
    "silu": Op(
        lambda x: x * _sigmoid(x),
        (lambda dy, y, x: dy * (_sigmoid(x) + x * _sigmoid(x) * (1 - _sigmoid(x))),),
        (X,),
        graph=lambda x: x * ops.sigmoid(x),
    ),
    "x exp x": Op(
        lambda x: x * np.exp(x),
        (lambda dy, y, x: dy * (np.exp(x) + y),),
        (X,),
        graph=lambda x: x * ops.exp(x),
    ),
    "signed square": Op(lambda x: x * abs(x), (lambda dy, y, x: 2 * abs(x) * dy,), (X,)),
    "dropout": Op(lambda x: x * _fixed(KEEP, x), (lambda dy, y, x: dy * _fixed(KEEP, x),), (X,)),
    "squared error": Op(
        lambda x: np.mean((x - _fixed(ONEHOT, x)) ** 2),
        (lambda dy, y, x: dy * 2 * (x - _fixed(ONEHOT, x)) / x.size,),
        (X,),
    ),
    "absolute error": Op(
        lambda x: np.mean(abs(x - _fixed(ONEHOT, x))),
        (lambda dy, y, x: dy * np.sign(x - _fixed(ONEHOT, x)) / x.size,),
        (X,),
    ),
    "huber": Op(
        lambda x: np.mean(np.where(abs(x) <= 1, x**2 / 2, abs(x) - 0.5)),
        (lambda dy, y, x: dy * np.clip(x, -1, 1) / x.size,),
        (X,),
    ),
    "binary cross-entropy": Op(
        lambda z: np.mean(np.log1p(np.exp(z)) - _fixed(BITS, z) * z),
        (lambda dy, y, z: dy * (_sigmoid(z) - _fixed(BITS, z)) / z.size,),
        (X,),
    ),
    "hinge": Op(
        lambda z: np.mean(np.maximum(0, 1 - (2 * _fixed(BITS, z) - 1) * z)),
        (
            lambda dy, y, z: (
                -dy * (2 * _fixed(BITS, z) - 1) * (1 - (2 * _fixed(BITS, z) - 1) * z > 0) / z.size
            ),
        ),
        (X,),
    ),
    "cross-entropy": Op(
        lambda z, q: -np.mean((q * np.log(_softmax(z))).sum(-1)),
        (
            lambda dy, y, z, q: dy * (_softmax(z) * q.sum(-1, keepdims=True) - q) / len(z),
            lambda dy, y, z, q: -dy * np.log(_softmax(z)) / len(z),
        ),
        (X, _softmax(_normal(5, 4, seed=4))),
    ),
    "standardize": Op(
        lambda x: _standard(x, 0),
        (lambda dy, y, x: _standard_slope(dy, y, x, 0),),
        (X,),
        graph=lambda x: _standardized(x, 0),
    ),
    "batch norm": Op(
        lambda x, g, b: g * _standard(x, 0) + b,
        (
            lambda dy, y, x, g, b: _standard_slope(dy * g, _standard(x, 0), x, 0),
            lambda dy, y, x, g, b: _rows(dy * _standard(x, 0)),
            lambda dy, y, x, g, b: _rows(dy),
        ),
        (X, P_ROW, ROW),
        graph=lambda x, g, b: g * _standardized(x, 0) + b,
    ),
    "layer norm": Op(
        lambda x, g, b: g * _standard(x, -1) + b,
        (
            lambda dy, y, x, g, b: _standard_slope(dy * g, _standard(x, -1), x, -1),
            lambda dy, y, x, g, b: _rows(dy * _standard(x, -1)),
            lambda dy, y, x, g, b: _rows(dy),
        ),
        (X, P_ROW, ROW),
        graph=lambda x, g, b: g * _standardized(x, -1) + b,
    ),
}


def _f32(array: Any) -> Any:
    return np.asarray(array, np.float32).astype(float)


PLANTED: tuple[Planted, ...] = (
    # Signs.
    Planted("add", "sign", lambda dy, y, a, b: -_rows(dy), 1),
    Planted("subtract", "sign", lambda dy, y, a, b: _rows(dy), 1),
    Planted("subtract", "sign", lambda dy, y, a, b: -dy),
    Planted("multiply", "sign", lambda dy, y, a, b: -dy * b),
    Planted("divide", "sign", lambda dy, y, a, b: _rows(dy * y / b), 1),
    Planted("reciprocal", "sign", lambda dy, y, x: dy * y**2),
    Planted("negative", "sign", lambda dy, y, x: dy),
    Planted("sin", "sign", lambda dy, y, x: -dy * np.cos(x)),
    Planted("cos", "sign", lambda dy, y, x: dy * np.sin(x)),
    Planted("absolute", "sign", lambda dy, y, x: -dy * np.sign(x)),
    Planted("matmul", "sign", lambda dy, y, a, b: -dy @ b.T),
    Planted("softmax", "sign", lambda dy, y, x: y * ((dy * y).sum(-1, keepdims=True) - dy)),
    Planted("var", "sign", lambda dy, y, x: dy * 2 * (x.mean(0) - x) / len(x)),
    Planted("squared error", "sign", lambda dy, y, x: dy * 2 * (_fixed(ONEHOT, x) - x) / x.size),
    Planted(
        "binary cross-entropy",
        "sign",
        lambda dy, y, z: dy * (_fixed(BITS, z) - _sigmoid(z)) / z.size,
    ),
    Planted(
        "hinge",
        "sign",
        lambda dy, y, z: (
            dy * (2 * _fixed(BITS, z) - 1) * (1 - (2 * _fixed(BITS, z) - 1) * z > 0) / z.size
        ),
    ),
    Planted(
        "cross-entropy",
        "sign",
        lambda dy, y, z, q: dy * (q - _softmax(z) * q.sum(-1, keepdims=True)) / len(z),
    ),
    Planted("cross-entropy", "sign", lambda dy, y, z, q: dy * np.log(_softmax(z)) / len(z), 1),
    Planted("log_softmax", "sign", lambda dy, y, x: np.exp(y) * dy.sum(-1, keepdims=True) - dy),
    Planted("batch norm", "sign", lambda dy, y, x, g, b: -_rows(dy), 2),
    # Constant factors.
    Planted("square", "constant factor", lambda dy, y, x: 4 * x * dy),
    Planted("cube", "constant factor", lambda dy, y, x: x**2 * dy),
    Planted("cube", "constant factor", lambda dy, y, x: 2 * x**2 * dy),
    Planted("power 2.5", "constant factor", lambda dy, y, x: x**1.5 * dy),
    Planted("power 2.5", "constant factor", lambda dy, y, x: 1.5 * x**1.5 * dy),
    Planted("sqrt", "constant factor", lambda dy, y, x: dy / y),
    Planted("sqrt", "constant factor", lambda dy, y, x: 2 * dy / y),
    Planted("add", "constant factor", lambda dy, y, a, b: _rows(dy) / len(dy), 1),
    Planted("affine", "constant factor", lambda dy, y, x, w, b: dy.mean(0), 2),
    Planted("affine", "constant factor", lambda dy, y, x, w, b: x.T @ dy / len(x), 1),
    Planted("mean", "constant factor", lambda dy, y, x: dy * np.ones_like(x)),
    Planted("mean", "constant factor", lambda dy, y, x: dy * np.ones_like(x) / len(x)),
    Planted("mean", "constant factor", lambda dy, y, x: dy * np.ones_like(x) / x.shape[1]),
    Planted("mean of rows", "constant factor", lambda dy, y, x: dy * np.ones_like(x)),
    Planted("mean of rows", "constant factor", lambda dy, y, x: dy * np.ones_like(x) / x.size),
    Planted("sum", "constant factor", lambda dy, y, x: dy * np.ones_like(x) / x.size),
    Planted("sum of rows", "constant factor", lambda dy, y, x: dy * np.ones_like(x) / len(x)),
    Planted("sum of squares", "constant factor", lambda dy, y, x: 4 * dy * x),
    Planted("var", "constant factor", lambda dy, y, x: dy * (x - x.mean(0)) / len(x)),
    Planted("var", "constant factor", lambda dy, y, x: dy * 2 * (x - x.mean(0))),
    Planted("var", "constant factor", lambda dy, y, x: dy * 2 * (x - x.mean(0)) / (len(x) - 1)),
    Planted("std", "constant factor", lambda dy, y, x: dy * (x - x.mean(0)) / y),
    Planted("std", "constant factor", lambda dy, y, x: dy * 2 * (x - x.mean(0)) / (len(x) * y)),
    Planted("norm", "constant factor", lambda dy, y, x: 2 * dy * x / y),
    Planted("relu squared", "constant factor", lambda dy, y, x: dy * x * (x > 0)),
    Planted("signed square", "constant factor", lambda dy, y, x: abs(x) * dy),
    Planted(
        "squared error", "constant factor", lambda dy, y, x: dy * (x - _fixed(ONEHOT, x)) / x.size
    ),
    Planted("squared error", "constant factor", lambda dy, y, x: dy * 2 * (x - _fixed(ONEHOT, x))),
    Planted(
        "squared error",
        "constant factor",
        lambda dy, y, x: dy * 2 * (x - _fixed(ONEHOT, x)) / len(x),
    ),
    Planted(
        "absolute error", "constant factor", lambda dy, y, x: dy * np.sign(x - _fixed(ONEHOT, x))
    ),
    Planted("huber", "constant factor", lambda dy, y, x: dy * np.clip(x, -1, 1)),
    Planted("huber", "constant factor", lambda dy, y, x: 2 * dy * np.clip(x, -1, 1) / x.size),
    Planted(
        "binary cross-entropy",
        "constant factor",
        lambda dy, y, z: dy * (_sigmoid(z) - _fixed(BITS, z)),
    ),
    Planted(
        "cross-entropy",
        "constant factor",
        lambda dy, y, z, q: dy * (_softmax(z) * q.sum(-1, keepdims=True) - q),
    ),
    Planted(
        "cross-entropy",
        "constant factor",
        lambda dy, y, z, q: dy * (_softmax(z) * q.sum(-1, keepdims=True) - q) / z.size,
    ),
    Planted("dropout", "constant factor", lambda dy, y, x: dy * (_fixed(KEEP, x) > 0)),
    Planted("dropout", "constant factor", lambda dy, y, x: dy * _fixed(KEEP, x) * 2),
    Planted("gram", "constant factor", lambda dy, y, x: (dy + dy.T) @ x / 2),
    Planted("batch norm", "constant factor", lambda dy, y, x, g, b: dy.mean(0), 2),
    # A factor that equals an input.
    Planted("square", "factor of an input", lambda dy, y, x: 2 * dy),
    Planted("square", "factor of an input", lambda dy, y, x: 2 * dy * x**2),
    Planted("cube", "factor of an input", lambda dy, y, x: 3 * x * dy),
    Planted("cube", "factor of an input", lambda dy, y, x: 3 * x**3 * dy),
    Planted("multiply", "factor of an input", lambda dy, y, a, b: dy),
    Planted("multiply", "factor of an input", lambda dy, y, a, b: _rows(dy), 1),
    Planted("multiply alike", "factor of an input", lambda dy, y, a, b: dy, 1),
    Planted("multiply alike", "factor of an input", lambda dy, y, a, b: dy * a * b),
    Planted("power 2.5", "factor of an input", lambda dy, y, x: 2.5 * x**2.5 * dy),
    Planted("power", "factor of an input", lambda dy, y, a, b: dy * a ** (b - 1)),
    Planted("power", "factor of an input", lambda dy, y, a, b: dy * b * a**b),
    Planted("exp", "factor of an input", lambda dy, y, x: dy * x * y),
    Planted("sin", "factor of an input", lambda dy, y, x: dy * x * np.cos(x)),
    Planted("sum of squares", "factor of an input", lambda dy, y, x: 2 * dy * np.ones_like(x)),
    Planted("norm", "factor of an input", lambda dy, y, x: dy / y * np.ones_like(x)),
    Planted("relu", "factor of an input", lambda dy, y, x: dy * x * (x > 0)),
    Planted("relu squared", "factor of an input", lambda dy, y, x: 2 * dy * (x > 0)),
    Planted(
        "batch norm",
        "factor of an input",
        lambda dy, y, x, g, b: _standard_slope(dy, _standard(x, 0), x, 0),
    ),
    # A factor that equals the output.
    Planted("exp", "factor of the output", lambda dy, y, x: dy),
    Planted("exp", "factor of the output", lambda dy, y, x: dy * y * y),
    Planted("sigmoid", "factor of the output", lambda dy, y, x: dy * (1 - y)),
    Planted("sigmoid", "factor of the output", lambda dy, y, x: dy * y * y * (1 - y)),
    Planted("sqrt", "factor of the output", lambda dy, y, x: dy / 2),
    Planted("reciprocal", "factor of the output", lambda dy, y, x: -dy * y**3),
    Planted("tanh", "factor of the output", lambda dy, y, x: dy * y * (1 - y**2)),
    Planted("norm", "factor of the output", lambda dy, y, x: dy * x),
    Planted("std", "factor of the output", lambda dy, y, x: dy * (x - x.mean(0)) / len(x)),
    Planted(
        "softmax", "factor of the output", lambda dy, y, x: dy - (dy * y).sum(-1, keepdims=True)
    ),
    Planted("divide", "factor of the output", lambda dy, y, a, b: -_rows(dy / b), 1),
    Planted("power", "factor of the output", lambda dy, y, a, b: dy * np.log(a), 1),
    Planted("power 2.5", "factor of the output", lambda dy, y, x: 2.5 * x**1.5 * dy * y),
    # A factor of one over an input.
    Planted("log", "factor of 1/x", lambda dy, y, x: dy),
    Planted("log", "factor of 1/x", lambda dy, y, x: dy / x**2),
    Planted("reciprocal", "factor of 1/x", lambda dy, y, x: -dy / x**3),
    Planted("divide", "factor of 1/x", lambda dy, y, a, b: dy),
    Planted("divide", "factor of 1/x", lambda dy, y, a, b: -_rows(dy * y), 1),
    Planted("divide", "factor of 1/x", lambda dy, y, a, b: dy / b**2),
    Planted("power 2.5", "factor of 1/x", lambda dy, y, x: 2.5 * x**0.5 * dy),
    Planted("power", "factor of 1/x", lambda dy, y, a, b: dy * b * a ** (b - 2)),
    Planted("sqrt", "factor of 1/x", lambda dy, y, x: dy / (2 * y) / x),
    # Transposes.
    Planted("transpose", "transposed", lambda dy, y, x: dy),
    Planted("matmul", "transposed", lambda dy, y, a, b: dy.T @ a, 1),
    Planted("matmul", "transposed", lambda dy, y, a, b: b @ dy.T),
    Planted("affine", "transposed", lambda dy, y, x, w, b: dy.T @ x, 1),
    Planted("affine", "transposed", lambda dy, y, x, w, b: w @ dy.T),
    Planted("gram", "transposed", lambda dy, y, x: x.T @ (dy + dy.T)),
    Planted("sum of rows", "transposed", lambda dy, y, x: dy[:, None] * np.ones_like(x).T),
    Planted("var", "transposed", lambda dy, y, x: (dy * 2 * (x - x.mean(0)) / len(x)).T),
    Planted("multiply", "transposed", lambda dy, y, a, b: (dy * b).T),
    Planted("relu", "transposed", lambda dy, y, x: (dy * (x > 0)).T),
    # Sums over broadcast axes.
    Planted("add", "not summed", lambda dy, y, a, b: dy, 1),
    Planted("subtract", "not summed", lambda dy, y, a, b: -dy, 1),
    Planted("multiply", "not summed", lambda dy, y, a, b: dy * a, 1),
    Planted("divide", "not summed", lambda dy, y, a, b: -dy * y / b, 1),
    Planted("add column", "not summed", lambda dy, y, a, b: dy, 1),
    Planted("affine", "not summed", lambda dy, y, x, w, b: dy, 2),
    Planted("batch norm", "not summed", lambda dy, y, x, g, b: dy, 2),
    Planted("batch norm", "not summed", lambda dy, y, x, g, b: dy * _standard(x, 0), 1),
    Planted("layer norm", "not summed", lambda dy, y, x, g, b: dy * _standard(x, -1), 1),
    Planted("add", "wrong axis", lambda dy, y, a, b: dy.sum(1), 1),
    Planted("subtract", "wrong axis", lambda dy, y, a, b: -dy.sum(1), 1),
    Planted("multiply", "wrong axis", lambda dy, y, a, b: (dy * a).sum(1), 1),
    Planted("divide", "wrong axis", lambda dy, y, a, b: -(dy * y / b).sum(1), 1),
    Planted("add column", "wrong axis", lambda dy, y, a, b: dy.sum(0), 1),
    Planted("add column", "wrong axis", lambda dy, y, a, b: dy.sum(0, keepdims=True), 1),
    Planted("affine", "wrong axis", lambda dy, y, x, w, b: dy.sum(1), 2),
    Planted("affine", "wrong axis", lambda dy, y, x, w, b: dy.sum(1, keepdims=True), 2),
    Planted("batch norm", "wrong axis", lambda dy, y, x, g, b: dy.sum(1), 2),
    Planted("layer norm", "wrong axis", lambda dy, y, x, g, b: (dy * _standard(x, -1)).sum(1), 1),
    Planted("softmax", "wrong axis", lambda dy, y, x: y * (dy - (dy * y).sum(0, keepdims=True))),
    Planted(
        "log_softmax", "wrong axis", lambda dy, y, x: dy - np.exp(y) * dy.sum(0, keepdims=True)
    ),
    # One of two uses.
    Planted("square", "use forgotten", lambda dy, y, x: x * dy),
    Planted("sum of squares", "use forgotten", lambda dy, y, x: dy * x),
    Planted("silu", "use forgotten", lambda dy, y, x: dy * _sigmoid(x)),
    Planted("silu", "use forgotten", lambda dy, y, x: dy * x * _sigmoid(x) * (1 - _sigmoid(x))),
    Planted("x exp x", "use forgotten", lambda dy, y, x: dy * np.exp(x)),
    Planted("x exp x", "use forgotten", lambda dy, y, x: dy * y),
    Planted("gram", "use forgotten", lambda dy, y, x: dy @ x),
    Planted("gram", "use forgotten", lambda dy, y, x: dy.T @ x),
    Planted("softmax", "use forgotten", lambda dy, y, x: dy * y),
    Planted("softmax", "use forgotten", lambda dy, y, x: -y * (dy * y).sum(-1, keepdims=True)),
    Planted("log_softmax", "use forgotten", lambda dy, y, x: dy),
    Planted(
        "log_softmax", "use forgotten", lambda dy, y, x: -np.exp(y) * dy.sum(-1, keepdims=True)
    ),
    Planted(
        "standardize",
        "use forgotten",
        lambda dy, y, x: (dy - dy.mean(0)) / np.sqrt(x.var(0) + 1e-5),
    ),
    Planted(
        "standardize",
        "use forgotten",
        lambda dy, y, x: (dy - y * (dy * y).mean(0)) / np.sqrt(x.var(0) + 1e-5),
    ),
    Planted(
        "batch norm",
        "use forgotten",
        lambda dy, y, x, g, b: g * (dy - dy.mean(0)) / np.sqrt(x.var(0) + 1e-5),
    ),
    Planted(
        "layer norm",
        "use forgotten",
        lambda dy, y, x, g, b: (
            (g * dy - (g * dy).mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        ),
    ),
    # Masks.
    Planted("relu", "mask inverted", lambda dy, y, x: dy * (x <= 0)),
    Planted("relu", "mask inverted", lambda dy, y, x: np.where(y > 0, 0, dy)),
    Planted("relu squared", "mask inverted", lambda dy, y, x: 2 * dy * x * (x <= 0)),
    Planted("leaky_relu", "mask inverted", lambda dy, y, x: dy * np.where(x > 0, 0.1, 1)),
    Planted("maximum", "mask inverted", lambda dy, y, a, b: dy * (a < b)),
    Planted("maximum", "mask inverted", lambda dy, y, a, b: dy * (b < a), 1),
    Planted("minimum", "mask inverted", lambda dy, y, a, b: dy * (a > b)),
    Planted("minimum", "mask inverted", lambda dy, y, a, b: dy * (a < b), 1),
    Planted("clip", "mask inverted", lambda dy, y, x: dy * (abs(x) > 0.8)),
    Planted("where", "mask inverted", lambda dy, y, a, b: np.where(_fixed(CONDITION, a), 0, dy)),
    Planted("where", "mask inverted", lambda dy, y, a, b: np.where(_fixed(CONDITION, a), dy, 0), 1),
    Planted("dropout", "mask inverted", lambda dy, y, x: dy * (2 - _fixed(KEEP, x))),
    Planted("max", "mask inverted", lambda dy, y, x: dy * (x != y)),
    Planted(
        "hinge",
        "mask inverted",
        lambda dy, y, z: (
            -dy * (2 * _fixed(BITS, z) - 1) * (1 - (2 * _fixed(BITS, z) - 1) * z <= 0) / z.size
        ),
    ),
    Planted("relu", "open at the kink", lambda dy, y, x: dy * (x >= 0)),
    Planted("relu", "open at the kink", lambda dy, y, x: np.where(x < 0, 0, dy)),
    Planted("leaky_relu", "open at the kink", lambda dy, y, x: dy * np.where(x >= 0, 1, 0.1)),
    Planted("absolute", "open at the kink", lambda dy, y, x: dy * np.where(x >= 0, 1, -1)),
    Planted("absolute", "open at the kink", lambda dy, y, x: dy * np.where(x > 0, 1, -1)),
    # The derivative at the output.
    Planted(
        "sigmoid",
        "derivative at the output",
        lambda dy, y, x: dy * _sigmoid(y) * (1 - _sigmoid(y)),
    ),
    Planted("tanh", "derivative at the output", lambda dy, y, x: dy * (1 - np.tanh(y) ** 2)),
    Planted("softplus", "derivative at the output", lambda dy, y, x: dy * _sigmoid(y)),
    Planted("exp", "derivative at the output", lambda dy, y, x: dy * np.exp(y)),
    Planted("expm1", "derivative at the output", lambda dy, y, x: dy * np.exp(y)),
    Planted("sin", "derivative at the output", lambda dy, y, x: dy * np.cos(y)),
    Planted("cos", "derivative at the output", lambda dy, y, x: -dy * np.sin(y)),
    Planted("square", "derivative at the output", lambda dy, y, x: 2 * y * dy),
    Planted("cube", "derivative at the output", lambda dy, y, x: 3 * y**2 * dy),
    Planted("sqrt", "derivative at the output", lambda dy, y, x: dy / (2 * np.sqrt(y))),
    Planted("log1p", "derivative at the output", lambda dy, y, x: dy / (1 + y)),
    Planted("power 2.5", "derivative at the output", lambda dy, y, x: 2.5 * y**1.5 * dy),
    Planted(
        "silu",
        "derivative at the output",
        lambda dy, y, x: dy * (_sigmoid(y) + y * _sigmoid(y) * (1 - _sigmoid(y))),
    ),
    Planted("signed square", "derivative at the output", lambda dy, y, x: 2 * abs(y) * dy),
    # The incoming gradient.
    Planted("add", "incoming gradient ignored", lambda dy, y, a, b: np.ones_like(a)),
    Planted("add", "incoming gradient ignored", lambda dy, y, a, b: np.full_like(b, len(a)), 1),
    Planted("negative", "incoming gradient ignored", lambda dy, y, x: -np.ones_like(x)),
    Planted("multiply alike", "incoming gradient ignored", lambda dy, y, a, b: b),
    Planted("square", "incoming gradient ignored", lambda dy, y, x: 2 * x),
    Planted("exp", "incoming gradient ignored", lambda dy, y, x: y),
    Planted("log", "incoming gradient ignored", lambda dy, y, x: 1 / x),
    Planted("sqrt", "incoming gradient ignored", lambda dy, y, x: 0.5 / y),
    Planted("cos", "incoming gradient ignored", lambda dy, y, x: -np.sin(x)),
    Planted("relu", "incoming gradient ignored", lambda dy, y, x: (x > 0) * 1.0),
    Planted("sigmoid", "incoming gradient ignored", lambda dy, y, x: y * (1 - y)),
    Planted("tanh", "incoming gradient ignored", lambda dy, y, x: 1 - y**2),
    Planted("softplus", "incoming gradient ignored", lambda dy, y, x: _sigmoid(x)),
    Planted("sum", "incoming gradient ignored", lambda dy, y, x: np.ones_like(x)),
    Planted("mean", "incoming gradient ignored", lambda dy, y, x: np.ones_like(x) / x.size),
    Planted("max", "incoming gradient ignored", lambda dy, y, x: (x == y) * 1.0),
    Planted("norm", "incoming gradient ignored", lambda dy, y, x: x / y),
    Planted("dropout", "incoming gradient ignored", lambda dy, y, x: _fixed(KEEP, x)),
    Planted(
        "squared error",
        "incoming gradient ignored",
        lambda dy, y, x: 2 * (x - _fixed(ONEHOT, x)) / x.size,
    ),
    Planted(
        "binary cross-entropy",
        "incoming gradient ignored",
        lambda dy, y, z: (_sigmoid(z) - _fixed(BITS, z)) / z.size,
    ),
    # Right for positive inputs only.
    Planted("absolute", "right only where x > 0", lambda dy, y, x: dy),
    Planted("signed square", "right only where x > 0", lambda dy, y, x: 2 * x * dy),
    Planted("leaky_relu", "right only where x > 0", lambda dy, y, x: dy),
    Planted("elu", "right only where x > 0", lambda dy, y, x: dy),
    Planted("elu", "right only where x > 0", lambda dy, y, x: dy * np.where(x > 0, 1, y)),
    Planted("square", "right only where x > 0", lambda dy, y, x: 2 * abs(x) * dy),
    Planted("cube", "right only where x > 0", lambda dy, y, x: 3 * x**2 * dy * (x > 0)),
    Planted("relu", "right only where x > 0", lambda dy, y, x: dy),
    Planted(
        "huber", "right only where x > 0", lambda dy, y, x: dy * np.minimum(abs(x), 1) / x.size
    ),
    Planted("tanh", "right only where x > 0", lambda dy, y, x: dy * (1 - y * np.maximum(y, 0))),
    # Single precision.
    Planted("multiply alike", "float32", lambda dy, y, a, b: _f32(dy) * _f32(b)),
    Planted("exp", "float32", lambda dy, y, x: dy * _f32(y)),
    Planted("sigmoid", "float32", lambda dy, y, x: _f32(dy * y * (1 - y))),
    Planted("tanh", "float32", lambda dy, y, x: (dy * (1 - y**2)).astype(np.float32)),
    Planted("matmul", "float32", lambda dy, y, a, b: _f32(a).T @ _f32(dy), 1),
    Planted("affine", "float32", lambda dy, y, x, w, b: _f32(_rows(dy)), 2),
    Planted("log", "float32", lambda dy, y, x: dy / _f32(x)),
    Planted("relu", "float32", lambda dy, y, x: (dy * (x > 0)).astype(np.float32)),
    Planted(
        "softmax", "float32", lambda dy, y, x: _f32(y * (dy - (dy * y).sum(-1, keepdims=True)))
    ),
    Planted(
        "batch norm",
        "float32",
        lambda dy, y, x, g, b: _f32(_standard_slope(dy * g, _standard(x, 0), x, 0)),
    ),
)


# Backward passes over the graph of a result, which leave their gradients in a dictionary.


def _order(last: Tensor) -> list[Tensor]:
    """The result first, and every node before its inputs."""
    order: list[Tensor] = []
    seen: set[int] = set()

    def visit(node: Tensor) -> None:
        if id(node) not in seen:
            seen.add(id(node))
            for parent, _ in node.inputs:
                visit(parent)
            order.append(node)

    visit(last)
    return order[::-1]


def right_walk(last: Tensor) -> dict[Tensor, Any]:
    gradients: dict[Tensor, Any] = {last: np.ones(last.shape)}
    for node in _order(last):
        for parent, pullback in node.inputs:
            part = pullback(gradients[node])
            gradients[parent] = gradients[parent] + part if parent in gradients else part
    return gradients


def overwriting_walk(last: Tensor) -> dict[Tensor, Any]:
    gradients: dict[Tensor, Any] = {last: np.ones(last.shape)}
    for node in _order(last):
        for parent, pullback in node.inputs:
            gradients[parent] = pullback(gradients[node])
    return gradients


def first_only_walk(last: Tensor) -> dict[Tensor, Any]:
    gradients: dict[Tensor, Any] = {last: np.ones(last.shape)}
    for node in _order(last):
        for parent, pullback in node.inputs:
            gradients.setdefault(parent, pullback(gradients[node]))
    return gradients


def aliasing_walk(last: Tensor) -> dict[Tensor, Any]:
    """Adds in place onto an array that another node holds as well."""
    gradients: dict[Tensor, Any] = {last: np.ones(last.shape)}
    for node in _order(last):
        for parent, pullback in node.inputs:
            part = pullback(gradients[node])
            if parent in gradients:
                gradients[parent] += part
            else:
                gradients[parent] = part
    return gradients


def one_buffer_walk(last: Tensor) -> dict[Tensor, Any]:
    """Keeps one array per shape and writes each gradient of that shape into it."""
    gradients: dict[Tensor, Any] = {last: np.ones(last.shape)}
    buffers: dict[tuple[int, ...], Any] = {}
    for node in _order(last):
        for parent, pullback in node.inputs:
            part = np.array(pullback(gradients[node]))
            if parent in gradients:
                part = part + gradients[parent]
            buffer = buffers.setdefault(part.shape, np.empty(part.shape))
            buffer[...] = part
            gradients[parent] = buffer
    return gradients


def _leaves() -> tuple[Tensor, Tensor]:
    x, w = _normal(5, 4), _normal(5, 4, seed=5)
    return Tensor(x, requires_grad=True), Tensor(w, requires_grad=True)


def shared_sum() -> Tensor:
    x, w = _leaves()
    return ops.tanh(x * 3.0) + (x + w)


def twice() -> Tensor:
    x, w = _leaves()
    return x * w + ops.exp(x)


def residual() -> Tensor:
    x, w = _leaves()
    hidden = x + ops.tanh(x * w)
    return hidden + ops.relu(hidden * w)


def diamond() -> Tensor:
    x, w = _leaves()
    y = x + w
    return (y + 1.0) + (y + x)


GRAPHS = {"shared sum": shared_sum, "twice": twice, "residual": residual, "diamond": diamond}

WALKS: tuple[tuple[str, str, Callable[[Tensor], dict[Tensor, Any]]], ...] = (
    ("shared sum", "overwritten", overwriting_walk),
    ("twice", "overwritten", overwriting_walk),
    ("residual", "overwritten", overwriting_walk),
    ("diamond", "overwritten", overwriting_walk),
    ("twice", "overwritten", first_only_walk),
    ("residual", "overwritten", first_only_walk),
    ("shared sum", "changed later", aliasing_walk),
    ("diamond", "changed later", aliasing_walk),
    ("shared sum", "changed later", one_buffer_walk),
    ("twice", "changed later", one_buffer_walk),
    ("residual", "changed later", one_buffer_walk),
    ("diamond", "changed later", one_buffer_walk),
)

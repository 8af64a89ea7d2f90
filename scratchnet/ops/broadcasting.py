"""What all ops with two operands share: constants, checks, and the gradient of broadcasting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any

from scratchnet.backends import Array, Backend, InputError
from scratchnet.tensor import Operand, Tensor, result

_OUTPUTS: ContextVar[tuple[int, ...]] = ContextVar("shape of the outputs in a loss", default=())


@contextmanager
def computing_loss(outputs: tuple[int, ...]) -> Iterator[None]:
    """Inside, for outputs (N, k) or (E, N, k), no op pairs each sample with every other unasked.

    See `operands`.
    """
    token = _OUTPUTS.set(outputs)
    try:
        yield
    finally:
        _OUTPUTS.reset(token)


def operands(a: Operand, b: Operand) -> tuple[Tensor, Tensor, Backend]:
    """As `matched`. Raises `InputError`, naming both shapes, where they do not broadcast.

    In a loss of N samples it raises where (N, 1) and (N,) would give (N, N), whose mean is a number
    too, and makes every output the mean of the targets. Pairs that are meant have as many axes on
    either side, as in (N, 1) and (1, N).
    """
    a, b, k = matched(a, b)
    if a.data.shape != b.data.shape:
        check_samples_apart(a.data.shape, b.data.shape)
        for m, n in zip(a.data.shape[::-1], b.data.shape[::-1], strict=False):
            if m != n and m != 1 and n != 1:
                raise InputError(f"operands of shapes {a.shape} and {b.shape} do not broadcast")
    return a, b, k


def check_samples_apart(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Raise `InputError` where a loss would pair its samples unasked: see `operands`."""
    outputs = _OUTPUTS.get()
    if not outputs or len(a) == len(b):
        return
    axes, samples = max(len(a), len(b)), outputs[-2]
    pairs = list(zip((1,) * (axes - len(a)) + a, (1,) * (axes - len(b)) + b, strict=True))
    # The first axis of an ensemble's arrays is that of its networks.
    of_samples = pairs[1:] if axes == len(outputs) == 3 else pairs
    if samples > 1 and (samples, 1) in of_samples and (1, samples) in of_samples:
        together = tuple(max(pair) for pair in pairs)
        raise InputError(
            f"in the loss, shapes {a} and {b} would broadcast to {together}, each sample with "
            "every other: both must have the samples along the same axis; y (N,) comes as (N, 1) "
            "where the model has one output"
        )


def matched(a: Operand, b: Operand) -> tuple[Tensor, Tensor, Backend]:
    """Both as tensors of one backend and one dtype, with that backend.

    A number becomes a constant of the other's dtype, and so do booleans: 0 and 1. Raises
    `TypeError` where two arrays differ in dtype, since NumPy would silently compute in the larger
    one, and where the backends differ.
    """
    if not isinstance(a, Tensor):
        a = constant(a, like=b)
    if not isinstance(b, Tensor):
        b = constant(b, like=a)
    if a.backend is not b.backend:
        raise TypeError(
            f"operands on two backends, {a.backend.name} and {b.backend.name}: "
            "move one with backend.asarray"
        )
    if a.data.dtype != b.data.dtype:
        if a.data.dtype == bool:
            return as_numbers(a, b.dtype), b, a.backend
        if b.data.dtype == bool:
            return a, as_numbers(b, a.dtype), a.backend
        raise TypeError(
            f"operands of two dtypes, {a.dtype} and {b.dtype}: convert one, nothing is promoted"
        )
    return a, b, a.backend


def as_numbers(x: Tensor, dtype: str = "float32") -> Tensor:
    """Booleans as the constants 0 and 1; a tensor of numbers as it is."""
    return result(x.backend.asarray(x.data, dtype), x.backend) if x.data.dtype == bool else x


def constant(value: Any, like: Operand) -> Tensor:
    """A tensor without gradient, on the backend of `like`; a number takes its dtype too."""
    if not isinstance(like, Tensor):
        raise TypeError(f"an op needs at least one Tensor, got {type(value)} and {type(like)}")
    backend = like.backend
    if isinstance(value, Real):
        return result(backend.asarray(value, like.data.dtype), backend)
    if isinstance(value, backend.xp.ndarray):
        return result(value, backend)
    raise TypeError(
        f"a constant of type {type(value).__name__} on the {backend.name} backend: "
        f"must be a number, {backend.xp.__name__}.ndarray or Tensor"
    )


def unbroadcast(k: Backend, dy: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an operand that was broadcast from `shape` to dy's shape.

    An entry that was used n times gets the sum of its n gradients: sum over the leading axes that
    broadcasting added and over the axes that it stretched from size 1.
    """
    if dy.shape == shape:
        return dy
    if dy.ndim == 2 and shape == dy.shape[1:]:
        return k.sum_rows(dy)
    if shape == (*dy.shape[:-2], 1, *dy.shape[-1:]):
        return k.reshape(k.sum_rows(dy), shape)
    added = dy.ndim - len(shape)
    stretched = [i + added for i, n in enumerate(shape) if n == 1]
    return k.reshape(k.sum(dy, axis=(*range(added), *stretched)), shape)

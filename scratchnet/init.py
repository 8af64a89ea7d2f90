"""Initial weights. What matters is the variance; the law beside it hardly does.

A neuron sums fan_in products w_i x_i. With independent weights of mean 0, Var(sum) = fan_in Var(w)
E[x^2], so the size of the signal is kept through the layers if fan_in Var(w) = 1; behind a ReLU,
which halves E[x^2], if it is 2. Backwards the same holds with fan_out.

Each initialiser takes a NumPy generator and (fan_in, fan_out) and returns a float64 array of that
shape. It draws on the host, so that every backend starts from the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.backends import choose

Initializer = Callable[["np.random.Generator", int, int], Any]


def he_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ N(0, 2 / fan_in): the forward signal keeps its size through ReLUs (He et al. 2015)."""
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / fan_in)


def he_uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ U(-a, a), a = sqrt(6 / fan_in), which has the variance a^2 / 3 = 2 / fan_in."""
    return _uniform(rng, fan_in, fan_out, 2 / fan_in)


def xavier_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ N(0, 2 / (fan_in + fan_out)): between the forward and the backward condition, for
    activations like tanh with slope 1 at 0 (Glorot and Bengio 2010)."""
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / (fan_in + fan_out))


def xavier_uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ U(-a, a) with the variance 2 / (fan_in + fan_out)"""
    return _uniform(rng, fan_in, fan_out, 2 / (fan_in + fan_out))


def lecun_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ N(0, 1 / fan_in): the forward condition without a ReLU (LeCun et al. 1998)."""
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(1 / fan_in)


def fan_out_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """w ~ N(0, 2 / fan_out): the backward gradient keeps its size through ReLUs (He et al. 2015,
    equation 14). The signal's mean square is then multiplied by fan_in / fan_out in each layer."""
    return rng.standard_normal((fan_in, fan_out)) * math.sqrt(2 / fan_out)


def orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """sqrt(2) Q with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014).

    Q is uniform over such matrices: the QR factor of a normal matrix, with the signs that make the
    diagonal of R positive. The factor sqrt(2) is He's, for ReLUs; the variance is
    2 / max(fan_in, fan_out).
    """
    larger, smaller = max(fan_in, fan_out), min(fan_in, fan_out)
    q, r = np.linalg.qr(rng.standard_normal((larger, smaller)))
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)
    return math.sqrt(2) * (q if fan_in >= fan_out else q.T)


def normal(variance: Callable[[int, int], float]) -> Initializer:
    """An initialiser with w ~ N(0, variance(fan_in, fan_out)), for rules that have no name here."""
    return lambda rng, fan_in, fan_out: (
        rng.standard_normal((fan_in, fan_out)) * math.sqrt(variance(fan_in, fan_out))
    )


def constant(value: float) -> Initializer:
    """An initialiser that sets every weight to `value`: no symmetry between neurons is broken."""
    return lambda rng, fan_in, fan_out: np.full((fan_in, fan_out), float(value))


def _uniform(rng: np.random.Generator, fan_in: int, fan_out: int, variance: float) -> Any:
    """Weights of U(-a, a), whose variance a^2 / 3 is the given one."""
    limit = math.sqrt(3 * variance)
    return rng.uniform(-limit, limit, (fan_in, fan_out))


INITIALIZERS: dict[str, Initializer] = {
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "xavier_normal": xavier_normal,
    "xavier_uniform": xavier_uniform,
    "lecun_normal": lecun_normal,
    "fan_out_normal": fan_out_normal,
    "orthogonal": orthogonal,
    "zeros": constant(0.0),
}


def get_initializer(init: str | Initializer) -> Initializer:
    """An initialiser by its name; a function is returned as it is."""
    return init if callable(init) else choose("initialiser", init, INITIALIZERS)


def zero_bias(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """b = 0"""
    return np.zeros(fan_out)


def uniform_bias(rng: np.random.Generator, fan_in: int, fan_out: int) -> Any:
    """b ~ U(-a, a), a = 1 / sqrt(fan_in), PyTorch's default: the kinks of ReLUs are spread out."""
    limit = 1 / math.sqrt(fan_in)
    return rng.uniform(-limit, limit, fan_out)


def constant_bias(value: float) -> Initializer:
    """An initialiser that sets every bias to `value`."""
    return lambda rng, fan_in, fan_out: np.full(fan_out, float(value))


BIAS_INITIALIZERS: dict[str, Initializer] = {"zeros": zero_bias, "uniform": uniform_bias}
"""Initialisers of biases: as those of weights, but their array has the shape (fan_out,)."""


def get_bias_initializer(init: str | Initializer) -> Initializer:
    """An initialiser of biases by its name; a function is returned as it is."""
    return init if callable(init) else choose("bias initialiser", init, BIAS_INITIALIZERS)

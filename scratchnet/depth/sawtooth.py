"""Folding: a narrow deep network makes exponentially many linear pieces.

The tent map T(t) = relu(2t) - relu(4t - 2) rises from 0 to 1 on [0, 1/2] and falls back on
[1/2, 1]. It folds the interval in two, so whatever is done to T(t) happens twice, mirrored.
Applied L times it is a sawtooth of 2^L pieces (Telgarsky 2016), made by L hidden layers of width 2.
A single hidden layer gets one more piece for each neuron.

Sums of such sawtooths give x^2 (Yarotsky 2017), and squares give products:

    x^2 = x - T(x) / 4 - T(T(x)) / 16 - ...        xy = 2 ((x + y) / 2)^2 - x^2 / 2 - y^2 / 2

All weights are powers of two. So the networks compute without rounding, as long as a number's
digits fit: that gives each function below its highest depth, and beyond it `InputError`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, InputError, choose
from scratchnet.backends.errors import whole_number
from scratchnet.depth.hand_set import (
    Affine,
    model_from_weights,
    predict_in_blocks,
)
from scratchnet.layers import Linear
from scratchnet.model import Model

SIGNIFICANT_BITS = {"float32": 24, "float64": 53}

MOST_SHALLOW_UNITS = 2**20
MOST_COUNTED_DEPTH = 20

# (relu(2t), relu(4t - 2)) from t, and T(t) from these two.
_HINGES = (np.array([[2.0, 4.0]]), np.array([0.0, -2.0]))
_TENT = np.array([[1.0], [-1.0]])


def sawtooth_weights(depth: int) -> list[Affine]:
    """(W, b) of each layer of the tent map iterated `depth` times, the linear output included."""
    inner = (_TENT @ _HINGES[0], _HINGES[1])
    return [_HINGES, *[inner] * (depth - 1), (_TENT, np.zeros(1))]


def sawtooth(depth: int, dtype: str = "float64", backend: str | Backend = "auto") -> Model:
    """The tent map iterated `depth` times: a ReLU network of width 2 with `depth` hidden layers.

    On [0, 1] it has 2^depth linear pieces of slope ±2^depth, and is 0 at even and 1 at odd
    multiples of 2^-depth. It is exact at multiples of 2^-53, or 2^-24 in float32; there all deeper
    ones are 0, so the depth is at most that.
    """
    most = choose("dtype", dtype, SIGNIFICANT_BITS)
    depth = whole_number("depth", depth, 1, most, f"deeper sawtooths need more bits than {dtype}")
    return model_from_weights(sawtooth_weights(depth), "relu", dtype=dtype, backend=backend)


def shallow_sawtooth(depth: int, dtype: str = "float64", backend: str | Backend = "auto") -> Model:
    """The same function on [0, 1] by one hidden layer, of 2^depth units; depth up to 20.

        relu(2^L x) - 2 relu(2^L x - 1) + 2 relu(2^L x - 2) - ...

    Fewer units cannot do. Each of the 2^L - 1 kinks inside (0, 1) takes one. With no further one,
    the slope of the first piece would be minus the sum of the kinks of those units that look to the
    left, an even multiple of 2^L; it is 2^L.

    Its terms are large and cancel, so it rounds sooner than the deep network: at multiples of
    2^-depth it is exact in float64 for every depth here, in float32 up to depth 12.
    """
    depth = whole_number("depth", depth, 1, MOST_SHALLOW_UNITS.bit_length() - 1, "2^depth units")
    units = 2**depth
    hidden = (np.full((1, units), float(units)), -np.arange(units, dtype=float))
    slopes = 2 - 4.0 * (np.arange(units) % 2)
    slopes[0] = 1
    output = (slopes[:, None], np.zeros(1))
    return model_from_weights([hidden, output], "relu", dtype=dtype, backend=backend)


def sawtooth_pieces(depth: int) -> int:
    """2^depth, the linear pieces on [0, 1] of the tent map iterated `depth` times."""
    return int(2 ** whole_number("depth", depth, 1, max(SIGNIFICANT_BITS.values())))


def count_pieces(model: Model, depth: int) -> int:
    """Count the linear pieces on [0, 1] of a function that can only bend at multiples of 2^-depth.

    It is computed at the multiples of 2^-(depth + 1), in blocks; a bend is where the differences
    to the left and to the right are not the same. No tolerance: the sawtooths here are exact at
    these points. `depth` is at most 20, which is two million points.
    """
    depth = whole_number("depth of the pieces to count", depth, 0, MOST_COUNTED_DEPTH)
    steps = 2 ** (depth + 1)
    block = min(steps, 2**18)
    pieces, slope = 0, math.nan
    for start in range(0, steps, block):
        points = np.arange(start, start + block + 1) / steps
        differences = np.diff(predict_in_blocks(model, points[:, None])[:, 0])
        pieces += int(np.count_nonzero(np.diff(differences, prepend=slope)))
        slope = differences[-1]
    return pieces


def square_network(depth: int, dtype: str = "float64", backend: str | Backend = "auto") -> Model:
    """x^2 on [0, 1] by `depth` hidden layers of width 3: f(x) = x - sum of T^s(x) / 4^s, s = 1...m.

    f joins the points of the parabola at multiples of 2^-m by straight lines, and is too large by
    2^(-2m-2) in the middle between them, the same in each of the 2^m pieces. Two channels make the
    next tent, the third carries the sum so far: a ReLU passes it, since f >= x^2 >= 0. Exact at
    multiples of 2^-(m+1), for m up to 25 in float64 and 11 in float32.
    """
    depth = _checked_accuracy(depth, dtype, spare=2)
    return model_from_weights(_square_weights(depth), "relu", dtype=dtype, backend=backend)


def product_network(depth: int, dtype: str = "float64", backend: str | Backend = "auto") -> Model:
    """xy on [0, 1]^2 by `depth` hidden layers of width 9: three squares side by side.

        xy = 2 f((x + y) / 2) - f(x) / 2 - f(y) / 2

    f is `square_network` and errs by 0 to e = 2^(-2m-2), so this errs by -e to 2e, and both occur.
    X (N, 2) -> (N, 1). The depth is up to 24 in float64, 10 in float32.
    """
    depth = _checked_accuracy(depth, dtype, spare=4)
    (first, bias), *inner, (last, shift) = _square_weights(depth)
    numbers = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    shares = np.array([[-0.5], [-0.5], [2.0]])
    three = np.eye(3)
    weights = [
        (np.kron(numbers, first), np.tile(bias, 3)),
        *((np.kron(three, weight), np.tile(each, 3)) for weight, each in inner),
        (np.kron(shares, last), shift),
    ]
    return model_from_weights(weights, "relu", dtype=dtype, backend=backend)


def _square_weights(depth: int) -> list[Affine]:
    """(W, b) of each layer; the hidden units are relu(2t), relu(4t - 2), and the sum so far."""
    hinges, bias = _HINGES
    carried_bias = np.append(bias, 0.0)
    weights: list[Affine] = [(np.append(hinges, [[1.0]], axis=1), carried_bias)]
    for level in range(1, depth):
        tent = np.append(_TENT, [[0.0]], axis=0)
        weights.append((np.append(tent @ hinges, _sum_so_far(level), axis=1), carried_bias))
    return [*weights, (_sum_so_far(depth), np.zeros(1))]


def _sum_so_far(level: int) -> NDArray[np.float64]:
    """Weights of sum - T / 4^level from the units of the hidden layer of that level."""
    return np.append(-_TENT / 4.0**level, [[1.0]], axis=0)


def _checked_accuracy(depth: int, dtype: str, spare: int) -> int:
    """The depth; `InputError` beyond the depth up to which the dtype's rounding is small enough."""
    bits = choose("dtype", dtype, SIGNIFICANT_BITS)
    why = f"beyond it {dtype} rounds by more than the network errs"
    return whole_number("depth", depth, 1, (bits - spare) // 2, why)


def square_error_bound(depth: int) -> float:
    """2^(-2m-2), the largest error of `square_network` of depth m, reached in each piece.

    On a piece of length h the chord of x^2 is h^2 / 4 too high in the middle; h = 2^-m.
    """
    return 2.0 ** (-2 * depth - 2)


def product_error_bound(depth: int) -> float:
    """2^(-2m-1), the largest error of `product_network` of depth m."""
    return 2.0 ** (-2 * depth - 1)


def units_for_square(error: float) -> tuple[int, int]:
    """How many ReLUs one hidden layer needs for x^2 on [0, 1] within `error`: (at least, enough).

    On an interval of length h the line nearest to x^2 misses it by h^2 / 8 (Chebyshev: the
    parabola's leading coefficient fixes it). Some piece of P is 1/P long or longer, so P pieces
    leave an error of 1 / (8 P^2) or more, and P >= 1 / sqrt(8 error) are needed. A layer of K
    ReLUs has at most K + 1 pieces, hence at least P - 1 units; `shallow_square` has P.

    For the error 2^(-2m-2) that is P = 2^m / sqrt 2, rounded up: the width that one hidden layer
    needs grows exponentially in the depth, whose network has 3m units.
    """
    if not 0 < error < math.inf:
        raise InputError(f"error is {error!r}: must be a finite number above 0")
    pieces = math.isqrt(math.ceil(1 / (8 * Fraction(error))) - 1) + 1
    return pieces - 1, pieces


def shallow_square(pieces: int, dtype: str = "float64", backend: str | Backend = "auto") -> Model:
    """x^2 on [0, 1] by one hidden layer of P = `pieces` ReLUs, with the smallest error P can have.

    It joins the points of the parabola at multiples of h = 1 / P, lowered by h^2 / 8:

        f(x) = h relu(x) + 2h relu(x - h) + 2h relu(x - 2h) + ... - h^2 / 8

    so the error is +h^2 / 8 in the middle of each piece and -h^2 / 8 at its ends.
    """
    pieces = whole_number("pieces", pieces, 1, MOST_SHALLOW_UNITS)
    length = 1 / pieces
    hidden = (np.ones((1, pieces)), -np.arange(pieces) * length)
    slopes = np.full((pieces, 1), 2 * length)
    slopes[0] = length
    output = (slopes, np.array([-(length**2) / 8]))
    return model_from_weights([hidden, output], "relu", dtype=dtype, backend=backend)


def square_error(model: Model, pieces: int, most_points: int = 2**16) -> float:
    """The largest |f(x) - x^2| at the ends and middles of `pieces` equal pieces of [0, 1].

    Those are the extremes where f is linear on each piece with the slope of the chord, as the
    networks here are. Of more than `most_points` pieces, that many are drawn (the same each time).
    """
    chosen = _some(whole_number("pieces", pieces, 1, 2**52), most_points)
    points = np.concatenate([chosen, chosen + 0.5, chosen + 1.0]) / pieces
    found = predict_in_blocks(model, points[:, None])[:, 0]
    return float(abs(found - points**2).max())


def product_error(model: Model, depth: int, most_points: int = 2**16) -> float:
    """The largest |f(x, y) - xy| where x and y are multiples of 2^-(depth + 1), or on some of them.

    On this grid `product_network` of that depth has its largest errors, both ways.
    """
    steps = 2 ** (depth + 1)
    chosen = _some(steps + 1, math.isqrt(most_points)) / steps
    x, y = (each.ravel() for each in np.meshgrid(chosen, chosen))
    found = predict_in_blocks(model, np.stack([x, y], axis=1))[:, 0]
    return float(abs(found - x * y).max())


def _some(size: int, most: int) -> NDArray[Any]:
    """0, ..., size - 1, or `most` of them drawn with a fixed seed."""
    if size <= most:
        return np.arange(size)
    return np.random.default_rng(0).integers(0, size, most)


def hidden_units(model: Model) -> int:
    """The units of all layers but the output."""
    layers = [layer for layer in model.layers if isinstance(layer, Linear)]
    return sum(layer.fan_out for layer in layers[:-1])

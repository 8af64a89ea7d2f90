"""The gradient over a whole Cantor distribution, exactly, and the bound that fine curves put on it.

The hinge loss of a ReLU network with one input is linear on each piece of the line, and so is the
derivative of its output by any weight. Over a piece such a function has the mean that it takes at
the piece's centre of mass. So the expectation over the distribution, of which no sample is drawn,
is a sum over few points: the centres of mass of the positives and of the negatives on each piece,
which self-similarity gives. One backward pass through these points is the population gradient.

Why fine curves have small gradients (Malach and Shalev-Shwartz 2019): the few bends of a network
almost surely miss the cells of K_j once j is large. In a cell without a bend, positives and the
negatives of deeper levels have the same centre, so their pulls cancel, but for the share of the
negatives that are of level j or coarser: of the gradient no more is left than ~ P(j) - 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scratchnet import ops
from scratchnet.backends import InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.depth.convex import Points
from scratchnet.depth.fractal_distributions import Curve, level_shares
from scratchnet.depth.fractals import cantor
from scratchnet.depth.regions import Line, LineRegions, line_regions
from scratchnet.model import Model, evaluating

CANTOR = cantor()
DEEPEST = CANTOR.deepest_level()

UNIT_INTERVAL = Line([0.0], [1.0])

# |d output / d weight| and the two ways in which cells do not cancel make this constant for the
# weights of the theorem.
CONSTANT = 5.0

LOSSES = ("hinge", "linear")


@dataclass(frozen=True, eq=False)
class CantorIntegrals:
    """Mass and first moment of [0, x], F(x) and the integral of u dF(u), at places x in [0, 1].

    In `solid`, F is the uniform distribution on K_n of the Cantor set, n = 0 to `deepest`. In
    `hole` it is that of the negatives of level j, uniform on the middle thirds that K_j lacks of
    K_{j-1}, j = 1 to `deepest`.
    """

    solid: Points
    """(2, deepest + 1, ...): mass, and moment."""
    hole: Points
    """(2, deepest, ...): mass, and moment, of level j at j - 1."""


def cantor_integrals(x: Any, deepest: int) -> CantorIntegrals:
    """The integrals of all levels up to `deepest`, from the top down.

    [0, x] is made of cells that lie wholly in it, each with its mass at its centre, and a part of
    one cell: up to u, in the coordinates of that cell. A zoom into the third where u lies goes one
    level down.
    """
    if not 1 <= deepest <= DEEPEST:
        raise InputError(f"level {deepest} of the Cantor set: must be from 1 to {DEEPEST}")
    u = np.clip(np.asarray(x, float), 0, 1)
    mass, moment, start = np.zeros_like(u), np.zeros_like(u), np.zeros_like(u)
    solid: list[Any] = []
    hole: list[Any] = []
    size = share = 1.0
    for _ in range(deepest + 1):
        in_hole = np.clip(3 * u - 1, 0, 1)
        for kept, part, centre in ((solid, u, u / 2), (hole, in_hole, (1 + in_hole / 2) / 3)):
            kept.append((mass + share * part, moment + share * part * (start + size * centre)))
        size, share = size / 3, share / 2
        passed = u > 1 / 3
        mass = mass + np.where(passed, share, 0)
        moment = moment + np.where(passed, share * (start + size / 2), 0)
        start = start + np.where(passed, 2 * size, 0)
        u = np.clip(np.where(passed, 3 * u - 2, 3 * u), 0, 1)
    return CantorIntegrals(*(np.array(kept).swapaxes(0, 1) for kept in (solid, hole[:-1])))


@dataclass(frozen=True, eq=False)
class Quadrature:
    """Points and weights that integrate exactly whatever is linear on each piece.

    The points are the centres of mass; the sum of the weights is 1/2 for each class.
    """

    points: Points
    """(2, ..., R): of the negatives, then of the positives, in each of R pieces."""
    weights: Points
    """(2, ..., R): their mass."""


def pieces(regions: LineRegions) -> Points:
    """The ends of the pieces on which the hinge loss too is linear: those of the regions, and
    where the output is 1 or -1."""
    if regions.offsets.shape[1] != 1:
        raise InputError(f"a network of {regions.offsets.shape[1]} outputs: must have one")
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = (np.array([1.0, -1.0]) - regions.offsets) / regions.slopes
    low, high = regions.ends[:-1, None], regions.ends[1:, None]
    inside = (crossings > low) & (crossings < high)
    return np.sort(np.concatenate([regions.ends, crossings[inside]]))


def quadrature(ends: Points, curve: Curve) -> Quadrature:
    """Centres of mass of the Cantor distribution with this curve, between the ends of pieces.

    `ends` (..., R + 1) go upwards; an end may be repeated, the piece between then has no mass.
    """
    shares = level_shares(curve)
    level = len(shares)
    integrals = cantor_integrals(ends, level)
    negatives = np.tensordot(integrals.hole, shares, axes=(1, 0))
    mass, moment = np.diff(np.stack([negatives, integrals.solid[:, level]], axis=1), axis=-1)
    low, high = ends[..., :-1], ends[..., 1:]
    middle = np.broadcast_to((low + high) / 2, mass.shape)
    centre = np.divide(moment, mass, out=middle.copy(), where=mass > 0)
    # A mass near rounding says little about its centre, but that lies within its piece.
    return Quadrature(np.clip(centre, low, high), np.maximum(mass, 0) / 2)


def network_pieces(model: Model) -> Points:
    """(E, R + 1): the ends of the pieces of each network, with one input and one output, on [0, 1].

    The last end, which is 1, is repeated for networks of fewer pieces. E is 1 for a single network.
    """
    networks = [None] if model.ensemble is None else list(range(model.ensemble))
    ends = [pieces(line_regions(model, UNIT_INTERVAL, network)) for network in networks]
    padded = np.ones((len(ends), max(map(len, ends))))
    for row, each in zip(padded, ends, strict=True):
        row[: len(each)] = each
    return padded


def population_gradient(
    model: Model,
    curves: Curve | Sequence[Curve],
    loss: Literal["hinge", "linear"] = "hinge",
    ends: Points | None = None,
) -> tuple[Any, Any]:
    """The expected loss, () or (E,), and its gradient by all parameters, (P,) or (E, P).

    The distribution is that of the Cantor set on [0, 1] with the given curve, or for an ensemble
    with a curve for each network; with labels s = -1 and 1 the hinge loss is max(0, 1 - s f(x)),
    and `linear` is 1 - s f(x), which a network with |f| <= 1 cannot tell from it. The gradient has
    the layout of the model's `parameter_buffer`. `ends` are those of `network_pieces`, where they
    are known.

    Raises `InputError` for layers that are not piecewise linear, a network with other than one
    input and one output, and curves that are none.
    """
    if loss not in LOSSES:
        choose("loss", loss, dict.fromkeys(LOSSES))
    ends = network_pieces(model) if ends is None else ends
    single = len(curves) == 0 or np.ndim(curves[0]) == 0
    given: list[Any] = [curves] * len(ends) if single else list(curves)
    if len(given) != len(ends):
        raise InputError(f"{len(given)} curves for {len(ends)} networks: needs one for each")
    if all(curve is given[0] for curve in given):
        rule = quadrature(ends, given[0])
        points, weights = rule.points.swapaxes(0, 1), rule.weights.swapaxes(0, 1)
    else:
        rules = [quadrature(*pair) for pair in zip(ends, given, strict=True)]
        points = np.stack([rule.points for rule in rules])
        weights = np.stack([rule.weights for rule in rules])
    signs = np.repeat([-1.0, 1.0], ends.shape[1] - 1)[:, None]
    X, masses = points.reshape(len(ends), -1, 1), weights.reshape(len(ends), -1, 1)
    if model.ensemble is None:
        X, masses = X[0], masses[0]
    with evaluating(model):
        outputs = model(X).numpy()
    slack = 1 - signs * outputs
    active = slack > 0 if loss == "hinge" else np.ones_like(slack, bool)
    expected = (masses * slack * active).sum(axis=(-2, -1))
    pull = model.as_input(-signs * masses * active)
    ops.sum(ops.multiply(model(X), pull)).backward()
    return expected, np.array(model.backend.to_numpy(model.gradient_buffer))


def gradient_bound(curve: Curve, level: int) -> float:
    """5 (P(j) - 1/2): what no gradient entry at initialisation exceeds, with high probability.

    Holds with the level j of `theorem_level` for small random weights and |output| <= 1, where the
    distribution is of a level above j (Malach and Shalev-Shwartz 2019).
    """
    shares = level_shares(curve)
    if not 0 <= level <= len(shares):
        raise InputError(f"level {level} of a bound: must be from 0 to {len(shares)}")
    return CONSTANT * float(shares[:level].sum()) / 2


def theorem_level(layers: int, width: int, delta: float) -> int:
    """j = ceil(log_{3/2}(4 t k^2 / delta)) for t hidden layers of k ReLUs.

    So deep are cells that all bends miss with a probability of at least 1 - delta: a place that is
    not chosen for it is in K_j with a probability of about (2/3)^j.
    """
    positive_whole("layers", layers)
    positive_whole("width", width)
    if not 0 < delta < 1:
        raise InputError(f"delta is {delta}: must be a number above 0 and below 1")
    return math.ceil(math.log(4 * layers * width**2 / delta) / math.log(1.5))


def linear_levels(ends: Points) -> Any:
    """(...,) from ends (..., R + 1): the least j with none of those inside (0, 1) in K_j.

    So no bend lies in any cell of K_j. At most one above the deepest level that float64 can tell
    apart.
    """
    inner = (ends > 0) & (ends < 1)
    inside = CANTOR.levels_inside(ends.reshape(-1, 1), DEEPEST).reshape(ends.shape)
    return np.where(inner, inside + 1, 0).max(axis=-1)

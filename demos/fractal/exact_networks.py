"""Networks with hand-set weights: checked on samples, and their linear regions counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.demos.fractal.samples import CHECKED_DATA, CHECKED_POINTS, drawn, extent
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.mosaic import Mosaic, mosaic
from scratchnet.depth.fractal_distributions import coarse_error, named_curve
from scratchnet.depth.fractal_networks import fold_network, general_network
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.regions import Line, Plane, TooManyRegions, line_regions, plane_regions
from scratchnet.depth.sawtooth import hidden_units
from scratchnet.layers import Linear
from scratchnet.model import Model

MOST_REGIONS, MOST_DRAWN = 50_000, 20_000


@dataclass(frozen=True, eq=False)
class Shape:
    """A network with hand-set weights for one level j, and how often it errs."""

    construction: str
    """fold or general"""
    level: int
    layers: int
    width: int
    units: int
    parameters: int
    largest_weight: float
    errors: dict[str, float]
    """For each curve the share of points it gets wrong, of a sample with the margin."""
    expected: dict[str, float]
    """1 - P(j) of each curve."""
    own_errors: int
    """On the distribution of its own level, of 20,000 points with the margin."""
    own_errors_without: int
    """The same without a margin."""
    own_errors_by_1: int | None
    """Without a margin, of a fold net, where class 1 is an output of exactly 1."""
    linear_regions: int | None
    """In the smallest box around K_0; None where there are too many to count."""
    mosaic: Mosaic | None
    """What to draw of its regions, in the plane."""


def exact_networks(settings: Settings) -> tuple[list[Shape], list[str]]:
    """The networks of both constructions for all levels up to the distribution's own."""
    shapes: list[Shape] = []
    not_built: list[str] = []
    margin = settings.margin or 0.1
    for construction in ("fold", "general"):
        for level in range(1, settings.level + 1):
            try:
                net = built(settings, construction, level, margin)
            except InputError as error:
                not_built.append(str(error))
                break
            shapes.append(shape(settings, construction, level, net, margin))
    return shapes, not_built


def built(settings: Settings, construction: str, level: int, margin: float) -> Model:
    if construction == "fold":
        return fold_network(settings.geometry, level, backend=settings.backend)
    return general_network(
        settings.geometry, level, margin, finest=settings.level, backend=settings.backend
    )


def shape(settings: Settings, construction: str, level: int, net: Model, margin: float) -> Shape:
    """The size, the linear regions and the errors of one network with hand-set weights.

    Of `CHECKED_POINTS` points each: the share of errors on every curve, with the margin; and the
    number of errors on the distribution of its own level, with the margin and without one, for a
    fold net also without one by the rule that class 1 is an output of 1.
    """
    s = settings
    fractal = s.geometry
    errors, expected = {}, {}
    exact: Any = {"dtype": "float64", "within": 1.0}
    for name in s.curves:
        X, y = drawn(s, s.curve(name), CHECKED_DATA, s.seed, CHECKED_POINTS, margin=margin, **exact)
        errors[name] = 1 - right(net, X, y)
        expected[name] = coarse_error(s.curve(name), level)
    own = []
    for each in (margin, 0.0):
        linear = named_curve("linear", level)
        X, y = drawn(s, linear, CHECKED_DATA, s.seed, CHECKED_POINTS, margin=each, **exact)
        outputs = predict_in_blocks(net, X)[:, 0]
        own.append(int(np.count_nonzero((outputs > 0) != y)))
    by_1 = int(np.count_nonzero((outputs == 1) != y)) if construction == "fold" else None
    linear_layers = [layer for layer in net.layers if isinstance(layer, Linear)]
    count, picture = counted(s, net)
    return Shape(
        construction,
        level,
        layers=len(linear_layers) - 1,
        width=max(layer.fan_out for layer in linear_layers),
        units=hidden_units(net),
        parameters=net.parameter_count,
        largest_weight=float(abs(net.backend.to_numpy(net.parameter_buffer)).max()),
        errors=errors,
        expected=expected,
        own_errors=own[0],
        own_errors_without=own[1],
        own_errors_by_1=by_1,
        linear_regions=count,
        mosaic=picture if fractal.dimensions == 2 else None,
    )


def right(net: Model, X: Any, y: Any) -> float:
    return float(np.mean((predict_in_blocks(net, X)[:, 0] > 0) == y))


def counted(settings: Settings, net: Model) -> tuple[int | None, Mosaic | None]:
    """The linear regions in the box around K_0, and what to draw of them."""
    left, right, bottom, top = extent(settings)
    try:
        if settings.geometry.dimensions == 1:
            line = Line([0.0], [1.0], (left, right))
            return line_regions(net, line, max_regions=MOST_REGIONS).linear_count, None
        window = Plane(window=((left, right), (bottom, top)))
        regions = plane_regions(net, window, max_regions=MOST_REGIONS)
    except TooManyRegions:
        return None, None
    if regions.count > MOST_DRAWN:
        return regions.linear_count, None
    return regions.linear_count, mosaic(net, window, regions=regions)

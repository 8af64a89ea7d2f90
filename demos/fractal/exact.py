"""Networks with hand-set weights that are a fractal's levels: checked on samples, and counted."""

from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.classes import classes
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.tuning import stream
from scratchnet.depth.fractal_distributions import empirical_curve, named_curve, sample
from scratchnet.depth.fractal_networks import fold_network, general_network
from scratchnet.depth.hand_set import predict_in_blocks
from scratchnet.depth.regions import Line, Plane, TooManyRegions, line_regions, plane_regions
from scratchnet.layers import Linear
from scratchnet.model import Model

CHECKED = 6  # the stream of a seed that points to check are drawn from
CHECKED_POINTS = 20_000
MOST_REGIONS = 20_000


def box(s: Settings) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) around K_0; in one dimension from 0 to 1 upwards."""
    corners = s.geometry.corners
    low, high = corners.min(axis=0), corners.max(axis=0)
    return float(low[0]), float(high[0]), *((0.0, 1.0) if len(low) == 1 else (low[1], high[1]))


def checked_points(s: Settings, curve: Any, margin: float) -> tuple[Any, Any]:
    """Points and classes to check, the same for every network."""
    return sample(s.geometry, curve, CHECKED_POINTS, margin, stream(s.seed, CHECKED))


def sampled_curves(s: Settings) -> dict[str, list[float]]:
    """For each curve the P(1), ..., P(level) that a sample shows."""
    drawn = {name: checked_points(s, s.p(name), s.margin) for name in s.curve}
    return {
        name: empirical_curve(s.geometry, X, y, s.level).tolist() for name, (X, y) in drawn.items()
    }


def standard_errors_off(s: Settings, sampled: dict[str, Any]) -> float:
    """How many standard errors a sample's P(j) is off at worst."""
    asked = np.array([s.p(name) for name in sampled])
    q = 2 * asked - 1
    error = np.sqrt(q * (1 - q) / (CHECKED_POINTS // 2)) / 2
    gap = abs(np.array(list(sampled.values())) - asked)
    return float((gap / np.where(error > 0, error, np.inf)).max())


def built(s: Settings, construction: str, level: int) -> Model:
    """The network that is K_level, for distributions of the settings' level."""
    if construction == "fold":
        return fold_network(s.geometry, level, backend=s.backend)
    margin = s.margin or 0.1
    return general_network(s.geometry, level, margin, finest=s.level, backend=s.backend)


def build_all(run: Run) -> None:
    """A row for each construction and level; why one was not built is kept as `not built`."""
    s = run.settings
    reasons = run.result.extra["not built"] = []
    for construction in ("fold", "general"):
        try:
            for level in range(1, s.level + 1):
                add_row(run, construction, level, built(s, construction, level))
        except InputError as error:
            reasons.append(str(error))


def add_row(run: Run, construction: str, level: int, net: Model) -> None:
    """A row of what the network is, and of what is checked."""
    linear = [layer for layer in net.layers if isinstance(layer, Linear)]
    facts = {
        "construction": construction,
        "level": level,
        "depth": len(linear) - 1,
        "width": max(layer.fan_out for layer in linear),
        "parameters": net.parameter_count,
        "largest_weight": float(abs(net.backend.to_numpy(net.parameter_buffer)).max()),
    }
    s, name = run.settings, f"{construction} net, K_{level}"
    run.row(name, facts, (s.seed,), lambda _: (checked(s, net, level), {}), 0.0)


def checked(s: Settings, net: Model, level: int) -> dict[str, Any]:
    """Errors among 20,000 points of the own level, with a margin and without, and on every curve.

    The class is that of the model's threshold. Regions are NaN where there are too many to count.
    """
    margin, own = s.margin or 0.1, named_curve("linear", level)
    found: dict[str, float] = {"errors": wrong(net, *checked_points(s, own, margin))}
    found["errors without margin"] = wrong(net, *checked_points(s, own, 0.0))
    for name in s.curve:
        found[f"errors, {name}"] = wrong(net, *checked_points(s, s.p(name), margin))
    try:
        found["linear regions"] = regions(s, net).linear_count
    except TooManyRegions:
        found["linear regions"] = np.nan
    return {name: np.array([value], float) for name, value in found.items()}


def wrong(net: Model, X: Any, y: Any) -> int:
    """How many points have another class."""
    return int(np.count_nonzero(classes(predict_in_blocks(net, X), net.threshold) != y))


def regions(s: Settings, net: Model) -> Any:
    """The linear regions in the box, or the pieces on the line."""
    left, right, bottom, top = box(s)
    if s.geometry.dimensions == 1:
        return line_regions(net, Line([0.0], [1.0], (left, right)), max_regions=MOST_REGIONS)
    window = Plane(window=((left, right), (bottom, top)))
    return plane_regions(net, window, max_regions=MOST_REGIONS)


def exact_rows(result: Result, construction: str = "") -> list[Row]:
    """The rows of networks with hand-set weights, of both constructions or of one."""
    found = [row for row in result.verdict_rows() if "construction" in row.facts]
    return [row for row in found if construction in row.facts["construction"]]

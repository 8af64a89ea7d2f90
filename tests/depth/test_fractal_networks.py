"""Networks that decide who is in a fractal: exact with a margin, and wrong as said without it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from networks import refused

from scratchnet import Linear, accuracy
from scratchnet.depth.fractal_distributions import power_curve, sample, width_lower_bound
from scratchnet.depth.fractal_networks import Zoom, fold_network, general_network, general_width
from scratchnet.depth.fractals import (
    FRACTALS,
    Fractal,
    cantor,
    dust,
    get_fractal,
    sierpinski,
    vicsek,
)
from scratchnet.depth.regions import Line, line_regions, plane_regions
from scratchnet.model import Model

every_fractal = pytest.mark.parametrize("name", FRACTALS)
MARGIN = 0.1


def widths(model: Model) -> list[int]:
    """Of the hidden layers."""
    return [layer.fan_out for layer in model.layers if isinstance(layer, Linear)][:-1]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
@every_fractal
def test_the_general_construction_makes_no_error_with_the_margin(name: str, level: int) -> None:
    fractal = get_fractal(name)
    net = general_network(fractal, level, MARGIN)
    X, y = sample(fractal, power_curve(level, 1), 20_000, MARGIN, seed=level)
    outputs = net.predict(X)[:, 0]
    assert ((outputs > 0) == y).all()
    # No point is near to the threshold: 1 for positives, and -1 or less for the others.
    assert outputs[y == 1] == pytest.approx(1) and outputs[y == 0].max() <= -1 + 1e-6


@every_fractal
def test_without_the_margin_the_general_construction_errs(name: str) -> None:
    fractal = get_fractal(name)
    net = general_network(fractal, 3, MARGIN)
    X, y = sample(fractal, power_curve(3, 1), 20_000, 0.0, seed=3)
    wrong = (net.predict(X)[:, 0] > 0) != y
    assert 0 < wrong.mean() < 0.05
    # Only near to a border: in the cell where a point ends it is within the margin of one.
    kept = far_from_borders(fractal, X, 3)
    assert kept.mean() > 0.5 and not wrong[kept].any()


def far_from_borders(fractal: Fractal, X: Any, level: int) -> Any:
    """(N,): whether each point keeps the margin as the sampler would."""
    far, alive, points = np.ones(len(X), bool), np.ones(len(X), bool), X
    for step in range(level + 1):
        gauges = fractal.image_gauges(points)
        ends = alive & (gauges.min(axis=1) > 1) if step < level else alive
        far &= ~ends | (fractal.gauge(points) <= 1 - MARGIN)
        if step < level:
            far &= ~ends | (gauges.min(axis=1) >= 1 + MARGIN)
            image = gauges.argmin(axis=1)
            points = np.einsum("nj,nij->ni", points - fractal.shifts[image], fractal.zooms[image])
        alive &= ~ends
    return far


def test_the_general_construction_serves_maps_that_turn_and_a_deeper_distribution() -> None:
    turned = [[0.0, -0.3], [0.4, 0.0]], [[0.3, 0.05], [0.0, 0.3]]
    fractal = Fractal("turned", dust().corners, turned, [[-0.6, 0.0], [0.6, 0.1]])
    X, y = sample(fractal, power_curve(4, 1), 10_000, 0.05)
    assert accuracy(general_network(fractal, 4, 0.05), X, y) == 1
    touching, inside = vicsek(), vicsek().levels_inside
    X, _ = sample(touching, power_curve(4, 1), 20_000, MARGIN)
    coarse = general_network(touching, 2, MARGIN, finest=4).predict(X)[:, 0] > 0
    assert (coarse == (inside(X, 2) == 2)).all()


@every_fractal
def test_shapes_of_the_general_construction(name: str) -> None:
    fractal = get_fractal(name)
    facets, d, r = len(fractal.normals), fractal.dimensions, fractal.maps
    net = general_network(fractal, 3, MARGIN)
    assert widths(net) == [r * (facets + d), r * d] * 3 + [facets]
    assert general_width(fractal) == max(widths(net))
    assert net.dtype == "float64"


def test_dead_points_stay_dead_below() -> None:
    """A negative of level 1 is not in K_20 either, though 19 more zooms follow."""
    fractal = cantor()
    net = general_network(fractal, 20, MARGIN)
    outputs = net.predict([[0.5], [0.4], [0.6], [0.05]])
    assert (outputs < 0).all() and np.isfinite(outputs).all()


def test_dead_points_stay_dead_beside_a_large_fractal() -> None:
    """There the dead point, 1 below K_0, is nearer to the first image than the margin.

    Both maps turn the line round, so that what lies below an image is zoomed far above `dead`.
    """
    size = 400.0
    turned = Fractal("turned", [[0.0], [size]], [[[-1 / 3]], [[-1 / 3]]], [[size / 3], [size]])
    zoom = Zoom(turned, dead=np.array([-1.0]))
    # 1 beyond an image whose half is 400 / 6.
    assert zoom.dead_violation == pytest.approx(6 / size) and zoom.dead_violation < MARGIN
    net = general_network(turned, 4, MARGIN)
    X, y = sample(turned, power_curve(4, 1), 5000, MARGIN, seed=0)
    assert ((net.predict(X)[:, 0] > 0) == y).all()
    assert (net.predict([[size / 2], [0.45 * size]]) < 0).all()


@pytest.mark.parametrize("ratio", [1 / 3, 0.25, 0.45])
@pytest.mark.parametrize("make", [cantor, dust])
def test_fold_nets_need_no_margin(make: Any, ratio: float) -> None:
    fractal = make(ratio)
    for level in (1, 2, 3, 4):
        net = fold_network(fractal, level)
        assert widths(net) == [2 * fractal.dimensions] * (level + 1)
        X, y = sample(fractal, power_curve(level, 1), 5000, 0.0, seed=level)
        assert (net.classify(X) == y).mean() > 0.9996  # but for rounding at borders
        X, y = sample(fractal, power_curve(level, 1), 5000, 0.02, seed=level)
        outputs = net.predict(X)[:, 0]
        assert ((outputs > 0) == y).all() and (outputs[y == 1] == 1).all()
        assert (fold_network(fractal, level, dtype="float32").classify(X) == y).all()
        weights = [layer.parameters["weight"].numpy() for layer in net.layers[:-1:2]]
        assert max(abs(each).max() for each in weights) <= 1 / ratio + 1e-12


def test_fold_nets_are_exact_at_level_20() -> None:
    """Middles of cells of level 20, known by their ternary digits: inside without a digit 1."""
    rng = np.random.default_rng(0)
    digits = 2 * rng.integers(0, 2, (400, 20))
    spoiled = np.arange(400) % 2 == 1
    digits[spoiled, rng.integers(0, 20, 400)[spoiled]] = 1
    weights = [3 ** (19 - place) for place in range(20)]
    X = [float(Fraction(2 * int(row @ weights) + 1, 2 * 3**20)) for row in digits]
    answers = fold_network(cantor(), 20).predict(np.array(X)[:, None])[:, 0]
    assert ((answers == 1) == ~spoiled).all()
    deepest = spoiled & (digits[:, 19] == 1)
    assert deepest.any()


def test_the_rim_of_a_fold_net_is_as_wide_as_its_ramp_says() -> None:
    ramp, level = 2.0**-4, 3
    net = fold_network(cantor(), level, ramp=ramp)
    edge = 3.0**-level  # the first cell is [0, 1/27]
    rim = ramp * 3.0**-level
    outputs = net.predict([[edge], [edge + 0.5 * rim], [edge + rim], [edge + 2 * rim]])[:, 0]
    assert outputs == pytest.approx([1, 0.5, 0, -1])


def test_regions_of_fold_nets_double_with_the_level() -> None:
    """Inside the window all pieces of the folds are there: 2 per fold and coordinate, then rims."""
    counts = [line_regions(fold_network(cantor(), n), Line([0.0], [1.0])) for n in (1, 2, 3, 4)]
    changes = [len(each.boundary) for each in counts]
    assert changes == [2 * (2**n - 1) for n in (1, 2, 3, 4)]
    for n, each in zip((1, 2, 3, 4), counts, strict=True):
        assert each.linear_count + 1 >= 2 ** (n + 1) - 2
        assert width_lower_bound(2, n, n + 1, 1) <= 2
    planes = [plane_regions(fold_network(dust(), n)).count for n in (1, 2)]
    assert planes[1] > 3 * planes[0]


def test_what_is_refused() -> None:
    with refused("sierpinski is no symmetric Cantor set", "general_network"):
        fold_network(sierpinski(), 2)
    with refused("level 31 of cantor", "1 to 30"):
        fold_network(cantor(), 31)
    with refused("level 11", "float32"):
        fold_network(dust(), 11, dtype="float32")
    with refused("ramp is 0"):
        fold_network(dust(), 2, ramp=0.0)
    with refused("margin is 0"):
        general_network(dust(), 2, 0.0)
    with refused("margin is 1.5"):
        general_network(dust(), 2, 1.5)
    with refused("finest level 2 of a network for level 3"):
        general_network(dust(), 3, 0.1, finest=2)
    with refused("level 20 of vicsek", "comes near to rounding"):
        general_network(vicsek(), 20, 0.1)

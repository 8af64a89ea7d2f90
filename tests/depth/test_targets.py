"""The functions that depths are compared on, against their definitions."""

from typing import Any

import numpy as np
import pytest
from networks import refused

from scratchnet.depth.targets import (
    TARGETS,
    RadialShells,
    SparseFeatures,
    get_target,
    parity,
    radial,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_gives_inputs_and_finite_values_and_repeats_itself(name: str) -> None:
    target = get_target(name)
    X = target.sample(50, generator())
    y = target.function(X)
    rows = 1024 if target.complete else 50
    assert (target.name, X.shape, y.shape) == (name, (rows, target.inputs), (rows,))
    assert np.isfinite(y).all() and y.std() > 0
    np.testing.assert_array_equal(X, target.sample(50, generator()))
    if not target.complete:
        assert (X != target.sample(50, generator(1))).any()


@pytest.mark.parametrize(
    ("name", "x", "value"),
    [
        ("nested_sine", np.pi / 2, np.sin(np.sin(1))),
        ("sin_plus_cos", np.pi / 4, np.sqrt(2)),
        ("linear", -1.3, -1.3),
        ("cubic", -1.5, -1.875),
        # sin 2x = 1/2, so 3 sin 2x = 3/2.
        ("oscillating", np.pi / 12, np.sin(8 * np.sin(1.5))),
    ],
)
def test_functions_of_one_input_by_hand(name: str, x: float, value: float) -> None:
    target = get_target(name)
    assert target.function([[x]]) == pytest.approx([value])
    assert np.abs(target.sample(1000, generator())).max() <= 2


@pytest.mark.parametrize("dimensions", [2, 3, 5])
def test_phi_is_the_integral_over_the_ball(dimensions: int) -> None:
    """The integral of cos(2 pi w_1 r) over |w| <= R: slices across w_1 are balls of d - 1."""
    from scipy.integrate import quad
    from scipy.special import gamma

    shells = RadialShells(dimensions, 4)
    R, d = shells.ball_radius, dimensions

    def volume(k: int, radius: float) -> float:
        return float(np.pi ** (k / 2) / gamma(k / 2 + 1) * radius**k)

    assert volume(d, R) == pytest.approx(1)
    for r in (0.3, 1.1, 2.9):
        integral, _ = quad(
            lambda w, r=r: np.cos(2 * np.pi * w * r) * volume(d - 1, np.sqrt(R**2 - w**2)), -R, R
        )
        assert shells.phi(r) == pytest.approx(integral, abs=1e-7)


def test_the_density_of_the_radius_integrates_to_1() -> None:
    from scipy.integrate import quad

    shells = RadialShells(3, 4)

    def within(radius: float) -> float:
        ends = np.arange(0, radius + 0.5, 0.5)
        pieces = zip(ends[:-1], ends[1:], strict=True)
        return sum(quad(shells.radius_density, max(a, 1e-9), b)[0] for a, b in pieces)

    # J^2 averages to 1 / (pi times its argument), so what lies beyond r falls as 1 / r.
    beyond_100, beyond_200 = 1 - within(100), 1 - within(200)
    assert 0 < beyond_200 < 0.01
    assert beyond_100 == pytest.approx(2 * beyond_200, rel=0.02)


@pytest.mark.parametrize(("dimensions", "shells"), [(2, 3), (3, 4), (6, 8)])
def test_radii_follow_the_density_and_directions_are_uniform(dimensions: int, shells: int) -> None:
    from scipy.integrate import quad

    target = RadialShells(dimensions, shells)
    X = target.sample(20_000, generator())
    radius = np.linalg.norm(X, axis=1)
    inner = np.sqrt(dimensions)
    assert radius.min() >= inner - 1e-9 and radius.max() <= 2 * inner + 1e-9
    total = quad(target.radius_density, inner, 2 * inner, limit=200)[0]
    for share in (0.2, 0.5, 0.8):
        end = inner * (1 + share)
        below = quad(target.radius_density, inner, end, limit=200)[0] / total
        assert np.mean(radius < end) == pytest.approx(below, abs=0.015)
    assert np.abs((X / radius[:, None]).mean(axis=0)).max() < 0.03


def test_shells_alternate_and_nothing_is_outside() -> None:
    target = RadialShells(4, 4)
    radii = np.array([1.99, 2.01, 2.49, 2.51, 3.01, 3.51, 3.99, 4.01])
    X = np.zeros((8, 4))
    X[:, 2] = -radii
    np.testing.assert_array_equal(target(X), [0, 1, 1, -1, 1, -1, -1, 0])
    assert set(np.unique(target(target.sample(500, generator())))) == {-1, 1}


def test_parity_is_its_truth_table() -> None:
    target = parity(3)
    X = target.sample(1, generator())
    table: dict[tuple[Any, ...], float] = {
        tuple(row): value for row, value in zip(X.tolist(), target.function(X), strict=True)
    }
    assert len(table) == 8
    for row, value in table.items():
        # The product of signs is +1 where the number of -1 is even.
        assert value == np.prod(row) * (1 if len(row) % 2 else -1)
    # Rows are copies: what training does to one set leaves the others alone.
    X[:] = 0
    assert np.abs(target.sample(1, generator())).all()


def test_sparse_features_are_rare_and_linear() -> None:
    target = SparseFeatures(10_000)
    X = target.sample(200, generator())
    assert X.dtype == np.float32 and set(np.unique(X)) == {0, 1}
    assert X.sum(axis=1).mean() == pytest.approx(target.probability.sum(), rel=0.02)
    assert 40 < target.probability.sum() < 60
    assert X[:, :12].mean() == pytest.approx(0.5, abs=0.05)
    both = np.minimum(X[0] + X[1], 1) + np.minimum(X[0], X[1])
    zero = np.zeros_like(X[0])
    a, b, sums, none = target(np.stack([X[0], X[1], both, zero]))
    assert a + b == pytest.approx(sums + none)
    np.testing.assert_array_equal(target(X), SparseFeatures(10_000)(X))


def test_bad_targets_are_refused() -> None:
    with refused("target 'parity5'", "known are nested_sine", "did you mean 'parity'"):
        get_target("parity5")
    with refused("dimensions is 1"):
        radial(1)
    with refused("shells is 0"):
        radial(3, 0)
    with refused("inputs", "20", "16"):
        parity(20)

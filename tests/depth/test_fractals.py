"""Fractals: what is inside, checked against other ways to say so, and maps that are refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet.depth.convex import minimise
from scratchnet.depth.fractals import (
    FRACTALS,
    Fractal,
    cantor,
    dust,
    get_fractal,
    pentaflake,
    sierpinski,
    similarities,
    vicsek,
)

every_fractal = pytest.mark.parametrize("name", FRACTALS)


def cells(fractal: Fractal, level: int) -> list[Any]:
    """The corners of all r^n cells, by applying the maps to K_0 in every order."""
    found = [fractal.corners]
    for _ in range(level):
        found = [
            corners @ matrix.T + shift
            for corners in found
            for matrix, shift in zip(fractal.matrices, fractal.shifts, strict=True)
        ]
    return found


def in_polygon(X: Any, corners: Any) -> Any:
    """Whether points are on one side of all edges, or in the interval."""
    if X.shape[1] == 1:
        return (corners.min() <= X[:, 0]) & (X[:, 0] <= corners.max())
    ends = np.roll(corners, -1, axis=0)
    turns = [
        (e - c)[0] * (X[:, 1] - c[1]) - (e - c)[1] * (X[:, 0] - c[0])
        for c, e in zip(corners, ends, strict=True)
    ]
    return np.all(np.array(turns) >= 0, axis=0) | np.all(np.array(turns) <= 0, axis=0)


@every_fractal
@pytest.mark.parametrize("level", [1, 3])
def test_points_are_inside_where_they_are_in_some_cell(name: str, level: int) -> None:
    fractal = get_fractal(name)
    X = np.random.default_rng(0).uniform(-1.1, 1.1, (3000, fractal.dimensions))
    expected = np.any([in_polygon(X, corners) for corners in cells(fractal, level)], axis=0)
    assert (fractal.contains(X, level) == expected).all()
    assert expected.any() and not expected.all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=29))
def test_the_cantor_set_is_the_numbers_without_the_digit_1(digits: list[int]) -> None:
    """x in the middle of the cell of these ternary digits; K_n asks for no 1 among the first n."""
    x = sum(digit / 3.0 ** (place + 1) for place, digit in enumerate(digits))
    x += 0.5 / 3.0 ** len(digits)
    most = digits.index(1) if 1 in digits else len(digits)
    assert cantor().levels_inside([[x]], len(digits)) == [most]


def test_dust_and_vicsek_are_known_by_their_pairs_of_digits() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 3, (2, 2000, 6))
    places = 3.0 ** -np.arange(1, 7)
    X = 2 * np.stack([(each * places).sum(axis=1) + places[-1] / 2 for each in (x, y)], axis=1) - 1
    for fractal, right in (
        (dust(), (x != 1) & (y != 1)),
        (vicsek(), (x == 1) == (y == 1)),
    ):
        expected = np.cumprod(right, axis=1).sum(axis=1)
        assert (fractal.levels_inside(X, 6) == expected).all()


def test_points_outside_the_base_have_level_minus_1() -> None:
    assert sierpinski().levels_inside([[0.0, 1.01], [0.9, 0.9], [0.0, 0.0]], 4).tolist()[:2] == [
        -1,
        -1,
    ]


def test_points_that_two_images_share_take_the_better_address() -> None:
    """1/2 is the right end of [0, 1/2], whose zoom 1 is not in K_1 = [0, 3/4], and the left end of
    [1/2, 3/4], whose zoom 0 is in every level."""
    fractal = Fractal("uneven", [[0.0], [1.0]], [[[0.5]], [[0.25]]], [[0.0], [0.5]])
    assert fractal.levels_inside([[0.5], [1.0], [0.75]], 12).tolist() == [12, 0, 1]


@every_fractal
def test_gauge_is_1_at_the_corners_and_0_at_the_centre(name: str) -> None:
    fractal = get_fractal(name)
    np.testing.assert_allclose(fractal.gauge(fractal.corners), 1)
    assert fractal.gauge(fractal.centre[None]) == 0
    beyond = fractal.centre + 2.5 * (fractal.corners - fractal.centre)
    np.testing.assert_allclose(fractal.gauge(beyond), 2.5)


@every_fractal
def test_image_gauges_undo_the_maps(name: str) -> None:
    fractal = get_fractal(name)
    X = np.random.default_rng(0).uniform(-1, 1, (20, fractal.dimensions))
    for image in range(fractal.maps):
        pushed = fractal.push(X, np.full(20, image))
        np.testing.assert_allclose(fractal.image_gauges(pushed)[:, image], fractal.gauge(X))


@every_fractal
def test_points_of_the_base_are_uniform(name: str) -> None:
    """The centre of mass, and the share of a part of known size: the images of K_0."""
    fractal = get_fractal(name)
    X = fractal.draw_base(40_000, np.random.default_rng(0))
    assert fractal.gauge(X).max() <= 1 + 1e-12
    np.testing.assert_allclose(X.mean(axis=0), fractal.centre, atol=4 * X.std() / 200)
    shares = (fractal.image_gauges(X) <= 1).mean(axis=0)
    np.testing.assert_allclose(shares, fractal.volumes, atol=4 * 0.5 / 200)


def test_dust_in_three_dimensions() -> None:
    fractal = dust(0.4, dimensions=3)
    assert fractal.maps == 8 and len(fractal.normals) == 6
    assert fractal.levels_inside([[0.9, -0.9, 0.9], [0.9, 0.1, 0.9]], 1).tolist() == [1, 0]
    X = fractal.draw_base(1000, np.random.default_rng(0))
    assert np.abs(X).max() <= 1 and (X.std(axis=0) > 0.5).all()


def test_maps_that_turn_and_shear_are_zoomed_into_right() -> None:
    corners = [[-1.0, -1], [1, -1], [1, 1], [-1, 1]]
    turned = [[0.0, -0.3], [0.4, 0.0]], [[0.3, 0.05], [0.0, 0.3]]
    fractal = Fractal("turned", corners, turned, [[-0.6, 0.0], [0.6, 0.1]])
    X = np.random.default_rng(0).uniform(-1, 1, (4000, 2))
    expected = np.any([in_polygon(X, each) for each in cells(fractal, 2)], axis=0)
    assert (fractal.contains(X, 2) == expected).all() and expected.sum() > 20


def test_corners_inside_the_hull_change_nothing() -> None:
    square = [[-1.0, -1], [0, 0], [1, 1], [1, -1], [-1, 1]]
    fractal = similarities("square", square, 1 / 3, dust().shifts)
    assert len(fractal.corners) == len(fractal.normals) == 4
    assert (fractal.centre == 0).all()


def test_deepest_levels() -> None:
    assert (cantor().deepest_level(), cantor().deepest_level("float32")) == (30, 10)
    assert sierpinski().deepest_level() == 48
    with refused("level 31 of cantor", "1 to 30"):
        cantor().levels_inside([[0.5]], 31)
    with refused("level 11 of dust", "float32"):
        dust().check_level(11, "float32")


def test_maps_that_are_no_contractions_are_refused() -> None:
    with refused("mine", "map 2 stretches by 1"):
        Fractal("mine", [[0.0], [1.0]], [[[0.5]], [[-1.0]]], [[0.0], [1.0]])
    # Rotated, this map shrinks the square's area and yet stretches in one direction.
    shear = [[0.5, 0.9], [0.0, 0.1]]
    with refused("map 1 stretches by 1.0"):
        Fractal("shear", dust().corners, [shear, 0.2 * np.eye(2)], [[0, 0], [0, 0]])
    with refused("map 1 flattens space"):
        Fractal("flat", dust().corners, [np.diag([0.5, 0]), 0.2 * np.eye(2)], np.zeros((2, 2)))


def test_overlapping_images_are_named() -> None:
    with refused("dust", "maps 1 and 2 overlap"):
        dust(0.51)
    crossing = [[-1 / 3, 0.0], [1 / 3, 0.0], [0.3, 0.0]]
    with refused("maps 2 and 3 overlap"):
        similarities("three", dust().corners, 0.3, crossing)


@pytest.mark.parametrize("fractal", [sierpinski, vicsek, pentaflake, lambda: dust(0.5)])
def test_images_may_touch(fractal: Any) -> None:
    assert fractal().maps > 2


def test_other_bad_fractals_are_refused() -> None:
    with refused("image of map 2 leaves the base", "1.1 times"):
        similarities("out", [[0.0], [1.0]], 0.3, [[0.0], [0.75]])
    with refused("span no body in 2 dimensions"):
        similarities("line", [[0.0, 0], [1, 1], [2, 2]], 0.3, [[0.0, 0], [1, 1]])
    with refused("list: shifts have shape (2,)"):
        similarities("list", [[0.0], [1.0]], 0.3, [0.0, 0.7])
    with refused("span no interval"):
        similarities("point", [[1.0], [1.0]], 0.3, [[0.0], [1.0]])
    with refused("1 matrices and 1 shifts"):
        similarities("one", [[0.0], [1.0]], 0.3, [[0.0]])
    with refused("matrices (2, 1, 1) and shifts (2, 1)", "2 dimensions"):
        Fractal("mixed", dust().corners, [[[0.3]], [[0.3]]], [[0.0], [1.0]])
    with refused("corners hold numbers that are not finite"):
        similarities("nan", [[0.0], [np.nan]], 0.3, [[0.0], [0.7]])
    with refused("points of shape (3,)", "(N, 2)"):
        dust().contains([0.0, 1.0, 2.0], 2)


def test_the_bases_of_the_named_fractals() -> None:
    assert sierpinski().corners.tolist() == [[-1, -1], [1, -1], [0, 1]]
    square = {(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)}
    assert {tuple(corner) for corner in get_fractal("vicsek").corners.tolist()} == square
    assert {tuple(corner) for corner in get_fractal("dust").corners.tolist()} == square
    assert cantor().corners.tolist() == [[0], [1]]


def test_names_and_ratios() -> None:
    assert get_fractal("dust", 0.25).smallest_ratio == 0.25
    with refused("unknown fractal 'sierpinsky'", "did you mean 'sierpinski'"):
        get_fractal("sierpinsky")
    with refused("ratio 0.4 of vicsek", "cantor or dust"):
        get_fractal("vicsek", 0.4)
    for ratio in (0.0, 1.0, -0.3, float("nan"), "a third"):
        with refused("above 0 and below 1"):
            get_fractal("cantor", ratio)  # type: ignore[arg-type]


def test_the_number_of_cells() -> None:
    """All r^n cells of the pentaflake are apart, up to touching: their centres differ."""
    fractal = pentaflake()
    centres = np.array([corners.mean(axis=0) for corners in cells(fractal, 3)])
    assert len(centres) == 125
    assert (fractal.levels_inside(centres, 3) == 3).all()
    gaps = [np.linalg.norm(a - b) for a, b in product(centres, centres) if (a != b).any()]
    assert min(gaps) > fractal.smallest_ratio**3


def test_the_linear_programme_is_a_sparse_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy 1.18 warns where `block_diag` is given dense blocks alone."""
    from scipy import sparse

    seen = []
    build = sparse.block_diag
    monkeypatch.setattr(
        sparse, "block_diag", lambda blocks, **how: seen.extend(blocks) or build(blocks, **how)
    )
    square = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    limits = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 6.0, 7.0, 8.0])]
    assert minimise(np.array([1.0, 1.0]), [square, square], limits).tolist() == [-6.0, -14.0]
    assert all(isinstance(block, sparse.sparray) for block in seen)

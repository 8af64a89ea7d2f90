"""Regions of networks that are simple enough to count by hand, and what no network exceeds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from region_checks import check_tiling, one_layer, with_biases

from scratchnet import Linear, Model, ReLU, Residual, Threshold, mlp
from scratchnet.depth import pieces
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.region_bounds import (
    arrangement_regions,
    central_arrangement_regions,
    line_bound,
    upper_bound,
)
from scratchnet.depth.regions import Line, Plane, line_regions, plane_mosaic, plane_regions
from scratchnet.depth.sampled_regions import sampled_regions
from scratchnet.depth.sawtooth import sawtooth, sawtooth_weights


@pytest.mark.parametrize("neurons", [1, 2, 3, 8, 20])
def test_lines_in_general_position_reach_zaslavskys_number(neurons: int) -> None:
    angles = np.pi * (np.arange(neurons) + 0.3) / neurons
    offsets = 0.1 + 0.01 * np.arange(neurons) ** 2
    model = one_layer([np.cos(angles), np.sin(angles)], offsets)
    regions = plane_regions(model, Plane(window=((-200, 210), (-190, 220))))
    check_tiling(regions)
    assert regions.count == regions.linear_count == arrangement_regions(neurons, 2)


@pytest.mark.parametrize("neurons", [1, 2, 8, 33])
def test_zero_biases_make_a_fan_of_sectors(neurons: int) -> None:
    angles = np.pi * (np.arange(neurons) + 0.3) / neurons
    model = one_layer([np.cos(angles), np.sin(angles)], np.zeros(neurons))
    regions = plane_regions(model)
    check_tiling(regions)
    assert regions.count == 2 * neurons == central_arrangement_regions(neurons, 2)


@pytest.mark.parametrize("activation", ["relu", "threshold"])
def test_a_mosaic_is_that_of_the_regions(activation: str) -> None:
    model = mlp([2, 8, 8, 3], activation, dtype="float64", seed=1)
    regions = plane_regions(model)
    mosaic = plane_mosaic(model)
    for got, wanted in zip(
        mosaic, (regions.vertices, regions.polygons, regions.boundary), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


def test_a_fan_stays_a_fan_in_deep_networks() -> None:
    """With zero biases all layers' lines pass through the origin: no corner lies elsewhere."""
    regions = plane_regions(mlp([2, 16, 16, 16, 1], dtype="float64", seed=3))
    check_tiling(regions)
    inside = np.abs(regions.vertices).max(axis=1) < 1 - 1e-9
    assert inside.sum() == 1 and np.abs(regions.vertices[inside]).max() < 1e-9


@pytest.mark.parametrize("depth", [1, 2, 7, 12])
def test_the_sawtooth_has_two_to_the_depth_pieces(depth: int) -> None:
    pieces = line_regions(sawtooth(depth), Line([0.0], [1.0]))
    assert pieces.count == pieces.linear_count == 2**depth
    assert (pieces.ends == np.arange(2**depth + 1) / 2**depth).all()
    assert (np.abs(pieces.slopes) == 2**depth).all()


def test_a_sawtooth_along_a_slanting_direction_is_stripes() -> None:
    (W, b), *others = sawtooth_weights(7)
    slanting = model_from_weights([(np.array([[0.6], [0.4]]) @ W, b), *others], "relu")
    regions = plane_regions(slanting, Plane(window=((0, 1), (0, 1))))
    check_tiling(regions)
    assert regions.count == regions.linear_count == 2**7
    np.testing.assert_allclose(np.abs(regions.gradients[:, 0]), [[0.6 * 2**7, 0.4 * 2**7]] * 2**7)


@pytest.mark.parametrize(
    ("W", "b", "count"),
    [
        ([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], [-0.6, -0.2, 0, 0.1, 0.9], 6),
        ([[1, 2, -3, 0.1], [0.5, 1, -1.5, 0.05]], [0.25, 0.5, -0.75, 0.025], 2),
        ([[1, 0, 1], [0, 1, 1]], [0, 0, 0], 6),
        ([[1, 1], [1, -1]], [0, 0], 4),
        ([[1, -1], [0, 0]], [-1, 1], 1),
        ([[1, 1], [1, 1]], [-2, 2], 1),
        ([[1, -1], [1, 1]], [-5, -7], 1),
        ([[0, 0, 0], [0, 0, 0]], [0, 1, -1], 1),
        ([[1e-300, 1e300], [0, 1e300]], [0, 0], 4),
        ([[1, 1], [1, 1 + 1e-13]], [0.1, 0.1], 2),
    ],
    ids=[
        "parallel",
        "coincident",
        "three through one point",
        "diagonals",
        "along the rim",
        "through corners",
        "all dead",
        "zero weights",
        "tiny and huge",
        "coincident up to rounding",
    ],
)
def test_degenerate_lines_are_counted_right(W: Any, b: Any, count: int) -> None:
    regions = plane_regions(one_layer(W, b))
    check_tiling(regions)
    assert regions.count == count


def test_neurons_that_bend_at_one_place_make_one_cut_there() -> None:
    """Their zeros are the same up to rounding only, and each counts as active on its own side."""
    W = np.array([[1 / 3, -1 / 7, 0.9, np.pi, -np.e]])
    regions = line_regions(one_layer(W, -0.3 * W[0]), Line([-1.0], [2.0]))
    np.testing.assert_allclose(regions.ends, [0, 0.65, 1])
    assert (regions.patterns == [W[0] < 0, W[0] > 0]).all()


def test_a_neuron_whose_inputs_cancel_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 h + 0.2 h - 0.3 h is 0 up to rounding, wherever h is not 0; so is its largest value."""
    same = ([[1 / 3] * 3, [1 / 7] * 3], [0.1] * 3)
    weights = [same, ([[0.1], [0.2], [-0.3]], [0.0]), ([[1.0]], [0.0])]
    model = model_from_weights([(np.array(W), np.array(b)) for W, b in weights], "relu")
    regions = plane_regions(model)
    check_tiling(regions)
    assert (regions.count, regions.linear_count) == (2, 1)
    assert line_regions(model, Line((-1, -1), (2, 2.1))).count == 2
    # The largest value may stand in any block of rows.
    monkeypatch.setattr(pieces, "ENTRIES_PER_BLOCK", 1)
    assert plane_regions(model).count == 2
    assert line_regions(model, Line((-1, -1), (2, 2.1))).count == 2


def test_neighbours_with_one_map_are_one_linear_region() -> None:
    hinge = [[1, -1], [0, 0]]
    straight = plane_regions(one_layer(hinge, [0, 0], out=[1, -1]))
    assert (straight.count, straight.linear_count) == (2, 1)
    absolute = plane_regions(one_layer(hinge, [0, 0], out=[1, 1]))
    assert (absolute.count, absolute.linear_count) == (2, 2)
    unused = plane_regions(one_layer([[1, 0], [0, 1]], [0, 0], out=[1, 0]))
    assert (unused.count, unused.linear_count) == (4, 2)
    # relu(s) - relu(s - 0.5) is constant in two places that do not touch.
    ramp = one_layer([[1, 1], [0, 0]], [0, -0.5], out=[1, -1])
    assert plane_regions(ramp).linear_count == 3
    on_line = line_regions(ramp, Line((-1, 0), (1, 0), (0, 2)))
    assert on_line.linear.tolist() == [0, 1, 2]
    np.testing.assert_allclose(on_line.slopes[:, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(on_line.offsets[:, 0], [0, -1, 0.5], atol=1e-12)


def test_the_absolute_value_of_a_distance_has_a_square_boundary() -> None:
    """|s| + |t| - 1/2 is 0 on a square that stands on its corner: four segments."""
    absolute = one_layer([[1, -1, 0, 0], [0, 0, 1, -1]], [0, 0, 0, 0], out=[1, 1, 1, 1])
    absolute.parameters()[-1].data[...] = -0.5
    boundary = plane_regions(absolute).boundary
    assert boundary.shape == (4, 2, 2)
    np.testing.assert_allclose(np.abs(boundary).sum(axis=2), 0.5)
    crossings = line_regions(absolute, Line((-1, 0), (2, 0))).boundary
    np.testing.assert_allclose(crossings, [0.25, 0.75])


def test_the_boundary_of_a_threshold_circuit_runs_along_its_jumps() -> None:
    """XOR = AND(OR, NAND) is 1 between two parallel lines."""
    weights = [([[1, -1], [1, -1]], [-0.5, 1.5]), ([[1], [1]], [-1.5])]
    circuit = model_from_weights(
        [(np.array(W, float), np.array(b)) for W, b in weights], "threshold", activate_output=True
    )
    regions = plane_regions(circuit, Plane(window=((-0.5, 1.5), (-0.5, 1.5))))
    check_tiling(regions)
    assert (regions.count, regions.linear_count) == (3, 3)
    assert not regions.gradients.any() and sorted(regions.offsets[:, 0]) == [0, 0, 1]
    assert sorted(regions.boundary.sum(axis=2).round(9).reshape(-1)) == [0.5, 0.5, 1.5, 1.5]
    assert line_regions(circuit, Line((0, 0), (1, 1))).boundary == pytest.approx([0.25, 0.75])
    sampled = sampled_regions(circuit, regions.plane, 32)
    assert (sampled.count, sampled.map_count) == (3, 2)


def test_sheets_beside_a_jump_are_cut_at_different_places() -> None:
    """relu(s - 1/4 + [t >= 0] / 2): a kink at s = 1/4 below and at s = -1/4 above.

    Both kinks end on the jump t = 0, each in the middle of an edge of the other sheet.
    """
    model = Model(
        Residual(Linear(2, 1), Threshold(), Linear(1, 2)), Linear(2, 1), ReLU(), dtype="float64"
    )
    given = [[[0], [1]], [0], [[0.5, 0]], [0, 0], [[1], [0]], [-0.25]]
    for parameter, values in zip(model.parameters(), given, strict=True):
        parameter.data[...] = values
    regions = plane_regions(model)
    check_tiling(regions)
    assert (regions.count, regions.linear_count) == (4, 3)
    assert (len(regions.vertices), len(regions.edges()[0])) == (10, 13)
    assert sorted(regions.areas()) == pytest.approx([0.75, 0.75, 1.25, 1.25])
    # The boundary of the class "above 0": up along one kink, along the jump, up the other.
    lengths = np.linalg.norm(np.diff(regions.boundary, axis=1), axis=2)
    assert lengths.sum() == pytest.approx(2.5)


def test_a_kink_through_a_corner_of_a_sheet_makes_no_corner_beside_it() -> None:
    """relu(s + t - 1 + [t >= 0] / 2): the kink of the lower sheet ends in its corner (1, 0)."""
    model = Model(
        Residual(Linear(2, 1), Threshold(), Linear(1, 2)), Linear(2, 1), ReLU(), dtype="float64"
    )
    given = [[[0], [1]], [0], [[0.5, 0]], [0, 0], [[1], [1]], [-1]]
    for parameter, values in zip(model.parameters(), given, strict=True):
        parameter.data[...] = values
    for sign in (1, -1):
        model.parameters()[4].data[...] = [[sign], [sign]]
        model.parameters()[5].data[...] = -sign
        model.parameters()[2].data[...] = [[0.5 * sign, 0]]
        regions = plane_regions(model)
        check_tiling(regions)
        assert len(np.unique(regions.vertices, axis=0)) == len(regions.vertices)
        assert (regions.count, len(regions.vertices)) == (3, 8)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_no_network_has_more_regions_than_the_bounds_allow(widths: list[int], seed: int) -> None:
    model = with_biases(mlp([2, *widths, 1], dtype="float64", seed=seed), seed)
    assert plane_regions(model).count <= upper_bound(widths, 2)
    assert line_regions(model, Line((-1, -1), (2, 2))).count <= line_bound(widths)

"""Linear regions: the mosaic is a tiling, its patterns, maps and boundary are the model's.

Networks are drawn with all kinds of layers. Some of their parameters are rounded to multiples of
one half, so that lines coincide, are parallel or meet in one point, and neurons are dead.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from region_checks import (
    CONTINUOUS,
    check_maps,
    check_tiling,
    networks,
    plane_of,
    with_biases,
)

from scratchnet import (
    GELU,
    BatchNorm,
    Dropout,
    InputError,
    LeakyReLU,
    Linear,
    Model,
    ReLU,
    Residual,
    Sequential,
    mlp,
)
from scratchnet.depth import pieces, piecewise_linear
from scratchnet.depth.region_bounds import expected_at_initialization
from scratchnet.depth.regions import (
    Line,
    Plane,
    TooManyRegions,
    line_regions,
    plane_regions,
)
from scratchnet.depth.sampled_regions import sampled_regions
from scratchnet.depth.sawtooth import sawtooth
from scratchnet.depth.slices import points


@given(networks())
@settings(max_examples=150)
def test_regions_tile_the_window_and_have_the_models_maps(model: Model) -> None:
    plane = plane_of(model)
    regions = plane_regions(model, plane)
    check_tiling(regions)
    check_maps(model, regions)
    assert regions.linear_count <= regions.count


@given(networks(rounded=False))
def test_a_grid_finds_no_other_patterns(model: Model) -> None:
    plane = plane_of(model)
    regions = plane_regions(model, plane)
    sampled = sampled_regions(model, plane, resolution=40)
    exact = {pattern.tobytes() for pattern in regions.patterns}
    assert {pattern.tobytes() for pattern in sampled.patterns} <= exact
    assert sampled.map_count <= regions.linear_count


@given(networks(rounded=False))
def test_line_regions_have_the_models_patterns_and_maps(model: Model) -> None:
    plane = plane_of(model, seed=1)
    line = Line(plane.origin, plane.first, (-1.13, 1.41))
    regions = line_regions(model, line)
    assert (regions.ends[0], regions.ends[-1]) == line.interval
    assert (np.diff(regions.ends) > 0).all()
    assert len(np.unique(regions.patterns, axis=0)) == regions.count
    middle = (regions.ends[1:] + regions.ends[:-1]) / 2
    expected = model.predict(points(line, middle[:, None]))
    scale = max(1.0, np.abs(expected).max(), np.abs(regions.slopes).max())
    found = regions.slopes * middle[:, None] + regions.offsets
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * scale)
    sampled = sampled_regions(model, line, resolution=1000)
    exact = {pattern.tobytes() for pattern in regions.patterns}
    assert {pattern.tobytes() for pattern in sampled.patterns} <= exact
    assert sampled.map_count <= regions.linear_count


@given(networks(), st.floats(0, 3.14), st.floats(-0.4, 0.4))
def test_a_line_through_a_plane_crosses_the_same_regions(
    model: Model, angle: float, distance: float
) -> None:
    plane = plane_of(model)
    normal = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-normal[1], normal[0]])
    crossing = np.array([distance, 0.0])
    line = Line(points(plane, crossing), along @ plane.directions, (-0.5, 0.5))
    ours = line_regions(model, line)

    regions = plane_regions(model, plane)
    corners = regions.vertices[regions.polygons] - crossing
    side, place = corners @ normal, corners @ along
    crossed = (side.min(axis=1) < -1e-9) & (side.max(axis=1) > 1e-9)
    on_plane = {pattern.tobytes() for pattern in regions.patterns[crossed]}
    assert {pattern.tobytes() for pattern in ours.patterns} <= on_plane
    reached = crossed & (place.min(axis=1) > -0.5) & (place.max(axis=1) < 0.5)
    inside = {pattern.tobytes() for pattern in regions.patterns[reached]}
    assert inside <= {pattern.tobytes() for pattern in ours.patterns}


@given(networks())
@settings(max_examples=30)
def test_linear_regions_are_neighbours_with_one_map(model: Model) -> None:
    regions = plane_regions(model, plane_of(model))
    maps = np.concatenate([regions.gradients.reshape(regions.count, -1), regions.offsets], axis=1)
    group = list(range(regions.count))
    for left, right in regions.edges()[1]:
        if right >= 0 and np.allclose(maps[left], maps[right], rtol=1e-9, atol=1e-11):
            old, new = group[left], group[right]
            group = [new if each == old else each for each in group]
    assert len(set(group)) == regions.linear_count == len(np.unique(regions.linear))
    assert len(set(zip(group, regions.linear, strict=True))) == regions.linear_count


@given(networks(CONTINUOUS))
def test_the_boundary_is_where_the_class_changes(model: Model) -> None:
    plane = plane_of(model)
    boundary = plane_regions(model, plane).boundary
    if len(boundary):
        outputs = model.predict(points(plane, boundary.mean(axis=1)))
        scale = max(1.0, np.abs(outputs).max())
        if outputs.shape[1] == 1:
            np.testing.assert_allclose(outputs, 0, atol=1e-8 * scale)
        else:
            first, second = np.sort(outputs, axis=1)[:, -1:-3:-1].T
            np.testing.assert_allclose(first, second, atol=1e-8 * scale)
    check_class_changes(model, plane, boundary)


@given(networks())
def test_a_boundary_may_also_be_jumped_across(model: Model) -> None:
    plane = plane_of(model)
    check_class_changes(model, plane, plane_regions(model, plane).boundary)


def check_class_changes(model: Model, plane: Plane, boundary: np.ndarray) -> None:
    """Each change of class between neighbours on a grid has a segment between them."""
    resolution = 60
    grid = plane.grid(resolution)
    outputs = model.predict(points(plane, grid))
    classes = outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    # Where outputs tie on an area, as dead ones do, rounding decides the class.
    ranked = np.sort(outputs, axis=1)
    margin = np.abs(outputs[:, 0]) if outputs.shape[1] == 1 else ranked[:, -1] - ranked[:, -2]
    clear = (margin > 1e-9).reshape(resolution, resolution)
    classes, places = classes.reshape(resolution, -1), grid.reshape(resolution, resolution, 2)
    changes = (classes[:, 1:] != classes[:, :-1]) & clear[:, 1:] & clear[:, :-1]
    middles = ((places[:, 1:] + places[:, :-1]) / 2)[changes]
    step = places[0, 1, 0] - places[0, 0, 0]
    for middle in middles[:: max(1, len(middles) // 50)]:
        start, end = boundary[:, 0] - middle, boundary[:, 1] - middle
        assert distance_to_segments(start, end).min() <= step / 2 + 1e-9


def distance_to_segments(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The distance of the origin to each segment."""
    along = end - start
    share = -(start * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-300)
    nearest = start + np.clip(share, 0, 1)[:, None] * along
    return np.linalg.norm(nearest, axis=1)


def test_a_large_network_is_a_tiling_too() -> None:
    model = with_biases(mlp([2, 32, 32, 32, 32, 1], dtype="float64", seed=1), 1, size=0.3)
    regions = plane_regions(model)
    check_tiling(regions)
    check_maps(model, regions)
    ratio = regions.count / expected_at_initialization(4 * 32, 2)
    assert 0.3 < ratio < 0.9


def test_a_network_without_hidden_neurons_is_one_region() -> None:
    model = mlp([3, 2], dtype="float64", seed=1)
    regions = plane_regions(model, plane_of(model))
    check_tiling(regions)
    check_maps(model, regions)
    assert regions.count == 1 and regions.patterns.shape == (1, 0)


def test_dropout_and_batch_norm_are_as_in_eval_mode() -> None:
    layers = [Linear(2, 8), BatchNorm(8), ReLU(), Dropout(0.5), Linear(8, 8), LeakyReLU()]
    model = Model(*layers, BatchNorm(8), Linear(8, 2), dtype="float64")
    rng = np.random.default_rng(0)
    for _ in range(50):
        model(rng.normal(1, 2, (64, 2)))
    regions = plane_regions(model, Plane(window=((-3, 5), (-3, 5))))
    assert model.training
    check_tiling(regions)
    check_maps(model.eval(), regions)
    assert regions.count > 10


def test_layers_without_bias_count_as_those_with_biases_of_zero() -> None:
    without, zeros = (mlp([2, 6, 6, 1], dtype="float64", seed=2, bias=b) for b in (False, True))
    ours, theirs = (
        plane_regions(each, Plane(window=((1, 2), (-1, 3)))) for each in (without, zeros)
    )
    assert ours.count == theirs.count > 1
    assert ours.gradients.tobytes() == theirs.gradients.tobytes()


def test_float32_is_counted_in_float64() -> None:
    narrow = mlp([2, 16, 16, 1], seed=5)
    wide = mlp([2, 16, 16, 1], seed=5, dtype="float64")
    wide.load_state_dict({name: a.astype(float) for name, a in narrow.state_dict().items()})
    ours, theirs = plane_regions(narrow), plane_regions(wide)
    assert ours.gradients.dtype == ours.vertices.dtype == np.float64
    assert ours.gradients.tobytes() == theirs.gradients.tobytes()


def test_each_network_of_an_ensemble_is_counted_alone() -> None:
    together = mlp([2, 8, 8, 1], seed=3, ensemble=3, batch_norm=True)
    line = Line((-1, -1), (2, 2))
    for number in range(3):
        alone = mlp([2, 8, 8, 1], seed=3 + number, batch_norm=True)
        ours, theirs = plane_regions(together, network=number), plane_regions(alone)
        assert ours.vertices.tobytes() == theirs.vertices.tobytes()
        assert ours.offsets.tobytes() == theirs.offsets.tobytes()
        ours_on_line = line_regions(together, line, network=number)
        assert ours_on_line.ends.tobytes() == line_regions(alone, line).ends.tobytes()
        sampled = sampled_regions(together, Plane(), 64, network=number)
        assert (sampled.labels == sampled_regions(alone, Plane(), 64).labels).all()


def test_numbers_of_each_network_are_those_of_the_network_alone() -> None:
    """A slope, an epsilon and a scale for each network of an ensemble."""
    slopes, epsilons, scales = [0.25, -0.5], [1e-5, 1.0], [0.5, -2.0]

    def build(slope: Any, epsilon: Any, scale: Any, **options: Any) -> Model:
        block = Residual(Linear(4, 4), LeakyReLU(slope), Linear(4, 4), scale=scale)
        norm = BatchNorm(4, epsilon=epsilon)
        return Model(Linear(2, 4), norm, block, Linear(4, 1), dtype="float64", **options)

    together = build(slopes, epsilons, scales, seed=3, ensemble=2)
    for i in range(2):
        alone = build(slopes[i], epsilons[i], scales[i], seed=3 + i)
        ours, theirs = plane_regions(together, network=i), plane_regions(alone)
        assert ours.count > 1
        assert ours.vertices.tobytes() == theirs.vertices.tobytes()
        assert ours.gradients.tobytes() == theirs.gradients.tobytes()
        check_maps(alone.eval(), theirs)


def test_a_slice_of_many_inputs() -> None:
    model = with_biases(mlp([784, 20, 20, 10], dtype="float64", seed=2), 2)
    rng = np.random.default_rng(0)
    corner, right, top = rng.random((3, 784))
    plane = Plane(corner, right - corner, top - corner, ((-0.5, 1.5), (-0.5, 1.5)))
    regions = plane_regions(model.root, plane)
    check_tiling(regions)
    check_maps(model, regions)


def test_sampling_leaves_the_model_as_it_was() -> None:
    model = mlp([2, 8, 1], dropout=0.5)
    model(np.ones((4, 2))).sum().backward()
    before = model.gradient_buffer.copy()
    assert sampled_regions(model, Plane(), 16).labels.shape == (16, 16)
    assert model.training and (model.gradient_buffer == before).all()


def test_sampling_a_smooth_network_finds_one_pattern_and_many_maps() -> None:
    sampled = sampled_regions(mlp([2, 4, 1], activation="tanh"), Plane(), 8)
    assert sampled.count == 1 and sampled.patterns.shape == (1, 0)


def test_the_limit_keeps_what_was_counted() -> None:
    model = with_biases(mlp([2, 16, 16, 16, 1], seed=1), 1)
    whole = plane_regions(model).count
    with pytest.raises(TooManyRegions, match=r"hidden layer 2 .* max_regions is 150;") as stopped:
        plane_regions(model, max_regions=150)
    partial = stopped.value
    assert isinstance(partial, InputError) and "\n" not in str(partial)
    assert 150 < partial.counted == len(partial.polygons) < whole
    x, y = np.moveaxis(partial.vertices[partial.polygons], 2, 0)
    areas = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1) / 2
    assert areas.sum() == pytest.approx(4)
    assert plane_regions(model, max_regions=whole).count == whole

    with pytest.raises(TooManyRegions, match="hidden layer 7 ") as stopped:
        line_regions(sawtooth(12), Line([0.0], [1.0]), max_regions=100)
    partial = stopped.value
    assert partial.counted == len(partial.polygons) == 128
    assert (np.diff(partial.vertices[partial.polygons][..., 0]) == 1 / 128).all()


def test_the_limit_itself_is_allowed_on_a_line_too() -> None:
    line = Line([0.0], [1.0])
    assert line_regions(sawtooth(6), line, max_regions=64).count == 64
    with pytest.raises(TooManyRegions, match="hidden layer 6 at 64 regions"):
        line_regions(sawtooth(6), line, max_regions=63)


@given(networks())
@settings(max_examples=20)
def test_a_few_rows_at_a_time_give_the_same_regions(model: Model) -> None:
    """As in networks so large that their layers are computed in blocks."""
    plane, line = plane_of(model), Line(plane_of(model).origin, plane_of(model).first, (-1.0, 1.2))
    whole, ends = plane_regions(model, plane), line_regions(model, line).ends
    with pytest.MonkeyPatch.context() as patch:
        for module in (pieces, piecewise_linear):
            patch.setattr(module, "ENTRIES_PER_BLOCK", 12)
        parts, parts_of_line = plane_regions(model, plane), line_regions(model, line)
    check_maps(model, parts)
    assert parts.count == whole.count and parts.polygons.tolist() == whole.polygons.tolist()
    np.testing.assert_allclose(parts.vertices, whole.vertices, rtol=0, atol=1e-9)
    np.testing.assert_allclose(parts_of_line.ends, ends, rtol=0, atol=1e-9)


PLAIN = mlp([2, 3, 1])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Plane(first=(0, 0)), "first direction of a plane is zero"),
        (lambda: Plane(first=(1, 2), second=(-2, -4)), "parallel"),
        (lambda: Plane((0, 0), (1, 0), (1, 1e-12)), "parallel"),
        (lambda: Plane(origin=(0,), first=(1,), second=(1,)), "parallel"),
        (lambda: Plane(window=((0, 0), (0, 1))), "side of a window is (0, 0)"),
        (lambda: Plane(window=((0, 1), (1, -1))), "side of a window is (1, -1)"),
        (lambda: Plane(window=((0, 1), (0, np.inf))), "side of a window is (0, inf)"),
        (lambda: Plane(window=(0, 1)), "window (0, 1)"),
        (lambda: Plane(origin=(0, np.nan)), "not finite"),
        (lambda: Plane(first=(1, 0, 0)), "first direction of a slice has 3 entries"),
        (lambda: Plane(origin="here"), "origin of a slice is 'here'"),
        (lambda: Line((0, 0), (0, 0)), "direction of a line is zero"),
        (lambda: Line((0, 0), (1,)), "direction of a slice has 1 entries"),
        (lambda: Line((0, 0), (1, 0), (1, 1)), "interval of a line is (1, 1)"),
        (lambda: Line(0, 1), "shape ()"),
        (lambda: plane_regions(mlp([2, 3, 1], activation="tanh")), "Tanh() is not piecewise"),
        (lambda: plane_regions(Model(Linear(2, 2), Residual(GELU()))), "GELU() is not piecewise"),
        (lambda: plane_regions(mlp([3, 3, 1])), "Linear(3 -> 3) needs 3 inputs"),
        (lambda: line_regions(PLAIN, Line([0], [1])), "the slice lies in 1 dimensions"),
        (lambda: plane_regions(Sequential(Linear(2, 1))), "no parameters yet"),
        (lambda: plane_regions(Model(Linear(2, 3), Linear(2, 1))), "needs 2 inputs and gets 3"),
        (lambda: plane_regions(Model(Residual(Linear(2, 3)))), "changes the width"),
        (lambda: plane_regions(diverged()), "weights that are not finite"),
        (lambda: plane_regions(mlp([2, 3, 1], ensemble=2)), "ensemble of 2 networks"),
        (lambda: plane_regions(mlp([2, 3, 1], ensemble=2), network=2), "network 2 of an ensemble"),
        (lambda: plane_regions(PLAIN, network=0), "single network"),
        (lambda: sampled_regions(PLAIN, Plane(), network=0), "single network"),
        (lambda: sampled_regions(PLAIN, Plane(), resolution=0), "resolution is 0"),
        (lambda: plane_regions(PLAIN, max_regions=0), "max_regions is 0"),
    ],
)
def test_bad_input_is_one_line_that_names_it(call: Any, named: str) -> None:
    with pytest.raises(InputError) as raised:
        call()
    assert named in str(raised.value) and "\n" not in str(raised.value)


def diverged() -> Model:
    model = mlp([2, 3, 1])
    model.parameters()[0].data[0, 0] = np.nan
    return model

"""Folding: exact at dyadic points, pieces counted, and the errors of squares and products."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.depth.hand_set import model_from_weights, predict_in_blocks, rows_per_block
from scratchnet.depth.sawtooth import (
    SIGNIFICANT_BITS,
    count_pieces,
    hidden_units,
    product_error,
    product_error_bound,
    product_network,
    sawtooth,
    sawtooth_pieces,
    shallow_sawtooth,
    shallow_square,
    square_error,
    square_error_bound,
    square_network,
    units_for_square,
)

DTYPES = ("float32", "float64")


@given(st.sampled_from(DTYPES), st.data())
@settings(deadline=None, max_examples=200)
def test_the_tent_map_is_exact_at_dyadic_points(dtype: str, data: st.DataObject) -> None:
    bits = SIGNIFICANT_BITS[dtype]
    depth = data.draw(st.integers(1, bits))
    whole = 2**bits
    places = data.draw(st.lists(st.integers(0, whole), min_size=1, max_size=20))
    folded = places
    for _ in range(depth):
        folded = [min(2 * place, 2 * whole - 2 * place) for place in folded]
    points = np.array([[place / whole] for place in places])
    found = sawtooth(depth, dtype).predict(points)[:, 0]
    assert found.tolist() == [place / whole for place in folded]


@pytest.mark.parametrize("depth", [1, 2, 5, 23])
def test_the_teeth_are_zeros_and_ones_in_turn(depth: int) -> None:
    places = np.unique(np.random.default_rng(0).integers(0, 2**depth + 1, 200))
    for dtype in DTYPES:
        found = sawtooth(depth, dtype).predict(places[:, None] / 2**depth)[:, 0]
        assert found.tolist() == (places % 2).tolist()


def test_twelve_folds_take_24_hidden_units_and_73_parameters() -> None:
    model = sawtooth(12)
    assert (hidden_units(model), model.parameter_count) == (24, 73)
    assert hidden_units(shallow_sawtooth(12)) == 4096


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", range(1, 13))
def test_the_deep_and_the_shallow_network_have_two_to_the_depth_pieces(
    depth: int, dtype: str
) -> None:
    assert sawtooth_pieces(depth) == 2**depth
    assert count_pieces(sawtooth(depth, dtype), depth) == 2**depth
    if depth <= 8:
        assert count_pieces(shallow_sawtooth(depth, dtype), depth) == 2**depth


def test_pieces_are_counted_once_on_a_finer_grid_and_across_blocks() -> None:
    assert count_pieces(sawtooth(3), 9) == 8
    assert count_pieces(sawtooth(18), 18) == 2**18
    line = model_from_weights([(np.ones((1, 1)), np.zeros(1))], "relu")
    assert count_pieces(line, 0) == count_pieces(line, 18) == 1
    bent = model_from_weights(
        [(np.ones((1, 1)), np.array([-0.5])), (np.ones((1, 1)), np.zeros(1))], "relu"
    )
    assert count_pieces(bent, 1) == count_pieces(bent, 18) == 2


@pytest.mark.parametrize("depth", range(1, 11))
def test_one_hidden_layer_equals_the_deep_network(depth: int) -> None:
    generator = np.random.default_rng(depth)
    deep, shallow = sawtooth(depth), shallow_sawtooth(depth)
    dyadic = generator.integers(0, 2**30, (300, 1)) / 2**30
    assert (predict_in_blocks(shallow, dyadic) == deep.predict(dyadic)).all()
    anywhere = generator.uniform(0, 1, (300, 1))
    # 2^L terms are added, whose absolute values sum to less than 4^L.
    rounding = 2.0**depth * 4.0**depth * 2.0**-53
    assert abs(predict_in_blocks(shallow, anywhere) - deep.predict(anywhere)).max() <= rounding


def test_the_shallow_network_is_exact_to_depth_12_in_float32_and_further_in_float64() -> None:
    ends = np.arange(2**12 + 1)
    found = predict_in_blocks(shallow_sawtooth(12, "float32"), ends[:, None] / 2**12)
    assert found[:, 0].tolist() == (ends % 2).tolist()
    ends = np.random.default_rng(0).integers(0, 2**16 + 1, 200)
    found = predict_in_blocks(shallow_sawtooth(16), ends[:, None] / 2**16)
    assert found[:, 0].tolist() == (ends % 2).tolist()


@pytest.mark.parametrize(
    ("dtype", "depth"),
    [("float64", m) for m in range(1, 26)] + [("float32", m) for m in range(1, 12)],
)
def test_the_error_of_the_square_is_its_bound_in_every_piece(dtype: str, depth: int) -> None:
    model = square_network(depth, dtype)
    assert hidden_units(model) == 3 * depth
    pieces = 2**depth
    chosen = np.random.default_rng(depth).integers(0, pieces, 500)
    middles, ends = (chosen + 0.5) / pieces, chosen / pieces
    bound = 2.0 ** (-2 * depth - 2)
    assert (model.predict(middles[:, None])[:, 0] - middles**2 == bound).all()
    assert (model.predict(ends[:, None])[:, 0] == ends**2).all()
    assert square_error_bound(depth) == bound
    assert square_error(model, pieces, most_points=2000) == bound


@given(st.integers(1, 20), st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_square_is_the_interpolation_of_the_parabola(depth: int, values: list[float]) -> None:
    points = np.array(values)
    found = square_network(depth).predict(points[:, None])[:, 0]
    left = np.floor(points * 2**depth) / 2**depth
    right = left + 2.0**-depth
    assert abs(found - (left**2 + (points - left) * (left + right))).max() <= 2**-49
    errors = found - points**2
    assert errors.min() >= -(2**-49) and errors.max() <= square_error_bound(depth) + 2**-49


@pytest.mark.parametrize(
    ("dtype", "depth"),
    [("float64", m) for m in range(1, 25)] + [("float32", m) for m in range(1, 11)],
)
def test_the_error_of_the_product_is_its_bound(dtype: str, depth: int) -> None:
    model = product_network(depth, dtype)
    assert product_error_bound(depth) == 2.0 ** (-2 * depth - 1)
    assert product_error(model, depth, most_points=4000) == product_error_bound(depth)


@pytest.mark.parametrize("depth", range(1, 6))
def test_the_product_errs_to_both_sides_as_far_as_it_says(depth: int) -> None:
    steps = np.arange(2 ** (depth + 1) + 1) / 2 ** (depth + 1)
    x, y = (each.ravel() for each in np.meshgrid(steps, steps))
    model = product_network(depth)
    errors = model.predict(np.stack([x, y], axis=1))[:, 0] - x * y
    square = square_error_bound(depth)
    assert (errors.min(), errors.max()) == (-square, 2 * square)
    anywhere = np.random.default_rng(depth).uniform(0, 1, (2000, 2))
    errors = model.predict(anywhere)[:, 0] - anywhere.prod(axis=1)
    assert errors.min() >= -square - 2**-49 and errors.max() <= 2 * square + 2**-49
    assert hidden_units(model) == 9 * depth


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 64, 1000])
def test_one_hidden_layer_reaches_the_best_error_for_its_pieces(pieces: int) -> None:
    model = shallow_square(pieces)
    assert hidden_units(model) == pieces
    best = 1 / (8 * pieces**2)
    assert square_error(model, pieces) == pytest.approx(best, rel=1e-6)
    points = np.random.default_rng(0).uniform(0, 1, 500)
    assert abs(model.predict(points[:, None])[:, 0] - points**2).max() <= best * (1 + 1e-6)


@given(st.floats(0, 1), st.floats(0.01, 1), st.floats(-3, 3), st.floats(-3, 3))
@settings(deadline=None)
def test_no_line_is_nearer_to_the_parabola(
    left: float, length: float, slope: float, offset: float
) -> None:
    """The lower bound rests on this: on an interval of length h every line misses by h^2 / 8."""
    points = left + length * np.array([0, 0.5, 1])
    line = slope * length * (points - points[1]) + points**2 + offset * length**2
    line = np.linspace(line[0], line[2], 3)
    assert abs(points**2 - line).max() >= length**2 / 8 * (1 - 1e-9)


@pytest.mark.parametrize("depth", range(1, 12))
def test_the_width_of_one_hidden_layer_for_the_error_of_a_deep_network(depth: int) -> None:
    error = square_error_bound(depth)
    least, enough = units_for_square(error)
    assert enough == math.ceil(2**depth / math.sqrt(2)) and least == enough - 1
    assert square_error(shallow_square(enough), enough) <= error
    assert 1 / (8 * least**2) > error if least else True


@given(st.integers(1, 10**6))
def test_the_width_is_right_at_the_edge(pieces: int) -> None:
    """1 / (8 P^2) is never a float below the exact value by more than it takes for P + 1."""
    assert units_for_square(math.nextafter(1 / (8 * pieces**2), 1))[1] == pieces
    assert units_for_square(math.nextafter(1 / (8 * pieces**2), 0))[1] == pieces + 1


def test_the_output_is_linear() -> None:
    assert sawtooth(1).predict([[1.25]]).item() == -0.5
    with pytest.raises(InputError, match=r"bias of shape \(1,\): the weights need \(2,\)"):
        model_from_weights([(np.ones((1, 2)), np.zeros(1))], "relu")


def test_blocks_change_nothing_and_fit_the_widest_layer() -> None:
    wide = shallow_sawtooth(14)
    assert rows_per_block(wide) == 32
    points = np.linspace(0, 1, 101)[:, None]
    assert predict_in_blocks(wide, points).shape == (101, 1)
    deep = sawtooth(5)
    assert (predict_in_blocks(deep, points) == deep.predict(points)).all()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: sawtooth(0), "depth is 0: must be a whole number from 1 to 53"),
        (lambda: sawtooth(54), r"depth is 54: .* from 1 to 53 \(.*float64\)"),
        (lambda: sawtooth(25, "float32"), r"depth is 25: .* from 1 to 24 \(.*float32\)"),
        (lambda: sawtooth(3, "float16"), "unknown dtype 'float16': known are float32, float64"),
        (lambda: sawtooth(2.5), "depth is 2.5"),  # type: ignore[arg-type]
        (lambda: shallow_sawtooth(21), r"depth is 21: .* from 1 to 20 \(2\^depth units\)"),
        (lambda: square_network(26), "depth is 26: .* from 1 to 25"),
        (lambda: square_network(12, "float32"), "depth is 12: .* from 1 to 11"),
        (lambda: product_network(25), "depth is 25: .* from 1 to 24"),
        (lambda: product_network(0), "depth is 0"),
        (lambda: shallow_square(0), "pieces is 0"),
        (lambda: units_for_square(0.0), "error is 0.0: must be a finite number above 0"),
        (lambda: units_for_square(math.nan), "error is nan"),
        (lambda: count_pieces(sawtooth(2), 21), "depth of the pieces to count is 21: .* to 20"),
    ],
)
def test_bad_input_is_one_line(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        attempt()
    assert "\n" not in str(raised.value)

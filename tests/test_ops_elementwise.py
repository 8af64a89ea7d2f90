"""Arithmetic: values against NumPy, gradients against differences, kinks by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import (
    BETWEEN_BANDS,
    DTYPES,
    broadcasting_pairs,
    check_op,
    computed,
    positive,
    seeds,
    shapes,
    spread,
)

from scratchnet import InputError, Tensor, ops

Arrays = Callable[..., Any]

BINARY: dict[str, tuple[Any, Any, Arrays]] = {
    "add": (ops.add, np.add, spread),
    "subtract": (ops.subtract, np.subtract, spread),
    "multiply": (ops.multiply, np.multiply, spread),
    "divide": (ops.divide, np.divide, spread),
    "power": (ops.power, np.power, positive),
    "maximum": (ops.maximum, np.maximum, spread),
    "minimum": (ops.minimum, np.minimum, spread),
}

UNARY: dict[str, tuple[Any, Any, Arrays]] = {
    "negative": (ops.negative, np.negative, spread),
    "exp": (ops.exp, np.exp, spread),
    "log": (ops.log, np.log, positive),
    "expm1": (ops.expm1, np.expm1, spread),
    "log1p": (ops.log1p, np.log1p, positive),
    "sin": (ops.sin, np.sin, spread),
    "cos": (ops.cos, np.cos, spread),
    "sqrt": (ops.sqrt, np.sqrt, positive),
    "absolute": (ops.absolute, np.abs, spread),
    "clip": (
        lambda x: ops.clip(x, -BETWEEN_BANDS, BETWEEN_BANDS),
        lambda x: np.clip(x, -BETWEEN_BANDS, BETWEEN_BANDS),
        spread,
    ),
    "one-sided clip": (
        lambda x: ops.clip(x, BETWEEN_BANDS, np.inf),
        lambda x: np.maximum(x, BETWEEN_BANDS),
        spread,
    ),
    **{
        f"power {exponent}": (
            lambda x, exponent=exponent: x**exponent,
            lambda x, exponent=exponent: x**exponent,
            spread if exponent == round(exponent) else positive,
        )
        for exponent in (-2, -1, 0, 1, 2, 3.0, 0.5, -1.5)
    },
    "number to a power": (lambda x: 1.5**x, lambda x: 1.5**x, spread),
}


@pytest.mark.parametrize(("op", "reference", "draw"), BINARY.values(), ids=BINARY)
@given(pair=broadcasting_pairs(), seed=seeds)
def test_of_two_operands_that_broadcast(
    op: Any, reference: Any, draw: Arrays, pair: Any, seed: int
) -> None:
    """A gradient that is not summed over a broadcast axis has the wrong shape."""
    check_op(op, reference, draw(seed, pair[0]), draw(seed + 1, pair[1], 0.02))


@pytest.mark.parametrize(("op", "reference", "draw"), UNARY.values(), ids=UNARY)
@given(shape=shapes(), seed=seeds)
def test_of_one_operand(op: Any, reference: Any, draw: Arrays, shape: Any, seed: int) -> None:
    check_op(op, reference, draw(seed, shape))


@given(data=st.data(), seed=seeds)
def test_where_broadcasts_its_condition_too(data: st.DataObject, seed: int) -> None:
    drawn = data.draw(
        hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3, min_side=0)
    )
    condition, a, b = drawn.input_shapes
    chosen = np.random.default_rng(seed).random(condition) < 0.5
    check_op(
        lambda a, b: ops.where(chosen, a, b),
        lambda a, b: np.where(chosen, a, b),
        spread(seed, a),
        spread(seed + 1, b),
    )


@pytest.mark.parametrize("op", [ops.multiply, ops.divide, ops.maximum, ops.subtract])
def test_shapes_3_1_and_2_3_4(op: Any) -> None:
    """Summed over the new axis in front and over the stretched one, which are not neighbours."""
    a, b = Tensor(spread(0, (3, 1))), Tensor(spread(1, (2, 3, 4), 0.02))
    y, da, db = computed(op, a, b)
    assert (y.shape, da.shape, db.shape) == ((2, 3, 4), (3, 1), (2, 3, 4))
    y, db, da = computed(op, b, a)
    assert (y.shape, da.shape, db.shape) == ((2, 3, 4), (3, 1), (2, 3, 4))


KINKS: dict[str, tuple[Any, list[float], list[float], list[float]]] = {
    "absolute": (ops.absolute, [-1, 0, 1], [1, 0, 1], [-1, 0, 1]),
    "clip, 1 at both bounds": (
        lambda x: ops.clip(x, -1, 2),
        [-1.5, -1, 0, 2, 2.5],
        [-1, -1, 0, 2, 2],
        [0, 1, 1, 1, 0],
    ),
    "clip to a point": (lambda x: ops.clip(x, 1, 1), [0, 1, 2], [1, 1, 1], [0, 1, 0]),
    "maximum with a number": (lambda x: ops.maximum(x, 0.0), [-1, 0, 1], [0, 0, 1], [0, 0.5, 1]),
    "minimum with a number": (lambda x: ops.minimum(0.0, x), [-1, 0, 1], [-1, 0, 0], [1, 0.5, 0]),
    "power 0 also at 0": (lambda x: x**0, [-1, 0, 1], [1, 1, 1], [0, 0, 0]),
    "square at 0": (lambda x: x**2, [-1, 0, 1], [1, 0, 1], [-2, 0, 2]),
    "identity as a power at 0": (lambda x: x**1, [-1, 0, 1], [-1, 0, 1], [1, 1, 1]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "x", "y", "slope"), KINKS.values(), ids=KINKS)
def test_at_kinks(op: Any, x: list[float], y: list[float], slope: list[float], dtype: str) -> None:
    value, gradient = computed(op, Tensor(x, dtype))
    assert value.tolist() == y and gradient.tolist() == slope


@pytest.mark.parametrize(
    ("op", "of_a", "of_b"),
    [
        (ops.maximum, [[0.5, 2.0, 1.5]], [[0.5], [1.5]]),
        (ops.minimum, [[1.5, 0.0, 0.5]], [[2.5], [1.5]]),
    ],
)
def test_a_tie_splits_the_gradient_in_two_halves(op: Any, of_a: Any, of_b: Any) -> None:
    """[a >= b] for one and [b >= a] for the other would count it twice."""
    _, da, db = computed(op, Tensor([[1.0, 5.0, 2.0]]), Tensor([[1.0], [2.0]]))
    assert (da.tolist(), db.tolist()) == (of_a, of_b)


def test_division_by_zero_and_logarithm_of_zero_follow_ieee_754() -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, gradient = computed(ops.log, Tensor([0.0, -1.0]))
        assert value[0] == -np.inf and np.isnan(value[1]) and gradient[0] == np.inf
        value, da, db = computed(ops.divide, Tensor([1.0, 0.0]), Tensor([0.0, 0.0]))
        assert (
            value[0] == da[0] == np.inf and db[0] == -np.inf and np.isnan([value[1], db[1]]).all()
        )
        assert computed(ops.sqrt, Tensor([0.0]))[1][0] == np.inf


def test_the_branch_that_where_does_not_take_gets_zero_though_the_gradient_is_infinite() -> None:
    a, b = Tensor([4.0, 0.0]), Tensor([1.0, 4.0])
    with np.errstate(divide="ignore"):
        _, da, db = computed(lambda a, b: ops.sqrt(ops.where([True, True], a, b)), a, b)
    assert da.tolist() == [0.25, np.inf] and db.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("number", [0.5, 1, np.float64(0.5), np.float32(0.5), np.int64(1)])
def test_no_bound_or_exponent_promotes_float32(number: Any) -> None:
    x = Tensor([[0.3, 0.7]])
    for op in (
        lambda x: ops.clip(x, number - 1, number),
        lambda x: x**number,
        lambda x: ops.power(number, x),
        lambda x: ops.where([True, False], x, number),
        lambda x: ops.maximum(number, x),
    ):
        assert [array.dtype for array in computed(op, x)] == [np.float32] * 2


@pytest.mark.parametrize("op", [BINARY[name][0] for name in BINARY], ids=BINARY)
def test_shapes_that_do_not_broadcast_are_both_named(op: Any) -> None:
    with pytest.raises(InputError, match=r"^.*\(2, 3\).*\(2, 4\).*$"):
        op(Tensor(positive(0, (2, 3))), Tensor(positive(0, (2, 4))))


def test_where_names_all_three_shapes() -> None:
    with pytest.raises(InputError, match=r"^.*\(5,\).*\(2, 3\).*\(3,\).*$"):
        ops.where(np.ones(5, bool), Tensor(np.ones((2, 3))), Tensor(np.ones(3)))


def test_clip_with_one_bound_or_none() -> None:
    for bounds, y, slope in (
        ((None, 1.0), [-2, 0, 1], [1, 1, 0]),
        ((-1.0, None), [-1, 0, 2], [0, 1, 1]),
    ):
        value, gradient = computed(
            lambda x, bounds=bounds: ops.clip(x, *bounds), Tensor([-2.0, 0.0, 2.0])
        )
        assert value.tolist() == y and gradient.tolist() == slope
    with pytest.raises(InputError, match="at least one bound"):
        ops.clip(Tensor([0.0]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm1_and_log1p_keep_their_precision_near_0(dtype: str) -> None:
    """e^x - 1 and ln(1 + x) by their formulas would be 0 there."""
    for op in (ops.expm1, ops.log1p):
        np.testing.assert_allclose(computed(op, Tensor([1e-20], dtype))[0], 1e-20, rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(1, 0), (np.nan, 1), (0, np.nan)])
def test_clip_refuses_bounds_in_the_wrong_order(low: float, high: float) -> None:
    with pytest.raises(InputError, match=rf"{low}.*{high}"):
        ops.clip(Tensor([0.0]), low, high)


@pytest.mark.parametrize("d", [1, 7])
def test_a_row_for_each_network_gets_the_bits_that_it_gets_alone(d: int) -> None:
    """The gradients of rows (E, 1, d) added to (E, N, d) are sums in the order of one network's."""
    rng = np.random.default_rng(d)
    x, dy = rng.normal(0, 1, (2, 3, 999, d)).astype(np.float32)
    row = np.ones((3, 1, d), np.float32)
    _, _, together = computed(lambda x, row: (x + row) * dy, Tensor(x), Tensor(row))
    for i in range(3):
        _, _, alone = computed(
            lambda x, row, i=i: (x + row) * dy[i], Tensor(x[i]), Tensor(row[i, 0])
        )
        assert alone.tobytes() == together[i].tobytes()

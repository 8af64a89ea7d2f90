"""What kind each call is: of a point by itself, a sum over the points, or neither."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiled import call, plan, written

from scratchnet import SGD, mlp
from scratchnet.backends.compile.arrays import Literal, NotCompiled, View
from scratchnet.backends.compile.classify import Classified, Node, Value, with_plain_biases

E, N, K, D = 3, 20, 2, 5

Shapes = Callable[..., Any]


@pytest.fixture(params=[None, E])
def empty(request: pytest.FixtureRequest) -> Shapes:
    """Arrays of one network, or of an ensemble that lead with E."""
    lead = () if request.param is None else (request.param,)
    return lambda *shape, dtype=np.float32: np.empty((*lead, *shape), dtype)


class Layer:
    """The first call of a step, y = x W."""

    def __init__(self, empty: Shapes) -> None:
        self.x, self.W, self.y = empty(N, K), empty(K, D), empty(N, D)
        self.call = call("matmul", self.x, self.W, out=self.y)

    def nodes(self, *others: Any) -> list[Node]:
        return Classified([self.call, *others], others[-1].out).nodes

    def last(self, *others: Any) -> Node:
        return self.nodes(*others)[-1]


def test_a_layer_is_made_point_by_point(empty: Shapes) -> None:
    layer = Layer(empty)
    y, bias = layer.y, empty(D)
    (product, *others) = layer.nodes(
        call("add", y, bias, out=y, is_new=False), call("maximum", y, 0.0, out=y, is_new=False)
    )
    assert product.kind == "product" and product.inputs[0].array is layer.x  # type: ignore[union-attr]
    assert [node.kind for node in others] == ["elementwise", "elementwise"]
    added, rectified = others
    assert added.inputs[0] is product.value and isinstance(added.inputs[1], View)
    assert rectified.inputs == [added.value, Literal(0.0)]
    assert product.value is not None and product.value.readers == [added]
    assert product.value.width == D and product.values == []


@pytest.mark.parametrize("name", ["sum", "max", "min"])
@pytest.mark.parametrize("axis", [-1, "last", "tuple"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_reduction_of_each_row(empty: Shapes, name: str, axis: Any, keepdims: bool) -> None:
    """And what is done with it beside the row, as a softmax does: (N, d) with (N, 1)."""
    layer = Layer(empty)
    last = layer.y.ndim - 1
    axis = {"last": last, "tuple": (last,)}.get(axis, axis)
    column = empty(N, 1)
    reduced = column if keepdims else column[..., 0]
    reduction, apart = layer.nodes(
        call(name, layer.y, axis, keepdims, out=reduced),
        call("subtract", layer.y, column, out=empty(N, D)),
    )[1:]
    assert reduction.kind == "row_reduction" and reduction.value is not None
    assert reduction.value.width == 1
    if keepdims:
        assert apart.kind == "elementwise" and apart.inputs[1] is reduction.value


@pytest.mark.parametrize("axis", ["first", -2, "tuple"])
def test_a_sum_over_the_points_of_each_column(empty: Shapes, axis: Any) -> None:
    layer = Layer(empty)
    first = layer.y.ndim - 2
    axis = {"first": first, "tuple": (first,)}.get(axis, axis)
    node = layer.last(call("sum", layer.y, axis, False, out=empty(D)))
    assert node.kind == "column_sums" and node.value is None and len(node.values) == 1


def test_a_row_of_ones_sums_the_columns_too(empty: Shapes) -> None:
    layer, ones = Layer(empty), np.ones(N, np.float32)
    ones.flags.writeable = False
    assert layer.last(call("matmul", ones, layer.y, out=empty(D))).kind == "column_sums"
    twos = np.full(N, 2, np.float32)
    twos.flags.writeable = False
    assert layer.last(call("matmul", twos, layer.y, out=empty(D))).kind == "whole"
    assert layer.last(call("matmul", np.ones(N), layer.y, out=empty(D))).kind == "whole"


def test_an_extreme_over_the_points_is_no_sum(empty: Shapes) -> None:
    layer = Layer(empty)
    node = layer.last(call("max", layer.y, -2, False, out=empty(D)))
    assert node.kind == "whole"
    assert layer.nodes(call("max", layer.y, -2, False, out=empty(D)))[0].value.is_stored  # type: ignore[union-attr]


def test_a_weights_gradient_sums_over_the_points(empty: Shapes) -> None:
    layer = Layer(empty)
    slope, targets = empty(N, D), empty(N, 4)
    *_, own, other = layer.nodes(
        call("multiply", layer.y, 2.0, out=slope),
        call("matmul", layer.x.mT, slope, out=empty(K, D)),
        call("matmul", layer.y.mT, targets, out=empty(D, 4)),
    )
    assert own.kind == other.kind == "gradient"
    assert isinstance(own.inputs[0], View) and isinstance(own.inputs[1], Value)
    assert isinstance(other.inputs[0], Value) and isinstance(other.inputs[1], View)


def test_the_product_that_leads_back_through_a_layer(empty: Shapes) -> None:
    layer = Layer(empty)
    node = layer.last(call("matmul", layer.y, layer.W.mT, out=empty(N, K)))
    assert node.kind == "product" and node.value is not None and node.value.width == K


def test_a_product_of_outputs_with_outputs_is_none_of_a_layer(empty: Shapes) -> None:
    """A matrix that has points cannot stand in registers beside each tile."""
    layer = Layer(empty)
    gram = call("matmul", layer.y, layer.y.mT, out=empty(N, N))
    assert layer.last(gram).kind == "whole"


def test_a_total_is_a_number_for_each_network(empty: Shapes) -> None:
    layer = Layer(empty)
    ndim = layer.y.ndim
    axes = (ndim - 2, ndim - 1)
    node = layer.last(call("sum", layer.y, axes, False, out=empty()))
    assert node.kind == "total" and node.values == [layer_value(node)]
    # What was not made point by point is summed at once.
    assert layer.last(call("sum", layer.W, axes, False, out=empty())).kind == "whole"


def layer_value(node: Node) -> Value:
    (value,) = node.values
    assert value.node.number == 1
    return value


def test_a_mini_batch_takes_its_rows(empty: Shapes) -> None:
    whole, index = empty(50, K), np.zeros((N,), int)
    layer = Layer(empty)
    if layer.x.ndim == 3:
        index = np.zeros((E, N), int)
        rows: Any = (np.arange(E).reshape(-1, 1), index)
    else:
        rows = index
    taken = call("take", whole, rows, out=layer.x)
    node, product = Classified([taken, layer.call], layer.y).nodes
    assert node.kind == "take" and node.value is not None and node.value.width == K
    assert product.kind == "product" and product.inputs[0] is node.value


def test_networks_that_take_rows_of_one_another_are_no_mini_batch() -> None:
    layer = Layer(lambda *shape: np.empty((E, *shape), np.float32))
    index, other = np.zeros((E, N), int), np.arange(E)[::-1].reshape(-1, 1)
    taken = call("take", np.empty((E, 50, K), np.float32), (other, index), out=layer.x)
    node, _ = Classified([taken, layer.call], layer.y).nodes
    assert node.kind == "whole"


def test_rows_by_an_index_without_points_are_taken_at_once(empty: Shapes) -> None:
    layer = Layer(empty)
    if layer.y.ndim == 2:
        picked = call("take", layer.y, np.array([0, -1]), out=empty(2, D))
        assert layer.last(picked).kind == "whole"
    half = call("take", layer.y, (..., slice(0, 2)), out=empty(N, 2))
    assert layer.last(half).kind == "whole"


def test_a_mini_batch_takes_rows_of_what_has_no_points() -> None:
    """Rows of outputs by a number of each point, or of a matrix by numbers of none, are others."""
    layer = Layer(lambda *shape: np.empty(shape, np.float32))
    index, out = np.zeros(N, int), np.empty((N, D), np.float32)
    beside = call("add", out, layer.y, out=out, is_new=False)
    nodes = layer.nodes(call("take", layer.y, index, out=out), beside)
    assert nodes[1].kind == "whole"
    few = np.empty((3, D), np.float32)
    assert layer.last(call("take", layer.W, np.array([0, 1, 0]), out=few)).kind == "whole"
    # A label by the number of a point, and rows that do not lie one behind the other.
    labels, wide = np.zeros(50, int), np.empty((50, 2 * D), np.float32)
    one = np.zeros(N, int)
    equal = call("equal", one.reshape(N, 1), layer.y, out=np.empty((N, D), bool))
    assert layer.nodes(call("take", labels, index, out=one), equal)[1].kind == "take"
    for source, kind in ((wide[:, :D], "whole"), (wide[:, :D].copy(), "take")):
        assert layer.nodes(call("take", source, index, out=out), beside)[1].kind == kind
    floats = call("take", wide[:, :D].copy(), index.astype(float), out=out)
    assert layer.nodes(floats, beside)[1].kind == "whole"


def test_what_is_read_at_once_is_stored_where_the_recording_had_it(empty: Shapes) -> None:
    layer, joined = Layer(empty), empty(N, 2 * D)
    product, rectified, node = layer.nodes(
        call("maximum", layer.y, 0.0, out=(other := empty(N, D))),
        call("concatenate", layer.y.ndim - 1, layer.y, other, out=joined),
    )
    assert node.kind == "whole"
    for value in (product.value, rectified.value):
        assert value is not None and value.is_stored and node in value.readers


def test_numbers_of_the_points_are_kept_only_where_somebody_wants_them(empty: Shapes) -> None:
    """The outcome, and what was there before the step: a state that points leave behind."""
    layer, there = Layer(empty), empty(N, D)
    nodes = layer.nodes(
        call("maximum", layer.y, 0.0, out=there, is_new=False),
        call("exp", layer.y, out=empty(N, D)),
        call("log", layer.y, out=empty(N, D)),
    )
    stored = [node.value is not None and node.value.is_stored for node in nodes]
    assert stored == [False, True, False, True]


def test_numbers_of_the_points_that_stand_as_a_row_are_not_tiled(empty: Shapes) -> None:
    """(N,) beside (N, N) is a row of it, as NumPy broadcasts, and not a number for each point."""
    layer, square, sums = Layer(empty), empty(N, N), empty(1, N)
    product, summed, multiplied = layer.nodes(
        call("matmul", layer.y, empty(D, N), out=square),
        call("sum", layer.y, -1, False, out=sums[..., 0, :]),
        call("multiply", square, sums, out=empty(N, N)),
    )[1:]
    assert multiplied.kind == "whole"


def test_a_step_for_one_point_has_nothing_to_cut() -> None:
    x, W, y = (np.empty(shape, np.float32) for shape in ((1, K), (K, D), (1, D)))
    classified = Classified([call("matmul", x, W, out=y), call("exp", y, out=y)], y)
    assert classified.points == 0
    assert [node.kind for node in classified.nodes] == ["whole", "whole"]


def test_a_bias_that_numpy_repeats_is_added_to_each_row(empty: Shapes) -> None:
    """NumPy's backend sees y with longer rows; here it is y + b again, which makes no array."""
    x, W, y = empty(N, K), empty(K, D), empty(N, D)
    b = empty(D) if y.ndim == 2 else empty(1, D)
    longer, wide = empty(4 * D), y.reshape(*y.shape[:-2], N // 4, 4 * D)
    calls = [
        call("matmul", x, W, out=y),
        call("repeated", b, 4, out=longer),
        call("add", wide, longer, out=wide, is_new=False),
    ]
    product, added = with_plain_biases(calls)
    assert product is calls[0] and not added.is_new
    assert added.out.shape == y.shape and np.shares_memory(added.out, y)
    assert added.inputs[0] is added.out and added.inputs[1] is b
    with pytest.raises(NotCompiled, match="repeated bias"):
        with_plain_biases([*calls[:2], call("multiply", wide, longer, out=wide, is_new=False)])


def test_softmax_is_computed_point_by_point() -> None:
    model = mlp([2, 4, 3])
    X = np.random.default_rng(0).normal(size=(30, 2))
    program = written(SGD(model, 0.1), X, np.arange(30) % 3, loss="softmax_cross_entropy")
    (forward, _) = program.phases
    kinds = {node.name: node.kind for node in forward.inside}
    assert kinds["max"] == "row_reduction" and kinds["log"] == "elementwise"
    assert "whole" not in kinds.values()
    assert "> max" in plan(program)

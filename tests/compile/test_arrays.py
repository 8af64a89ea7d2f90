"""Which axes of a step's arrays belong together, and where a network finds its entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import call

from scratchnet.backends.compile.arrays import Axes, Literal, NotCompiled, View, literal

E, N, K, D = 3, 20, 2, 5


def empty(*shape: int) -> Any:
    return np.empty(shape, np.float32)


class Layer:
    """y = x W of an ensemble, from which networks and points have their classes."""

    def __init__(self) -> None:
        self.x, self.W, self.y = empty(E, N, K), empty(E, K, D), empty(E, N, D)
        self.call = call("matmul", self.x, self.W, out=self.y)

    def axes(self, *others: Any) -> Axes:
        return Axes([self.call, *others])


def test_the_first_product_names_networks_and_points() -> None:
    layer = Layer()
    axes = layer.axes()
    assert axes.networks != axes.points
    assert axes.of(layer.y)[:2] == axes.of(layer.x)[:2] == [axes.networks, axes.points]
    assert axes.of(layer.W)[0] == axes.networks
    inner, columns = axes.of(layer.W)[1:]
    assert axes.of(layer.x)[2] == inner and axes.of(layer.y)[2] == columns
    assert len({axes.networks, axes.points, inner, columns}) == 4


def test_a_sum_over_points_may_stand_before_the_first_product() -> None:
    layer = Layer()
    axes = Axes([call("matmul", empty(50), empty(50, 7), out=empty(7)), layer.call])
    assert axes.of(layer.y)[:2] == [axes.networks, axes.points]


def test_a_step_needs_a_product_to_know_its_points() -> None:
    x = empty(N, K)
    with pytest.raises(NotCompiled, match="without a matrix product"):
        Axes([call("add", x, 1.0, out=empty(N, K))])
    with pytest.raises(NotCompiled, match="without a matrix product"):
        Axes([call("matmul", empty(N), x, out=empty(K))])
    with pytest.raises(NotCompiled, match="matmul of 4 axes"):
        Axes([call("matmul", empty(2, E, N, K), empty(2, E, K, D), out=empty(2, E, N, D))])


def test_the_axis_that_a_product_adds_up_is_one_of_both_factors() -> None:
    """So targets (N, D) that are only multiplied by outputs^T have points, too."""
    layer, targets, ones = Layer(), empty(E, N, D), empty(N)
    axes = layer.axes(
        call("matmul", layer.y.mT, targets, out=empty(E, D, D)),
        call("matmul", ones, targets, out=empty(E, D)),
    )
    assert axes.of(targets)[1] == axes.points
    assert axes.of(ones) == [axes.points]
    assert axes.of(targets)[2] != axes.points


def test_a_product_with_a_vector() -> None:
    layer, column, rows = Layer(), empty(D), empty(E, N)
    axes = layer.axes(call("matmul", layer.y, column, out=rows))
    assert axes.of(rows) == [axes.networks, axes.points]
    assert axes.of(column) == axes.of(layer.y)[2:]


@pytest.mark.parametrize("name", ["sum", "max", "min"])
@pytest.mark.parametrize("axis", [-1, 2, (2,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_reduction_keeps_the_classes_of_what_is_left(
    name: str, axis: Any, keepdims: bool
) -> None:
    layer, out = Layer(), empty(E, N, 1) if keepdims else empty(E, N)
    axes = layer.axes(call(name, layer.y, axis, keepdims, out=out))
    assert axes.of(out)[:2] == [axes.networks, axes.points]
    assert axes.of(out)[2:] == ([None] if keepdims else [])


def test_a_reduction_over_the_points_leaves_none() -> None:
    layer, out = Layer(), empty(E, D)
    axes = layer.axes(call("sum", layer.y, 1, False, out=out))
    assert axes.of(out) == [axes.networks, axes.of(layer.y)[2]]


def test_entries_that_are_computed_side_by_side_are_of_one_class() -> None:
    layer, other, row, out = Layer(), empty(N, 1), empty(D), empty(E, N, D)
    axes = layer.axes(call("add", layer.y, other, out=out), call("add", out, row, out=out))
    assert axes.of(other) == [axes.points, None]
    assert axes.of(row) == axes.of(layer.y)[2:]


def test_a_number_that_fills_an_array_walks_along_nothing() -> None:
    layer, ones = Layer(), np.ones((E, N, D), np.float32)
    ones.flags.writeable = False
    axes = layer.axes(call("add", layer.y, ones, out=empty(E, N, D)))
    assert axes.points not in axes.of(ones)


def test_rows_that_are_taken_have_the_points_of_their_index() -> None:
    x, index, labels = empty(E, 50, K), np.zeros((E, N), int), np.zeros((E, 50), int)
    networks = np.arange(E).reshape(-1, 1)
    layer, wanted = Layer(), np.zeros((E, N), int)
    axes = layer.axes(
        call("take", x, (networks, index), out=layer.x),
        call("take", labels, (networks, index), out=wanted),
    )
    assert axes.of(index) == axes.of(wanted) == [axes.networks, axes.points]
    assert axes.of(labels)[0] == axes.of(x)[0] == axes.networks
    assert axes.of(x)[1] not in (axes.points, axes.networks)
    assert axes.of(x)[2] == axes.of(layer.x)[2]


def test_rows_that_all_networks_take_of_one_array() -> None:
    x, index = empty(50, K), np.zeros((E, N), int)
    layer = Layer()
    axes = layer.axes(call("take", x, index, out=layer.x))
    assert axes.of(index) == [axes.networks, axes.points]
    assert axes.of(x) == [axes.of(x)[0], axes.of(layer.x)[2]]
    assert axes.of(x)[0] not in (axes.points, axes.networks)


def test_parts_that_are_joined_along_an_axis_share_the_others() -> None:
    layer, other = Layer(), empty(E, N, 4)
    axes = layer.axes(call("concatenate", 2, layer.y, other, out=empty(E, N, D + 4)))
    assert axes.of(other)[:2] == [axes.networks, axes.points]
    assert axes.of(other)[2] != axes.of(layer.y)[2]


def test_parts_of_an_array_share_its_own_axes_only() -> None:
    """Two blocks of columns have the points of the whole; two matrices in one buffer nothing."""
    layer, whole, buffer = Layer(), empty(E, N, 8), empty(E, 2 * K * D)
    W, V = (buffer[:, start : start + K * D].reshape(E, K, D) for start in (0, K * D))
    axes = layer.axes(
        call("add", whole[:, :, :D], layer.y, out=layer.y),
        call("matmul", layer.x, W, out=layer.y),
    )
    assert axes.of(whole[:, :, D:])[:2] == axes.of(whole)[:2] == [axes.networks, axes.points]
    assert axes.of(V)[0] == axes.networks
    assert axes.of(W)[1:] == [axes.of(layer.x)[2], axes.of(layer.y)[2]]
    assert not {*axes.of(V)[1:]} & {*axes.of(W)[1:]}


# What one network sees of an array.


def view(array: Any, *others: Any) -> View:
    layer = Layer()
    side = call("add", array, layer.y, out=empty(E, N, D))
    return layer.axes(*([side] if array.ndim > 1 else []), *others).view(array)


def test_a_view_is_without_the_axis_of_the_networks() -> None:
    found = view(empty(E, N, D))
    assert found.shape == (N, D) and found.strides == (D, 1) and found.points == 0
    assert found.network_stride == N * D and found.size == N * D and found.is_whole
    shared = view(empty(N, D))
    assert shared.network_stride == 0 and shared.shape == (N, D) and shared.is_whole


def test_a_view_is_without_leading_axes_of_one_entry() -> None:
    found = view(empty(1, N, D))
    assert found.shape == (N, D) and found.points == 0
    row = view(empty(E, 1, D))
    assert row.shape == (D,) and row.points is None and row.network_stride == D


def test_a_part_begins_where_it_lies() -> None:
    whole = empty(E, N, 8)
    found = view(whole[:, :, 3:])
    assert found.offset == 3 and found.strides == (8, 1) and found.network_stride == N * 8
    assert not found.is_contiguous and not found.is_whole
    assert view(empty(D)[1:]).is_contiguous and not view(empty(D)[1:]).is_whole
    assert not view(empty(D)[:-1]).is_whole
    assert not view(empty(D)[::-1]).is_contiguous


def test_what_lies_across_entries_has_no_view() -> None:
    raw = np.zeros(40, np.uint8)
    with pytest.raises(NotCompiled, match="across its entries"):
        view(raw[2:34].view(np.float32))


def test_two_parts_overlap_where_they_span_a_common_entry() -> None:
    buffer = empty(10)
    a, b, c = view(buffer[:4]), view(buffer[4:]), view(buffer[3:5])
    assert not a.overlaps(b) and not b.overlaps(a)
    assert a.overlaps(c) and c.overlaps(a) and b.overlaps(c)
    assert a.overlaps(view(buffer[3::-1])) and not a.overlaps(view(buffer[:3:-1]))
    assert not a.overlaps(view(empty(10)))
    assert view(buffer[3::-1]).extent == (0, 4) and b.extent == (4, 10)
    assert view(buffer[1::-1]).extent == view(buffer[:2]).extent == (0, 2)
    # Of another type or distance of networks, places are counted otherwise.
    assert a.overlaps(view(buffer[4:].view(np.int32)))


def test_a_number_that_nobody_can_write_to_is_a_literal() -> None:
    fixed = np.full(4, 0.5, np.float32)
    assert literal(fixed) is None
    fixed.flags.writeable = False
    assert literal(fixed) == Literal(0.5) and literal(fixed[1:]) == Literal(0.5)
    assert literal(2.0) == Literal(2.0) and literal(None) == Literal(None)
    mixed = np.array([0.5, 1.0])
    mixed.flags.writeable = False
    assert literal(mixed) is None and literal(mixed[:0]) is None

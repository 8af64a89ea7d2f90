"""Moving entries about: the gradient must find the way back to where each entry came from."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import check_op, computed, seeds, shapes, spread

from scratchnet import InputError, Tensor, ops


@given(data=st.data(), shape=shapes(), seed=seeds, transposed=st.booleans())
def test_reshape(data: st.DataObject, shape: Any, seed: int, transposed: bool) -> None:
    """Of a transposed array too, whose memory is not in row-major order."""
    sizes = data.draw(st.permutations([*shape, 1]))
    if data.draw(st.booleans()) and 0 not in sizes:
        sizes[data.draw(st.integers(0, len(shape)))] = -1
    check_op(
        lambda x: ops.reshape(ops.transpose(x, range(x.ndim)[::-1]) if transposed else x, sizes),
        lambda x: (x.T if transposed else x).reshape(sizes),
        spread(seed, shape),
    )


@given(data=st.data(), shape=shapes(), seed=seeds)
def test_transpose(data: st.DataObject, shape: Any, seed: int) -> None:
    """Three axes in a cycle tell an order from its inverse."""
    n = len(shape)
    axes = [axis - n * data.draw(st.booleans()) for axis in data.draw(st.permutations(range(n)))]
    check_op(lambda x: ops.transpose(x, axes), lambda x: np.transpose(x, axes), spread(seed, shape))


@given(shape=shapes(min_dims=2), seed=seeds)
def test_transpose_without_axes_swaps_the_last_two(shape: Any, seed: int) -> None:
    for op in (ops.transpose, lambda x: x.mT):
        check_op(op, lambda x: x.mT, spread(seed, shape))


@given(
    data=st.data(),
    shape=shapes(min_dims=1),
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=3),
    seed=seeds,
)
def test_concatenate(data: st.DataObject, shape: Any, sizes: list[int], seed: int) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for number, size in enumerate(sizes):
        of_part = list(shape)
        of_part[axis] = size
        parts.append(spread(seed + number, of_part))
    check_op(
        lambda *parts: ops.concatenate(parts, axis),
        lambda *parts: np.concatenate(parts, axis),
        *parts,
    )


@given(data=st.data(), shape=shapes(), count=st.integers(1, 3), seed=seeds)
def test_stack(data: st.DataObject, shape: Any, count: int, seed: int) -> None:
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    check_op(
        lambda *parts: ops.stack(parts, axis),
        lambda *parts: np.stack(parts, axis),
        *[spread(seed + number, shape) for number in range(count)],
    )


@given(data=st.data(), shape=shapes(), seed=seeds)
def test_broadcast_to(data: st.DataObject, shape: Any, seed: int) -> None:
    """Axes of size 1 are stretched, to nothing too, and axes are put in front."""
    size = st.integers(0, 3)
    lead = data.draw(st.lists(size, max_size=2))
    target = (*lead, *[data.draw(size) if n == 1 else n for n in shape])
    check_op(
        lambda x: ops.broadcast_to(x, target),
        lambda x: np.broadcast_to(x, target),
        spread(seed, shape),
    )


@given(data=st.data(), shape=shapes(), seed=seeds)
def test_squeeze(data: st.DataObject, shape: Any, seed: int) -> None:
    """All axes of size 1, or some of them, counted from either end."""
    ones = [i for i, n in enumerate(shape) if n == 1]
    named = [i - len(shape) * data.draw(st.booleans()) for i in ones if data.draw(st.booleans())]
    for axis in (None, tuple(named), *named):
        check_op(
            lambda x, a=axis: x.squeeze(a), lambda x, a=axis: x.squeeze(a), spread(seed, shape)
        )


@given(shape=shapes(), seed=seeds)
def test_flatten_and_all_axes_reversed(shape: Any, seed: int) -> None:
    check_op(lambda x: x.flatten(), lambda x: x.flatten(), spread(seed, shape))
    check_op(lambda x: x.T, lambda x: x.T, spread(seed, shape))
    check_op(lambda x: x.T.flatten(), lambda x: x.T.flatten(), spread(seed, shape))


@given(data=st.data(), shape=shapes(min_dims=1), seed=seeds)
def test_split(data: st.DataObject, shape: Any, seed: int) -> None:
    """Into parts of one size or at places, some of which may coincide; all parts are used."""
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = shape[axis]
    places = st.lists(st.integers(0, n), max_size=3).map(sorted)
    parts = data.draw(places | st.sampled_from([k for k in (1, 2, 3, 4) if n % k == 0]))
    x = spread(seed, shape)
    found, expected = ops.split(Tensor(x), parts, axis), np.split(x, parts, axis)
    assert [each.shape for each in found] == [each.shape for each in expected]

    def weighted(split: Any, join: Any) -> Any:
        return lambda x: join([i * each for i, each in enumerate(split(x, parts, axis), 1)], axis)

    check_op(weighted(ops.split, ops.concatenate), weighted(np.split, np.concatenate), x)


@given(data=st.data(), shape=shapes(), seed=seeds)
def test_take_of_slices_numbers_and_new_axes(data: st.DataObject, shape: Any, seed: int) -> None:
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=4))
    check_op(lambda x: x[index], lambda x: x[index], spread(seed, shape))


@given(data=st.data(), shape=shapes(min_dims=1, min_side=1), seed=seeds)
def test_take_of_index_arrays_with_repeated_and_negative_entries(
    data: st.DataObject, shape: Any, seed: int
) -> None:
    index = data.draw(hnp.integer_array_indices(shape, result_shape=shapes(max_dims=2)))
    assume(np.prod(np.broadcast_shapes(*[each.shape for each in index])) <= 16)
    check_op(lambda x: x[index], lambda x: x[index], spread(seed, shape))


@given(data=st.data(), shape=shapes(min_dims=1), seed=seeds)
def test_take_of_a_mask(data: st.DataObject, shape: Any, seed: int) -> None:
    mask = data.draw(hnp.arrays(bool, shape[: data.draw(st.integers(1, len(shape)))]))
    check_op(lambda x: x[mask], lambda x: x[mask], spread(seed, shape))


def test_an_entry_taken_n_times_gets_n_gradients() -> None:
    """dx[index] += dy would keep only the last one."""
    _, gradient = computed(lambda x: x[[1, 1, 1, -2, 0]] * np.arange(1.0, 6.0), Tensor(np.ones(3)))
    assert gradient.tolist() == [5.0, 10.0, 0.0]
    _, gradient = computed(lambda x: x[[0, 0], :, [2, 2]], Tensor(np.ones((2, 3, 4))))
    assert gradient.sum() == 6 and gradient[0, :, 2].tolist() == [2, 2, 2]


def test_a_view_of_the_input_is_never_taken() -> None:
    """A slice that shares memory would change with the buffer that it was taken from."""
    x = Tensor(np.ones((2, 3)))
    assert not np.shares_memory(x[0].data, x.data)


TWO_BY_THREE = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda x: x.reshape(4), r"\(2, 3\) to \(4,\)"),
        (lambda x: x.reshape(-1, -1), r"\(2, 3\) to \(-1, -1\)"),
        (lambda x: x.reshape(-1, 4), r"\(2, 3\) to \(-1, 4\)"),
        (lambda x: x.reshape(2.0, 3.0), r"\(2, 3\) to \(2.0, 3.0\).*whole numbers"),
        (lambda x: ops.reshape(x, 6), r"\(2, 3\) to 6"),
        (lambda x: ops.transpose(x, (0, 0)), r"\(2, 3\) with axes \(0, 0\)"),
        (lambda x: ops.transpose(x, (2, 1)), r"\(2, 3\) with axes \(2, 1\)"),
        (lambda x: ops.transpose(x, (0,)), r"\(2, 3\) with axes \(0,\)"),
        (lambda x: x[0].mT, r"shape \(3,\).*two axes"),
        (lambda x: ops.concatenate([x, x[0]]), r"axis 0.*\(2, 3\), \(3,\)"),
        (lambda x: ops.concatenate([x, x], 2), r"axis 2.*\(2, 3\), \(2, 3\)"),
        (lambda x: ops.concatenate([x[0, 0], x[0, 0]]), r"\(\), \(\)"),
        (lambda x: ops.concatenate([x, x[:, :2]], 0), r"\(2, 3\), \(2, 2\)"),
        (lambda x: ops.stack([x, x.mT]), r"\(2, 3\), \(3, 2\)"),
        (lambda x: ops.stack([x, x], 3), r"axis 3 of shape \(2, 3\)"),
        (lambda x: ops.stack([x, x], -4), r"axis -4 of shape \(2, 3\)"),
        (lambda x: ops.broadcast_to(x, (3,)), r"\(2, 3\) to \(3,\): must be \(2, 3\) with"),
        (lambda x: ops.broadcast_to(x, (4, 3)), r"\(2, 3\) to \(4, 3\)"),
        (lambda x: ops.broadcast_to(x, (-1, 3)), r"\(2, 3\) to \(-1, 3\)"),
        (lambda x: ops.broadcast_to(x, 6), r"\(2, 3\) to 6"),
        (lambda x: ops.broadcast_to(x, (2.0, 3.0)), r"\(2, 3\) to \(2.0, 3.0\)"),
        (lambda x: ops.split(x, 2, 1), r"into 2 parts: must divide 3.*\(2, 3\)"),
        (lambda x: ops.split(x, 0), r"into 0 parts: must divide 2"),
        (lambda x: ops.split(x, -1), r"into -1 parts"),
        (lambda x: ops.split(x, [2, 1], 1), r"at \[2, 1\]: must be whole numbers which ascend"),
        (lambda x: ops.split(x, [4], 1), r"at \[4\]: .* from 0 to 3"),
        (lambda x: ops.split(x, [-1], 1), r"at \[-1\]"),
        (lambda x: ops.split(x, [0.5], 1), r"at \[0.5\]"),
        (lambda x: ops.split(x, 1.0, 1), r"into 1.0|at 1.0"),
        (lambda x: ops.split(x, "ab", 1), r"at ab"),
        (lambda x: ops.split(x, 1, 2), r"axis 2 of shape \(2, 3\)"),
        (lambda x: ops.split(x, 1, -3), r"axis -3 of shape \(2, 3\)"),
        (lambda x: ops.split(x, 1, 0.0), r"split over axis 0.0"),
        (lambda x: ops.split(x[0, 0], 1), r"axis 0 of shape \(\)"),
        (lambda x: ops.split(x, 1, (0, 1)), r"axis \(0, 1\) of shape \(2, 3\)"),
        (lambda x: x.squeeze(0), r"axis 0 of shape \(2, 3\): must have size 1"),
        (lambda x: x[None].squeeze((0, 1)), r"axis \(0, 1\) of shape \(1, 2, 3\): must have"),
        (lambda x: x.squeeze(2), r"squeeze over axis 2 of shape \(2, 3\)"),
        (lambda x: ops.concatenate([]), "no tensors"),
        (lambda x: ops.stack([]), "no tensors"),
        (lambda x: x[2], r"\(2, 3\).*2 is out of bounds"),
        (lambda x: x[0, 0, 0], r"\(2, 3\).*too many indices"),
        (lambda x: x[[0, 5]], r"\(2, 3\).*5 is out of bounds"),
        (lambda x: x[1.5], r"\(2, 3\).*integers"),
        (lambda x: x[np.ones(3, bool)], r"\(2, 3\).*boolean index"),
    ],
)
def test_bad_shapes_axes_and_indices_get_one_line_that_names_them(
    attempt: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        attempt(TWO_BY_THREE)
    assert "\n" not in str(caught.value)


def test_reshape_takes_numbers_or_one_tuple_or_list() -> None:
    x = Tensor(np.arange(6.0))
    for shape in (x.reshape(3, 2).shape, x.reshape((3, 2)).shape, x.reshape([3, 2]).shape):
        assert shape == (3, 2)
    assert x[:1].reshape().shape == ()


@pytest.mark.parametrize("join", [ops.concatenate, ops.stack])
def test_joining_a_plain_array_is_refused_by_name(join: Any) -> None:
    with pytest.raises(TypeError, match="got ndarray"):
        join([Tensor([1.0]), np.ones(1, np.float32)])

"""Every primitive of a backend, against its NumPy namesake."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import either_dtype, same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import broadcasting_pairs, positive, seeds, shapes, spread

from scratchnet.backends import Backend, get_backend

# Primitives. Of each: its NumPy namesake, and how its operands are drawn.

OF_TWO = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]
OF_ONE = ["negative", "absolute", "sign", "square", "sqrt", "exp", "log", "log1p", "tanh"]
COMPARISONS = ["greater", "greater_equal", "less_equal", "equal"]
REDUCTIONS = ["sum", "max", "min"]


@either_dtype
@pytest.mark.parametrize("name", OF_TWO + COMPARISONS)
@given(pair=broadcasting_pairs(), seed=seeds)
@settings(max_examples=15)
def test_of_two_operands(backend: Backend, name: str, dtype: str, pair: Any, seed: int) -> None:
    a, b = (positive(seed + i, shape).astype(dtype) for i, shape in enumerate(pair))
    actual = getattr(backend, name)(backend.asarray(a), backend.asarray(b))
    if name in COMPARISONS:
        assert np.array_equal(backend.to_numpy(actual), getattr(np, name)(a, b))
    else:
        same(backend, actual, getattr(np, name)(a, b), dtype)


@either_dtype
@pytest.mark.parametrize("name", OF_ONE)
@given(shape=shapes(), seed=seeds)
@settings(max_examples=15)
def test_of_one_operand(backend: Backend, name: str, dtype: str, shape: Any, seed: int) -> None:
    x = positive(seed, shape).astype(dtype)
    same(backend, getattr(backend, name)(backend.asarray(x)), getattr(np, name)(x), dtype)


@either_dtype
@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data(), shape=shapes(min_side=1), keepdims=st.booleans(), seed=seeds)
@settings(max_examples=15)
def test_reductions(
    backend: Backend, name: str, dtype: str, data: Any, shape: Any, keepdims: bool, seed: int
) -> None:
    axis = data.draw(st.none() | hnp.valid_tuple_axes(len(shape)))
    x = spread(seed, shape).astype(dtype)
    actual = getattr(backend, name)(backend.asarray(x), axis=axis, keepdims=keepdims)
    same(backend, actual, getattr(np, name)(x, axis=axis, keepdims=keepdims), dtype)


@either_dtype
@pytest.mark.parametrize("from_the_end", [False, True])
@given(data=st.data(), shape=shapes(min_dims=1), seed=seeds)
@settings(max_examples=15)
def test_running_sums(
    backend: Backend, dtype: str, from_the_end: bool, data: Any, shape: Any, seed: int
) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    x = spread(seed, shape).astype(dtype)
    actual = backend.cumsum(backend.asarray(x), axis, from_the_end)
    expected = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if from_the_end else x.cumsum(axis)
    same(backend, actual, expected, dtype)


@either_dtype
@given(
    pair=broadcasting_pairs("(n,k),(k,m)->(n,m)"),
    transposed=st.tuples(*[st.booleans()] * 2),
    seed=seeds,
)
def test_matmul_of_transposed_views_too(
    backend: Backend, dtype: str, pair: Any, transposed: Any, seed: int
) -> None:
    a, b = (spread(seed + i, shape).astype(dtype) for i, shape in enumerate(pair))
    views = [
        backend.asarray(np.ascontiguousarray(x.mT)).mT if turned else backend.asarray(x)
        for x, turned in zip((a, b), transposed, strict=True)
    ]
    same(backend, backend.matmul(*views), a @ b, dtype)


@either_dtype
def test_a_column_times_a_row_into_any_memory(backend: Backend, dtype: str) -> None:
    column, row = spread(0, (3, 1)).astype(dtype), spread(1, (1, 4)).astype(dtype)
    out = backend.zeros((3, 8), dtype)[:, ::2]
    backend.matmul(backend.asarray(column), backend.asarray(row), out=out)
    same(backend, out, column @ row, dtype)


@pytest.mark.parametrize("batch_a", [(), (2,)])
@pytest.mark.parametrize("batch_b", [(), (2,), (4, 2)])
@pytest.mark.parametrize("d", [3, 20])
def test_numpy_multiplies_a_column_by_a_row_to_the_bits_of_matmul(
    batch_a: tuple[int, ...], batch_b: tuple[int, ...], d: int
) -> None:
    """Which sums from 0, so that it never gives -0."""
    rng = np.random.default_rng(0)
    a = rng.choice([-0.0, 0.0, 1.5, -2.0], (*batch_a, 5, 1))
    b = rng.choice([-0.0, 0.0, 1.5, -2.0], (*batch_b, 1, d))
    assert get_backend("numpy").matmul(a, b).tobytes() == np.matmul(a, b).tobytes()
    with pytest.raises(ValueError):
        get_backend("numpy").matmul(a, np.repeat(b, 5, axis=-2))


@either_dtype
def test_selecting_and_joining(backend: Backend, dtype: str) -> None:
    x, y = (spread(seed, (3, 4)).astype(dtype) for seed in range(2))
    chosen = x > 0
    rows = np.array([2, 0, 2])
    a, b = backend.asarray(x), backend.asarray(y)
    same(backend, backend.where(backend.asarray(chosen), a, b), np.where(chosen, x, y), dtype)
    same(backend, backend.concatenate([a, b, a], 1), np.concatenate([x, y, x], 1), dtype)
    taken = backend.take(a, backend.asarray(rows))
    same(backend, taken, x[rows], dtype)
    expected = np.zeros_like(x)
    expected[0], expected[2] = x[0], 2 * x[2]
    same(backend, backend.scatter_add(taken, backend.asarray(rows), (3, 4)), expected, dtype)


@either_dtype
@pytest.mark.parametrize("number", [2, 0.5, True])
def test_python_numbers_follow_the_array(backend: Backend, dtype: str, number: Any) -> None:
    for shape in ((), (2,)):
        x = backend.asarray(positive(0, shape), dtype)
        for name in OF_TWO:
            for y in (getattr(backend, name)(x, number), getattr(backend, name)(number, x)):
                assert type(y) is backend.xp.ndarray and y.dtype == dtype and y.shape == shape
        mask = backend.greater(x, 0.5)
        assert backend.multiply(mask, x).dtype == backend.where(mask, x, number).dtype == dtype


@either_dtype
def test_an_elementwise_kernel_may_write_onto_its_input(backend: Backend, dtype: str) -> None:
    x, y = (positive(seed, (3, 4)).astype(dtype) for seed in range(2))
    for name in OF_ONE:
        a = backend.asarray(x.copy())
        assert getattr(backend, name)(a, out=a) is a
        same(backend, a, getattr(np, name)(x), dtype)
    for name in OF_TWO:
        for target in (0, 1):
            pair = [backend.asarray(x.copy()), backend.asarray(y.copy())]
            assert getattr(backend, name)(*pair, out=pair[target]) is pair[target]
            same(backend, pair[target], getattr(np, name)(x, y), dtype)
        both = backend.asarray(x.copy())
        same(backend, getattr(backend, name)(both, both, out=both), getattr(np, name)(x, x), dtype)


@either_dtype
def test_every_primitive_writes_into_the_out_it_is_given(backend: Backend, dtype: str) -> None:
    x = backend.asarray(positive(0, (3, 4)), dtype)
    rows = backend.asarray(np.array([0, 2]))
    calls: list[Callable[..., Any]] = [
        lambda out: backend.matmul(x, x.mT, out=out),
        lambda out: backend.sum_rows(x, out=out),
        lambda out: backend.where(backend.greater(x, 1.0), x, 0.0, out=out),
        lambda out: backend.concatenate([x, x], 0, out=out),
        lambda out: backend.take(x, rows, out=out),
        lambda out: backend.scatter_add(x[:2], rows, (3, 4), out=out),
        lambda out: backend.copy(x, out=out),
        lambda out: backend.cumsum(x, 1, out=out),
        lambda out: backend.cumsum(x.mT, 0, True, out=out),
        *[
            lambda out, name=name, axis=axis: getattr(backend, name)(x, axis=axis, out=out)
            for name in REDUCTIONS
            for axis in (None, 0, (1,))
        ],
    ]
    for call in calls:
        expected = call(...)
        out = backend.asarray(np.full(expected.shape, np.nan), dtype)
        assert call(out) is out
        same(backend, out, backend.to_numpy(expected), dtype)


def test_reshape_is_a_view_or_one_call_that_copies_in_row_major_order(backend: Backend) -> None:
    x = backend.asarray(np.arange(6.0).reshape(2, 3))
    with backend.recording() as calls:
        view = backend.reshape(x, (3, 2))
        assert not calls and backend.shares_memory(view, x)
        copy = backend.reshape(x.T, (6,))
    assert len(calls) == 1 and backend.shares_memory(copy, calls[0][2])
    assert backend.to_numpy(copy).tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    "index",
    [
        [2, 0, 2],
        [],
        np.array([True, False, True]),
        np.arange(12).reshape(3, 4) % 5 == 0,
        (slice(None), [1, 3]),
        (np.array([[0], [2]]), np.array([[1, 2], [0, 3]])),
        (..., None, 2),
        (np.array([True, False, True]), slice(1, 3)),
    ],
)
def test_everything_that_numpy_indexes_with(backend: Backend, index: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    taken = backend.take(backend.asarray(x), index)
    same(backend, taken, x[index], "float64")
    expected = np.zeros_like(x)
    np.add.at(expected, index, x[index])
    back = backend.scatter_add(taken, index, (3, 4))
    same(backend, back, expected, "float64")

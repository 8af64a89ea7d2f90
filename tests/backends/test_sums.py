"""Sums over rows, normalisation, losses and selections, each one kernel on CUDA.

The interface's body of each step is the formula in terms of primitives, so it is the reference.
"""

from typing import Any

import numpy as np
import pytest
from agreement import either_dtype, same
from strategies import spread

from scratchnet.backends import Backend

SHAPES = [(5, 3), (1, 1), (700, 40), (9000, 2), (3, 64, 33), (2, 5, 1)]


def bare(backend: Backend, name: str, *arguments: Any) -> Any:
    return getattr(Backend, name)(backend, *arguments)


@either_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sums_of_rows_of_every_length(backend: Backend, dtype: str, shape: Any) -> None:
    """In one block, in many, and of so many rows that it is a product; strided outputs too."""
    x = spread(0, shape).astype(dtype)
    array = backend.asarray(x)
    sums = x.astype(np.float64).sum(-2)
    bound = shape[-2] * np.finfo(dtype).eps * np.abs(x).astype(np.float64).sum(-2)
    assert (np.abs(backend.to_numpy(backend.sum_rows(array)) - sums) <= bound).all()
    wide = backend.zeros((*sums.shape[:-1], sums.shape[-1] + 3), dtype)
    part = wide[..., 2:-1]
    backend.sum_rows(array, out=part)
    assert (np.abs(backend.to_numpy(part) - sums) <= bound).all()
    assert not backend.to_numpy(wide)[..., [0, 1, -1]].any()


@either_dtype
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_the_mean_of_a_loss_and_its_share(backend: Backend, dtype: str, shape: Any) -> None:
    x = backend.asarray(spread(0, (*shape, 70)), dtype)
    slopes = backend.asarray(spread(1, (*shape, 35, 2)), dtype)
    dy = backend.asarray(spread(2, shape), dtype)
    for part in (1 / 70, backend.asarray(spread(3, shape), dtype)):
        for name, arguments in (("scaled_sum", (x, part)), ("times_share", (slopes, dy, part))):
            found = getattr(backend, name)(*arguments)
            same(backend, found, backend.to_numpy(bare(backend, name, *arguments)), dtype)


def test_the_mean_of_more_numbers_than_one_block_adds(backend: Backend) -> None:
    x = backend.ones((2, 2**16 + 1), "float32")
    assert backend.to_numpy(backend.scaled_sum(x, 0.5)).tolist() == [(2**16 + 1) / 2] * 2


@either_dtype
@pytest.mark.parametrize("row", [False, True])
@pytest.mark.parametrize("shape", [(6, 3), (2, 5, 3), (2, 5, 1)], ids=str)
def test_a_slope_counts_only_where_dy_is_not_0(
    backend: Backend, dtype: str, shape: Any, row: bool
) -> None:
    dy, slope = spread(0, shape), spread(1, (*shape[:-2], 1, shape[-1]) if row else shape)
    dy[..., :: 1 if row else 2, 0] = 0
    slope[..., 0, 0] = np.inf
    expected = np.where(dy == 0, 0, np.where(dy == 0, 1, slope) * dy)
    found = backend.times_slope(backend.asarray(dy, dtype), backend.asarray(slope, dtype))
    same(backend, found, expected, dtype)


@either_dtype
@pytest.mark.parametrize("shape", [(7, 3), (2, 64, 33), (3, 700, 1)], ids=str)
def test_batch_normalisation(backend: Backend, dtype: str, shape: Any) -> None:
    x, dy = (backend.asarray(spread(i, shape), dtype) for i in (0, 1))
    for of_each in {False, len(shape) == 3}:
        numbers = np.linspace(0.1, 0.2, shape[0]).reshape(-1, 1, 1) if of_each else 0.1
        epsilon = backend.asarray(numbers, dtype)
        found, expected = (
            step(x, epsilon)
            for step in (backend.standardize, lambda *given: bare(backend, "standardize", *given))
        )
        for one, other in zip(found, expected, strict=True):
            same(backend, one, backend.to_numpy(other), dtype)
        y, _, _, scale = expected
        dx = bare(backend, "standardize_backward", dy, y, scale)
        same(backend, backend.standardize_backward(dy, y, scale), backend.to_numpy(dx), dtype)


@either_dtype
@pytest.mark.parametrize("networks", [None, 3])
def test_running_averages(backend: Backend, dtype: str, networks: int | None) -> None:
    own = (4,) if networks is None else (networks, 1, 4)
    batch = tuple(backend.asarray(spread(i, (networks or 1, 1, 4)), dtype) for i in (0, 1))
    batch = batch if networks else tuple(each.reshape(1, 4) for each in batch)
    share = np.full(() if networks is None else (networks, 1, 1), 0.25)
    momentum, rest = (backend.asarray(each, dtype) for each in (share, 1 - share))
    results = []
    for step in (backend.update_averages, lambda *given: bare(backend, "update_averages", *given)):
        running = tuple(backend.asarray(spread(i, own), dtype) for i in (2, 3))
        step(running, batch, 1.25, momentum, rest)
        results.append(running)
    for one, other in zip(*results, strict=True):
        same(backend, one, backend.to_numpy(other), dtype)


@either_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("labels", [(6,), (2, 6)], ids=str)
def test_softmax_cross_entropy(backend: Backend, dtype: str, smoothing: float, labels: Any) -> None:
    z = backend.asarray(3 * spread(0, (2, 6, 5)), dtype)
    numbers = backend.asarray(np.arange(np.prod(labels)).reshape(labels) % 5)
    found = backend.softmax_cross_entropy(z, numbers, smoothing)
    expected = bare(backend, "softmax_cross_entropy", z, numbers, smoothing)
    for one, other in zip(found, expected, strict=True):
        same(backend, one, backend.to_numpy(other), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16"])
def test_rows_that_are_chosen(backend: Backend, dtype: str) -> None:
    index = np.array([[3, 0, -1], [1, 1, 2]])
    for shape in ((2, 4), (2, 4, 3)):
        x = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        of_each = backend.take_of_each(backend.asarray(x), backend.asarray(index))
        assert np.array_equal(backend.to_numpy(of_each), x[[[0], [1]], index])
        shared = backend.take(backend.asarray(x[0]), backend.asarray(index))
        assert np.array_equal(backend.to_numpy(shared), x[0][index])


@pytest.mark.parametrize("inner", [1, 7, 128, 129])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_at_the_border_of_small_ones(
    backend: Backend, inner: int, transposed: bool
) -> None:
    for lead_a, lead_b in (((), ()), ((3,), (3,)), ((), (3,))):
        a = spread(0, (*lead_a, inner, 9) if transposed else (*lead_a, 9, inner)).astype("f4")
        b = spread(1, (*lead_b, inner, 5)).astype("f4")
        left = backend.asarray(a).mT if transposed else backend.asarray(a)
        product = backend.to_numpy(backend.matmul(left, backend.asarray(b)))
        a = a.mT if transposed else a
        error = np.abs(product - a.astype("f8") @ b)
        assert (error <= (inner + 1) * 2.0**-24 * (np.abs(a).astype("f8") @ np.abs(b))).all()

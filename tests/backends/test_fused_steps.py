"""Fused steps: the formula, written once more with NumPy in float64; and the default body."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from agreement import either_dtype, same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import positive, seeds, shapes, spread

from scratchnet import Adam, mlp
from scratchnet.backends import Backend

FUSED: dict[str, tuple[int, tuple[int, ...], Callable[..., Any]]] = {
    "relu": (1, (), lambda x: x * (x > 0)),
    "relu_backward": (2, (), lambda dy, y: dy * (y > 0)),
    "sigmoid": (1, (), lambda x: 1 / (1 + np.exp(-x))),
    "softplus": (1, (), lambda x: np.log(1 + np.exp(x))),
    "sum_rows": (1, (), lambda x: np.einsum("...nd->...d", x)),
    "softmax": (1, (-1,), lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)),
    "log_softmax": (1, (0,), lambda x: x - np.log(np.exp(x).sum(axis=0, keepdims=True))),
}
"""How many arrays each takes, its other arguments, and its formula."""


@either_dtype
@pytest.mark.parametrize("name", FUSED)
@given(shape=shapes(min_dims=2, min_side=1), seed=seeds)
@settings(max_examples=15)
def test_fused_steps(backend: Backend, name: str, dtype: str, shape: Any, seed: int) -> None:
    count, others, formula = FUSED[name]
    hosts = [spread(seed + i, shape).astype(dtype) for i in range(count)]
    arrays = [backend.asarray(host) for host in hosts]
    fused = getattr(backend, name)(*arrays, *others)
    same(backend, fused, formula(*[host.astype(np.float64) for host in hosts]), dtype)
    same(backend, getattr(Backend, name)(backend, *arrays, *others), backend.to_numpy(fused), dtype)


def test_relu_of_arrays_above_the_size_of_the_cached_zeros(backend: Backend) -> None:
    x = np.tile(spread(0, 16), 2**16 + 1)
    assert np.array_equal(backend.to_numpy(backend.relu(backend.asarray(x))), np.maximum(x, 0))


def test_results_of_fused_steps_are_not_the_cached_constants(backend: Backend) -> None:
    """A result that shares memory with them would spoil the next call when written in place."""
    x = backend.asarray(-np.ones((2, 3)))
    for step in (backend.relu, backend.sum_rows):
        first = step(x)
        expected = backend.to_numpy(first).copy()
        first[...] = 99.0
        assert np.array_equal(backend.to_numpy(step(x)), expected)


@either_dtype
@given(seed=seeds, targets=hnp.arrays(np.float64, (4, 1), elements=st.floats(0, 1)))
def test_binary_cross_entropy(backend: Backend, dtype: str, seed: int, targets: Any) -> None:
    z, targets = 3 * spread(seed, (4, 1)).astype(dtype), targets.astype(dtype)
    wide, p = z.astype(np.float64), 1 / (1 + np.exp(-z.astype(np.float64)))
    arrays = backend.asarray(z), backend.asarray(targets)
    losses, slopes = backend.binary_cross_entropy(*arrays)
    same(backend, losses, np.log1p(np.exp(wide)) - targets * wide, dtype)
    same(backend, slopes, p - targets, dtype)
    assert np.array_equal(backend.to_numpy(arrays[0]), z)


@either_dtype
@pytest.mark.parametrize("shared", [False, True])
def test_targets_of_an_ensemble_are_shared_or_its_networks_own(
    backend: Backend, dtype: str, shared: bool
) -> None:
    z = spread(0, (3, 4, 1)).astype(dtype)
    targets = (np.arange(4 if shared else 12) % 3 == 0).reshape((4, 1) if shared else z.shape)
    arrays = backend.asarray(z), backend.asarray(targets, dtype)
    fused = backend.binary_cross_entropy(*arrays)
    default = Backend.binary_cross_entropy(backend, *arrays)
    for i, (one, other) in enumerate(zip(fused, default, strict=True)):
        same(backend, one, backend.to_numpy(other), dtype)
        alone = backend.binary_cross_entropy(arrays[0][2], arrays[1] if shared else arrays[1][2])
        same(backend, one[2], backend.to_numpy(alone[i]), dtype)


@either_dtype
def test_a_mask_of_relu_that_broadcasts(backend: Backend, dtype: str) -> None:
    """As in the hinge loss, whose signs are shared by the networks of an ensemble."""
    dy, y = spread(0, (4, 1)).astype(dtype), spread(1, (3, 4, 1)).astype(dtype)
    same(backend, backend.relu_backward(*map(backend.asarray, (dy, y))), dy * (y > 0), dtype)


@either_dtype
@given(networks=st.none() | st.integers(1, 3), rows=st.integers(0, 40), width=st.integers(1, 70))
@settings(max_examples=25)
def test_a_bias_is_added_to_each_row_in_place(
    backend: Backend, dtype: str, networks: int | None, rows: int, width: int
) -> None:
    """Also where it is a view of a buffer that holds other parameters too."""
    lead = () if networks is None else (networks,)
    y = spread(0, (*lead, rows, width)).astype(dtype)
    packed = spread(1, (*lead, width + 3)).astype(dtype)
    b = packed[..., 2:-1].reshape((*lead, 1, width) if lead else (width,))
    device = backend.asarray(packed)[..., 2:-1].reshape(b.shape)
    actual = backend.asarray(y.copy())
    assert backend.add_bias(actual, device) is actual
    same(backend, actual, y + b, dtype)


def test_a_bias_is_added_onto_memory_with_gaps(backend: Backend) -> None:
    """A copy with other rows would get it instead."""
    first_columns = backend.zeros((1024, 40), "float32")[:, :32]
    backend.add_bias(first_columns, backend.ones((32,), "float32"))
    assert np.all(backend.to_numpy(first_columns) == 1)


def test_binary_cross_entropy_of_huge_logits_is_finite(backend: Backend) -> None:
    z = backend.asarray(np.array([1e4, -1e4, 1e4, -1e4]), "float32")
    with np.errstate(over="raise", invalid="raise"):
        losses, slopes = backend.binary_cross_entropy(z, backend.asarray([1, 0, 0, 1], "float32"))
    assert backend.to_numpy(losses).tolist() == [0, 0, 1e4, 1e4]
    assert backend.to_numpy(slopes).tolist() == [0, 0, 1, -1]


def state(backend: Backend, seed: int, dtype: str, count: int) -> tuple[list[Any], list[Any]]:
    """`count` arrays on the host in float64, and on the device in dtype; the last is positive."""
    hosts = [spread(seed + i, (2, 5)).astype(dtype) for i in range(count - 1)]
    hosts.append(positive(seed + count, (2, 5)).astype(dtype))
    return [host.astype(np.float64) for host in hosts], [backend.asarray(host) for host in hosts]


def number(backend: Backend, value: Any, dtype: str) -> Any:
    """A number, or one for each network, as the array (), or (E, 1), that a step reads; or None."""
    if value is None:
        return None
    values = np.asarray(value, dtype)
    return backend.asarray(values.reshape(-1, 1) if values.ndim else values)


@either_dtype
@given(
    seed=seeds,
    rate=st.floats(0, 1),
    momentum=st.sampled_from([None, 0.5, [0.9, 0.0]]),
    nesterov=st.booleans(),
    decay=st.sampled_from([None, 0.1, [0.0, 0.2]]),
)
def test_sgd_step(
    backend: Backend,
    dtype: str,
    seed: int,
    rate: float,
    momentum: Any,
    nesterov: bool,
    decay: Any,
) -> None:
    (p, g, v), (parameters, gradients, velocity) = state(backend, seed, dtype, 3)
    again = [backend.copy(each) for each in (parameters, gradients, velocity)]
    scratch = backend.asarray(np.full((2, 5), np.nan), dtype)
    rate = float(np.float32(rate))
    numbers = [number(backend, each, dtype) for each in (rate, momentum, decay)]
    for step, (to_move, along, moving) in (
        (backend.sgd_step, (parameters, gradients, velocity)),
        (partial(Backend.sgd_step, backend), again),
    ):
        step(
            to_move,
            along,
            moving,
            scratch,
            *numbers[:2],
            nesterov,
            numbers[2],
        )
    for fused, default in zip((parameters, velocity), (again[0], again[2]), strict=True):
        same(backend, fused, backend.to_numpy(default), dtype)
    momenta, decays = (np.reshape(0.0 if n is None else n, (-1, 1)) for n in (momentum, decay))
    direction = g + decays * p
    new_velocity = np.where(momenta > 0, momenta * v + direction, 0 * v)
    if momentum is not None:
        same(backend, velocity, new_velocity, dtype)
        ahead = direction + momenta * new_velocity if nesterov else new_velocity
        direction = np.where(momenta > 0, ahead, direction)
    same(backend, parameters, p - rate * direction, dtype)
    same(backend, gradients, g, dtype)


@either_dtype
@given(
    seed=seeds,
    t=st.integers(1, 1000),
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.9), (0.0, 0.0), ([0.9, 0.5], [0.99, 0.8])]),
    decay=st.sampled_from([None, 0.1, [0.0, 0.2]]),
    decoupled=st.booleans(),
)
def test_adam_step(
    backend: Backend, dtype: str, seed: int, t: int, betas: Any, decay: Any, decoupled: bool
) -> None:
    (p, g, m, v), (parameters, gradients, first, second) = state(backend, seed, dtype, 4)
    corrections = [np.array(1 - np.asarray(beta) ** t, dtype) for beta in betas]
    pairs = [
        (number(backend, beta, dtype), number(backend, 1 - np.asarray(beta), dtype))
        for beta in betas
    ]
    again = [backend.copy(each) for each in (parameters, gradients, first, second)]
    for step, arrays in (
        (backend.adam_step, (parameters, gradients, first, second)),
        (partial(Backend.adam_step, backend), again),
    ):
        step(
            *arrays,
            backend.asarray(np.full((2, 5), np.nan), dtype),
            backend.asarray(0.25, dtype),
            tuple(number(backend, each, dtype) for each in corrections),
            pairs,
            backend.asarray(1e-8, dtype),
            number(backend, decay, dtype),
            decoupled,
        )
    for fused, default in zip((parameters, first, second), again[:1] + again[2:], strict=True):
        same(backend, fused, backend.to_numpy(default), dtype)
    b1, b2 = (np.reshape(beta, (-1, 1)) for beta in betas)
    corrections = [each.reshape(-1, 1) for each in corrections]
    decay = np.reshape(0.0 if decay is None else decay, (-1, 1))
    decayed = g if decoupled else g + decay * p
    shrunk = p - 0.25 * decay * p if decoupled else p
    m = b1 * m + (1 - b1) * decayed
    v = b2 * v + (1 - b2) * decayed**2
    step = 0.25 * (m / corrections[0]) / (np.sqrt(v / corrections[1]) + 1e-8)
    same(backend, first, m, dtype)
    same(backend, second, v, dtype)
    same(backend, parameters, shrunk - step, dtype)
    same(backend, gradients, g, dtype)


# Random bits.

WORD = 2**64 - 1


def squares32(counter: int, key: int) -> int:
    """Widynski, "Squares: a fast counter-based RNG" (arXiv:2004.06278), with whole numbers."""
    y = x = counter * key & WORD
    z = y + key & WORD
    for offset in (y, z, y):
        x = x * x + offset & WORD
        x = (x >> 32 | x << 32) & WORD
    return (x * x + z & WORD) >> 32


words = st.integers(0, WORD)


@given(
    counters=hnp.arrays(np.uint64, hnp.array_shapes(min_dims=0, max_dims=2), elements=words),
    key=words,
)
def test_random_bits_are_those_of_squares(backend: Backend, counters: Any, key: int) -> None:
    bits = backend.random_bits(backend.asarray(counters), backend.asarray(np.uint64(key)))
    expected = [squares32(int(counter), key) for counter in counters.flat]
    assert bits.dtype == np.uint64 and bits.shape == counters.shape
    assert backend.to_numpy(bits).ravel().tolist() == expected


def drop_numbers(backend: Backend, rates: Any, dtype: str) -> tuple[Any, Any]:
    """The arrays for a rate, or for one of each network, which has two axes more."""
    rates = np.asarray(rates)
    rates = rates.reshape(-1, 1, 1) if rates.ndim else rates
    kept_from = np.rint(rates * 2.0**32).astype(np.uint64)
    return backend.asarray(kept_from), backend.asarray(1 / (1 - rates), dtype)


@either_dtype
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.999])
def test_dropout_mask_keeps_what_its_bits_say(backend: Backend, dtype: str, rate: float) -> None:
    key = np.uint64(0x9E3779B97F4A7C15)
    counters = np.arange(1000, dtype=np.uint64)
    numbers = drop_numbers(backend, rate, dtype)
    mask = backend.dropout_mask(backend.asarray(counters), backend.asarray(key), *numbers)
    kept = [squares32(int(counter), int(key)) / 2**32 >= rate for counter in counters]
    same(backend, mask, np.array(kept) / (1 - rate), dtype)


@either_dtype
@pytest.mark.parametrize("networks", [None, 1, 3])
@pytest.mark.parametrize("own_rates", [False, True])
def test_each_network_draws_with_its_own_key(
    backend: Backend, dtype: str, networks: int | None, own_rates: bool
) -> None:
    """The shapes of a dropout layer; the fused mask has the bits of the default body."""
    lead = () if networks is None else (networks,)
    keys = np.arange(1, 2 * (networks or 1), 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys = keys.reshape((*lead, 1, 1) if lead else ())
    counters = np.arange(12, dtype=np.uint64).reshape(4, 3) + np.zeros((*lead, 1, 1), np.uint64)
    arrays = backend.asarray(counters.reshape(*lead, 4, 3)), backend.asarray(keys)
    rates = [0.4, 0.0, 0.9][:networks] if own_rates and networks else 0.4
    numbers = drop_numbers(backend, rates, dtype)
    fused = backend.dropout_mask(*arrays, *numbers)
    default = Backend.dropout_mask(backend, *arrays, *numbers)
    assert fused.dtype == dtype and fused.shape == (*lead, 4, 3)
    assert np.array_equal(backend.to_numpy(fused), backend.to_numpy(default))
    bits = backend.to_numpy(backend.random_bits(*arrays)).reshape(networks or 1, -1)
    assert len(np.unique(bits)) == bits.size


def test_adam_of_an_ensemble_beside_a_frozen_layer(backend: Backend) -> None:
    """A run of a single entry has corrections of its own, which are views of long arrays."""
    X = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    found = []
    for where in ("numpy", backend):
        model = mlp([2, 3, 1], seed=0, ensemble=3, backend=where)
        optimizer = Adam(model, 0.1)
        model.freeze("2.weight")
        for _ in range(4):
            (model(X) ** 2.0).mean(axis=(1, 2)).backward()
            optimizer.step()
        found.append(model.backend.to_numpy(model.parameter_buffer))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)

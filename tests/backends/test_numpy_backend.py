"""What every backend must do, run for each that works here; CUDA's is skipped with the reason."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import DTYPES, broadcasting_pairs, close, positive, seeds, shapes, spread

from scratchnet.backends import (
    Backend,
    InputError,
    NumpyBackend,
    available_backends,
    get_backend,
)
from scratchnet.backends.interface import Timer

TOLERANCE = {"float32": 2e-6, "float64": 1e-14}
either_dtype = pytest.mark.parametrize("dtype", DTYPES)


def works_or_skip(name: str, why_not: str | None) -> Any:
    skip = pytest.mark.skip(reason=f"{name}: {why_not}")
    return pytest.param(name, marks=[skip] if why_not else [])


@pytest.fixture(
    scope="module", params=[works_or_skip(*item) for item in available_backends().items()]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    return get_backend(request.param)


def same(backend: Backend, actual: Any, expected: Any, dtype: str) -> None:
    """An array of this backend and dtype with the expected entries, up to rounding."""
    assert type(actual) is backend.xp.ndarray and actual.dtype == dtype
    close(backend.to_numpy(actual), np.asarray(expected), TOLERANCE[dtype])


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
        assert not calls and backend.xp.shares_memory(view, x)
        copy = backend.reshape(x.T, (6,))
    assert len(calls) == 1 and backend.xp.shares_memory(copy, calls[0][2])
    assert backend.to_numpy(copy).tolist() == [0, 3, 1, 4, 2, 5]


# Fused steps: the formula, written once more with NumPy in float64; and the default body.

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


@either_dtype
@given(
    seed=seeds,
    rate=st.floats(0, 1),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    nesterov=st.booleans(),
    decay=st.sampled_from([0.0, 0.1]),
)
def test_sgd_step(
    backend: Backend,
    dtype: str,
    seed: int,
    rate: float,
    momentum: float,
    nesterov: bool,
    decay: float,
) -> None:
    (p, g, v), (parameters, gradients, velocity) = state(backend, seed, dtype, 3)
    scratch = backend.asarray(np.full((2, 5), np.nan), dtype)
    rate = float(np.float32(rate))
    nesterov = nesterov and momentum > 0
    backend.sgd_step(
        parameters,
        gradients,
        velocity if momentum else None,
        scratch,
        backend.asarray(rate, dtype),
        momentum,
        nesterov,
        decay,
    )
    direction = g + decay * p
    new_velocity = momentum * v + direction
    if momentum:
        same(backend, velocity, new_velocity, dtype)
        direction = direction + momentum * new_velocity if nesterov else new_velocity
    same(backend, parameters, p - rate * direction, dtype)
    same(backend, gradients, g, dtype)


@either_dtype
@given(
    seed=seeds,
    t=st.integers(1, 1000),
    betas=st.sampled_from([(0.9, 0.999), (0.5, 0.9), (0.0, 0.0)]),
    decay=st.sampled_from([0.0, 0.1]),
    decoupled=st.booleans(),
)
def test_adam_step(
    backend: Backend, dtype: str, seed: int, t: int, betas: Any, decay: float, decoupled: bool
) -> None:
    (p, g, m, v), (parameters, gradients, first, second) = state(backend, seed, dtype, 4)
    corrections = [np.array(1 - beta**t, dtype) for beta in betas]
    backend.adam_step(
        parameters,
        gradients,
        first,
        second,
        backend.asarray(np.full((2, 5), np.nan), dtype),
        backend.asarray(0.25, dtype),
        (backend.asarray(corrections[0]), backend.asarray(corrections[1])),
        betas,
        1e-8,
        decay,
        decoupled,
    )
    decayed = g if decoupled else g + decay * p
    shrunk = p - 0.25 * decay * p if decoupled else p
    m = betas[0] * m + (1 - betas[0]) * decayed
    v = betas[1] * v + (1 - betas[1]) * decayed**2
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


@either_dtype
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.999])
def test_dropout_mask_keeps_what_its_bits_say(backend: Backend, dtype: str, rate: float) -> None:
    key = np.uint64(0x9E3779B97F4A7C15)
    counters = np.arange(1000, dtype=np.uint64)
    mask = backend.dropout_mask(backend.asarray(counters), backend.asarray(key), rate, dtype)
    kept = [squares32(int(counter), int(key)) / 2**32 >= rate for counter in counters]
    same(backend, mask, np.array(kept) / (1 - rate), dtype)


# Movement, recording, the table of backends.


@either_dtype
@given(values=hnp.arrays(np.float64, shapes(), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=15)
def test_arrays_survive_the_way_to_the_device_and_back(
    backend: Backend, dtype: str, values: Any
) -> None:
    array = backend.asarray(values.T, dtype)
    assert array.flags.c_contiguous and array.dtype == dtype
    assert type(backend.to_numpy(array)) is np.ndarray
    assert np.array_equal(backend.to_numpy(array), values.T)
    copy = backend.copy(array)
    assert not backend.xp.shares_memory(copy, array) and backend.asarray(array) is array
    backend.synchronize()


@pytest.mark.parametrize("wanted", ["float32", "float64", "int64"])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.int16, np.bool_])
def test_converting_an_array_is_one_call(backend: Backend, given: Any, wanted: str) -> None:
    """So that a replay converts the batch anew. An array that fits is taken as it is."""
    x = backend.asarray(np.arange(6).reshape(2, 3), given)
    for values in (x, x.T):
        with backend.recording() as calls:
            array = backend.asarray(values, wanted)
        fits = array is values
        assert fits == (values is x and x.dtype == wanted) and len(calls) == (not fits)
        values[...] = 0
        for kernel, inputs, out, _ in calls:
            kernel(*inputs, out=out)
        assert not backend.to_numpy(array).any() and array.dtype == wanted
        values[...] = 1


def test_recording_notes_each_call_once_and_ends_with_its_block(backend: Backend) -> None:
    """Also after an exception, and in a block within a block."""
    x = backend.asarray(np.ones((2, 3)))
    with backend.recording() as calls:
        y = backend.add(x, 1.0)
        with backend.recording() as inner:
            backend.sigmoid(y)
        with pytest.raises(ZeroDivisionError), backend.recording():
            raise ZeroDivisionError
        assert calls[1:] == inner and len({id(out) for *_, out in inner}) < len(inner)
        noted = len(calls)
    backend.add(x, 1.0)
    assert len(calls) == noted and calls[0][2] is y and calls[0][1] == (x, 1.0)


def test_device_info_is_plain_and_the_timer_counts_seconds(backend: Backend) -> None:
    info = backend.device_info()
    assert info["backend"] == backend.name
    assert all(type(value) in (str, int, float) for value in info.values())
    timer = backend.timer()
    assert math.isnan(timer.seconds)
    with timer:
        backend.ones((2,), "float32")
    assert timer.seconds >= 0


def test_the_timer_waits_for_the_device_at_both_ends() -> None:
    """Without, it would measure how long it takes to hand the work over."""
    waits: list[str] = []
    with Timer(lambda: waits.append("waited")):
        waits.append("worked")
    assert waits == ["waited", "worked", "waited"]


def test_backends_by_name() -> None:
    assert get_backend("numpy") is get_backend("numpy")
    assert get_backend() in map(
        get_backend, [n for n, why in available_backends().items() if not why]
    )
    own = NumpyBackend()
    assert get_backend(own) is own
    for name, why_not in available_backends().items():
        if why_not:
            assert "\n" not in why_not
            with pytest.raises(InputError, match=f"backend '{name}' cannot be used: "):
                get_backend(name)


@pytest.mark.parametrize("name", ["Numpy", "cuda", "", None, 3])
def test_an_unknown_backend_lists_the_known_ones(name: Any) -> None:
    with pytest.raises(InputError, match=r"^unknown backend .*: known are auto, numpy, cupy.*$"):
        get_backend(name)

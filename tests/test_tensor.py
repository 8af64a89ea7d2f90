"""The tape: how gradients flow, what backward() does with them, and what a graph keeps alive."""

import gc
import operator
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    COMPARISONS,
    DTYPES,
    EVERY_OP,
    OF_TWO,
    check_op,
    computed,
    positive,
    seeds,
    spread,
)

from scratchnet import InputError, Tensor, get_backend, mlp, no_grad, ops
from scratchnet.backends import NumpyBackend
from scratchnet.gradcheck import check_gradients
from scratchnet.program import recorded
from scratchnet.tensor import result

every_op = pytest.mark.parametrize("op", EVERY_OP.values(), ids=EVERY_OP.keys())
either_dtype = pytest.mark.parametrize("dtype", DTYPES)


def two_tensors(dtype: str = "float64") -> tuple[Tensor, Tensor]:
    return Tensor(positive(1, (3, 4)), dtype), Tensor(positive(2, (3, 4), 0.02), dtype)


@contextmanager
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# Random expressions.

UNARY: list[Callable[[Any], Any]] = [
    lambda x: -x,
    ops.tanh,
    ops.sigmoid,
    lambda x: x - x.mean(axis=-1, keepdims=True),
    lambda x: ops.softmax(x, axis=0),
    lambda x: x[[1, 0, 1]],
    lambda x: (x.mT @ x) / 3.0 @ np.ones((3, 3)) if x.shape == (3, 3) else x * 0.5,
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: ops.tanh(a * b),
    lambda a, b: a / (1.0 + b * b),
    lambda a, b: ops.softplus(a) ** ops.tanh(b),
    lambda a, b: ops.tanh(a) @ ops.tanh(b),
    lambda a, b: ops.concatenate([a[:1], b[:1], a[2:]]),
]
step = st.tuples(
    st.sampled_from(UNARY + BINARY), st.integers(0, 2**16), st.integers(0, 2**16), st.booleans()
)


@given(steps=st.lists(step, min_size=1, max_size=12), seed=seeds)
def test_random_graphs_have_the_gradient_of_the_central_differences(
    steps: list[Any], seed: int
) -> None:
    """Each step applies an op to any two earlier nodes, so nodes are reused, also by one op."""

    def build(*leaves: Tensor) -> Tensor:
        nodes = [leaf + np.zeros((3, 3)) for leaf in leaves]
        for op, i, j, use_latest in steps:
            first = nodes[-1] if use_latest else nodes[i % len(nodes)]
            nodes.append(op(first) if op in UNARY else op(first, nodes[j % len(nodes)]))
        return ops.tanh(nodes[-1]) + nodes[len(nodes) // 2]

    check_gradients(
        build, *[Tensor(spread(seed + i, shape)) for i, shape in enumerate([(3, 3), (3, 1), (3,)])]
    )


IDENTITIES: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("x - x", lambda x: x - x, lambda x: 0 * x),
    ("x / x", lambda x: x / x, lambda x: 0 * x),
    ("x + x", lambda x: x + x, lambda x: 2 + 0 * x),
    ("x * x", lambda x: x * x, lambda x: 2 * x),
    ("x ** x", lambda x: x**x, lambda x: x**x * (np.log(x) + 1)),
    ("max(x, x)", lambda x: ops.maximum(x, x), lambda x: 1 + 0 * x),
    ("where(x, x)", lambda x: ops.where(True, x, x), lambda x: 1 + 0 * x),
    ("x again on both sides", lambda x: (x * 3.0) * (x + 1.0), lambda x: 6 * x + 3),
    ("x twice in a list", lambda x: ops.concatenate([x, x * x], -1), lambda x: 1 + 2 * x),
]


@pytest.mark.parametrize(
    ("expression", "slope"), [i[1:] for i in IDENTITIES], ids=[i[0] for i in IDENTITIES]
)
@given(seed=seeds, shape=st.sampled_from([(1,), (5,), (2, 1, 3)]))
def test_both_uses_of_one_operand_send_a_gradient(
    expression: Callable[[Any], Any], slope: Callable[[Any], Any], seed: int, shape: Any
) -> None:
    values = positive(seed, shape)
    gradient = computed(expression, Tensor(values))[1]
    np.testing.assert_allclose(gradient, slope(values), rtol=1e-12, atol=1e-12)


def test_matrix_times_itself() -> None:
    check_op(lambda x: x @ x + x.mT @ x, lambda x: x @ x + x.T @ x, spread(0, (3, 3)))


# Deep and wide graphs.


def test_a_chain_of_100_000_ops_neither_recurses_nor_overflows_when_freed() -> None:
    x = Tensor(3.0, "float64")
    y = x
    for _ in range(50_000):
        y = (y + 1.0) - x
    y.backward()
    assert y.item() == 3.0 + 50_000 * (1.0 - 3.0) and x.grad == 1.0 - 50_000
    del y


def test_each_node_of_2_to_the_60_paths_is_visited_once() -> None:
    visits = []

    def doubled(x: Tensor) -> Tensor:
        """x + x, which takes note of its backward passes."""
        return result(x.data + x.data, x.backend, (x, seen), (x, seen))

    def seen(dy: Any) -> Any:
        visits.append(dy)
        return dy

    x = Tensor(np.ones(2))
    y = x
    for _ in range(60):
        y = doubled(y)
    y.backward()
    assert len(visits) == 2 * 60
    assert x.grad.tolist() == y.numpy().tolist() == [2.0**60] * 2


@pytest.mark.parametrize("uses", [1, 2])
@pytest.mark.parametrize("long_way_first", [True, False])
def test_a_long_and_a_short_way_to_one_node_are_added_before_it_is_visited(
    long_way_first: bool, uses: int
) -> None:
    """A walk that visits a node when its first consumer is done sends an incomplete gradient on.

    The result is (n + 1) h with h = x^2 and n short ways, so the slope is (n + 1) 2 x.
    """
    x = Tensor(2.0)
    h = x * x
    total = h
    for _ in range(5):
        total = total * 1.0
    for _ in range(uses):
        total = total + h if long_way_first else h + total
    total.backward()
    assert total.item() == (uses + 1) * 4.0 and x.grad == (uses + 1) * 4.0


# What backward() leaves.


@pytest.mark.parametrize(
    ("uses", "expected"),
    [(lambda x: x * 3.0, 3.0), (lambda x: x * x + x, 5.0), (lambda x: x, 1.0)],
    ids=["once", "three times", "is the result"],
)
def test_the_leafs_gradient_buffer_is_kept_and_its_content_replaced(
    uses: Callable[[Tensor], Tensor], expected: float
) -> None:
    x = Tensor(np.full(3, 2.0))
    buffer = x.grad = np.full(3, 77.0)
    for _ in range(2):
        uses(x).backward()
        assert x.grad is buffer and buffer.tolist() == [expected] * 3


def test_a_leaf_that_the_result_does_not_depend_on_keeps_its_gradient() -> None:
    x, unused, fresh = Tensor(1.0), Tensor(1.0), Tensor(1.0)
    buffer = unused.grad = np.float32(5.0).reshape(())
    (x * 2.0).backward()
    assert unused.grad is buffer and buffer == 5.0 and fresh.grad is None


def test_a_second_loss_through_a_shared_node_meets_no_stale_gradient() -> None:
    x = Tensor([1.0, 2.0])
    shared = (x * x).retain_grad()
    first, second = shared.sum(), (shared * 10.0).sum()
    for loss, slope in ((first, 1.0), (second, 10.0), (first, 1.0), (first + second, 11.0)):
        loss.backward()
        assert shared.grad.tolist() == [slope] * 2 and x.grad.tolist() == [2 * slope, 4 * slope]


@every_op
def test_gradients_have_memory_of_their_own(op: Callable[..., Tensor]) -> None:
    """An op may send one array, a view or a broadcast to several inputs: each keeps a copy."""
    a, b = two_tensors()
    middle = (a * 1.0).retain_grad()
    y = op(middle, b).retain_grad()
    y.backward()
    kept = [t.grad for t in (a, b, middle, y) if t.grad is not None]
    assert len(kept) >= 3
    others = [a.data, b.data, middle.data, y.data]
    for i, gradient in enumerate(kept):
        assert gradient.flags.writeable
        assert not any(np.shares_memory(gradient, other) for other in others + kept[:i])


@every_op
def test_backward_writes_into_no_saved_array_and_can_be_repeated(op: Callable[..., Tensor]) -> None:
    a, b = two_tensors()
    y = op(a, b)
    before = [t.data.copy() for t in (a, b, y)]
    (y * 3.0).backward()
    first = [t.grad.copy() for t in (a, b) if t.grad is not None]
    for gradient in (t.grad for t in (a, b) if t.grad is not None):
        gradient[...] = np.nan
    (y * 3.0).backward()
    assert all(np.array_equal(t.data, old) for t, old in zip((a, b, y), before, strict=True))
    again = [t.grad for t in (a, b) if t.grad is not None]
    assert all(np.array_equal(new, old) for new, old in zip(again, first, strict=True))


def test_results_drop_their_gradient_unless_asked_to_retain_it() -> None:
    x = Tensor(2.0)
    dropped, kept = x * 3.0, x * 4.0
    assert kept.retain_grad() is kept
    (dropped * kept).backward()
    assert dropped.grad is None and kept.grad == 6.0 and x.grad == 48.0


@given(seed=seeds, shape=st.sampled_from([(), (1,), (2, 3), (0, 2)]), dtype=st.sampled_from(DTYPES))
def test_a_gradient_given_to_backward_weights_the_outputs(
    seed: int, shape: Any, dtype: str
) -> None:
    """As an array, a tensor or lists, of any dtype: the pass of the sum of gradient * y."""
    values, weights = positive(seed, shape).astype(dtype), spread(seed + 1, shape)
    x = Tensor(values)
    ((x * x) * weights.astype(dtype)).sum().backward()
    expected, buffer = x.grad.copy(), x.grad
    lists = weights.tolist() if weights.size else weights
    for gradient in (weights, weights.astype(dtype), Tensor(weights), lists):
        (x * x).backward(gradient)
        assert x.grad is buffer and np.array_equal(x.grad, expected)
    if shape:
        (x * x).T.backward(weights.T)
        assert np.array_equal(x.grad, expected)


def test_a_pass_goes_on_from_a_gradient_found_elsewhere() -> None:
    """What reached the middle of a graph, given to the first half, and the leaf's own gradient."""
    x = Tensor([1.0, 2.0])
    middle = (x * x).retain_grad()
    (middle * middle).sum().backward()
    whole, given_on = x.grad.copy(), middle.grad.copy()
    (x * x).backward(given_on)
    assert np.array_equal(x.grad, whole) and np.array_equal(given_on, [2, 8])
    weights = np.array([3.0, np.inf], np.float32)
    x.backward(weights)
    assert x.grad.tolist() == [3, np.inf] and not np.shares_memory(x.grad, weights)


@pytest.mark.parametrize(
    "gradient",
    [
        *[1.0, np.ones(3), np.ones((2, 1)), np.ones((3, 2)), np.ones((1, 2, 3)), []],
        *[[[1.0], [1.0, 2.0]], np.full((2, 3), 1j), np.full((2, 3), "1"), np.full((2, 3), None)],
    ],
)
def test_a_gradient_of_another_shape_or_kind_is_one_line(gradient: Any) -> None:
    x = Tensor(np.ones((2, 3)))
    x.grad = np.full((2, 3), 5.0)
    with pytest.raises(InputError, match=r"backward\(gradient\) of shape \(2, 3\)") as caught:
        (x * 2.0).backward(gradient)
    assert "\n" not in str(caught.value) and (x.grad == 5.0).all()
    elsewhere = Tensor(np.ones((2, 3)), backend=NumpyBackend())
    with pytest.raises(TypeError, match="backends|backend"):
        (x * 2.0).backward(elsewhere)


# Constants, detach, no_grad.


def test_plain_arrays_numbers_and_detached_tensors_get_no_gradient() -> None:
    x, frozen = Tensor([3.0]), Tensor([5.0], requires_grad=False)
    (x * x.detach() * frozen * np.array([2.0], np.float32)).backward()
    assert x.grad == 30.0 and frozen.grad is None
    assert x.detach().data is x.data and not x.detach().requires_grad


def test_a_leaf_can_be_frozen_and_thawed() -> None:
    a, b = Tensor([3.0], requires_grad=False), Tensor([5.0])
    a.requires_grad, b.requires_grad = True, False
    (a * b).backward()
    assert a.grad == 5.0 and b.grad is None


@pytest.mark.parametrize(
    "constant", [lambda: Tensor(1.0).detach() * 2.0, lambda: Tensor(1.0, requires_grad=False)]
)
def test_backward_of_a_constant_is_refused(constant: Callable[[], Tensor]) -> None:
    with pytest.raises(InputError, match="depends on no tensor with a gradient"):
        constant().backward()


def test_no_grad_nests_and_ends_also_after_an_exception() -> None:
    x = Tensor(1.0)
    with no_grad():
        with no_grad():
            assert not (x * 2.0).requires_grad
        assert not (x * 2.0).requires_grad
        with pytest.raises(ZeroDivisionError), no_grad():
            raise ZeroDivisionError
        assert not (x * 2.0).requires_grad
    assert (x * 2.0).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    (x * 2.0).backward()
    assert x.grad == 2.0


@every_op
def test_no_grad_remembers_nothing(op: Callable[..., Tensor]) -> None:
    with no_grad():
        y = op(*two_tensors())
    assert y.inputs == () and not y.requires_grad


# Memory.


@every_op
def test_the_graph_is_freed_without_the_garbage_collector(op: Callable[..., Tensor]) -> None:
    """A reference cycle through a pullback, or a list of all nodes, would keep arrays alive."""
    a, b = two_tensors()
    with no_garbage_collector():
        for differentiate in (False, True):
            y = op(a * 1.0, b)
            if differentiate:
                y.backward()
            nodes = [y, *[parent for parent, _ in y.inputs]]
            watched = [weakref.ref(thing) for node in nodes[:2] for thing in (node, node.data)]
            del y, nodes
            assert [ref() for ref in watched] == [None] * 4


def test_what_a_pullback_does_not_need_is_freed_before_the_graph() -> None:
    """exp keeps its result, add keeps neither operand."""
    x = Tensor(np.ones(3))
    inner = x * 2.0
    data = weakref.ref(inner.data)
    outer = inner + 1.0
    inner.data = np.zeros(3)
    with no_garbage_collector():
        assert data() is None
    outer.backward()
    assert x.grad.tolist() == [2.0] * 3


# Dtypes and backends.


@either_dtype
@every_op
def test_value_and_gradients_keep_the_dtype(op: Callable[..., Tensor], dtype: str) -> None:
    a, b = two_tensors(dtype)
    y = op(a, b)
    y.backward()
    gradients = [t.grad.dtype for t in (a, b) if t.grad is not None]
    assert y.dtype == dtype and gradients and set(gradients) == {np.dtype(dtype)}


@pytest.mark.parametrize("op", [EVERY_OP[name] for name in OF_TWO], ids=OF_TWO)
def test_mixed_dtypes_and_mixed_backends_are_refused(op: Callable[..., Tensor]) -> None:
    a = Tensor(positive(1, (3, 4)), "float32")
    wide = Tensor(positive(2, (3, 4)), "float64")
    elsewhere = Tensor(positive(2, (3, 4)), "float32", backend=NumpyBackend())
    for one, other in ((a, wide), (wide, a)):
        with pytest.raises(TypeError, match=r"dtypes.*(float32.*float64|float64.*float32)"):
            op(one, other)
    for one, other in ((a, elsewhere), (elsewhere, a)):
        with pytest.raises(TypeError, match=r"backends.*numpy.*numpy"):
            op(one, other)


def test_every_op_is_in_the_table_of_these_tests() -> None:
    assert set(EVERY_OP) == set(ops.__all__) - set(COMPARISONS)


@given(seed=seeds, shape=st.sampled_from([(), (1,), (2, 3), (0, 2)]), dtype=st.sampled_from(DTYPES))
@pytest.mark.parametrize("number", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2)])
@pytest.mark.parametrize(
    "symbol",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow],
    ids=["+", "-", "*", "/", "**"],
)
def test_numbers_on_either_side_follow_the_tensors_dtype(
    symbol: Callable[[Any, Any], Any], number: Any, seed: int, shape: Any, dtype: str
) -> None:
    values = positive(seed, shape).astype(dtype)
    for expression in (lambda x: symbol(x, number), lambda x: symbol(number, x)):
        value, gradient = computed(expression, Tensor(values))
        assert value.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(value, expression(values), rtol=1e-5)


@pytest.mark.parametrize(
    "symbol",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul],
)
def test_an_array_on_the_left_leaves_the_operator_to_the_tensor(symbol: Any) -> None:
    """NumPy would otherwise apply the operator to each entry, and give an array of Tensors."""
    array, x = positive(1, (3, 3)), Tensor(positive(2, (3, 3)))
    for y, expected in (
        (symbol(array, x), symbol(array, x.data)),
        (symbol(x, array), symbol(x.data, array)),
    ):
        assert type(y) is Tensor and y.requires_grad
        np.testing.assert_allclose(y.data, expected, rtol=1e-15)


@pytest.mark.parametrize("value", ["2", [1.0, 2.0], None, 1j, {}])
def test_a_constant_that_is_neither_number_nor_array_is_refused_by_its_type(value: Any) -> None:
    for attempt in (lambda: Tensor([1.0, 2.0]) * value, lambda: value + Tensor([1.0, 2.0])):
        with pytest.raises(TypeError, match=type(value).__name__):
            attempt()


# Construction and conversion.


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (1, "float32"),
        ([1, 2], "float32"),
        (np.arange(3), "float32"),
        (np.ones(2, np.float16), "float32"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float32), "float32"),
        (np.float64(1), "float64"),
    ],
)
def test_float32_unless_the_values_are_float64(values: Any, dtype: str) -> None:
    assert Tensor(values).dtype == dtype
    assert {Tensor(values, wanted).dtype for wanted in DTYPES} == set(DTYPES)


@pytest.mark.parametrize("dtype", ["float16", "int64", "nonsense"])
def test_another_dtype_is_refused_by_its_name(dtype: str) -> None:
    with pytest.raises(InputError, match=f"{dtype}.*must be float32 or float64"):
        Tensor([1.0], dtype)


def test_an_unknown_backend_lists_what_exists() -> None:
    with pytest.raises(InputError, match=r"'nunpy'.*auto, numpy, cupy.*did you mean 'numpy'"):
        Tensor([1.0], backend="nunpy")


def test_a_tensor_reads_as_its_array() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (x.shape, x.ndim, len(x), x.dtype) == ((2, 2), 2, 2, "float32")
    assert [row.numpy().tolist() for row in x] == x.numpy().tolist() == [[1, 2], [3, 4]]
    assert (
        x.sum().item() == float(x.sum()) == 10.0 and bool(ops.max(x)) and x.backend is get_backend()
    )
    assert "constant" in repr(x.detach()) and "constant" not in repr(x) + repr(x * 2.0)


def test_methods_are_the_ops_of_their_names() -> None:
    x = Tensor(spread(0, (2, 3)))
    for name in ("exp", "log", "sqrt", "abs"):
        values = np.abs(spread(1, (2, 3)))
        check_op(lambda x, name=name: getattr(x, name)(), getattr(np, name), values)
    assert x.size == 6 and x[0, 0].size == 1 and Tensor(np.ones((0, 2))).size == 0
    assert type(x.size) is int


@given(data=st.data(), shape=st.sampled_from([(1,), (4,), (2, 3), (2, 0, 3)]), seed=seeds)
def test_argmax_is_numpys_on_the_host(data: st.DataObject, shape: Any, seed: int) -> None:
    """Of rounded numbers, so that many tie."""
    values = spread(seed, shape).round()
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    if (values.size if axis is None else shape[axis]) == 0:
        with pytest.raises(InputError, match="argmax over axis"):
            Tensor(values).argmax(axis)
        return
    found = Tensor(values).argmax(axis)
    assert np.array_equal(found, values.argmax(axis)) and np.asarray(found).dtype.kind == "i"


@pytest.mark.parametrize("axis", [2, -3, (0, 1), 0.5, "0"])
def test_argmax_over_no_axis_of_the_tensor_is_one_line(axis: Any) -> None:
    with pytest.raises(
        InputError, match=r"argmax over axis .* of shape \(2, 3\): must be one axis"
    ):
        Tensor(np.ones((2, 3))).argmax(axis)


def test_a_recorded_step_refuses_argmax_and_takes_a_gradient_for_backward() -> None:
    """The former would be frozen; the latter is read anew by a replay."""
    model = mlp([2, 3, 2], dtype="float64")

    def step(X: Any, gradient: Any) -> Tensor:
        outputs = model(Tensor(X, requires_grad=False))
        outputs.backward(gradient)
        return outputs.sum()

    rng = np.random.default_rng(0)
    replayed = recorded(step, model)
    for _ in range(4):
        X, gradient = rng.standard_normal((2, 5, 2))
        step(X, gradient)
        expected = model.gradient_buffer.copy()
        replayed(X, gradient)
        assert np.array_equal(model.gradient_buffer, expected)
    with pytest.raises(InputError, match="inside a recorded step: argmax.* ops.max"):
        recorded(lambda X: step(X, X)[step(X, X).argmax()], model)(X)


@pytest.mark.parametrize("name", ["cumsum", "norm", "std", "var", "squeeze", "argmax"])
def test_a_recorded_step_names_the_op_for_numpys_function(name: str) -> None:
    model = mlp([2, 3, 2])
    numpys = getattr(np, name, None) or getattr(np.linalg, name)

    def step(X: Any) -> Tensor:
        return model(Tensor(X)).sum() * float(numpys(X).sum())

    op = "max" if name == "argmax" else name
    with pytest.raises(InputError, match=rf"inside a recorded step: np\.{name}.*use .*ops\.{op}"):
        recorded(step, model)(np.ones((5, 2), np.float32))


def test_rows_met_in_a_loop_send_their_gradients_back() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    total = sum(i * (row * row).sum() for i, row in enumerate(x, start=1))
    assert isinstance(total, Tensor)
    total.backward()
    assert x.grad.tolist() == [[2, 4], [12, 16]]


@pytest.mark.parametrize("dtype", DTYPES)
@given(seed=seeds)
def test_results_without_axes_are_arrays(seed: int, dtype: str) -> None:
    """NumPy turns them into scalars, which promote and cannot be written in place."""
    x = Tensor(positive(seed, (4,)), dtype)
    y = ((x * x).sum() / ops.max(x) - 2.0) ** 2 + x[0] * ops.exp(-x.mean())
    y.retain_grad().backward()
    nodes, arrays = [y], []
    while nodes:
        node = nodes.pop()
        arrays.append(node.data)
        nodes += [parent for parent, _ in node.inputs]
    assert all(type(array) is np.ndarray and array.dtype == dtype for array in [*arrays, y.grad])

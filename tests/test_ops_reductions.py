"""Reductions over any axes, and the softmax built from them."""

from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import DTYPES, check_op, close, computed, seeds, shapes, spread

from scratchnet import InputError, Tensor, ops
from scratchnet.gradcheck import GradientError, check_gradients
from scratchnet.tensor import result

EXTREMES = {"max": (ops.max, np.max), "min": (ops.min, np.min)}
REDUCTIONS: dict[str, tuple[Any, Any]] = {
    "sum": (ops.sum, np.sum),
    "mean": (ops.mean, np.mean),
    **EXTREMES,
    "var": (ops.var, np.var),
    "norm": (ops.norm, lambda x, **over: np.sqrt(np.sum(x * x, **over))),
    "logsumexp": (ops.logsumexp, lambda x, **over: np.log(np.sum(np.exp(x), **over))),
}
OVER_NOTHING = (ops.sum, ops.norm)
SOFTMAXES = {
    "softmax": (ops.softmax, scipy.special.softmax),
    "log_softmax": (ops.log_softmax, scipy.special.log_softmax),
}


@pytest.mark.parametrize(("op", "reference"), REDUCTIONS.values(), ids=REDUCTIONS)
@given(data=st.data(), shape=shapes(), keepdims=st.booleans(), seed=seeds)
def test_over_any_axes(
    op: Any, reference: Any, data: st.DataObject, shape: Any, keepdims: bool, seed: int
) -> None:
    """One axis, several, all or none; an empty one has a sum and a norm but no mean or extreme."""
    n = len(shape)
    one = st.integers(-n, n - 1) if shape else st.nothing()
    axis = data.draw(st.none() | hnp.valid_tuple_axes(n) | one)
    reduced = range(n) if axis is None else np.atleast_1d(axis).astype(int)
    if op not in OVER_NOTHING and any(shape[i] == 0 for i in reduced):
        with pytest.raises(InputError, match="is empty"):
            op(Tensor(spread(seed, shape)), axis, keepdims)
        return
    check_op(
        lambda x: op(x, axis, keepdims),
        lambda x: reference(x, axis=axis, keepdims=keepdims),
        spread(seed, shape),
    )


@pytest.mark.parametrize(("op", "reference"), EXTREMES.values(), ids=EXTREMES)
@given(data=st.data(), shape=shapes(min_dims=1, min_side=1), keepdims=st.booleans())
def test_entries_that_tie_for_an_extreme_share_its_gradient(
    op: Any, reference: Any, data: st.DataObject, shape: Any, keepdims: bool
) -> None:
    """Three values only, so ties are the rule; each may be 0 or the extreme of a whole axis."""
    values = data.draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([-1.0, 0.0, 2.0])))
    axis = data.draw(st.none() | st.integers(0, len(shape) - 1))
    _, gradient = computed(lambda x: op(x, axis, keepdims), Tensor(values))
    winners = values == reference(values, axis=axis, keepdims=True)
    np.testing.assert_allclose(gradient, winners / winners.sum(axis=axis, keepdims=True))


def test_methods_of_a_tensor_reduce_too() -> None:
    x = spread(0, (2, 3))
    check_op(lambda x: x.sum(0), lambda x: x.sum(0), x)
    check_op(lambda x: x.mean((0, 1), keepdims=True), lambda x: x.mean((0, 1), keepdims=True), x)
    for name in ("max", "min", "var", "std"):
        for axis, keepdims in ((None, False), (1, False), (-2, True)):
            check_op(
                lambda x, name=name, over=(axis, keepdims): getattr(x, name)(*over),
                lambda x, name=name, a=axis, d=keepdims: getattr(x, name)(axis=a, keepdims=d),
                x,
            )
    check_op(lambda x: x.var(0, ddof=1), lambda x: x.var(0, ddof=1), x)
    check_op(lambda x: x.std(0, ddof=1), lambda x: x.std(0, ddof=1), x)


@pytest.mark.parametrize(("op", "reference"), SOFTMAXES.values(), ids=SOFTMAXES)
@given(data=st.data(), shape=shapes(min_dims=1), seed=seeds)
def test_softmax(op: Any, reference: Any, data: st.DataObject, shape: Any, seed: int) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    if shape[axis] == 0:
        with pytest.raises(InputError, match="is empty"):
            op(Tensor(spread(seed, shape)), axis)
        return
    check_op(lambda x: op(x, axis), lambda x: reference(x, axis=axis), spread(seed, shape))


@pytest.mark.parametrize(("op", "reference"), SOFTMAXES.values(), ids=SOFTMAXES)
@given(seed=seeds, shift=st.floats(-1e4, 1e4), axis=st.sampled_from([0, 1]))
def test_softmax_does_not_see_a_shift(
    op: Any, reference: Any, seed: int, shift: float, axis: int
) -> None:
    x = spread(seed, (3, 4))
    for plain, shifted in zip(
        computed(lambda x: op(x, axis), Tensor(x)),
        computed(lambda x: op(x, axis), Tensor(x + shift)),
        strict=True,
    ):
        close(shifted, plain, 1e-11)


@pytest.mark.parametrize(("op", "reference"), SOFTMAXES.values(), ids=SOFTMAXES)
@given(logits=hnp.arrays(np.float32, (2, 3), elements=st.floats(-1e4, 1e4, width=32)), seed=seeds)
def test_softmax_is_stable_up_to_1e4_in_float32(
    op: Any, reference: Any, logits: Any, seed: int
) -> None:
    """The naive exponential overflows from 89 on, and its logarithm is -inf from -104 on."""
    weights = spread(seed, (2, 3)).astype(np.float32)
    gradients = {}
    for dtype in DTYPES:
        x = Tensor(logits, dtype)
        y = op(x)
        close(
            y.data,
            reference(logits.astype(np.float64), axis=-1),
            2e-7 if dtype == "float32" else 1e-15,
        )
        (y * weights.astype(dtype)).sum().backward()
        gradients[dtype] = x.grad
    assert np.isfinite(gradients["float32"]).all()
    close(gradients["float32"], gradients["float64"], 1e-6)


@pytest.mark.parametrize(
    "op",
    [
        *(ops.sum, ops.mean, ops.max, ops.softmax, ops.log_softmax),
        *(ops.logsumexp, ops.var, ops.std, ops.norm, ops.cumsum),
    ],
)
@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 2), ((2, 3), -3), ((), 0), ((2,), 1)])
def test_an_axis_that_does_not_exist_is_named_with_the_shape(
    op: Any, shape: Any, axis: Any
) -> None:
    with pytest.raises(InputError) as caught:
        op(Tensor(np.ones(shape)), axis)
    assert str(caught.value).startswith(f"{op.__name__} over axis {axis} of shape {shape}")


@pytest.mark.parametrize("op", [ops.sum, ops.mean, ops.max, ops.min, ops.logsumexp, ops.norm])
@pytest.mark.parametrize("axis", [(0, 0), (0, -2), (1, -1)])
def test_an_axis_named_twice_is_refused(op: Any, axis: Any) -> None:
    with pytest.raises(InputError, match="named twice"):
        op(Tensor(np.ones((2, 3))), axis)


@pytest.mark.parametrize("axis", [[0], 0.0, "0"])
def test_an_axis_that_is_no_whole_number_is_refused(axis: Any) -> None:
    with pytest.raises(InputError, match="must be None, a whole number or a tuple"):
        ops.sum(Tensor([[1.0, 2.0]]), axis)


# Spread, length, running sums.


@pytest.mark.parametrize("op", ["var", "std"])
@given(data=st.data(), shape=shapes(min_dims=1, min_side=2), keepdims=st.booleans(), seed=seeds)
def test_spread_with_any_ddof(
    op: str, data: st.DataObject, shape: Any, keepdims: bool, seed: int
) -> None:
    """Every axis has two entries or more, which differ: a standard deviation of 0 is a kink."""
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    entries = int(np.prod(shape)) if axis is None else shape[axis]
    ddof = data.draw(st.sampled_from([0, 1, 0.5]) | st.integers(0, entries - 1))
    check_op(
        lambda x: getattr(ops, op)(x, axis, keepdims, ddof),
        lambda x: getattr(np, op)(x, axis=axis, keepdims=keepdims, ddof=ddof),
        spread(seed, shape),
    )


@pytest.mark.parametrize("op", [ops.var, ops.std])
@pytest.mark.parametrize("ddof", [-1, 3, 7.5, np.nan, "1", None])
def test_ddof_must_leave_some_entries(op: Any, ddof: Any) -> None:
    with pytest.raises(InputError, match=r"ddof=.*must be at least 0 and below 3") as caught:
        op(Tensor(np.ones((2, 3))), 1, ddof=ddof)
    assert str(caught.value).startswith(f"{op.__name__} with ddof={ddof!r}")


@pytest.mark.parametrize("dtype", DTYPES)
@given(value=st.floats(-1e6, 1e6), n=st.integers(1, 9), axis=st.sampled_from([None, 0, (0, 1)]))
def test_equal_entries_have_no_spread_and_no_gradient(
    value: float, n: int, axis: Any, dtype: str
) -> None:
    """Three times 0.1 has, by its rounded mean, a standard deviation of 1.4e-17 in NumPy."""
    for op in (ops.var, ops.std):
        y, gradient = computed(lambda x, op=op: op(x, axis), Tensor(np.full((n, 2), value), dtype))
        assert not y.any() and not gradient.any()


@pytest.mark.parametrize("op", [ops.var, ops.std])
def test_spread_far_from_0_is_as_exact_as_the_numbers(op: Any) -> None:
    x = np.array([0.0, 1.0, 5.0])
    for plain, far in zip(
        computed(op, Tensor(x, "float32")),
        computed(op, Tensor(x + 2.0**22, "float32")),
        strict=True,
    ):
        np.testing.assert_allclose(far, plain, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", [ops.std, ops.norm])
def test_an_infinite_gradient_at_length_0_is_stopped(op: Any, dtype: str) -> None:
    """sqrt(length) has an infinite derivative where the length is 0; the length has 0."""
    with np.errstate(divide="ignore"):
        _, gradient = computed(
            lambda x: ops.sqrt(op(x, 1)), Tensor([[0.0, 0.0], [3.0, -3.0]], dtype)
        )
    assert gradient[0].tolist() == [0, 0] and gradient[1, 0] == -gradient[1, 1] > 0


def test_a_norm_of_nothing_is_0() -> None:
    y, gradient = computed(lambda x: ops.norm(x, 1), Tensor(np.ones((2, 0))))
    assert y.tolist() == [0, 0] and gradient.shape == (2, 0)


def test_nan_is_not_hidden() -> None:
    for op in (ops.var, ops.std, ops.norm, ops.logsumexp, ops.cumsum):
        y, gradient = computed(lambda x, op=op: op(x, -1), Tensor([[1.0, np.nan, 2.0], [1, 2, 3]]))
        assert np.isnan(y[0]).any() and np.isfinite(y[1]).all() and np.isfinite(gradient[1]).all()
        assert op is ops.cumsum or np.isnan(gradient[0]).all()


@given(data=st.data(), shape=shapes(), seed=seeds)
def test_cumsum(data: st.DataObject, shape: Any, seed: int) -> None:
    """Along one axis, or of all entries in a row."""
    n = len(shape)
    axis = data.draw(st.none() | st.integers(-n, n - 1) if shape else st.none())
    transposed = data.draw(st.booleans())
    check_op(
        lambda x: ops.cumsum(x.T if transposed else x, axis),
        lambda x: np.cumsum(x.T if transposed else x, axis),
        spread(seed, shape),
    )


def test_cumsum_sends_back_the_sum_of_the_gradients_behind_each_entry() -> None:
    weights = np.array([1.0, 10.0, 100.0])
    y, gradient = computed(lambda x: ops.cumsum(x, 0) * weights, Tensor(np.array([1.0, 2.0, 3.0])))
    assert y.tolist() == [1, 30, 600] and gradient.tolist() == [111, 110, 100]


@pytest.mark.parametrize("axis", [(0, 1), (), 0.5])
def test_cumsum_runs_along_one_axis(axis: Any) -> None:
    with pytest.raises(InputError, match="cumsum over axis") as caught:
        ops.cumsum(Tensor(np.ones((2, 3))), axis)
    assert "\n" not in str(caught.value)


# The logarithm of a sum of exponentials.

INF = np.inf
LOGSUMEXP_LIMITS = [
    ([-INF, -INF], -INF, [0, 0]),
    ([-INF, 3], 3, [0, 1]),
    ([INF, 3], INF, [1, 0]),
    ([INF, 3e38], INF, [1, 0]),
    ([INF, -INF, INF], INF, [0.5, 0, 0.5]),
    ([1e4, 1e4], 1e4 + np.log(2), [0.5, 0.5]),
    ([-1e4, 0], 0, [0, 1]),
    ([-3e38, -3e38], -3e38, [0.5, 0.5]),
    ([-INF], -INF, [0]),
    ([7], 7, [1]),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("x", "y", "slopes"), LOGSUMEXP_LIMITS)
def test_logsumexp_at_its_limits(x: Any, y: float, slopes: Any, dtype: str) -> None:
    """Without a floating-point warning, and equal to SciPy's value."""
    with np.errstate(all="raise", under="ignore"):
        value, gradient = computed(ops.logsumexp, Tensor(x, dtype))
    np.testing.assert_allclose(value, y, rtol=1e-6)
    np.testing.assert_allclose(value, scipy.special.logsumexp(np.array(x, dtype)), rtol=1e-6)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-3)


@given(logits=hnp.arrays(np.float32, (2, 3), elements=st.floats(-1e4, 1e4, width=32)))
def test_the_gradient_of_logsumexp_is_softmax_up_to_1e4_in_float32(logits: Any) -> None:
    _, gradient = computed(lambda x: ops.logsumexp(x, -1), Tensor(logits))
    close(gradient, scipy.special.softmax(logits.astype(np.float64), axis=-1), 1e-6)


@pytest.mark.parametrize("op", [op for op, _ in REDUCTIONS.values()], ids=REDUCTIONS)
def test_axes_are_kept_only_where_that_is_asked_for(op: Any) -> None:
    x = Tensor(spread(0, (2, 3)))
    assert op(x).shape == () and op(x, 0).shape == (3,) and op(x, 0, True).shape == (1, 3)


# The checker knows a wrong derivative of each from the right one.


def with_pullback(op: Any, wrong: Any) -> Any:
    return lambda x: result(op(x).data, x.backend, (x, lambda dy: wrong(dy, x.data)))


WRONG_DERIVATIVES: dict[str, tuple[Any, Any]] = {
    "var, ddof forgotten": (
        lambda x: ops.var(x, ddof=1),
        lambda dy, x: dy * 2 * (x - x.mean()) / x.size,
    ),
    "var, mean forgotten": (ops.var, lambda dy, x: dy * 2 * x / x.size),
    "std, root forgotten": (ops.std, lambda dy, x: dy * 2 * (x - x.mean()) / x.size),
    "norm, length forgotten": (ops.norm, lambda dy, x: dy * x),
    "norm, of each row": (
        ops.norm,
        lambda dy, x: dy * x / np.linalg.norm(x, axis=1, keepdims=True),
    ),
    "logsumexp, sum forgotten": (ops.logsumexp, lambda dy, x: dy * np.exp(x - x.max())),
    "cumsum, forwards": (lambda x: ops.cumsum(x, 1), lambda dy, x: np.cumsum(dy, 1)),
    "cumsum, of the other axis": (
        lambda x: ops.cumsum(x, 1),
        lambda dy, x: np.flip(np.cumsum(np.flip(dy, 0), 0), 0),
    ),
    "broadcast_to, sum forgotten": (lambda x: ops.broadcast_to(x, (2, 3, 3)), lambda dy, x: dy[0]),
    "matrix times vector, transpose forgotten": (
        lambda x: x @ np.arange(3.0),
        lambda dy, x: np.outer(np.arange(3.0), dy),
    ),
}


@pytest.mark.parametrize(("op", "wrong"), WRONG_DERIVATIVES.values(), ids=WRONG_DERIVATIVES)
def test_a_wrong_derivative_is_rejected(op: Any, wrong: Any) -> None:
    check_gradients(op, Tensor(spread(0, (3, 3))))
    with pytest.raises(GradientError):
        check_gradients(with_pullback(op, wrong), Tensor(spread(0, (3, 3))))

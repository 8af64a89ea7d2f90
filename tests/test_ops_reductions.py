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

EXTREMES = {"max": (ops.max, np.max), "min": (ops.min, np.min)}
REDUCTIONS = {"sum": (ops.sum, np.sum), "mean": (ops.mean, np.mean), **EXTREMES}
SOFTMAXES = {
    "softmax": (ops.softmax, scipy.special.softmax),
    "log_softmax": (ops.log_softmax, scipy.special.log_softmax),
}


@pytest.mark.parametrize(("op", "reference"), REDUCTIONS.values(), ids=REDUCTIONS)
@given(data=st.data(), shape=shapes(), keepdims=st.booleans(), seed=seeds)
def test_over_any_axes(
    op: Any, reference: Any, data: st.DataObject, shape: Any, keepdims: bool, seed: int
) -> None:
    """One axis, several, all of them or none; an empty one has a sum but no mean or extreme."""
    n = len(shape)
    one = st.integers(-n, n - 1) if shape else st.nothing()
    axis = data.draw(st.none() | hnp.valid_tuple_axes(n) | one)
    reduced = range(n) if axis is None else np.atleast_1d(axis).astype(int)
    if op is not ops.sum and any(shape[i] == 0 for i in reduced):
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


@pytest.mark.parametrize("op", [ops.sum, ops.mean, ops.max, ops.softmax, ops.log_softmax])
@pytest.mark.parametrize(("shape", "axis"), [((2, 3), 2), ((2, 3), -3), ((), 0), ((2,), 1)])
def test_an_axis_that_does_not_exist_is_named_with_the_shape(
    op: Any, shape: Any, axis: Any
) -> None:
    with pytest.raises(InputError) as caught:
        op(Tensor(np.ones(shape)), axis)
    assert str(caught.value).startswith(f"{op.__name__} over axis {axis} of shape {shape}")


@pytest.mark.parametrize("op", [ops.sum, ops.mean, ops.max, ops.min])
@pytest.mark.parametrize("axis", [(0, 0), (0, -2), (1, -1)])
def test_an_axis_named_twice_is_refused(op: Any, axis: Any) -> None:
    with pytest.raises(InputError, match="named twice"):
        op(Tensor(np.ones((2, 3))), axis)


@pytest.mark.parametrize("axis", [[0], 0.0, "0"])
def test_an_axis_that_is_no_whole_number_is_refused(axis: Any) -> None:
    with pytest.raises(InputError, match="accepted are None, a whole number or a tuple"):
        ops.sum(Tensor([[1.0, 2.0]]), axis)

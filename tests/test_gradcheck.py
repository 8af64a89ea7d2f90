"""Test the tests: the checker must refuse every planted wrong gradient, and accept right ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import refused
from strategies import EVERY_OP, positive, seeds, shapes, spread

from scratchnet import InputError, Tensor, mlp, ops
from scratchnet.backends import NumpyBackend
from scratchnet.gradcheck import (
    STEP,
    GradientError,
    KinkError,
    UndecidedError,
    check_directional_gradient,
    check_gradients,
    numerical_gradients,
)
from scratchnet.losses import binary_cross_entropy
from scratchnet.tensor import result

Check = Callable[..., None]
both_checks = pytest.mark.parametrize("check", [check_gradients, check_directional_gradient])
SQUARE = Tensor(spread(0, (3, 3)))
FACTOR = Tensor(spread(1, (3, 3)))


def square(slope_at: Callable[[Any, Any], Any]) -> Callable[[Tensor], Tensor]:
    """x^2 with dL/dx = slope_at(dy, x), which should be 2 x dy."""
    return lambda x: result(x.data**2, x.backend, (x, lambda dy: slope_at(dy, x.data)))


def product(da: Callable[..., Any], db: Callable[..., Any]) -> Callable[[Tensor, Tensor], Tensor]:
    """a @ b with dL/da = da(dy, a, b) and dL/db = db(dy, a, b)."""
    return lambda a, b: result(
        a.data @ b.data,
        a.backend,
        (a, lambda dy: da(dy, a.data, b.data)),
        (b, lambda dy: db(dy, a.data, b.data)),
    )


def one_entry_off(dy: Any, x: Any) -> Any:
    gradient = 2 * x * dy
    gradient[1, 2] *= 0.999
    return gradient


def softmax_of(slope: float) -> Callable[[Tensor], Tensor]:
    return lambda x: result(ops.softmax(x).data, x.backend, (x, lambda dy: slope * dy))


class KeepsLastContribution(NumpyBackend):
    """A backend that makes backward() overwrite the gradient of a node that is used twice."""

    def add(self, a: Any, b: Any, out: Any = ...) -> Any:
        return self.copy(b, out=out)


OVERWRITTEN = Tensor(spread(0, (3, 3)), backend=KeepsLastContribution())

WRONG: dict[str, tuple[Callable[..., Tensor], list[Tensor]]] = {
    "scaled by 1.001": (square(lambda dy, x: 1.001 * 2 * x * dy), [SQUARE]),
    "scaled by 0.999": (square(lambda dy, x: 0.999 * 2 * x * dy), [SQUARE]),
    "one entry scaled by 0.999": (square(one_entry_off), [SQUARE]),
    "the other sign": (square(lambda dy, x: -2 * x * dy), [SQUARE]),
    "zero": (square(lambda dy, x: 0 * dy), [SQUARE]),
    "not a number": (square(lambda dy, x: np.nan * dy), [SQUARE]),
    "a use overwritten": (square(lambda dy, x: x * dy), [SQUARE]),
    "a use overwritten by the walk": (lambda x: x * ops.tanh(x), [OVERWRITTEN]),
    "first transpose missing": (
        product(lambda dy, a, b: dy @ b, lambda dy, a, b: a.T @ dy),
        [SQUARE, FACTOR],
    ),
    "second transpose missing": (
        product(lambda dy, a, b: dy @ b.T, lambda dy, a, b: a @ dy),
        [SQUARE, FACTOR],
    ),
    "the two factors swapped": (
        product(lambda dy, a, b: a.T @ dy, lambda dy, a, b: dy @ b.T),
        [SQUARE, FACTOR],
    ),
    "incoming gradient ignored": (lambda x: square(lambda dy, x: 2 * x)(x) * 3.0, [SQUARE]),
    "zero for softmax, whose outputs sum to 1": (softmax_of(0.0), [SQUARE]),
    "the same for every input of softmax": (softmax_of(1 / 3), [SQUARE]),
    "cut by detach": (lambda x: x * x.detach(), [SQUARE]),
}


@both_checks
@pytest.mark.parametrize(("function", "tensors"), WRONG.values(), ids=WRONG)
def test_rejects_a_planted_wrong_gradient(
    check: Check, function: Any, tensors: list[Tensor]
) -> None:
    with pytest.raises(GradientError):
        check(function, *tensors)


@pytest.mark.usefixtures("undiagnosed")
@both_checks
@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("error", [0.0, 0.999, 1.001, 2.0])
def test_rejects_wrong_factors_whatever_the_size_of_the_function(
    check: Check, error: float, scale: float
) -> None:
    """A tolerance that is not relative accepts every gradient of a small function."""

    def wrong(x: Tensor) -> Tensor:
        return square(lambda dy, x: error * 2 * x * dy)(x) * scale

    with pytest.raises(GradientError):
        check(wrong, SQUARE)
    check(lambda x: x * x * scale, SQUARE)


@both_checks
@pytest.mark.parametrize(
    "returned", [lambda dy: dy, lambda dy: dy.sum(axis=0), lambda dy: dy.sum()]
)
def test_rejects_a_forgotten_sum_over_the_broadcast_axis(check: Check, returned: Any) -> None:
    """Whether NumPy could broadcast the gradient to the tensor's shape or not."""
    x, row = Tensor(spread(0, (2, 3))), Tensor(spread(1, (1, 3)))

    def add(x: Tensor, row: Tensor) -> Tensor:
        return result(x.data + row.data, x.backend, (x, lambda dy: dy), (row, returned))

    with pytest.raises(GradientError, match=r"tensor 1 has shape .*\(1, 3\): a forgotten sum"):
        check(add, x, row)


@both_checks
def test_one_tensor_may_be_given_twice(check: Check) -> None:
    check(ops.multiply, SQUARE, SQUARE)


def test_names_the_worst_entry_and_both_values() -> None:
    with pytest.raises(GradientError, match=r"tensor 0 at \(1, 2\) is .*difference quotient"):
        check_gradients(square(one_entry_off), SQUARE)


@both_checks
@pytest.mark.parametrize(
    "op",
    [f for n, f in EVERY_OP.items() if n != "threshold"],
    ids=[n for n in EVERY_OP if n != "threshold"],
)
@given(seed=seeds)
@settings(max_examples=5)
def test_accepts_every_op(check: Check, op: Any, seed: int) -> None:
    check(op, Tensor(positive(seed, (3, 4))), Tensor(positive(seed + 1, (3, 4), 0.02)))


@both_checks
def test_accepts_a_whole_network_with_its_loss(check: Check) -> None:
    model = mlp([2, 5, 5, 1], "tanh", batch_norm=True, residual=True, dtype="float64")
    X, y = spread(0, (8, 2)), np.arange(8) % 2
    check(lambda *parameters: binary_cross_entropy(model(X), y), *model.parameters())


@both_checks
@given(shape=shapes())
def test_accepts_empty_tensors_and_tensors_that_are_not_used(check: Check, shape: Any) -> None:
    x = Tensor(spread(0, shape))
    check(lambda x, unused: x * x, x, Tensor(np.ones(2)))


@given(
    x=st.floats(-3, 3), power=st.sampled_from([2, 3, 4]), scale=st.sampled_from([1e-3, 1.0, 1e3])
)
def test_numerical_gradients_of_powers(x: float, power: int, scale: float) -> None:
    (slope,) = numerical_gradients(lambda t: (t**power) * scale, Tensor(np.array([x])))
    assert slope[0] == pytest.approx(scale * power * x ** (power - 1), rel=1e-6, abs=1e-6 * scale)


# Kinks and jumps at 0; `distance` is that of the point from there, in units of STEP.

KINKED: dict[str, Callable[[Tensor], Tensor]] = {
    "|x|": ops.absolute,
    "relu": ops.relu,
    "leaky relu": ops.leaky_relu,
    "1000 relu": lambda x: ops.relu(x) * 1000.0,
    "relu + 100 x": lambda x: ops.relu(x) + 100.0 * x,
    "max(x, -x)": lambda x: ops.maximum(x, -x),
    "clip": lambda x: ops.clip(x, 0.0, 1.0),
    "jump": ops.threshold,
    "jump with a slope": lambda x: ops.threshold(x) + ops.exp(x),
    "jump of 0.001": lambda x: ops.threshold(x) * 1e-3,
    "0.0001 relu": lambda x: ops.relu(x) * 1e-4,
}


@pytest.mark.parametrize("at", [0.0, 1.0, -1e4])
@pytest.mark.parametrize("function", KINKED.values(), ids=KINKED)
@both_checks
def test_a_kink_or_a_jump_at_the_point_is_reported(check: Check, function: Any, at: float) -> None:
    with pytest.raises(KinkError, match="tensor 0 at|the random direction"):
        check(lambda x: function(x - at), Tensor(np.array([at])))


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("distance", [0.05, -0.3, 0.6, -0.9, -3.0, 1.5, 100.0])
@pytest.mark.parametrize("function", KINKED.values(), ids=KINKED)
@pytest.mark.parametrize("at", [0.0, 1.0])
@both_checks
def test_a_kink_beside_the_point_does_no_harm(
    check: Check, at: float, function: Any, distance: float
) -> None:
    """The right gradient is accepted, that of the other side of the kink is not."""
    point = Tensor(np.array([at + distance * STEP]))
    check(lambda x: function(x - at), point)

    def slope_beyond(dy: Any) -> Any:
        beyond = Tensor(2 * at - point.data)
        function(beyond - at).backward()
        return dy * beyond.grad

    def wrong(x: Tensor) -> Tensor:
        return result(function(x - at).data, x.backend, (x, slope_beyond))

    if function not in (KINKED["jump"], KINKED["jump of 0.001"], KINKED["jump with a slope"]):
        with pytest.raises(GradientError):
            check(wrong, point)


# Sizes.

SCALES = [1e-8, 1e-4, 1.0, 1e4, 1e8]
SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": ops.tanh,
    "exp": ops.exp,
    "sin": ops.sin,
    "softmax": ops.softmax,
    "x^3": lambda x: x * x * x,
    "sum of squares": lambda x: (x * x).sum(),
}


def with_gradient(
    function: Callable[..., Tensor], changed: Callable[[Any], Any]
) -> Callable[..., Tensor]:
    """The function, whose gradients are changed."""
    return lambda *tensors: function(*[result(t.data, t.backend, (t, changed)) for t in tensors])


def one_percent_in_one_entry(dx: Any) -> Any:
    return dx * (1 + 0.01 * (np.arange(dx.size).reshape(dx.shape) == 0))


CHANGED = {
    "sign": lambda dx: -dx,
    "1.01": lambda dx: 1.01 * dx,
    "0": lambda dx: 0 * dx,
    "one entry": one_percent_in_one_entry,
}


def assert_told_apart(function: Callable[..., Tensor], *tensors: Tensor) -> None:
    """The right gradient is accepted, every changed one is not."""
    check_gradients(function, *tensors)
    for change in CHANGED.values():
        with pytest.raises(GradientError):
            check_gradients(with_gradient(function, change), *tensors)


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("values", SCALES)
@pytest.mark.parametrize("inputs", SCALES)
@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_right_and_wrong_are_told_apart_at_every_size(
    function: Any, inputs: float, values: float
) -> None:
    assert_told_apart(
        lambda x: function(x * (1 / inputs)) * values, Tensor(spread(0, (3,)) * inputs)
    )


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("constant", [1.0, 1e4, 1e8, -1e8])
@pytest.mark.parametrize(
    "function", [lambda x: x, ops.tanh, lambda x: x * 1e-3], ids=["x", "tanh", "x/1000"]
)
def test_a_large_constant_does_not_hide_a_wrong_gradient(function: Any, constant: float) -> None:
    assert_told_apart(lambda x: function(x) + constant, Tensor(np.array([0.3, -1.2])))


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("point", [1e-8, 1e-6, 1e-3, 1.0, 1e8])
@pytest.mark.parametrize(
    "function", [ops.log, ops.sqrt, lambda x: 1.0 / x, lambda x: 1.0 / (x * x)]
)
def test_points_near_a_singularity_are_told_apart(function: Any, point: float) -> None:
    assert_told_apart(function, Tensor(np.array([point, 3 * point])))


@pytest.mark.usefixtures("undiagnosed")
def test_entries_of_one_tensor_may_differ_in_size() -> None:
    assert_told_apart(ops.log, Tensor(np.array([1e-6, 1.0, 1e3])))
    assert_told_apart(lambda x: x * x, Tensor(np.array([1e-4, 1.0, 1e4])))


@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda x: x + 1e16, 1.0),
        (with_gradient(lambda x: x + 1e16, lambda dx: 0 * dx), 1.0),
        (lambda x: x + 1e12, 1.0),
        (lambda x: ops.tanh(x) * 1e-12 + 1.0, 0.5),
    ],
)
@both_checks
def test_what_rounding_hides_is_not_accepted(check: Check, function: Any, point: float) -> None:
    with pytest.raises(UndecidedError, match="cannot be decided: the slope is .* rounding error"):
        check(function, Tensor(np.array([point, point / 3])))


def test_a_tensor_without_effect_beside_a_large_function_is_accepted() -> None:
    check_gradients(lambda x, unused: x * 1e8, Tensor(np.ones(2)), Tensor(np.ones(2)))


def test_the_entry_at_the_kink_is_named() -> None:
    x = Tensor(np.array([[1.0, 2.0], [0.0, 3.0]]))
    with pytest.raises(KinkError, match=r"tensor 1 at \(1, 0\)"):
        check_gradients(lambda a, b: a * ops.relu(b), Tensor(np.ones((2, 2))), x)


@both_checks
@pytest.mark.parametrize(
    ("function", "point"),
    [
        (lambda x: ops.exp(x * 10.0), 1.0),
        (lambda x: 1.0 / x, 0.02),
        (lambda x: ops.log(x), 0.003),
        (lambda x: ops.sqrt(x), 0.003),
        (lambda x: ops.tanh(x * 50.0), 0.01),
        (lambda x: ops.sigmoid(x * 100.0), 0.0),
        (lambda x: ops.softplus(x * 100.0), 0.0),
        (lambda x: x**8, 3.0),
        (lambda x: x * x * 1e6, 0.0),
    ],
)
def test_strong_curvature_is_no_kink(check: Check, function: Any, point: float) -> None:
    check(function, Tensor(np.array([point])))


# Manners.


@both_checks
def test_float32_is_refused(check: Check) -> None:
    with pytest.raises(InputError, match="tensor 1 is float32.*float64"):
        check(lambda a, b: ops.exp(b), SQUARE, Tensor(np.ones((3, 3), np.float32)))


def test_numerical_gradients_of_float32_are_refused() -> None:
    x = Tensor(np.ones((3, 3), np.float32))
    with pytest.raises(InputError, match="tensor 0 is float32: differences need float64"):
        numerical_gradients(ops.exp, x)
    assert x.data.tolist() == np.ones((3, 3)).tolist()


@both_checks
def test_a_function_that_is_not_finite_is_refused(check: Check) -> None:
    with np.errstate(all="ignore"), pytest.raises(InputError, match="not finite|kink or a jump"):
        check(ops.log, Tensor(np.array([-1.0])))


@both_checks
@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x * y,
        lambda x, y: ops.relu(x) * y.detach(),
        lambda x, y: ops.relu(x - x.data[0, 0]) * y,
        lambda x, y: x @ np.ones((5, 5)),
    ],
    ids=["right", "wrong", "kink", "fails"],
)
def test_data_and_gradients_are_left_as_they_were(check: Check, function: Any) -> None:
    """Also after a failure: the bits of data, and the identity of grad, which may be a view."""
    x, y = Tensor(spread(0, (2, 3))), Tensor(spread(1, (2, 3)))
    x.grad = buffer = np.full((2, 3), 7.0)
    arrays = [x.data, y.data]
    before = [array.copy() for array in arrays]
    try:
        check(function, x, y)
    except (GradientError, InputError):
        pass
    assert x.data is arrays[0] and y.data is arrays[1] and x.grad is buffer and y.grad is None
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))
    assert (buffer == 7.0).all()


def test_differences_are_taken_in_float64_alone() -> None:
    narrow = Tensor(spread(0, (2, 2)), "float32")
    for function in (lambda a, b: a + b, lambda a, b: b.sum()):
        with refused("tensor 1 is float32"):
            numerical_gradients(function, Tensor(spread(0, (2, 2))), narrow)


@pytest.mark.usefixtures("undiagnosed")
@both_checks
@pytest.mark.parametrize("seed", range(10))
def test_a_slope_of_0_that_is_left_of_cancellation_is_accepted(check: Check, seed: int) -> None:
    """Its roundings are those of numbers on the way, larger than the function's value."""
    x = Tensor(spread(seed, (3, 1)))

    def centred(x: Tensor) -> Tensor:
        y = -(x + np.zeros((3, 3)))
        return ops.tanh(y - y.mean(axis=-1, keepdims=True)) + (x - x.mean(axis=-1, keepdims=True))

    check(centred, x)
    with pytest.raises(GradientError):
        check(lambda x: centred(x) + (x - x.detach()) * 1e-3 + (x.detach() - x) * 1.01e-3, x)


CANCELLING = {
    "tanh of the mean of centred numbers": lambda x: ops.tanh(ops.mean(x - ops.mean(x))),
    "exp of a sum that is 0": lambda x: ops.exp(ops.sum(x - ops.mean(x))),
    "a sum of probabilities": lambda x: ops.sum(ops.softmax(x)),
    "a constant from two waves": lambda x: ops.sin(x) * ops.sin(x) + ops.cos(x) * ops.cos(x),
    "centred numbers beside a large one": lambda x: (x + 1e4) - ops.mean(x + 1e4),
    "normalised": lambda x: (x - ops.mean(x)) / ops.sqrt(ops.var(x) + 1e-5),
}


@both_checks
@pytest.mark.parametrize("function", CANCELLING.values(), ids=CANCELLING)
@pytest.mark.parametrize("seed", range(5))
def test_roundings_that_cancellation_leaves_are_no_slopes(
    check: Check, function: Any, seed: int
) -> None:
    """They are those of numbers on the way, which the outputs do not show."""
    check(function, Tensor(spread(seed, (5,))))


@pytest.mark.parametrize("check", [check_gradients, check_directional_gradient])
def test_a_models_gradients_are_as_before_the_check(check: Check) -> None:
    model = mlp([2, 3, 1], activation="tanh", dtype="float64", seed=1)
    X, last = np.random.default_rng(0).standard_normal((4, 2)), model.parameters()[-1]
    last.sum().backward()
    before = model.gradient_buffer.copy()
    check(lambda *_: model(X), *model.parameters())
    assert model.gradient_buffer.tobytes() == before.tobytes()
    assert model.take_reached() == [each is last for each in model.parameters()]

"""At kinks the diagnosis finds masks that are open there, and blames no subgradient."""

import numpy as np
import pytest

from scratchnet import Tensor, ops
from scratchnet.backends import InputError
from scratchnet.gradcheck import explain_gradient, explain_pullback

X = np.array([[-1.0, 2.0, 0.5], [0.3, -0.7, 1.1]])
TIES = np.array([[1.0, 1.0, 0.0], [2.0, 3.0, 3.0]])


def relu(x):
    return np.maximum(x, 0)


def largest(x):
    return x.max(1, keepdims=True)


def prelu(x, slope):
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize(
    "forward, pullback, must_be",
    [
        (relu, lambda dy, x: dy * (x >= 0), "0"),
        (lambda x: np.minimum(x, 0), lambda dy, x: dy * (x <= 0), "0"),
        (lambda x: 3 * relu(x), lambda dy, x: 3 * dy * (x >= 0), "0"),
        (abs, lambda dy, x: np.where(x >= 0, dy, -dy), "0"),
        (abs, lambda dy, x: np.where(x > 0, dy, -dy), "0"),
        (lambda x: prelu(x, 0.25), lambda dy, x: dy * np.where(x >= 0, 1, 0.25), "0.25"),
    ],
)
def test_a_mask_that_is_open_at_0_is_found(forward, pullback, must_be):
    (found,) = explain_pullback(forward, pullback, X)
    assert found.mistake == "open at the kink"
    assert found.sentence.endswith(f"must be {must_be}")
    assert ", where the input is 0" in found.evidence


def test_a_kink_that_the_given_inputs_lie_on():
    target = np.arange(6.0).reshape(2, 3)

    def error(x):
        return abs(x - target).mean()

    def pullback(dy, x):
        return dy * np.where(x >= target, 1, -1) / x.size

    at_kink = np.where(target > 2, target, 7.5)
    (found,) = explain_pullback(error, pullback, at_kink)
    assert found.mistake == "open at the kink"
    right = explain_pullback(error, lambda dy, x: dy * np.sign(x - target) / x.size, at_kink)
    assert right == []


def test_entries_that_tie_must_share():
    (found,) = explain_pullback(largest, lambda dy, x: dy * (x == largest(x)), TIES)
    assert found.mistake == "open at the kink"
    assert "2 entries tie, and their gradients add up to 2 times dL/dy" in found.sentence


def test_what_lies_beside_both_slopes_is_wrong():
    (found,) = explain_pullback(relu, lambda dy, x: np.where(x == 0, 7 * dy, dy * (x > 0)), X)
    assert found.mistake is None
    assert found.sentence.endswith("it is 7, where the slopes on the two sides are 0 and 1: "
                                   "must be between them")  # fmt: skip


def shared(dy, x):
    ties = x == largest(x)
    return dy * ties / ties.sum(1, keepdims=True)


def first(dy, x):
    return dy * (np.arange(x.shape[1]) == x.argmax(1)[:, None])


@pytest.mark.parametrize(
    "forward, pullback, x",
    [
        (relu, lambda dy, x: dy * (x > 0), X),
        (relu, lambda dy, x: dy * ((x > 0) + 0.5 * (x == 0)), X),
        (abs, lambda dy, x: dy * np.sign(x), X),
        (lambda x: prelu(x, 2.0), lambda dy, x: dy * np.where(x > 0, 1, 2.0), X),
        (lambda x: np.clip(x, 0, 1), lambda dy, x: dy * ((x >= 0) & (x <= 1)), X),
        (lambda x: np.clip(x, 0, 1), lambda dy, x: dy * ((x > 0) & (x < 1)), X),
        (lambda x: np.clip(x, 0, 9), lambda dy, x: dy * ((x >= 0) & (x <= 9)), X),
        (lambda x: np.clip(x, -0.7, None), lambda dy, x: dy * (x >= -0.7), X),
        (np.sign, lambda dy, x: 0 * dy, X),
        (lambda x: x * abs(x), lambda dy, x: 2 * dy * abs(x), X),
        (largest, shared, TIES),
        (largest, first, TIES),
    ],
)
def test_no_subgradient_is_blamed(forward, pullback, x):
    for inputs in (x, np.zeros((2, 3)), np.where(x > 0.4, x, 0)):
        assert explain_pullback(forward, pullback, inputs) == []


@pytest.mark.parametrize(
    "function",
    [
        ops.relu,
        ops.absolute,
        lambda x: ops.clip(x, 0),
        lambda x: ops.maximum(x, 0.0),
        lambda x: ops.leaky_relu(x, 2.0),
        lambda x: ops.where(x.data >= 0, x, -x),
        lambda x: 2.0 * ops.relu(x) - ops.relu(-x),
        lambda x: ops.max(x, 1),
    ],
)
@pytest.mark.parametrize("x", [X, TIES, np.zeros((2, 3))])
def test_the_engine_takes_what_it_takes_at_kinks(function, x):
    assert explain_gradient(function, Tensor(x, requires_grad=True)) == []


def test_the_reference_says_what_is_right_at_a_kink():
    def closed(x):
        return ops.relu(x)

    def opened(x):
        return ops.clip(x, 0)

    x = Tensor(X, requires_grad=True)
    (found,) = explain_gradient(opened, x, reference=closed)
    assert found.mistake == "open at the kink"
    (found,) = explain_gradient(closed, x, reference=opened)
    assert found.sentence == "at the kink itself the gradient is another than it should be"


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def softmax_pullback(dy, x):
    y = softmax(x)
    return y * (dy - (dy * y).sum(-1, keepdims=True))


@pytest.mark.parametrize("scale", [50, 100, 300, 1000])
def test_a_saturated_softmax_is_linear_but_for_rounding(scale):
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((2, 3)) * scale
        assert explain_pullback(softmax, softmax_pullback, x, seed=seed) == []
    for x in ([[40.0, 0.0, -40.0]], [[1000.0, 0.0, 5.0]]):
        tensor = Tensor(x, requires_grad=True)
        for reference in (None, ops.softmax):
            assert explain_gradient(ops.softmax, tensor, reference=reference) == []
    (found,) = explain_pullback(lambda x: 1e-9 * x * x, lambda dy, x: 2e-9 * x * dy * dy, X)
    assert "not linear" in found.sentence


@pytest.mark.parametrize("offset, slope", [(1.0, 1e-8), (1.0, 1e-9), (1.0, 1e-10), (1e3, 1e-6)])
def test_rounding_is_no_kink(offset, slope):
    for seed in range(6):
        x = np.random.default_rng(seed).standard_normal((2, 3))
        found = explain_pullback(lambda x: offset + slope * x, lambda dy, x: slope * dy, x)
        assert found == []


def argsort_pullback(dy, x):
    gradient = np.zeros(x.shape)
    gradient[np.argsort(x, kind="stable")] = dy
    return gradient


def range_pullback(dy, x):
    gradient, rows, order = np.zeros(x.shape), np.arange(len(x)), np.argsort(x, 1, kind="stable")
    gradient[rows, order[:, -1]] += dy
    gradient[rows, order[:, 0]] -= dy
    return gradient


@pytest.mark.parametrize(
    "forward, pullback, x",
    [
        (np.sort, argsort_pullback, [1.0, 1.0, 1.0, 2.0]),
        (np.sort, argsort_pullback, [0.0, 0.0, 0.0, 0.0]),
        (lambda x: np.ptp(x, 1), range_pullback, [[1.0, 1.0], [2.0, 3.0]]),
        (lambda x: np.ptp(x, 1), range_pullback, [[1.0, 1.0, 1.0], [2.0, 3.0, 3.0]]),
        (lambda x: abs(x[0] - x[1]), lambda dy, x: np.array([dy, -dy]), [1.0, 1.0]),
    ],
)
def test_of_equal_entries_any_order_may_be_taken(forward, pullback, x):
    def signed(dy, x):
        return pullback(dy if x.ndim > 1 or dy.ndim or x[0] >= x[1] else -dy, x)

    assert explain_pullback(forward, signed, x) == []
    (found,) = explain_pullback(lambda x: abs(x).sum(), lambda dy, x: dy * (2 * (x >= 0) - 1.0), X)
    assert found.mistake == "open at the kink"


@pytest.mark.parametrize(
    "function, x",
    [
        (lambda x: ops.relu(x) - ops.relu(-x), [0.0, 1.0, -1.0, 0.0]),
        (lambda x: ops.relu(x) - ops.relu(-x), [0.0, 1.0, -1.0]),
        (lambda x: ops.clip(x, 0.0, 1.0) + ops.clip(x, 1.0, 2.0), [1.0, 0.5, 1.5]),
    ],
)
def test_kinks_of_the_engine_that_cancel_are_not_blamed(function, x):
    assert explain_gradient(function, Tensor(x, requires_grad=True)) == []


def exp_in_float32(x):
    return np.exp(x.astype("float32"))


def cancelling(offset):
    return lambda x: (x + offset) - offset


@pytest.mark.parametrize("x", [X, 100 * X, [0.0, 1.0, 2.0]])
@pytest.mark.parametrize("offset", [1e5, 1e6, 1e7, 1e8])
def test_what_cancels_inside_leaves_rounding(x, offset):
    assert explain_pullback(cancelling(offset), lambda dy, x: dy, x) == []
    (found,) = explain_pullback(cancelling(1e5), lambda dy, x: 2 * dy, x)
    assert found.mistake == "constant factor"


def test_a_function_in_float32_is_known_to_no_more_digits():
    assert explain_pullback(exp_in_float32, lambda dy, x: dy * np.exp(x), X) == []


@pytest.mark.parametrize("size", [1e2, 1e4, 3e4, 1e5, 1e6, 1e8])
def test_steps_that_span_periods_say_nothing(size):
    for seed in range(6):
        x = size * np.random.default_rng(seed).standard_normal((2, 3))
        assert explain_pullback(np.cos, lambda dy, x: -dy * np.sin(x), x, seed=seed) == []
    found, *_ = explain_pullback(np.cos, lambda dy, x: dy * np.sin(x), 1e3 * X)
    assert found.mistake == "sign"


@pytest.mark.parametrize(
    "given, seed, message",
    [
        ([1.0, np.inf], 0, "array 0 contains inf: must be finite"),
        ([1.0, np.nan], 0, "array 0 contains nan: must be finite"),
        ("abc", 0, "array 0 has type <U3: must be an array of real numbers"),
        ([None], 0, "array 0 has type object: must be an array of real numbers"),
        ([1j], 0, "array 0 has type complex128: must be an array of real numbers"),
        ([[1.0], [1.0, 2.0]], 0, "array 0 is a ragged list: must be an array of real numbers"),
        ([1.0], -1, "seed is -1: must be an integer of 0 or more"),
        ([1.0], 0.5, "seed is 0.5: must be an integer of 0 or more"),
    ],
)
def test_arrays_that_are_none_get_one_sentence(given, seed, message):
    with pytest.raises(InputError) as raised:
        explain_pullback(np.sin, lambda dy, x: dy * np.cos(x), given, seed=seed)
    assert str(raised.value) == message


def test_tensors_that_are_not_finite_get_one_sentence():
    with pytest.raises(InputError, match="tensor 1 contains inf: must be finite"):
        explain_gradient(ops.add, Tensor([1.0]), Tensor([np.inf], requires_grad=True))


def test_the_largest_range_is_drawn_from():
    assert explain_pullback(np.tanh, lambda dy, x: dy / np.cosh(x) ** 2, [-1e308, 1e308]) == []


def test_the_rounding_of_slopes_that_cancel_is_no_fault():
    def centred(x):
        return ops.sum(x - ops.mean(x, -1, keepdims=True), -1)

    x = Tensor(np.array([-0.47, 0.3, 1.1]))
    assert [explain_gradient(centred, x, seed=seed) for seed in range(4)] == [[]] * 4

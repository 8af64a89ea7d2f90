"""The diagnosis of wrong gradients names the planted mistakes, and blames nothing that is right."""

import re

import numpy as np
import pytest
from planted_gradients import GRAPHS, PLANTED, WALKS, right_walk

from scratchnet import Tensor
from scratchnet.gradcheck import (
    GradientError,
    check_gradients,
    explain_gradient,
    explain_pullback,
    explain_walk,
)
from scratchnet.tensor import result


def named(found) -> list[str | None]:
    return [each.mistake for each in found]


def test_the_planted_mistakes_are_named():
    """For 90 % the planted name is among at most two answers, for 2 % at most among none."""
    among_two, among_none = 0, []
    for planted in PLANTED:
        found = explain_gradient(planted.function, *planted.tensors, reference=planted.reference)
        assert {each.argument for each in found} <= {planted.argument}
        among_two += planted.mistake in named(found) and len(found) <= 2
        among_none += [] if planted.mistake in named(found) else [planted]
    assert among_two >= 0.9 * len(PLANTED)
    assert len(among_none) <= 0.02 * len(PLANTED), among_none


@pytest.mark.parametrize("graph, mistake, walk", WALKS)
def test_the_planted_walks_are_named(graph, mistake, walk):
    assert named(explain_walk(walk, GRAPHS[graph]())) == [mistake]


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_right_walk_is_not_blamed(graph):
    assert explain_walk(right_walk, GRAPHS[graph]()) == []


def recursive_walk(last: Tensor) -> dict[Tensor, np.ndarray]:
    """Sends a node's gradient on each time that something was added to it."""
    gradients: dict[Tensor, np.ndarray] = {}

    def send(node: Tensor, dy: np.ndarray) -> None:
        gradients[node] = gradients[node] + dy if node in gradients else dy
        for parent, pullback in node.inputs:
            send(parent, pullback(gradients[node]))

    send(last, np.ones(last.shape))
    return gradients


def test_a_walk_in_a_wrong_order_is_no_mistake_of_storing():
    (found,) = explain_walk(recursive_walk, GRAPHS["residual"]())
    assert found.mistake is None
    assert "sent its gradient on before all of its consumers had sent theirs" in found.sentence
    assert explain_walk(recursive_walk, GRAPHS["twice"]()) == []


def test_a_walk_may_leave_its_gradients_in_the_leaves():
    def walk(last: Tensor) -> None:
        for node, gradient in right_walk(last).items():
            node.grad = -gradient

    result = GRAPHS["twice"]()
    assert named(explain_walk(Tensor.backward, result)) == []
    assert named(explain_walk(walk, result)) == [None]


@pytest.mark.parametrize(
    "pullback, mistake",
    [
        (lambda dy, x, y: (dy * y, dy * x), []),
        (lambda dy, x, y: (dy * y, -dy * x), ["sign"]),
        (lambda dy, x, y: (y, dy * x), ["incoming gradient ignored"]),
        (lambda dy, x, y: (dy * x, dy * x), [None]),
    ],
)
def test_pullbacks_by_hand(pullback, mistake):
    found = explain_pullback(lambda x, y: x * y, pullback, np.ones((2, 2)), np.ones((2, 2)))
    assert named(found) == mistake


@pytest.mark.parametrize(
    "pullback, sentence",
    [
        (lambda dy, x: None, "the pullback returns None: must be an array of real numbers"),
        (lambda dy, x: 1 / 0, "the pullback raises ZeroDivisionError: division by zero"),
        (lambda dy, x: (dy, dy), "the pullback returns 2 gradients: must be 1, one per input"),
        (
            lambda dy, x: {},
            "the pullback returns a value of type dict: must be an array of real numbers",
        ),
        (lambda dy, x: dy * np.nan, "the gradient is not finite where the function is"),
    ],
)
def test_faults_of_a_pullback_are_a_sentence_each(pullback, sentence):
    (found,) = explain_pullback(np.exp, pullback, np.ones(3))
    assert (found.mistake, found.sentence) == (None, sentence)


class Unreadable:
    def __array__(self, *settings: object) -> np.ndarray:
        raise RuntimeError


ODD = {
    "truth value": lambda found: True,
    "truth values": lambda found: found > 0,
    "unsigned": lambda found: np.abs(found).astype("uint8"),
    "float16": lambda found: found.astype("float16"),
    "ragged": lambda found: [[1.0], [1.0, 2.0]],
    "type": lambda found: np.float32,
    "unreadable": lambda found: Unreadable(),
    "stacked": lambda found: np.array([found, found]),
    "raveled": lambda found: found.ravel(),
    "none": lambda found: found[:0],
    "huge": lambda found: 1e300 * found,
    "words": lambda found: found.astype(str),
}


@pytest.mark.parametrize("shape", [(3, 4), (4, 4)])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_nothing_is_raised_whatever_is_returned(odd, shape):
    """Neither for a pullback nor for a function; what is wrong is said in one line."""
    x = np.random.default_rng(0).standard_normal(shape)

    def pullback(dy, x):
        return dy * (1 - np.tanh(x) ** 2)

    found = explain_pullback(np.tanh, lambda dy, x: odd(pullback(dy, x)), x)
    assert found and all(each.sentence and "\n" not in str(each) for each in found)
    explain_pullback(lambda x: odd(np.tanh(x)), pullback, x)


def test_check_gradients_says_which_mistake_it_is():
    def exp(x: Tensor) -> Tensor:
        return result(np.exp(x.data), x.backend, (x, lambda dy: -dy * np.exp(x.data)))

    with pytest.raises(GradientError, match="quotient .*; the gradient has the wrong sign$"):
        check_gradients(exp, Tensor(np.array([0.5, 1.0])))


def test_a_pullback_that_is_right_for_the_given_shapes_alone_is_not_blamed():
    """The function may work with others, and compute something else without an error."""
    labels = np.array([0, 1, 2, 0])

    def loss(z):
        return -np.mean(z[np.arange(4), labels])

    def pullback(dy, z):
        dz = np.zeros(z.shape)
        dz[np.arange(4), labels] = -dy / len(z)
        return dz

    assert explain_pullback(loss, pullback, np.ones((4, 4))) == []


def test_distinct_shapes_tell_what_a_square_hides():
    (found,) = explain_pullback(np.exp, lambda dy, x: (dy * np.exp(x)).T, np.ones((3, 3)))
    assert found.mistake == "transposed"
    assert found.evidence == "shape (3, 5), should be (5, 3)"


def test_a_value_that_another_call_changes_is_found():
    kept = np.zeros(3)

    def square(x: Tensor) -> Tensor:
        kept[...] = x.data
        return result(x.data**2, x.backend, (x, lambda dy: 2 * kept * dy))

    assert named(explain_gradient(square, Tensor(np.array([1.0, 2.0, 3.0])))) == ["changed later"]


def test_evidence_has_the_numbers_of_one_entry():
    (found,) = explain_pullback(lambda x: x * x, lambda dy, x: 2 * x, np.array([[1.0, -2.0, 3.0]]))
    assert found.mistake == "incoming gradient ignored"
    assert re.fullmatch(
        r"got -?[\d.e-]+ at \(\d, \d\) of shape \(5, 3\), should be -?[\d.e-]+, where the input is "
        r"-?[\d.]+",
        found.evidence,
    )


def test_what_nothing_explains_is_said_with_its_place():
    def column(dy, x):
        dx = 2 * x * dy
        dx[:, 1] *= 1.5
        return dx

    (found,) = explain_pullback(np.square, column, np.arange(20.0).reshape(5, 4))
    assert found.mistake is None
    assert found.sentence.endswith(
        "1 to 1.5 times what they should be, by factors that differ along axis 1 of y"
    )

    def first_row(dy, x, w):
        dw = x.T @ dy
        dw[0] = x[0] @ x.T @ dy
        return dy @ w.T, dw

    inputs = (np.arange(12.0).reshape(4, 3) / 7, np.ones((3, 5)))
    (found,) = explain_pullback(lambda x, w: x @ w, first_row, *inputs)
    assert (found.mistake, found.argument) == (None, 1)
    assert ": it is wrong at index 0 of axis 0 alone, " in found.sentence
    assert " of input 1, of shape (3, 5), should be " in found.evidence


@pytest.mark.parametrize(
    "forward, pullback, mistake, words",
    [
        (lambda x: np.abs(x).sum(), lambda dy, x: dy * x, "factor of an input", "|x| is too many"),
        (lambda x: x[:, ::-1] * 2, lambda dy, x: dy * 2, None, "in reverse order along axis 1"),
        (lambda x: x + np.sin(x) / 2, lambda dy, x: dy + dy * np.cos(x), "constant factor", "2"),
        (lambda x: x * 3, lambda dy, x: dy.astype(int) * 3, None, "to whole numbers"),
        (np.tanh, lambda dy, x: (dy / np.cosh(x) ** 2).astype("float16"), None, "to float16"),
        (np.cos, lambda dy, x: np.round(-dy * np.sin(x), 2), None, "to 2 decimals"),
    ],
)
def test_wrong_numbers_of_one_kind_get_their_own_name(forward, pullback, mistake, words):
    x = np.random.default_rng(3).standard_normal((5, 4))
    (found,) = explain_pullback(forward, pullback, x)
    assert found.mistake == mistake and words in found.sentence


def test_a_sum_over_too_many_axes_is_found_where_it_was_spread_again():
    def pullback(dy, x, b):
        return dy, np.full(b.shape, dy.sum())

    (found,) = explain_pullback(np.add, pullback, np.ones((5, 4)), np.ones(4))
    assert (found.mistake, found.argument) == ("wrong axis", 1)
    assert found.sentence == "the gradient was summed over axis 0 as well, and spread again"

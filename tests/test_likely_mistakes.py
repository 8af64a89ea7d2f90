"""The second set of wrong gradients is one: right ops, and mistakes that change a gradient."""

import numpy as np
import pytest
from likely_mistakes import LIKELY, NEW, X, softmax

from scratchnet import Tensor
from scratchnet.gradcheck import (
    MISTAKES,
    check_gradients,
    explain_gradient,
    explain_pullback,
)


@pytest.mark.parametrize("name", NEW)
def test_right_ops_are_right(name):
    op = NEW[name]
    rng = np.random.default_rng(0)
    moved = [x + 0.01 * rng.standard_normal(np.shape(x)) for x in op.inputs]  # off kinks and ties
    tensors = [Tensor(x, requires_grad=True) for x in moved]
    check_gradients(op.function(), *tensors)
    if op.graph is not None:
        np.testing.assert_allclose(op.graph(*tensors).numpy(), op.function()(*tensors).numpy())


@pytest.mark.parametrize("likely", LIKELY, ids=lambda p: f"{p.op}: {p.mistake}")
def test_mistakes_change_the_gradient(likely):
    assert likely.mistake in MISTAKES or likely.words
    if likely.mistake != "open at the kink" or likely.inputs:
        assert not np.array_equal(likely.gradient(), likely.gradient(right=True))


def test_the_mistakes_are_named():
    """Without a reference; all but a product of x with itself, and a hinge as a clip has it."""
    unnamed = set()
    for likely in LIKELY:
        found = explain_gradient(likely.function, *likely.tensors)
        names = [e.mistake for e in found if likely.words in e.sentence]
        if likely.mistake not in names or len(found) > 2:
            unnamed.add((likely.op, likely.mistake))
    assert unnamed <= {("quadratic form", "use forgotten"), ("hinge", "open at the kink")}


def test_probabilities_are_drawn_as_such():
    """p - t is right for targets that add up to 1, and for no others."""
    for targets in (np.eye(4)[[0, 2, 1, 3, 0]], np.full((5, 4), 0.25)):
        assert explain_pullback(cross_entropy, p_minus_t, X, targets) == []


def cross_entropy(z, t):
    return -np.mean((t * np.log(softmax(z))).sum(-1))


def p_minus_t(dy, z, t):
    return dy * (softmax(z) - t) / len(z), -dy * np.log(softmax(z)) / len(z)


@pytest.mark.parametrize(
    "forward, pullback, mistake",
    [
        (
            lambda x: x.max(1, keepdims=True),
            lambda dy, x: dy * np.ones_like(x),
            "mask forgotten",
        ),
        (lambda x: np.log(np.exp(x).sum(1)), lambda dy, x: dy[:, None] * np.ones_like(x), None),
    ],
)
def test_a_missing_mask_or_weight_is_no_part_of_a_sum(forward, pullback, mistake):
    assert [each.mistake for each in explain_pullback(forward, pullback, X)] == [mistake]

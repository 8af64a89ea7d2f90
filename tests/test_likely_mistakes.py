"""The second set of wrong gradients: the ops are right, and each mistake changes a gradient."""

import numpy as np
import pytest
from likely_mistakes import LIKELY, NEW, OPS, Likely
from planted_gradients import MISTAKES

from scratchnet import Tensor
from scratchnet.gradcheck import check_gradients


def gradient(likely: Likely, function) -> np.ndarray:
    """What the pullback of the argument gives for a random incoming gradient."""
    y = function(*likely.tensors)
    dy = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
    return np.asarray(y.inputs[likely.argument][1](dy))


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
        right = gradient(likely, OPS[likely.op].function())
        assert not np.array_equal(gradient(likely, likely.function), right)

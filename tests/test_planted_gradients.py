"""The planted mistakes are mistakes, and the ops that they are planted in are right."""

import numpy as np
import pytest
from fresh_mistakes import FRESH
from planted_gradients import GRAPHS, OPS, PLANTED, WALKS, Planted, right_walk

from scratchnet import Tensor
from scratchnet.gradcheck import MISTAKES, GradientError, check_gradients


def gradient(planted: Planted, function) -> np.ndarray:
    """What the pullback of the planted argument gives for a random incoming gradient."""
    y = function(*planted.tensors)
    dy = np.random.default_rng(0).uniform(0.5, 1.5, y.shape)
    return np.asarray(y.inputs[planted.argument][1](dy))


@pytest.mark.parametrize("name", OPS)
def test_right_ops_are_right(name):
    op = OPS[name]
    tensors = [Tensor(np.array(array), requires_grad=True) for array in op.inputs]
    check_gradients(op.function(), *tensors)
    if op.graph is not None:
        np.testing.assert_allclose(op.graph(*tensors).numpy(), op.function()(*tensors).numpy())


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: f"{p.op}: {p.mistake}")
def test_planted_mistakes_change_the_gradient(planted):
    wrong = gradient(planted, planted.function)
    right = gradient(planted, OPS[planted.op].function())
    assert wrong.dtype != right.dtype or not np.array_equal(wrong, right)
    if planted.mistake not in ("float32", "open at the kink"):
        with pytest.raises(GradientError):
            check_gradients(planted.function, *planted.tensors)


@pytest.mark.parametrize("graph, mistake, walk", WALKS)
def test_planted_walks_are_wrong(graph, mistake, walk):
    result = GRAPHS[graph]()
    right, wrong = right_walk(result), walk(result)
    leaves = [node for node in right if not node.inputs]
    assert any(not np.allclose(right[leaf], wrong[leaf]) for leaf in leaves)


def test_at_least_200_mistakes_and_one_of_every_kind():
    """A kind that was named later is in a later set."""
    planted = [p.mistake for p in PLANTED] + [mistake for _, mistake, _ in WALKS]
    assert len(planted) >= 200
    assert set(planted) <= set(MISTAKES)
    assert set(MISTAKES) - set(planted) <= {each.mistake for each in FRESH}

"""The third set of wrong gradients is one: right ops, and slips that change a gradient."""

import numpy as np
import pytest
from fresh_mistakes import FRESH, NEW

from scratchnet import Tensor
from scratchnet.gradcheck import check_gradients, explain_gradient


@pytest.mark.parametrize("name", NEW)
def test_right_ops_are_right(name):
    op = NEW[name]
    tensors = [Tensor(np.array(x, float), requires_grad=True) for x in op.inputs]
    check_gradients(op.function(), *tensors)


@pytest.mark.parametrize("fresh", FRESH, ids=lambda p: f"{p.op}: {p.mistake}")
def test_slips_change_the_gradient(fresh):
    assert fresh.mistake or fresh.words
    wrong, right = fresh.gradient(), fresh.gradient(right=True)
    assert wrong.shape != right.shape or not np.allclose(wrong, right)


def test_the_slips_are_told():
    """Without a reference; those that stay unknown are said to be wrong in all entries."""
    unknown = []
    for fresh in FRESH:
        found = explain_gradient(fresh.function, *fresh.tensors)
        assert {each.argument for each in found} == {fresh.argument}
        is_told = any(e.mistake == fresh.mistake and fresh.words in e.sentence for e in found)
        unknown += [] if is_told and len(found) <= 2 else found
    assert {each.mistake for each in unknown} <= {None}
    assert len(unknown) <= 9
    assert all("none of the mistakes known here" in each.sentence for each in unknown)

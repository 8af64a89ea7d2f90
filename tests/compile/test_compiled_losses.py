"""Losses of one's own from reductions: compiled, or replayed with a line that names the call."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Tensor, fit, mlp, ops
from scratchnet.backends.compile import compiler_available

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

Loss = Callable[[Tensor, Any], Tensor]


def trained(loss: Loss, **how: Any) -> Any:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    model = mlp([2, 9, 3], dtype="float64")
    y = np.sign(X[:, [0, 1, 0]])
    fit(model, X, y, loss=loss, optimizer=SGD(model, 0.05), epochs=5, **how)
    return model.parameter_buffer


def reductions(outputs: Tensor, targets: Any) -> Tensor:
    error = outputs - targets
    rows = ops.logsumexp(error, -1) + ops.std(error, 1, ddof=1) + ops.norm(error, -1)
    leaky = ops.leaky_relu(error, 0.0).mean()
    return rows.mean() + ops.var(error, 0).sum() + ops.norm(error) + leaky


def test_reductions_are_compiled() -> None:
    np.testing.assert_allclose(
        trained(reductions, compile=True), trained(reductions, record=False), rtol=1e-8, atol=1e-10
    )


def test_a_running_sum_is_replayed_and_named() -> None:
    def loss(outputs: Tensor, targets: Any) -> Tensor:
        return (ops.cumsum(outputs - targets, 0) * 0.1).std()

    with pytest.warns(RuntimeWarning, match="replayed: .*cumsum"):
        found = trained(loss, compile=True)
    assert found.tobytes() == trained(loss, record=False).tobytes()

"""What is pruned stays pruned on every backend, replayed as well as run as Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import two_classes

from scratchnet import SGD, Adam, AdamW, Model, fit, mlp
from scratchnet.backends import Backend
from scratchnet.optim import Optimizer
from scratchnet.pruning import alive_parameters, connection_sensitivity, prune

OPTIMIZERS: dict[str, Callable[[Model], Optimizer]] = {
    "nesterov": lambda model: SGD(model, 0.05, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda model: Adam(model, 0.01, weight_decay=0.1),
    "adamw": lambda model: AdamW(model, 0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("record", [False, True])
def test_masks_hold_on_every_backend(optimizer: str, record: bool, backend: Backend) -> None:
    X, y = two_classes(20)

    def trained(on: Backend | str) -> tuple[Model, Optimizer]:
        model = mlp([2, 4, 5, 1], ensemble=2, backend=on)
        moving = OPTIMIZERS[optimizer](model)
        fit(model, X, y, optimizer=moving, epochs=5, record=record)
        prune(model, fraction=0.5)
        fit(model, X, y, optimizer=moving, epochs=15, record=record, clip_norm=1.0)
        prune(model, fraction=0.3, scores=connection_sensitivity(model, X, y))
        fit(model, X, y, optimizer=moving, epochs=5, record=record)
        return model, moving

    model, moving = trained(backend)
    reference, _ = trained("numpy")
    gone = ~alive_parameters(model)
    np.testing.assert_array_equal(gone, ~alive_parameters(reference))
    arrays: list[Any] = [model.parameter_buffer, *moving.moments().values()]
    for array in arrays:
        assert not backend.to_numpy(array)[gone].any()
    for name, expected in reference.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], expected, rtol=2e-3, atol=2e-5)

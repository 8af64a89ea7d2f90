"""A training by the CUDA kernel of its steps, beside the same one on NumPy.

On a GPU, or without one on the emulated device.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Model, fit, mlp
from scratchnet.backends import available_backends
from scratchnet.backends.compile.cuda_step import KernelStep
from scratchnet.optim import Optimizer
from scratchnet.pruning import prune

if why_not := available_backends()["cupy"]:
    pytest.skip(f"tests/emulator/run emulates a GPU: {why_not}", allow_module_level=True)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(22, 2))
Y = (X[:, :1] * X[:, 1:] > 0).astype(float)
BOUND = {"float32": 2e-5, "float64": 1e-11}

Make = Callable[[str], Optimizer]


def state(model: Model) -> list[Any]:
    buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
    arrays = [model.parameter_buffer, model.gradient_buffer, *buffers]
    return [model.backend.to_numpy(each).copy() for each in arrays]


@contextmanager
def noted_launches() -> Iterator[list[tuple[int, int]]]:
    """Inside, the networks and the steps of each launch of our kernel."""
    found: list[tuple[int, int]] = []
    run = KernelStep.run

    def noted(step: KernelStep, steps: int, *others: Any) -> Any:
        found.append((step._networks, steps))
        return run(step, steps, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KernelStep, "run", noted)
        yield found


@contextmanager
def backwards() -> Iterator[None]:
    """Inside, the emulated device runs the threads of a block from the last to the first."""
    emulator = sys.modules.get("cupy_on_cpu")
    turn: Any = emulator.device.emu_backwards if emulator else lambda _: None
    turn(1)
    try:
        yield
    finally:
        turn(0)


def trained(make: Make, backend: str, **how: Any) -> tuple[Any, list[Any], list[Any]]:
    """The losses, what is left, and the launches of our kernel."""
    optimizer = make(backend)
    with noted_launches() as launches, warnings.catch_warnings():
        warnings.simplefilter("error")
        settings = {"epochs": 6, "y": Y, **how}
        history = fit(optimizer.model, X, optimizer=optimizer, **settings)
    return history.loss, state(optimizer.model), launches


def check(make: Make, **how: Any) -> list[Any]:
    """Train by the kernel and on NumPy, compare, and give what the kernel left."""
    want_losses, want, _ = trained(make, "numpy", **how)
    losses, got, launches = trained(make, "cupy", compile=True, **how)
    assert launches
    bound = BOUND[want[0].dtype.name]
    np.testing.assert_allclose(losses, want_losses, rtol=bound, atol=bound)
    for mine, other in zip(got, want, strict=True):
        if other.dtype.kind != "f":
            np.testing.assert_array_equal(mine, other)
        largest = max(np.abs(other).max(initial=0), 1e-3)
        np.testing.assert_allclose(mine, other, rtol=0, atol=bound * largest)
    return got


def network(*widths: int, rate: float = 0.1, kind: Any = SGD, **settings: Any) -> Make:
    """Makes an optimizer, with its model, on a backend."""
    optimizer, pruned = settings.pop("optimizer", {}), settings.pop("pruned", 0.0)

    def make(backend: str) -> Optimizer:
        model = mlp(list(widths), backend=backend, seed=3, **settings)
        if pruned:
            prune(model, sparsity=pruned)
        return kind(model, rate, **optimizer)

    return make

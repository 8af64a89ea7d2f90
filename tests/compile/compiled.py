"""A training step recorded, replayed and compiled from the same state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from scratchnet import Model
from scratchnet.backends.compile import CompiledStep, Program, write_program
from scratchnet.backends.compile.memory import Target
from scratchnet.backends.interface import Array, Call
from scratchnet.batches import Batches, checked_data
from scratchnet.losses import get_loss
from scratchnet.optim import Optimizer, clip_gradients

BOUND = {"float32": 2e-5, "float64": 1e-12}
"""How far a compiled step may be from a replay, relative to the largest number of an array."""


WIDE = Target(64, 32)
"""Sixteen floats in a vector and 32 registers, whatever processor the tests run on."""


def call(kernel: str, *inputs: Any, out: Array, is_new: bool = True) -> Call:
    """A recorded call by the name of its kernel, for what is written of it and never run."""
    return Call(SimpleNamespace(__name__=kernel), inputs, out, is_new)  # type: ignore[arg-type]


def plan(program: Program) -> list[str]:
    """A line for each loop, `>` before those over tiles of points, and `--` between phases."""
    lines = []
    for between, loops in zip(program.between, program.loops, strict=True):
        lines += [" ".join(node.name for node in loop.nodes) for loop in between]
        for loop in loops:
            rows = loop.kind == "rows"
            lines.append("> " + (" ".join(n.name for n in loop.nodes) if rows else loop.kind))
        lines.append("--")
    return lines[:-1]


def step_of(source: str) -> list[str]:
    """The lines of a source that do one step, without the functions that they call."""
    return [line.strip() for line in source.partition("const int rows = 0;")[2].splitlines()]


def written(optimizer: Optimizer, X: Any, y: Any, **how: Any) -> Program:
    calls, outcome, _ = record(optimizer, X, y, **how)
    return write_program(calls, outcome, WIDE)


def record(
    optimizer: Optimizer,
    X: Any,
    y: Any,
    loss: Any = "binary_cross_entropy",
    batch_size: int | None = None,
    clip_norm: float | None = None,
) -> tuple[Any, Any, list[Any]]:
    """The calls of one training step, its loss, and its arguments."""
    model = optimizer.model
    compute_loss = get_loss(loss)
    batches = Batches(model, *checked_data(model, X, y, compute_loss), batch_size)
    model.train()
    rows, _ = next(iter(batches))
    optimizer.prepare()
    with model.backend.recording() as calls:
        inputs, targets = batches.select(*rows)
        value = compute_loss(model(inputs), targets)
        value.backward()
        if clip_norm is not None:
            clip_gradients(model, clip_norm)
        optimizer.update()
    return calls, value.data, list(rows)


def owner(array: Any) -> Any:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def state_of(calls: Any) -> list[Any]:
    """The arrays that the calls write and that were there before them."""
    made = {id(owner(call.out)) for call in calls if call.is_new}
    found = {id(owner(call.out)): owner(call.out) for call in calls}
    return [array for key, array in found.items() if key not in made]


def replayed(calls: Any, outcome: Any, steps: int) -> Any:
    losses = []
    for _ in range(steps):
        for call in calls:
            call.kernel(*call.inputs, out=call.out)
        losses.append(np.array(outcome))
    return np.array(losses)


def compare(model: Model, calls: Any, outcome: Any, steps: int = 2, **tolerances: float) -> None:
    """Raise `AssertionError` where a compiled step and a replay part by more than the bound."""
    state = state_of(calls)
    before = [array.copy() for array in state]
    want_losses = replayed(calls, outcome, steps)
    want = [array.copy() for array in state]
    for array, numbers in zip(state, before, strict=True):
        array[...] = numbers
    step = CompiledStep(calls, outcome, model.ensemble or 1)
    losses = step.run(steps)
    bound = tolerances.get(model.dtype, BOUND[model.dtype])
    np.testing.assert_allclose(losses, want_losses, rtol=bound, atol=bound)
    for array, numbers in zip(state, want, strict=True):
        if array.dtype.kind != "f":
            np.testing.assert_array_equal(array, numbers)
            continue
        largest = np.abs(numbers).max(initial=0)
        np.testing.assert_allclose(array, numbers, rtol=0, atol=bound * max(largest, 1e-3))

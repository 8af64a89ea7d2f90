"""The engine's own contestants: the same step as Python runs it, recorded, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet import SGD, losses, mlp
from scratchnet.backends import Array, Backend
from scratchnet.compiled_step import CompiledTraining, require_compiler
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.timing import Contestant
from scratchnet.model import Model
from scratchnet.program import recorded
from scratchnet.tensor import Tensor

EAGER, RECORDED, COMPILED = "eager", "recorded", "compiled"
STEPS_IN_A_CALL = 20
"""Of the compiled step, and of JAX's scan."""


def engine_contestants(
    problem: Problem, backend: Backend, names: tuple[str, ...] = (EAGER, RECORDED)
) -> list[Contestant]:
    """The engine's training step on that backend, eager and recorded, each with its own model."""
    return [
        Contestant(
            name,
            training_step(new_model(problem, backend), problem, is_recorded=name == RECORDED),
            lambda loss: np.atleast_1d(loss.numpy())[np.newaxis],
            backend.timer,
            networks=problem.case.networks,
        )
        for name in names
    ]


def compiled_contestant(problem: Problem, backend: Backend) -> Contestant:
    """The engine's step as one compiled function, several steps a call.

    Raises `InputError` where there is no compiler, or a call of the step has no compiled form.
    """
    model = new_model(problem, backend)
    inputs, targets = data_of(model, problem)
    step = compiled_step(model, inputs, targets)
    return Contestant(
        COMPILED,
        lambda: step.many(STEPS_IN_A_CALL, (), set()),
        lambda losses: losses.reshape(STEPS_IN_A_CALL, -1),
        backend.timer,
        STEPS_IN_A_CALL,
        problem.case.networks,
    )


def compiled_step(model: Model, inputs: Tensor, targets: Array) -> CompiledTraining:
    optimizer = SGD(model, LEARNING_RATE)
    require_compiler(optimizer, record=True)

    def step() -> Tensor:
        loss = losses.binary_cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    return CompiledTraining(step, optimizer)


def data_of(model: Model, problem: Problem) -> tuple[Tensor, Array]:
    return model.as_input(problem.X), model.backend.asarray(problem.y, model.dtype)


def new_model(problem: Problem, backend: Backend) -> Model:
    """The case's network, or ensemble, with the problem's initial weights."""
    model = mlp(problem.case.widths, ensemble=problem.case.ensemble, backend=backend)
    numbers = [each for pair in zip(problem.weights, problem.biases, strict=True) for each in pair]
    named = zip(model.named_parameters(), numbers, strict=True)
    model.load_state_dict({name: each.reshape(old.shape) for (name, old), each in named})
    return model


def training_step(model: Model, problem: Problem, is_recorded: bool) -> Callable[[], Tensor]:
    """A function that makes one step of gradient descent on the whole set; returns the loss."""
    inputs, targets = data_of(model, problem)
    optimizer = SGD(model, LEARNING_RATE)

    def on_device() -> Tensor:
        loss = losses.binary_cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    run: Any = recorded(on_device, model) if is_recorded else on_device

    def step() -> Tensor:
        optimizer.prepare()
        loss: Tensor = run()
        return loss

    return step

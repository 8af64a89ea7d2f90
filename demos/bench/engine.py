"""The engine's step as Python runs it, recorded and compiled, and the two floors under it."""

import warnings
from typing import Any

import numpy as np

from scratchnet import SGD, losses, mlp
from scratchnet.backends import Backend
from scratchnet.compiled_step import CompiledTraining
from scratchnet.demos.bench.floors import product_calls
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.bench.timing import Implementation
from scratchnet.model import Model
from scratchnet.program import recorded
from scratchnet.tensor import Tensor

RECORDED, EAGER, COMPILED, KERNEL = "recorded", "eager", "C++ step", "CUDA kernel"
PRODUCTS, LOOP = "matrix products", "hand-written loop"
STEPS_IN_A_CALL = 20
"""Of the compiled step, and of JAX's scan."""


def engine_step(name: str, problem: Problem, backend: Backend, threads: int = 1) -> Implementation:
    """A step of gradient descent on all points by a model of its own: one of the four above.

    `threads` share out the networks of an ensemble where the step is compiled. Raises `InputError`
    where there is no compiler.
    """
    model = new_model(problem, backend)
    optimizer = SGD(model, LEARNING_RATE)
    inputs, targets = model.as_input(problem.X), backend.asarray(problem.y, model.dtype)

    def step() -> Tensor:
        """The loss before a step of gradient descent on all points, which it makes."""
        loss = losses.binary_cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.update()
        return loss

    networks = problem.case.networks
    if name in (COMPILED, KERNEL):
        training = CompiledTraining(step, optimizer, threads)
        return Implementation(
            name,
            lambda: training.many(STEPS_IN_A_CALL, (), set()),
            lambda found: found.reshape(STEPS_IN_A_CALL, -1),
            backend.timer,
            STEPS_IN_A_CALL,
            networks,
        )
    run: Any = recorded(step, model) if name == RECORDED else step

    def call() -> Any:
        optimizer.prepare()
        return run()

    return Implementation(
        name,
        call,
        lambda loss: np.atleast_1d(loss.numpy())[np.newaxis],
        backend.timer,
        networks=networks,
    )


def kernel_step(problem: Problem, backend: Backend) -> Implementation | str:
    """The step as a CUDA kernel, or in a line why it is none: what is replayed is timed already."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        engine_step(KERNEL, problem, backend).call()
    replayed = [str(each.message) for each in said if "replayed" in str(each.message)]
    if replayed:
        return f"{problem.case}: no {KERNEL}, as {replayed[0]}."
    return engine_step(KERNEL, problem, backend)


def new_model(problem: Problem, backend: Backend) -> Model:
    """The case's network, or ensemble, with the problem's initial weights."""
    model = mlp(problem.case.widths, ensemble=problem.case.ensemble, backend=backend)
    numbers = [each for pair in zip(problem.weights, problem.biases, strict=True) for each in pair]
    for parameter, values in zip(model.parameters(), numbers, strict=True):
        parameter.data = values.reshape(parameter.shape)
    return model


def loop(problem: Problem) -> Implementation:
    """The hand-written NumPy loop; the networks of an ensemble one after another."""
    networks = problem.case.networks
    loops = [problem.loop(network) for network in range(networks)]
    return Implementation(
        LOOP, lambda: [step() for step in loops], lambda found: np.array([found]), networks=networks
    )


def products(problem: Problem, backend: Backend) -> Implementation:
    """The step's products one after another, replayed as a recorded step is.

    What one product writes the next one reads, as in the step; the elementwise work is missing.
    """
    networks = problem.case.networks
    weights = [backend.asarray(problem.own(each)) for each in problem.weights]
    slopes = (problem.y - np.float32(0.5)) / np.float32(problem.case.batch)
    slopes = problem.own(np.broadcast_to(slopes, (networks, *slopes.shape)))
    calls, _, _ = product_calls(
        backend, backend.asarray(problem.X), weights, backend.asarray(slopes)
    )
    return Implementation(PRODUCTS, backend.repeater(calls), None, backend.timer, networks=networks)

"""Two floors under the engine: the step written out by hand, and its matrix products alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend
from scratchnet.backends.interface import Call
from scratchnet.demos.bench.numpy_loop import numpy_loop
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.timing import Contestant

LOOP, PRODUCTS = "hand-written loop", "matrix products"


def loop_contestant(problem: Problem) -> Contestant:
    """The hand-written NumPy loop; the networks of an ensemble one after another."""
    loops = [
        numpy_loop(
            [each[network].copy() for each in problem.weights],
            [each[network, 0].copy() for each in problem.biases],
            problem.X,
            problem.y,
            LEARNING_RATE,
        )
        for network in range(problem.case.networks)
    ]
    return Contestant(
        LOOP,
        lambda: [loop() for loop in loops],
        lambda losses: np.array([losses]),
        networks=problem.case.networks,
    )


def products_contestant(problem: Problem, backend: Backend) -> Contestant:
    """The step's products one after another, replayed as a recorded step is.

    What one product writes the next one reads, as in the step; the elementwise work is missing.
    """
    weights = [backend.asarray(problem.own(each)) for each in problem.weights]
    slopes = (problem.y - np.float32(0.5)) / np.float32(problem.case.batch)
    slopes = np.broadcast_to(slopes, (problem.case.networks, *slopes.shape))
    calls, _, _ = product_calls(
        backend, backend.asarray(problem.X), weights, backend.asarray(problem.own(slopes))
    )
    return Contestant(
        PRODUCTS, backend.repeater(calls), None, backend.timer, networks=problem.case.networks
    )


def product_calls(
    backend: Backend, inputs: Array, weights: list[Array], slopes: Array
) -> tuple[list[Call], list[Array], list[Array]]:
    """The products of a step through a linear network, as calls into buffers that exist.

    a_0 = inputs, a_(l+1) = a_l W_l; then from the last layer down dz_(l-1) = dz_l W_l^T and
    dW_l = a_l^T dz_l, where dz of the last layer is `slopes`. All a_l are kept, as a step must;
    the dz take turns in two buffers. On the host all are NumPy's `matmul`, as in the hand-written
    loop; the engine has a faster one for a column times a row. Returns the calls, the a_l and the
    dW.
    """
    matmul = partial(Backend.matmul, backend) if backend.xp is np else backend.matmul
    activations = [inputs]
    for weight in weights:
        shape = (*slopes.shape[:-1], weight.shape[-1])
        activations.append(backend.empty(shape, slopes.dtype))
    gradients = [backend.empty(weight.shape, slopes.dtype) for weight in weights]
    spare: dict[tuple[Any, bool], Array] = {}
    with backend.recording() as calls:
        for layer, weight in enumerate(weights):
            matmul(activations[layer], weight, out=activations[layer + 1])
        dz = slopes
        for layer in range(len(weights) - 1, -1, -1):
            if layer:
                shape = activations[layer].shape
                place = shape, bool(layer % 2)
                if place not in spare:
                    spare[place] = backend.empty(shape, slopes.dtype)
                before = matmul(dz, weights[layer].mT, out=spare[place])
            matmul(activations[layer].mT, dz, out=gradients[layer])
            if layer:
                dz = before
    return calls, activations[1:], gradients

"""The same step in JAX: compiled whole by XLA, mapped over an ensemble, several steps at a time."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.backends.interface import Timer
from scratchnet.demos.bench.engine import STEPS_IN_A_CALL
from scratchnet.demos.bench.problem import LEARNING_RATE, Problem
from scratchnet.demos.bench.timing import Implementation
from scratchnet.extras import require

JIT, SCAN = "JAX jit", "JAX scan"

PRECISIONS = {"fp32": "highest", "tf32": "tensorfloat32"}


def import_jax(one_thread: bool) -> Any:
    """JAX, told before its first import to compute in one thread on the CPU, and to share a GPU."""
    if "jax" not in sys.modules:
        flags = os.environ.get("XLA_FLAGS", "")
        if one_thread and "xla_cpu_multi_thread_eigen" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return require("jax", "JAX", "bench", "--peers jax")


def jax_device(jax: Any, on_cuda: bool) -> Any:
    """JAX's first GPU, or its CPU. It makes its threads here: one for each core it may use."""
    try:
        return jax.devices("gpu" if on_cuda else "cpu")[0]
    except RuntimeError:
        raise InputError(
            "--peers jax: this JAX has no CUDA; pip install 'jax[cuda13]', or leave it out"
        ) from None


def jax_steps(problem: Problem) -> Iterator[Implementation]:
    """One step a call, and a scan of several."""
    jax = require("jax", "JAX", "bench", "--peers jax")
    device = jax_device(jax, problem.case.on_cuda)
    for name, steps in {JIT: 1, SCAN: STEPS_IN_A_CALL}.items():
        yield implementation(jax, device, name, problem, steps)


def implementation(
    jax: Any, device: Any, name: str, problem: Problem, steps: int
) -> Implementation:
    """`steps` steps a call, one compiled function; the parameters' memory is given to it."""
    run = jitted(jax, problem, steps)
    with jax.default_matmul_precision(PRECISIONS[problem.case.precision]):
        arrays = jax.device_put((problem.X, problem.y), device)
        pairs = zip(problem.weights, problem.biases, strict=True)
        state = jax.device_put([(problem.own(w), problem.own(b)) for w, b in pairs], device)
        run = run.lower(state, *arrays).compile()

    def call() -> Any:
        """The losses of the next steps, which go on from the state of the last call."""
        nonlocal state
        state, losses = run(state, *arrays)
        return losses

    return Implementation(
        name,
        call,
        lambda losses: np.asarray(losses).reshape(steps, -1),
        lambda: Timer(lambda: jax.block_until_ready(state)),
        steps,
        problem.case.networks,
    )


def jitted(jax: Any, problem: Problem, steps: int) -> Any:
    """(parameters, X, y) -> (new parameters, losses), jitted; the parameters are donated."""

    def compute_loss(parameters: Any, X: Any, y: Any) -> Any:
        """The mean binary cross-entropy, softplus(z) - y z, of one network's logits z (N, 1)."""
        a = X
        for layer, (weight, bias) in enumerate(parameters):
            a = a @ weight + bias
            a = jax.nn.relu(a) if layer < len(parameters) - 1 else a
        return (jax.nn.softplus(a) - y * a).mean()

    def step(parameters: Any, X: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(compute_loss)(parameters, X, y)
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradients), loss

    each: Callable[..., Any] = step
    if problem.case.ensemble:
        each = jax.vmap(step, in_axes=(0, None, None))

    def several(parameters: Any, X: Any, y: Any) -> Any:
        return jax.lax.scan(lambda state, _: each(state, X, y), parameters, None, length=steps)

    return jax.jit(each if steps == 1 else several, donate_argnums=0)

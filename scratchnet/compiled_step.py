"""A training step that runs as one compiled function, for many steps in one call."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.buffer_reuse import owner
from scratchnet.optim import Optimizer
from scratchnet.program import RecordedStep
from scratchnet.tensor import Tensor, result

LONGEST_CALL = 0.1
"""Seconds after which a call gives Python its turn, so that Ctrl-C is heard."""

BOUND = {"float32": 1e-3, "float64": 1e-8}
"""How far losses and gradients of the first step may be from those of Python, relative to the
largest: both round, and batch normalisation of nearly equal numbers makes roundings large."""


def require_compiler(optimizer: Optimizer, record: bool) -> None:
    """Raise `InputError` where compile=True cannot be had."""
    from scratchnet.backends.compile import compiler_available

    if not record:
        raise InputError("compile=True with record=False: must be recorded to be compiled")
    if optimizer.model.backend.name != "numpy":
        raise InputError(
            f"compile=True on the {optimizer.model.backend.name} backend: must be numpy"
        )
    if reason := compiler_available():
        raise InputError(f"compile=True: {reason}")


class CompiledTraining:
    """A step, compiled anew for each combination of shapes, modes and buffers.

    Every step is done by the compiled function, the first one too, so that the bits do not depend
    on where a training was interrupted. That first step is also run as Python, from the same state,
    and the two are compared. Where a call of the step has no compiled form, a warning names it and
    the step is replayed.
    """

    def __init__(self, step: Callable[..., Tensor], optimizer: Optimizer) -> None:
        self._step, self._optimizer, self._model = step, optimizer, optimizer.model
        self._recorded = RecordedStep(step, self._model, (optimizer,))
        self._compiled: dict[Any, tuple[Any, list[Array], list[Array]] | None] = {}
        self._seconds = LONGEST_CALL / 8

    def affordable(self) -> int:
        """The number of steps that take about `LONGEST_CALL` seconds."""
        return max(1, int(LONGEST_CALL / self._seconds))

    def __call__(self, *arguments: Array) -> Tensor:
        """One step, after `optimizer.prepare()`."""
        entry = self._entry(arguments)
        if entry is None:
            return self._recorded(*arguments)
        compiled, own, _ = entry
        changing = [(mine, each[None]) for mine, each in zip(own, arguments, strict=True)]
        return result(compiled.run(1, changing, self._threads())[0], self._model.backend)

    def many(self, steps: int, known: set[int]) -> Any:
        """That many full-batch steps; their losses, (steps,) or (steps, E).

        They end early with the first step in which a network that is not among the `known` ones has
        a loss that is not finite; its parameters are then as that step left them.
        """
        optimizer = self._optimizer
        # The arrays that a step reads are there once it was prepared for.
        optimizer.prepare()
        optimizer.steps -= 1
        entry = self._entry(())
        if entry is None:
            optimizer.prepare()
            return self._recorded().numpy()[None]
        compiled, _, state = entry
        first = optimizer.steps
        changing = ahead(optimizer, steps)
        before = [array.copy() for array in state]
        start = time.perf_counter()
        losses = compiled.run(steps, changing, self._threads())
        self._seconds = max((time.perf_counter() - start) / steps, 1e-7)
        strange = ~np.isfinite(losses.reshape(steps, -1))
        strange[:, sorted(known)] = False
        found = np.flatnonzero(strange.any(axis=1))
        if len(found) and found[0] + 1 < steps:
            # The same steps again, which give the same bits, up to that one.
            done = int(found[0]) + 1
            for array, numbers in zip(state, before, strict=True):
                array[...] = numbers
            losses = compiled.run(
                done, [(array, values[:done]) for array, values in changing], self._threads()
            )
            optimizer.steps = first + done
        return losses

    def _threads(self) -> int:
        from scratchnet.backends.compile.step import default_threads

        return default_threads() if self._model.ensemble else 1

    def _entry(self, arguments: tuple[Array, ...]) -> tuple[Any, list[Array], list[Array]] | None:
        key = self._recorded._key(arguments)
        if key not in self._compiled:
            self._compiled[key] = self._compile(arguments)
        return self._compiled[key]

    def _compile(self, arguments: tuple[Array, ...]) -> tuple[Any, list[Array], list[Array]] | None:
        """Record the step, compile it, compare the two, and leave everything as it was."""
        from scratchnet.backends.compile import CompiledStep, NoCompiler, NotCompiled

        model = self._model
        with self._restoring():
            recording = self._recorded.record(arguments)
            own, calls, outcome = recording.arguments, recording.raw, recording.outcome
            want = np.array(outcome), model.gradient_buffer.copy()
            recording.check()
        made = {id(owner(call.out)) for call in calls if call.is_new}
        state = {id(owner(call.out)): owner(call.out) for call in calls}
        kept = [array for name, array in state.items() if name not in made]
        try:
            compiled = CompiledStep(calls, outcome, model.ensemble or 1)
        except (NotCompiled, NoCompiler) as refusal:
            warnings.warn(f"the step is replayed: {refusal}", RuntimeWarning, stacklevel=5)
            return None
        with self._restoring():
            got = compiled.run(1)[0], model.gradient_buffer.copy()
        for name, mine, other in zip(("loss", "gradients"), got, want, strict=True):
            largest = np.abs(other).max(initial=0)
            bound = BOUND[model.dtype] * max(largest, 1e-6)
            if np.isfinite(largest) and not np.abs(mine - other).max(initial=0) <= bound:
                raise InputError(f"the compiled step has another {name} than the step as Python")
        return compiled, own, kept

    @contextmanager
    def _restoring(self) -> Iterator[None]:
        """Afterwards, also after Ctrl-C, what a step changes is as it was before."""
        before = [(array, array.copy()) for array in self._written()]
        try:
            yield
        finally:
            for array, numbers in before:
                array[...] = numbers

    def _written(self) -> list[Array]:
        """The arrays that a step leaves changed: parameters, gradients, state and buffers."""
        model = self._model
        buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
        state = list(self._optimizer.state().values())
        return [model.parameter_buffer, model.gradient_buffer, *state, *buffers]


def ahead(optimizer: Optimizer, steps: int) -> list[tuple[Array, Any]]:
    """Prepare the optimizer for each of so many steps.

    Returns the arrays that differ from step to step, each with its numbers in all of them.
    """
    names = ["correction1", "correction2", *(["learning_rate"] * callable(optimizer.schedule))]
    arrays = [optimizer.arrays[name] for name in names if name in optimizer.arrays]
    values = [np.empty((steps, *array.shape), array.dtype) for array in arrays]
    for step in range(steps):
        optimizer.prepare()
        for array, numbers in zip(arrays, values, strict=True):
            numbers[step] = array
    return list(zip(arrays, values, strict=True))

"""A training step that runs as one compiled function, for many steps in one call."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.contexts import Blocks
from scratchnet.batches import Batches
from scratchnet.buffer_reuse import elide_copies, owner
from scratchnet.divergence import Divergence, note_divergence
from scratchnet.optim import Adam, Optimizer
from scratchnet.parallel import Alone, Ranks
from scratchnet.program import MOST_RECORDINGS, RecordedStep, is_eager
from scratchnet.steps_ahead import LONGEST_CALL, StepsAhead
from scratchnet.tensor import Tensor, result

BOUND = {"float32": 1e-3, "float64": 1e-8}
"""How far losses and gradients of the first step may be from those of Python, relative to the
largest: both round, and batch normalisation of nearly equal numbers makes roundings large."""
TF32_BOUND = 2e-2
"""That of products in TF32, which round each operand by up to 5e-4, the two in their own way."""


_COMPILING: Blocks[None] = Blocks("compiling")


@contextmanager
def compiling() -> Iterator[None]:
    """Inside, in this thread or task alone, `fit` trains as with compile=True wherever it can."""
    with _COMPILING.opened(None):
        yield


def compiles(optimizer: Optimizer, record: bool, accumulate: int) -> bool:
    """Whether a block of `compiling` is open, and the training is one that can be compiled."""
    can = record and not is_eager() and accumulate == 1
    backend = optimizer.model.backend
    return can and backend.precision in backend.compiled_precisions and bool(_COMPILING.values())


def require_compiler(optimizer: Optimizer, record: bool) -> None:
    """Raise `InputError` where compile=True cannot be had."""
    if not record or is_eager():
        raise InputError("compile=True with record=False: must be recorded to be compiled")
    backend = optimizer.model.backend
    if backend.precision not in backend.compiled_precisions:
        known = " or ".join(backend.compiled_precisions)
        raise InputError(f"compile=True with precision {backend.precision}: must be {known}")
    if reason := backend.why_not_compiled():
        raise InputError(f"compile=True: {reason}")


def note_compiler(optimizer: Optimizer, compile: bool, goes_on: bool) -> None:
    """Keep what compiles the steps of a training, and warn where it goes on with another one."""
    here = ""
    if compile:
        here = optimizer.model.backend.compiler()
    there, optimizer.compiler = optimizer.compiler, here
    if goes_on and optimizer.steps and there != here:
        ways = [f"compiled by {each}" if each else "replayed" for each in (there, here)]
        warnings.warn(
            f"the training goes on, but not bit for bit as without a stop: its steps were "
            f"{ways[0]}, here they are {ways[1]}",
            RuntimeWarning,
            stacklevel=3,
        )


Changing = list[tuple[Array, Any]]
"""Arrays that a step reads, each with what it holds in each of the steps."""


@dataclass
class Compiled:
    """A compiled step, or a recorded one where there is no compiled form."""

    step: Any
    """A `backends.compile.CompiledStep` or `KernelStep`, or None."""
    arguments: list[Array]
    before: Changing
    """The arrays that a step changes and that were there before it, each as it was before the last
    call: in the same memory each time, since to be given new one takes longer than to copy."""


class CompiledTraining:
    """A step, compiled anew for each combination of shapes, modes and buffers.

    Every step is done by the compiled function, the first one too, so that the bits do not depend
    on where a training was interrupted. Before that, the step is run as Python from the same state,
    and the first one of its kind in this process is compared with the compiled one. Where a call of
    the step has no compiled form, a warning names it and the step is replayed.
    """

    def __init__(
        self,
        step: Callable[..., Tensor],
        optimizer: Optimizer,
        threads: int | None = None,
        ranks: Ranks | Alone | None = None,
    ) -> None:
        """`threads` share out the networks of an ensemble; None takes as many as BLAS has.

        The step of several `ranks` is compiled on all of them, or replayed on all.
        """
        self._ranks = ranks or Alone()
        self._optimizer, self._model = optimizer, optimizer.model
        self._wanted_threads = threads
        self.recorded = RecordedStep(step, self._model, (optimizer,))
        self._replayed = StepsAhead.made_for(self.recorded, optimizer)
        self._compiled: dict[Any, Compiled] = {}
        self._seconds = LONGEST_CALL
        self._before: tuple[int, Changing] = (0, [])
        """The steps done before the last call, and the arrays that it changed as they were."""

    def affordable(self) -> int:
        """The number of steps that take about `LONGEST_CALL` seconds, judged by the last ones."""
        return max(1, int(LONGEST_CALL / self._seconds))

    @property
    def steps(self) -> int:
        """Those that the optimizer has made."""
        return self._optimizer.steps

    @property
    def is_compiled(self) -> bool:
        """Whether every kind of step so far has a compiled form, so that none is replayed."""
        return all(each.step is not None for each in self._compiled.values())

    def back_to(self, steps: int) -> None:
        """Undo the last call, if that many steps were done before it: Ctrl-C took its losses."""
        if self._replayed is not None:
            self._replayed.back_to(steps)
        first, arrays = self._before
        if first == steps:
            self._optimizer.steps = first
            for array, numbers in arrays:
                array[...] = numbers

    def one(self, *rows: Array) -> Tensor:
        """One step on a batch; its loss."""
        return result(self.many(1, [each[None] for each in rows], set())[0], self._model.backend)

    def many(self, steps: int, rows: Sequence[Array], known: set[int]) -> Any:
        """At most that many steps, at least one; their losses, (steps,) or (steps, E).

        `rows` are the batches of the steps, each argument (steps, ...). The steps end early with
        the first one in which a network that is not among the `known` ones has a loss that is not
        finite; its parameters are then as that step left them. After Ctrl-C none was done.
        """
        optimizer, first = self._optimizer, self._optimizer.steps
        self._before = first, []
        try:
            optimizer.prepare()
            compiled = self._prepared([each[0] for each in rows])
            if compiled.step is None and self._replayed is not None:
                optimizer.steps = first
                return self._replayed.many(steps, rows, known)
            for array, numbers in compiled.before:
                numbers[...] = array
            self._before = first, compiled.before
            if compiled.step is None:
                return self.recorded(*[each[0] for each in rows]).numpy()[None]
            changing = ahead(optimizer, steps) if steps > 1 else []
            steps = optimizer.steps - first
            changing += zip(compiled.arguments, rows, strict=True)
            changing = [(array, values[:steps]) for array, values in changing]
            losses = self._run(compiled, steps, changing, known)
            optimizer.steps = first + len(losses)
        except BaseException:
            self.back_to(first)
            raise
        return losses

    def _run(self, compiled: Compiled, steps: int, changing: Changing, known: set[int]) -> Any:
        """The steps up to the first that is strange."""
        start = time.perf_counter()
        losses = compiled.step.run(steps, changing, self._threads())
        self._seconds = max((time.perf_counter() - start) / steps, 1e-7)
        finite = np.isfinite(losses)
        if finite.all():
            return losses
        strange = ~finite.reshape(steps, -1)
        strange[:, sorted(known)] = False
        found = np.flatnonzero(strange.any(axis=1))
        if not len(found) or found[0] + 1 == steps:
            return losses
        # The same steps again, which give the same bits, up to that one.
        self.back_to(self._before[0])
        done = int(found[0]) + 1
        changing = [(array, values[:done]) for array, values in changing]
        return compiled.step.run(done, changing, self._threads())

    def _threads(self) -> int:
        """The threads that share the networks of an ensemble; one network has one."""
        from scratchnet.backends.compile.step import default_threads

        return (self._wanted_threads or default_threads()) if self._model.ensemble else 1

    def _prepared(self, arguments: Sequence[Array]) -> Compiled:
        """The compiled step for arrays like these; the oldest goes where there are too many."""
        key = self.recorded._key(arguments)
        if key not in self._compiled:
            compiled = self._compile(arguments)
            while len(self._compiled) >= MOST_RECORDINGS:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = compiled
        return self._compiled[key]

    def _compile(self, arguments: Sequence[Array]) -> Compiled:
        """Record the step, compile it, compare the two, and leave everything as it was."""
        from scratchnet.backends.compile import NoCompiler, NotCompiled

        model, k = self._model, self._model.backend
        with self._restoring(), k.in_primitives():
            recording = self.recorded.record(arguments)
            outcome = recording.outcome
            calls = elide_copies(recording.raw, outcome, k)
            want = [np.array(k.to_numpy(each)) for each in (outcome, model.gradient_buffer)]
        made = {id(owner(call.out)) for call in calls if call.is_new}
        changed = {id(owner(call.out)): owner(call.out) for call in calls}
        before = [(array, array.copy()) for name, array in changed.items() if name not in made]
        try:
            with self._ranks.agreeing(NotCompiled, NoCompiler):
                step = k.compiled(calls, outcome, model.ensemble or 1)
            is_compared = step.function.is_compared
            if not self._ranks.all(is_compared):
                with self._restoring(), k.in_primitives():
                    recording.check()
                with self._restoring():
                    got = [step.run(1)[0], np.array(k.to_numpy(model.gradient_buffer))]
                with self._ranks.agreeing(NotCompiled):
                    self._compare(got, want)
                step.function.is_compared = True
        except (NotCompiled, NoCompiler) as refusal:
            if self._ranks.rank == 0:
                warnings.warn(f"the step is replayed: {refusal}", RuntimeWarning, stacklevel=7)
            return Compiled(None, recording.arguments, before)
        return Compiled(step, recording.arguments, before)

    def _compare(self, got: Sequence[Array], want: Sequence[Array]) -> None:
        """Raise `NotCompiled` where the two differ by more than rounding of a sound step would.

        Not all are sound: through 64 layers of batch normalisation one rounding in a weight may
        change the gradients several times over.
        """
        from scratchnet.backends.compile import NotCompiled

        for name, mine, other in zip(("losses", "gradients"), got, want, strict=True):
            largest = np.abs(other).max(initial=0)
            is_tf32 = self._model.backend.precision == "tf32"
            bound = (TF32_BOUND if is_tf32 else BOUND[self._model.dtype]) * max(largest, 1e-6)
            if np.isfinite(largest) and not np.abs(mine - other).max(initial=0) <= bound:
                raise NotCompiled(f"compiled it has other {name} than as Python, beyond rounding")

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


def ahead(optimizer: Optimizer, steps: int) -> Changing:
    """Prepare the optimizer, which is prepared for a first step, for the others of so many.

    It is left prepared for fewer where it must look at what a step leaves. Returns the arrays that
    differ from step to step.
    """
    names = ["correction1", "correction2", *(["learning_rate"] * callable(optimizer.schedule))]
    arrays = {name: optimizer.arrays[name] for name in names if name in optimizer.arrays}
    ways = (Optimizer.prepare, Adam.prepare)
    if type(optimizer).prepare not in ways or getattr(optimizer, "has_missed", False):
        steps = 1
    elif not arrays:
        optimizer.steps += steps - 1
    k = optimizer.model.backend
    values = [k.empty((steps, *array.shape), array.dtype) for array in arrays.values()]
    for step in range(steps if arrays else 0):
        if step:
            optimizer.prepare()
        if any(optimizer.arrays[name] is not array for name, array in arrays.items()):
            optimizer.steps -= 1
            break
        for array, numbers in zip(arrays.values(), values, strict=True):
            numbers[step] = array
    return list(zip(arrays.values(), values, strict=True))


def epochs_ahead(
    steps_ahead: CompiledTraining | StepsAhead,
    batches: Batches,
    before: Array,
    diverged: list[Divergence],
    losses: list[Any],
    first: int,
    most: int,
) -> None:
    """Some epochs from `first` on, at least one, in few calls; the mean loss of each to `losses`.

    After each call the losses are looked at, and where one has just stopped being finite, so far is
    where the call ended; `before` are the parameters that gave it. Where all networks have
    diverged, that is the end of the epoch. Where Ctrl-C ends it, the finished epochs have entered
    `losses`, and the parameters are those of the last finished call; a replayed call of a single
    step may have been finished as well.
    """
    per_epoch = batches.per_epoch
    affordable = 1 if batches.has_smaller else steps_ahead.affordable() // per_epoch
    parts: list[Any] = []
    known, start, steps = len(losses), steps_ahead.steps, 0
    try:
        for rows, shares in batches.ahead(min(max(1, affordable), most)):
            while len(shares):
                values = steps_ahead.many(len(shares), rows, {each.network for each in diverged})
                done = len(values)
                of_each = shares[:done]
                parts.append(values * (of_each[:, None] if of_each.ndim < values.ndim else of_each))
                steps += done
                if not math.isfinite(values[-1].sum()):
                    inputs = batches.select(*[each[done - 1] for each in rows])[0]
                    epoch = first + (steps - 1) // per_epoch
                    if note_divergence(diverged, batches, before, epoch, values[-1], inputs):
                        losses.extend(_sums(parts, per_epoch))
                        return
                rows, shares = tuple([each[done:] for each in rows]), shares[done:]
        losses.extend(_sums(parts, per_epoch))
    except KeyboardInterrupt:
        steps_ahead.back_to(start + steps)
        finished = _sums(parts, per_epoch)[: steps // per_epoch]
        losses.extend(finished[len(losses) - known :])
        raise


def _sums(parts: list[Any], per_epoch: int) -> list[Any]:
    """The sum of each epoch's entries (...,) or (..., E), which stand one behind the other.

    Added one by one, so that it does not matter how many there are at once.
    """
    entries = np.concatenate(parts) if parts else np.empty(0)
    if per_epoch == 1:
        return list(entries.astype(np.float64))
    epochs = -(-len(entries) // per_epoch)
    padded = np.zeros((epochs * per_epoch, *entries.shape[1:]))
    padded[: len(entries)] = entries
    sums = np.add.accumulate(padded.reshape(epochs, per_epoch, *entries.shape[1:]), axis=1)
    return list(sums[:, -1])

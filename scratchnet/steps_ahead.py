"""Steps on a device whose losses are read together: the host would wait for each one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends import Array
from scratchnet.optim import Adam, Optimizer
from scratchnet.program import RecordedStep, Step

LONGEST_CALL = 0.1
"""Seconds after which a call gives Python its turn, so that Ctrl-C is heard."""

ORDINARY = (Optimizer.prepare, Adam.prepare)
"""The `prepare` of optimizers that can go back to an earlier step."""


class StepsAhead:
    """Replays a recorded step so many times, and then looks at the losses.

    What they tell comes late, so the steps after a loss that is not finite are taken back: the
    state from before the first is put back, and they are done again up to that loss.
    """

    def __init__(self, step: Step, optimizer: Optimizer) -> None:
        self._step, self._optimizer = step, optimizer
        self._is_first, self._seconds = True, LONGEST_CALL
        self._before: tuple[int, list[Array]] | None = None
        """The steps done before the last call of several, and the state then."""

    @classmethod
    def made_for(cls, step: Step, optimizer: Optimizer) -> StepsAhead | None:
        """None where nothing is won by it, or a step does more than a replay could do again."""
        waits = optimizer.model.backend.reading_waits
        can_go_back = isinstance(step, RecordedStep) and type(optimizer).prepare in ORDINARY
        return cls(step, optimizer) if waits and can_go_back else None

    def affordable(self) -> int:
        """The number of steps that take about `LONGEST_CALL` seconds, judged by the last ones."""
        return max(1, int(LONGEST_CALL / self._seconds))

    @property
    def steps(self) -> int:
        """Those that the optimizer has made."""
        return self._optimizer.steps

    def back_to(self, steps: int) -> None:
        """Undo the last call, if that many steps were done before it: Ctrl-C took its losses."""
        if self._before is not None and self._before[0] == steps:
            self._optimizer.steps = steps
            for array, numbers in zip(self._state(), self._before[1], strict=True):
                self._optimizer.model.backend.xp.copyto(array, numbers)

    def many(self, steps: int, rows: Sequence[Array], known: set[int]) -> Any:
        """At most that many steps, at least one; their losses, (steps,) or (steps, E).

        `rows` are the batches of the steps, each argument (steps, ...). The steps end early with
        the first one in which a network that is not among the `known` ones has a loss that is not
        finite. After Ctrl-C none of several was done.
        """
        # The first is recorded, and the host waits for that anyhow.
        steps = 1 if self._is_first else min(steps, self.affordable())
        self._is_first = False
        self._before = None
        if steps == 1:
            return self._done(1, rows)
        first = self._optimizer.steps
        copies = [self._optimizer.model.backend.xp.array(array) for array in self._state()]
        self._before = first, copies
        try:
            losses = self._done(steps, rows)
            strange = ~np.isfinite(losses.reshape(steps, -1))
            strange[:, sorted(known)] = False
            found = np.flatnonzero(strange.any(axis=1))
            if len(found) and found[0] + 1 < steps:
                self.back_to(first)
                losses = self._done(int(found[0]) + 1, rows)
        except BaseException:
            self.back_to(first)
            raise
        return losses

    def _done(self, steps: int, rows: Sequence[Array]) -> Any:
        """The losses of so many steps, made one after another; the time of one is noted."""
        backend, start = self._optimizer.model.backend, time.perf_counter()
        losses = []
        for number in range(steps):
            self._optimizer.prepare()
            losses.append(self._step(*[each[number] for each in rows]).data)
        numbers = backend.to_numpy(backend.xp.stack(losses))
        self._seconds = max((time.perf_counter() - start) / steps, 1e-7)
        return numbers

    def _state(self) -> list[Array]:
        """The arrays that a step leaves changed."""
        model = self._optimizer.model
        buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
        state = self._optimizer.state().values()
        return [model.parameter_buffer, model.gradient_buffer, *state, *buffers]

"""The one door: `run`, through which every number inside a training step is made.

So whoever stands at the door sees the whole step: `recording` notes its calls, and `repeater` does
them again. What stands there is seen in its own thread or task alone; the others compute as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from scratchnet.backends.contexts import Blocks
from scratchnet.backends.guarded import Guarded, bare, refuse

Array = Any
"""A `numpy.ndarray` or a `cupy.ndarray`; Python has no common type for the two."""

Out = Any
"""An array to write into, or `...` for a new one."""

Kernel = Callable[..., Array]


class Call(NamedTuple):
    """One call of `run`: what it did, on what, and the array that holds what came out."""

    kernel: Kernel
    inputs: tuple[Any, ...]
    out: Array
    is_new: bool
    """Whether the call made `out` itself, so that nobody else had it before."""


def by_host(kernel: Kernel) -> Kernel:
    """A kernel, such as a sum over processes, that stays a call of Python: a compiled step is cut
    there, into a function for what comes before and one for what comes after."""
    kernel.is_by_host = True  # type: ignore[attr-defined]
    return kernel


def is_by_host(kernel: Kernel) -> bool:
    """Whether the kernel is marked as `by_host`."""
    return getattr(kernel, "is_by_host", False)


_AROUND: Blocks[tuple[Door, Callable[..., Array]]] = Blocks("what stands around run")
_GUARDING: Blocks[Door] = Blocks("whether the arrays of a step are guarded")
_COUNTING = threading.RLock()


class Door:
    """What makes numbers, and what can be noted and repeated of it."""

    watchers = 0
    """How many blocks of `around_run` are open, in all threads."""

    def run(self, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
        """out = kernel(*inputs): the only place where numbers are made, so all a recorder needs.

        `kernel` writes into `out`, or into a new array where `out` is `...`, and returns it.
        An elementwise kernel may write onto one of its inputs; a product or a reduction must not.
        """
        return kernel(*inputs, out=out)

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """Inside, every call of `run` is also noted.

        To repeat the calls in order, each into its `out`, is to repeat what was computed.
        """
        calls: list[Call] = []

        def note(run: Kernel, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
            """Run the kernel and note the call."""
            array = run(kernel, *inputs, out=out)
            calls.append(Call(kernel, inputs, array, is_new=out is ...))
            return array

        with self.around_run(note):
            yield calls

    @contextmanager
    def around_run(self, around: Callable[..., Array]) -> Iterator[None]:
        """Inside, a call of `run` is the call around(run, kernel, *inputs, out=out).

        Only while such a block is open somewhere does `run` ask whether it is open here: the rest
        of the time it costs nothing.
        """
        with _AROUND.opened((self, around)):
            with _COUNTING:
                if not self.watchers:
                    self._plain_run, self.run = self.run, self._run_here  # type: ignore[method-assign]
                self.watchers += 1
            try:
                yield
            finally:
                with _COUNTING:
                    self.watchers -= 1
                    if not self.watchers:
                        self.run = self._plain_run  # type: ignore[method-assign]

    @property
    def is_recording(self) -> bool:
        """Whether something stands around `run` in this context."""
        return any(door is self for door, _ in _AROUND.values())

    def _run_here(self, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
        """`run`, with what stands around it in this context; what came last is outermost."""
        run: Kernel = self._plain_run
        for door, around in _AROUND.values():
            if door is self:
                run = partial(around, run)
        return run(kernel, *inputs, out=out)

    def repeater(self, calls: Sequence[Call]) -> Callable[[], None]:
        """A function that repeats the calls, in order, each into its `out`."""
        fixed = [(call.kernel, call.inputs, call.out) for call in calls]

        def repeat() -> None:
            for kernel, inputs, out in fixed:
                kernel(*inputs, out=out)

        return repeat

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Inside, the arrays of a step are `Guarded`: `run` gives such, and `guarded` makes them.

        What only the host can do is refused.
        """

        def guard(run: Kernel, kernel: Kernel, *inputs: Any, out: Out = ...) -> Array:
            return Guarded(run(kernel, *bare(inputs), out=bare(out)), self)

        with self.around_run(guard), _GUARDING.opened(self):
            try:
                yield
            except TypeError as error:
                if Guarded.__name__ in str(error):
                    refuse(f"a call that takes no recorded array ({error})")
                raise

    def is_guarding(self) -> bool:
        """Whether a block of `guarding` is open in this context."""
        return bool(self.watchers) and self in _GUARDING.values()

    def guarded(self, array: Array) -> Array:
        """`array` as a step sees it: itself, but a `Guarded` while the step is recorded."""
        return Guarded(bare(array), self) if self.is_guarding() else array

    def host_work(self, what: str) -> None:
        """Called before work that only the host can do; refused while a step is recorded."""
        if self.is_guarding():
            refuse(what)

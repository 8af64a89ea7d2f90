"""Last stage: a compiled step, and calling it for many steps at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scratchnet.backends.compile.arrays import arrays_in, name_of, owner_of
from scratchnet.backends.compile.build import built, find_compiler
from scratchnet.backends.compile.memory import ALIGNMENT
from scratchnet.backends.compile.signature import Signature, keep
from scratchnet.backends.compile.source import Program, name_of_part, write_program
from scratchnet.backends.door import is_by_host
from scratchnet.backends.interface import Array, Call

Changing = Sequence[tuple[Array, Any]]
"""Arrays that the step reads, each with what it holds in each of the steps: (steps, ...)."""


@dataclass
class Function:
    """What the steps of one signature have in common."""

    program: Program
    """Without its arrays, which each step has of its own."""
    numbers: list[int]
    """Those arrays, by their numbers in the signature."""
    run: Any
    later: list[Any]
    """The functions of the parts after the first, where the step is cut at calls of the host."""
    is_compared: bool = False
    """Whether somebody has compared a step of this source with a replay."""


_kept: dict[Any, Function] = {}
"""By signature and compiler, so that a network whose shape was trained before in this process
begins at once.

What has changed since then, be it the data, a loss of one's own or the structure of a layer, is in
the calls, from which the signature is made.
"""


class CompiledStep:
    """A recorded step as a compiled function.

    Made from the calls, the outcome's array and the number of networks that train side by side.
    Raises `NotCompiled` where a call has no lowering, and `NoCompiler` without a compiler.
    """

    def __init__(self, calls: Sequence[Call], outcome: Array, networks: int = 1) -> None:
        self.compiler = find_compiler()
        signature = Signature(calls, outcome)
        key = signature.key, self.compiler
        function = _kept.get(key)
        if function is None:
            program = write_program(calls, outcome, self.compiler.target)
            numbers = [signature.number(array) for array in program.arrays]
            program = replace(program, arrays=[], phases=[], between=[], loops=[])
            # Ensembles of 30 and of 10 have one source, which need not be compared twice.
            is_compared = any(
                each.is_compared and each.numbers == numbers and each.program == program
                for (_, compiler), each in list(_kept.items())
                if compiler == self.compiler
            )
            run, *later = [
                built(program.source, self.compiler, name_of_part(i))
                for i in range(sum(is_by_host(call.kernel) for call in calls) + 1)
            ]
            function = Function(program, numbers, run, later, is_compared)
            keep(_kept, key, function)
        self.function = function
        self.program = self.function.program
        self._arrays = [signature.owners[each] for each in self.function.numbers]
        self._calls = list(calls)  # keeps every array alive
        self._outcome, self._networks = outcome, networks
        self._places = {id(array): i for i, array in enumerate(self._arrays)}
        self._addresses = np.array(
            [array.__array_interface__["data"][0] for array in self._arrays], np.int64
        )
        self._distances = np.zeros(len(self._addresses), np.int64)
        self._heights = indexed_heights(calls)
        self._scratch: list[Array] = []
        self._by_host = [call for call in calls if is_by_host(call.kernel)]

    def run(self, steps: int, changing: Changing = (), threads: int = 1) -> Any:
        """Do so many steps; returns the outcome of each, (steps, *outcome's shape).

        `changing` gives the arrays that the step reads and that differ from step to step. Networks
        are shared out among `threads`; each is computed in the same way by any of them.
        """
        addresses, distances = self._addresses.copy(), self._distances.copy()
        copies = self._copies(addresses)
        try:
            return self._run(steps, changing, min(threads, self._networks), addresses, distances)
        finally:
            for array, of_each in copies:
                array[...] = of_each[0]

    def _copies(self, addresses: Array) -> list[tuple[Array, Array]]:
        """The arrays that the networks have in common and change, each with a copy for each of
        them, whose addresses are entered."""
        copies = []
        for number in self.program.copied:
            array = self._arrays[number]
            of_each = np.stack([array] * self._networks)
            addresses[number] = of_each.__array_interface__["data"][0]
            copies.append((array, of_each))
        return copies

    def _run(
        self, steps: int, changing: Changing, threads: int, addresses: Array, distances: Array
    ) -> Any:
        """The outcomes of all steps; what changes from step to step is left as in the last one."""
        if self._by_host:
            return self._run_in_parts(steps, changing, threads, addresses, distances)
        if steps == 1 and not changing:
            self._share_out(addresses, distances, 1, threads)
            return self._outcome[None].copy()
        alive = []
        outcomes = np.empty((steps, *self._outcome.shape), self._outcome.dtype)
        for array, values in (*changing, (self._outcome, outcomes)):
            place = self._places.get(id(owner_of(array)))
            if place is None:
                continue
            if values is not outcomes:
                values = self._stacked(array, values, steps)
            alive.append(values)
            offset = array.__array_interface__["data"][0] - self._addresses[place]
            addresses[place] = values.__array_interface__["data"][0] - offset
            distances[place] = values.strides[0] if steps else 0
        self._share_out(addresses, distances, steps, threads)
        for array, values in (*changing, (self._outcome, outcomes)):
            if steps:
                array[...] = values[-1]
        return outcomes

    def _run_in_parts(
        self, steps: int, changing: Changing, threads: int, addresses: Array, distances: Array
    ) -> Any:
        """As `run`; each step is its parts, with the calls of the host between them."""
        stacked = [(array, self._stacked(array, values, steps)) for array, values in changing]
        outcomes = np.empty((steps, *self._outcome.shape), self._outcome.dtype)
        for step in range(steps):
            for array, values in stacked:
                array[...] = values[step]
            self._share_out(addresses, distances, 1, threads)
            for call, part in zip(self._by_host, self.function.later, strict=True):
                call.kernel(*call.inputs, out=call.out)
                self._share_out(addresses, distances, 1, threads, part)
            outcomes[step] = self._outcome
        return outcomes

    def _stacked(self, array: Array, values: Any, steps: int) -> Array:
        """`values` as (steps, *array.shape); the code trusts indices, so they are checked."""
        stacked = np.ascontiguousarray(values, array.dtype)
        height = self._heights.get(id(owner_of(array)))
        if height is not None and stacked.size:
            refuse_outside_rows(int(stacked.min()), int(stacked.max()), height)
        return stacked.reshape(steps, *array.shape)

    def _share_out(
        self, addresses: Array, distances: Array, steps: int, threads: int, run: Any = None
    ) -> None:
        """Run the networks in equal parts, one on each thread."""
        while len(self._scratch) < threads:
            self._scratch.append(_aligned(self.program.scratch_bytes + 4096))
        bounds = [i * self._networks // threads for i in range(threads + 1)]

        def part(i: int) -> None:
            """Run the i-th part of the networks, in scratch memory of its own."""
            (run or self.function.run)(
                addresses.ctypes.data,
                distances.ctypes.data,
                bounds[i],
                bounds[i + 1],
                steps,
                self._scratch[i].ctypes.data,
            )

        if threads == 1:
            part(0)
            return
        _together(part, threads)


def _together(part: Callable[[int], None], threads: int) -> None:
    """part(0), part(1), ..., each in a thread of its own.

    Where Ctrl-C ends the wait, no part is at work any more: a pool waits for its threads, but not
    for one that it was about to note when the signal came.
    """
    at_work = [threading.Lock() for _ in range(threads)]
    is_over = False

    def guarded(i: int) -> None:
        """Run a part, unless the wait for it has ended."""
        with at_work[i]:
            if not is_over:
                part(i)

    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(guarded, range(threads)))
    except BaseException:
        is_over = True
        for lock in at_work:
            with lock:
                pass
        raise


def _aligned(size: int) -> Array:
    """A block of memory for a thread's tiles."""
    block = np.zeros(size + ALIGNMENT, np.uint8)
    return block[-block.ctypes.data % ALIGNMENT :]


def indexed_heights(calls: Sequence[Call]) -> dict[int, int]:
    """For each array of indices that `take` reads, the rows that there are to take from."""
    heights: dict[int, int] = {}
    for call in calls:
        if name_of(call) == "take":
            x, index = call.inputs
            indices = arrays_in(index)
            for number, each in enumerate(indices):
                axis = number if isinstance(index, tuple) else 0
                key = id(owner_of(each))
                heights[key] = min(heights.get(key, x.shape[axis]), x.shape[axis])
    return heights


def refuse_outside_rows(lowest: int, highest: int, height: int) -> None:
    """Raise `IndexError` where indices reach beyond an axis of so many rows."""
    if lowest < -height or highest >= height:
        raise IndexError(f"an index out of range for {height} rows")


def default_threads() -> int:
    """The threads that BLAS was told to use, or all cores of this process."""
    told = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if told and told.isdigit():
        return max(1, int(told))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

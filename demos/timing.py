"""Times that can be compared: everybody in one process, in turns, on the same cores.

A machine's speed drifts, and other processes take their share. So the contestants take turns: one
round is one turn of each, in an order that rotates. What is reported are ratios within a round,
their median and their 10th and 90th percentile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError
from scratchnet.backends.interface import Timer

SECONDS_PER_TURN = 0.02
MAXIMUM_CALLS = 2000
WARM_UP_CALLS = 3


def host_timer() -> Timer:
    """For work that is done when its call returns."""
    return Timer(lambda: None)


@dataclass(frozen=True, eq=False)
class Contestant:
    """One way to make the same training step; each call goes on where the last one stopped."""

    name: str
    call: Callable[[], Any]
    """Makes `steps` steps and returns their losses, unread, so that nobody waits for a device."""
    losses: Callable[[Any], NDArray[Any]] | None = None
    """What a call returned as host numbers (steps, networks); None for one that has no losses."""
    timer: Callable[[], Timer] = host_timer
    """Waits for the device before it starts and before it stops."""
    steps: int = 1
    networks: int = 1


@dataclass(frozen=True)
class Spread:
    """The median, and the 10th and 90th percentile."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{figures(self.median)} [{figures(self.low)} to {figures(self.high)}]"


def figures(value: float) -> str:
    """A ratio with two decimals, a large one with fewer: 0.95, 4.51, 12.3, 140, 1,200."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def spread(values: Any) -> Spread:
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    return Spread(float(median), float(low), float(high))


def ratio(a: Any, b: Any) -> Spread:
    """The spread of a / b, round by round."""
    return spread(np.asarray(a) / np.asarray(b))


@dataclass(frozen=True, eq=False)
class Turns:
    """What was measured in the rounds of one case."""

    seconds: Mapping[str, NDArray[Any]]
    """Of one step of one network, for each contestant and round."""
    other_processes: float
    """The share of the NumPy engine's turns in which it had to wait for its core."""
    other_threads: float
    """The processor time of other threads in the turns of the NumPy engine, as a share of it.

    They would be left over from another library, and disturb.
    """


def interleaved(
    contestants: Sequence[Contestant],
    rounds: int,
    advance: Callable[..., None],
    watched: str = "",
    by_processor: bool = False,
) -> Turns:
    """Each contestant once a round, first all in order, then from the second on, and so forth.

    A turn is at least `SECONDS_PER_TURN` long, or one call. Before it, one call that does not
    count brings the contestant's arrays back into the caches. `watched` names the contestant
    that computes in the calling thread alone; only there it can be told what other threads do.
    With `by_processor` the time is that of the processor in all threads of this process, which on
    one core is the time of the turn without what other processes took of it.
    """
    calls = {each.name: calls_per_turn(each) for each in contestants}
    seconds = {each.name: np.empty(rounds) for each in contestants}
    wall = busy = own = everybody = 0.0
    for number in range(rounds):
        shift = number % len(contestants)
        for each in (*contestants[shift:], *contestants[:shift]):
            each.call()
            with each.timer() as timer:
                process, thread = time.process_time(), time.thread_time()
                for _ in range(calls[each.name]):
                    each.call()
            # Read when the timer has waited: an asynchronous library computes until then.
            process, thread = time.process_time() - process, time.thread_time() - thread
            taken = process if by_processor else timer.seconds
            seconds[each.name][number] = taken / (calls[each.name] * each.steps * each.networks)
            if each.name == watched:
                wall, busy = wall + timer.seconds, busy + min(process, timer.seconds)
                own, everybody = own + thread, everybody + process
            advance()
    waiting = 1 - busy / wall if wall else float("nan")
    return Turns(seconds, waiting, everybody / own - 1 if own else float("nan"))


def calls_per_turn(contestant: Contestant, turn: float = SECONDS_PER_TURN) -> int:
    """How many calls fill a turn of so many seconds, found while the contestant warms up."""
    for _ in range(WARM_UP_CALLS):
        contestant.call()
    count = 1
    while True:
        with contestant.timer() as timer:
            for _ in range(count):
                contestant.call()
        if timer.seconds >= turn / 4 or count >= MAXIMUM_CALLS:
            needed = turn / max(timer.seconds / count, 1e-9)
            return int(min(max(1, round(needed)), MAXIMUM_CALLS))
        count *= 4


@contextmanager
def pinned(threads: int) -> Iterator[int | None]:
    """Inside, this process runs on `threads` cores, and BLAS with as many threads.

    Threads that are made inside, such as those of another library, inherit the cores. Yields how
    many cores were taken, or None where the system cannot pin a process. Raises `InputError` where
    there are not as many.
    """
    from threadpoolctl import threadpool_limits

    with ExitStack() as stack:
        cores = None
        if hasattr(os, "sched_setaffinity"):
            allowed = os.sched_getaffinity(0)
            if threads > len(allowed):
                raise InputError(
                    f"--threads {threads}: this process may use {len(allowed)} of the cores"
                )
            os.sched_setaffinity(0, sorted(allowed)[-threads:])
            stack.callback(os.sched_setaffinity, 0, allowed)
            cores = threads
        stack.enter_context(threadpool_limits(threads))
        yield cores

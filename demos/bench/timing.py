"""Times that can be compared: interleaved in one process, on the same cores.

A machine's speed drifts, and other processes take their share. So the implementations take turns:
a round is one turn of each, in an order that rotates. What is compared are ratios within a round,
by their median and their 10th and 90th percentile.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError
from scratchnet.backends.interface import Timer
from scratchnet.extras import is_installed

SECONDS_PER_TURN = 0.02
MAXIMUM_CALLS = 2000
WARM_UP_CALLS = 3


@dataclass(frozen=True, eq=False)
class Implementation:
    """One way to make the same training step; each call goes on where the last one stopped."""

    name: str
    call: Callable[[], Any]
    """Makes `steps` steps and returns their losses, unread, so that nobody waits for a device."""
    losses: Callable[[Any], NDArray[Any]] | None = None
    """What a call returned as host numbers (steps, networks); None for one that has no losses."""
    timer: Callable[[], Timer] = partial(Timer, lambda: None)
    """Waits for the device before it starts and before it stops; by default there is none."""
    steps: int = 1
    networks: int = 1


@dataclass(frozen=True)
class Spread:
    """The median, and the 10th and 90th percentile."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{shown(self.median)} [{shown(self.low)} to {shown(self.high)}]"


def shown(value: float) -> str:
    """With two decimals, or fewer where it is large: 0.95, 4.51, 12.3, 140, 1,200."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def span(values: Iterable[float], form: Callable[[float], str] = shown) -> str:
    """The smallest and the largest, such as `1.10 to 2.12`."""
    found = sorted(values)
    return " to ".join(dict.fromkeys([form(found[0]), form(found[-1])]))


def spread(values: Any) -> Spread:
    """The median, and the quantiles at 10 % and 90 %."""
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    return Spread(float(median), float(low), float(high))


def interleaved(
    implementations: Sequence[Implementation],
    rounds: int,
    advance: Callable[[], None],
    watched: str = "",
) -> tuple[dict[str, NDArray[Any]], float]:
    """Each implementation once a round, first all in order, then from the second on, and so forth.

    A turn is at least `SECONDS_PER_TURN` long, or one call. Before it, one call that does not
    count brings the arrays back into the caches. Returns the seconds of one step of one network,
    (rounds,) for each, and the share of the turns of `watched`, which computes in the calling
    thread, in which other processes had its core.
    """
    calls = {each.name: calls_per_turn(each) for each in implementations}
    seconds = {each.name: np.empty(rounds) for each in implementations}
    wall = busy = 0.0
    for number in range(rounds):
        shift = number % len(implementations)
        for each in (*implementations[shift:], *implementations[:shift]):
            each.call()
            with each.timer() as timer:
                before = time.thread_time()
                for _ in range(calls[each.name]):
                    each.call()
                computed = time.thread_time() - before
            turn = calls[each.name] * each.steps * each.networks
            seconds[each.name][number] = timer.seconds / turn
            if each.name == watched:
                wall, busy = wall + timer.seconds, busy + min(computed, timer.seconds)
            advance()
    return seconds, 1 - busy / wall if wall else float("nan")


def calls_per_turn(implementation: Implementation, turn: float = SECONDS_PER_TURN) -> int:
    """How many calls fill a turn of so many seconds, found while the caches fill."""
    for _ in range(WARM_UP_CALLS):
        implementation.call()
    count = 1
    while True:
        with implementation.timer() as timer:
            for _ in range(count):
                implementation.call()
        if timer.seconds >= turn / 4 or count >= MAXIMUM_CALLS:
            needed = turn / max(timer.seconds / count, 1e-9)
            return int(min(max(1, round(needed)), MAXIMUM_CALLS))
        count *= 4


def cores() -> set[int]:
    """Those on which this thread may run; none where the system does not say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


@contextmanager
def on_cores(chosen: set[int]) -> Iterator[None]:
    """Inside, all threads of this process, also those of other libraries, run on these cores."""
    before = cores()
    move(chosen)
    try:
        yield
    finally:
        move(before)


def move(chosen: set[int]) -> None:
    """The threads that there are, to these cores; new ones go where their makers are."""
    if not chosen:
        return
    for thread in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else [0]:
        with suppress(ProcessLookupError):  # it has ended since
            os.sched_setaffinity(int(thread), chosen)


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Inside, BLAS has so many threads, and this process as many cores. See `check_threads`."""
    from threadpoolctl import threadpool_limits

    with on_cores(set(sorted(cores())[-threads:])), threadpool_limits(threads):
        yield


def check_threads(threads: int) -> None:
    """Raise `InputError` where there are not as many cores, or nothing can limit the threads."""
    if cores() and threads > len(cores()):
        raise InputError(f"--threads {threads}: must be at most {len(cores())}, the cores here")
    if not is_installed("threadpoolctl"):
        raise InputError(
            "bench needs threadpoolctl, to give BLAS its threads: pip install threadpoolctl"
        )

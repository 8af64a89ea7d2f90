"""A sweep of 1,000 seeds and ten depths on up to 10,000 workers, simulated from measured times.

One process is client and scheduler, a queue with one server: it hands out chunks, receives their
numbers and writes them. Every arm chooses its rate before its other chunks can start.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from ledger import enter

HAND_OUT, RECEIVE, WRITE = 0.0016, 0.0015, 0.0013
"""Processor seconds of a chunk in that process.

The sum of the first two was measured with chunks that do nothing (`cluster_scaling.txt`), the last
with 300 files of curves and decision regions of ten networks.
"""
BYTES_OUT, BYTES_BACK = 170_000, 200_000
"""Of a chunk of ten networks: lottery's masks; spiral's decision regions and curves."""
SEEDS, DEPTHS, TUNED = 1000, 10, 25
"""TUNED: networks of the learning rates of an arm."""


def seconds(depth: int, networks: int) -> float:
    """Of a chunk of spiral, 1,000 epochs: measured with six networks at depths 1 and 2.

    In proportion to their number, although few networks train slower each.
    """
    return networks / 10 * (4.4 + 10.6 * (depth - 1))


@dataclass
class Found:
    """What a simulated sweep took."""

    seconds: float
    work: float
    """Of all chunks on one worker."""
    served: float
    """Seconds for which the process of client and scheduler was busy."""
    chunks: int


def sweep(workers: int, networks: int, seconds=seconds, longest_first: bool = False) -> Found:
    """All arms at once; chunks that are ready are handed out in their order, or the longest first.

    All chunks of an arm take the same time, so that the longest are those of the deepest arm.
    """
    ready: list[tuple[int, int, bool]] = []
    arrival = count()

    def add(depth: int, tuning: bool, chunks: int) -> None:
        for _ in range(chunks):
            heapq.heappush(ready, (-depth if longest_first else next(arrival), depth, tuning))

    missing = {depth: len(list(sizes(TUNED, networks))) for depth in range(1, DEPTHS + 1)}
    for depth in missing:
        add(depth, True, missing[depth])
    free, now, served, work, chunks, last = workers, 0.0, 0.0, 0.0, 0, 0.0
    ends: list[tuple[float, int, bool]] = []
    while ready or ends:
        if ends and ends[0][0] <= now or not (ready and free):
            end, depth, tuning = heapq.heappop(ends)
            now, last, free = max(now, end) + RECEIVE + WRITE, max(now, end), free + 1
            served += RECEIVE + WRITE
            missing[depth] -= tuning
            if tuning and not missing[depth]:
                add(depth, False, len(list(sizes(SEEDS, networks))))
        else:
            _, depth, tuning = heapq.heappop(ready)
            now, free, served, chunks = now + HAND_OUT, free - 1, served + HAND_OUT, chunks + 1
            takes = seconds(depth, networks)
            work += takes
            heapq.heappush(ends, (now + takes, depth, tuning))
    assert free == workers and last <= now
    return Found(now, work, served, chunks)


def sizes(networks: int, most: int) -> Iterator[int]:
    """How many networks each chunk has."""
    return (min(most, networks - at) for at in range(0, networks, most))


def most_workers(networks: int, longest_first: bool) -> int:
    """How many workers are at work for half of the time and more, to the next hundred."""
    workers = 100
    while True:
        found = sweep(workers + 100, networks, longest_first=longest_first)
        if found.work / (workers + 100) / found.seconds < 0.5:
            return workers
        workers += 100


def test_the_same_chunks_in_another_order_take_about_as_long():
    for workers in (10, 100, 1000):
        plain, ordered = sweep(workers, 10), sweep(workers, 10, longest_first=True)
        assert ordered.chunks == plain.chunks
        assert 0.8 * plain.seconds < ordered.seconds < 1.01 * plain.seconds


def test_the_simulation_has_the_limits_that_can_be_told_without_it():
    one = sweep(1, 10)
    assert one.work + one.served == pytest.approx(one.seconds)
    idle = sweep(10_000, 1, lambda depth, networks: 0.0)
    assert idle.seconds == pytest.approx(idle.served, rel=0.01)
    assert sweep(10_000, 10).seconds > 2 * seconds(DEPTHS, 10)


@pytest.mark.campaign
def test_a_sweep_on_a_thousand_workers():
    parts = []
    for networks in (10, 1):
        for workers in (10, 100, 1000, 10_000):
            found = sweep(workers, networks)
            share = found.work / workers / found.seconds
            parts.append(
                f"{workers:,} workers with chunks of {networks}: {found.seconds:,.0f} s, "
                f"{share:.0%} of the time at work"
            )
        moved = found.chunks * (BYTES_OUT + BYTES_BACK) * networks / 10
        parts.append(
            f"chunks of {networks}: {found.chunks:,} files and {moved / 1e9:.1f} GB through the "
            f"client, which is busy for {found.served:,.0f} s"
        )
    for networks in (10, 5, 2):
        stops, ordered = (most_workers(networks, longest) for longest in (False, True))
        parts.append(
            f"chunks of {networks} keep up to {stops:,} workers at work for half of the time and "
            f"more, with the longest first {ordered:,}"
        )
    limit = 1 / (HAND_OUT + RECEIVE + WRITE)
    parts.append(
        f"client and scheduler in one process serve {limit:.0f} chunks a second, so that 1,000 "
        f"workers are kept busy by chunks of {1000 / limit:.0f} s and more. So the design stops "
        "where an arm has too few chunks, not at the scheduler, the files or the bytes; chunks of "
        "fewer networks come next, and then several commands"
    )
    enter("thousand_workers", "; ".join(parts))

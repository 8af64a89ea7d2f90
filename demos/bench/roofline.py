"""What a device can do at most, measured, and which of its limits a step runs into.

The roofline model (Williams, Waterman and Patterson 2009): work of F operations that moves B bytes
takes at least max(F / peak, B / bandwidth). Where the first is larger, compute binds, else
memory does; the intensity F / B at which both are equal is the ridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends import Backend
from scratchnet.demos.bench.counting import BYTES_OF_A_NUMBER, StepCount
from scratchnet.demos.timing import Contestant, calls_per_turn

PRODUCT_SIZES = {"numpy": (256, 512, 1024), "cupy": (4096, 8192)}
# On a GPU no smaller sets than its cache: there the launch of a kernel takes the time.
SET_SIZES = {"numpy": (2**15, 2**28), "cupy": (2**26, 2**30)}
TRIES, SECONDS_PER_TRY = 30, 0.002


@dataclass(frozen=True)
class Ceilings:
    """The limits of one backend in one precision."""

    product_rate: float
    """Operations per second of the fastest square matrix product."""
    bandwidths: Mapping[int, float] = field(default_factory=dict)
    """Bytes per second of b <- a + b, those read and those written, by the size of both arrays."""

    def bandwidth(self, working_set: int, backend: str) -> float:
        """That of arrays as large as the working set."""
        return self.bandwidths[measured_size(working_set, backend)]


@dataclass(frozen=True)
class Placement:
    """Where a step stands under its roof."""

    rate: float
    """Operations per second."""
    of_product_rate: float
    of_bandwidth: float
    of_roof: float
    """The least time that the model allows, as a share of the measured time."""
    binds: str
    """`compute` or `memory`."""


def place(count: StepCount, seconds: float, product_rate: float, bandwidth: float) -> Placement:
    """The step's operations and bytes per second beside what the device can do."""
    arithmetic, memory = count.operations / product_rate, count.bytes / bandwidth
    return Placement(
        count.operations / seconds,
        arithmetic / seconds,
        memory / seconds,
        max(arithmetic, memory) / seconds,
        "compute" if arithmetic >= memory else "memory",
    )


def measured_size(working_set: int, backend: str) -> int:
    """The next power of two, within what is measured for that backend."""
    smallest, largest = SET_SIZES[backend]
    size = 1 << max(0, int(working_set) - 1).bit_length()
    return min(max(size, smallest), largest)


def measure_ceilings(
    backend: Backend, working_sets: Iterable[int], advance: Callable[..., None]
) -> Ceilings:
    """Time square products, and an addition for each size that the working sets need.

    An addition, as in STREAM (McCalpin 1995), because a copy of small arrays can be slower than
    arithmetic on them, by where they lie. Noise only ever slows down, so a limit is the best of
    many tries.
    """
    rate = 0.0
    for n in PRODUCT_SIZES[backend.name]:
        a, b, out = (random_array(backend, (n, n), seed) for seed in range(3))
        seconds = best_seconds(backend, partial(backend.matmul, a, b, out=out))
        rate = max(rate, 2 * n**3 / seconds)
        advance(note="matrix products")
    bandwidths = {}
    for size in sorted({measured_size(each, backend.name) for each in working_sets}):
        numbers = size // (2 * BYTES_OF_A_NUMBER)
        a, b = (random_array(backend, (numbers,), seed) for seed in range(2))
        moved = 3 * numbers * BYTES_OF_A_NUMBER
        bandwidths[size] = moved / best_seconds(backend, partial(backend.add, a, b, out=b))
        advance(note="memory")
    return Ceilings(rate, bandwidths)


def random_array(backend: Backend, shape: tuple[int, ...], seed: int) -> Any:
    """Numbers in [-1, 1): a product of zeros can be faster than any other."""
    rng = np.random.default_rng(seed)
    return backend.asarray(rng.random(shape, np.float32) * 2 - 1)


def best_seconds(backend: Backend, call: Callable[[], Any]) -> float:
    """Of one call, the best of many short tries: few of them are interrupted."""
    count = calls_per_turn(Contestant("", call, timer=backend.timer), SECONDS_PER_TRY)
    found = []
    for _ in range(TRIES):
        with backend.timer() as timer:
            for _ in range(count):
                call()
        found.append(timer.seconds / count)
    return min(found)

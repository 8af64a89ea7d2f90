"""What a device can do at most, measured, and which of its limits a step runs into.

The roofline model (Williams, Waterman and Patterson 2009): work of F operations that moves B bytes
takes at least max(F / peak, B / bandwidth). Where the first is larger, compute binds, else
memory does; the intensity F / B at which both are equal is the ridge.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scratchnet.backends import Backend
from scratchnet.demos.bench.counting import BYTES_OF_A_NUMBER, StepCount
from scratchnet.demos.bench.timing import Implementation

PEAK, ADDITION = "peak", "addition"
PRODUCT_SIZE = {"numpy": 512, "cupy": 8192}
# On a GPU no smaller arrays than its cache: there the launch of a kernel takes the time.
SMALLEST_ARRAYS, LARGEST_ARRAYS = {"numpy": 2**15, "cupy": 2**26}, 2**28

FUSED, ROUNDS_OF_FUSED = 12, 100_000
# Twelve sums that do not wait for each other keep both units of a core busy; a and b are such that
# the sums stay at b / (1 - a).
FUSED_SOURCE = """
typedef float V __attribute__((vector_size(%(bytes)d)));
extern "C" void run(float* numbers, void*, long n, long, long, void*) {
  V a = numbers[0] - V{}, b = numbers[1] - V{}, x[%(sums)d];
  for (V& each : x) each = b;
  for (long i = 0; i < n; i++) {
    _Pragma("GCC unroll %(sums)d") for (V& each : x) each = each * a + b;
  }
  for (V& each : x) numbers[2] += each[0];
}
"""


@dataclass(frozen=True)
class Limit:
    """Something to be timed in turns with the steps, which does as much per second as can be done.

    A processor's clock changes, so it is timed beside them. Noise only ever slows down: it is
    the fastest of the rounds; a peak, of this case's and of those before.
    """

    implementation: Implementation
    work: int
    """Operations or bytes of a call."""
    sentence: str


def fused_peak(threads: int) -> Limit:
    """A loop of multiplications fused with additions, in the registers of one core.

    With several threads it counts that many times. Raises `NoCompiler`.
    """
    from scratchnet.backends.compile import find_compiler
    from scratchnet.backends.compile.build import built

    compiler = find_compiler()
    size = compiler.target.vector_bytes
    function = built(FUSED_SOURCE % {"bytes": size, "sums": FUSED}, compiler)
    numbers = np.array([0.5, 1.0, 0.0], np.float32)

    def call() -> None:
        function(numbers.ctypes.data, 0, ROUNDS_OF_FUSED, 0, 0, 0)

    operations = 2 * FUSED * size // BYTES_OF_A_NUMBER * ROUNDS_OF_FUSED * threads
    cores = f", times {threads} cores" if threads > 1 else ""
    sentence = f"a loop of fused multiplications and additions in registers, compiled{cores}"
    return Limit(Implementation(PEAK, call), operations, sentence)


def product_peak(backend: Backend) -> Limit:
    """A square matrix product, large enough for the backend's library to be at its fastest."""
    n = PRODUCT_SIZE[backend.name]
    a, b, out = (random_array(backend, (n, n), seed) for seed in range(3))
    call = partial(backend.matmul, a, b, out=out)
    sentence = f"a matrix product of {n:,} x {n:,} by the backend's library"
    return Limit(Implementation(PEAK, call, timer=backend.timer), 2 * n**3, sentence)


def addition(backend: Backend, working_set: int) -> Limit:
    """b <- a + b of arrays that are together as large as what a step touches.

    An addition, as in STREAM (McCalpin 1995), because a copy of small arrays can be slower than
    arithmetic on them, by where they lie.
    """
    size = min(max(working_set, SMALLEST_ARRAYS[backend.name]), LARGEST_ARRAYS)
    numbers = size // (2 * BYTES_OF_A_NUMBER)
    a, b = (random_array(backend, (numbers,), seed) for seed in range(2))
    call = partial(backend.add, a, b, out=b)
    sentence = "an addition of arrays as large as what the step touches"
    moved = 3 * numbers * BYTES_OF_A_NUMBER
    return Limit(Implementation(ADDITION, call, timer=backend.timer), moved, sentence)


def random_array(backend: Backend, shape: tuple[int, ...], seed: int) -> Any:
    """Numbers in [-1, 1): a product of zeros can be faster than any other."""
    rng = np.random.default_rng(seed)
    return backend.asarray(rng.random(shape, np.float32) * 2 - 1)


@dataclass(frozen=True)
class Placement:
    """Where a step stands under its roof: of which limit it reaches more, that one binds."""

    rate: float
    """Operations per second."""
    of_peak: float
    of_bandwidth: float


def place(count: StepCount, seconds: float, peak: float, bandwidth: float) -> Placement:
    """The rates of a step of all networks, which takes so long, beside the device's limits."""
    rate = count.operations / seconds
    return Placement(rate, rate / peak, count.bytes / seconds / bandwidth)

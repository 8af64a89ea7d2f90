"""`scratchnet` with small networks in the benchmark's table, for the emulated device.

It multiplies matrices by definition, and its clock stands still: a turn is one call.
"""

import sys
from dataclasses import replace

import cupy_on_cpu  # noqa: F401

from scratchnet.demos.bench import experiment, roofline, timing
from scratchnet.demos.bench.cases import CUDA_FIGURES, Case
from scratchnet.demos.command_line import main


def small(case: Case) -> Case:
    smaller = {"depth": 2, "width": 8, "batch": 20, "networks": 3}
    return replace(case, **{name: min(getattr(case, name), most) for name, most in smaller.items()})


experiment.CUDA_FIGURES = tuple(dict.fromkeys(map(small, CUDA_FIGURES)))
roofline.PRODUCT_SIZE["cupy"], roofline.SMALLEST_ARRAYS["cupy"] = 32, 2**10
timing.calls_per_turn.__defaults__ = (1e-5,)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

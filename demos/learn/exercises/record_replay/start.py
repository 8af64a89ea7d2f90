"""Record and replay in twenty lines.

Much of the time of a small training step goes into Python: building the graph, choosing kernels,
making arrays. But every step does the same. So the first one is recorded, as a list of array calls
with the arrays that they read and wrote, and later steps only repeat the list:

    h = run(matmul, x, W)              matmul  (x, W)  -> h
    h = run(add, h, b)                 add     (h, b)  -> h2
    y = run(maximum, h, 0.0)           maximum (h2, 0) -> y
    run(subtract, W, d, out=W)         subtract (W, d) -> W        in place: W moves on

    x[...] = another batch;   replay()        h, h2, y and W hold the numbers of the next step

A replay repeats each kernel on the same arrays and writes into the array that it made the first
time. So whatever changes from step to step must be written *into* an array that the list knows, as
x is here. A copy of x in the list would stay what it was.

A kernel is a function such as np.matmul: kernel(*inputs) makes a new array and
kernel(*inputs, out=array) writes into that one; both return it.

Write the class. `run(kernel, *inputs, out=None)` computes, into `out` where that is given, notes
the call and returns the array. `replay()` repeats all noted calls in order, and notes nothing.

Source: backends/door.py:Door.repeater
"""

from collections.abc import Callable
from typing import Any

import numpy as np


class Recorder:
    """The calls of one step."""

    def __init__(self) -> None:
        raise NotImplementedError

    def run(self, kernel: Callable[..., Any], *inputs: Any, out: Any = None) -> Any:
        """kernel(*inputs), in a new array or in `out`; the call is noted."""
        raise NotImplementedError

    def replay(self) -> None:
        """Repeat every call, each into the array that it wrote the first time."""
        raise NotImplementedError

# says: share one list
"""A right solution."""

from collections.abc import Callable
from typing import Any


class Recorder:
    calls = []

    def run(self, kernel: Callable[..., Any], *inputs: Any, out: Any = None) -> Any:
        """kernel(*inputs), in a new array or in `out`; the call is noted."""
        out = kernel(*inputs, out=out)
        self.calls.append((kernel, inputs, out))
        return out

    def replay(self) -> None:
        """Repeat every call, each into the array that it wrote the first time."""
        for kernel, inputs, out in self.calls:
            kernel(*inputs, out=out)

# says: must not note its calls again
"""A right solution."""

from collections.abc import Callable
from typing import Any


class Recorder:
    """The calls of one step."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], Any]] = []

    def run(self, kernel: Callable[..., Any], *inputs: Any, out: Any = None) -> Any:
        """kernel(*inputs), in a new array or in `out`; the call is noted."""
        out = kernel(*inputs, out=out)
        self.calls.append((kernel, inputs, out))
        return out

    def replay(self) -> None:
        """Repeat every call, each into the array that it wrote the first time."""
        for kernel, inputs, out in list(self.calls):
            self.run(kernel, *inputs, out=out)

"""A list of recorded calls as one CUDA graph: started as a whole, by one call of the driver."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scratchnet.backends.interface import Array, Call

Repeat = Callable[[], None]


def as_graph(xp: Any, calls: Sequence[Call], repeat: Repeat) -> Repeat:
    """A function that does what `repeat`, which repeats these calls, does; by one launch.

    What is captured is the repetition: every buffer exists by then, and nothing waits for the host.
    It runs once before, so that all kernels are compiled and loaded; what it changes is put back.
    Where it cannot be captured, `repeat` itself is returned, with one warning.

    The graph is launched on the current stream, so it keeps its place among all other work. Memory
    that a call takes and gives back while it runs comes from a pool that lives as long as the
    graph: in a shared pool, somebody else would be given it between two launches.
    """
    stream, pool = xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
    changed = {id(call.out): call.out for call in calls if not call.is_new}.values()
    before = [xp.array(array) for array in changed]
    # The device as a whole must not be waited for: that ends what another thread captures.
    stream.wait_event(xp.cuda.get_current_stream().record())
    try:
        with stream, xp.cuda.using_allocator(pool.malloc):
            repeat()
            stream.synchronize()
            graph = _captured(stream, repeat)
    finally:
        stream.synchronize()
        _put_back(xp, changed, before)
    if graph is None:
        return repeat

    return Launch(graph, (pool, calls, repeat))


@dataclass(frozen=True)
class Launch:
    """Launches a graph on the current stream."""

    graph: Any
    needed: tuple[Any, ...]
    """What holds the memory that the graph reads and writes."""

    def __call__(self) -> None:
        self.graph.launch()


def _captured(stream: Any, repeat: Repeat) -> Any:
    """The graph of what `repeat` puts on the stream; None, with a warning, where that fails."""
    stream.begin_capture()
    try:
        try:
            repeat()
        finally:
            graph = stream.end_capture()
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error.__context__ or error).splitlines()[0]
        warnings.warn(
            f"a step is replayed kernel by kernel, since CUDA cannot capture it: {reason}",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    return graph


def _put_back(xp: Any, changed: Any, before: Sequence[Array]) -> None:
    for array, values in zip(changed, before, strict=True):
        xp.copyto(array, values)

"""What holds inside a `with` block, and only for the thread or task that is inside it.

Each thread and each asyncio task has a context of its own (`contextvars`), so that a block in one
does not reach another; a task begins with the blocks that were open where it was made. A generator,
however, runs in the context of its caller and can be suspended inside a block. So blocks may end in
any order, and even in another context than they began in. Each is an entry of its own, which its
end closes, whatever was opened or closed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Entry(Generic[Value]):
    """One block: what it was opened with, and whether it has not ended yet."""

    __slots__ = ("value", "is_open")

    def __init__(self, value: Value) -> None:
        self.value, self.is_open = value, True


class Blocks(Generic[Value]):
    """The blocks of one kind. In `values()` are those that are open in this context."""

    entries: Callable[[], tuple[Entry[Value], ...]]
    """Those that were opened in this context. Empty where none is open; asking costs little."""

    def __init__(self, kind: str) -> None:
        self._entries: ContextVar[tuple[Entry[Value], ...]] = ContextVar(kind, default=())
        self.entries = self._entries.get

    @contextmanager
    def opened(self, value: Value) -> Iterator[None]:
        """Inside, `value` is the last of `values()`."""
        mine = Entry(value)
        self._entries.set((*self._open(), mine))
        try:
            yield
        finally:
            mine.is_open = False
            self._entries.set(self._open())

    def _open(self) -> tuple[Entry[Value], ...]:
        return tuple([each for each in self.entries() if each.is_open])

    def values(self) -> list[Value]:
        """What the open blocks were opened with, the outermost first."""
        return [each.value for each in self.entries() if each.is_open]

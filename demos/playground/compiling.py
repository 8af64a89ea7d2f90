"""Compiling a session's steps, and the cuts of its regions, beside its training.

In the meantime the steps are replayed, and NumPy finds the regions.
"""

from __future__ import annotations

import threading
from typing import Any

from scratchnet.demos.playground.learning import Learning, make_model

_ONE_AT_A_TIME = threading.Lock()
"""In the process: a compiler takes a whole processor for seconds."""


class Compiling:
    """Compiles the steps of the training that was asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Learning | None = None
        self._mask: Any = None
        """The mask of a lottery ticket, or None."""
        self._is_ready = False
        self._thread: threading.Thread | None = None
        self._has_tried_cutter = False
        self.has_cutter = False
        """Whether the function that cuts regions is compiled."""

    def ask(self, learning: Learning | None) -> None:
        """Begin to compile the steps of a training, instead of those of another; None: of none.

        The thread that trains asks; any thread may ask for none.
        """
        with self._lock:
            if learning is self._asked:
                return
            self._asked, self._is_ready = learning, False
            # Copied here: the first replay of a step disturbs the mask for a moment, to check it.
            mask = None if learning is None else learning.model.mask_buffer
            self._mask = None if mask is None else mask.copy()
            if learning is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="compiling")
                self._thread.start()

    def is_ready(self, learning: Learning) -> bool:
        """Whether its steps are compiled, so that `use(compile=True)` does not wait."""
        with self._lock:
            return self._is_ready and self._asked is learning

    def _run(self) -> None:
        """Compile what was asked for last, until nothing new is asked for; then the thread ends."""
        tried = None
        while True:
            with _ONE_AT_A_TIME:
                with self._lock:
                    learning, mask = self._asked, self._mask
                    if learning is None or learning is tried:
                        self._thread = None
                        return
                if not self._has_tried_cutter:
                    self._has_tried_cutter, self.has_cutter = True, compiles_cuts()
                can = has_compiler() and compiles(learning, mask)
            with self._lock:
                self._is_ready = can and self._asked is learning
            tried = learning


def compiles(learning: Learning, mask: Any) -> bool:
    """Compile all steps of an epoch on a twin with this mask; whether they have a compiled form.

    What the system refuses, as on a full disk or for want of memory, they have not.
    """
    model = make_model(learning.state, learning.task)
    if mask is not None:
        model.set_mask(mask)
    twin = Learning(learning.state, learning.task, model, compile=True)
    try:
        twin.advance(twin.per_epoch)
    except (OSError, MemoryError):
        return False
    return twin.is_compiled


def compiles_cuts() -> bool:
    """Compile the function that cuts regions; whether it could be."""
    from scratchnet.backends.compile import NoCompiler
    from scratchnet.depth.compiled_polygons import cutter

    try:
        cutter()
    except (NoCompiler, OSError):
        return False
    return True


def has_compiler() -> bool:
    """Whether this machine can compile steps."""
    from scratchnet.backends.compile import compiler_available

    return not compiler_available()

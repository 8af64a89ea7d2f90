"""Compiling a session's steps, and the cuts of its regions, beside its training.

In the meantime the steps are replayed, and NumPy finds the regions.
"""

from __future__ import annotations

import threading

from scratchnet.demos.playground.learning import Learning, make_model

_ONE_AT_A_TIME = threading.Lock()
"""In the process: a compiler takes a whole processor for seconds."""


class Compiling:
    """Compiles the steps of the training that was asked for last; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: Learning | None = None
        self._is_ready = False
        self._thread: threading.Thread | None = None
        self._has_tried_cutter = False
        self.has_cutter = False
        """Whether the function that cuts regions is compiled."""

    def ask(self, learning: Learning | None) -> None:
        """Begin to compile the steps of a training, instead of those of another; None: of none."""
        with self._lock:
            if learning is self._asked:
                return
            self._asked, self._is_ready = learning, False
            if learning is not None and self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="compiling")
                self._thread.start()

    def is_ready(self, learning: Learning) -> bool:
        """Whether its steps are compiled, so that `use(compile=True)` does not wait."""
        with self._lock:
            return self._is_ready and self._asked is learning

    def _run(self) -> None:
        tried = None
        while True:
            with _ONE_AT_A_TIME:
                with self._lock:
                    learning = self._asked
                    if learning is None or learning is tried:
                        self._thread = None
                        return
                if not self._has_tried_cutter:
                    self._has_tried_cutter, self.has_cutter = True, compiles_cuts()
                can = compiles(learning)
            with self._lock:
                self._is_ready = can and self._asked is learning
            tried = learning


def compiles(learning: Learning) -> bool:
    """Compile all steps of an epoch on a twin; whether they have a compiled form.

    What the system refuses, as on a full disk, they have not.
    """
    model = make_model(learning.state, learning.task)
    if learning.model.mask_buffer is not None:
        model.set_mask(learning.model.mask_buffer)
    twin = Learning(learning.state, learning.task, model, compile=True)
    try:
        twin.advance(twin.per_epoch)
    except OSError:
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

"""Ctrl-C, SIGTERM, and the end of the terminal: a program ends in one line, whenever they come."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interruptions_end_the_process() -> None:
    """While modules are imported there is nothing to save, and nobody to catch an exception."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        os.write(sys.stderr.fileno(), b"scratchnet: interrupted\n")
        os._exit(INTERRUPTED)

    _handle(end)


def interruptions_raise() -> None:
    """From here on these signals raise `KeyboardInterrupt`, so that what is finished is kept."""
    _handle(signal.default_int_handler)


def _handle(handler: object) -> None:
    """Let this handler take all signals that end a program, as far as this thread may."""
    # Python lets only the main thread say what a signal does.
    if threading.current_thread() is threading.main_thread():
        for each in SIGNALS:
            # `nohup` has a program ignore that its terminal is gone.
            if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, handler)  # type: ignore[arg-type]

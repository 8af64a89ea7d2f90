"""How far a run is: a line that changes in a terminal, now and then one elsewhere, on stderr.

The time left is shown once it can be estimated: after two seconds and one part in fifty. It follows
from the speed of the last seconds, smoothed.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from scratchnet.demos.running import Advance
from scratchnet.demos.watching import size_of

BETWEEN_UPDATES, BETWEEN_LINES = 0.2, 10.0
SMOOTHING = 15.0
"""Seconds over which the speed is averaged."""
FEWEST_SECONDS, FEWEST_SHARE = 2.0, 0.02


@dataclass
class Estimate:
    """How much is done and how much time is left, from how the work went so far."""

    total: float
    started: float
    done: float = 0.0
    speed: float = 0.0
    updated: float | None = None

    def update(self, done: float, now: float) -> None:
        """Take note that so much is done now."""
        passed = now - (self.started if self.updated is None else self.updated)
        if passed > 0:
            weight = 1.0 if self.speed == 0 else 1 - math.exp(-passed / SMOOTHING)
            self.speed += weight * ((done - self.done) / passed - self.speed)
            self.done, self.updated = done, now

    def seconds_left(self, now: float) -> float | None:
        """None while it cannot be told."""
        early = now - self.started < FEWEST_SECONDS or self.done < FEWEST_SHARE * self.total
        return None if early or self.speed <= 0 else max(0.0, self.total - self.done) / self.speed

    def line(self, note: str, value: float | None, now: float) -> str:
        """Such as ` 42%, 4 layers, loss 0.31, about 12 s left`."""
        loss = [] if value is None else [f"loss {value:.3g}"]
        parts = [f"{min(1.0, self.done / self.total):4.0%}", note, *loss]
        if (left := self.seconds_left(now)) is not None:
            shown = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
            parts.append(f"about {shown} left")
        return ", ".join(parts)


@contextmanager
def progress(
    title: str,
    total: float,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Yields `advance(steps, note="", value=None)`, which may be called after every step.

    `note` says what is being done, `value` its current loss or accuracy.
    """
    stream = sys.stderr if stream is None else stream
    pause, frame = (BETWEEN_UPDATES, "\r\x1b[K{}") if stream.isatty() else (BETWEEN_LINES, "{}\n")
    estimate = Estimate(max(total, 1e-9), clock())
    done, doing, shown = 0.0, title, estimate.started
    latest: float | None = None

    def show(text: str) -> None:
        """Put the text into the line, cut to the terminal's width."""
        with suppress(OSError):
            stream.write(frame.format(text[: size_of(stream)[0] - 1] if stream.isatty() else text))
            stream.flush()

    def advance(steps: float = 1, note: str = "", value: float | None = None) -> None:
        """Count steps, and show the line anew where `pause` seconds have passed."""
        nonlocal done, doing, latest, shown
        done += steps
        if note:
            doing, latest = note, None
        if value is not None and math.isfinite(value):
            latest = value
        now = clock()
        if now - shown >= pause:
            shown = now
            estimate.update(done, now)
            show(estimate.line(doing, latest, now))

    try:
        yield advance
    finally:
        if stream.isatty():
            show("")

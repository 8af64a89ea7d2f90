"""How far a run is: a bar in a terminal, now and then a line elsewhere, both on stderr.

The time left is shown once it can be estimated: after two seconds and one part in fifty. It follows
from the speed of the last seconds, smoothed.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO

from scratchnet.demos.running import Advance

BETWEEN_UPDATES, BETWEEN_LINES = 0.2, 10.0
SMOOTHING = 15.0
"""Seconds over which the speed is averaged."""
FEWEST_SECONDS, FEWEST_SHARE = 2.0, 0.02
BAR = 24


@dataclass
class Estimate:
    """The time left, from how the work went so far."""

    total: float
    started: float
    done: float = 0.0
    speed: float = 0.0
    updated: float = math.nan
    at_update: float = 0.0

    def update(self, done: float, now: float) -> None:
        """Take note that so much is done now."""
        before = self.started if math.isnan(self.updated) else self.updated
        passed = now - before
        if passed <= 0:
            return
        latest = (done - self.at_update) / passed
        weight = 1.0 if self.speed == 0 else 1 - math.exp(-passed / SMOOTHING)
        self.speed += weight * (latest - self.speed)
        self.done, self.updated, self.at_update = done, now, done

    def seconds_left(self, now: float) -> float | None:
        """None while it cannot be told."""
        early = now - self.started < FEWEST_SECONDS or self.done < FEWEST_SHARE * self.total
        if early or self.speed <= 0:
            return None
        return max(0.0, self.total - self.done) / self.speed


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
    terminal = stream.isatty()
    pause = BETWEEN_UPDATES if terminal else BETWEEN_LINES
    estimate = Estimate(max(total, 1e-9), clock())
    state: dict[str, Any] = {"done": 0.0, "note": title, "value": None, "shown": clock()}

    def advance(steps: float = 1, note: str = "", value: float | None = None) -> None:
        state["done"] += steps
        if note:
            state["note"], state["value"] = note, None
        if value is not None and math.isfinite(value):
            state["value"] = value
        now = clock()
        if now - state["shown"] >= pause:
            state["shown"] = now
            estimate.update(state["done"], now)
            with suppress(OSError):
                show(stream, terminal, line(state, estimate, now))

    try:
        yield advance
    finally:
        if terminal:
            with suppress(OSError):
                stream.write("\r\x1b[K")
                stream.flush()


def line(state: dict[str, Any], estimate: Estimate, now: float) -> str:
    share = min(1.0, estimate.done / estimate.total)
    left = estimate.seconds_left(now)
    parts = [f"{share:4.0%}", state["note"]]
    if state["value"] is not None:
        parts.append(f"loss {state['value']:.3g}")
    if left is not None:
        parts.append(f"about {left:.0f} s left" if left < 90 else f"about {left / 60:.0f} min left")
    return ", ".join(parts).strip()


def show(stream: TextIO, terminal: bool, text: str) -> None:
    stream.write(f"\r\x1b[K{text}" if terminal else f"{text}\n")
    stream.flush()

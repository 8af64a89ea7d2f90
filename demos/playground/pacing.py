"""How many steps to make before the page gets the next picture."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, perf_counter

SECONDS_AT_ONCE = 0.02
"""For how long it trains before it looks for messages."""
SECONDS_TOGETHER = 1 / 60
"""Steps that are due within this time are made together, which takes less time for each."""


class Pace:
    """Spends time on steps: as many as a speed asks for, or as many as there is time for."""

    def __init__(self) -> None:
        self.speed: float | None = None
        """Steps per second; None: as fast as it goes."""
        self._rate = 500.0
        """How many steps a second of computing makes, judged by the last ones."""
        self.restart()

    def restart(self) -> None:
        """Count the steps from here on."""
        self._begun = self._looked = monotonic()
        self._made = self._total = 0
        self._measured = 0.0

    def wait(self) -> float:
        """In how many seconds the next steps are to be made."""
        if self.speed is None:
            return 0.0
        together = max(1, int(self.speed * SECONDS_TOGETHER))
        return self._begun + (self._made + together) / self.speed - monotonic()

    def spend(self, advance: Callable[[int], int], most: int | None = None) -> None:
        """Let `advance` make the steps that are due, or `most` of them, for a moment at most."""
        now = monotonic()
        due = 1 << 30 if most is None else most
        if self.speed is not None and most is None:
            due = int((now - self._begun) * self.speed) - self._made
            if due > max(1.0, self.speed / 5):
                # It cannot keep up: it goes on from here instead of catching up.
                due = max(1, int(self.speed / 30))
                self._begun, self._made = now - due / self.speed, 0
        end = now + SECONDS_AT_ONCE
        while due > 0 and (left := end - monotonic()) > 0:
            start = perf_counter()
            done = advance(min(due, max(1, int(left * self._rate))))
            if not done:
                return
            self._rate = done / max(perf_counter() - start, 1e-6)
            due -= done
            self._made += done
            self._total += done

    def measured(self) -> float:
        """Steps per second of time that passed since the last look, smoothed."""
        now = monotonic()
        if now - self._looked > 0.2:
            rate = self._total / (now - self._looked)
            self._measured = rate if not self._measured else 0.5 * (self._measured + rate)
            self._looked, self._total = now, 0
        return self._measured

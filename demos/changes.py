"""Paired differences of accuracies, and what may be claimed of them.

The test is Student's paired t-test at 5 %: a difference is claimed where the 95 % interval of its
mean over seeds excludes 0, and where that mean is more than one test sample, since the interval of
a few seeds can be narrow by chance. Of many such tests about one in twenty claims a difference
where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scratchnet.demos.statistics import Estimate, paired_difference

TEST_NAME = "paired t-test over seeds at 5 %"


@dataclass(frozen=True)
class Change:
    """What accuracy gained from one run to another with the same seeds."""

    estimate: Estimate
    test_sample: float
    """What one test sample is worth: 1 / their number."""

    @property
    def sign(self) -> int | None:
        """1: it rose, -1: it fell, 0: neither was seen, None: one seed, so nobody can tell."""
        if self.estimate.half_width is None:
            return None
        if abs(self.estimate.mean) <= max(self.estimate.half_width, self.test_sample):
            return 0
        return 1 if self.estimate.mean > 0 else -1

    def __str__(self) -> str:
        """In percentage points, such as `+38.9 ± 3.4 points (n = 10)`."""
        mean, half, n = self.estimate.mean, self.estimate.half_width, self.estimate.n
        if n == 0:
            return "no value"
        interval = "" if half is None else f" ± {100 * half:.1f}"
        return f"{100 * mean:+z.1f}{interval} points (n = {n})"


def change(before: Sequence[float], after: Sequence[float], test_samples: int) -> Change:
    """From `before` to `after`, one accuracy for each seed, NaN where a network diverged."""
    return Change(paired_difference(after, before), 1 / test_samples)

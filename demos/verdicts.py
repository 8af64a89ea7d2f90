"""What a measurement says of a claim: one rule for every experiment, and the words for it.

A *contrast* compares two arms over seeds, pair by pair, and is of a declared kind:

    difference   the mean of first - second, such as accuracies of networks that all learn, with
                 Student's interval of the paired differences;
    ratio        the geometric mean of first / second, such as losses, likewise on logarithms;
    success      the share of networks that reach a level, first - second, where networks either
                 learn or do not: Newcombe's interval, made of two Wilson intervals, with Student's
                 quantile for few seeds;
    exact        a fact that holds or fails: a circuit, a count, a theorem.

The kind follows from what is measured, never from the numbers. `judge` gives each claim of an
experiment its verdict:

    equivalent     the interval lies within the margin: the difference is nothing
    supported      it lies beyond the margin, on the side that the claim names,
    contradicted   or on the other side
    undecided      neither
    not tested     fewer than five seeds, a quick run, no bracketed learning rate, a divergence

so that a verdict can be read off the interval that is printed. For `equivalent` that is the 95 %
interval. For the others it is Holm's: the r-th smallest of m p-values is compared with
5 % / (m - r + 1) until one is larger, and the interval has that level, so that among all claims of
an experiment a difference that is not there is stated in at most 5 % of experiments. That it must
lie beyond the margin, not only beyond 0, is part of this: a rate chosen on five tuning seeds is not
always the best one, and the small differences that this makes are real in the verdict seeds
(intervals beyond 0 stated a difference in up to 18 % of simulated experiments).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import compress
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from scratchnet.backends.errors import InputError

SIGNIFICANCE = 0.05
FEWEST_SEEDS = 5

Kind = Literal["difference", "ratio", "success", "exact"]
MARGINS: dict[Kind, float] = {"difference": 0.01, "ratio": 0.1, "success": 1 / 3, "exact": 0.0}
"""Within which a difference is nothing: a point of accuracy, 10 % of a loss, a network in three."""


@dataclass(frozen=True)
class Contrast:
    """`first` against `second`, one value per seed; `second` may be one number for all seeds."""

    kind: Kind
    first: tuple[float, ...] = ()
    second: tuple[float, ...] | float = 0.0
    level: float = 0.0
    """Of a success: what has to be reached."""
    test_points: int | None = None
    """For shares of so many samples: the binomial error of a single network counts as well."""
    splits: float | None = None
    """Of random splits of one table: test rows / training rows. The splits share rows, so that
    their values vary less than those of new tables: see `_mean_and_error`."""
    unit: str = "points"
    """Of a difference: `points` shows 0.01 as 1 point; any other word stands behind the number."""
    holds: bool = False
    """Of an exact claim."""
    shown: str = ""
    """Of an exact claim: what was found."""

    @property
    def n(self) -> int:
        """Pairs: the seeds that both share."""
        return len(self.first)


def difference(
    first: ArrayLike,
    second: ArrayLike = 0.0,
    test_points: int | None = None,
    unit: str = "points",
    splits: float | None = None,
) -> Contrast:
    """Supports a claim where `first` is higher, on average over the seeds that both share.

    `second` may be one number, such as chance. With `test_points`, values are shares of so many
    samples; for `splits` see `Contrast`. The means of networks of which some learn and some do not
    say little: see `success`.
    """
    return _contrast("difference", first, second, test_points=test_points, unit=unit, splits=splits)


def ratio(first: ArrayLike, second: ArrayLike = 1.0, splits: float | None = None) -> Contrast:
    """Supports a claim where `first` is lower, such as a loss; all values must be above 0."""
    return _contrast("ratio", first, second, splits=splits)


def success(first: ArrayLike, second: ArrayLike, level: float) -> Contrast:
    """Supports a claim where more networks of `first` than of `second` reach the level.

    With one number for `second`, it is the share of networks that is compared with.
    """
    return _contrast("success", first, second, level=level)


def exact(holds: Any, shown: str = "") -> Contrast:
    """A fact that was computed without chance; `shown` says what was found."""
    return Contrast("exact", holds=bool(holds), shown=shown)


def _contrast(kind: Kind, first: ArrayLike, second: ArrayLike, **more: Any) -> Contrast:
    """A contrast of float64 values. Raises `InputError` unless both sides have a value per seed."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or b.ndim > 1 or (b.ndim and a.shape != b.shape):
        raise InputError(f"a contrast needs a value per seed on both sides: {a.shape}, {b.shape}")
    return Contrast(kind, tuple(a.tolist()), tuple(b.tolist()) if b.ndim else float(b), **more)


@dataclass(frozen=True)
class Claim:
    """A sentence that an experiment can support or contradict."""

    sentence: str
    source: str
    """Paper or kind of text, with its year where there is one."""
    contrast: Contrast
    margin: float | None = None
    """Within which a difference is nothing; None takes that of the contrast's kind."""
    alike: bool = False
    """Whether the claim says that there is no difference: then `equivalent` supports it."""
    untested: str = ""
    """Why there is no verdict, such as an arm whose best learning rate is not bracketed."""
    ledger: tuple[str, ...] = ()
    """Rows of the ledger of claims that this one decides, such as `002-045`."""

    @property
    def tolerance(self) -> float:
        """The margin of the claim, or that of the kind of its contrast."""
        return MARGINS[self.contrast.kind] if self.margin is None else self.margin


def fact(
    sentence: str, source: str, holds: Any, shown: str, *ledger: str, fails: Any = None
) -> Claim:
    """A claim of an exact fact, which holds or fails; `shown` says what was found.

    A claim about all networks, or about the best one, may stay open: `fails` then says whether it
    is refuted, as by one example, and where it neither holds nor fails it is not tested.
    """
    is_open = fails is not None and not holds and not fails
    reason = f"what was found does not decide it: {shown}" if is_open else ""
    return Claim(sentence, source, exact(holds, shown), untested=reason, ledger=ledger)


@dataclass(frozen=True)
class Verdict:
    """What the contrast of a claim says. Exact and untested claims have no interval."""

    claim: Claim = field(repr=False)
    name: str
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    """Of the interval, such as 0.95."""
    reason: str = ""

    @property
    def measured(self) -> str:
        """Such as `+12.3 points (+8.1 to +16.5, 99 % interval, n = 10)`."""
        contrast, n = self.claim.contrast, self.claim.contrast.n
        if contrast.kind == "exact":
            return contrast.shown or ("true" if contrast.holds else "false")
        if self.estimate is None:
            return "nothing"
        if contrast.kind == "success":
            first, second, measured = _success_rates(contrast)
            other = f"{round(second * n)} of {n}" if measured else f"{second:.0%}"
            return f"{round(first * n)} of {n} networks against {other}"
        details = [f"n = {n}"]
        if self.interval and self.confidence:
            low, high = (_shown(contrast, end) for end in self.interval)
            details = [f"{low} to {high}", f"{100 * self.confidence:.3g} % interval", *details]
        unit = f" {contrast.unit}" if contrast.kind == "difference" and contrast.unit else ""
        return f"{_shown(contrast, self.estimate)}{unit} ({', '.join(details)})"

    @property
    def sentence(self) -> str:
        """One sentence for people, from the table of wordings."""
        return WORDINGS[self.name].format(
            claim=self.claim.sentence, measured=self.measured, reason=self.reason
        )

    def record(self) -> dict[str, Any]:
        """As `result.json` keeps it."""
        contrast = asdict(self.claim.contrast)
        return {
            "claim": self.claim.sentence,
            "source": self.claim.source,
            "ledger": list(self.claim.ledger),
            "verdict": self.name,
            "estimate": self.estimate,
            "interval": self.interval,
            "confidence": self.confidence,
            "margin": self.claim.tolerance,
            "n": self.claim.contrast.n,
            "reason": self.reason,
            "measured": self.measured,
            "contrast": {key: value for key, value in contrast.items() if value not in (None, "")},
        }


WORDINGS = {
    "supported": "{claim}: {measured}.",
    "contradicted": "Contradicted: “{claim}”. Measured: {measured}.",
    "equivalent": "No difference that matters: “{claim}”. Measured: {measured}.",
    "undecided": "Undecided: “{claim}”. Measured: {measured}.",
    "not tested": "Not tested: “{claim}” ({reason}).",
    "holds": "{claim}: {measured}.",
    "fails": "Does not hold: “{claim}”. Found: {measured}.",
}


def judge(claims: Sequence[Claim], untested: str = "") -> list[Verdict]:
    """The verdict of each claim, by the rule that stands at the top of this module.

    `untested` is a reason that keeps every claim about chance from a verdict, such as a quick run.
    """
    reasons = [each.untested or untested or _why_untested(each.contrast) for each in claims]
    tested = [
        claim.contrast.kind != "exact" and not reason
        for claim, reason in zip(claims, reasons, strict=True)
    ]
    p_values = [p_value(each.contrast, each.tolerance) for each in compress(claims, tested)]
    levels = iter(holm_levels(p_values))
    return [
        _verdict(claim, next(levels) if is_tested else None, reason)
        for claim, reason, is_tested in zip(claims, reasons, tested, strict=True)
    ]


def holm_levels(p_values: Sequence[float], significance: float = SIGNIFICANCE) -> list[float]:
    """The level that each p-value is compared with in Holm's step-down procedure (1979).

    Sorted, the r-th of m is compared with significance / (m - r + 1); from the first that is
    larger than its level on, all are compared with that level.
    """
    levels = [0.0] * len(p_values)
    level, going = significance, True
    for rank, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if going:
            level = significance / (len(p_values) - rank)
            going = p_values[number] <= level
        levels[number] = level
    return levels


def _why_untested(contrast: Contrast) -> str:
    """Why a contrast cannot be tested, or an empty text: too few seeds, or diverged networks."""
    if contrast.kind == "exact":
        return ""
    if contrast.n < FEWEST_SEEDS:
        return f"a verdict needs {FEWEST_SEEDS} seeds, this is {contrast.n}"
    if contrast.kind == "success":
        return ""
    values = np.concatenate([contrast.first, np.atleast_1d(contrast.second)])
    lost = int(np.count_nonzero(~np.isfinite(values)))
    return f"{lost} network{'s' * (lost > 1)} diverged" if lost else ""


def _verdict(claim: Claim, level: float | None, reason: str) -> Verdict:
    """The verdict by the contrast's interval at Holm's level, or by its truth where it is exact."""
    contrast = claim.contrast
    if level is None:
        if contrast.kind == "exact" and not claim.untested:
            return Verdict(claim, "holds" if contrast.holds else "fails")
        return Verdict(claim, "not tested", estimate(contrast), reason=reason)
    middle = estimate(contrast)
    low, high = interval(contrast, SIGNIFICANCE)
    below, above = _nothing(contrast, claim.tolerance)
    if below < low and high < above:
        name = "supported" if claim.alike else "equivalent"
        return Verdict(claim, name, middle, (low, high), 1 - SIGNIFICANCE)
    low, high = interval(contrast, level)
    if low <= above and high >= below:
        name = "undecided"
    elif claim.alike:
        name = "contradicted"
    else:
        name = "supported" if (low > above) == (contrast.kind != "ratio") else "contradicted"
    return Verdict(claim, name, middle, (low, high), 1 - level)


def _nothing(contrast: Contrast, margin: float) -> tuple[float, float]:
    """The values of the contrast that count as no difference."""
    if contrast.kind == "ratio":
        return 1 / (1 + margin), 1 + margin
    return -margin, margin


def estimate(contrast: Contrast) -> float | None:
    """The mean difference, the geometric mean ratio, or the difference of the success rates."""
    if contrast.kind == "exact" or not contrast.n:
        return None
    if contrast.kind == "success":
        first, second, _ = _success_rates(contrast)
        return first - second
    middle = float(_paired(contrast).mean())
    return math.exp(middle) if contrast.kind == "ratio" else middle


def interval(contrast: Contrast, level: float) -> tuple[float, float]:
    """The interval with confidence 1 - level."""
    from scipy.special import stdtrit

    if contrast.kind == "success":
        return _success_interval(*_success_rates(contrast), contrast.n, level)
    middle, error = _mean_and_error(contrast)
    half = float(stdtrit(contrast.n - 1, 1 - level / 2)) * error
    low, high = middle - half, middle + half
    return (math.exp(low), math.exp(high)) if contrast.kind == "ratio" else (low, high)


def p_value(contrast: Contrast, margin: float = 0.0) -> float:
    """The smallest level at which the interval lies beyond the margin, on either side."""
    from scipy.special import stdtr

    below, above = _nothing(contrast, margin)
    if contrast.kind == "success":
        return _success_p_value(*_success_rates(contrast), contrast.n, margin)
    middle, error = _mean_and_error(contrast)
    if contrast.kind == "ratio":
        below, above = math.log(below), math.log(above)
    beyond = max(middle - above, below - middle)
    if beyond <= 0 or error == 0:
        return 1.0 if beyond <= 0 else 0.0
    return float(2 * stdtr(contrast.n - 1, -beyond / error))


def _mean_and_error(contrast: Contrast) -> tuple[float, float]:
    """The mean of the paired differences and its standard error.

    Of splits of one table its square is (1 / n + test rows / training rows) times the variance
    (Nadeau and Bengio 2003), which does not vanish however many splits there are.
    """
    paired = _paired(contrast)
    variance = max(float(paired.var(ddof=1)), _binomial_variance(contrast))
    return float(paired.mean()), math.sqrt(variance * (1 / contrast.n + (contrast.splits or 0.0)))


def _paired(contrast: Contrast) -> Any:
    """The difference for each seed, for ratios that of the logarithms."""
    first, second = np.asarray(contrast.first), np.asarray(contrast.second)
    if contrast.kind == "ratio":
        smallest = float(np.finfo(np.float64).tiny)
        first, second = np.log(np.maximum(first, smallest)), np.log(np.maximum(second, smallest))
    return first - second


def _binomial_variance(contrast: Contrast) -> float:
    """Of a difference of two shares of `test_points` samples, p (1 - p) / N for each.

    p is the share over all seeds with two successes and two failures added (Agresti and Coull
    1998), so that perfect scores keep an error.
    """
    if contrast.test_points is None:
        return 0.0
    total = 0.0
    for values in (contrast.first, contrast.second):
        if isinstance(values, tuple):
            samples = contrast.test_points * len(values)
            p = (float(np.mean(values)) * samples + 2) / (samples + 4)
            total += p * (1 - p) / contrast.test_points
    return total


def _success_rates(contrast: Contrast) -> tuple[float, float, bool]:
    """The two shares of networks, and whether the second was measured."""
    first = successes(contrast.first, contrast.level) / contrast.n
    if isinstance(contrast.second, tuple):
        return first, successes(contrast.second, contrast.level) / contrast.n, True
    return first, contrast.second, False


def successes(values: ArrayLike, level: float) -> int:
    """How many reach the level; a network that diverged (NaN) does not."""
    return int(np.count_nonzero(np.asarray(values, np.float64) >= level))


def _success_interval(
    first: float, second: float, measured: bool, n: int, level: float
) -> tuple[float, float]:
    """Newcombe (1998), method 10: the distances to the ends of two Wilson intervals, squared."""
    from scipy.special import stdtrit

    quantile = float(stdtrit(2 * n - 2, 1 - level / 2))
    low, high = _wilson(first, n, quantile)
    if not measured:
        return low - second, high - second
    low_2, high_2 = _wilson(second, n, quantile)
    below = math.hypot(first - low, high_2 - second)
    above = math.hypot(high - first, second - low_2)
    return first - second - below, first - second + above


@lru_cache(maxsize=1000)
def _success_p_value(first: float, second: float, measured: bool, n: int, margin: float) -> float:
    """The level whose interval just leaves [-margin, margin], by bisection of its logarithm."""
    small, large = -12.0, 0.0
    for _ in range(40):
        middle = (small + large) / 2
        low, high = _success_interval(first, second, measured, n, 10.0**middle)
        small, large = (middle, large) if low <= margin and high >= -margin else (small, middle)
    return float(10.0**large)


def _wilson(share: float, n: int, z: float) -> tuple[float, float]:
    """(k + z^2/2 ± z sqrt(k (1 - k/n) + z^2/4)) / (n + z^2), for k = n share successes."""
    middle = share * n + z**2 / 2
    half = z * math.sqrt(n * share * (1 - share) + z**2 / 4)
    return max(0.0, (middle - half) / (n + z**2)), min(1.0, (middle + half) / (n + z**2))


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a probability after `successes` of `n` independent trials (Wilson 1927).

    (k + z^2/2 ± z sqrt(k (n - k) / n + z^2/4)) / (n + z^2) with z = 1.96. Raises `InputError`
    unless 0 <= successes <= n and n >= 1.
    """
    if not 0 <= successes <= n or n < 1:
        raise InputError(f"{successes} of {n} is no share: must be 0 <= successes <= n, n >= 1")
    from scipy.special import ndtri

    return _wilson(successes / n, n, float(ndtri(1 - SIGNIFICANCE / 2)))


def counted(values: ArrayLike, level: float) -> str:
    """How many reach the level, from five on with its 95 % interval, such as `8 (5–9)` of 10."""
    n, reached = np.size(values), successes(values, level)
    if n < FEWEST_SEEDS:
        return str(reached)
    low, high = wilson_interval(reached, n)
    return f"{reached} ({n * low:.0f}–{n * high:.0f})"


def _shown(contrast: Contrast, value: float) -> str:
    """The difference as a report prints it: a factor, percentage points, or a signed number."""
    if contrast.kind == "ratio":
        return f"× {value:.3g}"
    return f"{100 * value:+z.1f}" if contrast.unit == "points" else f"{value:+z.3g}"

"""The statistical rule, on data whose truth is known, and what it says in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from scratchnet.backends.errors import InputError
from scratchnet.demos.verdicts import (
    MARGINS,
    WORDINGS,
    Claim,
    Contrast,
    counted,
    difference,
    exact,
    fact,
    holm_levels,
    interval,
    judge,
    ratio,
    success,
    wilson_interval,
)

SEEDS = 10
EXPERIMENTS = 1000
ARMS = 4
RATES = np.arange(5) - 2


def claim(contrast: Contrast, **more: Any) -> Claim:
    return Claim("The first is better", "a test", contrast, **more)


# Simulated experiments: an arm has five learning rates, and is best in the middle.

Draw = Callable[[np.random.Generator, float, tuple[int, ...]], Any]
"""Values of networks at one learning rate whose quality differs by so much from the best."""


def normal(rng: np.random.Generator, shift: float, size: tuple[int, ...]) -> Any:
    return 0.9 + shift + 0.01 * rng.standard_normal(size)


def capped(rng: np.random.Generator, shift: float, size: tuple[int, ...]) -> Any:
    return np.minimum(1.0, 0.995 + shift + 0.01 * rng.standard_normal(size))


def bimodal(rng: np.random.Generator, shift: float, size: tuple[int, ...]) -> Any:
    learned = rng.random(size) < 0.6 + shift
    return np.where(learned, 0.99, 0.6) + 0.005 * rng.standard_normal(size)


def losses(rng: np.random.Generator, shift: float, size: tuple[int, ...]) -> Any:
    return np.exp(-shift + 0.1 * rng.standard_normal(size))


def solved(first: Any, second: Any) -> Contrast:
    return success(first, second, 0.95)


def tuned(rng: np.random.Generator, draw: Draw, shift: float, curvature: float) -> Any:
    """The values (SEEDS,) of an arm at the rate that was best on five tuning seeds."""
    shifts = shift - curvature * RATES**2
    tuning = np.array([draw(rng, each, (5,)).mean() for each in shifts])
    if draw is losses:
        tuning = -tuning
    return draw(rng, shifts[int(np.argmax(tuning))], (SEEDS,))


def verdicts_of_experiments(
    draw: Draw, compare: Any, shift: float, curvature: float, experiments: int = EXPERIMENTS
) -> Any:
    """Names (experiments, ARMS - 1): every arm against the first, which is worse by `shift`."""
    rng = np.random.default_rng(7)
    names = []
    for _ in range(experiments):
        base = tuned(rng, draw, 0.0, curvature)
        arms = [tuned(rng, draw, shift, curvature) for _ in range(ARMS - 1)]
        names.append([each.name for each in judge([claim(compare(arm, base)) for arm in arms])])
    return np.array(names)


def upper_limit(k: int, n: int) -> float:
    """Clopper and Pearson's one-sided 95 % limit of a probability."""
    return float(beta.ppf(0.95, k + 1, n - k))


KINDS = {
    "normal": (normal, difference, 0.005),
    "capped": (capped, difference, 0.005),
    "bimodal": (bimodal, solved, 0.1),
    "bimodal means": (bimodal, difference, 0.1),
    "losses": (losses, ratio, 0.05),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_difference_that_is_not_there_is_stated_in_at_most_5_percent(name: str) -> None:
    draw, compare, curvature = KINDS[name]
    names = verdicts_of_experiments(draw, compare, 0.0, curvature)
    wrong = int(np.isin(names, ["supported", "contradicted"]).any(axis=1).sum())
    assert upper_limit(wrong, EXPERIMENTS) <= 0.065, wrong / EXPERIMENTS


@pytest.mark.parametrize("name", ["normal", "capped", "bimodal", "losses"])
def test_a_difference_of_one_margin_is_rarely_called_equivalent(name: str) -> None:
    draw, compare, _ = KINDS[name]
    margin = {normal: 0.01, capped: 0.01, bimodal: 1 / 3, losses: math.log(1.1)}[draw]
    shift = -margin
    if draw is capped:
        # The cap takes a part of the shift: the means of both arms are computed without chance.
        z = np.random.default_rng(0).standard_normal(400_000)
        means = [np.minimum(1, 0.995 + each + 0.01 * z).mean() for each in (0, -0.014)]
        assert means[0] - means[1] >= margin
        shift = -0.014
    names = verdicts_of_experiments(draw, compare, shift, 0.0)
    wrong = int((names == "equivalent").sum())
    assert upper_limit(wrong, names.size) <= 0.05, wrong / names.size


@pytest.mark.parametrize(
    ("name", "shift"),
    # The cap takes a part of the shift.
    [("normal", -0.03), ("losses", -3 * math.log(1.1)), ("capped", -0.034), ("bimodal", -1.0)],
)
def test_a_difference_of_three_margins_is_mostly_decided(name: str, shift: float) -> None:
    draw, compare, curvature = KINDS[name]
    if draw is bimodal:
        rng = np.random.default_rng(3)
        pairs = [(bimodal(rng, 0.4, (SEEDS,)), bimodal(rng, -0.6, (SEEDS,))) for _ in range(300)]
        names = np.array([judge([claim(compare(b, a))])[0].name for a, b in pairs])
    else:
        names = verdicts_of_experiments(draw, compare, shift, curvature, 300)
    assert (names == "contradicted").mean() >= 0.8, (names == "contradicted").mean()


@pytest.mark.parametrize("n", [5, 7, 10, 15, 20])
@pytest.mark.parametrize("level", [0.05, 0.0125])
def test_the_interval_of_success_rates_keeps_its_level_for_every_probability(
    n: int, level: float
) -> None:
    from scipy.stats import binom

    counts, margin = np.arange(n + 1), MARGINS["success"]
    beyond = np.array([[interval(contrast_of(a, b, n), level)[0] for b in counts] for a in counts])
    for p in np.linspace(0, 1 - margin, 41):
        chance = np.outer(binom.pmf(counts, n, p + margin), binom.pmf(counts, n, p))
        assert (chance * (beyond > margin)).sum() <= level / 2 + 0.01


def contrast_of(a: int, b: int, n: int) -> Contrast:
    return success([1.0] * a + [0.0] * (n - a), [1.0] * b + [0.0] * (n - b), 1.0)


# The rule on given numbers


SPREAD = np.linspace(-0.01, 0.01, 10)


@pytest.mark.parametrize(
    ("contrast", "name", "alike"),
    [
        (difference(0.9 + SPREAD, 0.8 - SPREAD), "supported", "contradicted"),
        (difference(0.8 + SPREAD, 0.9 - SPREAD), "contradicted", "contradicted"),
        (difference(0.9 + SPREAD / 9, 0.901), "equivalent", "supported"),
        (difference(0.9 + 5 * SPREAD, 0.9), "undecided", "undecided"),
        (ratio(np.exp(SPREAD), 2.0), "supported", "contradicted"),
        (ratio(2 * np.exp(SPREAD), np.ones(10)), "contradicted", "contradicted"),
        (ratio(1.02 * np.exp(SPREAD), np.ones(10)), "equivalent", "supported"),
        (ratio(np.exp(50 * SPREAD), np.ones(10)), "undecided", "undecided"),
        (contrast_of(10, 1, 10), "supported", "contradicted"),
        (contrast_of(0, 10, 10), "contradicted", "contradicted"),
        (contrast_of(10, 10, 10), "equivalent", "supported"),
        (contrast_of(6, 4, 10), "undecided", "undecided"),
        (success([1.0] * 10, 0.3, 1.0), "supported", "contradicted"),
        (exact(True, "7 of 7 rows"), "holds", "holds"),
        (exact(False), "fails", "fails"),
    ],
)
def test_each_verdict(contrast: Contrast, name: str, alike: str) -> None:
    assert [judge([claim(contrast, alike=each)])[0].name for each in (False, True)] == [name, alike]


@pytest.mark.parametrize(
    ("contrast", "more", "reason"),
    [
        (difference([1.0] * 4, 0.5), {}, "needs 5 seeds, this is 4"),
        (difference([1.0] * 9 + [math.nan], 0.5), {}, "1 network diverged"),
        (difference(0.9 + SPREAD, 0.5), {"untested": "no rate is bracketed"}, "no rate"),
        (exact(True), {"untested": "interrupted"}, "interrupted"),
    ],
)
def test_no_verdict(contrast: Contrast, more: dict[str, Any], reason: str) -> None:
    (verdict,) = judge([claim(contrast, **more)])
    assert verdict.name == "not tested" and reason in verdict.reason
    assert verdict.interval is None


def test_a_claim_about_all_networks_stays_open_until_one_refutes_it() -> None:
    """That nothing was found against it among a few networks is no proof."""
    claims = [
        fact("All networks are so", "a test", False, "2 of 40 are not", "002-045", fails=2),
        fact("All networks are so", "a test", False, "0 of 40 are not", fails=0),
        fact("The best network has 7", "a test", True, "found 7", fails=False),
    ]
    refuted, still_open, proved = judge(claims)
    assert (refuted.name, still_open.name, proved.name) == ("fails", "not tested", "holds")
    assert "0 of 40 are not" in still_open.sentence and refuted.claim.ledger == ("002-045",)


def test_a_quick_run_judges_exact_claims_only() -> None:
    names = [each.name for each in judge([claim(exact(True)), claim(contrast_of(9, 0, 9))], "q")]
    assert names == ["holds", "not tested"]


def test_a_difference_within_the_margin_is_nothing_however_certain() -> None:
    small = difference(0.903 + SPREAD / 20, 0.9)
    assert judge([claim(small)])[0].name == "equivalent"
    assert judge([claim(small, margin=0.001)])[0].name == "supported"
    wide = difference(0.909 + SPREAD, 0.9)
    assert interval(wide, 0.05)[0] > 0 and judge([claim(wide)])[0].name == "undecided"


def test_perfect_scores_keep_the_error_of_their_test_samples() -> None:
    perfect = np.ones(5)
    assert interval(difference(perfect, perfect), 0.05) == (0, 0)
    low, high = interval(difference(perfect, perfect, test_points=20), 0.05)
    assert low < -0.015 and high > 0.015
    assert judge([claim(difference(perfect, perfect, test_points=20))])[0].name == "undecided"


def test_the_printed_interval_agrees_with_the_verdict_under_holms_correction() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        claims = [
            claim(difference(0.9 + shift + 0.02 * rng.standard_normal(8), 0.9))
            for shift in rng.choice([0, 0.01, 0.03, -0.02], 6)
        ]
        for verdict in judge(claims):
            assert verdict.interval is not None
            low, high = verdict.interval
            assert (low > 0.01) == (verdict.name == "supported")
            assert (high < -0.01) == (verdict.name == "contradicted")


def test_holms_levels_are_those_of_his_procedure() -> None:
    assert holm_levels([0.04, 0.001, 0.03, 0.012]) == [0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3]
    assert holm_levels([]) == []


def test_more_seeds_of_the_same_kind_never_turn_supported_into_contradicted() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        first, second = 0.9 + 0.02 * rng.standard_normal((2, 20))
        before, after = (
            judge([claim(difference(first[:n], second[:n]))])[0].name for n in (10, 20)
        )
        assert {before, after} != {"supported", "contradicted"}


# Words


def test_every_verdict_has_its_wording_and_says_what_was_measured() -> None:
    texts = {
        name: judge([each])[0].sentence
        for name, each in {
            "supported": claim(difference(0.9 + SPREAD, 0.8)),
            "contradicted": claim(ratio(2 * np.exp(SPREAD), np.ones(10))),
            "equivalent": claim(contrast_of(10, 10, 10)),
            "undecided": claim(difference(9 * SPREAD, 0.0, unit="bits")),
            "not tested": claim(difference([0.9], [0.8])),
            "holds": claim(exact(True, "16 of 16 rows")),
            "fails": claim(exact(False, "3 of 16 rows")),
        }.items()
    }
    assert set(texts) == set(WORDINGS)
    assert texts["supported"].startswith("The first is better: +10.0 points (+9.5 to")
    assert "× 2 (× 1.99 to × 2.01, 95 % interval, n = 10)" in texts["contradicted"]
    assert "10 of 10 networks against 10 of 10" in texts["equivalent"]
    assert "bits" in texts["undecided"] and "Undecided" in texts["undecided"]
    assert texts["not tested"].endswith("(a verdict needs 5 seeds, this is 1).")
    assert texts["holds"] == "The first is better: 16 of 16 rows."
    assert texts["fails"].startswith("Does not hold") and "3 of 16" in texts["fails"]


def test_a_record_holds_the_verdict_and_the_numbers_behind_it() -> None:
    (verdict,) = judge([claim(difference(0.9 + SPREAD, 0.8), ledger=("002-045",))])
    record = verdict.record()
    assert (record["verdict"], record["n"], record["ledger"]) == ("supported", 10, ["002-045"])
    assert record["margin"] == MARGINS["difference"]
    assert len(record["contrast"]["first"]) == 10


def test_sides_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="a value per seed"):
        difference([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("k", "n", "low", "high"), [(0, 10, 0, 0.278), (5, 10, 0.237, 0.763)])
def test_wilsons_interval(k: int, n: int, low: float, high: float) -> None:
    np.testing.assert_allclose(wilson_interval(k, n), (low, high), atol=1e-3)


def test_counts_have_an_interval_from_five_seeds_on() -> None:
    assert counted([1, 1, np.nan, 0.5], 0.9) == "2"
    assert counted([1] * 5 + [0.4] * 5, 1.0) == "5 (2–8)"

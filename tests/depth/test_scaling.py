"""Published scaling laws against their papers' numbers, and fits of laws that were planted."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import refused

from scratchnet.depth.scaling import (
    BESIROGLU,
    HOFFMANN,
    KAPLAN_COMPUTE,
    KAPLAN_DATA,
    KAPLAN_PARAMETERS,
    PETAFLOP_DAY,
    JointLaw,
    PowerLaw,
    fit_joint_law,
    fit_power_law,
    kaplan_allocation,
    kaplan_joint,
)

SIZES = np.geomspace(30, 30_000, 9)


def noisy(law: PowerLaw, runs: int, noise: float, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    return law(SIZES)[:, None] * np.exp(noise * generator.standard_normal((len(SIZES), runs)))


# Published laws


def test_kaplans_law_of_parameters() -> None:
    assert KAPLAN_PARAMETERS([1e8, 1e10]) == pytest.approx([2.830, 1.994], abs=5e-4)
    assert KAPLAN_PARAMETERS(1e9) / KAPLAN_PARAMETERS(1e8) == pytest.approx(0.839, abs=5e-4)
    assert KAPLAN_PARAMETERS(8.8e13) == 1


def test_halving_the_loss_takes_1475_times_the_data() -> None:
    factor = KAPLAN_DATA.factor_to_multiply_loss_by(0.5)
    assert factor == pytest.approx(1475, abs=1)
    assert KAPLAN_DATA(1e9 * factor) == pytest.approx(KAPLAN_DATA(1e9) / 2)


def test_kaplans_allocation_of_a_petaflop_day() -> None:
    found = kaplan_allocation(PETAFLOP_DAY)
    assert found.parameters == pytest.approx(1.3e9)
    assert found.samples == pytest.approx(2e10)
    # Their D is a fit of its own, and not C / (6 N).
    assert 6 * found.parameters * found.samples == pytest.approx(1.8 * PETAFLOP_DAY, rel=0.01)
    more = kaplan_allocation(10 * PETAFLOP_DAY)
    assert more.samples / found.samples == pytest.approx(10**0.27)
    assert found.loss == KAPLAN_COMPUTE(PETAFLOP_DAY) == pytest.approx(3.1e8**0.05)


def test_the_replication_gives_about_20_tokens_for_each_parameter() -> None:
    # Gopher's compute, with which Chinchilla was trained: 70e9 parameters, 1.4e12 tokens.
    found = BESIROGLU.allocation(5.76e23)
    assert found.parameters == pytest.approx(70e9, rel=0.05)
    assert found.samples == pytest.approx(1.4e12, rel=0.06)
    assert 15 < found.samples_per_parameter < 25
    # Hoffmann's own third approach is known to be off: it would have made a smaller model, and
    # with the exponents as printed a smaller one still.
    own = HOFFMANN.allocation(5.76e23).parameters
    rounded = JointLaw(1.69, 406.4, 410.7, 0.34, 0.28).allocation(5.76e23).parameters
    assert own == pytest.approx(40e9, rel=0.03) and rounded == pytest.approx(32e9, rel=0.05)


def test_kaplans_joint_law_is_that_of_parameters_where_data_abound() -> None:
    assert kaplan_joint(1e9, 1e30) == pytest.approx((6.4e13 / 1e9) ** 0.076)
    assert kaplan_joint(1e30, 1e10) == pytest.approx((1.8e13 / 1e10) ** 0.103, rel=1e-6)


def test_chinchillas_loss() -> None:
    # Hoffmann et al., equation 10, at their model's size.
    assert HOFFMANN(70e9, 1.4e12) == pytest.approx(1.69 + 0.083 + 0.163, abs=0.02)
    assert HOFFMANN(1e300) == pytest.approx(1.6934)
    assert HOFFMANN(1e9) < HOFFMANN(1e9, 1e12)


@settings(deadline=None)
@given(
    compute=st.floats(1e15, 1e27),
    A=st.floats(1, 1e4),
    B=st.floats(1, 1e4),
    alpha=st.floats(0.1, 1),
    beta=st.floats(0.1, 1),
    factor=st.floats(1.01, 100),
)
def test_no_other_split_of_the_compute_does_better(
    compute: float, A: float, B: float, alpha: float, beta: float, factor: float
) -> None:
    law = JointLaw(1.5, A, B, alpha, beta)
    best = law.allocation(compute)
    assert 6 * best.parameters * best.samples == pytest.approx(compute)
    for other in (factor, 1 / factor):
        assert law(best.parameters * other, best.samples / other) >= best.loss * (1 - 1e-12)


@pytest.mark.parametrize("wrong", [0, -1e8, math.nan, math.inf, "many"])
def test_sizes_compute_and_ratios_are_numbers_above_0(wrong: Any) -> None:
    for law in (
        KAPLAN_PARAMETERS,
        KAPLAN_DATA.factor_to_multiply_loss_by,
        HOFFMANN,
        HOFFMANN.allocation,
        kaplan_allocation,
    ):
        with refused("above 0"):
            law(wrong)
    with refused("samples", "above 0"):
        HOFFMANN(1e8, -1)


# Fits


GRID = tuple(
    each.ravel() for each in np.meshgrid(np.geomspace(30, 1e4, 5), np.geomspace(64, 2e4, 5))
)


# The corners, and points within.
@settings(deadline=None, max_examples=20)
@given(alpha=st.floats(0.2, 1.5), beta=st.floats(0.2, 1.5), E=st.floats(0.001, 0.1))
@example(alpha=0.2, beta=0.2, E=0.1)
@example(alpha=0.2, beta=1.5, E=0.001)
@example(alpha=1.5, beta=0.2, E=0.001)
@example(alpha=1.5, beta=1.5, E=0.1)
def test_a_joint_fit_finds_the_planted_law(alpha: float, beta: float, E: float) -> None:
    law = JointLaw(E, 30.0**alpha, 64.0**beta, alpha, beta)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_joint_law(*GRID, law(*GRID))
    assert (found.alpha, found.beta) == pytest.approx((alpha, beta), rel=0.01)
    assert found(*GRID) == pytest.approx(law(*GRID), rel=1e-3)


@settings(deadline=None, max_examples=20)
@given(alpha=st.floats(0.2, 1.5), beta=st.floats(0.2, 1.5), seed=st.integers(0, 100))
def test_a_joint_fit_does_not_depend_on_the_order(alpha: float, beta: float, seed: int) -> None:
    values = JointLaw(0.01, 30.0**alpha, 64.0**beta, alpha, beta)(*GRID)
    order = np.random.default_rng(seed).permutation(len(values))
    found = fit_joint_law(*GRID, values)
    again = fit_joint_law(*(each[order] for each in (*GRID, values)))
    assert again.alpha == pytest.approx(found.alpha, rel=1e-3)


def test_a_joint_fit_needs_pairs_that_differ_in_both() -> None:
    with refused("must be at least 6 pairs that differ in both"):
        fit_joint_law([10, 20, 40, 80, 160, 320], [64] * 6, [1, 0.8, 0.7, 0.6, 0.5, 0.4])


@settings(deadline=None, max_examples=40)
@given(
    exponent=st.floats(0.2, 2),
    scale=st.floats(0.1, 1e4),
    share=st.floats(0, 0.9),
    seed=st.integers(0, 1000),
)
def test_a_fit_without_noise_gives_the_planted_law(
    exponent: float, scale: float, share: float, seed: int
) -> None:
    # The offset is a share of the loss at the largest size.
    power = PowerLaw(scale, exponent)
    law = PowerLaw(scale, exponent, share / (1 - share) * power(SIZES[-1]))
    found = fit_power_law(SIZES, law(SIZES))
    assert found.law.exponent == pytest.approx(exponent, rel=1e-3)
    assert found.law(SIZES) == pytest.approx(law(SIZES), rel=1e-4)
    assert found.residual < 1e-4
    assert found.interval is None and found.runs == 1


def test_most_intervals_hold_the_planted_exponent_and_few_are_useless() -> None:
    law = PowerLaw(30, 0.6, 0.02)
    fits = [fit_power_law(SIZES, noisy(law, 5, 0.15, k), 60, k) for k in range(25)]
    held = [each.interval[0] <= law.exponent <= each.interval[1] for each in fits]
    # 95 % intervals: 20 or fewer of 25 would be bad luck of 1 in 600.
    assert sum(held) >= 21
    widths = [each.interval[1] - each.interval[0] for each in fits]
    assert np.median(widths) < 0.5
    assert all(each.interval[0] <= each.law.exponent <= each.interval[1] for each in fits)


def test_more_noise_makes_the_interval_wider_and_the_same_seed_repeats_it() -> None:
    law = PowerLaw(30, 0.6, 0.0)
    quiet, loud = (fit_power_law(SIZES, noisy(law, 6, noise), 80) for noise in (0.02, 0.3))
    assert quiet.interval[1] - quiet.interval[0] < (loud.interval[1] - loud.interval[0]) / 3
    assert fit_power_law(SIZES, noisy(law, 6, 0.3), 80).interval == loud.interval


def test_what_a_run_does_to_all_sizes_alike_does_not_blur_the_exponent() -> None:
    shifts = np.exp(np.random.default_rng(1).standard_normal(6))
    losses = PowerLaw(30, 0.6)(SIZES)[:, None] * shifts
    interval = fit_power_law(SIZES, losses, 50).interval
    assert interval == pytest.approx((0.6, 0.6), abs=0.01)


def test_units_of_size_and_loss_do_not_change_the_exponent() -> None:
    losses = noisy(PowerLaw(30, 0.7, 0.01), 4, 0.1)
    plain = fit_power_law(SIZES, losses, 30)
    scaled = fit_power_law(SIZES * 1e6, losses * 1e-5, 30)
    assert scaled.law.exponent == pytest.approx(plain.law.exponent, rel=1e-4)
    assert scaled.interval == pytest.approx(plain.interval, rel=1e-2)


@pytest.mark.parametrize(
    ("sizes", "losses", "named"),
    [
        ([1, 2, 3], [3, 2, 1], "at 3 sizes: must be at least 4"),
        ([1, 2, 3, 4], np.ones((4, 0)), "a power law with an offset"),
        ([1, 2, 2, 3], [3, 2, 2, 1], "at 3 sizes"),
        ([1, 2, 3, -4], [4, 3, 2, 1], "a size is -4"),
        ([1, 2, 3, 4], [4, 3, 2, 0], "a loss is 0"),
        ([1, 2, 3, 4], [4, 3, math.nan, 1], "a loss is nan"),
        ([1, 2, 3, 4], [1, 2, 3, 4], "do not fall"),
        ([1, 2, 3, 4], [4, 3, 2], "shape"),
    ],
)
def test_points_that_give_no_fit_are_refused(sizes: Any, losses: Any, named: str) -> None:
    with refused(named):
        fit_power_law(sizes, losses)


def test_a_petaflop_day() -> None:
    assert PETAFLOP_DAY == 8.64e19

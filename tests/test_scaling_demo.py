"""`scratchnet scaling`: what it trains, its fits and claims, and the calculator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import run_small
from scratchnet.demos.running import Result, Row, Run
from scratchnet.demos.scaling.experiment import (
    Settings,
    answer,
    arm_name,
    arms,
    by_size,
    claims,
    curves,
    data,
    experiment,
    fits,
    frontier,
    halves,
    notes,
    tables,
    teacher_values,
)
from scratchnet.demos.settings import resolve
from scratchnet.demos.tuning import RATES
from scratchnet.demos.verdicts import judge
from scratchnet.depth.scaling import JointLaw

SIZES, SAMPLES = (30, 100, 320, 1000, 3200), (64, 256, 1024, 4096)


def made_up(law: Any, noise: float = 0.01, seeds: int = 10) -> Result:
    """Trainings that end at the law's losses, after two moments with more."""
    rng, result = np.random.default_rng(0), Result(resolve(Settings, {"samples": SAMPLES}))
    for N in SIZES:
        for D in SAMPLES:
            end = law(N, D) * np.exp(noise * rng.standard_normal(seeds))
            moments = np.array([4.0, 2.0, 1.0])[:, None] * end
            arrays = {"seen": np.array([D, 10 * D, 100 * D])}
            arrays |= {"validation": moments, "test": moments}
            facts = {"parameters": N, "samples": D, "width": 9, "learning_rate": 0.01}
            measures = {"test_loss": end}
            result.rows.append(Row(arm_name(N, D), facts, tuple(range(seeds)), measures, arrays))
    return result


PLANTED = JointLaw(1e-6, 30.0**0.667, 64.0**0.667, 0.667, 0.667)


def test_the_teacher_is_fixed_and_its_values_have_variance_1() -> None:
    X = np.random.default_rng(5).standard_normal((4000, 6)).astype(np.float32)
    y = teacher_values(X)
    assert (y.mean(), y.std()) == (pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.06))
    np.testing.assert_allclose(y[:10], teacher_values(X[:10]), atol=1e-5)
    # No line comes near it, so that there is something to learn.
    line, *_ = np.linalg.lstsq(X, y, rcond=None)
    assert np.mean((X @ line - y) ** 2) > 0.15


def test_every_seed_has_its_own_data_and_smaller_sets_are_parts_of_larger_ones() -> None:
    large, small = data(64, (0, 1)), data(16, (0, 1))
    assert large.X.shape == (2, 64, 6) and large.y_test.shape == (2, 2048, 1)
    assert not np.array_equal(large.X_test, large.X_validation)
    assert not np.array_equal(large.X[0], large.X[1])
    np.testing.assert_array_equal(large.X[:, :16], small.X)


def test_the_rate_is_chosen_on_the_largest_set_and_every_arm_has_its_true_size() -> None:
    few = arms(
        resolve(Settings, {"parameters": (30, 31, 100, 320, 1000), "samples": (4, 8, 9, 10)})
    )
    assert len(list(few)) == 4 * 4
    for arm in arms(resolve(Settings, {})):
        largest = arm.facts["samples"] == 16_384
        assert arm.rates == (RATES["adam"] if largest else RATES["adam"][:1])
        assert arm.build([3]).parameter_count == arm.facts["parameters"]
        per_epoch = -(-arm.facts["samples"] // 256)
        assert 1536 - per_epoch < arm.epochs * per_epoch <= 1536


def test_smaller_sets_take_the_rate_of_the_largest() -> None:
    given = {"parameters": (20, 40, 80, 160), "samples": (8, 16, 32, 64), "steps": 8, "seeds": 1}
    run = Run(resolve(Settings, {**given, "out": Path("runs")}))
    experiment.run(run)
    for size, rows in by_size(run.result).items():
        chosen = run.result.tuned[arm_name(size, 64)].best
        assert [row.facts["learning_rate"] for row in rows] == [chosen] * 4


def test_a_small_run_measures_every_pair_and_repeats_itself() -> None:
    given: dict[str, Any] = {
        "parameters": (20, 40, 80, 160),
        "samples": (8, 16, 32, 64),
        "steps": 12,
    }
    result = run_small(experiment, **given)
    assert len(result.rows) == 16
    for row in result.rows:
        assert row.arrays["seen"][-1] == 12 * row.facts["samples"]
        best = row.arrays["validation"].argmin(axis=0)
        np.testing.assert_array_equal(row["test_loss"], row.arrays["test"][best, [0, 1]])
    again = run_small(experiment, **given, seeds=1)
    np.testing.assert_allclose(again.rows[5]["test_loss"], result.rows[5]["test_loss"][:1])
    for draw in experiment.figures(result).values():
        draw()
    assert list(tables(result)) and list(claims(result)) and list(notes(result))


def test_planted_laws_are_found_and_judged() -> None:
    result = made_up(PLANTED, noise=0.002)
    found = {each.claim.source.split(" 20")[0]: each for each in judge(list(claims(result)))}
    assert found["Hoffmann et al."].name == "supported"
    assert found["exercise of a textbook chapter; Kaplan et al."].name == "contradicted"
    assert found["Kaplan et al."].name == "contradicted"  # N limits the loss in the end
    assert fits(result)["C"].law.exponent > 0 and " in C" in answer(result, [])
    # Exponents per seed scatter about the planted one, with an offset that D leaves.
    assert fits(result)["N"].law.exponent == pytest.approx(0.667, rel=0.15)
    assert "C^0.5" in list(notes(result))[1]


def test_slopes_of_halves_are_those_of_a_straight_line() -> None:
    x = np.geomspace(10, 1e5, 5)
    lower, upper = halves(x, np.stack([x**-0.3, 2 * x**-0.5], axis=1))
    np.testing.assert_allclose(lower, [0.3, 0.5])
    np.testing.assert_allclose(upper, [0.3, 0.5])


def test_data_that_matter_more_make_the_joint_law_lopsided() -> None:
    result = made_up(JointLaw(1e-6, 30.0**0.3, 64.0, 0.3, 1.0), noise=0.002)
    (claim,) = (each for each in claims(result) if "Hoffmann" in each.source)
    assert claim.contrast.first[0] == pytest.approx(1 / 1.3, abs=0.03)
    assert judge([claim])[0].name == "contradicted"


def test_the_frontier_never_rises_and_costs_no_more_than_its_budget() -> None:
    rows = [row for row in made_up(PLANTED, 0.0).rows if row.facts["samples"] == 4096]
    points = frontier(rows)
    costs, losses = [c for c, _ in points], [float(loss.mean()) for _, loss in points]
    assert costs == sorted(set(costs)) and losses == sorted(losses, reverse=True)
    moments = [
        (6 * row.facts["parameters"] * seen, float(test.mean()))
        for row in rows
        for seen, test in zip(row.arrays["seen"], row.arrays["test"], strict=True)
    ]
    for cost, loss in points:
        assert loss.mean() == min(value for c, value in moments if c <= cost)


def test_networks_that_diverged_are_in_no_fit() -> None:
    result = made_up(PLANTED)
    for row in result.rows:
        for values in (row["test_loss"], row.arrays["validation"], row.arrays["test"]):
            values[..., 2] = np.nan
    assert fits(result)["N"].runs == 9 and "C" not in curves(result)
    lost = made_up(PLANTED)
    for row in lost.rows:
        row["test_loss"][:] = np.nan
    assert "N" not in fits(lost)
    experiment.figures(lost)["joint"]()


def test_an_interrupted_run_reports_what_it_has() -> None:
    result = made_up(PLANTED)
    result.rows = result.rows[:3]
    assert not fits(result) and not list(claims(result))
    assert answer(result, []) == "no law was fitted." and list(tables(result))


def test_the_calculator_predicts_and_allocates_and_trains_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scaling", "--predict", "1e8,1e10"]) == 0
    printed = capsys.readouterr().out
    assert "2.830" in printed and "1.994" in printed and "1,475" in printed
    assert "N^0.3392" in printed  # Hoffmann's, before rounding
    arguments = "--predict 1e8 --tokens 2e9 --allocate 1e21,5.76e23 --json"
    assert main(["scaling", *arguments.split()]) == 0
    found = json.loads(capsys.readouterr().out)
    (prediction,), allocations = found["predictions"], found["allocations"]
    assert prediction["tokens"] == 2e9 and prediction["hoffmann"] > prediction["hoffmann_unlimited"]
    assert [each["compute"] for each in allocations] == [1e21, 5.76e23]
    assert allocations[1]["hoffmann"]["parameters"] == pytest.approx(40e9, rel=0.03)
    # Kaplan's D(C) is a fit of its own.
    days = 1e21 / (1e15 * 24 * 3600)
    assert allocations[0]["kaplan"]["samples"] == pytest.approx(2e10 * days**0.27)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--predict -3", "--predict -3.0: must be a number from 1 to 1e+40"),
        ("--predict 1e8 big", "'big'"),
        ("--allocate inf", "--allocate"),
        ("--predict 1e8 --seeds 3", "--seeds with --predict or --allocate"),
        ("--tokens 1e9", "must stand with --predict"),
        ("--parameters 30,31,32,3000", "at least 4 different widths"),
        ("--samples 64,128", "at least 4 different widths, or 4 training sets"),
        ("--parameters 5,30,300,3000", "a budget of 5 parameters is too small"),
        ("--steps 63", "--steps 63: must be at least 64"),
    ],
)
def test_bad_input_is_one_line(options: str, named: str, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "out"
    assert main(["scaling", *options.split(), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error and not out.exists()

"""`scratchnet scaling`: the trained series, their fits, the calculator, and the command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.demos.command_line import main
from scratchnet.demos.scaling import command
from scratchnet.demos.scaling.calculator import numbers
from scratchnet.demos.scaling.command import plot
from scratchnet.demos.scaling.experiment import (
    Result,
    Trained,
    curves,
    datasets,
    frontier,
    plan,
    run,
    teacher_values,
)
from scratchnet.demos.scaling.report import sentences
from scratchnet.demos.scaling.settings import Settings, choose_settings
from scratchnet.depth.scaling import PowerLaw

TINY = Settings(parameters=(20, 40, 80, 160), samples=(8, 16, 32, 64), steps=12, seeds=2)


@pytest.fixture(scope="module")
def tiny() -> Result:
    return run(TINY)


def made_up(
    law: PowerLaw, sizes: Any, seeds: int = 4, by: str = "parameters", noise: float = 0.01
) -> list[Trained]:
    """Trainings that end at the law's losses, after two moments with more."""
    generator = np.random.default_rng(0)
    found = []
    for size in sizes:
        end = law(size) * np.exp(noise * generator.standard_normal(seeds))
        losses = np.array([4, 2, 1])[:, None] * end
        parameters, samples = (size, 1000) if by == "parameters" else (500, size)
        seen = np.array([100, 1000, 10_000])
        found.append(Trained(parameters, 5, samples, seen, losses, losses, 1.0))
    return found


# The series


def test_the_teacher_is_fixed_and_its_values_have_variance_1() -> None:
    X = np.random.default_rng(5).standard_normal((4000, 6)).astype(np.float32)
    y = teacher_values(X)
    assert (y.mean(), y.std()) == (pytest.approx(0, abs=0.06), pytest.approx(1, abs=0.06))
    np.testing.assert_allclose(y[:10], teacher_values(X[:10]), atol=1e-5)
    # No line comes near it, so that there is something to learn.
    line, *_ = np.linalg.lstsq(X, y, rcond=None)
    assert np.mean((X @ line - y) ** 2) > 0.15


def test_both_series_are_planned_and_data_do_not_limit_the_first() -> None:
    found = plan(TINY)
    assert found == [(n, 128) for n in (20, 40, 80, 160)] + [(40, n) for n in (8, 16, 32, 64)]
    data = datasets(TINY)
    assert data.train[0].shape == (2, 128, 6) and data.test[1].shape == (2, 2048, 1)
    assert not np.array_equal(data.test[0], data.validation[0])
    assert not np.array_equal(data.test[0][0], data.test[0][1])


def test_a_network_counts_at_its_smallest_validation_loss() -> None:
    validation = np.array([[3.0, 1.0], [np.nan, 2.0], [1.0, 3.0]])
    test = np.array([[30.0, 10.0], [20.0, 20.0], [11.0, 30.0]])
    trained = Trained(7, 2, 64, np.array([10, 20, 40]), validation, test, 1.0)
    np.testing.assert_array_equal(trained.best, [11.0, 10.0])
    np.testing.assert_array_equal(trained.compute, [420, 840, 1680])


def test_the_frontier_never_rises_and_costs_no_more_than_its_budget() -> None:
    trained = made_up(PowerLaw(50, 0.5), np.geomspace(30, 3000, 6), noise=0.0)
    points = frontier(trained)
    costs, losses = [c for c, _ in points], [float(loss.mean()) for _, loss in points]
    assert costs == sorted(set(costs)) and losses == sorted(losses, reverse=True)
    for cost, loss in points:
        moments = [
            (c, float(v.mean()))
            for each in trained
            for c, v in zip(each.compute, each.test, strict=True)
        ]
        assert loss.mean() == min(value for c, value in moments if c <= cost)


def test_networks_that_diverged_are_neither_on_the_frontier_nor_in_a_fit() -> None:
    trained = made_up(PowerLaw(50, 0.5), np.geomspace(30, 3000, 6))
    gone = np.full_like(trained[0].test, np.nan)
    first = dataclasses.replace(trained[0], validation=gone, test=gone)
    points = frontier([first, *trained[1:]])
    assert len(points) > 4 and all(np.isfinite(loss).all() for _, loss in points)
    lost = [dataclasses.replace(each, validation=gone, test=gone) for each in trained]
    by_parameters, _, by_compute = curves(lost, [])
    assert by_parameters.why_none == "networks of every seed diverged"
    assert by_compute.why_none == "no training was finished with finite losses"


@pytest.mark.parametrize("exponent", [0.3, 0.8])
def test_planted_exponents_are_found_against_parameters_and_samples(exponent: float) -> None:
    law, sizes = PowerLaw(40, exponent), np.geomspace(30, 30_000, 8)
    by_parameters, by_samples, _ = curves(made_up(law, sizes), made_up(law, sizes, by="samples"))
    for curve in (by_parameters, by_samples):
        low, high = curve.law.interval
        assert low - 0.02 <= exponent <= high + 0.02 and high - low < 0.2


def test_a_run_measures_all_three_curves(tiny: Result) -> None:
    assert [curve.quantity for curve in tiny.curves] == ["parameters", "samples", "compute"]
    assert [each.parameters for each in tiny.by_parameters] == [23, 37, 71, 163]
    assert {each.parameters for each in tiny.by_samples} == {37}
    assert all(np.isfinite(each.test).all() for each in (*tiny.by_parameters, *tiny.by_samples))
    assert tiny.by_parameters[0].seen[-1] == 12 * 128
    again = run(TINY)
    for a, b in zip(tiny.by_parameters, again.by_parameters, strict=True):
        np.testing.assert_array_equal(a.test, b.test)


# What is said


def said(first: list[Trained], second: list[Trained], seeds: int = 4) -> str:
    settings = dataclasses.replace(TINY, seeds=seeds)
    result = Result(settings, tuple(first), tuple(second), tuple(curves(first, second)), 0)
    plot(result)
    return " ".join(sentences(result))


def test_exponents_offsets_and_bad_fits_are_told() -> None:
    sizes = np.geomspace(30, 30_000, 8)
    straight = made_up(PowerLaw(40, 0.5), sizes)
    floor = made_up(PowerLaw(40, 0.9, 0.05), sizes, by="samples")
    text = said(straight, floor)
    assert "Against parameters, over 3.0 decades" in text and "exponent 0.5" in text
    assert "4 seeds" in text
    assert "by the fit something else than training samples limits it there" in text
    assert "roughly at best" not in text.split("Against compute")[0]


def test_losses_that_do_not_fall_get_no_law() -> None:
    sizes = np.geomspace(30, 30_000, 5)
    rising = made_up(PowerLaw(40, 0.5), sizes)[::-1]
    rising = [dataclasses.replace(r, parameters=n) for r, n in zip(rising, sizes, strict=True)]
    text = said(rising, made_up(PowerLaw(40, 0.5), sizes, by="samples"))
    assert "No power law was fitted to the losses against parameters: the losses do not" in text


def test_one_seed_gives_no_interval() -> None:
    sizes = np.geomspace(30, 30_000, 5)
    law = PowerLaw(40, 0.5)
    text = said(made_up(law, sizes, 1), made_up(law, sizes, 1, by="samples"), seeds=1)
    assert "One seed gives no interval" in text and "interval 0" not in text


def test_an_interruption_keeps_the_first_series() -> None:
    calls = 0

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal calls
        calls += steps == 0
        if calls == 6:
            raise KeyboardInterrupt

    result = run(TINY, advance)
    assert (len(result.by_parameters), len(result.by_samples), result.unfinished) == (4, 1, 3)
    assert any("at 1 sizes" in each for each in sentences(result))
    plot(result)


# The command


def test_the_command_writes_its_figures_and_numbers(tmp_path: Path, capsys: Any) -> None:
    options = "--parameters 20,40,80,160 --samples 8,16,32,64 --steps 12 --seeds 2 --json"
    assert main(["scaling", *options.split(), "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert len(printed["rows"]) == 8 and len(printed["summary"]["curves"]) == 3
    names = {"scaling.png", "training.png", "result.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_the_calculator_predicts_and_allocates_and_trains_nothing(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it trained"))
    monkeypatch.chdir(tmp_path)
    assert main(["scaling", "--predict", "1e8", "1e10"]) == 0
    printed = capsys.readouterr().out
    assert "2.830" in printed and "1.994" in printed and "1,475" in printed
    assert main(["scaling", "--predict", "1e8", "--allocate", "1e21,1e22", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["compute"] for each in found["allocations"]] == [1e21, 1e22]
    assert found["predictions"][0]["kaplan"] == pytest.approx(2.830, abs=5e-4)
    assert found["allocations"][0]["hoffmann"]["parameters"] == pytest.approx(1.82e9, rel=0.01)
    assert found["constants"]["hoffmann"]["A"] == 406.4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--predict -3", "--predict '-3'"),
        ("--predict 0", "--predict '0'"),
        ("--predict 1e8 big", "--predict 'big'"),
        ("--predict nan", "--predict 'nan'"),
        ("--allocate inf", "--allocate 'inf'"),
        ("--allocate ,", "expected one number"),
        ("--predict 1e8 1e9 --allocate 1e21", "write lists with commas"),
        ("--predict 1e8 --seeds 3", "train nothing"),
        ("1e8", "numbers belong to --predict"),
        ("--parameters 30,100,300", "--parameters with 3 sizes"),
        ("--samples 8", "--samples with 1 sizes"),
        ("--parameters 30,31,32,3000", "networks of 2 different widths"),
        ("--parameters 5,30,300,3000", "a budget of 5 parameters is too small"),
        ("--parameters 30,300,3000,30000000", "at most 1,000,000"),
        ("--steps 0", "--steps '0'"),
        ("--steps 63", "one pass over 16,384 samples in batches of 256 takes 64 steps"),
    ],
)
def test_bad_input_is_one_line(
    options: str, named: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it trained"))
    out = tmp_path / "out"
    assert main(["scaling", *options.split(), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error and not out.exists()


def test_lists_of_numbers_take_spaces_and_commas() -> None:
    assert numbers("--predict", "1e8 2e9,3") == (1e8, 2e9, 3)
    assert choose_settings({}) == Settings()
    quick = choose_settings({"quick": True, "seeds": 2})
    assert (quick.seeds, len(quick.parameters)) == (2, 5)

"""`scratchnet fractal-gradients`: what is measured, what is said of it, and the command."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.fractal_gradients.command import plot, record, report, run
from scratchnet.demos.fractal_gradients.experiment import (
    INITIALISERS,
    Result,
    Row,
    Settings,
    bounds,
    measure,
    networks,
    steps,
)
from scratchnet.demos.fractal_gradients.report import sentences, share
from scratchnet.demos.results import to_json
from scratchnet.depth.cantor_gradient import population_gradient
from scratchnet.depth.fractal_distributions import named_curve

SMALL = Settings(levels=(4, 25, 30), curves=("linear", "extreme"), seeds=30)


@pytest.fixture(scope="module")
def result() -> Result:
    return run(SMALL)


def row(result: Result, name: str) -> Row:
    return next(each for each in result.rows if each.initialiser == name)


def test_entries_are_those_of_the_population_gradient() -> None:
    settings = replace(SMALL, seeds=3)
    measured = measure(settings, "pytorch")
    model = networks(settings, INITIALISERS["pytorch"])
    _, gradient = population_gradient(model, named_curve("linear", 25))
    np.testing.assert_array_equal(measured.largest[1, 0], abs(gradient).max(axis=1))
    x = np.linspace(0, 1, 2001)[:, None]
    on_grid = abs(model.predict(x)).max(axis=(1, 2))
    assert (on_grid <= measured.output + 1e-12).all()
    np.testing.assert_allclose(on_grid, measured.output, atol=1e-3)


def test_a_network_depends_on_its_seed_alone() -> None:
    draw = INITIALISERS["he"]
    many = networks(replace(SMALL, seed=3, seeds=5), draw).state_dict()
    one = networks(replace(SMALL, seed=5, seeds=1), draw).state_dict()
    for name in many:
        assert np.array_equal(many[name][2], one[name][0])


def test_weights_and_biases_have_the_spread_that_is_said() -> None:
    settings = replace(SMALL, seeds=500)
    expected = {
        "small": (1 / 16 / 3**0.5, 0.5 / 3**0.5),
        "pytorch": (1 / 24**0.5, 1 / 24**0.5),
        "he": (0.5, 0.1),
        "he, large biases": (0.5, 1.0),
    }
    for name, (weight, bias) in expected.items():
        state = networks(settings, INITIALISERS[name]).state_dict()
        assert state["2.weight"].std() == pytest.approx(weight, rel=0.03)  # fan_in 8
        assert state["2.bias"].std() == pytest.approx(bias, rel=0.05)


def test_fine_curves_leave_nothing_with_small_weights_and_much_with_he(result: Result) -> None:
    for name in ("small", "pytorch"):
        each = row(result, name)
        assert np.median(each.largest[1, 1]) < 1e-12 < 1e-6 < np.median(each.largest[1, 0])
        assert (each.output <= 1).all()
        assert share(each.violations(result.own_bounds(each))) == (0, 30)
    he = row(result, "he, large biases")
    broken = (he.violations(result.own_bounds(he)) == 1).any(axis=(0, 1))
    assert broken.sum() >= 10 and (he.output[broken] > 1).all()


def test_bounds_speak_of_deeper_distributions_only() -> None:
    assert SMALL.theorem_level == 22
    own = np.array([0, 2, 3, 4, 31])
    found = bounds("linear", 4, own)
    np.testing.assert_allclose(found[:3], [0, 5 * 0.25, 5 * 0.375])
    assert np.isnan(found[3:]).all()


def made_up(largest: Any, linear: Any, output: Any) -> Result:
    """One initialiser with these entries at level 30 of the extreme curve, whose bound is 0."""
    shape = 1, 1, len(largest)
    values = [np.array(each, float).reshape(shape) for each in (largest, linear)]
    one = Row("pytorch", *values, np.full(len(largest), 3), np.array(output, float))
    settings = Settings(levels=(30,), curves=("extreme",), seeds=len(largest))
    return Result(settings, (one,))


def test_sentences_count_violations_and_say_what_comes_with_them() -> None:
    said = " ".join(sentences(made_up([0, 1e-16, 0.5, 0.2], [0, 0, 0, 0.1], [0.5, 0.9, 2.0, 0.8])))
    assert "pytorch 50.0% (15.0% to 85.0%, n = 4)" in said and "Above it more often" in said
    assert "of 2 networks above their own bound 1 have |output| > 1" in said
    assert "of 3 with |output| <= 1 everywhere 1 are above" in said
    assert "with the loss 1 - s f(x) 1 are above" in said and "Why:" in said
    kept = " ".join(sentences(made_up([0, 0], [0, 0], [0.5, 0.5])))
    assert "in at most 10% of networks: pytorch 0.0%" in kept and "Why:" not in kept


def test_a_run_that_the_theorem_says_nothing_about_says_so() -> None:
    shallow = run(replace(SMALL, levels=(3, 5), seeds=4))
    said = " ".join(sentences(shallow))
    assert "No level of this run is deeper than 22" in said and "Above the theorem" not in said
    console = Console(file=io.StringIO(), width=80)
    report(shallow, console)
    assert "gradients" in plot(shallow)


def test_report_fits_80_columns_and_the_figure_is_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(plot(result)) == {"gradients"}
    written = json.loads(to_json(record(result)))
    assert len(written["rows"]) == 4 * 3 * 2
    assert written["initialisers"][0]["above_own"] == [0, 30]


def test_interruption_keeps_what_was_finished_and_progress_adds_up() -> None:
    settings = replace(SMALL, levels=(3,), seeds=2)
    done = 0.0

    def stop(count: float = 1, note: str = "") -> None:
        nonlocal done
        done += count
        if note == "he":
            raise KeyboardInterrupt

    stopped = run(settings, stop)
    assert stopped.interrupted and [each.initialiser for each in stopped.rows] == [
        "small",
        "pytorch",
    ]
    assert done == steps(settings) / 2
    assert "interrupted" in sentences(stopped)[-1]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "--level 3,25 --curve fine --seeds 5 --json".split()
    assert main(["fractal-gradients", *given, "--out", str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert {"settings", "environment", "rows", "summary"} <= set(json.loads(out))
    assert {path.name for path in tmp_path.iterdir()} == {"gradients.png", "result.json"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--level 31", "--level 31: expected at most 30; float64"),
        ("--level 0", "--level '0': expected whole numbers of at least 1"),
        ("--curve steep", "--curve 'steep': unknown curve"),
        ("--delta 1.5", "delta is 1.5: accepted are numbers above 0 and below 1"),
        ("--width 0", "--width '0': expected a whole number from 1 to 128"),
    ],
)
def test_bad_input_is_one_line(
    given: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fractal-gradients", *given.split(), "--out", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("scratchnet: ") and err.count("\n") == 1 and out == ""
    assert said in err

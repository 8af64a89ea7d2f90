"""`scratchnet fractal`: exact networks, what trains on which data, and what is claimed of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import refused

from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.fractal.exact import exact_rows, sampled_curves, standard_errors_off
from scratchnet.demos.fractal.experiment import (
    arm_name,
    arms,
    binomial,
    claims,
    course_names,
    experiment,
    tables,
)
from scratchnet.demos.fractal.settings import Settings
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.verdicts import judge

SMALL: dict[str, Any] = {"level": 2, "depths": (1, 2), "width": 8, "steps": 100, "seeds": 2}


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, curriculum=True, **SMALL)


def verdicts_of(result: Result) -> dict[str, str]:
    return {each.claim.sentence: each.name for each in judge(claims(result))}


def test_exact_networks_make_no_error_and_coarser_ones_the_error_of_the_curve(
    result: Result,
) -> None:
    assert [row.arm for row in exact_rows(result)] == [
        f"{kind} net, K_{level}" for kind in ("fold", "general") for level in (1, 2)
    ]
    assert [row["linear regions"][0] for row in exact_rows(result)] == [16, 100, 47, 390]
    assert all(row["errors"][0] == 0 for row in exact_rows(result))
    assert all(row["errors without margin"][0] == 0 for row in exact_rows(result, "fold"))
    assert all(row["errors without margin"][0] > 0 for row in exact_rows(result, "general"))
    said = verdicts_of(result)
    assert [name for name in said.values() if name != "not tested"] == ["holds"] * 4
    wrong = exact_rows(result, "fold")[0].measures
    wrong["errors"][0] = 1
    assert verdicts_of(result)[[each for each in said if "(fold net)" in each][0]] == "fails"
    wrong["errors"][0] = 0


def test_a_sample_that_has_another_curve_is_seen() -> None:
    s = quick_settings(experiment, level=3)
    sampled = sampled_curves(s)
    assert standard_errors_off(s, sampled) < 4
    sampled["coarse"][0] += 0.02
    assert standard_errors_off(s, sampled) > 4


def test_a_seed_has_data_and_weights_of_its_own_and_the_same_for_every_curve() -> None:
    coarse, extreme = arms(quick_settings(experiment, **{**SMALL, "depths": (2,)}))
    data, other = coarse.data((5, 6)), extreme.data((5, 6))
    sets = [*data.X, *data.X_validation, *data.X_test[:, : len(data.X[0])]]
    assert not any(np.array_equal(a, b) for i, a in enumerate(sets) for b in sets[:i])
    assert not np.array_equal(data.X[0], other.X[0])
    np.testing.assert_array_equal(data.X[1], coarse.data((6,)).X[0])
    weights = coarse.build((5, 6)).state_dict()["0.weight"]
    assert not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights, extreme.build((5, 6)).state_dict()["0.weight"])


def test_rows_stay_when_a_seed_and_a_depth_are_added(result: Result) -> None:
    alone = run_small(experiment, **{**SMALL, "seeds": 1, "depths": (2,), "curve": ("coarse",)})
    name = arm_name("coarse", 2)
    assert alone[name]["test_accuracy"][0] == result[name]["test_accuracy"][0]


def test_a_curriculum_ends_on_the_last_curve_beside_as_many_steps_on_it_alone(
    result: Result,
) -> None:
    for name in course_names(result.settings, 2):
        assert result[name]["test_accuracy"].shape == (2,)
    course, alone = (result[name].facts["stages"] for name in course_names(result.settings, 2))
    assert course == ("coarse", "extreme") and alone == ("extreme", "extreme")
    plain, *_, in_turn, _ = arms(result.settings)
    assert in_turn.total_work(2) > 2 * plain.total_work(2)
    s = quick_settings(experiment, curve=("extreme", "2", "coarse"))
    assert s.from_coarse_to_fine == ("coarse", "2", "extreme")


def test_training_learns_a_coarse_curve() -> None:
    given = {**SMALL, "width": 32, "depths": (2,), "curve": ("coarse",), "steps": 400}
    row = run_small(experiment, **given)[arm_name("coarse", 2)]
    assert row["test_accuracy"].mean() > 0.8
    picture = row.arrays["probabilities"]
    assert picture[2, 2] > 0.5 > picture[60, 60]


def made_up(**accuracies: Any) -> Result:
    """Test accuracies by the names coarse_1, extreme_5, ... ."""
    rows = []
    for name, values in accuracies.items():
        curve, depth = name.split("_")
        facts = {"curve": curve, "depth": int(depth), "learning_rate": 0.01}
        measures = {"test_accuracy": np.array(values), "train_accuracy": np.array(values)}
        rows.append(Row(arm_name(curve, int(depth)), facts, tuple(range(len(values))), measures))
    return Result(resolve(Settings, {"curve": ("coarse", "extreme"), "depths": (1, 5)}), rows)


NOISE = np.array([0.004, -0.003, 0.001, -0.002, 0.0, 0.002, -0.004, 0.003, -0.001, 0.0])


def test_claims_tell_a_gain_from_none_and_chance_from_learning() -> None:
    at = {"coarse_1": 0.8, "coarse_5": 0.95, "extreme_1": 0.5, "extreme_5": 0.5}
    agrees = made_up(**{name: value + NOISE for name, value in at.items()})
    assert list(verdicts_of(agrees).values()) == ["supported"] * 5
    against = made_up(**{name: value + NOISE for name, value in (at | {"extreme_5": 0.7}).items()})
    found = verdicts_of(against)
    assert found["On extreme, depth 5 stays at chance"] == "contradicted"
    assert found["Depth gains more on coarse than on extreme"] == "contradicted"
    assert found["At depth 5, coarse is learned better than extreme"] == "supported"
    few = made_up(coarse_1=[0.8, 0.8], coarse_5=[0.9, 0.9])
    assert set(verdicts_of(few).values()) == {"not tested"}


def test_the_binomial_error_of_a_network_is_that_of_its_test_points() -> None:
    assert binomial([0.5]) == pytest.approx(1.96 * 0.5 / 5000**0.5, rel=0.01)
    assert 0 < binomial([1.0])[0] < 0.001
    *_, learned = tables(made_up(coarse_1=0.5 + NOISE))
    assert "up to 1.4 points" in learned.title


def test_figures_and_tables_are_made_of_what_is_there(result: Result) -> None:
    drawn = experiment.figures(result)
    assert list(drawn) == ["accuracy", "fractal", "boundaries"]
    for draw in drawn.values():
        draw()
    assert experiment.answer and "err on 0 of 80,000" in experiment.answer(result, [])
    half = Result(result.settings, result.rows[:3], result.extra, interrupted=True)
    assert list(experiment.figures(half)) == ["fractal"]
    assert experiment.answer(half, []) and len(tables(half)) == 1
    partly = Result(result.settings, [row for row in result.rows if row.arm.endswith("h 1")])
    for draw in experiment.figures(partly).values():
        draw()


@pytest.mark.parametrize("name", ["cantor", "sierpinski"])
def test_other_fractals_run_and_are_drawn(name: str) -> None:
    given = {**SMALL, "fractal": name, "depths": (2,), "curve": ("linear",), "steps": 100}
    other = run_small(experiment, **given)
    for draw in experiment.figures(other).values():
        draw()
    built = " ".join(experiment.notes(other))
    assert ("has no fold net" in built) == (name == "sierpinski")


def test_no_network_goes_below_the_bound_of_one_dimension() -> None:
    given = {**SMALL, "fractal": "cantor", "width": 2, "depths": (1,), "curve": ("extreme",)}
    other = run_small(experiment, **{**given, "level": 4})
    sentence = next(each for each in verdicts_of(other) if each.startswith("t layers of k"))
    assert verdicts_of(other)[sentence] == "holds"
    other[arm_name("extreme", 1)].measures["test_accuracy"][0] = 1.0
    assert verdicts_of(other)[sentence] == "fails"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"level": 11}, "must be a whole number from 1 to 10"),
        ({"ratio": 0.6}, "dust: the images of maps 1 and 2 overlap"),
        ({"fractal": "vicsek", "ratio": 0.2}, "ratio 0.2 of vicsek: its ratio is fixed"),
        ({"ratio": 0.45, "margin": 0.5}, "margin 0.5 is too large for the gap"),
        ({"curve": ("sharp",)}, "unknown curve 'sharp'"),
        ({"curve": ("-1",)}, "beta of a curve is -1.0"),
        ({"protocol": "paper", "level": 3}, "--level with --protocol paper: must be left out"),
        ({"curriculum": True, "curve": ("fine",)}, "must be two curves or more"),
    ],
)
def test_bad_input_is_refused_before_any_work(given: dict[str, Any], said: str) -> None:
    with refused(said):
        experiment.check(quick_settings(experiment, **given))


def test_the_papers_protocol_has_its_steps_and_one_rate() -> None:
    s = resolve(Settings, {"protocol": "paper"})
    experiment.check(s)
    assert (s.level, s.width, s.epochs * s.steps_per_epoch) == (5, 100, 20_000)
    assert s.training.rates == (0.003,)

"""`scratchnet fractal-gradients`: its networks, the bounds, and what is claimed of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import refused

from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.fractal_gradients.experiment import (
    CONSTANT,
    HE,
    INITIALISERS,
    LARGE,
    PYTORCH,
    THEOREM,
    bounds,
    broken,
    experiment,
    networks,
    notes,
    small,
)
from scratchnet.demos.running import Result
from scratchnet.demos.verdicts import judge
from scratchnet.depth.cantor_gradient import population_gradient
from scratchnet.depth.fractal_distributions import named_curve

SMALL: dict[str, Any] = {"level": (4, 25, 30), "curve": ("linear", "extreme"), "seeds": 30}


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, **SMALL)


def test_entries_are_those_of_the_population_gradient(result: Result) -> None:
    model = networks(result.settings, PYTORCH)
    _, gradient = population_gradient(model, named_curve("linear", 25))
    row = result[PYTORCH]
    np.testing.assert_array_equal(row.arrays["largest"][1, 0], abs(gradient).max(axis=1))
    on_grid = abs(model.predict(np.linspace(0, 1, 2001)[:, None])).max(axis=(1, 2))
    assert (on_grid <= row["largest output"] + 1e-12).all()
    np.testing.assert_allclose(on_grid, row["largest output"], atol=1e-3)


def test_a_network_depends_on_its_seed_alone() -> None:
    many, one = (
        networks(quick_settings(experiment, seed=seed, seeds=n), HE).state_dict()
        for seed, n in ((3, 5), (5, 1))
    )
    assert all(np.array_equal(many[name][2], one[name][0]) for name in many)


def test_weights_and_biases_have_the_spread_that_is_said() -> None:
    settings = quick_settings(experiment, seeds=500)
    expected = {
        THEOREM: (1 / 16 / 3**0.5, 0.5 / 3**0.5),
        CONSTANT: (1 / 16 / 3**0.5, 0),
        PYTORCH: (1 / 24**0.5, 1 / 24**0.5),
        HE: (0.5, 0.1),
        LARGE: (0.5, 1.0),
    }
    for name in INITIALISERS:
        state = networks(settings, name).state_dict()
        weight, bias = expected[name]
        assert state["2.weight"].std() == pytest.approx(weight, rel=0.03)  # fan_in 8
        assert state["2.bias"].std() == pytest.approx(bias, rel=0.05)


def test_fine_curves_leave_nothing_but_with_large_outputs(result: Result) -> None:
    for name in (THEOREM, PYTORCH):
        row = result[name]
        largest = row.arrays["largest"]
        assert np.median(largest[1, 1]) < 1e-12 < 1e-6 < np.median(largest[1, 0])
        assert (row["largest output"] <= 1).all()
        assert not row["above bound"].any() and not row["above own bound"].any()
    large = result[LARGE]
    above = large["above own bound"] == 1
    assert above.sum() >= 10 and (large["largest output"][above] > 1).all()


def test_bounds_are_about_deeper_distributions_and_some_say_nothing() -> None:
    s = quick_settings(experiment, level=(4, 30), curve=("linear", "extreme"))
    found = bounds(s, np.array([0, 1, 4, 31]))
    assert found[0, 0, :2].tolist() == [0, np.inf]  # 5 / 8 of the second is above 1/2
    assert found[0, 1, :2].tolist() == [0, 0] and np.isnan(found[0, :, 2:]).all()
    assert (found[1, 1, :3] == 0).all() and np.isnan(found[1, :, 3]).all()
    assert found[1, 0, 1] == pytest.approx(5 / 60) and found[1, 0, 2] == pytest.approx(5 * 4 / 60)
    assert [small(each) for each in (np.nan, np.inf, 1e-15, 0.25)] == [
        "none",
        "vacuous",
        "0",
        "2.5e-01",
    ]
    # A network is above where it breaks some bound; one that no bound is about is not judged.
    bound = np.array([[[0.0, 0.0, np.nan, np.inf]], [[np.inf, 0.1, np.nan, np.nan]]])
    largest = np.array([[[1e-15, 1e-15, 9.0, 9.0]], [[9.0, 0.2, 9.0, 9.0]]])
    np.testing.assert_array_equal(broken(largest, bound), [0, 1, np.nan, np.nan])


def verdicts_of(result: Result) -> dict[str, str]:
    return {each.claim.sentence: each.name for each in judge(experiment.claims(result))}


def test_claims_follow_the_networks_and_a_vacuous_gradient_is_called_so(result: Result) -> None:
    found = list(verdicts_of(result).values())
    assert found[2:4] == ["contradicted", "contradicted"] and found[-1] == "fails"
    kept = result[PYTORCH].measures["above bound"]
    result[PYTORCH].measures["above bound"] = np.arange(30) < 15.0  # type: ignore[index]
    assert list(verdicts_of(result).values())[1] == "contradicted"
    result[PYTORCH].measures["above bound"] = kept  # type: ignore[index]
    (flat,) = [each for each in experiment.claims(result) if each.contrast.kind == "exact"]
    assert flat.contrast.shown.startswith("vacuous, since in 30 of 30 networks")


def test_levels_that_no_bound_is_about_get_no_verdict() -> None:
    shallow = run_small(experiment, level=(3, 5), curve=("extreme",), seeds=5)
    assert list(verdicts_of(shallow).values())[:4] == ["not tested"] * 4
    assert np.isnan(shallow[PYTORCH]["above bound"]).all()
    assert "j is 22" in notes(shallow)[0]
    assert experiment.tables(shallow)[1].rows[2][3:] == ["-", "0.0%", "0.0%"]
    experiment.figures(shallow)["gradients"]()


def test_an_interrupted_run_is_reported(result: Result) -> None:
    first = Result(result.settings, result.rows[:1], interrupted=True)
    assert len(experiment.claims(first)) == 1 and len(experiment.tables(first)) == 2
    experiment.figures(first)["gradients"]()


def test_bad_input_names_the_option() -> None:
    with refused("unknown curve 'steep'"):
        experiment.check(quick_settings(experiment, curve=("steep",)))
    with refused("--level 30,5", "must be in increasing order"):
        experiment.check(quick_settings(experiment, level=(30, 5)))
    for wrong in ({"delta": 1.0}, {"level": (31,)}, {"width": 0}):
        with refused("must be"):
            quick_settings(experiment, **wrong)

"""`scratchnet init`: what is measured, and which verdicts follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import run_small
from scratchnet.demos.init import measures
from scratchnet.demos.init.experiment import (
    RATES,
    answer,
    arms,
    claims,
    experiment,
    patterns,
    tables,
    trained_name,
    where_passed,
    widths_of,
)
from scratchnet.demos.init.figures import drawings
from scratchnet.demos.init.measures import RULES, ensemble, first_gradients, mean_squares, measure
from scratchnet.demos.running import Result, Row, no_progress
from scratchnet.demos.settings import resolve
from scratchnet.demos.verdicts import judge
from scratchnet.layers import Linear

SMALL: dict[str, Any] = {
    "width": 12,
    "depth": 4,
    "halvings": 3,
    "networks": 16,
    "epochs": 12,
    "pairs": 40,
    "seeds": 2,
    "activations": ("relu", "tanh", "sigmoid"),
    "shapes": ("constant", "halving", "doubling"),
}


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, **SMALL)


def made_settings(**given: Any) -> Any:
    return resolve(experiment.settings, given)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_the_variance_it_says(rule: str) -> None:
    drawn = RULES[rule].initializer(np.random.default_rng(0), 120, 200)
    assert np.square(drawn).mean() == pytest.approx(RULES[rule].variance(120, 200), rel=0.05)
    n, m = 120, 200
    assert eval(RULES[rule].formula.replace("^", "**")) == RULES[rule].variance(n, m)


@given(
    widths=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    activation=st.sampled_from(["relu", "tanh", "sigmoid"]),
    seed=st.integers(0, 100),
)
@examples(max_examples=20, deadline=None)
def test_mean_squares_are_those_of_the_networks_written_out(
    widths: list[int], activation: str, seed: int
) -> None:
    layers = [Linear(*fans) for fans in zip(widths, widths[1:], strict=False)]
    model = ensemble(made_settings(), layers, [seed, seed + 1])
    forward, backward = mean_squares(model, activation)
    function, slope = {
        "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "sigmoid": (
            lambda z: 1 / (1 + np.exp(-z)),
            lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        ),
    }[activation]
    for network in range(2):
        rng = np.random.default_rng(np.random.SeedSequence(seed + network, spawn_key=(6,)))
        x, g = rng.standard_normal(widths[0]), rng.standard_normal(widths[-1])
        x, g = (each / np.sqrt(np.mean(each**2)) for each in (x, g))
        state, zs = model.state_dict(network), []
        Ws = [state[f"{layer}.weight"] for layer in range(len(widths) - 1)]
        for W in Ws:
            zs.append(x @ W)
            x = function(zs[-1])
        gs = [g]
        for W, z in zip(Ws[:0:-1], zs[-2::-1], strict=True):
            gs.insert(0, slope(z) * (W @ gs[0]))
        np.testing.assert_allclose(forward[network], [np.mean(z**2) for z in zs], rtol=1e-9)
        np.testing.assert_allclose(backward[network], [np.mean(g**2) for g in gs], rtol=1e-9)


def test_an_ensemble_measured_in_parts_is_the_ensemble(monkeypatch: pytest.MonkeyPatch) -> None:
    s = made_settings(activations=("tanh",))
    how = (s, "he", (12, 12, 12), range(9), lambda *_: None)
    _, whole = measure(*how)
    monkeypatch.setattr(measures, "MOST_PARAMETERS", 700)
    for name, values in measure(*how)[1].items():
        np.testing.assert_array_equal(whole[name], values)


def test_rules_that_only_scale_layers_are_one_observation(result: Result) -> None:
    for shape in ("constant", "halving", "doubling"):
        relu = patterns(result, shape, "relu")
        assert {rule for rule, first in relu.items() if first == "he"} == set(RULES) - {
            "orthogonal"
        }
    tanh = patterns(result, "constant", "tanh")
    assert tanh["fan-out"] == "he" and tanh["lecun"] == "xavier" and tanh["2xhe"] == "2xhe"
    assert patterns(result, "doubling", "tanh")["lecun"] == "lecun"
    table = next(iter(tables(result)))
    assert "2 different rules" in table.title and table.rows[1][3] == "as he"


def test_halving_fan_out_grows_and_equal_widths_do_not(result: Result) -> None:
    assert widths_of(result.settings, "halving") == (64, 32, 16, 8)
    row = result["halving widths: fan-out"]
    assert row.arrays["relu forward formula"][-1] == pytest.approx(2 * 64 / 8)
    found = {claim.sentence: claim.contrast.holds for claim in claims(result)}
    assert found["Fan-out doubles the variance in each of 3 layers, halving widths"]
    assert not found["Fan-out doubles the variance in each of 4 layers, constant widths"]


def test_the_theorem_holds_and_the_exercise_fails_where_it_must(result: Result) -> None:
    s = made_settings()
    rows = [
        Row(
            f"{w}",
            {"width": w},
            tuple(range(400)),
            first_gradients(s, w, range(400), no_progress)[0],
        )
        for w in (1, 4, 64)
    ]
    for row in rows:
        assert not measures.passed(row, "bound").any()
        assert set(row["depth"]) == set(range(1, 9))
    assert (rows[0]["gradient"] / rows[0]["bound"]).max() > 0.9  # not a bound by being far away
    one, narrow, wide = where_passed(rows).split(", ")
    assert int(one.split()[0]) > 100 and int(narrow.split()[0]) > 100
    assert wide == "0 of 700 with several of 4 to 64"
    # A network is the same beside others.
    np.testing.assert_array_equal(
        first_gradients(s, 3, range(2, 9), no_progress)[0]["gradient"],
        first_gradients(s, 3, range(20), no_progress)[0]["gradient"][2:9],
    )


def test_unscaled_relus_become_nan_at_the_chapters_rate_and_he_does_not(result: Result) -> None:
    for rule, gone in (("unscaled", 2), ("2xhe", 2), ("he", 0), ("fan-out", 0)):
        row = result[trained_name(rule, "relu", best=False)]
        assert np.isnan(row["loss"]).sum() == gone == len(row.arrays["nan_epochs"])
        assert (row.arrays["nan_epochs"] <= 6).all()
    assert "he 0" in answer(result, [])


def test_every_rule_is_trained_at_the_chapters_rate_and_at_its_best() -> None:
    s = made_settings(activations=("relu",))
    rates = [arm.rates for arm in arms(s)]
    assert rates == [(0.05,)] * 8 + [RATES] * 8 and 0.05 in RATES
    assert len(RATES) >= 5 and RATES[-1] / RATES[0] >= 16


def made_up(rule: str, best: bool, accuracies: Any, loss: float = 0.1) -> Row:
    values = np.asarray(accuracies, float)
    measures = {"loss": np.full(10, loss), "test_accuracy": values, "train_accuracy": values}
    return Row(trained_name(rule, "relu", best), {"rule": rule}, tuple(range(10)), measures)


@pytest.mark.parametrize(("loss", "verdict"), [(0.1, "contradicted"), (np.nan, "equivalent")])
def test_the_claim_about_fan_out_is_judged_by_the_networks_that_became_nan(
    loss: float, verdict: str
) -> None:
    result = Result(made_settings(), [made_up("fan-out", False, np.ones(10), loss)])
    assert judge(claims(result))[0].name == verdict


def test_training_claims_compare_rules_at_their_best() -> None:
    rows = [
        made_up("he", True, np.ones(10)),
        made_up("no-root", True, np.full(10, 0.5)),
        made_up("lecun", True, np.full(10, 0.98)),
    ]
    found = {each.claim.ledger: each.name for each in judge(claims(Result(made_settings(), rows)))}
    assert found[("000-031",)] == "supported" and found[("000-014",)] == "equivalent"


def test_every_figure_is_drawn(result: Result) -> None:
    found = drawings(result)
    assert set(found) == {
        *(f"mean-squares-{shape}" for shape in ("constant", "halving", "doubling")),
        "sigmoid-bound",
    }
    for draw in found.values():
        draw()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--rules hee", "did you mean 'he'"),
        ("--shapes constant,constant", "without repetitions"),
        ("--width 1", "--width 1: must be a whole number from 2 to 1,000"),
    ],
)
def test_bad_input_is_one_line(arguments: str, line: str, tmp_path: Any, capsys: Any) -> None:
    assert main(["init", *arguments.split(), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1

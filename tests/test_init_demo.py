"""`scratchnet init`: what is measured, what is said of it, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.init import training_runs
from scratchnet.demos.init.command import plot, record, report, run
from scratchnet.demos.init.experiment import Result
from scratchnet.demos.init.report import outcome, sentences
from scratchnet.demos.init.settings import RULES, Settings
from scratchnet.demos.init.sigmoid_bound import Gradients, measure_gradients
from scratchnet.demos.init.training_runs import Training
from scratchnet.demos.init.variances import linear_layers, mean_squares, measure
from scratchnet.demos.results import to_json
from scratchnet.demos.terminal import no_progress

TINY = Settings(width=12, depth=4, halvings=3, networks=12, seeds=2, epochs=12, pairs=40)


@pytest.fixture(scope="module")
def result() -> Result:
    return run(TINY)


# What is measured


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_the_variance_it_says(rule: str) -> None:
    rng = np.random.default_rng(0)
    drawn = RULES[rule].initializer(rng, 120, 200)
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
    model = linear_layers(TINY, "he", tuple(widths), seed, 3)
    forward, backward = mean_squares(model, activation)
    function, slope = {
        "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "sigmoid": (
            lambda z: 1 / (1 + np.exp(-z)),
            lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        ),
    }[activation]
    for network in range(3):
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
    whole = measure(TINY, "he", "constant", no_progress)
    monkeypatch.setattr("scratchnet.demos.init.variances.MOST_PARAMETERS", 2000)
    for a, b in zip(whole, measure(TINY, "he", "constant", no_progress), strict=True):
        assert a.forward.shape == (12, 4)
        np.testing.assert_array_equal(a.forward, b.forward)
        np.testing.assert_array_equal(a.backward, b.backward)


def test_halving_fan_out_grows_and_equal_widths_leave_it_as_he_is(result: Result) -> None:
    cases = {(c.rule, c.activation, c.shape): c for c in result.cases}
    assert len(cases) == 8 * 3 * 3
    assert cases["fan-out", "relu", "halving"].widths == (64, 32, 16, 8)
    assert cases["fan-out", "relu", "doubling"].widths == (8, 16, 32, 64)
    assert cases["fan-out", "relu", "halving"].forward_formula[-1] == pytest.approx(2 * 64 / 8)
    for activation in ("relu", "tanh"):
        np.testing.assert_array_equal(
            cases["fan-out", activation, "constant"].forward,
            cases["he", activation, "constant"].forward,
        )


def test_agreement_counts_the_layers_whose_interval_holds_the_formula(result: Result) -> None:
    case = next(each for each in result.cases if each.shape == "constant")
    centred = dataclasses.replace(
        case,
        forward=case.forward / case.forward.mean(axis=0) * case.forward_formula,
        backward=case.backward / case.backward.mean(axis=0) * case.backward_formula,
    )
    assert centred.agreement == (6, 6)
    off = dataclasses.replace(centred, backward=100 * centred.backward)
    assert off.agreement == (3, 6)


# Training


def test_a_rule_trains_side_by_side_as_it_does_alone() -> None:
    together = training_runs.train(TINY, "tanh", no_progress)
    alone = training_runs.train(dataclasses.replace(TINY, rules=("lecun",)), "tanh", no_progress)
    assert [each.rule for each in together] == list(RULES)
    np.testing.assert_array_equal(together[2].loss, alone[0].loss)
    np.testing.assert_array_equal(together[2].accuracy, alone[0].accuracy)


def test_unscaled_relus_become_nan_in_five_epochs_and_he_does_not(result: Result) -> None:
    trainings = {(each.rule, each.activation): each for each in result.trainings}
    for rule in ("unscaled", "2xhe"):
        gone = trainings[rule, "relu"]
        assert set(gone.diverged) == {0, 1} and max(gone.diverged.values()) <= 6
        for network, epoch in gone.diverged.items():
            assert np.isfinite(gone.loss[: epoch - 1, network]).all()
            assert not np.isfinite(gone.loss[epoch - 1 :, network]).any()
    assert not trainings["he", "relu"].diverged and not trainings["fan-out", "relu"].diverged
    assert trainings["no-root", "relu"].stalled == [0, 1]


def made_up(rule: str, final_loss: list[float], diverged: dict[int, int]) -> Training:
    final = np.array(final_loss)
    return Training(
        rule, "relu", np.zeros((3, 4)), final, np.where(final < 0.6, 0.9, 0.5), diverged
    )


def test_each_network_has_one_outcome() -> None:
    training = made_up("he", [0.1, math.log(2), math.nan, 5.0], {2: 7})
    assert (training.learned, training.stalled) == ([0], [1, 3])
    assert outcome(training) == "1 learn, 90.0%; 2 stall; 1 NaN, epoch 7"
    assert outcome(made_up("he", [math.nan] * 4, {0: 2, 1: 5, 2: 3, 3: 2})) == "4 NaN, epoch 2-5"


def test_the_claim_about_fan_out_is_judged_by_what_was_measured(result: Result) -> None:
    def said(training: Training) -> str:
        return " ".join(sentences(dataclasses.replace(result, trainings=[training])))

    assert "was not seen here: 0 of 4" in said(made_up("fan-out", [0.1] * 4, {}))
    assert "was seen here: 1 of 4" in said(made_up("fan-out", [0.1] * 3 + [math.nan], {3: 2}))


# The bound


def test_the_bound_holds_for_the_random_networks_and_the_false_one_does_not() -> None:
    g = measure_gradients(Settings(pairs=800))
    assert len(g.norm) == 800 and set(g.depth) == set(range(1, 9))
    assert g.violations == 0 and g.false_violations > 80
    assert (g.norm / g.bound).max() > 0.9  # not a bound by being far away


def test_violations_are_counted_and_said(result: Result) -> None:
    g = Gradients(np.array([1, 2]), np.array([1.0, 3.0]), np.array([1.0, 2.0]), np.array([4.0, 4]))
    assert (g.violations, g.false_violations) == (1, 0)
    said = " ".join(sentences(dataclasses.replace(result, gradients=g)))
    assert "violated by 1 of 2 random networks" in said and "does not refute" in said


# The command


def test_report_fits_80_columns_and_figures_are_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text and max(map(len, text.splitlines())) <= 80
    names = {"variance_constant", "variance_halving", "variance_doubling"}
    assert set(plot(result)) == names | {"training", "sigmoid_bound"}
    kept: Any = json.loads(to_json(record(result)))
    assert len(kept["rows"]) == len(result.cases) and len(kept["summary"]["trainings"]) == 24
    assert kept["rows"][0]["forward"][0]["n"] == 12


def test_an_interruption_keeps_what_was_finished() -> None:
    def stop(steps: float = 1, note: str = "") -> None:
        if note == "training, tanh":
            raise KeyboardInterrupt

    cut = run(dataclasses.replace(TINY, rules=("he", "2xhe"), shapes=("constant",)), stop)
    assert cut.interrupted and len(cut.trainings) == 2 and cut.gradients is None
    assert "interrupted" in sentences(cut)[-1]
    report(cut, Console(file=io.StringIO()))
    assert set(plot(cut)) == {"variance_constant", "training"}


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = "--rules he,unscaled --activations sigmoid --shapes constant --width 4 --depth 3"
    sizes = "--networks 3 --seeds 1 --epochs 5 --quick --json --out"
    assert main(["init", *given.split(), *sizes.split(), str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert [row["rule"] for row in json.loads(out)["rows"]] == ["he", "unscaled"]
    names = {"variance_constant.png", "training.png", "sigmoid_bound.png", "result.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--rules hee", "unknown name in --rules 'hee': known are he, xavier,"),
        ("--activations relu,gelu", "unknown name in --activations 'gelu'"),
        ("--shapes constant,constant", "--shapes 'constant,constant': each name can stand"),
        ("--width 1", "--width '1': expected a whole number from 2 to 1,000"),
        ("--seeds 0", "--seeds '0': expected a whole number from 1 to 1,000"),
    ],
)
def test_bad_input_is_one_line(
    arguments: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *arguments.split(), "--out", str(tmp_path)]) == 2
    _, err = capsys.readouterr()
    assert line in err and err.count("\n") == 1

"""`scratchnet width`: what it trains, what it says, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import refused
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.results import to_json
from scratchnet.demos.width import command
from scratchnet.demos.width.command import plot, record, report
from scratchnet.demos.width.experiment import Result, Row, build, datasets, run
from scratchnet.demos.width.report import Comparison, comparisons, sentences, verdict
from scratchnet.demos.width.settings import Settings, choose_settings, groups, trainings
from scratchnet.depth.budget import parameter_count
from scratchnet.depth.targets import TARGETS
from scratchnet.model import mlp

TINY = Settings(
    targets=("linear", "cubic"), budget=40, depths=(1, 3), seeds=2, optimizers=("adam",), quick=True
)


# What is trained


def test_every_depth_has_the_same_parameters_within_half_a_unit_of_width() -> None:
    for each in trainings(Settings(budget=12_000)):
        above = parameter_count(each.depth, each.width + 1, each.inputs)
        below = parameter_count(each.depth, each.width, each.inputs)
        assert abs(below - 12_000) <= (above - below) / 2 + each.depth


def test_every_target_task_optimizer_and_depth_is_trained_and_radial_compares_1_with_2() -> None:
    plan = trainings(Settings())
    kinds = {(t, p.task, p.optimizer, p.depth) for p in plan for t in p.targets}
    depths = {name: (1, 2) if name == "radial" else (1, 2, 4, 8) for name in TARGETS}
    assert len(kinds) == sum(4 * len(each) for each in depths.values())
    assert {depth for name, *_, depth in kinds if name == "radial"} == {1, 2}


def test_curves_share_an_ensemble_and_others_do_not() -> None:
    assert groups(("sparse", "cubic", "parity", "linear")) == [
        ("linear", "cubic"),
        ("parity",),
        ("sparse",),
    ]


def test_a_network_is_the_same_alone_and_beside_other_targets() -> None:
    plan = trainings(TINY)
    together = build(TINY, plan[0]).state_dict()
    alone = mlp([plan[0].inputs, plan[0].width, 1], seed=0, ensemble=2).state_dict()
    for name, values in together.items():
        np.testing.assert_array_equal(values[:2], values[2:])
        if name.endswith("weight"):
            np.testing.assert_array_equal(values[:2], alone[name])
    both = run(TINY)
    one = run(dataclasses.replace(TINY, targets=("cubic",)))
    mine = [row for row in both.rows if row.target == "cubic"]
    assert len(mine) == len(one.rows) == 4
    for a, b in zip(mine, one.rows, strict=True):
        np.testing.assert_array_equal(a.test, b.test)


def test_relus_of_one_input_bend_at_points_of_their_own_not_all_at_0() -> None:
    plan = trainings(dataclasses.replace(TINY, budget=900, seeds=3))
    shallow = build(TINY, dataclasses.replace(plan[0], seeds=3)).state_dict()
    bends = -shallow["0.bias"] / shallow["0.weight"]
    assert bends.shape == (6, 1, 300)
    assert ((bends > -2) & (bends < 2)).mean() > 0.8 and 0.3 < np.median(np.abs(bends)) < 0.8
    assert not np.array_equal(shallow["0.bias"][0], shallow["0.bias"][1])
    # Each layer's biases are within its own 1 / sqrt(fan_in).
    deep = build(TINY, dataclasses.replace(plan[1], seeds=3, depth=2, width=100)).state_dict()
    for name, limit in (("0.bias", 1.0), ("2.bias", 0.1), ("4.bias", 0.1)):
        assert np.abs(deep[name]).max() <= limit
    assert np.abs(deep["2.bias"]).max() > 0.09


def test_regression_targets_have_variance_1_and_classes_are_below_the_curve() -> None:
    names = ("linear", "cubic")
    settings = dataclasses.replace(TINY, seeds=8)
    train, choose, test = datasets(settings, names, "regression")
    assert train.X.shape == (16, 200, 1) and test.y.shape == (16, 400, 1)
    for target in (train.y[:8], train.y[8:]):
        assert (target.mean(), target.std()) == (
            pytest.approx(0, abs=0.1),
            pytest.approx(1, abs=0.1),
        )
    assert not np.array_equal(choose.X, test.X)
    train, _, _ = datasets(settings, names, "classification")
    x, height = np.moveaxis(train.X[:8], -1, 0)
    # The line y = x, whose standard deviation on [-2, 2] is 4 / sqrt(12).
    below = height * 4 / np.sqrt(12) < x
    assert (below == (train.y[:8, :, 0] == 1)).mean() > 0.97
    assert 0.4 < train.y.mean() < 0.6


def test_the_parity_table_is_trained_and_tested_whole() -> None:
    train, choose, test = datasets(TINY, ("parity",), "classification")
    assert train is choose is test
    assert train.X.shape == (2, 1024, 10) and train.y.mean() == 0.5


# What is said


def row(depth: int, test: Any, optimizer: str = "adam", validation: float | None = None) -> Row:
    test = np.array(test, dtype=float)
    chosen = np.full_like(test, test.mean() if validation is None else validation)
    return Row("cubic", "regression", optimizer, depth, 9, 100, 0.01, chosen, test, 1.0)


def made_up(*rows: Row) -> Result:
    settings = Settings(targets=("cubic",), seeds=len(rows[0].test))
    return Result(settings, rows, unfinished=0)


LOW, HIGH = [0.10, 0.11, 0.09, 0.10], [0.30, 0.33, 0.27, 0.31]


def test_depth_wins_loses_or_is_not_seen_to_by_the_interval_of_the_ratio() -> None:
    assert verdict(Comparison(row(1, HIGH), row(4, LOW))) == "won"
    assert verdict(Comparison(row(1, LOW), row(4, HIGH))) == "lost"
    assert verdict(Comparison(row(1, HIGH), row(4, [0.1, 0.9, 0.2, 0.6]))) == "not seen"
    assert verdict(Comparison(row(1, [0.3]), row(4, [0.1]))) == "not told"
    # Pairing sees what two separate intervals would not.
    seeds = np.array([0.1, 1.0, 0.01, 10.0])
    assert verdict(Comparison(row(1, seeds), row(4, seeds * [0.5, 0.55, 0.45, 0.5]))) == "won"


def test_nothing_is_claimed_between_networks_that_solve_the_task_or_differ_by_little() -> None:
    solved = Comparison(row(1, [2e-4, 3e-4, 2e-4]), row(4, [1e-7, 2e-7, 1e-7]))
    assert verdict(solved) == "solved"
    assert solved.log_ratio.mean == 0
    close = Comparison(row(1, HIGH), row(4, np.array(HIGH) * 0.98))
    assert close.log_ratio.interval[1] < 0 and verdict(close) == "not seen"


def test_the_deep_network_is_chosen_on_validation_data_not_on_test_data() -> None:
    rows = (row(1, HIGH), row(2, HIGH, validation=0.1), row(4, LOW, validation=0.2))
    (found,) = comparisons(made_up(*rows))
    assert found.deep.depth == 2


def test_sentences_say_what_was_measured_and_where_only_one_optimizer_saw_it() -> None:
    gradient_descent = row(1, HIGH, "sgd"), row(4, LOW, "sgd")
    text = " ".join(sentences(made_up(*gradient_descent, row(1, LOW), row(4, LOW))))
    assert "cubic (x^3): in part. Depth won in regression with gradient descent" in text
    assert "error x 0.33" in text
    assert "No difference was seen in regression with Adam" in text
    assert "Depth won under gradient descent, and by more than under Adam" in text
    assert "there are 2 of them and each takes the best of up to 3 deeper networks" in text
    # Not to see a difference under Adam is no proof that depth gains less there.
    noisy = row(1, HIGH), row(4, [0.1, 0.9, 0.03, 0.1])
    text = " ".join(sentences(made_up(*gradient_descent, *noisy)))
    assert "No difference was seen in regression with Adam" in text
    assert "optimisation has a part" not in text
    lost = " ".join(sentences(made_up(row(1, LOW), row(2, LOW), row(8, HIGH))))
    assert "cubic (x^3): no." in lost
    assert "The deepest networks lost in regression with Adam (depth 8" in lost
    one = " ".join(sentences(made_up(row(1, [0.3]), row(4, [0.1]))))
    assert "not told" in one and "won" not in one and "no difference is claimed" in one


def test_networks_that_diverged_are_left_out_and_counted() -> None:
    result = made_up(row(1, [0.3, np.inf, 0.31, 0.3]), row(4, LOW))
    assert comparisons(result)[0].log_ratio.n == 3
    assert any("1 network left out, diverged" in each for each in sentences(result))
    json.loads(to_json(record(result)))
    plot(result)
    report(result, Console(file=io.StringIO()))


def test_depths_that_are_equally_wide_are_said_to_be() -> None:
    size = {"target": "sparse", "width": 8, "parameters": 80_500}
    wide = [dataclasses.replace(each, **size) for each in (row(1, LOW), row(8, HIGH))]
    text = " ".join(sentences(made_up(*wide)))
    assert "All these networks are 8 wide: weights from the inputs are 99 % of" in text
    # Other targets of equal width, such as with a tiny budget, have other reasons.
    assert "wide: " not in " ".join(sentences(made_up(row(1, LOW), row(8, HIGH))))


def test_an_interrupted_run_keeps_what_it_has() -> None:
    calls = 0

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal calls
        calls += steps > 0
        if calls == stop:
            raise KeyboardInterrupt

    # In the second depth's second training: its first learning rate alone would be no choice.
    stop = 450
    result = run(TINY, advance)
    assert {row.depth for row in result.rows} == {1} and result.unfinished == 5
    assert any("interrupted with 5 trainings" in each for each in sentences(result))
    calls, stop = 0, 50
    with pytest.raises(KeyboardInterrupt):
        run(TINY, advance)
    plot(result)


# The command


def test_the_command_writes_its_figures_and_numbers(tmp_path: Path, capsys: Any) -> None:
    options = "--targets linear,cubic --budget 30 --depths 1,2 --seeds 2 --optimizers adam --quick"
    assert main(["width", *options.split(), "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "result.json").read_text())
    assert len(printed["rows"]) == 8 and len(printed["summary"]["comparisons"]) == 4
    names = {"verdicts.png", "regression.png", "classification.png", "result.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--targets nested", "did you mean 'nested_sine'"),
        ("--targets linear,linear", "once only"),
        ("--budget 3 --targets linear", "budget of 3 parameters is too small for 1 hidden layer"),
        ("--budget 500", "target sparse: a budget of 500 parameters is too small"),
        ("--budget 0", "--budget '0'"),
        ("--depths 2 --targets linear", "--depths 2: one depth"),
        ("--depths 0,1", "--depths '0,1'"),
        ("--tasks ranking", "'ranking'"),
        ("--optimizers adm", "did you mean 'adam'"),
    ],
)
def test_bad_input_is_one_line(
    options: str, named: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it trained"))
    out = tmp_path / "out"
    assert main(["width", *options.split(), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error and not out.exists()


def test_quick_settings_give_way_to_what_is_asked_for() -> None:
    assert choose_settings({}) == Settings()
    quick = choose_settings({"quick": True, "seeds": 7})
    assert (quick.seeds, quick.depths) == (7, (1, 4))
    with refused("too small"):
        choose_settings({"budget": 10})

"""`scratchnet explore`: what it trains on which data, its claims and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchnet.demos.data import HERE, data_of
from scratchnet.demos.experiment import diverged, run_small
from scratchnet.demos.explore.experiment import (
    ADAM_RATES,
    EPOCHS,
    Settings,
    answer,
    arm_name,
    arms,
    experiment,
)
from scratchnet.demos.explore.figures import finding
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.tuning import RATES
from scratchnet.demos.verdicts import judge

TINY: dict[str, Any] = {"depths": (1, 2), "width": 4, "epochs": 3, "points": 12, "kinds_depth": 2}


def test_the_deep_kinds_are_trained_once_on_the_spirals_and_64_layers_in_a_quick_run() -> None:
    found = arms(resolve(Settings, {"datasets": ("circles", "spirals")}))
    names = [arm.name for arm in found]
    assert len(set(names)) == len(names) == 10 + 5
    assert "residual + BN, spirals, 8 layers" in names
    assert {arm.rates for arm in found} == {ADAM_RATES}
    quick = arms(resolve(Settings, {"datasets": ("spirals",), "quick": True}))
    assert [arm.facts["layers"] for arm in quick] == [1, 4, 64, 65]
    assert not any(
        "batch norm" in arm.name for arm in arms(resolve(Settings, {"datasets": ("linear",)}))
    )


def test_digits_take_adam_and_gradient_descent_gets_five_times_the_epochs() -> None:
    pytest.importorskip("sklearn")
    found = {arm.name: arm for arm in arms(resolve(Settings, {"optimizer": "sgd"}))}
    digits, spirals = found["plain, digits, 1 layer"], found["plain, spirals, 1 layer"]
    assert digits.facts["optimizer"] == "adam" and digits.epochs == EPOCHS["digits"]
    assert spirals.rates == RATES["sgd"] and spirals.epochs == 5 * EPOCHS["spirals"]
    assert (
        digits.build([0, 4]).parameter_count == digits.facts["parameters"] == 64 * 32 + 11 * 32 + 10
    )


@pytest.mark.parametrize("name", HERE)
def test_every_seed_has_samples_of_its_own_that_are_in_one_set_only(name: str) -> None:
    data = data_of(name, 10, 10)((0, 1))
    assert not np.array_equal(data.X[0], data.X[1])
    sets = (data.X[0], data.X_validation[0], data.X_test[0])
    rows = np.concatenate(sets)
    assert len(np.unique(rows, axis=0)) > 0.99 * len(rows)


def row(
    dataset: str, depth: int, test: list[float], kind: str = "plain", train: float = 1.0
) -> Row:
    facts = {"dataset": dataset, "kind": kind, "depth": depth, "layers": depth}
    facts |= {"parameters": 9, "learning_rate": 0.01}
    measures = {"test_accuracy": np.array(test), "train_accuracy": np.full(len(test), train)}
    measures["seconds"] = np.full(len(test), float(depth))
    return Row(arm_name(dataset, depth, kind), facts, tuple(range(len(test))), measures)


def made_up(*rows: Row, **changed: Any) -> Result:
    return Result(resolve(Settings, {"depths": (1, 4), "kinds_depth": 4, **changed}), list(rows))


def verdicts_of(result: Result) -> dict[str, str]:
    return {each.claim.sentence: each.name for each in judge(experiment.claims(result))}


def test_easy_data_need_no_depth_and_spirals_do_where_that_was_measured() -> None:
    rows = [row("linear", depth, [0.999] * 10) for depth in (1, 4)]
    rows += [row("circles", 1, [0.9, 0.91] * 5), row("circles", 4, [0.99, 0.98] * 5)]
    rows += [row("spirals", 1, [0.6] * 10), row("spirals", 4, [0.99] * 10)]
    found = verdicts_of(made_up(*rows))
    assert found["On linear, depth 1 does as well as depth 4"] == "supported"
    assert found["On circles, depth 1 does as well as depth 4"] == "contradicted"
    assert found["On spirals, more networks of 4 layers than of 1 solve them"] == "supported"
    assert found["Training 4 layers takes longer than 1"] == "holds"
    assert "linear 99.9%, 99.9%; circles 90.5%, 98.5%" in answer(made_up(*rows), ())


def test_overfitting_is_the_gap_between_training_and_test_data() -> None:
    plain = row("spirals", 4, [0.90, 0.91] * 5)
    normed = row("spirals", 4, [0.89, 0.90] * 5, "batch-norm", train=0.91)
    skips = row("spirals", 4, [0.90, 0.91] * 5, "residual")
    found = verdicts_of(made_up(plain, normed, skips))
    names = {
        key.split(", ")[1].split(" makes")[0]: name for key, name in found.items() if "gap" in key
    }
    assert names == {"batch norm": "supported", "residual": "equivalent"}


def test_a_diverged_network_is_named_and_keeps_a_comparison_from_a_verdict() -> None:
    rows = [row("digits", 1, [0.9] * 5), row("digits", 4, [0.95] * 4 + [np.nan])]
    result = made_up(*rows, datasets=("digits",))
    assert verdicts_of(result)["On digits, 4 layers reach a higher accuracy than 1"] == "not tested"
    assert "plain, digits, 4 layers: 1 of 5 networks diverged" in " ".join(diverged(result))
    assert experiment.tables(result)[0].rows[1][5:7] == ["95.0%", "95.0%"]
    assert finding(result).endswith("digits 4")


def test_the_figures_draw_for_full_and_partial_runs() -> None:
    data = ("circles", "spirals")
    result = run_small(experiment, quick=False, seeds=5, datasets=data, **TINY)
    assert set(experiment.figures(result)) == {"accuracy", "boundaries", "learning-rates"}
    depths = [
        row.facts["depth"] for row in result.verdict_rows() if row.facts["dataset"] == data[1]
    ]
    assert len(depths) == 2 + 5
    result.rows = [row for row in result.rows if row.facts["dataset"] == "circles"]
    for draw in experiment.figures(result).values():
        assert draw().axes

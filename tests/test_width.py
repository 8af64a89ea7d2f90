"""`scratchnet width`: what it trains, and which verdicts follow from made-up numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import refused

from scratchnet.demos import tuning
from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import run_small
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import resolve
from scratchnet.demos.tuning import Arm, Tuned, train_networks
from scratchnet.demos.verdicts import judge
from scratchnet.demos.width.experiment import (
    GRID,
    RATES,
    Settings,
    answer,
    arms,
    check,
    claims,
    data,
    experiment,
    pyramid,
    tables,
    train_in_fives,
)
from scratchnet.demos.width.figures import drawings
from scratchnet.depth.regions import Line, line_regions
from scratchnet.depth.targets import get_target

LOW, HIGH = np.linspace(0.10, 0.11, 10), np.linspace(0.30, 0.33, 10)


def settings(**given: Any) -> Settings:
    return resolve(Settings, given)


def test_every_shape_has_the_budgets_parameters_within_half_a_unit_of_width() -> None:
    s = settings(budget=3000, compare=("depth", "pyramid", "biases"))
    for arm in arms(s):
        name, widths, found = (arm.facts[key] for key in ("target", "widths", "parameters"))
        assert arm.build([3, 9]).parameter_count == found and arm.rates == RATES["adam"]
        if name != "sparse":
            wider = np.add(widths, 1)
            inputs = get_target(name).inputs
            step = sum((a + 1) * b for a, b in zip((inputs, *wider), (*wider, 1), strict=True))
            assert abs(found - 3000) <= (step - found) * (2 if "pyramid" in arm.name else 0.6)
    top, *rest = pyramid(3000, 4, 1)
    assert rest == [round(top / 2), round(top / 4), round(top / 8)]


def test_the_sections_networks_are_the_sections() -> None:
    s = settings(compare=("section",))
    widths = {arm.name: arm.facts["widths"] for arm in arms(s)}
    assert len(widths) == 8 and {arm.epochs for arm in arms(s)} == {1000}
    assert widths["nested_sine: section, 1 layer, zero biases"] == (833,)
    assert widths["sin_plus_cos: section, 4 layers, uniform biases"] == (28,) * 4


def test_zero_biases_bend_every_relu_at_0_and_uniform_ones_do_not() -> None:
    s = settings(targets=("nested_sine",), depths=(1, 2), compare=("biases",))
    found = {arm.facts["shape"]: arm.build([0]) for arm in arms(s)}
    line = Line([0.0], [1.0], (-2, 2))
    assert line_regions(found["1 layer, zero biases"], line, 0).linear_count == 2
    assert line_regions(found["1 layer"], line, 0).linear_count > 80


def test_every_seed_has_its_own_data_and_tables_are_whole() -> None:
    curve = data(get_target("cubic"), (0, 1, 7))
    assert curve.X_test.shape == (3, 1000, 1) and curve.y.shape == (3, 200, 1)
    assert curve.y_test.std(axis=1) == pytest.approx(np.ones((3, 1)), rel=0.1)
    sets = [*curve.X, *curve.X_validation]
    assert not any(np.array_equal(a, b) for i, a in enumerate(sets) for b in sets[:i])
    table = data(get_target("parity"), (0, 1))
    np.testing.assert_array_equal(table.X, table.X_test)
    assert table.loss == "binary_cross_entropy" and table.y.mean() == 0.5


def test_networks_are_the_same_in_fives_and_all_at_once() -> None:
    s = settings(quick=True, targets=("cubic",), depths=(1, 2), budget=30, steps=10)
    arm = arms(s)[1]
    how = (s, lambda *_, **__: None, False)
    fives, _ = train_in_fives(arm, tuple(range(7)), (0.03,) * 7, *how)
    together, kept = train_networks(arm, tuple(range(7)), (0.03,) * 7, *how)
    for name, values in (together | kept).items():
        if name != "seconds":
            np.testing.assert_array_equal(fives[name], values)


def row(name: str, shape: str, values: Any, measure: str = "test_loss", **more: Any) -> Row:
    facts = {"target": name, "shape": shape, "widths": (9,), "parameters": 99}
    measures = {measure: np.asarray(values), "pieces": np.full(10, 9.0), **more}
    return Row(f"{name}: {shape}", facts | {"learning_rate": 0.1}, tuple(range(10)), measures)


def made_up(*rows: Row) -> Result:
    return Result(settings(depths=(1, 2, 4), seeds=10), list(rows))


def verdicts(result: Result) -> list[str]:
    return [each.name for each in judge(claims(result))]


@pytest.mark.parametrize(
    ("name", "one", "two", "verdict", "wins"),
    [
        ("oscillating", HIGH, LOW, "supported", "depth wins on oscillating"),
        ("oscillating", LOW, HIGH, "contradicted", "width wins on oscillating"),
        ("linear", HIGH, LOW, "contradicted", "depth wins on linear"),
        ("linear", LOW, HIGH, "supported", "width wins on linear"),
        # Both solve it: errors below 0.1 % of the variance are alike.
        ("linear", LOW / 1e3, LOW / 1e5, "equivalent", "no difference on linear"),
    ],
)
def test_who_wins_follows_from_the_errors(
    name: str, one: Any, two: Any, verdict: str, wins: str
) -> None:
    result = made_up(row(name, "1 layer", one), row(name, "2 layers", two))
    assert verdicts(result) == [verdict]
    assert wins in answer(result, judge(claims(result)))
    assert next(iter(tables(result))).rows[0][0] == name
    drawings(result, judge(claims(result)))["verdicts"]()


def test_the_deep_network_is_chosen_on_tuning_seeds() -> None:
    rows = [row("cubic", shape, HIGH) for shape in ("1 layer", "2 layers", "4 layers")]
    result = made_up(*rows)
    for arm, score in (("cubic: 2 layers", -0.2), ("cubic: 4 layers", -0.1)):
        result.tuned[arm] = Tuned(None, (1, 2, 3), np.full((3, 5), score), 2, True)  # type: ignore[arg-type]
    assert claims(result)[0].sentence == "cubic: 1 layer better than 4 layers"


def test_accuracies_are_compared_in_points_and_the_whole_table_has_no_binomial_error() -> None:
    for name, points in (("radial", 2000), ("parity", None)):
        shapes = [row(name, each, HIGH, "test_accuracy") for each in ("1 layer", "2 layers")]
        (claim,) = claims(made_up(*shapes))
        assert claim.contrast.kind == "difference" and claim.contrast.test_points == points


def test_the_sections_claims_name_what_its_numbers_decide() -> None:
    steps = {"steps_to_low": np.full(10, 100.0)}
    rows = [
        row(name, f"section, {layers}, uniform biases", values, **steps)
        for name, layers, values in (
            ("nested_sine", "1 layer", LOW),
            ("nested_sine", "4 layers", LOW / 4),
            ("sin_plus_cos", "1 layer", LOW),
            ("sin_plus_cos", "4 layers", LOW),
        )
    ]
    found = {each.claim.ledger: each.name for each in judge(claims(made_up(*rows)))}
    assert found == {
        ("001-036",): "supported",
        ("001-035",): "equivalent",
        ("001-040",): "equivalent",
        ("001-038",): "supported",
    }


def test_a_quick_run_has_a_row_for_every_arm() -> None:
    given: dict[str, Any] = {"steps": 10, "seeds": 2, "features": 20, "budget": 40}
    result = run_small(experiment, **given)
    assert {row.arm for row in result.rows} == {arm.name for arm in arms(result.settings)}
    assert all(np.isfinite(row["pieces"]).all() for row in result.rows if "pieces" in row.measures)
    assert set(GRID) >= {"cubic", "radial"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--targets nested", "did you mean 'nested_sine'"),
        ("--budget 3 --targets linear", "budget of 3 parameters is too small for 1 hidden layer"),
        ("--depths 2", "--depths 2: must be two or more"),
        ("--compare section --targets parity", "must have one of those of --compare"),
    ],
)
def test_bad_input_is_one_line(options: str, named: str, capsys: Any, tmp_path: Any) -> None:
    out = tmp_path / "out"
    assert main(["width", *options.split(), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert named in error and "\n" not in error and not out.exists()
    with refused("two or more"):
        check(settings(depths=(4,)))


def test_a_grid_is_extended_by_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width's grid is uneven; what lies beyond its edges must not depend on which edge it is."""
    for sign, beyond in ((1, (0.2, 0.5)), (-1, (0.00032, 0.0008))):
        monkeypatch.setattr(
            tuning, "scores_of", lambda run, arm, rates, s=sign: s * np.outer(rates, np.ones(5))
        )
        arm = Arm("any", None, None, None, RATES["adam"], 1)  # type: ignore[arg-type]
        found = tuning.choose_rate(None, arm).rates  # type: ignore[arg-type]
        assert len(found) == 7 and set(RATES["adam"]) < set(found)
        assert sorted(set(found) - set(RATES["adam"])) == pytest.approx(beyond)

"""`scratchnet regions`: how networks are written, what is counted, the search, and the claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet import mlp
from scratchnet.backends import InputError
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.mosaic import mosaic
from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.regions.architectures import Architecture, architecture, plane, spread
from scratchnet.demos.regions.experiment import Settings, architectures, checkpoints, experiment
from scratchnet.demos.regions.figures import animate, close_up, epochs_of, picture
from scratchnet.demos.running import Result, Row
from scratchnet.demos.settings import parse, resolve
from scratchnet.demos.verdicts import judge
from scratchnet.depth.regions import plane_regions

SQUARE = (-1.0, 1.0, -1.0, 1.0)
SMALL: dict[str, Any] = {"networks": ("6x2",), "depths": (1, 2), "epochs": 6, "seeds": 2}


@pytest.fixture(scope="module")
def result() -> Result:
    return run_small(experiment, animate=True, **SMALL)


@pytest.fixture(scope="module")
def comparison() -> Result:
    return run_small(experiment, compare=True, networks=("3", "2x3"), seeds=20, search=200)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("8", (8,)), ("2x4", (2, 2, 2, 2)), ("16x2-8", (16, 16, 8)), ("5-3x1", (5, 3))],
)
def test_architectures_are_read(text: str, hidden: tuple[int, ...]) -> None:
    assert architecture(text).hidden == hidden


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_an_architecture_is_read_back_from_its_name(hidden: list[int]) -> None:
    each = Architecture(tuple(hidden))
    assert architecture(str(each)) == each


@pytest.mark.parametrize(
    "text",
    ["", "0", "2x0", "x4", "4x", "2x4x2", "8--8", "-3", "a", "2.5", "8,4", "257", "16x17", "1x33"],
)
def test_other_texts_are_no_architecture(text: str) -> None:
    with pytest.raises(InputError, match=r"^network .*2x4 \(four of 2\)"):
        architecture(text)


@given(st.integers(1, 64), st.integers(1, 16))
def test_neurons_are_spread_evenly(neurons: int, layers: int) -> None:
    if layers <= neurons:
        hidden = spread(neurons, layers).hidden
        assert sum(hidden) == neurons and len(hidden) == layers
        assert max(hidden) - min(hidden) <= 1


def test_the_textbook_example_has_bounds_37_256_and_85() -> None:
    wide, deep = architecture("8").bounds(), architecture("2x4").bounds()
    assert wide["at_most"] == wide["textbook"] == 37
    assert (deep["textbook"], deep["at_most"], deep["one_layer"]) == (256, 85, 37)
    fair = architecture("4x3").bounds()
    assert fair["at_most"] == fair["textbook"] == 1331
    assert architecture("8-1").bounds()["at_least"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--window 1,1,0,1", "--window 1,1,0,1: must be left,right,bottom,top"),
        ("--window 0,1,0", "must be left,right,bottom,top"),
        ("--window 0,1,0,nan", "--window nan: must be"),
        ("2xx4", "network '2xx4': must be hidden layers"),
        ("8 2x4", "8 2x4: must be one network, or several with --compare"),
        ("--compare 8 0", "network '0': must be"),
        ("4 --depths 8", "--depths 8: must be at most the 4 neurons of 4"),
        ("--compare 8 2x4 --animate", "--animate with --compare"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        experiment.check(resolve(Settings, parse(Settings, arguments.split())))
    assert message in str(caught.value)


def test_defaults_of_a_comparison_are_its_own() -> None:
    given = resolve(Settings, parse(Settings, ["--compare", "8", "2x4"]))
    assert (given.networks, given.seeds, given.window[0]) == (("8", "2x4"), 300, -100)
    assert [str(each) for each in architectures(given)] == ["8", "2x4"]
    usual = resolve(Settings, {})
    assert [str(each) for each in architectures(usual)] == ["64", "32x2", "16x4", "8x8"]
    own = resolve(Settings, parse(Settings, ["5-12"]))
    assert [str(each) for each in architectures(own)][-1] == "5-12"


def test_random_networks_repeat_and_zero_biases_make_sectors() -> None:
    many, one = random_networks([2, 8, 1], [7, 4], 2), random_networks([2, 8, 1], 4, 1)
    for name, values in one.state_dict(0).items():
        assert np.array_equal(values, many.state_dict(1)[name])
    fan = random_networks([2, 8, 1], 0, 1, bias_deviation=0)
    assert plane_regions(fan, plane(SQUARE), 0).count == 16


def test_counts_are_those_of_the_grid_and_within_the_bounds(result: Result) -> None:
    assert [row.arm for row in result.verdict_rows()] == ["1 layer of 12", "2 layers of 6"]
    for row in result.verdict_rows():
        last = row["patterns_6"]
        assert np.all((0.5 * last < row["grid"]) & (row["grid"] <= last))
        assert epochs_of(row) == checkpoints(6)
        for epochs in checkpoints(6):
            assert np.all(row[f"linear_{epochs}"] <= row[f"patterns_{epochs}"])
            most = architecture(row.facts["network"]).bounds()["at_most"]
            assert np.all(row[f"patterns_{epochs}"] <= most)


def test_pictures_are_of_the_networks_that_were_counted(result: Result) -> None:
    for row in result.verdict_rows():
        for epochs in checkpoints(6):
            drawn = picture(result, row, f"{epochs} ")
            assert drawn.linear_count == row[f"linear_{epochs}"][0]
            assert drawn.count == row[f"patterns_{epochs}"][0]


def test_a_row_depends_on_its_own_seeds_only(result: Result) -> None:
    alone = run_small(experiment, **SMALL | {"seeds": 1, "seed": 1, "depths": (2,)})
    one, two = alone["2 layers of 6"], result["2 layers of 6"]
    for name in ("linear_0", "patterns_6", "grid", "test_accuracy"):
        assert one[name][0] == two[name][1], name


def made_up(before: float, few: float, many: float, deep_rate: bool = True) -> Result:
    """Six networks of one layer and of four, with so many regions after training."""
    spread = 1 + 0.02 * np.linspace(-1, 1, 6)
    rows = []
    for name, depth, after in (("64", 1, few), ("16x4", 4, many)):
        found = {"linear_0": before * spread, "linear_600": after * spread}
        found |= {"patterns_0": found["linear_0"], "patterns_600": found["linear_600"] + 1}
        found |= {"grid": found["patterns_600"] * 0.5}
        facts = {"network": name, "depth": depth}
        rows.append(Row(architecture(name).words, facts, tuple(range(6)), found))
    return Result(resolve(Settings, {}), rows)


def verdicts(result: Result) -> list[str]:
    return [each.name for each in judge(experiment.claims(result))]


def test_what_is_claimed_of_training() -> None:
    facts = ["holds", "holds", "fails", "fails", "holds"]
    assert verdicts(made_up(1000, 1000, 2000)) == ["equivalent", "supported", "supported", *facts]
    found = verdicts(made_up(1000, 1500, 700))
    assert found == ["equivalent", "contradicted", "contradicted", *facts]
    above = verdicts(made_up(1000, 3000, 3000))
    assert above[3:5] == ["fails", "fails"]
    alike = made_up(1000, 1000, 2000)
    for row in alike.rows:
        row.measures["patterns_600"] = row.measures["grid"] = row.measures["linear_600"]
    assert verdicts(alike)[5:7] == ["not tested", "not tested"]


def test_the_search_finds_more_than_random_networks_have_and_stays_within_the_bound(
    comparison: Result,
) -> None:
    wide, deep = (comparison[f"{name}, best found"] for name in ("1 layer of 3", "3 layers of 2"))
    assert wide["linear"][0] == 7
    random = comparison["3 layers of 2, random"]
    assert random["linear"].max() < deep["linear"][0] <= architecture("2x3").bounds()["at_most"]
    model = mlp([2, 2, 2, 2, 1], dtype="float64")
    model.load_state_dict(deep.arrays)
    found = plane_regions(model, plane(comparison.settings.window))
    assert found.linear_count == deep["linear"][0]


def test_what_is_claimed_of_a_comparison(comparison: Result) -> None:
    told = replace(comparison, settings=replace(comparison.settings, quick=False))
    by_sentence = {each.claim.sentence: each.name for each in judge(experiment.claims(told))}
    assert by_sentence["Networks 3 have up to 7 linear regions"] == "holds"
    assert by_sentence["Networks 2x3 have up to 64 linear regions"] == "fails"
    assert "A network 2x3 has about 2^3 = 8 linear regions" in by_sentence
    assert by_sentence["2x3 makes 9.1 times as many regions as 3"] == "fails"
    first = replace(told, rows=told.rows[:2])
    assert len(experiment.claims(first)) == 1


def test_close_up_of_a_network_without_corners_is_the_window() -> None:
    model = random_networks([2, 1, 1], 0, 1, bias_deviation=0)
    assert close_up(mosaic(model, plane(SQUARE), 0), SQUARE) == SQUARE


def test_tables_figures_and_the_moving_picture(
    result: Result, comparison: Result, tmp_path: Path
) -> None:
    tried = {name: replace(each, scores=np.zeros((1, 5))) for name, each in result.tuned.items()}
    swept = replace(result, tuned=tried)
    assert "learning-rates" in experiment.figures(swept)
    for each in (result, comparison, swept, Result(result.settings)):
        for table in experiment.tables(each):
            assert all(len(row) == len(table.headings) for row in table.rows)
        for draw in experiment.figures(each).values():
            draw()
    animate(result, tmp_path / "regions.gif")
    assert (tmp_path / "regions.gif").read_bytes().startswith(b"GIF")
    assert list(experiment.files(result)) == ["regions.gif"]
    quiet = replace(result, settings=quick_settings(experiment, **SMALL))
    assert not experiment.files(quiet)

"""`scratchnet regions`: architectures, counts, mosaics, the search, what is said, the command."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scratchnet.backends import InputError
from scratchnet.demos.command_line import main
from scratchnet.demos.mosaic import mosaic
from scratchnet.demos.random_networks import random_networks
from scratchnet.demos.regions import compare as regions_compare
from scratchnet.demos.regions.command import plot, record, report, run
from scratchnet.demos.regions.experiment import Result
from scratchnet.demos.regions.figures import close_up
from scratchnet.demos.regions.report import compared, sentences
from scratchnet.demos.regions.settings import (
    Architecture,
    CompareSettings,
    Settings,
    architecture,
    plane,
    spread,
    window,
)
from scratchnet.demos.results import to_json
from scratchnet.depth.regions import plane_regions

SMALL = Settings(shown=Architecture((6, 6)), depths=(1, 2), epochs=6, points=40, seeds=2)
SQUARE = (-1.0, 1.0, -1.0, 1.0)


@pytest.fixture(scope="module")
def result() -> Result:
    return run(SMALL)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("8", (8,)), ("2x4", (2, 2, 2, 2)), ("16x2,8", (16, 16, 8)), (" 5 , 3x1 ", (5, 3))],
)
def test_architectures_are_read(text: str, hidden: tuple[int, ...]) -> None:
    assert architecture("--network", text).hidden == hidden


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_an_architecture_is_read_back_from_its_name(hidden: list[int]) -> None:
    each = Architecture(tuple(hidden))
    assert architecture("--network", str(each)) == each


@pytest.mark.parametrize("text", ["", "0", "2x0", "x4", "4x", "2x4x2", "8,,8", "-3", "a", "2.5"])
def test_other_texts_are_no_architecture(text: str) -> None:
    with pytest.raises(InputError, match=r"^--network .*2x4 \(four layers of 2\)"):
        architecture("--network", text)


@pytest.mark.parametrize("text", ["257", "16x17", "1x33", "999999"])
def test_architectures_that_would_take_too_long_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected at most"):
        architecture("--network", text)


@given(st.integers(1, 64), st.integers(1, 16))
def test_neurons_are_spread_evenly(neurons: int, layers: int) -> None:
    if layers <= neurons:
        hidden = spread(neurons, layers).hidden
        assert sum(hidden) == neurons and len(hidden) == layers
        assert max(hidden) - min(hidden) <= 1


@pytest.mark.parametrize(
    "text", ["1,1,0,1", "0,1,1,0", "0,1,0", "0,1,0,1,2", "0,1,0,nan", "0,inf,0,1", "a,b,c,d", ""]
)
def test_windows_without_area_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="^--window .*left < right"):
        window("--window", text)


def test_the_textbook_example_has_bounds_37_256_and_85() -> None:
    wide, deep = Architecture((8,)).bounds(), Architecture((2, 2, 2, 2)).bounds()
    assert wide["at_most"] == wide["textbook"] == 37
    assert (deep["textbook"], deep["at_most"], deep["one_layer"]) == (256, 85, 37)
    fair = Architecture((4, 4, 4)).bounds()
    assert fair["at_most"] == fair["textbook"] == 1331
    assert Architecture((8, 1)).bounds()["at_least"] is None


def test_close_up_of_a_network_without_corners_is_the_window() -> None:
    model = random_networks([2, 1, 1], 0, 1, bias_deviation=0)
    shown = mosaic(model, plane(SQUARE), 0)
    assert close_up(shown, SQUARE) == SQUARE


def test_random_networks_repeat_and_zero_biases_make_sectors() -> None:
    many, one = random_networks([2, 8, 1], 3, 2), random_networks([2, 8, 1], 4, 1)
    for name, values in one.state_dict(0).items():
        assert np.array_equal(values, many.state_dict(1)[name])
    fan = random_networks([2, 8, 1], 0, 1, bias_deviation=0)
    assert plane_regions(fan, plane(SQUARE), 0).count == 16


def test_counts_are_those_of_the_grid_and_within_the_bounds(result: Result) -> None:
    for row in result.rows:
        assert row.grid.unknown == 0
        assert 0.5 * row.grid.exact < row.grid.seen <= row.grid.exact == row.after.count[0]
        for each in row.checkpoints:
            assert each.count.shape == each.linear_count.shape == (2,)
            assert np.all(each.linear_count <= each.count)
            assert np.all(each.count <= row.architecture.bounds()["at_most"])
    assert [each.epochs for each in result.shown.checkpoints] == SMALL.checkpoints()


def test_a_row_depends_on_its_own_seeds_only(result: Result) -> None:
    alone = run(Settings(**{**vars(SMALL), "depths": (2,), "seed": 1, "seeds": 1}))
    assert alone.rows[0].after.count.tolist() == result.rows[1].after.count[1:].tolist()


def test_a_difference_needs_an_interval_that_excludes_zero() -> None:
    assert compared(np.array([5, 6, 7]), np.array([1, 2, 3])) == "more regions"
    assert compared(np.array([1, 2, 3]), np.array([5, 6, 8])) == "fewer regions"
    assert compared(np.array([1, 9]), np.array([2, 3])) == "no clear difference"
    assert compared(np.array([5]), np.array([1])) == ""


def with_counts(result: Result, means: list[int]) -> Result:
    """The run with these linear and activation regions at the shown network's checkpoints."""
    checkpoints = tuple(
        dataclasses.replace(
            result.shown.checkpoints[0],
            epochs=epochs,
            count=np.array([mean, mean + 1]),
            linear_count=np.array([mean, mean + 1]),
        )
        for epochs, mean in enumerate(means)
    )
    row = dataclasses.replace(result.shown, checkpoints=checkpoints)
    rows = tuple(row if each is result.shown else each for each in result.rows)
    return dataclasses.replace(result, rows=rows)


@pytest.mark.parametrize(
    ("means", "said"),
    [([50, 20, 60], True), ([50, 40, 30], False), ([20, 50, 60], False)],
)
def test_fewer_on_the_way_are_fewer_than_at_the_end_too(
    result: Result, means: list[int], said: bool
) -> None:
    lines = sentences(with_counts(result, means))
    assert any(line.startswith("On the way there are fewer") for line in lines) == said


def test_a_network_that_nearly_has_the_best_count_is_not_said_to_be_far(result: Result) -> None:
    near = " ".join(sentences(with_counts(result, [100, 196])))
    assert "the most counted is 197, where 198 are possible" in near and "came near" not in near
    assert "are possible" not in " ".join(sentences(with_counts(result, [100, 197])))


def test_regions_that_only_the_grid_sees_are_those_of_all_architectures(result: Result) -> None:
    grid = dataclasses.replace(result.rows[0].grid, unknown=3)
    rows = (dataclasses.replace(result.rows[0], grid=grid), *result.rows[1:])
    said = " ".join(sentences(dataclasses.replace(result, rows=rows)))
    assert (
        "3 of those that are seen are missing from the exact ones, of all 2 architectures" in said
    )


def test_report_fits_80_columns_and_figures_are_drawn(result: Result) -> None:
    console = Console(file=io.StringIO(), width=80)
    report(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert set(plot(result)) == {"mosaic", "counts", "depths"}
    row = json.loads(to_json(record(result)))["rows"][1]
    assert row["hidden"] == [6, 6] and len(row["checkpoints"][0]["linear_regions"]) == 2


def test_one_seed_claims_no_difference() -> None:
    said = " ".join(sentences(run(Settings(**{**vars(SMALL), "seeds": 1}))))
    assert "no difference is claimed" in said
    assert "±" not in said and "fewer regions" not in said and "more regions" not in said


def test_interruption_keeps_the_architectures_that_were_finished() -> None:
    def stop(steps: float = 1, note: str = "") -> None:
        if note == "6x2":
            raise KeyboardInterrupt

    stopped = run(SMALL, stop)
    assert stopped.interrupted and [str(row.architecture) for row in stopped.rows] == ["12"]
    assert "finished are 12." in " ".join(sentences(stopped))
    report(stopped, Console(file=io.StringIO()))
    assert set(plot(stopped)) == {"mosaic", "counts"}


def test_the_search_finds_more_than_random_networks_have_and_stays_within_the_bound() -> None:
    both = (architecture("--compare", "3"), architecture("--compare", "2x3"))
    comparison = regions_compare.run(CompareSettings(both, networks=20, search_steps=200))
    wide, deep = comparison.rows
    assert wide.best.linear_count == 7 and wide.search_steps <= 200
    assert deep.linear_count.max() < deep.best.linear_count <= deep.architecture.bounds()["at_most"]
    model = random_networks(deep.architecture.widths, 0, 1)
    model.load_state_dict(
        {name: each.reshape(model.state_dict()[name].shape)
         for name, each in deep.best_weights.items()}
    )  # fmt: skip
    found = plane_regions(model, plane(comparison.settings.extent), 0)
    assert found.linear_count == deep.best.linear_count


def test_compare_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--compare", "8", "2x4", "--seeds", "8", "--search", "20", "--json"]
    assert main(["regions", *arguments, "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    written = json.loads(out)
    assert [row["bounds"]["at_most"] for row in written["rows"]] == [37, 85]
    assert "the textbook's bound is 256, but no such network has more than 85" in " ".join(
        err.split()
    )
    assert {path.name for path in tmp_path.iterdir()} == {"compare.png", "result.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "1,1,0,1"], "--window '1,1,0,1': expected four numbers"),
        (["--network", "2xx4"], "--network '2xx4': expected widths"),
        (["--compare", "8", "0"], "--compare '0': expected widths"),
        (["--compare", "8", "2x4", "--network", "4"], "--network: has no meaning with --compare"),
        (["--search", "5"], "--search: has no meaning"),
        (["--depths", "0"], "--depths '0': expected whole numbers"),
        (["--depths", "33"], "--depths 33: expected at most 32"),
        (["--network", "4", "--depths", "8"], "--depths 8: expected at most as many layers"),
        (["--bias", "-1"], "--bias '-1': expected a number from 0"),
        (["--compare", "8"], "--compare"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["regions", "--out", str(tmp_path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err
    assert not list(tmp_path.iterdir())

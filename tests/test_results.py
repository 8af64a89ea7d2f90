"""What a run leaves behind, and its statistics."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pty
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.demos import results
from scratchnet.demos.figures import mean_interval, new_figure, png
from scratchnet.demos.verdicts import wilson_interval
from scratchnet.files import write_atomically


@dataclasses.dataclass(frozen=True)
class Row:
    depth: int
    accuracy: Any


def test_a_record_becomes_plain_json() -> None:
    record = {
        "rows": [Row(np.int64(2), np.array([[0.5, np.nan]])), Row(1, np.float32(-np.inf))],
        1: (True, np.bool_(False), None),
        "out": Path("a/b"),
        "nothing": math.nan,
    }

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    assert json.loads(results.to_json(record), parse_constant=refuse) == {
        "rows": [{"depth": 2, "accuracy": [[0.5, None]]}, {"depth": 1, "accuracy": None}],
        "1": [True, False, None],
        "out": "a/b",
        "nothing": None,
    }


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        results.to_json({"x": object()})


def test_a_list_of_numbers_is_a_line_and_texts_stay_as_they_are() -> None:
    record = {"a": [1.5, None], "b": [["x [\n1 ]", "  "], []], "c": [{"d": "[\\n  2 ]"}]}
    text = results.to_json(record)
    assert json.loads(text) == record
    assert '"a": [ 1.5, null ],' in text


def test_a_failing_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="space"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["result.json"]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_what_is_written_to_a_terminal_that_is_closed_goes_nowhere() -> None:
    terminal, ours = pty.openpty()
    os.close(terminal)
    with open(ours, "w") as stream:
        results.write(stream, "one line\n")
        results.write(stream, "and another\n")


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    write_atomically(tmp_path / "written", b"")
    (tmp_path / "usual").touch()
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_folder_that_can_be_made_passes_and_is_not_made(tmp_path: Path) -> None:
    results.check_writable(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("below", [".", "runs/spiral"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="--out .*file is a file"):
        results.check_writable(tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unwritable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match="--out .*Permission denied"):
        results.check_writable(tmp_path)


def test_the_environment_is_plain_and_dated_in_utc() -> None:
    environment = results.environment("numpy")
    assert json.loads(results.to_json(environment)) == environment
    assert environment["numpy"] == np.__version__
    assert environment["date"].endswith("+00:00")
    assert environment["backend"] == "numpy"


def test_the_same_figure_is_the_same_file() -> None:
    def draw() -> bytes:
        figure, axes = new_figure(width=2, height=2)
        axes.plot([0, 1], [1, 0])
        return png(figure)

    first = draw()
    assert first == draw()
    assert b"tEXt" not in first


def test_interval_against_a_case_worked_out_by_hand() -> None:
    # s = √(5/3), t(0.975, 3) = 3.182446, so the half-width is 3.182446 · √(5/3) / √4.
    assert mean_interval([1, 2, 3, 4]) == pytest.approx((2.5, 2.054260), abs=1e-6)


numbers = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(numbers, numbers)
def test_two_values_have_the_interval_of_the_cauchy_distribution(a: float, b: float) -> None:
    # One degree of freedom: t(0.975, 1) = tan(0.475 π), and s / √2 = |a − b| / 2.
    half = math.tan(0.475 * math.pi) * abs(a - b) / 2
    assert mean_interval([a, b])[1] == pytest.approx(half, rel=1e-6, abs=1e-6)


def test_95_of_100_intervals_hold_the_true_mean() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 5))
    intervals = [mean_interval(row) for row in draws]
    held = np.mean([abs(mean - 3.0) <= half for mean, half in intervals])
    assert 0.935 < held < 0.965


def test_one_value_has_no_interval_and_diverged_runs_are_left_out() -> None:
    assert mean_interval([0.5]) == mean_interval([0.5, np.nan, np.inf]) == (0.5, 0.0)
    assert np.isnan(mean_interval([])).all()


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        # By hand: z² / (n + z²) = 3.841459 / 13.841459 is cut off on the other side.
        (10, 10, (0.722467, 1.0)),
    ],
)
def test_interval_of_a_fraction(successes: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(successes, n) == pytest.approx(expected, abs=6e-5)


def test_interval_of_no_fraction_is_refused() -> None:
    for successes, n in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(InputError, match=f"{successes} of {n}"):
            wilson_interval(successes, n)

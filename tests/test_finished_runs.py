"""A finished run is never lost: to a closed pipe, a bad figure, a signal or a narrow terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scratchnet.demos import results
from scratchnet.demos.command_line import main
from scratchnet.demos.figures import new_figure
from scratchnet.demos.tables import new_table
from scratchnet.demos.terminal import console_for, fits, row_by_row

COMMAND = [sys.executable, "-m", "scratchnet"]
SAWTOOTH = ["sawtooth", "--quick"]


def started(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_a_reader_that_goes_away_loses_nothing(tmp_path: Path) -> None:
    process = started([*SAWTOOTH, "--out", str(tmp_path)])
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 0, errors
    assert "Traceback" not in errors
    assert json.loads((tmp_path / "result.json").read_text())["rows"]
    assert list(tmp_path.glob("*.png"))


def test_the_users_matplotlib_decides_nothing(tmp_path: Path) -> None:
    rc = tmp_path / "matplotlibrc"
    rc.write_text("text.usetex: True\n")
    out = tmp_path / "out"
    process = started(
        [*SAWTOOTH, "--out", str(out)], MPLBACKEND="no such backend", MATPLOTLIBRC=str(rc)
    )
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert list(out.glob("*.png"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no fonts")])
def test_numbers_and_report_outlive_a_figure_that_fails(
    tmp_path: Path, error: BaseException
) -> None:
    printed = []

    def plot() -> Mapping[str, Any]:
        assert (tmp_path / "result.json").exists()
        raise error

    with pytest.raises(type(error)):
        results.deliver(
            tmp_path, {"rows": [1]}, plot, lambda: printed.append("report"), Console(quiet=True)
        )
    assert printed == ["report"]
    assert json.loads((tmp_path / "result.json").read_text()) == {"rows": [1]}


def test_numbers_and_figures_are_saved_before_the_report_is_printed(tmp_path: Path) -> None:
    def report() -> None:
        assert sorted(os.listdir(tmp_path)) == ["picture.png", "result.json"]
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        results.deliver(
            tmp_path, {}, lambda: {"picture": new_figure()[0]}, report, Console(quiet=True)
        )


def test_a_link_to_nowhere_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").symlink_to(tmp_path / "gone")
    assert main([*SAWTOOTH, "--out", str(tmp_path / "runs" / "sawtooth")]) == 2
    assert "is a link to" in capsys.readouterr().err


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([*SAWTOOTH, "--out=~/here"]) == 0
    assert (tmp_path / "here" / "result.json").exists()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_in_one_line_whenever_it_comes(ending: signal.Signals) -> None:
    # Python reports what it imports on stderr; the signal comes while that goes on.
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], "lottery", "--seeds", "3"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "scratchnet.backends.errors" in line:
                process.send_signal(ending)
                break
        lines = [line for line in process.stderr if not line.startswith("import time:")]
    assert process.returncode == 130
    assert lines == ["scratchnet: interrupted\n"]


@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        ("lottery --seeds 1000000000", "10,000"),
        ("lottery --width 99999999999999999999", "10,000"),
        ("spiral --seeds 1000000000", "10,000"),
    ],
)
def test_a_number_beyond_all_use_is_refused_at_once(
    arguments: str, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert limit in error and error.count("\n") == 1


@pytest.mark.parametrize("columns", ["0", "40", "60", "79"])
def test_names_of_commands_are_never_cut(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main([]) == 0
    assert "fractal-gradients" in capsys.readouterr().out


def test_a_table_that_is_too_wide_is_printed_row_by_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = new_table("depth", "accuracy\nin percent", "parameters", "seconds")
    table.add_row("12", "99.87 ± 0.12", "123,456,789", "1,234.5")
    monkeypatch.setenv("COLUMNS", "34")
    console = console_for()
    assert not fits(table, console) and fits(row_by_row(table), console)
    console.print(table)
    text = capsys.readouterr().out
    for each in ("12", "99.87 ± 0.12", "123,456,789", "accuracy in percent"):
        assert each in text


def test_the_version_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("scratchnet ")

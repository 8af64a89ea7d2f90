"""Runs and what surrounds them: folders, signals, numbers beyond all use, narrow terminals."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scratchnet.demos.command_line import main
from scratchnet.demos.screen import Screen, Table, print_table

SAWTOOTH = ["sawtooth", "--quick", "--depth", "2", "--seeds", "2"]


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
    command = [sys.executable, "-X", "importtime", "-m", "scratchnet", "lottery", "--seeds", "3"]
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
    cells = ("12", "99.87 ± 0.12", "123,456,789", "1,234.5")
    table = Table(("depth", "accuracy\nin percent", "parameters", "seconds"), [cells])
    for columns, lines in ((50, 6), (34, 4)):
        monkeypatch.setenv("COLUMNS", str(columns))
        print_table(table, Screen())
        text = capsys.readouterr().out
        assert len(text.splitlines()) == lines
        assert all(cell in text for cell in cells)
    assert "accuracy in percent: 99.87" in text


def test_the_version_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("scratchnet ")

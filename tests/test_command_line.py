"""The command line: bad input gives one line and status 2, and nothing is imported early."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import types
import warnings
from typing import Any

import pytest

from scratchnet.backends.errors import InputError
from scratchnet.demos import registry
from scratchnet.demos.backends import command as backends
from scratchnet.demos.command_line import main


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a function of the arguments the demo `fake`."""
    known = registry.entries()

    def add(entry: Any) -> None:
        fake = types.SimpleNamespace(main=entry, summary="A stand-in.")
        monkeypatch.setattr(registry, "entries", lambda: {**known, "fake": fake})

    return add


def test_arguments_and_status_are_those_of_the_demo(register: Any) -> None:
    seen: list[Any] = []
    register(lambda arguments: seen.append(arguments) or 7)
    assert main(["fake", "--depths", "4, 2", "--seed=3"]) == 7
    assert seen == [["--depths", "4, 2", "--seed=3"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sprial"], ["demo", "'sprial'", "backprop", "did you mean 'spiral'"]),
        (["--seeds", "3"], ["'--seeds'", "--help", "--version"]),
        (["--versoin"], ["did you mean '--version'"]),
        (["spiral", "--seads", "3"], ["'--seads'", "--depths", "did you mean '--seeds'"]),
        (["spiral", "-z"], ["'-z'", "--depths"]),
        (["backends", "--seeds", "3"], ["'--seeds'", "--json"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for part in expected:
        assert part in captured.err


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (InputError("width 0:\nexpected 1 or more"), 2, "width 0: expected 1 or more"),
        (OSError(28, "No space left on device", "x/result.json"), 2, "x/result.json: No space"),
        (MemoryError("Unable to allocate 3 TiB"), 2, "3 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_of_a_demo_are_one_line(
    register: Any,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    expected: str,
) -> None:
    def failing(arguments: Any) -> int:
        raise error

    register(failing)
    assert main(["fake"]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_a_warning_is_one_line(register: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def warning(arguments: Any) -> int:
        warnings.warn("network 3 diverged", RuntimeWarning, stacklevel=1)
        return 0

    register(warning)
    with pytest.warns() as outer:
        warnings.warn("an outer warning still arrives", UserWarning, stacklevel=1)
        assert main(["fake"]) == 0
    assert capsys.readouterr().err == "scratchnet: warning: network 3 diverged\n"
    assert len(outer) == 1


def test_a_mistake_in_the_program_is_not_hidden(register: Any) -> None:
    def broken(arguments: Any) -> int:
        raise ValueError("a bug")

    register(broken)
    with pytest.raises(ValueError, match="a bug"):
        main(["fake"])


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_demos_are_listed(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for name, entry in registry.entries().items():
        assert name in out and entry.summary in out
    assert "scratchnet backprop" in out and "scratchnet --version" in out
    assert "backends" in out


@pytest.mark.parametrize("name", registry.entries())
def test_every_demo_lists_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("-h", "--help"):
        assert main([name, word]) == 0
        out = capsys.readouterr().out
        assert f"Usage: scratchnet {name} " in out and "--json" in out


NEGATIVE = {
    "--no-record": "Compute each training step anew",
    "--no-learn": "Train no networks",
    "--no-browser": "Print the URL, and open no browser",
}
"""What these options do, not what they keep from being done."""


@pytest.mark.parametrize("name", registry.entries())
def test_an_option_that_begins_with_no_is_described_by_what_it_does(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([name, "--help"]) == 0
    for line in capsys.readouterr().out.splitlines():
        option, _, sentence = line.partition(" ")
        if option.startswith("--no-"):
            assert sentence.strip().startswith(NEGATIVE[option])


def test_help_imports_no_demo_and_no_heavy_library() -> None:
    program = (
        "import sys; from scratchnet.demos.command_line import main; main(['--help']);"
        "heavy = {'matplotlib', 'scipy', 'cupy', 'rich.markdown', 'scratchnet.demos.tuning'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stderr == "[]\n"
    assert "spiral" in run.stdout


def test_the_process_exits_with_the_status_of_main() -> None:
    program = "import sys; from scratchnet.demos.command_line import main; sys.exit(main())"
    run = subprocess.run([sys.executable, "-c", program, "sprial"], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("scratchnet: unknown demo 'sprial'")
    assert len(run.stderr.splitlines()) == 1


def test_a_character_that_the_terminal_cannot_show_is_replaced(
    register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    register(lambda arguments: print("±", flush=True) or 0)
    assert main(["fake"]) == 0
    assert written.getvalue() == b"?\n"


@pytest.mark.parametrize("arguments", [[], ["--version"], ["backends"], ["claims", "--json"]])
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    """As with `| head -1`; also where the text is longer than a pipe holds."""
    command = [sys.executable, "-m", "scratchnet", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")


def test_backends_names_the_device_and_why_one_does_not_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numpy = {"works": True, "device": "a processor", "blas": "some BLAS", "kernel": "SkylakeX"}
    described = {
        "numpy": {**numpy, "threads": 2},
        "cupy": {"works": False, "reason": "no CUDA device"},
    }
    monkeypatch.setattr(backends, "describe_backends", lambda: described)
    assert main(["backends"]) == 0
    out = capsys.readouterr().out
    for part in (
        "numpy",
        "a processor",
        "some BLAS",
        "SkylakeX",
        "2",
        "no CUDA device",
    ):
        assert part in out
    assert main(["backends", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == described


def test_backends_warns_of_a_forced_kernel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "A=B forces an older kernel"
    monkeypatch.setattr("scratchnet.backends.blas.forced_older_kernel", lambda: line)
    for arguments in (["backends"], ["backends", "--json"]):
        assert main(arguments) == 0
        captured = capsys.readouterr()
        assert captured.err == f"scratchnet: warning: {line}\n" and line not in captured.out


def test_backends_as_they_are_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert described["numpy"]["works"]
    assert all(facts["works"] or facts["reason"] for facts in described.values())

"""The command line: bad input gives one line and status 2, and nothing is imported early."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer

from scratchnet import program
from scratchnet.backends.errors import InputError
from scratchnet.demos import command_line, options
from scratchnet.demos.command_line import DEMOS, main


def command(
    depths: Annotated[str, typer.Option("--depths", help="Hidden layers.")] = "1,2",
    noise: Annotated[float, typer.Option("--noise", min=0.0, max=1.0)] = 0.1,
    width: Annotated[int | None, typer.Option("--width", max=64)] = None,
    turns: float = 2.0,
    optimizer: Annotated[Literal["sgd", "adam"], typer.Option("--optimizer")] = "sgd",
    init: Annotated[Literal["normal", "uniform"] | None, typer.Option("--init")] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: options.Seeds = 10,
    quick: options.Quick = False,
    out: options.Out = Path("runs/fake"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Pretend to train."""
    chosen = options.positive_integers("--depths", depths)
    print(chosen, noise, optimizer, backend, seed, seeds, quick, out, json, show)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a function the demo `fake`."""

    def add(entry: Any) -> None:
        module: Any = types.ModuleType("fake_demo")
        module.command = entry
        monkeypatch.setitem(sys.modules, "fake_demo", module)
        monkeypatch.setitem(DEMOS, "fake", ("fake_demo", "A stand-in."))

    add(command)
    return add


def test_options_reach_the_demo(register: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fake", "--depths", "4, 2", "--seed=3", "--noise", "0", "--quick"]) == 0
    assert capsys.readouterr().out.split() == (
        "(4, 2) 0.0 sgd auto 3 10 True runs/fake False False".split()
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fkae"], ["demo", "'fkae'", "backprop", "spiral", "did you mean 'fake'"]),
        (["fake", "--init", "unifrom"], ["--init", "'unifrom'", "did you mean 'uniform'"]),
        (["fake", "--seads", "3"], ["'--seads'", "--depths", "did you mean '--seeds'"]),
        (["fake", "-z"], ["'-z'", "--depths"]),
        (["--seeds", "3"], ["'--seeds'", "--help"]),
        (["fake", "--seeds", "three"], ["--seeds", "'three'", "whole number from 1 to 10,000"]),
        (["fake", "--seeds", "0"], ["--seeds", "'0'", "from 1 to 10,000"]),
        (["fake", "--seeds=0"], ["--seeds", "'0'", "from 1 to 10,000"]),
        (["fake", "--seeds", "1.5"], ["--seeds", "'1.5'", "whole number"]),
        (["fake", "--seed", "-1"], ["--seed", "'-1'", "whole number from 0 to"]),
        (["fake", "--seed", "5", "--seed", "x"], ["--seed", "'x'", "whole number"]),
        (["fake", "--noise", "2"], ["--noise", "'2'", "a number from 0.0 to 1.0"]),
        (["fake", "--width", "65"], ["--width", "'65'", "a whole number of at most 64"]),
        (["fake", "--turns", "two"], ["--turns", "'two'", "expected a number"]),
        (["fake", "--optimizer", "adm"], ["--optimizer", "'adm'", "sgd, adam", "mean 'adam'"]),
        (["fake", "--backend", "numpi"], ["--backend", "'numpi'", "mean 'numpy'"]),
        (["fake", "--depths", "1,x"], ["--depths", "'1,x'", "1,2,4,8"]),
        (["fake", "--seeds"], ["--seeds"]),
        (["fake", "--quick=3"], ["--quick", "does not take a value"]),
        (["fake", "extra"], ["extra", "fake --help"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    register: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]
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
    def failing() -> None:
        raise error

    register(failing)
    assert main(["fake"]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_a_warning_is_one_line(register: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def warning() -> None:
        warnings.warn("network 3 diverged", RuntimeWarning, stacklevel=1)

    register(warning)
    with pytest.warns() as outer:
        warnings.warn("an outer warning still arrives", UserWarning, stacklevel=1)
        assert main(["fake"]) == 0
    assert capsys.readouterr().err == "scratchnet: warning: network 3 diverged\n"
    assert len(outer) == 1


def test_a_mistake_in_the_program_is_not_hidden(register: Any) -> None:
    def broken() -> None:
        raise ValueError("a bug")

    register(broken)
    with pytest.raises(ValueError, match="a bug"):
        main(["fake"])


def test_without_arguments_the_demos_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    for name, (_, sentence) in DEMOS.items():
        assert name in out
        assert sentence in out
    assert "scratchnet backprop" in out
    assert "backends" in out


def test_help_lists_demos_whole_and_a_demo_lists_its_options(
    register: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(sentence in out for _, sentence in DEMOS.values())
    assert main(["fake", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Pretend to train." in out
    assert "--depths" in out


def test_help_imports_no_demo_and_no_heavy_library() -> None:
    program = (
        "import sys; from scratchnet.demos.command_line import DEMOS, main; main(['--help']);"
        "heavy = {'matplotlib', 'scipy', 'cupy', 'rich.markdown', *(m for m, _ in DEMOS.values())};"
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


def test_a_character_that_the_terminal_cannot_show_is_replaced() -> None:
    program = (
        "import sys, types; from scratchnet.demos import command_line as c;"
        "sys.modules['fake'] = types.SimpleNamespace(command=lambda: print('±'));"
        "c.DEMOS['fake'] = ('fake', ''); sys.exit(c.main(['fake']))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "?\n", "")


def test_backends_names_the_device_and_why_one_does_not_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numpy = {"works": True, "device": "a processor", "blas": "some BLAS", "kernel": "SkylakeX"}
    described = {
        "numpy": {**numpy, "threads": 2},
        "cupy": {"works": False, "reason": "no CUDA device"},
    }
    monkeypatch.setattr(command_line, "describe_backends", lambda: described)
    assert main(["backends"]) == 0
    out = capsys.readouterr().out
    for part in (
        "numpy",
        "a processor",
        "some BLAS",
        "SkylakeX",
        "2",
        "cupy does not work here: no CUDA",
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


@pytest.mark.parametrize("text", ["", "0", "1,,2", "-1", "1.5", "²", "1,2,", "9" * 5000, "2,2"])
def test_positive_integers_refuses(text: str) -> None:
    with pytest.raises(InputError, match="--depths"):
        options.positive_integers("--depths", text)


def test_positive_integers_keeps_the_order() -> None:
    assert options.positive_integers("--depths", "8, 1,02") == (8, 1, 2)


def test_a_demo_that_trains_can_be_run_without_recording(register: Any) -> None:
    """`--no-record` switches it off for the demo's run alone."""
    seen: list[bool] = []

    def training(seeds: options.Seeds = 1) -> None:
        seen.append(not program.is_eager())

    register(training)
    for arguments in (["fake"], ["fake", "--no-record"], ["fake", "--record"]):
        assert main(arguments) == 0
    assert seen == [True, False, True] and not program.is_eager()

"""--compile: one decision for a run, said in a line, stored, and kept by --resume."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, InputError, compiled_step, fit, mlp
from scratchnet.backends import get_backend
from scratchnet.backends.compile import compiler_available
from scratchnet.compiled_step import compiling
from scratchnet.demos import compiling as modes
from scratchnet.demos.compiling import WORTHWHILE, decide
from scratchnet.demos.experiment import Experiment, execute
from scratchnet.demos.running import Run
from scratchnet.demos.settings import Common, resolve
from scratchnet.program import eager

needs_compiler = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

X = np.random.default_rng(0).normal(size=(20, 2))
Y = (X[:, 0] > 0).astype(float)


def settings(folder: Path, **given: Any) -> Any:
    return resolve(Common, {"backend": "numpy", "out": folder, **given})


def train(run: Run) -> None:
    s = run.settings

    def compute(advance: Any) -> Any:
        model = mlp([2, 4, 1], ensemble=s.seeds)
        fit(model, X, Y, optimizer=SGD(model, 0.1), epochs=5, record=s.record)
        return {"loss": model.parameter_buffer[:, 0].astype(float)}, {}

    run.row("one", {}, range(s.seeds), compute)


def experiment(seconds: float) -> Experiment:
    return Experiment(
        "example",
        "Does it train?",
        "a test",
        "numbers",
        Common,
        train,
        tables=lambda result: [],
        seconds=lambda settings: seconds,
    )


def ran(folder: Path, seconds: float = 1.0, **given: Any) -> Any:
    execute(experiment(seconds), settings(folder, **given))
    return json.loads((folder / "result.json").read_text())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is trained by compiled steps from here on."""
    found: list[Any] = []

    class Noted(compiled_step.CompiledTraining):
        def __init__(self, *arguments: Any) -> None:
            found.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr("scratchnet.training.CompiledTraining", Noted)
    return found


@needs_compiler
def test_auto_compiles_long_runs_and_says_so(
    tmp_path: Path, compiled: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    short = ran(tmp_path / "short", WORTHWHILE / 2)
    assert not compiled and short["settings"]["compile"] == "off"
    assert "compiler" not in short["environment"]
    assert "Steps: replayed" in capsys.readouterr().out
    long = ran(tmp_path / "long", WORTHWHILE * 2)
    assert len(compiled) == 1 and long["settings"]["compile"] == "on"
    assert "vectors of" in long["environment"]["compiler"]
    assert "Steps: compiled by" in capsys.readouterr().out


@needs_compiler
def test_on_and_off(tmp_path: Path, compiled: list[Any]) -> None:
    assert ran(tmp_path, compile="on")["settings"]["compile"] == "on" and compiled
    compiled.clear()
    assert ran(tmp_path, 1e6, compile="off")["settings"]["compile"] == "off" and not compiled


@needs_compiler
@pytest.mark.parametrize("first", ["on", "off"])
def test_a_resume_keeps_the_mode_whatever_auto_would_say(
    tmp_path: Path, compiled: list[Any], first: str
) -> None:
    ran(tmp_path, compile=first)
    compiled.clear()
    seconds = 0.0 if first == "on" else 1e6
    # Another number of seeds, so that something is left to train.
    again = ran(tmp_path, seconds, resume=True, seeds=4)
    assert again["settings"]["compile"] == first and bool(compiled) == (first == "on")
    other = {"on": "off", "off": "on"}[first]
    with pytest.raises(InputError, match=f"--compile {other}: must be {first}"):
        ran(tmp_path, resume=True, compile=other)


@needs_compiler
def test_a_resume_with_another_compiler_or_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(tmp_path, compile="on")
    kept = modes.read(tmp_path)
    assert kept is not None
    modes.keep(tmp_path, replace(kept, compiler="g++ 1.0"))
    with pytest.raises(InputError, match="must be that of the run, g.. 1.0; here it is"):
        ran(tmp_path, resume=True)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        InputError, match="--resume of a run with compiled steps: .*no C.. compiler"
    ):
        ran(tmp_path, resume=True)


@pytest.mark.parametrize("content", ["", "[]", '{"compile": 1, "compiler": ""}', "{}"])
def test_a_damaged_note_of_the_mode_decides_nothing(tmp_path: Path, content: str) -> None:
    modes.place(tmp_path).parent.mkdir()
    modes.place(tmp_path).write_text(content)
    assert modes.read(tmp_path) is None


def test_what_cannot_be_compiled_is_refused_or_replayed(tmp_path: Path) -> None:
    k = get_backend("numpy")
    for given, words in (
        ({"record": False}, "--no-record"),
        ({"precision": "bf16"}, "--precision is bf16"),
    ):
        with pytest.raises(InputError, match=f"--compile on: must be off, as {words}"):
            decide(settings(tmp_path, compile="on", **given), k, 1e6)
        mode = decide(settings(tmp_path, **given), k, 1e6)
        assert not mode.compile and words in mode.line


def test_without_a_compiler_auto_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    mode = decide(settings(tmp_path), get_backend("numpy"), 1e6)
    assert not mode.compile and "install" in mode.line


@needs_compiler
def test_inside_a_block_of_compiling_a_fit_compiles_what_it_can(compiled: list[Any]) -> None:
    def trained(**how: Any) -> bool:
        compiled.clear()
        model = mlp([2, 4, 1])
        fit(model, X, Y, optimizer=SGD(model, 0.1), epochs=2, **how)
        return bool(compiled)

    assert not trained()
    with compiling():
        assert trained()
        assert not trained(record=False)
        assert not trained(batch_size=5, accumulate=2)
        with eager():
            assert not trained()
            with pytest.raises(InputError, match="must be recorded"):
                trained(compile=True)
    assert not trained()


def test_ranks_on_gpus_are_not_compiled(tmp_path: Path) -> None:
    gpu: Any = SimpleNamespace(
        name="cupy",
        why_not_compiled=lambda: None,
        compiler=lambda: "nvcc",
        compiled_precisions=("fp32", "tf32"),
    )
    given = {**vars(settings(tmp_path)), "compile": "on"}
    for precision in gpu.compiled_precisions:
        assert decide(
            SimpleNamespace(**given | {"precision": precision}, ranks=1), gpu, 1.0
        ).compile
    with pytest.raises(InputError, match="as --precision is bf16, not fp32 or tf32"):
        decide(SimpleNamespace(**given | {"precision": "bf16"}, ranks=1), gpu, 1.0)
    with pytest.raises(InputError, match="--compile on: must be off, as a CUDA kernel cannot wait"):
        decide(SimpleNamespace(**given, ranks=2), gpu, 1.0)


@needs_compiler
def test_ranks_on_processors_are_compiled(tmp_path: Path) -> None:
    given = {**vars(settings(tmp_path)), "compile": "on"}
    assert decide(SimpleNamespace(**given, ranks=2), get_backend("numpy"), 1.0).compile

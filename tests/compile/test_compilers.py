"""Every compiler that is there makes the same step; clang makes it for arm64 too."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from compiled import compare, record

from scratchnet import SGD, mlp
from scratchnet.backends.compile import build, find_compiler, write_program
from scratchnet.backends.compile.memory import Target

X = np.random.default_rng(0).normal(size=(83, 2))
Y = (X[:, :1] * X[:, 1:] > 0).astype(float)

COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
SETTINGS = {
    "wide": {},
    "many kinds": {"batch_norm": True, "dropout": 0.2, "dtype": "float64", "activation": "tanh"},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_step_by_each_compiler(
    compiler: str, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    assert Path(find_compiler().path).name == compiler
    model = mlp([2, 70, 64, 1], ensemble=2, **SETTINGS[settings])
    calls, outcome, _ = record(SGD(model, 0.1, momentum=0.9), X, Y, clip_norm=0.5)
    compare(model, calls, outcome, float32=1e-4, float64=1e-10)


def for_arm(folder: Path) -> list[str]:
    """clang's command for arm64, with the headers of this machine, which are those of another."""
    clang = shutil.which("clang++")
    if clang is None:
        pytest.skip("no clang++")
    said = subprocess.run(
        [clang, "-E", "-v", "-x", "c++", "/dev/null"], capture_output=True, text=True, check=True
    ).stderr
    listed = said.partition("search starts here:\n#include <...>")[2].partition("End of search")[0]
    # What the C library has for each processor; the C++ library asks for it, and uses nothing.
    (folder / "gnu").mkdir()
    (folder / "gnu" / "stubs.h").touch()
    folders = [str(folder), *(each.strip() for each in listed.splitlines()[1:])]
    include = [part for each in folders for part in ("-isystem", each)]
    command = [clang, "--target=aarch64-linux-gnu", "-mcpu=neoverse-n1", *build._FLAGS, *include]
    command.remove("-shared")
    trial = folder / "trial.cpp"
    trial.write_text("#include <utility>\n")
    if subprocess.run([*command, "-fsyntax-only", str(trial)], capture_output=True).returncode:
        pytest.skip("clang++ has no headers for arm64 here")
    return command


def test_vectors_of_arm64_are_those_that_the_compiler_reports(tmp_path: Path) -> None:
    features = build._output(*for_arm(tmp_path), "-dM", "-E", "-x", "c++", "/dev/null")
    assert build._target(features) == Target(16, 32)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_step_for_arm64(tmp_path: Path, settings: str) -> None:
    """Its products are instructions that multiply and add four or two numbers at once."""
    model = mlp([2, 70, 64, 1], ensemble=2, **SETTINGS[settings])
    calls, outcome, _ = record(SGD(model, 0.1, momentum=0.9), X, Y, clip_norm=0.5)
    command = for_arm(tmp_path)
    text, made = tmp_path / "step.cpp", tmp_path / "step.s"
    text.write_text(write_program(calls, outcome, Target(16, 32)).source)
    subprocess.run([*command, "-S", str(text), "-o", str(made)], check=True)
    lanes = {"float32": "v0.4s", "float64": "v0.2d"}[model.dtype]
    assert made.read_text().count("fmla\t") > 50 and lanes in made.read_text()

"""`scratchnet compile`: listing, phases, source, and what each stage saved."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scratchnet.backends.compile import compiler_available
from scratchnet.backends.cuda_compiler import why_no_compiler
from scratchnet.demos.command_line import main
from scratchnet.demos.compile import experiment

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "SECONDS", 0.001)


def test_every_call_is_listed_and_stands_in_one_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path)
    assert main(["compile", "--sizes", "2,5,1", "--points", "20", "--out", out]) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "result.json").read_text())
    listing, phases = record["extra"]["listing"], record["extra"]["phases"]
    numbers = [int(n) for _, _, calls in phases for n in re.findall(r"(\d+) ", calls + " ")]
    assert sorted(numbers) == list(range(1, len(listing) + 1))
    for line in listing:
        assert line in printed
    source = (tmp_path / "step.cpp").read_text()
    assert source == record["extra"]["source"]
    # Each loop of the step is called with the numbers and names of the calls that it came from.
    for _, _, calls in phases:
        numbers_of = ", ".join(part.split()[0] for part in calls.split(", "))
        assert f"// {numbers_of}: " in source
    rows = {row["arm"]: row for row in record["rows"]}
    assert rows["as Python"]["calls"] > rows["compiled"]["calls"]
    assert rows["as Python"]["bytes"] > rows["recorded"]["bytes"]


def test_batch_normalisation_needs_further_phases(tmp_path: Path) -> None:
    phases = []
    for more in ([], ["--batch-norm"]):
        out = str(tmp_path)
        arguments = ["--sizes", "2,5,1", "--points", "20", "--parts", "phases", "--out", out]
        assert main(["compile", *arguments, *more]) == 0
        record = json.loads((tmp_path / "result.json").read_text())
        phases.append(len({phase for phase, *_ in record["extra"]["phases"]}))
    assert phases[1] > phases[0]


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "--activation", "softer"]) == 2
    assert "must be one of" in capsys.readouterr().err
    assert main(["compile", "--sizes", "3"]) == 2
    assert "--sizes" in capsys.readouterr().err


def test_the_kernel_for_a_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--sizes", "2,4,1", "--points", "20", "--target", "cuda"]
    assert main(["compile", *arguments, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "result.json").read_text())
    source = (tmp_path / "step.cu").read_text()
    assert source == record["extra"]["source"] and "__syncthreads();" in printed
    for _, _, calls in record["extra"]["phases"]:
        numbers_of = ", ".join(part.split()[0] for part in calls.split(", "))
        assert f"// {numbers_of}: " in source
    assert [row["arm"] for row in record["rows"]] == ["sm_80", "sm_90", "sm_100"]
    assert all(row["shared_bytes"] > 0 for row in record["rows"])
    if why_no_compiler() is None:
        assert all(0 < row["registers"] < 256 for row in record["rows"])
    assert "not run" in printed


def test_a_network_too_large_for_a_block_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "--sizes", "2,800,800,1", "--target", "cuda"]) == 2
    assert "of each of 8 blocks: must be at most" in capsys.readouterr().err


def test_a_network_that_a_cluster_trains_has_no_kernel_for_older_gpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--sizes", "2,200,200,1", "--points", "20", "--target", "cuda"]
    assert main(["compile", *arguments, "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "result.json").read_text())
    assert {row["arm"]: row["blocks"] for row in record["rows"]} == {"sm_90": 2, "sm_100": 2}
    assert "on A100 it does not fit a block" in " ".join(capsys.readouterr().out.split())

"""`scratchnet bench --ranks`: the model of an Allreduce, and one small measurement."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from scratchnet.demos.bench.ranks import sum_seconds
from scratchnet.demos.command_line import main


def test_the_model_of_a_sum_over_ranks() -> None:
    assert sum_seconds(1, 1000, 1.0, 1.0) == 0
    # Two messages of half the numbers each.
    assert sum_seconds(2, 1000, 1.0, 4.0) == 2 * (1.0 + 500 * 4 / 4.0)
    assert sum_seconds(8, 1000, 1.0, 1e30) == pytest.approx(6)
    assert sum_seconds(1024, 10**6, 0.0, 1e6) == pytest.approx(2 * (1 - 1 / 1024) * 4)


def test_it_measures_one_rank_and_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")
    sizes = ["--depths", "2", "--widths", "16", "--batches", "64"]
    assert main(["bench", "--ranks", "1,2", "--json", "--out", str(tmp_path), *sizes]) == 0
    record = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "result.json").read_text()) == record
    assert record["settings"]["ranks"] == [1, 2] and record["environment"]["backend"] == "numpy"
    (found,) = record["ranks"]
    assert set(found["measured"]) == {"1", "2"}
    for each in found["measured"].values():
        assert 0 <= each["communication"] < each["seconds"]
    assert found["measured"]["2"]["communication"] > 0
    assert set(found["model"]) == {"2", "8", "64", "1024"}


def test_without_mpi4py_one_line_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["bench", "--ranks", "2"]) == 2
    said = capsys.readouterr().err
    assert "needs mpi4py, which is not installed: pip install -e '.[mpi]'" in said

"""`scratchnet bench --ranks`: the model of an Allreduce, and one small measurement."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from scratchnet.backends import InputError
from scratchnet.demos.bench import ranks as bench_ranks
from scratchnet.demos.bench.cases import Case
from scratchnet.demos.bench.ranks import sum_seconds
from scratchnet.demos.command_line import main
from scratchnet.demos.screen import Screen


def test_the_model_of_a_sum_over_ranks() -> None:
    assert sum_seconds(1, 1000, 1.0, 1.0) == 0
    # Two messages of half the numbers each.
    assert sum_seconds(2, 1000, 1.0, 4.0) == 2 * (1.0 + 500 * 4 / 4.0)
    assert sum_seconds(8, 1000, 1.0, 1e30) == pytest.approx(6)
    assert sum_seconds(1024, 10**6, 0.0, 1e6) == pytest.approx(2 * (1 - 1 / 1024) * 4)


def test_ranks_that_share_a_processor_do_not_give_the_model_its_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_each = {1: (0.8, 0.0, 1e-9), 2: (0.5, 0.1, 1e-5), 3: (0.9, 0.6, 1e-2)}

    def measured(case: Case, ranks: int) -> dict[str, float]:
        names = ("seconds", "communication", "latency")
        return dict(zip(names, of_each[ranks], strict=True)) | {"bandwidth": 1e9}

    monkeypatch.setattr(bench_ranks, "measured", measured)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    case = Case(2, 16, 1000)
    (found,) = bench_ranks.report([case], [1, 2, 3], Screen(False))
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "1 rank: 800" in said
        and "3 ranks: 900.00 ms a step, of which 300.00 computing and 600.00 in sums" in said
    )
    assert "ideal 266.67; they share 2 processors" in said and said.count("they share") == 1
    assert "On paper," in said and "a = 10.0 us, b = 1.00 GB/s as measured between 2 ranks" in said
    total = sum_seconds(8, case.parameters, 1e-5, 1e9)
    assert found["model"][8] == {"sum": total, "points": pytest.approx(total * 8 / 0.8e-3)}


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


REPORT = """
{rule}
prterun noticed that process rank 1 with PID 7 on node vm exited on
signal 9 (Killed).
{rule}
"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (REPORT.format(rule="-" * 74), "rank 1 of 2 was killed, which ends all"),
        ('Traceback:\n  File "x.py"\nValueError: no luck\n\n', "ValueError: no luck"),
        ("ValueError: no luck\nscratchnet: interrupted\n", "ValueError: no luck"),
        ("", "no reason given"),
    ],
)
def test_a_measurement_that_ends_says_why(
    said: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [sys.executable, "-c", f"import sys; sys.stderr.write({said!r}); sys.exit(9)"]
    monkeypatch.setattr(bench_ranks, "launched", lambda *_: (ours, {}))
    with pytest.raises(InputError, match=f"^bench on 2 ranks ended: {reason}$"):
        bench_ranks.measured(Case(2, 4, 8), 2)


def test_more_ranks_than_points_are_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_ranks, "measured", None)
    sizes = ["--depths", "1", "--widths", "4", "--batches", "64,3"]
    assert main(["bench", "--ranks", "1,4", *sizes]) == 2
    said = "scratchnet: --ranks 4: must be at most 3, one for each point\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("ranks", ["1", "1,2"])
def test_without_mpi4py_one_line_says_what_to_install(
    ranks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["bench", "--ranks", ranks, "--out", str(tmp_path)]) == 2
    purpose = {"1": "training on 1 rank", "1,2": "training on 2 ranks"}[ranks]
    said = "needs mpi4py, which is not installed: pip install -e '.[mpi]'"
    assert capsys.readouterr().err == f"scratchnet: {purpose} {said}\n"

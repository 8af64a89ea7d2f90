"""The ledger of claims: its rows, their arithmetic, and the recorded runs that decide them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scratchnet.demos import registry
from scratchnet.demos.claims import arithmetic, command, laws
from scratchnet.demos.claims.ledger import (
    MEASURED,
    SOURCES,
    TRUTHS,
    VERDICTS,
    combined,
    ledger,
    recorded_claims,
)
from scratchnet.demos.command_line import main
from scratchnet.demos.settings import parse, resolve
from scratchnet.demos.verdicts import WORDINGS

COMPUTED = arithmetic.COMPUTED | laws.COMPUTED
CHECKS = (*MEASURED, "arithmetic", "separate measurement", "citation", "argument", "open")
KINDS = (
    *("arithmetic", "theorem", "rule of thumb", "historical table"),
    *("experiment on toy data", "experiment on public data set"),
)


def test_303_rows_that_are_whole() -> None:
    rows = ledger()
    assert len(rows) == 303 and list(rows) == sorted(rows)
    for row in rows.values():
        assert row.source in SOURCES and row.kind in KINDS and row.check in CHECKS
        assert row.verdict in TRUTHS and row.claim.endswith((".", "?"))
        assert row.evidence or row.recorded or row.computed, row.id
        assert row.check != "open" or row.verdict == "not checked"


@pytest.mark.parametrize("number", sorted(COMPUTED))
def test_arithmetic_gives_the_verdict_of_its_row(number: str) -> None:
    verdict, text = COMPUTED[number]()
    assert ledger()[number].check == "arithmetic" and ledger()[number].stated == verdict, text


def test_every_arithmetic_row_is_computed() -> None:
    assert {row.id for row in ledger().values() if row.check == "arithmetic"} == set(COMPUTED)


def test_recorded_claims_decide_measured_rows() -> None:
    for number, claims in recorded_claims().items():
        row = ledger()[number]
        if row.check in MEASURED:
            found = combined([each.verdict for each in claims])
            assert row.stated == row.verdict == found, (number, row.stated, found)


def test_measured_rows_have_a_recorded_claim() -> None:
    assert [row.id for row in ledger().values() if row.check in MEASURED and not row.recorded] == []


RECORDED_BY = {
    "probes-digits": "probes --dataset digits",
    "regions-compare": "regions --compare 8 2x4",
    "spiral-chapter": "spiral --protocol chapter",
    "width-section": "width --compare section --targets nested_sine",
}
"""The commands of recorded runs that are not their experiment's own settings."""


def test_a_decided_row_names_the_commands_that_decide_it() -> None:
    """With the settings of the recorded run, or with a part of them."""
    for row in ledger().values():
        for each in row.recorded if row.check in MEASURED else ():
            wanted = RECORDED_BY.get(each.experiment, each.experiment)
            assert any(line.startswith(wanted) for line in row.commands), (row.id, wanted)


def test_every_text_has_all_its_rows() -> None:
    numbers = [row.id.split("-") for row in ledger().values()]
    for text in {text for text, _ in numbers}:
        own = [int(number) for each, number in numbers if each == text]
        assert own == list(range(1, len(own) + 1))


def test_what_was_measured_too_rarely_has_no_verdict() -> None:
    for row in ledger().values():
        if "too few for a verdict" in row.evidence:
            assert row.check == "separate measurement" and row.verdict == "not checked", row.id


def test_every_command_is_one_that_its_experiment_takes() -> None:
    for row in ledger().values():
        for line in row.commands:
            name, *options = line.split()
            entry = registry.entries()[name]
            if not entry.is_experiment:
                assert not options, line
                continue
            kind = entry.load().settings
            entry.load().check(resolve(kind, {"out": Path("runs"), **parse(kind, options)}))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["supported"], "true"),
        (["holds", "supported", "not tested"], "true"),
        (["contradicted", "fails"], "false"),
        (["supported", "contradicted"], "conditional"),
        (["supported", "undecided"], "conditional"),
        (["undecided", "undecided", "not tested"], "undecided"),
        (["equivalent"], "conditional"),
        (["not tested"], "not checked"),
    ],
)
def test_what_verdicts_make_of_a_row(verdicts: list[str], expected: str) -> None:
    assert combined(verdicts) == expected


def test_every_verdict_has_a_truth() -> None:
    assert set(VERDICTS) == set(WORDINGS) and set(VERDICTS.values()) == set(TRUTHS)


def test_lists_and_rows_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claims"]) == 0
    assert capsys.readouterr().out.startswith("Of 303 claims ")
    assert main(["claims", "--source", "slides", "--verdict", "not-checked"]) == 0
    listed = capsys.readouterr().out
    assert "004-024" in listed and "002-" not in listed
    assert main(["claims", "002-068", "002-084"]) == 0
    shown = capsys.readouterr().out
    assert "0.8^10 = 0.10737" in shown and "scratchnet scaling --predict" in shown
    assert main(["claims", "002-068", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] == "true" and row["id"] == "002-068"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["002-999"], "claim '002-999': must be one of 000-001 to 004-024"),
        (["--kind", "theorm"], "did you mean 'theorem'"),
        (["--source", "slide"], "did you mean 'slides'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", *arguments]) == 2
    line = capsys.readouterr().err
    assert words in line and line.count("\n") == 1


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, int]:
    """Runs of experiments that take no time; the exit status of some, by name."""
    monkeypatch.chdir(tmp_path)
    statuses: dict[str, int] = {}

    def pretend(words: list[str], json_only: bool) -> int:
        statuses.setdefault(words[0], 0)
        folder = tmp_path / words[words.index("--out") + 1]
        folder.mkdir(parents=True)
        claims = [{"ledger": ["004-006"], "verdict": "fails"}] * (words[0] == "fractal")
        (folder / "result.json").write_text(json.dumps({"claims": claims}))
        return statuses[words[0]]

    monkeypatch.setattr(command, "finished", pretend)
    return statuses


def test_a_run_is_held_against_what_is_recorded(
    pretended: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose claims turn out otherwise is shown beside the record."""
    assert main(["claims", "--run", "slides"]) == 0
    assert "fractal" in pretended
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("004-006"))
    assert "false" in line


def test_a_command_that_fails_loses_no_other(
    pretended: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    pretended["sawtooth"] = 3
    assert main(["claims", "--run", "slides", "--json"]) == 3
    assert {"sawtooth", "fractal", "fractal-gradients"} <= set(pretended)
    captured = capsys.readouterr()
    rows = {row["id"]: row["this run"] for row in json.loads(captured.out)}
    assert rows["004-006"] == "false" and "not run" in rows.values()
    assert "scratchnet sawtooth: exit status 3" in captured.err


def test_an_interrupted_run_shows_what_it_has(
    pretended: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    pretended["fractal"] = 130
    assert main(["claims", "--run", "slides"]) == 130
    assert "fractal-gradients" not in pretended
    assert "0 of 7 claims have the recorded verdict" in capsys.readouterr().out


def test_a_row_is_decided_by_its_own_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`lottery --rounds 3`, which 002-139 names, says nothing of 002-074, which does not."""
    monkeypatch.chdir(tmp_path)

    def pretend(words: list[str], json_only: bool) -> int:
        folder = tmp_path / words[words.index("--out") + 1]
        folder.mkdir(parents=True)
        verdict = "equivalent" if "--rounds" in words else "supported"
        claims = [{"ledger": ["002-074", "002-139"], "verdict": verdict}]
        (folder / "result.json").write_text(json.dumps({"claims": claims}))
        return 0

    monkeypatch.setattr(command, "finished", pretend)
    assert main(["claims", "002-074", "002-139", "--run", "textbook", "--json"]) == 0
    rows = {row["id"]: row["this run"] for row in json.loads(capsys.readouterr().out)}
    assert rows == {"002-074": "true", "002-139": "conditional"}


def test_a_run_of_chosen_rows(pretended: dict[str, int]) -> None:
    assert main(["claims", "004-006", "--run", "slides"]) == 0
    assert list(pretended) == ["fractal"]
    assert main(["claims", "004-006", "--run", "course"]) == 2


def test_an_interruption_reaches_the_command_once() -> None:
    """It is not killed while it saves what it has, and no other command is run after it."""
    code = (
        "import sys; from scratchnet.demos.claims import command;"
        "sys.executable = sys.argv[1]; sys.exit(command.finished(['x'], False))"
    )
    script = "trap 'sleep 1; echo saved; exit' INT\nsleep 1; kill -INT $PPID\n"
    script = f"#!/bin/sh\n{script}while :; do sleep 0.1; done\n"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program"
        program.write_text(script)
        program.chmod(0o755)
        words = [sys.executable, "-c", code, str(program)]
        done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "saved\n")

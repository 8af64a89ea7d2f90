"""`scratchnet xor-tree`: the tree, its drawings and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.demos.command_line import main
from scratchnet.demos.experiment import quick_settings, run_small
from scratchnet.demos.running import Result, Run
from scratchnet.demos.verdicts import judge
from scratchnet.demos.xor_tree import experiment as demo
from scratchnet.demos.xor_tree.experiment import claims, drawing, experiment
from scratchnet.demos.xor_tree.figures import signal_places, tree
from scratchnet.depth.circuits import Verification
from scratchnet.depth.gates import RELAY, gate_values
from scratchnet.depth.parity import xor_tree


def run(bits: str | None = None, **fields: Any) -> Result:
    return run_small(experiment, bits=bits, **fields)


@settings(deadline=None, max_examples=20)
@given(st.text("01", min_size=1, max_size=9))
def test_every_signal_is_the_parity_of_its_inputs(bits: str) -> None:
    result = run(bits)
    assert result.extra["output"] == bits.count("1") % 2
    assert result.extra["verification"] == Verification(2 ** len(bits), 0, None)
    for name, value in result.extra["values"].items():
        if found := re.fullmatch(r"x(\d+)(?:-(\d+))?(?:@\d+)?", name):
            first, last = int(found[1]), int(found[2] or found[1])
            assert value == bits[first - 1 : last].count("1") % 2
    names = ["holds"] * (3 if len(bits) > 1 else 1)
    assert [each.name for each in judge(claims(result))] == names
    assert len(result.rows) == result.extra["neurons"] + result.extra["relays"]


@pytest.mark.parametrize("inputs", range(2, 25))
def test_the_drawing_holds_each_gate_once_and_its_lines_are_closed(inputs: int) -> None:
    circuit = xor_tree(inputs)
    assert circuit.wiring is not None
    values = gate_values(circuit.wiring, circuit.model, ("110" * 8)[:inputs])
    lines = drawing(circuit.wiring, values)
    assert inputs > 16 or max(map(len, lines)) <= 80
    for kind in ("OR", "NAND", "AND"):
        shown = re.findall(rf"\b{kind} ([01])", "\n".join(lines))
        gates = [each for level in circuit.wiring.levels for each in level if each.kind == kind]
        assert len(shown) == inputs - 1
        assert shown.count("1") == sum(values[each.name] for each in gates)
    # Whatever reaches to one side meets something that reaches back.
    reach = {each: bits for bits, each in enumerate(demo.JOINTS)}
    cells = {(r, c): each for r, line in enumerate(lines) for c, each in enumerate(line)}
    sides = {demo.UP: (-1, 0, demo.DOWN), demo.RIGHT: (0, 1, demo.LEFT)}
    sides |= {demo.DOWN: (1, 0, demo.UP), demo.LEFT: (0, -1, demo.RIGHT)}
    for (row, column), each in cells.items():
        for side, (down, right, back) in sides.items():
            if each != " " and reach.get(each, 0) & side:
                other = cells.get((row + down, column + right), "")
                assert other == " " or reach.get(other, 0) & back, (row, column, each, other)


def test_the_drawing_of_three_inputs() -> None:
    circuit = xor_tree(3)
    assert circuit.wiring is not None
    values = gate_values(circuit.wiring, circuit.model, "101")
    assert drawing(circuit.wiring, values) == [
        "x1 1 ──┬ OR 1 ────┐",
        "       │          ├ AND 1 ──┬ OR 1 ────┐",
        "x2 0 ──┴ NAND 1 ──┘         │          ├ AND 0",
        "                            ├ NAND 0 ──┘",
        "x3 1 ───────────────────────┘",
    ]


@pytest.mark.parametrize("inputs", [1, 2, 5, 24])
def test_the_figure_holds_each_signal_once(inputs: int) -> None:
    circuit = xor_tree(inputs)
    assert circuit.wiring is not None
    values = gate_values(circuit.wiring, circuit.model, "1" * inputs)
    result = run("1")
    result.extra |= {"circuit": circuit, "values": values}
    places = signal_places(circuit.wiring)
    assert len(set(places.values())) == len(places) == len(values)
    (axes,) = tree(result).axes
    texts = [text for text in axes.texts if text.get_gid()]
    assert {str(t.get_gid()): int(t.get_text().split("\n")[-1]) for t in texts} == values
    assert len(axes.lines) == circuit.connections
    assert min(float(text.get_size()) for text in axes.texts) >= 8


def test_a_wrong_tree_fails_and_an_interrupted_proof_claims_nothing() -> None:
    result = run("110")
    result.extra["verification"] = Verification(8, 3, 5)
    wrong = judge(claims(result))[0]
    assert wrong.name == "fails" and "right on 5 of 8 inputs" in wrong.sentence
    del result.extra["verification"]
    assert [each.ledger for each in claims(result)] == [("002-016",), ()]


def test_an_interruption_keeps_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Verification:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "verify", interrupted)
    started = Run(quick_settings(experiment, bits="11"))
    with pytest.raises(KeyboardInterrupt):
        demo.run(started)
    assert len(started.result.rows) == 3 and started.result.extra["output"] == 0
    assert demo.tables(started.result)[0].rows


def test_the_input_is_as_long_as_asked_for() -> None:
    assert len(run("101").extra["values"]) == 3 + 2 * 3 + 2
    chosen = {n: demo.bits_of(run(inputs=n).settings) for n in (3, 9)}
    assert chosen == {3: "101", 9: "101100111"}
    kinds = [row.facts["kind"] for row in run("1").rows]
    assert kinds == [RELAY]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "0"], ["--inputs 0", "from 1 to 24"]),
        (["--inputs", "25"], ["--inputs 25", "from 1 to 24"]),
        (["--bits", "102"], ["--bits", "'102'", "0 and 1"]),
        (["--bits", "10", "--inputs", "3"], ["--bits", "'10'", "needs 3"]),
        (["--bits", ""], ["--bits of 0 inputs", "1 to 24"]),
        (["--bits", "1" * 25], ["--bits of 25 inputs", "1 to 24"]),
        (["--seeds", "3"], ["--seeds"]),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: Any, arguments: list[str], expected: list[str]
) -> None:
    assert main(["xor-tree", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1
    assert all(part in captured.err for part in expected), captured.err

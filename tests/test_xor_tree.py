"""`scratchnet xor-tree`: the drawings show the circuit, and the sentences follow from it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from scratchnet.demos.command_line import main
from scratchnet.demos.results import to_json
from scratchnet.demos.xor_tree import command as demo
from scratchnet.demos.xor_tree.command import (
    Result,
    chosen_inputs,
    construction,
    plot,
    record,
    report,
    run,
    sentences,
)
from scratchnet.demos.xor_tree.figures import signal_places
from scratchnet.demos.xor_tree.terminal import (
    DOWN,
    HEAVY,
    LEFT,
    LIGHT,
    RIGHT,
    UP,
    box_characters,
    columns_for,
    draw_tree,
    signal_rows,
    tree_canvas,
)
from scratchnet.depth.circuits import Verification
from scratchnet.depth.gates import RELAY
from scratchnet.depth.parity import xor_tree

BITS = "10110011"


def printed(result: Result, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    report(result, console)
    output: Any = console.file
    return str(output.getvalue())


@settings(deadline=None, max_examples=30)
@given(st.text("01", min_size=1, max_size=10))
def test_every_signal_is_the_parity_of_its_inputs(bits: str) -> None:
    result = run(len(bits), bits)
    assert result.output == bits.count("1") % 2
    assert result.verification == Verification(2 ** len(bits), 0, None)
    assert result.values is not None
    for name, value in result.values.items():
        if found := re.fullmatch(r"x(\d+)(?:-(\d+))?(?:@\d+)?", name):
            first, last = int(found[1]), int(found[2] or found[1])
            assert value == bits[first - 1 : last].count("1") % 2


def test_box_characters_are_complete() -> None:
    boxes = box_characters()
    assert len(boxes) == 3**4
    assert boxes[LIGHT, 0, HEAVY, LIGHT] == "┧"
    assert boxes[HEAVY, LIGHT, LIGHT, HEAVY] == "╃"
    assert boxes[0, HEAVY, 0, LIGHT] == "╼"
    assert boxes[LIGHT, LIGHT, LIGHT, LIGHT] == "┼"


@pytest.mark.parametrize("inputs", range(1, 25))
@pytest.mark.parametrize("has_values", [False, True])
def test_the_drawing_holds_each_gate_once_and_fits_80_columns(
    inputs: int, has_values: bool
) -> None:
    bits = ("110" * 8)[:inputs]
    circuit = xor_tree(inputs)
    assert circuit.wiring is not None
    values = demo.gate_values(circuit.wiring, circuit.model, bits) if has_values else None
    columns = columns_for(circuit.wiring, has_values, 80)
    assert columns is not None
    text = tree_canvas(circuit.wiring, values, columns).text().plain
    assert max(map(len, text.splitlines())) <= 80
    for kind in ("OR", "NAND", "AND"):
        assert len(re.findall(rf"\b{kind}\b", text)) == inputs - 1
    assert len(re.findall(rf"\b{columns.relay}\b", text)) == circuit.relays
    if values:
        assert len(re.findall(r"[RDy] 1\b", text)) == sum(
            values[each.name] for level in circuit.wiring.levels for each in level
        )


@pytest.mark.parametrize("inputs", [2, 5, 7, 24])
def test_no_two_signals_share_a_place(inputs: int) -> None:
    wiring = xor_tree(inputs).wiring
    assert wiring is not None
    level_of = {each.name: n for n, level in enumerate(wiring.levels, 1) for each in level}
    rows = signal_rows(wiring)
    assert len({(level_of.get(name, 0), row) for name, row in rows.items()}) == len(rows)
    places = signal_places(wiring)
    assert len(set(places.values())) == len(places) == len(rows)


def test_lines_of_active_signals_are_heavy_and_reach_their_gates() -> None:
    """Each line that leaves a signal is followed through the drawing, arm by arm."""
    circuit = xor_tree(5)
    wiring = circuit.wiring
    assert wiring is not None
    values = demo.gate_values(wiring, circuit.model, "10110")
    columns = columns_for(wiring, True, 80)
    assert columns is not None
    canvas = tree_canvas(wiring, values, columns)
    rows = signal_rows(wiring)
    for number, level in enumerate(wiring.levels, start=1):
        line = columns.start(number)
        for each in level:
            for source in each.sources:
                row = rows[source] + 2
                assert canvas.arms[row, line][LEFT] == (HEAVY if values[source] else LIGHT)
                target = rows[each.name] + 2
                step = 1 if target > row else -1
                for place in range(row, target, step):
                    assert canvas.arms[place, line][DOWN if step > 0 else UP]
            assert canvas.arms[rows[each.name] + 2, line][RIGHT]


def test_without_unicode_the_drawing_is_ascii() -> None:
    circuit = xor_tree(3)
    assert circuit.wiring is not None
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii"), width=80)
    draw_tree(console, circuit.wiring, demo.gate_values(circuit.wiring, circuit.model, "101"))
    console.file.flush()
    text = raw.getvalue().decode()
    assert "x1 1 ==+ OR 1 ===" in text
    assert "x3 1 === relay 1" in text


def test_a_narrow_console_gets_a_line_for_each_gate() -> None:
    circuit = xor_tree(5)
    assert circuit.wiring is not None
    console = Console(file=io.StringIO(), width=25)
    draw_tree(console, circuit.wiring)
    output: Any = console.file
    lines = output.getvalue().splitlines()
    assert sum(line.startswith("level ") for line in lines) == circuit.neurons + circuit.relays
    assert "level 5: x1-5.or = OR(x1-4, x5@4)" in lines


@pytest.mark.parametrize("inputs", [1, 2, 5, 8, 24])
def test_the_figure_holds_each_signal_once(inputs: int) -> None:
    circuit = xor_tree(inputs)
    assert circuit.wiring is not None
    values = demo.gate_values(circuit.wiring, circuit.model, "1" * inputs)
    result = Result({"inputs": inputs, "bits": "1" * inputs}, {}, circuit, values, None)
    (axes,) = plot(result)["tree"].axes
    texts = [text for text in axes.texts if text.get_gid()]
    assert sorted(str(text.get_gid()) for text in texts) == sorted(values)
    assert {str(t.get_gid()): int(t.get_text().split("\n")[-1]) for t in texts} == values
    # A line for every source of every gate, and nothing else.
    connections = sum(len(each.sources) for level in circuit.wiring.levels for each in level)
    assert len(axes.lines) == connections == circuit.connections


def test_the_report_says_what_was_counted() -> None:
    text = printed(run(8, BITS))
    assert "levels 3, 4   x1-4 = x1-2 XOR x3-4,  x5-8 = x5-6 XOR x7-8" in text
    assert "10110011 has 5 ones, an odd number. The tree says 1, which is right." in text
    assert re.search(r"neurons +21 +3 \(n - 1\)", text)
    assert re.search(r"connections +42 +6 \(n - 1\) \+ 2 z", text)
    assert "all 256 inputs, the network is right on every one" in text
    assert "n + 1 = 9" in text and "n^2 + n = 72" in text
    assert max(map(len, text.splitlines())) <= 80


def test_each_xor_is_told_once() -> None:
    text = " ".join(construction(xor_tree(24))).replace("\xa0", " ")
    assert len(set(re.findall(r"\bx\S+ = x\S+ XOR x\S+", text))) == text.count(" = x") == 23
    assert "x1-24 = x1-16 XOR x17-24" in text


def test_sentences_follow_from_the_numbers() -> None:
    result = run(3, "110")
    assert "right on every one" in sentences(result)[0]
    # At n = 3 counting beats the tree in both; the tree needs n > 3 to save connections.
    assert "fewer neurons and fewer connections" in sentences(result)[-1]
    broken = dataclasses.replace(result, verification=Verification(8, 3, 5))
    assert "wrong on 3, first on row 5" in sentences(broken)[0]
    assert "right on every one" not in printed(broken)
    assert result.values is not None
    lying = dataclasses.replace(result, values={**result.values, "x1-3": 1})
    assert "The tree says 1, which is wrong" in printed(lying)


def test_one_input_is_a_relay() -> None:
    result = run(1, "1")
    text = printed(result)
    assert result.circuit.relays == 1 and result.circuit.neurons == 0
    assert "no gate is needed" in text and "OR and NAND read" not in text
    assert plot(result)


def test_the_record_has_a_row_for_each_neuron() -> None:
    kept = json.loads(to_json(record(run(5, "10101"))))
    assert set(kept) == {"settings", "environment", "rows", "summary"}
    assert len(kept["rows"]) == 12 + 4
    assert sum(row["kind"] == RELAY for row in kept["rows"]) == kept["summary"]["relays"] == 4
    assert kept["rows"][-1]["name"] == "x1-5"
    assert kept["rows"][-1]["value"] == kept["summary"]["output"] == 1
    assert kept["summary"]["verification"] == {"rows": 32, "errors": 0, "first_wrong": None}


def test_bits_alone_say_how_many_inputs() -> None:
    assert chosen_inputs(None, None) == 8
    assert chosen_inputs(None, "101") == 3
    assert chosen_inputs(3, "101") == 3


def test_an_interruption_keeps_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Verification:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "verify", interrupted)
    assert main(["xor-tree", "--bits", "110", "--out", str(tmp_path)]) == 130
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "scratchnet: interrupted"
    assert "verification was interrupted" in " ".join(captured.out.split())
    kept = json.loads((tmp_path / "result.json").read_text())
    assert kept["summary"]["interrupted"] and kept["summary"]["verification"] is None


def test_the_command_prints_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["xor-tree", "--bits", BITS, "--json", "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "result.json").read_text())
    assert sorted(os.listdir(tmp_path)) == ["result.json", "tree.png"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "0"], ["--inputs", "'0'", "from 1 to 24"]),
        (["--inputs", "25"], ["--inputs", "'25'", "from 1 to 24"]),
        (["--bits", "102"], ["--bits", "'102'", "0 and 1"]),
        (["--bits", "10", "--inputs", "3"], ["--bits", "'10'", "needs 3"]),
        (["--bits", ""], ["--bits", "''", "needs 8"]),
        (["--bits", "1" * 25], ["--bits", "25", "at most 24"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: list[str],
) -> None:
    assert main(["xor-tree", *arguments, "--out", str(tmp_path / "run")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    for part in expected:
        assert part in captured.err
    assert os.listdir(tmp_path) == []

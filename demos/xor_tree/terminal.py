"""The XOR tree as lines and letters in a terminal: inputs on the left, levels to the right.

The two signals of an XOR meet in a vertical line, from which both OR and NAND read. A signal that
is 1 has a heavy line, so that the drawing needs no colour; where there is no Unicode, = and # are
the heavy lines.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scratchnet.depth.gates import RELAY, Gate, Wiring

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LIGHT, HEAVY = 1, 2
UP, RIGHT, DOWN, LEFT = range(4)
SIDES = {"UP": UP, "RIGHT": RIGHT, "DOWN": DOWN, "LEFT": LEFT}

ACTIVE_STYLE, RELAY_STYLE, HEADING_STYLE = "bold dark_orange", "dim", "bold"


def box_characters() -> dict[tuple[int, int, int, int], str]:
    """The character for each weight (0 none, 1 light, 2 heavy) of the arms up, right, down, left.

    They are read off the names of Unicode's box drawings, such as 'UP HEAVY AND RIGHT DOWN LIGHT'
    and 'LIGHT DOWN AND LEFT'.
    """
    characters = {(0, 0, 0, 0): " "}
    for code in range(0x2500, 0x2580):
        name = unicodedata.name(chr(code)).removeprefix("BOX DRAWINGS ")
        name = name.replace("VERTICAL", "UP DOWN").replace("HORIZONTAL", "LEFT RIGHT")
        if not set(name.split()) <= {*SIDES, "LIGHT", "HEAVY", "AND"}:
            continue
        arms, weight = [0, 0, 0, 0], LIGHT
        for part in name.split(" AND "):
            words = part.split()
            if "LIGHT" in words or "HEAVY" in words:
                weight = HEAVY if "HEAVY" in words else LIGHT
            for word in words:
                if word in SIDES:
                    arms[SIDES[word]] = weight
        characters[arms[0], arms[1], arms[2], arms[3]] = chr(code)
    return characters


def plain_character(arms: tuple[int, int, int, int]) -> str:
    """The nearest ASCII character: - and | where light, = and # where heavy, + at a corner."""
    up, right, down, left = arms
    if not any(arms):
        return " "
    if not (up or down):
        return "=" if HEAVY in (left, right) else "-"
    if not (left or right):
        return "#" if HEAVY in (up, down) else "|"
    return "+"


class Canvas:
    """Characters in rows and columns: words, and lines that join by themselves where they meet."""

    def __init__(self) -> None:
        self.arms: dict[tuple[int, int], list[int]] = {}
        self.words: dict[tuple[int, int], tuple[str, str]] = {}

    def write(self, row: int, column: int, text: str, style: str = "") -> None:
        for place, character in enumerate(text, start=column):
            self.words[row, place] = (character, style)

    def arm(self, row: int, column: int, side: int, weight: int) -> None:
        """Draw half a line, from the middle of the place to one of its sides."""
        arms = self.arms.setdefault((row, column), [0, 0, 0, 0])
        arms[side] = max(arms[side], weight)

    def horizontal(self, row: int, start: int, end: int, weight: int) -> None:
        """Draw a line from column `start` up to the middle of column `end`."""
        for column in range(start, end):
            self.arm(row, column, LEFT, weight)
            self.arm(row, column, RIGHT, weight)
        self.arm(row, end, LEFT, weight)

    def vertical(self, column: int, start: int, end: int, weight: int) -> None:
        """Draw a line from the middle of row `start` down to the middle of row `end`."""
        for row in range(start, end):
            self.arm(row, column, DOWN, weight)
            self.arm(row + 1, column, UP, weight)

    def text(self, unicode: bool = True) -> Text:
        """The drawing by rows, with box characters, or with ASCII where there is no Unicode."""
        from rich.text import Text

        boxes = box_characters()
        places = [*self.arms, *self.words]
        text = Text(no_wrap=True)
        for row in range(1 + max(row for row, _ in places)):
            line = Text()
            for column in range(1 + max((c for r, c in places if r == row), default=-1)):
                up, right, down, left = self.arms.get((row, column), (0, 0, 0, 0))
                arms = (up, right, down, left)
                character = boxes[arms] if unicode else plain_character(arms)
                style = ACTIVE_STYLE if HEAVY in arms else ""
                line.append(*self.words.get((row, column), (character, style)))
            text.append("\n" if row else "").append_text(line)
        return text


@dataclass(frozen=True)
class Columns:
    """How wide the parts of the drawing are."""

    inputs: int
    first: int
    """Of the gates on odd levels, OR and NAND."""
    second: int
    """Of the gates on even levels, AND."""
    gap: int
    """Between the line that a gate reads from and the gate's name."""
    relay: str
    """How a relay is labelled."""
    level: str
    """What stands before the number of a level."""

    def start(self, level: int) -> int:
        """The column of the vertical line to the left of a level, counted from 1."""
        pairs, second = divmod(level - 1, 2)
        return self.inputs + pairs * (2 + self.first + self.second) + second * (1 + self.first)


def columns_for(wiring: Wiring, has_values: bool, width: int) -> Columns | None:
    """The widest columns with which the drawing fits into `width` characters, if any do."""
    value = 2 if has_values else 0
    name = max(map(len, wiring.inputs)) + value
    for choice in (
        Columns(name + 3, 8 + value, 8 + value, 2, "relay", "level "),
        Columns(name + 2, 6 + value, 6 + value, 1, "relay", ""),
        Columns(name + 1, 4 + value, 3 + value, 1, "R", ""),
    ):
        if choice.start(len(wiring.levels) + 1) <= width:
            return choice
    return None


def signal_rows(wiring: Wiring) -> dict[str, int]:
    """The row of each signal: inputs two rows apart, an AND between its OR above and NAND below."""
    rows = {name: 2 * number for number, name in enumerate(wiring.inputs)}
    for level in wiring.levels:
        for each in level:
            middle = sum(rows[source] for source in each.sources) // len(each.sources)
            rows[each.name] = middle + {"OR": -1, "NAND": 1}.get(each.kind, 0)
    return rows


def draw_tree(console: Console, wiring: Wiring, values: Mapping[str, int] | None = None) -> None:
    """Print the tree, with the value of every signal where they are given.

    Where the console is too narrow for the drawing, a line for each gate takes its place.
    """
    columns = columns_for(wiring, values is not None, console.width)
    unicode = console.encoding.lower().startswith("utf")
    if columns is None:
        for number, level in enumerate(wiring.levels, start=1):
            for each in level:
                console.print(gate_line(number, each, values), markup=False, soft_wrap=True)
        return
    console.print(tree_canvas(wiring, values, columns).text(unicode), crop=False, soft_wrap=True)
    if meaning := legend(wiring, values is not None, columns, unicode):
        console.print()
        console.print(meaning, markup=False, style="dim")


def gate_line(level: int, gate: Gate, values: Mapping[str, int] | None) -> str:
    value = f" = {values[gate.name]}" if values else ""
    return f"level {level}: {gate.name} = {gate.kind}({', '.join(gate.sources)}){value}"


def legend(wiring: Wiring, has_values: bool, columns: Columns, unicode: bool) -> str:
    """What the lines and short labels of the drawing mean, as far as they occur."""
    heavy = "heavy" if unicode else "= and #"
    parts = []
    if wiring.gates:
        parts.append("OR and NAND read both signals that meet on the line to their left.")
    if has_values:
        parts.append(f"Lines of signals that are 1 are {heavy}.")
    if wiring.relays and columns.relay != "relay":
        parts.append(f"{columns.relay}: relay.")
    return " ".join(parts)


def tree_canvas(wiring: Wiring, values: Mapping[str, int] | None, columns: Columns) -> Canvas:
    """The drawing; the first row says the levels."""
    canvas = Canvas()
    rows = {name: row + 2 for name, row in signal_rows(wiring).items()}
    weight = {name: HEAVY if values and values[name] else LIGHT for name in rows}

    def label(name: str, text: str, column: int, end: int | None, style: str = "") -> None:
        """Write the signal's name and value, then lead its line to column `end`, if any."""
        text += f" {values[name]}" if values else ""
        style = ACTIVE_STYLE if weight[name] == HEAVY else style
        canvas.write(rows[name], column, text, style)
        if end is not None:
            start = min(column + len(text) + 1, end)
            canvas.horizontal(rows[name], start, end, weight[name])

    canvas.write(0, 0, "input", HEADING_STYLE)
    for name in wiring.inputs:
        label(name, name, 0, columns.start(1))
    for number, level in enumerate(wiring.levels, start=1):
        line, end = columns.start(number), columns.start(number + 1)
        canvas.write(0, line + 1, f"{columns.level}{number}", HEADING_STYLE)
        for each in level:
            join(canvas, line, rows[each.name], [(rows[s], weight[s]) for s in each.sources])
            text, style = (columns.relay, RELAY_STYLE) if each.kind == RELAY else (each.kind, "")
            last = number == len(wiring.levels)
            label(each.name, text, line + columns.gap, None if last else end, style)
    return canvas


def join(canvas: Canvas, column: int, row: int, sources: list[tuple[int, int]]) -> None:
    """Draw the lines by which sources, given as (row, weight), reach the gate in `row`."""
    (upper, first), (lower, last) = sources[0], sources[-1]
    middle = (upper + lower) // 2
    canvas.vertical(column, upper, middle, first)
    canvas.vertical(column, middle, lower, last)
    canvas.arm(row, column, RIGHT, max(first, last))

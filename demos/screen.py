"""What a person reads in the terminal: texts, lists, tables and drawings."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.results import write
from scratchnet.demos.running import Row
from scratchnet.demos.settings import Common, help_rows, usage

NARROWEST, USUAL_WIDTH = 20, 80
"""A terminal that claims to be narrower than any is taken to have 80 columns."""


@dataclass(frozen=True)
class Table:
    """Numbers for people: a heading for each column, and rows of texts.

    Without headings the rows are the lines of a drawing, which is left out on a narrower screen.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    words: Sequence[int] = (0,)
    """The columns that are justified to the left; the others hold numbers."""

    @classmethod
    def of(
        cls,
        rows: Iterable[Row],
        headings: str,
        cells: str,
        title: str = "",
        middle: Callable[[Any], Any] = np.median,
        **more: Callable[[Row], Any],
    ) -> Table:
        """A line for each row: its name, facts, the median and the `least` of each measure, `more`.

        `cells` has a format for each column, with bars between them as in `headings`, such as
        `{arm} | {learning_rate:g} | {test_accuracy:.1%}` below `network | rate | test`. What has no
        finite value, or is no measure of that row, is shown as `-`.
        """
        lines, names = [], [heading.strip(" ") for heading in headings.split("|")]
        if len(names) != len(cells.split("|")):
            raise ValueError(f"{headings!r}: must name as many columns as {cells!r}")
        for row in rows:
            known = defaultdict(lambda: math.nan, {"arm": row.arm, **row.facts})
            for name, values in row.measures.items():
                finite = np.asarray(values, float)[np.isfinite(values)]
                known[name] = middle(finite) if len(finite) else math.nan
                known[f"least {name}"] = finite.min() if len(finite) else math.nan
            known |= {name: value(row) for name, value in more.items()}
            line = cells.format_map(known).replace("nan%", "-").replace("nan", "-")
            lines.append([cell.strip(" ") for cell in line.split("|")])
        return cls(names, lines, title)


class Screen:
    """Where a report goes: stdout, or stderr where stdout is kept for JSON."""

    def __init__(self, json: bool = False) -> None:
        from rich.console import Console

        columns = os.environ.get("COLUMNS", "")
        narrow = columns.isdigit() and int(columns) < NARROWEST
        self.console = Console(stderr=json, highlight=False, width=USUAL_WIDTH if narrow else None)

    def print(self, *content: Any, **how: Any) -> None:
        """Anything that rich can draw."""
        with self.console.capture() as drawn:
            self.console.print(*content, **how)
        write(self.console.file, drawn.get())

    def text(self, content: str, style: str = "") -> None:
        """A paragraph, wrapped."""
        self.print(content, style=style or None, markup=False)

    def whole(self, content: str) -> None:
        """A line that is not wrapped, such as a command or a path, which people copy."""
        self.print(content, markup=False, soft_wrap=True)

    def help(self, name: str, settings: type[Common], *about: str) -> None:
        """How the command is called, what it does, and its options."""
        self.whole(f"Usage: scratchnet {name} {usage(settings)}\n")
        for paragraph in about:
            self.text(f"{paragraph}\n")
        self.pairs(help_rows(settings, name))

    def items(self, lines: Iterable[str]) -> None:
        """Sentences, each with a dash before it and wrapped behind it."""
        self.pairs([("-", line) for line in lines], gap=1)

    def pairs(self, rows: Sequence[tuple[str, str]], style: str = "", gap: int = 2) -> None:
        """A column of names in that style, and their sentences, wrapped beside them."""
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid.grid(padding=(0, gap))
        longest = max((len(name) for name, _ in rows), default=0)
        grid.add_column(no_wrap=longest <= 0.6 * self.console.width, style=style)
        for name, sentence in rows:
            grid.add_row(Text(name), Text(sentence))
        if rows:
            self.print(grid)


def print_table(table: Table, screen: Screen) -> None:
    """A table as wide as its numbers; where the screen is too narrow, an arm below the other."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    if table.title:
        screen.text(table.title, "bold")
    if not table.headings:
        print_drawing([row[0] for row in table.rows], screen)
    elif width_of(table) <= screen.console.width:
        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
        for number, heading in enumerate(table.headings):
            justify: Any = "left" if number in table.words else "right"
            grid.add_column(Text(heading), justify=justify, no_wrap=True)
        for row in table.rows:
            grid.add_row(*map(Text, row))
        screen.print(grid)
    else:
        for row in table.rows:
            screen.whole(row[0])
            for heading, cell in list(zip(table.headings, row, strict=True))[1:]:
                screen.whole(f"  {' '.join(heading.split())}: {cell.strip()}")


def width_of(table: Table) -> int:
    """Characters that the table takes."""
    columns = zip(table.headings, *table.rows, strict=True)
    longest = (
        max(len(line) for cell in column for line in cell.splitlines() or [""])
        for column in columns
    )
    return sum(each + 3 for each in longest) - 1


def print_drawing(lines: Sequence[str], screen: Screen) -> None:
    """Lines of text with box characters, which become + - | where the screen has none."""
    width = max(map(len, lines))
    if width > screen.console.width:
        screen.text(f"(a drawing of {width} columns: this screen has {screen.console.width})\n")
        return
    if not screen.console.encoding.lower().startswith("utf"):
        plain = str.maketrans("─│╵╶└╷┌├╴┘┴┐┤┬┼", "-|+++++++++++++")
        lines = [line.translate(plain) for line in lines]
    screen.whole("\n".join(("", *lines, "")))

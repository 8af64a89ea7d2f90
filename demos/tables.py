"""Tables and lists of sentences in the terminal, as the reports share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def new_table(*headings: str) -> Table:
    """A table of numbers: right-justified columns under headings of one or several lines.

    Headings of fewer lines than others stand at the bottom.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    lines = max(heading.count("\n") for heading in headings)
    for heading in headings:
        above = "\n" * (lines - heading.count("\n"))
        table.add_column(above + heading, justify="right", no_wrap=True)
    return table


def bullets(sentences: Sequence[str]) -> Table:
    """The sentences, each with a dash before it and wrapped behind it."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    for sentence in sentences:
        grid.add_row("-", Text(sentence))
    return grid

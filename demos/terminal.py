"""What a person sees in the terminal: text, and progress with time left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from scratchnet.backends import Backend, get_backend

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SECONDS_BETWEEN_UPDATES = 0.1
SECONDS_BETWEEN_LINES = 10.0

NARROWEST_TERMINAL, USUAL_WIDTH = 20, 80
WIDEST_TABLE = 1000


def console_for(json: bool = False) -> Console:
    """The console for a report: stdout, or stderr when stdout is kept for one JSON object.

    A reader that closes the pipe, such as `head`, ends the printing and nothing else. A terminal
    that claims to be narrower than any is taken to have 80 columns. A table that is wider than the
    terminal is printed row by row, so that no number is cut.
    """
    from rich.console import Console
    from rich.table import Table

    class ReportConsole(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            silence(sys.stderr if json else sys.stdout)

        def print(self, *objects: Any, **how: Any) -> None:
            for each in objects:
                if isinstance(each, Table) and each.show_header and not fits(each, self):
                    objects = tuple(row_by_row(x) if x is each else x for x in objects)
            super().print(*objects, **how)

    console = ReportConsole(stderr=json, highlight=False)
    if console.width < NARROWEST_TERMINAL:
        console.width = USUAL_WIDTH
    return console


def silence(stream: Any) -> None:
    """Let whatever is still written to the stream go nowhere: nobody reads it any longer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def fits(table: Table, console: Console) -> bool:
    """Whether the console has room for the table without cutting a word or a number."""
    from rich.measure import Measurement

    unlimited = console.options.update_width(WIDEST_TABLE)
    return Measurement.get(console, unlimited, table).minimum <= console.width


def row_by_row(table: Table) -> Table:
    """The table's cells as one list, a line each: heading, value; rows are set apart."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    headings = [" ".join(str(column.header).split()) for column in table.columns]
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        for heading, cell in zip(headings, cells, strict=True):
            grid.add_row(heading, cell)
        grid.add_row()
    return grid


def name_device(console: Console, backend: str | Backend) -> None:
    """Print what computed a report, as its first line."""
    facts = get_backend(backend).device_info()
    device = f"Computed by {facts['backend']} on {facts['device']}"
    if threads := facts.get("threads"):
        device += f", {threads} thread{'s' * (threads != 1)}"
    if facts["precision"] != "fp32":
        device += f"; operands of products in {facts['precision']}"
    console.print(device, style="dim", markup=False)


class Advance(Protocol):
    """What `progress` gives to the work: call it when steps are done."""

    def __call__(self, steps: float = 1, note: str = "") -> None:
        """`steps` more are done; `note` says what is being worked on now."""


def no_progress(steps: float = 1, note: str = "") -> None:
    """An `Advance` that shows nothing."""


@contextmanager
def progress(
    title: str,
    total: float,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Show how much of `total` steps is done and the time left, on stderr.

    A terminal shows a bar that goes away at the end; elsewhere a plain line appears every ten
    seconds, and short work is silent. The display is touched ten times a second at most, so that
    `advance` may be called after every training step.
    """
    from rich.console import Console

    console = console or Console(stderr=True, highlight=False)
    shown = _bar if console.is_terminal and not console.is_dumb_terminal else _lines
    with shown(title, total, console, clock) as advance:
        yield advance


@contextmanager
def _bar(
    title: str, total: float, console: Console, clock: Callable[[], float]
) -> Iterator[Advance]:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeLeft(elapsed_when_finished=True),
        TextColumn("left"),
    )
    done, doing, shown_at = 0.0, title, clock()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)

        def advance(steps: float = 1, note: str = "") -> None:
            nonlocal done, doing, shown_at
            done += steps
            before, doing = doing, f"{title} {note}" if note else doing
            if doing != before or clock() - shown_at >= SECONDS_BETWEEN_UPDATES:
                bar.update(task, completed=done, description=doing)
                shown_at = clock()

        yield advance


@contextmanager
def _lines(
    title: str, total: float, console: Console, clock: Callable[[], float]
) -> Iterator[Advance]:
    started = printed_at = clock()
    done, doing = 0.0, title

    def advance(steps: float = 1, note: str = "") -> None:
        nonlocal done, doing, printed_at
        done += steps
        doing = f"{title} {note}" if note else doing
        now = clock()
        if now - printed_at >= SECONDS_BETWEEN_LINES and 0 < done < total:
            left = (now - started) * (total - done) / done
            console.print(f"{doing}: {done / total:.0%} done, about {left:.0f} s left")
            printed_at = now

    yield advance

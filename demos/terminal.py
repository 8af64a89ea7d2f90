"""What a person sees in the terminal: text, progress with time left, and decision boundaries."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, get_backend
from scratchnet.demos.figures import POINT_COLORS, REGION_COLORS, UNDECIDED_COLOR

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SECONDS_BETWEEN_UPDATES = 0.1
SECONDS_BETWEEN_LINES = 10.0

NARROWEST_TERMINAL, USUAL_WIDTH = 20, 80
WIDEST_TABLE = 1000
NARROWEST_PANEL, WIDEST_PANEL, GAP = 24, 40, 2


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


def draw_boundaries(
    console: Console,
    panels: Sequence[tuple[str, NDArray[Any]]],
    extent: tuple[float, float, float, float],
    X: NDArray[Any],
    y: NDArray[Any],
) -> None:
    """Print the decision boundary of each (title, probabilities), side by side as they fit.

    Colours and half blocks where the console can show them, plain characters elsewhere.
    """
    from rich.table import Table
    from rich.text import Text

    colour = can_draw_colours(console)
    half = (console.width - GAP) // 2
    width = min(WIDEST_PANEL, half if half >= NARROWEST_PANEL else console.width)
    per_row = max(1, (console.width + GAP) // (width + GAP))
    for start in range(0, len(panels), per_row):
        row = panels[start : start + per_row]
        table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
        table.add_row(*(Text(title, style="bold") for title, _ in row))
        table.add_row(*(boundary(p, X, y, extent, width, colour) for _, p in row))
        console.print(table)
        console.print()
    console.print(boundary_legend(colour))


def can_draw_colours(console: Console) -> bool:
    """Whether the console shows at least 256 colours and half blocks."""
    return (
        console.is_terminal
        and not console.no_color
        and console.color_system in {"256", "truecolor"}
        and console.encoding.lower().startswith("utf")
    )


def boundary(
    probabilities: NDArray[Any],
    X: NDArray[Any],
    y: NDArray[Any],
    extent: tuple[float, float, float, float],
    width: int = WIDEST_PANEL,
    colour: bool = True,
) -> Text:
    """P(class 1) over the plane with the data on it, `width` characters wide.

    `probabilities` (rows, columns) has its row 0 at the bottom; `extent` is (left, right,
    bottom, top); `X` is (n, 2) and `y` holds n labels 0 or 1. In colour each character is two
    pixels, an upper half block whose foreground is the upper and whose background the lower one.
    A NaN is drawn as undecided, ½.
    Plain: `o` and `x` are data of class 0 and 1, and the region of class 1 is dotted.
    """
    left, right, bottom, top = extent
    # A character is about twice as high as it is wide.
    rows = max(1, round(width * (top - bottom) / (right - left) / 2))
    height = 2 * rows if colour else rows
    picture = resample(np.nan_to_num(probabilities, nan=0.5), height, width)[::-1]
    data = rasterise(X, y, extent, height, width)[::-1]
    return _half_blocks(picture, data) if colour else _characters(picture, data)


def boundary_legend(colour: bool) -> Text:
    """One line that says what the marks of `boundary` mean."""
    from rich.text import Text

    if not colour:
        return Text("o data of class 0, x data of class 1; the network says 1 where it is dotted")
    zero, one = (
        f"{point} on {region}" for point, region in zip(POINT_COLORS, REGION_COLORS, strict=True)
    )
    return Text.assemble(
        (" ▪ ", zero), " class 0  ", (" ▪ ", one), " class 1  (dark: data, light: the network)"
    )


def resample(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """The grid's values at the centres of rows × columns pixels (nearest grid point)."""
    row = ((np.arange(rows) + 0.5) * values.shape[0] / rows).astype(int)
    column = ((np.arange(columns) + 0.5) * values.shape[1] / columns).astype(int)
    return values[np.ix_(row, column)]


def rasterise(
    X: NDArray[Any],
    y: NDArray[Any],
    extent: tuple[float, float, float, float],
    rows: int,
    columns: int,
) -> NDArray[np.int64]:
    """For each pixel the class that most of its points have, and −1 where there is no point.

    Shape (rows, columns), row 0 at the bottom. A tie counts as class 1; points outside the
    window are left out.
    """
    left, right, bottom, top = extent
    column = np.floor((X[:, 0] - left) / (right - left) * columns).astype(int)
    row = np.floor((X[:, 1] - bottom) / (top - bottom) * rows).astype(int)
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    votes, count = np.zeros((rows, columns), int), np.zeros((rows, columns), int)
    np.add.at(count, (row[inside], column[inside]), 1)
    np.add.at(votes, (row[inside], column[inside]), 2 * np.ravel(y)[inside].astype(int) - 1)
    return np.where(count == 0, -1, (votes >= 0).astype(int))


def _half_blocks(picture: NDArray[Any], data: NDArray[np.int64]) -> Text:
    from rich.text import Text

    colours = [
        [
            POINT_COLORS[label] if label >= 0 else region_color(p)
            for p, label in zip(*line, strict=True)
        ]
        for line in zip(picture, data, strict=True)
    ]
    text = Text(no_wrap=True)
    for index, (upper, lower) in enumerate(zip(colours[::2], colours[1::2], strict=True)):
        text.append("\n" if index else "")
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", style=f"{above} on {below}")
    return text


def _characters(picture: NDArray[Any], data: NDArray[np.int64]) -> Text:
    from rich.text import Text

    marks = np.where(data == 0, "o", np.where(data == 1, "x", np.where(picture >= 0.5, ".", " ")))
    return Text("\n".join("".join(line) for line in marks), no_wrap=True)


def region_color(probability: float) -> str:
    """The colour of P(class 1), as in the figures: blue at 0, nearly white at ½, orange at 1."""
    end = REGION_COLORS[int(probability >= 0.5)]
    share = abs(2 * float(probability) - 1)
    channels = (
        round(int(UNDECIDED_COLOR[i : i + 2], 16) * (1 - share) + int(end[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in channels)

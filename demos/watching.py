"""`--watch`: loss and, for two inputs, classes over the plane, drawn in the terminal.

A picture is lines of text that are written over the last ones. Each character of the plane is a
half block, which shows two points: one in the colour of the letter, one in that of its ground.
Where NO_COLOR is set, classes are told apart by signs. A picture fits the terminal as it is then.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TextIO

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.figures import LINE_COLORS, REGION_COLORS, grid_points, window
from scratchnet.model import Model

ROWS, COLUMNS = 18, 60
SECONDS_BETWEEN = 0.1
BARS = "▁▂▃▄▅▆▇█"
PLANE_COLORS = (*REGION_COLORS, *LINE_COLORS[2:])
SIGNS = ".#o+x%=@*-"
USUAL_SIZE = (80, 24)
"""Columns and rows of a terminal that does not tell."""


def check_watch(watch: bool, stream: TextIO | None = None) -> None:
    """Raise `InputError` where there is no terminal that could be watched."""
    if watch and not (stream or sys.stderr).isatty():
        raise InputError("--watch draws in a terminal: stderr must be one")
    if watch and os.environ.get("TERM") == "dumb":
        raise InputError("--watch draws over its last picture: TERM must not be dumb")


def size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and rows of a terminal."""
    with suppress(OSError, ValueError):
        columns, rows = os.get_terminal_size(stream.fileno())
        if columns > 0 and rows > 0:
            return columns, rows
    return USUAL_SIZE


def sparkline(losses: Sequence[float], columns: int = COLUMNS) -> str:
    """The losses as bars on a logarithmic scale, from the lowest to the highest of them."""
    finite = [value for value in losses if math.isfinite(value) and value > 0]
    if not finite:
        return ""
    picked = np.linspace(0, len(losses) - 1, min(columns, len(losses))).round().astype(int)
    low, high = math.log(min(finite)), math.log(max(finite))
    bars = []
    for value in (losses[i] for i in picked):
        if not math.isfinite(value) or value <= 0:
            bars.append("×")
        else:
            part = (math.log(value) - low) / (high - low) if high > low else 0.0
            bars.append(BARS[round(part * (len(BARS) - 1))])
    return "".join(bars)


def plane(model: Model, X: Any, rows: int = ROWS, columns: int = 2 * ROWS) -> list[str]:
    """The classes of one network over the window of X (N, 2), as lines of coloured half blocks.

    With NO_COLOR they are lines of signs, one for each class.
    """
    extent = window(np.asarray(X, np.float64))
    height = 2 * rows
    points = grid_points(extent, max(height, columns))
    size = max(height, columns)
    classes = np.asarray(model.classify(points)).reshape(size, size)[::-1]
    picked = classes[np.linspace(0, size - 1, height).round().astype(int)]
    picked = picked[:, np.linspace(0, size - 1, columns).round().astype(int)]
    upper, lower = picked[::2], picked[1::2]
    if os.environ.get("NO_COLOR"):
        return ["".join(SIGNS[int(label) % len(SIGNS)] for label in row) for row in upper]
    return [
        "".join(f"{ink(a, 38)}{ink(b, 48)}▀" for a, b in zip(top, bottom, strict=True)) + "\x1b[0m"
        for top, bottom in zip(upper, lower, strict=True)
    ]


def ink(label: int, kind: int) -> str:
    """The sequence that sets a class's colour, of the letter (38) or of its ground (48)."""
    color = PLANE_COLORS[int(label) % len(PLANE_COLORS)]
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"\x1b[{kind};2;{red};{green};{blue}m"


def watching(
    X: Any | None, epochs: int, stream: TextIO | None = None
) -> Callable[[Model], list[Callable[..., None]]]:
    """Callbacks for `Arm.callbacks` that draw the first network of an ensemble.

    X (N, 2) are its samples, or None where there is no plane to show.
    """

    def callbacks(model: Model) -> list[Callable[..., None]]:
        """The callback of one training, with its own losses and its own picture."""
        losses: list[float] = []
        out = stream or sys.stderr
        drawn, size = 0, (0, 0)
        last = -math.inf

        def draw(epoch: int, model: Model, loss: Any) -> None:
            """Draw the network over the last picture, unless the last one is too recent."""
            nonlocal drawn, last, size
            losses.append(float(np.ravel(loss)[0]))
            if time.monotonic() - last < SECONDS_BETWEEN and epoch + draw.every < epochs:  # type: ignore[attr-defined]
                return
            last = time.monotonic()
            if size != (found := size_of(out)):
                # The terminal may have broken the last picture's lines: draw below it.
                drawn, size = 0, found
            lines = picture(model, X, epoch, losses, size)
            up = f"\x1b[{drawn}A" if drawn else ""
            with suppress(OSError):
                out.write("\r\x1b[K" + up + "".join(f"{line}\x1b[K\n" for line in lines))
                out.flush()
            drawn = len(lines)

        draw.every = every_of(epochs)  # type: ignore[attr-defined]
        return [draw]

    return callbacks


def picture(
    model: Model, X: Any | None, epoch: int, losses: Sequence[float], size: tuple[int, int]
) -> list[str]:
    """Lines that fit a terminal of that size, one row of which is left for the progress."""
    columns, rows = size[0] - 1, size[1] - 1
    lines = [
        f"epoch {epoch + 1}, loss {losses[-1]:.4g}"[:columns],
        sparkline(losses, min(COLUMNS, columns)),
    ]
    height = min(ROWS, columns // 2, rows - len(lines))
    if X is not None and height > 0:
        lines += plane(model.network(0), X, height, 2 * height)
    return lines[:rows]


def every_of(epochs: int, pictures: int = 200) -> int:
    """How many epochs lie between two looks: a divisor of `epochs`, for about so many looks."""
    most = max(1, epochs // pictures)
    return next(each for each in range(most, 0, -1) if epochs % each == 0)

"""`--watch`: loss and, for two inputs, classes over the plane, drawn in the terminal.

A picture is lines of text that are written over the last ones. Each character of the plane is a
half block, which shows two points: one in the colour of the letter, one in that of its ground.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.demos.figures import LINE_COLORS, REGION_COLORS, grid_points, window
from scratchnet.model import Model

ROWS, COLUMNS = 18, 60
SECONDS_BETWEEN = 0.1
BARS = "▁▂▃▄▅▆▇█"
PLANE_COLORS = (*REGION_COLORS, *LINE_COLORS[2:])


def check_watch(watch: bool, stream: TextIO | None = None) -> None:
    """Raise `InputError` where there is no terminal that could be watched."""
    if watch and not (stream or sys.stderr).isatty():
        raise InputError("--watch draws in a terminal: stderr must be one")


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
    """The classes of one network over the window of X (N, 2), as lines of coloured half blocks."""
    extent = window(np.asarray(X, np.float64))
    height = 2 * rows
    points = grid_points(extent, max(height, columns))
    size = max(height, columns)
    classes = np.asarray(model.classify(points)).reshape(size, size)[::-1]
    picked = classes[np.linspace(0, size - 1, height).round().astype(int)]
    picked = picked[:, np.linspace(0, size - 1, columns).round().astype(int)]
    upper, lower = picked[::2], picked[1::2]
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
        losses: list[float] = []
        out = stream or sys.stderr
        drawn = 0
        last = -math.inf

        def draw(epoch: int, model: Model, loss: Any) -> None:
            nonlocal drawn, last
            losses.append(float(np.ravel(loss)[0]))
            if time.monotonic() - last < SECONDS_BETWEEN and epoch + draw.every < epochs:  # type: ignore[attr-defined]
                return
            last = time.monotonic()
            lines = [f"epoch {epoch + 1}, loss {losses[-1]:.4g}", sparkline(losses)]
            if X is not None:
                lines += plane(model.network(0), X)
            up = f"\x1b[{drawn}A" if drawn else ""
            out.write("\r\x1b[K" + up + "".join(f"{line}\x1b[K\n" for line in lines))
            out.flush()
            drawn = len(lines)

        draw.every = every_of(epochs)  # type: ignore[attr-defined]
        return [draw]

    return callbacks


def every_of(epochs: int, pictures: int = 200) -> int:
    """How many epochs lie between two looks: a divisor of `epochs`, for about so many looks."""
    most = max(1, epochs // pictures)
    return next(each for each in range(most, 0, -1) if epochs % each == 0)

"""Folding: pieces of a function against depth and width, and what they are good for.

1. The tent map iterated L times: a network of width 2 whose linear pieces double with each layer.
   Beside it the one hidden layer that gives the same function, and networks of both shapes with
   random weights.
2. x^2 by summed tents: the error against depth, and the width one hidden layer needs for the same
   error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.sawtooth.experiment import DEEPEST, Result, run, steps
from scratchnet.demos.sawtooth.figures import plot
from scratchnet.demos.sawtooth.report import report, sentences
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each depth."""
    squares = {each.depth: each for each in result.squares}

    def random(pieces: Any) -> dict[str, Any] | None:
        return None if pieces is None else {"pieces": pieces, "estimate": mean_interval(pieces)}

    rows = [
        {
            **vars(each),
            "random_deep": random(each.random_deep),
            "random_wide": random(each.random_wide),
            "square": squares.get(each.depth),
        }
        for each in result.folds
    ]
    return {
        "settings": result.settings,
        "environment": result.environment,
        "rows": rows,
        "summary": {"sentences": sentences(result), "interrupted": result.interrupted},
    }


def command(
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            min=1,
            max=DEEPEST,
            show_default="12, quick 8",
            help=f"Hidden layers, 1 to {DEEPEST}; all depths up to it are shown.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            max=1000,
            show_default="100, quick 20",
            help="Random networks of each shape; results are means over them.",
        ),
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/sawtooth"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Fold a line: pieces that double with every layer, and x^2 made from them."""
    check_writable(out)
    depth = depth or (8 if quick else 12)
    seeds = seeds or (20 if quick else 100)
    console = console_for(json)
    with progress("folding", total=steps(depth)) as advance:
        result = run(depth, seed, seeds, backend, advance)
    if not result.folds:
        raise KeyboardInterrupt
    name_device(console, backend)
    deliver(
        out,
        record(result),
        lambda: plot(result),
        lambda: report(result, console),
        console,
        json,
        show,
    )
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)

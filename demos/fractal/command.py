"""The command `scratchnet fractal`: its options, and its record as JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.fractal.experiment import Result, expected_seconds, run, total_cost
from scratchnet.demos.fractal.figures import plot
from scratchnet.demos.fractal.report import report, sentences
from scratchnet.demos.fractal.settings import choose_settings, curve_names
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s = result.settings
    asked = {field.name: getattr(s, field.name) for field in dataclasses.fields(s)}
    rows = [
        {
            "curve": row.curve,
            "depth": row.depth,
            "parameters": row.parameters,
            "train_accuracy": row.train_accuracy,
            "test_accuracy": row.test_accuracy,
            "estimate": mean_interval(row.test_accuracy),
            "error_lower_bound": row.lower_bound,
            "diverged": row.diverged,
        }
        for row in result.rows
    ]
    shapes = [
        {name: value for name, value in vars(each).items() if name != "mosaic"}
        for each in result.shapes
    ]
    return {
        "settings": {
            **asked,
            "steps": s.epochs * s.steps_per_epoch,
            "loss": "binary_cross_entropy",
            "optimizer": "adam",
            "initializer": "he_normal",
            "dtype": "float32",
        },
        "environment": environment(s.backend),
        "rows": rows,
        "curves": {
            name: {"requested": s.curve(name), "empirical": values}
            for name, values in result.empirical.items()
        },
        "exact_networks": shapes,
        "curriculum": [vars(course) for course in result.courses],
        "summary": {
            "sentences": sentences(result),
            "seconds": result.seconds,
            "interrupted": result.interrupted,
        },
    }


def command(
    fractal: Annotated[
        Literal["cantor", "dust", "vicsek", "sierpinski", "pentaflake"] | None,
        typer.Option("--fractal", show_default="dust", help="cantor is the only one on a line."),
    ] = None,
    level: Annotated[
        int | None,
        typer.Option("--level", metavar="N", min=1, show_default="4", help="How deep it goes."),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio", metavar="X", show_default="1/3", help="Of cantor and dust: a copy's size."
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            metavar="LIST",
            show_default="coarse,linear,fine,extreme",
            help="Levels of the negatives: these names, or beta in p_j ~ beta^j.",
        ),
    ] = None,
    curriculum: Annotated[
        bool,
        typer.Option("--curriculum", help="Also learn the curves in turn, from coarse to fine."),
    ] = False,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="Level 5, width 100, 20,000 steps: where fine curves are not learned."
        ),
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="X",
            min=0.0,
            max=0.99,
            show_default="0.1",
            help="Distance from borders, as a share of a cell.",
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths",
            metavar="LIST",
            show_default="1,2,3,4,5",
            help="Numbers of hidden layers to compare.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", metavar="N", min=1, show_default="32", help="Neurons per layer."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", min=1, show_default="4000", help="Training steps, about."
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
            show_default="5",
            help="How many seeds; results are means over them.",
        ),
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/fractal"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Fractals: networks that are exact by construction, and what depth learns of them."""
    given = {
        "fractal": fractal,
        "level": level,
        "ratio": ratio,
        "curves": None if curve is None else curve_names(curve),
        "curriculum": curriculum or None,
        "paper": paper or None,
        "margin": margin,
        "depths": None if depths is None else options.positive_integers("--depths", depths),
        "width": width,
        "steps": steps,
        "seed": seed or None,
        "seeds": seeds,
        "quick": quick or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    settings = choose_settings(given, backend)
    check_writable(out)
    console = console_for(json)
    if paper:
        minutes = expected_seconds(settings) / 60
        console.print(
            f"--paper: {settings.seeds} seeds, {len(settings.curves)} curves and depths "
            f"{', '.join(map(str, settings.depths))} will take about {minutes:.0f} minutes here, "
            "after a few steps of each were timed; Ctrl-C keeps what is finished."
        )
    with progress("training", total_cost(settings)) as advance:
        result = run(settings, advance)
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

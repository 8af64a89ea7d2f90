"""The command `scratchnet width`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.terminal import console_for, name_device, progress
from scratchnet.demos.width.experiment import Result, run
from scratchnet.demos.width.figures import plot
from scratchnet.demos.width.report import SOLVED, report, sentences, summary
from scratchnet.demos.width.settings import (
    OPTIMIZER_NAMES,
    RATES,
    SIZES,
    TASKS,
    USUAL_SIZE,
    choose_settings,
    trainings,
)
from scratchnet.depth.targets import TARGETS

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s = result.settings
    sizes = {target: SIZES.get(target, USUAL_SIZE) for target in s.targets}
    rates = {task: {name: RATES[task, name] for name in s.optimizers} for task in s.tasks}
    return {
        "settings": {**vars(s), "sizes": sizes, "rates": rates, "solved": SOLVED},
        "environment": environment(s.backend),
        "rows": [
            {**vars(row), "seeds": list(range(s.seed, s.seed + s.seeds))} for row in result.rows
        ],
        "summary": {
            "sentences": sentences(result),
            "comparisons": summary(result),
            "unfinished": result.unfinished,
        },
    }


def command(
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            metavar="LIST",
            show_default="all",
            help=f"Functions to learn: {', '.join(TARGETS)}.",
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            metavar="N",
            min=1,
            show_default="1000, sparse 80060",
            help="Parameters of every network, met within half a unit of width.",
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths",
            metavar="LIST",
            show_default="1,2,4,8",
            help="Numbers of hidden layers; radial compares 1 with 2.",
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", metavar="LIST", show_default="both", help=", ".join(TASKS)),
    ] = None,
    optimizers: Annotated[
        str | None,
        typer.Option(
            "--optimizers",
            metavar="LIST",
            show_default="both",
            help="sgd is gradient descent on the whole set; adam.",
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
    out: options.Out = Path("runs/width"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Spend one budget of parameters on depth or on width: on which targets does depth win?"""
    given = {
        "targets": None if targets is None else options.names("--targets", targets, TARGETS),
        "budget": budget,
        "depths": None if depths is None else options.positive_integers("--depths", depths),
        "tasks": None if tasks is None else options.names("--tasks", tasks, TASKS),
        "optimizers": None
        if optimizers is None
        else options.names("--optimizers", optimizers, OPTIMIZER_NAMES),
        "seed": seed,
        "seeds": seeds,
        "quick": quick,
        "backend": backend,
    }
    settings = choose_settings({name: each for name, each in given.items() if each is not None})
    check_writable(out)
    console = console_for(json)
    with progress("training", sum(each.cost for each in trainings(settings))) as advance:
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
    if result.unfinished:
        raise typer.Exit(INTERRUPTED)

"""The command `scratchnet scaling`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver, environment, print_json
from scratchnet.demos.scaling import calculator
from scratchnet.demos.scaling.experiment import Curve, Result, Trained, cost, plan, run
from scratchnet.demos.scaling.figures import plot
from scratchnet.demos.scaling.report import report, sentences
from scratchnet.demos.scaling.settings import (
    BATCH,
    DEPTH,
    HELD_OUT,
    INPUTS,
    LEARNING_RATE,
    TEACHER_GAIN,
    TEACHER_SEED,
    TEACHER_WIDTH,
    choose_settings,
)
from scratchnet.demos.terminal import console_for, name_device, progress

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; losses have a column for each seed."""
    s = result.settings

    def trained(series: str, each: Trained) -> dict[str, Any]:
        return {"series": series, **vars(each), "best": each.best, "compute": each.compute}

    def curve(each: Curve) -> dict[str, Any]:
        law = dict(vars(each.law)) if each.law else None
        return {**vars(each), "law": law}

    return {
        "settings": {
            **vars(s),
            "inputs": INPUTS,
            "depth": DEPTH,
            "teacher_width": TEACHER_WIDTH,
            "teacher_gain": TEACHER_GAIN,
            "teacher_seed": TEACHER_SEED,
            "optimizer": "adam",
            "learning_rate": LEARNING_RATE,
            "batch_size": BATCH,
            "held_out": HELD_OUT,
        },
        "environment": environment(s.backend),
        "rows": [
            *(trained("parameters", each) for each in result.by_parameters),
            *(trained("samples", each) for each in result.by_samples),
        ],
        "summary": {
            "sentences": sentences(result),
            "curves": [curve(each) for each in result.curves],
            "unfinished": result.unfinished,
        },
    }


def calculate(
    predict: str | None, allocate: str | None, more: list[str], trained: bool, json: bool
) -> None:
    """Answer --predict and --allocate, to which the numbers behind them belong."""
    given = {"--predict": predict, "--allocate": allocate}
    if trained:
        raise InputError(
            "--predict and --allocate train nothing: they take numbers and --json, nothing else"
        )
    asked = [name for name, text in given.items() if text is not None]
    if more and len(asked) > 1:
        raise InputError(
            f"{' '.join(more)!r} could belong to --predict or --allocate: write lists with commas, "
            "such as --predict 1e8,1e10 --allocate 1e21"
        )
    numbers = {
        name: calculator.numbers(name, " ".join([given[name] or "", *more])) for name in asked
    }
    sizes, budgets = numbers.get("--predict", ()), numbers.get("--allocate", ())
    calculator.report(sizes, budgets, console_for(json))
    if json:
        print_json(
            {
                "predictions": calculator.predictions(sizes),
                "allocations": calculator.allocations(budgets),
                "constants": calculator.constants(),
            }
        )


def command(
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER]...", help="More numbers for --predict or --allocate."),
    ] = None,
    predict: Annotated[
        str | None,
        typer.Option(
            "--predict",
            metavar="N",
            help="No training: the loss that published laws give to language models of N "
            "parameters, such as 1e8 1e10.",
        ),
    ] = None,
    allocate: Annotated[
        str | None,
        typer.Option(
            "--allocate",
            metavar="C",
            help="No training: how published laws spend C floating-point operations, such as 1e21.",
        ),
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            "--parameters",
            metavar="LIST",
            show_default="30 to 30000",
            help="Sizes of networks, four or more.",
        ),
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option(
            "--samples",
            metavar="LIST",
            show_default="64 to 8192",
            help="Sizes of training sets, four or more.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", min=1, show_default="3072", help="Steps of each training."
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
    out: options.Out = Path("runs/scaling"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Loss against parameters, data and compute, and what published scaling laws predict."""
    given = {
        "parameters": None
        if parameters is None
        else options.positive_integers("--parameters", parameters),
        "samples": None if samples is None else options.positive_integers("--samples", samples),
        "steps": steps,
        "seeds": seeds,
        "quick": quick or None,
        "seed": seed or None,
    }
    given = {name: each for name, each in given.items() if each is not None}
    if predict is not None or allocate is not None:
        calculate(predict, allocate, more or [], bool(given) or show, json)
        return
    if more:
        raise InputError(f"{' '.join(more)!r}: numbers belong to --predict or --allocate")
    settings = choose_settings({**given, "backend": backend})
    check_writable(out)
    console = console_for(json)
    total = sum(cost(settings, *each) for each in plan(settings))
    with progress("training", total) as advance:
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

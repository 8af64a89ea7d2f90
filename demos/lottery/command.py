"""The command `scratchnet lottery`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.lottery.experiment import Result, run
from scratchnet.demos.lottery.figures import animate as animated
from scratchnet.demos.lottery.figures import plot
from scratchnet.demos.lottery.report import left, report, summary
from scratchnet.demos.lottery.settings import VARIANTS, choose_settings
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.terminal import console_for, name_device, progress

MOST_ROUNDS = 100


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s = result.settings
    return {
        "settings": {
            **vars(s),
            "optimizer": "adam",
            "initializer": "he_normal",
            "activation": "relu",
            "weights": result.weights,
            "layer_weights": result.layer_weights,
        },
        "environment": environment(s.backend),
        "rows": [
            {
                "round": each.number,
                "remaining_weights": each.remaining,
                "remaining": left(result, each.number),
                "remaining_of_each_layer": each.layer_remaining,
                "test_accuracy": dict(zip(VARIANTS, each.test_accuracy, strict=True)),
                "train_accuracy": dict(zip(VARIANTS, each.train_accuracy, strict=True)),
            }
            for each in result.rounds
        ],
        "summary": summary(result),
    }


def command(
    dataset: Annotated[
        Literal["spiral", "digits"],
        typer.Option("--dataset", help="digits needs scikit-learn: pip install -e '.[data]'"),
    ] = "spiral",
    method: Annotated[
        Literal["magnitude", "layer-magnitude", "snip", "initial-magnitude"],
        typer.Option(
            "--method", help="What is pruned; snip and initial-magnitude look before training."
        ),
    ] = "magnitude",
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            metavar="N",
            min=1,
            max=MOST_ROUNDS,
            show_default="10",
            help="How often to prune and train again.",
        ),
    ] = None,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--fraction",
            metavar="X",
            min=0.0,
            max=1.0,
            show_default="0.3",
            help="Of the remaining weights, how many each round prunes.",
        ),
    ] = None,
    rewind_step: Annotated[
        int,
        typer.Option(
            "--rewind-step",
            metavar="N",
            min=0,
            help="Set the ticket back to the weights after so many steps.",
        ),
    ] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            show_default="500, digits 200",
            help="Training steps of each round.",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            min=1,
            max=200,
            show_default="8, digits 3",
            help="Hidden layers.",
        ),
    ] = None,
    width: Annotated[
        int, typer.Option("--width", metavar="N", min=1, help="Neurons per layer.")
    ] = 32,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", metavar="X", min=0.0, help="Of Adam.")
    ] = 3e-3,
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            metavar="N",
            min=2,
            show_default="400",
            help="Of the spiral, to train, and to test, on.",
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
            show_default="10",
            help="How many seeds; results are means over them.",
        ),
    ] = None,
    animate: Annotated[
        bool, typer.Option("--animate", help="Also write a GIF of the mask as it thins.")
    ] = False,
    quick: options.Quick = False,
    out: options.Out = Path("runs/lottery"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Prune networks round after round: do sparse ones learn from where they began, and why?"""
    given = {
        "dataset": dataset,
        "method": method,
        "rounds": rounds,
        "fraction": fraction,
        "rewind_step": rewind_step,
        "steps": steps,
        "depth": depth,
        "width": width,
        "learning_rate": learning_rate,
        "points": points,
        "seed": seed,
        "seeds": seeds,
        "quick": quick,
        "backend": backend,
    }
    settings = choose_settings({name: each for name, each in given.items() if each is not None})
    check_writable(out)
    console = console_for(json)
    with progress("training", settings.total_steps) as advance:
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
        lambda: {"mask.gif": animated(result)} if animate else {},
    )
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)

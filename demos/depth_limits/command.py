"""The command `scratchnet depth-limits`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.depth_limits.experiment import Result, Row, cost, run
from scratchnet.demos.depth_limits.figures import plot
from scratchnet.demos.depth_limits.report import report, sentences, time_ratio
from scratchnet.demos.depth_limits.settings import (
    DESCRIPTIONS,
    KINDS,
    MOST_LAYERS,
    QUICK,
    SHALLOWEST_BOTTLENECK,
    Settings,
    networks,
)
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each kind and depth, lists over the seeds."""
    first = result.settings.seed

    def row(row: Row) -> dict[str, Any]:
        return {
            **vars(row.network),
            "own_layers": row.network.own_layers,
            "parameters": row.parameters,
            "train_accuracy": row.accuracy,
            "train_accuracy_estimate": mean_interval(row.accuracy),
            "first_gradient": row.first_gradient,
            "final_loss": row.final_loss,
            "epoch_of_nan": {first + each: epoch for each, epoch in row.diverged.items()},
            "time_relative_to_plain": time_ratio(result, row),
        }

    return {
        "settings": {**vars(result.settings), "kinds_described": DESCRIPTIONS},
        "environment": environment(result.settings.backend),
        "rows": [row(each) for each in result.rows],
        "summary": {
            "sentences": sentences(result),
            "interrupted": bool(result.unfinished),
            "unfinished": list(map(str, result.unfinished)),
        },
    }


def command(
    kinds: Annotated[
        str, typer.Option("--kinds", metavar="LIST", help="Networks to compare.")
    ] = ",".join(KINDS),
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers",
            metavar="LIST",
            show_default="2,4,8,16,32,64",
            help="Numbers of hidden layers.",
        ),
    ] = None,
    width: Annotated[
        int, typer.Option("--width", metavar="N", min=1, max=1000, help="ReLUs in each layer.")
    ] = 32,
    clip: Annotated[
        float | None,
        typer.Option(
            "--clip", metavar="X", show_default="off", help="Bound each network's gradient norm."
        ),
    ] = None,
    warmup: Annotated[
        int | None,
        typer.Option(
            "--warmup",
            metavar="N",
            min=1,
            show_default="off",
            help="Let the learning rate rise over N steps.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", metavar="N", min=1, show_default="300, quick 200", help="Training steps."
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
            show_default="10, quick 5",
            help="How many seeds; results are means over them.",
        ),
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/depth-limits"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Networks of 2 to 64 layers: where depth hurts training, and what each remedy does."""
    given = {
        "layers": None if layers is None else numbers_of_layers(layers),
        "epochs": epochs,
        "seeds": seeds,
    }
    settings = Settings(
        kinds=options.names("--kinds", kinds, KINDS),
        width=width,
        clip=None if clip is None else positive("--clip", clip),
        warmup=warmup,
        seed=seed,
        backend=backend,
        **{
            **(QUICK if quick else {}),
            **{name: value for name, value in given.items() if value is not None},
        },
    )
    planned = networks(settings)
    if not planned:
        raise InputError(
            f"--layers {layers}: a bottleneck network has at least {SHALLOWEST_BOTTLENECK}"
        )
    check_writable(out)
    console = console_for(json)
    with progress("training", total=sum(cost(settings, each) for each in planned)) as advance:
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


def numbers_of_layers(text: str) -> tuple[int, ...]:
    layers = options.positive_integers("--layers", text)
    if max(layers) > MOST_LAYERS:
        raise InputError(f"--layers {max(layers)}: expected at most {MOST_LAYERS} hidden layers")
    return layers


def positive(option: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise InputError(f"{option} {value:g}: expected a number above 0")
    return value

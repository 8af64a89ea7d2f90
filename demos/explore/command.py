"""The command `scratchnet explore`: its options, and its record as JSON."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.demos import options
from scratchnet.demos.changes import TEST_NAME
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.explore.experiment import Inside, Result, Row, run
from scratchnet.demos.explore.figures import plot
from scratchnet.demos.explore.report import (
    between,
    mean_test_accuracy,
    plain_row,
    report,
    rows_of,
    sentences,
    time_ratio,
)
from scratchnet.demos.explore.settings import choose_settings, chosen_datasets
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s = result.settings

    def row(row: Row, reference: Row) -> dict[str, Any]:
        t = row.trained
        return {
            **vars(t.training),
            "variant": row.variant,
            "parameters": t.parameters,
            "train_accuracy": t.train_accuracy,
            "train_accuracy_estimate": mean_interval(t.train_accuracy),
            "test_accuracy": t.test_accuracy,
            "test_accuracy_estimate": mean_test_accuracy(row),
            "final_loss": t.final_loss,
            "seconds": t.seconds,
            "step_seconds": result.times.get(t.training),
            "time_ratio": time_ratio(result, row, reference),
            "diverged": {s.seed + network: when for network, when in t.diverged.items()},
        }

    return {
        "settings": {**vars(s), "initializer": "he_normal", "activation": "relu"},
        "environment": environment(s.backend),
        "rows": [
            row(each, rows_of(result, name)[0])
            for name in s.datasets
            for each in rows_of(result, name)
        ],
        "summary": {
            "sentences": sentences(result),
            "test": TEST_NAME,
            "differences": [
                {
                    "dataset": name,
                    "from": a.depth,
                    "to": b.depth,
                    "test_accuracy": between(a, b).estimate,
                }
                for name in s.datasets
                for a, b in pairwise(rows_of(result, name))
            ],
            "variants": [row(each, plain_row(result, each)) for each in result.variants],
            "layers": layers(result.inside) if result.inside else None,
            "interrupted": bool(result.unfinished),
            "unfinished": [str(each) for each in result.unfinished],
        },
    }


def layers(inside: Inside) -> dict[str, Any]:
    """The probes of the network that was looked into."""
    return {
        "depth": inside.depth,
        "layers": inside.after.layers,
        "trained": inside.after.test,
        "untrained": inside.before.test,
        "raw_inputs": inside.inputs.test,
    }


def command(
    datasets: Annotated[
        str | None,
        typer.Option(
            "--datasets",
            metavar="LIST",
            show_default="all that work here",
            help="Of linear, circles, spirals, digits; digits needs scikit-learn.",
        ),
    ] = None,
    depths: Annotated[
        str | None,
        typer.Option(
            "--depths",
            metavar="LIST",
            show_default="1,2,4,8,16",
            help="Numbers of hidden layers to compare.",
        ),
    ] = None,
    width: Annotated[
        int, typer.Option("--width", metavar="N", min=1, help="Neurons per layer.")
    ] = 32,
    optimizer: Annotated[
        Literal["sgd", "adam"],
        typer.Option("--optimizer", help="Of the points; digits are learned with adam always."),
    ] = "sgd",
    points: Annotated[
        int, typer.Option("--points", metavar="N", min=2, help="To train, and to test, on.")
    ] = 400,
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
    quick: options.Quick = False,
    out: options.Out = Path("runs/explore"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Train networks of several depths on data from easy to hard, and look into their layers."""
    given = {
        "datasets": chosen_datasets(datasets),
        "depths": None if depths is None else options.positive_integers("--depths", depths),
        "width": width,
        "optimizer": optimizer,
        "points": points,
        "seed": seed,
        "seeds": seeds,
        "quick": quick,
        "backend": backend,
    }
    settings = choose_settings({name: each for name, each in given.items() if each is not None})
    check_writable(out)
    console = console_for(json)
    total = sum(each.cost for each in (*settings.main(), *settings.variants()))
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

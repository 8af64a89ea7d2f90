"""The command `scratchnet init`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.init.experiment import Result, run
from scratchnet.demos.init.figures import plot
from scratchnet.demos.init.report import report, sentences
from scratchnet.demos.init.settings import (
    ACTIVATIONS,
    QUICK,
    RULES,
    SHAPES,
    Settings,
)
from scratchnet.demos.init.variances import Case
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each rule, activation and shape."""

    def means(values: Any) -> list[Any]:
        return [mean_interval(column) for column in values.T]

    def row(case: Case) -> dict[str, Any]:
        return {
            "rule": case.rule,
            "weight_variance": RULES[case.rule].formula,
            "activation": case.activation,
            "shape": case.shape,
            "widths": case.widths,
            "forward": means(case.forward),
            "forward_formula": case.forward_formula,
            "backward": means(case.backward),
            "backward_formula": case.backward_formula,
        }

    first, g = result.settings.seed, result.gradients
    trainings = [
        {
            "rule": each.rule,
            "activation": each.activation,
            "final_loss": each.final_loss,
            "train_accuracy": each.accuracy,
            "epoch_of_nan": {first + network: epoch for network, epoch in each.diverged.items()},
            "stalled": [first + network for network in each.stalled],
            "learned": [first + network for network in each.learned],
        }
        for each in result.trainings
    ]
    bound = g and {
        "networks": len(g.norm),
        "violations": g.violations,
        "false_bound_violations": g.false_violations,
        "largest_share_of_bound": float((g.norm / g.bound).max()),
    }
    return {
        "settings": result.settings,
        "environment": environment(result.settings.backend),
        "rows": [row(each) for each in result.cases],
        "summary": {
            "sentences": sentences(result),
            "trainings": trainings,
            "sigmoid_bound": bound,
            "interrupted": result.interrupted,
        },
    }


def count(flag: str, text: str, usual: str, low: int, high: int) -> Any:
    """The option for a whole number whose default depends on --quick."""
    return typer.Option(flag, metavar="N", min=low, max=high, show_default=usual, help=text)


def command(
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules", metavar="LIST", show_default="all", help=f"Some of {', '.join(RULES)}."
        ),
    ] = None,
    activations: Annotated[
        str,
        typer.Option("--activations", metavar="LIST", help=f"Some of {', '.join(ACTIVATIONS)}."),
    ] = ",".join(ACTIVATIONS),
    shapes: Annotated[
        str, typer.Option("--shapes", metavar="LIST", help="How widths change with depth.")
    ] = ",".join(SHAPES),
    width: Annotated[
        int | None, count("--width", "Of the constant shape.", "100, quick 50", 2, 1000)
    ] = None,
    depth: Annotated[
        int | None, count("--depth", "Layers of the constant shape.", "20", 2, 50)
    ] = None,
    networks: Annotated[
        int | None,
        count("--networks", "Random networks to measure.", "100, quick 40", 2, 10_000),
    ] = None,
    epochs: Annotated[
        int | None, count("--epochs", "Training steps.", "300, quick 150", 1, 100_000)
    ] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    seeds: Annotated[
        int | None, count("--seeds", "Networks to train of each kind.", "10, quick 3", 1, 1000)
    ] = None,
    quick: options.Quick = False,
    out: options.Out = Path("runs/init"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """How large first weights must be: signals, gradients, and what training makes of them."""
    given = {
        "rules": None if rules is None else options.names("--rules", rules, RULES),
        "width": width,
        "depth": depth,
        "networks": networks,
        "epochs": epochs,
        "seeds": seeds,
    }
    settings = Settings(
        activations=options.names("--activations", activations, ACTIVATIONS),
        shapes=options.names("--shapes", shapes, SHAPES),
        seed=seed,
        backend=backend,
        **{
            **(QUICK if quick else {}),
            **{name: value for name, value in given.items() if value is not None},
        },
    )
    check_writable(out)
    console = console_for(json)
    with progress("measuring", total=1.0) as advance:
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

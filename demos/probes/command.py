"""The command `scratchnet probes`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.demos import options
from scratchnet.demos.probes.experiment import Result, run
from scratchnet.demos.probes.figures import plot
from scratchnet.demos.probes.report import report, rises, sentences
from scratchnet.demos.probes.settings import DEEPEST, choose_settings
from scratchnet.demos.representation import Representation
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.statistics import mean_interval
from scratchnet.demos.terminal import console_for, name_device, progress
from scratchnet.depth.probes import GRADIENT_TOLERANCE, PENALTY

__all__ = ["command", "plot", "record", "report", "run"]


def layer_rows(trained: Representation, untrained: Representation) -> list[dict[str, Any]]:
    """A row for each layer; lists have an entry for each seed."""
    names = ("train", "test", "zero_share", "dead_share", "effective_rank")
    return [
        {
            "layer": layer,
            "trained": {name: getattr(trained, name)[i] for name in names},
            "untrained": {name: getattr(untrained, name)[i] for name in names},
        }
        for i, layer in enumerate(trained.layers)
    ]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; lists have an entry for each seed."""
    s, t = result.settings, result.trained
    always, never_falls, runs = rises(result)
    return {
        "settings": {
            **vars(s),
            "initializer": "he_normal",
            "activation": "relu",
            "probe": "softmax regression on standardised outputs, L-BFGS",
            "probe_penalty": PENALTY,
            "probe_gradient_tolerance": GRADIENT_TOLERANCE,
        },
        "environment": environment(s.backend),
        "rows": layer_rows(result.after, result.before),
        "summary": {
            "sentences": sentences(result),
            "parameters": t.parameters,
            "train_accuracy": t.train_accuracy,
            "test_accuracy": t.test_accuracy,
            "test_accuracy_estimate": mean_interval(t.test_accuracy),
            "raw_inputs": {"train": result.inputs.train, "test": result.inputs.test},
            "runs": runs,
            "runs_that_rise_with_every_layer": always,
            "runs_that_never_fall": never_falls,
            "seconds": t.seconds,
            "diverged": {s.seed + network: when for network, when in t.diverged.items()},
        },
    }


def command(
    dataset: Annotated[
        Literal["spiral", "digits"],
        typer.Option("--dataset", help="digits needs scikit-learn: pip install -e '.[data]'"),
    ] = "spiral",
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, max=DEEPEST, help="Hidden layers.")
    ] = 8,
    width: Annotated[
        int, typer.Option("--width", metavar="N", min=1, help="Neurons per layer.")
    ] = 32,
    optimizer: Annotated[
        Literal["sgd", "adam"] | None,
        typer.Option(
            "--optimizer",
            show_default="sgd, digits adam",
            help="sgd is gradient descent on the whole set.",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="X",
            min=0.0,
            show_default="0.05, digits 0.003",
            help="Length of a step.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", metavar="N", min=1, show_default="3000, digits 300", help="Training steps."
        ),
    ] = None,
    batch_norm: Annotated[
        bool, typer.Option("--batch-norm", help="Batch normalisation in every hidden layer.")
    ] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Skip connections around the hidden layers.")
    ] = False,
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
    embedding: Annotated[
        Literal["pca", "tsne"],
        typer.Option("--embedding", help="How layers are drawn; tsne needs scikit-learn."),
    ] = "pca",
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
    out: options.Out = Path("runs/probes"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Read the class from every hidden layer with a linear probe, before and after training."""
    given = {
        "dataset": dataset,
        "depth": depth,
        "width": width,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "epochs": epochs,
        "batch_norm": batch_norm,
        "skip": skip,
        "points": points,
        "embedding": embedding,
        "seed": seed,
        "seeds": seeds,
        "quick": quick,
        "backend": backend,
    }
    settings = choose_settings({name: each for name, each in given.items() if each is not None})
    check_writable(out)
    console = console_for(json)
    with progress("training", settings.training.cost) as advance:
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

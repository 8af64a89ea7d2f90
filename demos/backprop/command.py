"""The command `scratchnet backprop`: its options, and its record as JSON."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.backends.errors import InputError
from scratchnet.demos import options
from scratchnet.demos.backprop.experiment import LARGEST_INPUT, Result, recorded_calls, run
from scratchnet.demos.backprop.figures import plot
from scratchnet.demos.backprop.graph_drawing import svg
from scratchnet.demos.backprop.report import report
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.terminal import console_for, name_device

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """What `result.json` holds."""
    return {
        "settings": result.settings,
        "environment": result.environment,
        "rows": [
            {
                "node": node.name,
                "operation": node.operation,
                "expression": node.expression,
                "value": node.value,
                "gradient": node.gradient,
                "finite_difference": node.finite_difference,
                "difference": node.difference,
            }
            for node in result.nodes
        ],
        "edges": result.edges,
        "summary": {
            "loss": result.loss,
            "loss_after_step": result.loss_after_step,
            "predicted_fall": result.predicted_fall,
            "largest_difference": result.largest_difference,
            "at_a_kink": result.at_a_kink,
        },
    }


def pair(option: str, text: str) -> tuple[float, float]:
    """The two numbers of a text such as `2,-1`; `InputError`, naming the option, for others."""
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        first = second = math.nan
    if not all(abs(x) <= LARGEST_INPUT for x in (first, second)):
        raise InputError(
            f"{option} {text!r}: expected two numbers from -{LARGEST_INPUT:g} to "
            f"{LARGEST_INPUT:g}, separated by a comma, such as 2,-1"
        )
    return first, second


def command(
    inputs: Annotated[
        str, typer.Option("--inputs", metavar="A,B", help="The sample: x1 and x2.")
    ] = "2,-1",
    target: Annotated[int, typer.Option("--target", min=0, max=1, help="Its label.")] = 1,
    activation: Annotated[
        Literal["relu", "tanh", "sigmoid"],
        typer.Option("--activation", help="What the two hidden neurons do."),
    ] = "relu",
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", min=0.0, help="Of the step of gradient descent.")
    ] = 0.1,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Random weights, instead of simple ones."),
    ] = None,
    dot: Annotated[
        bool, typer.Option("--dot", help="Print only the graph, as DOT text, and write no files.")
    ] = False,
    recorded: Annotated[
        bool,
        typer.Option("--recorded", help="Print only the calls of a recorded training step."),
    ] = False,
    backend: options.Backend = "numpy",
    out: options.Out = Path("runs/backprop"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Print one forward and one backward pass through a tiny network, node by node.

    Two inputs, two hidden neurons, one output, binary cross-entropy. Every gradient stands beside
    its finite difference, and the graph is drawn.
    """
    if dot + json + recorded > 1:
        raise InputError("--dot, --json and --recorded each print on stdout: give one of them")
    chosen = pair("--inputs", inputs)
    if recorded:
        calls = recorded_calls(chosen, target, activation, learning_rate, backend)
        sys.stdout.write("".join(f"{line}\n" for line in calls))
        return
    if not dot:
        check_writable(out)
    result = run(chosen, target, activation, seed, learning_rate, backend)
    if dot:
        sys.stdout.write(result.dot)
        return
    console = console_for(json)
    name_device(console, backend)

    def drawings() -> dict[str, bytes]:
        return {"graph.dot": result.dot.encode(), "graph.svg": svg(plot(result)["graph"])}

    deliver(
        out,
        record(result),
        lambda: plot(result),
        lambda: report(result, console),
        console,
        json,
        show,
        drawings,
    )

"""The command `scratchnet bench`: its options, and its record as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scratchnet.backends import PRECISIONS
from scratchnet.demos import options
from scratchnet.demos.bench.experiment import Result, Row, run, total_cost
from scratchnet.demos.bench.figures import plot
from scratchnet.demos.bench.problem import LEARNING_RATE, STEPS_COMPARED, TOLERANCE
from scratchnet.demos.bench.report import report, sentences
from scratchnet.demos.bench.settings import PEERS, choose_settings, listed_names
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.results import check_writable, deliver
from scratchnet.demos.terminal import console_for, progress

__all__ = ["command", "plot", "record", "report", "run"]


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; a row for each case."""
    s = result.settings
    main = "cupy" if "cupy" in s.backends else "numpy"
    return {
        "settings": {
            "figures": s.figures,
            "rounds": s.rounds,
            "threads": s.threads,
            "clock": s.clock,
            "peers": s.peers,
            "baseline": s.baseline,
            "compiled": s.compiled,
            "seed": s.seed,
            "quick": s.quick,
            "learning_rate": LEARNING_RATE,
            "steps_compared": STEPS_COMPARED,
            "tolerance": TOLERANCE,
        },
        "environment": result.environments[main],
        "rows": [row_record(row) for row in result.rows],
        "summary": {
            "sentences": sentences(result),
            "environments": result.environments,
            "ceilings": [
                {
                    "backend": name,
                    "precision": precision,
                    "product_operations_per_second": each.product_rate,
                    "bytes_per_second": each.bandwidths,
                }
                for (name, precision), each in result.ceilings.items()
            ],
            "notes": result.notes,
            "interrupted": result.interrupted,
        },
    }


def row_record(row: Row) -> dict[str, Any]:
    """Times are of one step of one network, ratios of a time to the recorded step's."""
    return {
        "network": row.case.network,
        **vars(row.case),
        "parameters": row.case.parameters,
        **vars(row.count),
        "seconds": row.seconds,
        "time_over_recorded": row.ratios,
        "roofline": row.placements,
        "largest_loss_difference": row.largest_difference,
        "share_of_other_processes": row.other_processes,
        "share_of_other_threads": row.other_threads,
    }


def command(
    depths: Annotated[
        str | None,
        typer.Option("--depths", show_default="1,4,8", help="Hidden layers, separated by commas."),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option("--widths", show_default="16,64,256", help="Neurons per layer."),
    ] = None,
    batches: Annotated[
        str | None, typer.Option("--batches", show_default="64,512", help="Points per step.")
    ] = None,
    ensembles: Annotated[
        str | None,
        typer.Option("--ensembles", show_default="1,10", help="Networks trained side by side."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision", show_default="fp32", help="fp32, and on CUDA also tf32, bf16, fp16."
        ),
    ] = None,
    figures: Annotated[
        bool,
        typer.Option("--figures", help="The networks of the README's table, with --baseline."),
    ] = False,
    peers: Annotated[
        str | None,
        typer.Option(
            "--peers",
            show_default="none",
            help="torch,jax time the same step there (extra: bench).",
        ),
    ] = None,
    baseline: Annotated[
        bool,
        typer.Option("--baseline", help="Add a hand-written loop, and the matrix products alone."),
    ] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Add the compiled step, many steps a call.")
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            metavar="N",
            min=2,
            max=10_000,
            show_default="15, --figures 60",
            help="How often each contestant has its turn.",
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option("--threads", metavar="N", min=1, help="Cores and threads, for everybody."),
    ] = 1,
    clock: Annotated[
        Literal["wall", "processor"],
        typer.Option(
            "--clock", help="processor leaves out what other processes took on a busy machine."
        ),
    ] = "wall",
    backend: Annotated[
        Literal["all", "numpy", "cupy"],
        typer.Option("--backend", help="Array library: all takes every one that works here."),
    ] = "all",
    seed: options.Seed = 0,
    quick: options.Quick = False,
    out: options.Out = Path("runs/bench"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """How fast training steps are: beside the device's limits, and beside other libraries."""
    lists = {"depths": depths, "widths": widths, "batches": batches, "ensembles": ensembles}
    given: dict[str, Any] = {
        name: options.positive_integers(f"--{name}", text)
        for name, text in lists.items()
        if text is not None
    }
    if precision is not None:
        given["precisions"] = listed_names("--precision", precision, PRECISIONS)
    if peers is not None:
        given["peers"] = listed_names("--peers", peers, PEERS)
    if baseline:
        given["baseline"] = True
    if rounds is not None:
        given["rounds"] = rounds
    given |= {"figures": figures, "threads": threads, "clock": clock, "backend": backend}
    given["compiled"] = compiled
    given["seed"] = seed
    settings = choose_settings({**given, "quick": quick})
    check_writable(out)
    console = console_for(json)
    with progress("timing", total_cost(settings)) as advance:
        result = run(settings, advance)
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

"""The command `scratchnet bench`, and its record as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scratchnet.demos.bench.figures import figures
from scratchnet.demos.bench.problem import LEARNING_RATE, STEPS_COMPARED, TOLERANCE
from scratchnet.demos.bench.report import report, sentences
from scratchnet.demos.bench.run import Result, Row, run, total_cost
from scratchnet.demos.bench.settings import Options, choose_settings
from scratchnet.demos.experiment import save_figures, show_figures
from scratchnet.demos.progress import progress
from scratchnet.demos.results import RECORD_NAME, check_writable, print_json, to_json
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import parse, resolve
from scratchnet.files import write_atomically
from scratchnet.interruption import INTERRUPTED

QUESTION = "How fast is a training step: beside the device's limits, and beside other libraries?"


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    if {"-h", "--help"} & set(arguments):
        Screen().help("bench", Options, QUESTION)
        return 0
    options = resolve(Options, {"out": Path("runs/bench"), **parse(Options, arguments)})
    settings = choose_settings(options)
    check_writable(options.out)
    screen = Screen(options.json)
    screen.text(QUESTION, "bold")
    with progress("timing", total_cost(settings)) as advance:
        result = run(settings, advance)
    if not result.rows:
        screen.text("Interrupted before anything was measured.")
        return INTERRUPTED
    kept = record(result)
    path = options.out / RECORD_NAME
    write_atomically(path, to_json(kept).encode() + b"\n")
    report(result, screen)
    for each in (path, *save_figures(figures(result), options.out)):
        screen.whole(f"  {each}")
    if options.json:
        print_json(kept)
    if options.show:
        show_figures(figures(result), screen)
    return INTERRUPTED if result.interrupted else 0


def record(result: Result) -> dict[str, Any]:
    """The result as `result.json` and --json give it; a row for each case."""
    first = "cupy" if "cupy" in result.settings.backends else "numpy"
    settings = {name: each for name, each in vars(result.settings).items() if name != "cases"}
    settings |= {"learning_rate": LEARNING_RATE, "steps_compared": STEPS_COMPARED}
    return {
        "settings": settings | {"tolerance": TOLERANCE},
        "environment": result.environments[first],
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

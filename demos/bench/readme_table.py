"""The README's benchmark tables, written from the committed results.

`python -m scratchnet.demos.bench.readme_table README.md` replaces what stands between the two
markers by a table for each `demos/results/bench*.json`, so that no number is copied by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.bench.report import COLUMNS
from scratchnet.demos.bench.settings import Case
from scratchnet.demos.command_line import complain
from scratchnet.demos.timing import Spread
from scratchnet.files import write_atomically

RESULTS = Path(__file__).resolve().parent.parent / "results"
LEFT_OUT = ("torch.compile", "JAX scan")
"""Columns that stand in the results only: the table has to be narrow enough to be read."""
NO_GPU = """No GPU has been measured yet; on one,
`scratchnet bench --figures --peers torch,jax --backend cupy` times these networks, a thousand of
them at once, and matrices large enough for its peak."""
START, END = "<!-- bench: generated -->", "<!-- bench: end -->"


def section(records: Sequence[Mapping[str, Any]]) -> str:
    """What stands between the markers: for each record a line about the run, and its table.

    Where no record is of a GPU, it says so.
    """
    parts = [f"{about(record)}\n\n{table(record)}" for record in records]
    if not any(record["environment"].get("backend") == "cupy" for record in records):
        parts.append(NO_GPU)
    return "\n\n".join(parts)


def about(record: Mapping[str, Any]) -> str:
    """The device, the versions and the date of a run, as one line."""
    facts, settings = record["environment"], record["settings"]
    cores = f"{settings['threads']} core{'s' * (settings['threads'] > 1)}"
    on = "" if facts.get("backend") == "cupy" else f", {cores}"
    clock = ", processor time" if settings["clock"] == "processor" else ""
    libraries = {"numpy": "NumPy", "cupy": "CuPy", "PyTorch": "PyTorch", "JAX": "JAX"}
    kernel = f" ({facts['blas']}, {facts['kernel']} kernel)" if "kernel" in facts else ""
    versions = [
        f"{title} {facts[name]}{kernel * (name == 'numpy')}"
        for name, title in libraries.items()
        if name in facts
    ]
    return (
        f"**{facts['device']}{on}**, float32, {settings['rounds']} rounds{clock}, "
        f"{facts['date'][:10]}; "
        f"{', '.join(versions)}."
    )


def table(record: Mapping[str, Any]) -> str:
    """Markdown: a row for each network, a column for each who took part in any."""
    rows = [row["time_over_recorded"] for row in record["rows"]]
    columns = {
        title: names
        for title, names in COLUMNS.items()
        if title not in LEFT_OUT and any(set(names) & set(row) for row in rows)
    }
    lines = [
        f"| network | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for row, ratios in zip(record["rows"], rows, strict=True):
        cells = [cell(ratios, names) for names in columns.values()]
        lines.append(f"| {network(row)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def network(row: Mapping[str, Any]) -> str:
    """The row's case in Markdown, with its precision where that is not float32."""
    names = ("depth", "width", "batch", "networks", "precision", "backend")
    case = Case(**{name: row[name] for name in names})
    label = str(case).replace(case.network, f"`{case.network}`").replace(" x ", " × ")
    return label + ("" if case.precision == "fp32" else f", {case.precision}")


def cell(ratios: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    for name in names:
        if name in ratios:
            return str(Spread(**ratios[name])).replace(" to ", "–")
    return ""


def committed_records() -> list[dict[str, Any]]:
    """Each `demos/results/bench*.json`, by name."""
    found = sorted(RESULTS.glob("bench*.json"), key=lambda path: path.stem)
    return [json.loads(path.read_text()) for path in found]


def updated(text: str, records: Sequence[Mapping[str, Any]]) -> str:
    """The text with the tables between its markers; `InputError` where a marker is missing."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InputError(f"the text lacks the lines {START} and {END}, in that order")
    return f"{before}{START}\n\n{section(records)}\n\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Rewrite the file; the exit status."""
    if len(arguments) != 1:
        return complain("readme_table: expected one file, such as README.md")
    path = Path(arguments[0])
    try:
        write_atomically(path, updated(path.read_text(), committed_records()).encode())
    except (InputError, OSError) as error:
        return complain(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

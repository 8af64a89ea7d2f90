"""The README's benchmark tables, written from the committed results.

`python -m scratchnet.demos.bench.readme_table README.md` replaces what stands between the two
markers by the tables of each `demos/results/bench*.json`, so that no number is copied by hand.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.bench.report import limits_table, ratio_table
from scratchnet.demos.bench.roofline import Placement
from scratchnet.demos.bench.timing import Spread
from scratchnet.demos.running import Result, Row
from scratchnet.demos.screen import Table
from scratchnet.files import write_atomically

RESULTS = Path(__file__).resolve().parent.parent / "results"
NO_GPU = """No GPU has been measured yet; on one,
`scratchnet bench --figures --peers torch,jax --backend cupy --compiled` times these networks, a
thousand of them at once, also with products in TF32, and matrices large enough for its peak."""
START, END = "<!-- bench: generated -->", "<!-- bench: end -->"

Record = Mapping[str, Any]


def section(records: Sequence[Record]) -> str:
    """What stands between the markers: for each record a line about the run, and its tables.

    Where no record is of a GPU, it says so.
    """
    parts = []
    for record in records:
        result = result_of(record)
        parts += [about(record), *map(markdown, (ratio_table(result), limits_table(result)))]
    on_gpu = any(record["environment"].get("backend") == "cupy" for record in records)
    return "\n\n".join(parts if on_gpu else [*parts, NO_GPU])


def about(record: Record) -> str:
    """The device, the versions, the date and the peak of a run, as one line."""
    facts, settings, extra = record["environment"], record["settings"], record["extra"]
    threads = f"{settings['threads']} thread{'s' * (settings['threads'] > 1)}"
    kernel = f" ({facts['blas']}, {facts['kernel']} kernel)" if "kernel" in facts else ""
    versions = [f"NumPy {facts['numpy']}{kernel}"]
    versions += [f"{name} {each}" for name, each in extra["versions"].items() if name != "compiler"]
    return (
        f"**{facts['device']}, {threads}**, float32, {settings['rounds']} rounds, "
        f"{facts['date'][:10]}; {', '.join(versions)}. The peak is {extra['peak']}."
    )


def result_of(record: Record) -> Result:
    """What the tables need of it."""
    kinds: dict[str, Callable[..., Any]] = {
        "seconds": Spread,
        "time_over_recorded": Spread,
        "roofline": Placement,
    }
    rows = []
    for each in record["rows"]:
        found = {
            name: {who: kind(**numbers) for who, numbers in each[name].items()}
            for name, kind in kinds.items()
        }
        rows.append(Row(each["arm"], {**each, **found}, (), {}))
    return Result(SimpleNamespace(**record["settings"]), rows)


def markdown(table: Table) -> str:
    """The table, with a spread below its median, so that it is narrow enough to be read."""
    headings = [" ".join(heading.split()) for heading in table.headings]
    lines = [headings, ["---"] * len(headings), *table.rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    text = re.sub(r"2-\[\S+-1", r"`\g<0>`", text).replace(" x `", " × `")
    return f"{table.title}:\n\n" + re.sub(r" \[(\S+) to (\S+)\]", r"<br>[\1–\2]", text)


def committed_records(results: Path = RESULTS) -> list[Record]:
    """Each `bench*.json` of the folder, by name."""
    found = sorted(results.glob("bench*.json"), key=lambda path: path.stem)
    return [json.loads(path.read_text()) for path in found]


def updated(text: str, records: Sequence[Record]) -> str:
    """The text with the tables between its markers; `InputError` where a marker is missing."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise InputError(f"the text lacks the lines {START} and {END}, in that order")
    return f"{before}{START}\n\n{section(records)}\n\n{END}{after}"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    write_atomically(readme, updated(readme.read_text(), committed_records()).encode())

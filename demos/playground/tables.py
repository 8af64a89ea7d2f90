"""A table from the page, CSV or Parquet: two of its columns, and a column of classes."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos.playground.state import MOST_CLASSES, Data
from scratchnet.demos.train.columns import LARGEST_NUMBER, counted, is_words, shown
from scratchnet.demos.train.data_files import SEPARATORS, TABLES, read_table
from scratchnet.extras import require

MOST_TABLES = 8
MOST_COLUMNS = 1000
MOST_ROWS = 200_000
MOST_VALUES = 2_000_000
MOST_UNPACKED = 1 << 28
PARQUET = b"PAR1"
LONGEST_NAME = 200


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file by name: float64 with NaN, or texts with None, for what is missing."""

    name: str
    columns: Mapping[str, Any]

    def described(self) -> dict[str, Any]:
        """What the page is told of it: each column's kind, and what is missing."""
        columns = [
            {
                "name": name,
                "kind": "words" if is_words(values) else "numbers",
                "different": len(set(present(values))),
                "missing": len(values) - len(present(values)),
            }
            for name, values in self.columns.items()
        ]
        rows = len(next(iter(self.columns.values())))
        notes = [
            f"column {each['name']!r}: {counted(each['missing'], 'missing value')}"
            for each in columns
            if each["missing"]
        ]
        return {"rows": rows, "columns": columns, "notes": notes}


class Tables:
    """The last few tables that pages have sent, by their ids. Any thread may use it."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Table] = OrderedDict()
        self._lock = Lock()

    def add(self, table: Table) -> str:
        """Keep a table, and let the oldest one go; its id."""
        name = secrets.token_urlsafe(8)
        with self._lock:
            self._held[name] = table
            while len(self._held) > MOST_TABLES:
                self._held.popitem(last=False)
        return name

    def get(self, name: str) -> Table:
        """Raises `InputError` for an id that is not, or no longer, here."""
        with self._lock:
            if name not in self._held:
                given = f"{name!r} is not here" if name else "is empty"
                raise InputError(
                    f"data.table {given}: must be a table sent to this server; send it"
                )
            return self._held[name]


def read(content: bytes, name: str) -> Table:
    """The table that a file's bytes hold, CSV or Parquet.

    Raises `InputError`, one sentence, for anything else, for fewer than three columns, and for too
    many columns or rows.
    """
    shown_name = name[:LONGEST_NAME] or "the file"
    suffix = ".csv"
    if content.startswith(PARQUET):
        suffix = ".parquet"
        check_parquet(content, shown_name)
    else:
        # Before it is parsed, which takes fifty times its size.
        check_size(shown_name, 0, content.count(b"\n") - 1)
        values = max(content.count(each.encode()) for each in SEPARATORS)
        if values > MOST_VALUES:
            raise InputError(
                f"{shown_name} has {values:,} values: must have at most {MOST_VALUES:,}"
            )
    with tempfile.TemporaryDirectory() as folder:
        # The name that the page gives is only shown: it reaches no file.
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(content)
        try:
            columns = read_table(path)
        except InputError as error:
            said = str(error).replace(str(path), shown_name)
            raise InputError(said.replace(TABLES, "CSV in UTF-8, or Parquet")) from None
    check_size(shown_name, len(columns), len(next(iter(columns.values()))))
    if len(columns) < 2:
        raise InputError(
            f"{shown_name} has one column: must have two or more, one of them the classes"
        )
    return Table(shown_name, columns)


def check_size(name: str, columns: int, rows: int) -> None:
    """Raise `InputError` for too many of them."""
    for what, count, most in (("columns", columns, MOST_COLUMNS), ("rows", rows, MOST_ROWS)):
        if count > most:
            raise InputError(f"{name} has {count:,} {what}: must have at most {most:,}")


def check_parquet(content: bytes, name: str) -> None:
    """Raise `InputError` where a file's own description says that it is too large unpacked."""
    parquet = require("pyarrow.parquet", "pyarrow", "data", f"{name}, a Parquet file,")
    try:
        described = parquet.read_metadata(io.BytesIO(content))
        groups = [described.row_group(i) for i in range(described.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
    except Exception as error:
        # A damaged file can fail in any way.
        raise InputError(f"{name} is no Parquet file: {str(error).splitlines()[0]}") from None
    check_size(name, described.num_columns, described.num_rows)
    if size > MOST_UNPACKED:
        raise InputError(
            f"{name} has {size >> 20} MiB unpacked: must have at most {MOST_UNPACKED >> 20} MiB"
        )


def present(values: Any) -> list[Any]:
    """The values of a column that are not missing."""
    return [value for value in values.tolist() if value is not None and value == value]


@dataclass(frozen=True, eq=False)
class Chosen:
    """X (N, 2), y (N,), the classes, the names of the axes, and sentences on what is left out."""

    X: Any
    y: Any
    classes: tuple[str, ...]
    names: tuple[str, str]
    notes: tuple[str, ...]


def chosen_columns(table: Table, data: Data, rng: np.random.Generator) -> Chosen:
    """Two columns, or the plane of the first two principal components.

    Without `data.columns` the columns of numbers are standardised, and their first two principal
    components taken. Without `data.label` the last column of few values holds the classes. Rows
    with a missing value are left out, and `data.points` of the others drawn where there are more.
    """
    label = data.label or default_label(table)
    y, classes = labels(table, label)
    if data.columns:
        if len(data.columns) != 2 or data.columns[0] == data.columns[1]:
            raise InputError(
                f"data.columns is {list(data.columns)}: must be two different columns, or empty "
                "for the principal components"
            )
        names = list(data.columns)
    else:
        names = [
            name
            for name, values in table.columns.items()
            if name != label and not is_words(values) and len(set(present(values))) > 1
        ]
        if len(names) < 2:
            raise InputError(
                f"{table.name} has {counted(len(names), 'column')} of numbers besides {label!r}: "
                "must have two or more"
            )
    X = np.stack([numbers(table, name) for name in names], axis=1)
    rows = np.flatnonzero(np.isfinite(X).all(axis=1) & (y >= 0))
    if len(rows) < 4:
        raise InputError(
            f"{table.name} has {counted(len(rows), 'row')} without missing values: must have 4 or "
            "more"
        )
    notes = []
    if gone := len(y) - len(rows):
        notes.append(f"{counted(gone, 'row')} with a missing value: left out")
    if len(rows) > data.points:
        notes.append(f"{data.points:,} of {len(rows):,} rows are drawn")
        rows = np.sort(rng.permutation(rows)[: data.points])
    X, y = X[rows], y[rows]
    if not data.columns:
        deviation = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        X = X @ np.linalg.svd(X, full_matrices=False)[2][:2].T
        names = ["principal component 1", "principal component 2"]
    found, y = np.unique(y, return_inverse=True)
    own = tuple(classes[i] for i in found)
    return Chosen(X, y, own, (names[0], names[1]), tuple(notes))


def numbers(table: Table, name: str) -> Any:
    """A column of numbers, float64. Raises `InputError` for one of words, or too large ones."""
    values = choose("column", name, table.columns)
    if is_words(values):
        raise InputError(f"column {name!r} holds words: must hold numbers to be an input")
    too_large = values[np.abs(values) > LARGEST_NUMBER]
    if len(too_large):
        raise InputError(
            f"column {name!r} holds {too_large[0]:g}: must be from {-LARGEST_NUMBER:g} to "
            f"{LARGEST_NUMBER:g}"
        )
    return values


def labels(table: Table, name: str) -> tuple[Any, tuple[str, ...]]:
    """The class of each row, -1 where it is missing, and the names of the classes."""
    values = choose("column", name, table.columns)
    there = present(values)
    counts = Counter(there)
    if not 2 <= len(counts) <= MOST_CLASSES:
        raise InputError(
            f"column {name!r} has {counted(len(counts), 'different value')}: must have 2 to "
            f"{MOST_CLASSES} to be the classes"
        )
    found = sorted(counts)
    place = {value: i for i, value in enumerate(found)}
    y = np.array([place.get(value, -1) for value in values.tolist()])
    return y, tuple(shown(value)[:LONGEST_NAME] for value in found)


def default_label(table: Table) -> str:
    """The last column that has few enough different values to be the classes."""
    for name, values in reversed(list(table.columns.items())):
        if 2 <= len(set(present(values))) <= MOST_CLASSES:
            return name
    raise InputError(
        f"{table.name} has no column of 2 to {MOST_CLASSES} different values: must have one to be "
        "the classes"
    )

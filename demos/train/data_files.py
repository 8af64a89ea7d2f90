"""Tables from files: CSV with any usual separator, Parquet (with pandas) and npz.

A column is an array of float64 with NaN where a value is missing, or of texts with None there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.extras import require

Columns = Mapping[str, Any]
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
"""What stands for a missing value, in any case."""
SEPARATORS = ",;\t|"
LARGEST_FILE = 1 << 29


def read_table(path: Path) -> dict[str, Any]:
    """The columns of a file by name, all of one length.

    Raises `InputError` for a file that is not there, or is no table, with the line that is wrong.
    """
    if not path.is_file():
        raise InputError(f"{path}: must be a file: CSV, Parquet or npz")
    if path.stat().st_size > LARGEST_FILE:
        size = path.stat().st_size >> 20
        raise InputError(f"{path} has {size} MiB: must be at most {LARGEST_FILE >> 20} MiB")
    readers = {".npz": read_npz, ".parquet": read_parquet, ".pq": read_parquet}
    columns = readers.get(path.suffix.lower(), read_csv)(path)
    rows = {len(values) for values in columns.values()}
    if not columns or rows <= {0}:
        raise InputError(f"{path} holds no rows: must be a table with names in its first line")
    if len(rows) > 1:
        sizes = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise InputError(f"{path}: its columns have different lengths: {sizes}")
    return columns


def read_csv(path: Path) -> dict[str, Any]:
    """A text with a line of names and one line per row; the separator is that of the first line."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is no text in UTF-8 (byte {error.start}): must be CSV in UTF-8, or Parquet"
        ) from None
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names = [name.strip() for name in next(lines, [])]
        check_names(path, names)
        rows = []
        for row in lines:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(names):
                raise InputError(
                    f"{path}, line {lines.line_num}: {len(row)} values; must be {len(names)}, as "
                    "in the first line"
                )
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path}, line {lines.line_num}: {error}") from None
    cells = zip(*rows, strict=True) if rows else [()] * len(names)
    has_comma = separator != ","
    return {name: column(values, has_comma) for name, values in zip(names, cells, strict=True)}


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise `InputError` where the first line holds no names, or one twice."""
    if not any(names):
        raise InputError(f"{path} is empty: must be a table with names in its first line")
    if all(number_of(name) is not None for name in names):
        raise InputError(
            f"{path}, line 1: {names[0]!r} is a number; must be the names of the columns"
        )
    for place, name in enumerate(names, 1):
        if not name:
            raise InputError(f"{path}, line 1: column {place} has no name; must have one")
        if names.count(name) > 1:
            raise InputError(
                f"{path}, line 1: {names.count(name)} columns are called {name!r}; must have "
                "different names"
            )


def number_of(cell: str, has_comma: bool = False) -> float | None:
    """The number that a text stands for; a decimal comma counts where commas separate nothing."""
    try:
        return float(cell.replace(",", ".") if has_comma else cell)
    except ValueError:
        return None


def column(cells: Sequence[str], has_comma: bool = False) -> Any:
    """Numbers where every text that is not missing is one, else the texts."""
    stripped = [cell.strip() for cell in cells]
    present = [cell.lower() not in MISSING for cell in stripped]
    numbers = [
        number_of(cell, has_comma) if is_there else math.nan
        for cell, is_there in zip(stripped, present, strict=True)
    ]
    if None not in numbers:
        return np.array(numbers, np.float64)
    texts = [cell if there else None for cell, there in zip(stripped, present, strict=True)]
    return np.array(texts, object)


def read_npz(path: Path) -> dict[str, Any]:
    """Arrays by name: of shape (N,) a column each, of (N, k) the columns name_0 to name_{k-1}."""
    columns: dict[str, Any] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:
        # A damaged archive can fail in any way.
        raise InputError(f"{path} is no npz file of plain arrays: {error}") from None
    for name, array in arrays.items():
        if array.ndim not in (1, 2):
            raise InputError(f"{path}: {name} has shape {array.shape}: must be (N,) or (N, k)")
        if array.dtype.kind not in "biufUS":
            raise InputError(f"{path}: {name} is of type {array.dtype}: must be numbers or texts")
        if array.ndim == 1:
            columns[name] = from_array(array)
        else:
            columns |= {f"{name}_{i}": from_array(each) for i, each in enumerate(array.T)}
    return columns


def read_parquet(path: Path) -> dict[str, Any]:
    """The columns of a Parquet file. Raises `InputError` where pandas is not installed."""
    pandas = require("pandas", "pandas", "data", "a Parquet file")
    try:
        frame = pandas.read_parquet(path)
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    columns = {}
    for name in frame:
        missing = frame[name].isna().to_numpy()
        values = [None if gone else each for each, gone in zip(frame[name], missing, strict=True)]
        columns[str(name)] = from_array(np.array(values, object))
    return columns


def from_array(values: Any) -> Any:
    """Numbers as float64, all else as texts, with None for what is missing."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    texts = ["" if value is None else str(value) for value in values.tolist()]
    if values.dtype.kind == "S":
        texts = [value.decode("utf-8", "replace") for value in values.tolist()]
    return column(texts)

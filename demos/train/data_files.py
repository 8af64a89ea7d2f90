"""Tables from files: CSV with any usual separator, Parquet (with pandas) and npz.

A column is an array of float64 with NaN where a value is missing, or of texts with None there.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.extras import require

Texts = Mapping[str, Collection[str]]
NO_TEXTS: Texts = {}
MISSING = {
    *("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "?", "-", "."),
    *("#n/a", "#na", "<na>", "-1.#ind", "1.#ind", "-1.#qnan", "1.#qnan"),
    *("--", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"),
}
"""What stands for a missing value, in any case: pandas' words, a spreadsheet's errors, and more."""
SEPARATORS = ",;\t|"
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
"""Such as 1,234,567.5, where it stands in quotes between commas."""
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+")
"""Such as 1.234.567,5, between other separators."""
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""1,125 between other separators: a decimal comma, or one of thousands."""
FEWEST_GROUPED = 5
UNITS = "%$€£¥₹"
"""What may stand before or behind each number of a column."""
LARGEST_WHOLE = 2**53
"""Below, float64 tells all whole numbers apart."""
ZIP = b"PK\x03\x04"
OTHER_KINDS = {
    b"\x1f\x8b": "compressed (gzip)",
    ZIP: "an archive (zip), such as a spreadsheet or npz",
    b"BZh": "compressed (bzip2)",
    b"\xfd7zXZ": "compressed (xz)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
    b"\x89PNG": "an image (PNG)",
    b"%PDF": "a PDF",
    b"PAR1": "Parquet, which is known by the ending .parquet",
    b"\x93NUMPY": "one array (npy)",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
"""What a file that begins so is, if it is no text in UTF-8."""
TABLES = "CSV in UTF-8, Parquet or npz"
LARGEST_FILE = 1 << 29


class Table(dict[str, Any]):
    """Columns by name; `units` holds the unit of those whose cells have one."""

    def __init__(self) -> None:
        super().__init__()
        self.units: dict[str, str] = {}

    def read(
        self, name: str, cells: Sequence[str], has_comma: bool, words: Collection[str] | None
    ) -> None:
        """Add the column of these cells: see `column`."""
        unit, numbers = without_unit(cells, has_comma) if words is None else ("", cells)
        self[name] = column(numbers, has_comma, words)
        if unit:
            self.units[name] = unit


def read_table(path: Path, texts: Texts = NO_TEXTS) -> Table:
    """The columns of a file by name, all of one length; those named in `texts` hold texts.

    What `texts` gives for a name are words of that column, none of which is a missing value.

    Raises `InputError` for a file that is not there, or is no table, with the line that is wrong.
    """
    if not path.is_file():
        raise InputError(f"{path}: must be a file: CSV, Parquet or npz")
    if path.stat().st_size > LARGEST_FILE:
        size = path.stat().st_size >> 20
        raise InputError(f"{path} has {size} MiB: must be at most {LARGEST_FILE >> 20} MiB")
    readers = {".npz": read_npz, ".parquet": read_parquet, ".pq": read_parquet}
    columns = readers.get(path.suffix.lower(), read_csv)(path, texts)
    rows = {len(values) for values in columns.values()}
    if not columns or rows <= {0}:
        raise InputError(f"{path} holds no rows: must be a table with names in its first line")
    if len(rows) > 1:
        sizes = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise InputError(f"{path}: its columns have different lengths: {sizes}")
    return columns


def read_csv(path: Path, texts: Texts = NO_TEXTS) -> Table:
    """A text with a line of names and one line per row; the separator is that of the first line.

    Columns behind the last name that hold nothing are those of separators at the ends of lines.
    """
    text = text_of(path)
    separator = max(SEPARATORS, key=re.sub(r'"[^"]*"', "", text.partition("\n")[0]).count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        first = [name.strip() for name in next(lines, [])]
        named = max((place for place, name in enumerate(first, 1) if name), default=0)
        names = first[:named]
        check_names(path, names)
        rows = []
        for row in lines:
            if not row or (len(row) == 1 < len(names) and not row[0].strip()):
                continue
            if not any(cell.strip() for cell in row[named:]):
                row = row[:named]
            elif len(row) == len(first):
                check_names(path, first)
            if len(row) != named:
                where = f"{path}, line {lines.line_num}: {len(row)} values"
                raise InputError(f"{where}; must be {named}, one for each name in the first line")
            if row[0].strip() == names[0] and [cell.strip() for cell in row] == names:
                raise InputError(
                    f"{path}, lines 1 and {lines.line_num} are alike: the first must be the names "
                    "of the columns, all others values"
                )
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path}, line {lines.line_num}: {error}") from None
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    if word := word_of_row(names, cells):
        raise InputError(
            f"{path}, line 1: {word[:40]!r} is a value of its column too; must be the names of the "
            "columns"
        )
    has_comma = separator != ","
    columns = Table()
    for name, values in zip(names, cells, strict=True):
        if has_comma and name not in texts:
            check_commas(f"{path}, column {name!r}", values)
        columns.read(name, values, has_comma, texts.get(name))
    return columns


def text_of(path: Path) -> str:
    """The text of a file. Raises `InputError`, with what it is where that can be told."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        kind = "no text, as it holds a byte of 0" if "\0" in text else ""
    except UnicodeDecodeError as error:
        kind = f"no text in UTF-8 (byte {error.start})"
    for start, other in OTHER_KINDS.items():
        if content.startswith(start) and (kind or start == ZIP):
            kind = other
    if kind:
        raise InputError(f"{path} is {kind}: must be {TABLES}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def word_of_row(names: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A word of the first line, where that is a row like the others, or nothing.

    It is one where each name is a number or a word of its column.
    """
    words = [
        (name, values) for name, values in zip(names, cells, strict=True) if number_of(name) is None
    ]
    are_values = all(name in map(str.strip, values) for name, values in words)
    return words[0][0] if are_values else ""


def check_commas(where: str, cells: Sequence[str]) -> None:
    """Raise `InputError` where commas separate thousands, or stand beside decimal points.

    1,125 is 1.125 where commas separate no cells. Five such numbers beside some without a comma,
    and none with more or fewer decimals, are thousands: 1.125 would be a wrong number.
    """
    stripped = [cell.strip() for cell in cells]
    present = [cell for cell in stripped if cell.lower() not in MISSING]
    commas = [cell for cell in present if "," in cell]
    others = [cell for cell in present if "," not in cell]
    if not commas or any(number_of(cell, has_comma=True) is None for cell in present):
        return
    if points := [cell for cell in others if "." in cell]:
        raise InputError(
            f"{where} holds {commas[0]!r} and {points[0]!r}: must be decimal commas or decimal "
            "points, not both"
        )
    if len(commas) >= FEWEST_GROUPED and others and all(map(GROUPED.fullmatch, commas)):
        raise InputError(
            f"{where} holds {commas[0]!r} and {others[0]!r}: must be numbers without commas "
            "between thousands"
        )


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise `InputError` where the first line holds no names, or one twice."""
    counts = Counter(names)
    if not any(names):
        raise InputError(f"{path} is empty: must be a table with names in its first line")
    if all(number_of(name) is not None for name in names):
        raise InputError(
            f"{path}, line 1: {names[0]!r} is a number; must be the names of the columns"
        )
    for place, name in enumerate(names, 1):
        if not name:
            raise InputError(f"{path}, line 1: column {place} has no name; must have one")
        if counts[name] > 1:
            raise InputError(
                f"{path}, line 1: {counts[name]} columns are called {name!r}; must have "
                "different names"
            )


def number_of(cell: str, has_comma: bool = False) -> float | None:
    """The number that a text stands for, or None.

    Commas are decimal where they separate no cells (`has_comma`), else they separate thousands.
    """
    if has_comma:
        cell = (cell.replace(".", "") if POINTS.fullmatch(cell) else cell).replace(",", ".")
    elif "," in cell and THOUSANDS.fullmatch(cell):
        cell = cell.replace(",", "")
    try:
        # Python takes 1_000 for a number; in tables it is a name.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def without_unit(cells: Sequence[str], has_comma: bool) -> tuple[str, Sequence[str]]:
    """The unit that all cells have, and their numbers alone; or none, and the cells as they are.

    All must be numbers in the notation of the file, or in the other one: quoted between commas,
    1.200,50 € is a number too. Where both are possible, as of 1.200 €, there is no unit.
    """
    first = next((cell for cell in cells if cell.strip().lower() not in MISSING), "")
    unit = next((each for each in UNITS if each in first), "")
    if not unit:
        return "", cells
    present = {cell for cell in cells if cell.strip().lower() not in MISSING}
    sign = re.escape(unit)
    number = re.compile(rf"([+-]?)(?:{sign}\s*([+-]?[\d.,]+)|([\d.,]+)\s*{sign})")
    found = {cell: number.fullmatch(cell.strip()) for cell in present}
    bare = {cell: "".join(match.groups("")) for cell, match in found.items() if match}
    if len(bare) < len(present):
        return "", cells
    for comma in (has_comma, not has_comma):
        numbers = {cell: number_of(text, comma) for cell, text in bare.items()}
        if None not in numbers.values():
            if are_unclear(bare.values(), comma, unit):
                break
            return unit, [repr(numbers[cell]) if cell in numbers else cell for cell in cells]
    return "", cells


def are_unclear(numbers: Collection[str], has_comma: bool, unit: str) -> bool:
    """Whether a decimal comma or point may be one of thousands, or the other way round."""
    decimal = "," if has_comma else "."
    marked = [each for each in numbers if decimal in each]
    if has_comma and marked and any("." in each for each in numbers if "," not in each):
        return True
    if unit == "%":
        return not has_comma and any("," in each for each in numbers)
    return bool(marked) and all(GROUPED.fullmatch(each.replace(decimal, ",")) for each in marked)


def is_number(cell: str) -> bool:
    """Whether a text stands for a number, with a decimal comma or without."""
    return any(number_of(cell, has_comma) is not None for has_comma in (False, True))


def column(
    cells: Sequence[str], has_comma: bool = False, words: Collection[str] | None = None
) -> Any:
    """Numbers where every text that is not missing is one, else (or with `words`) the texts."""
    stripped = [cell.strip() for cell in cells]
    present = [cell.lower() not in MISSING for cell in stripped]
    numbers = [
        number_of(cell, has_comma) if is_there else math.nan
        for cell, is_there in zip(stripped, present, strict=True)
    ]
    if None not in numbers and words is None and not are_merged(stripped, numbers):
        return np.array(numbers, np.float64)
    # Beside words, none is one of them: none, mild and severe. So is - beside +.
    known = {*(words or ()), *(("-",) if "+" in stripped else ())}
    texts = [
        cell if is_there or cell.lower() == "none" or cell in known else None
        for cell, is_there in zip(stripped, present, strict=True)
    ]
    return np.array(texts, object)


def are_merged(cells: Sequence[str], numbers: Sequence[float | None]) -> bool:
    """Whether whole numbers of many digits, such as identifiers, would be one in float64."""
    large = {
        cell: number
        for cell, number in zip(cells, numbers, strict=True)
        if number is not None and abs(number) >= LARGEST_WHOLE and cell.lstrip("+-").isdigit()
    }
    # As texts: int() refuses more than 4,300 digits.
    different = {(number > 0, cell.lstrip("+-0")) for cell, number in large.items()}
    return len(different) > len(set(large.values()))


def read_npz(path: Path, texts: Texts = NO_TEXTS) -> Table:
    """Arrays by name: of shape (N,) a column each, of (N, k) the columns name_0 to name_{k-1}."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:
        # A damaged archive can fail in any way.
        raise InputError(f"{path} is no npz file of plain arrays: {error}") from None
    columns = []
    for name, array in arrays.items():
        if array.ndim not in (1, 2):
            raise InputError(f"{path}: {name} has shape {array.shape}: must be (N,) or (N, k)")
        if array.dtype.kind not in "biufUS":
            raise InputError(f"{path}: {name} is of type {array.dtype}: must be numbers or texts")
        if array.ndim == 1:
            columns.append((name, array))
        else:
            columns += [(f"{name}_{i}", each) for i, each in enumerate(array.T)]
    return from_arrays(path, columns, texts)


def read_parquet(path: Path, texts: Texts = NO_TEXTS) -> Table:
    """The columns of a Parquet file, those of a named index as well.

    Raises `InputError` where pandas is not installed.
    """
    pandas = require("pandas", "pandas", "data", "a Parquet file")
    try:
        frame = pandas.read_parquet(path)
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
    except Exception as error:
        # A damaged file can fail in any way.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be read: {reason}") from None
    columns = []
    for name in frame:
        missing = frame[name].isna().to_numpy()
        values = [None if gone else each for each, gone in zip(frame[name], missing, strict=True)]
        columns.append((str(name), np.array(values, object)))
    return from_arrays(path, columns, texts)


def from_arrays(path: Path, arrays: Sequence[tuple[str, Any]], texts: Texts) -> Table:
    """Numbers as float64, all else (or what is in `texts`) as texts, with None for missing.

    True and False are words, as they are in CSV. Raises `InputError` where two have one name.
    """
    name, count = next(iter(Counter(name for name, _ in arrays).most_common(1)), ("", 0))
    if count > 1:
        raise InputError(f"{path}: {count} columns are called {name!r}; must have different names")
    table = Table()
    for name, values in arrays:
        kind = values.dtype.kind
        is_large = kind in "iu" and (np.abs(values.astype(float)) >= LARGEST_WHOLE).any()
        if kind in "iuf" and name not in texts and not is_large:
            table[name] = values.astype(np.float64)
        else:
            table.read(name, [as_text(each) for each in values.tolist()], False, texts.get(name))
    return table


def as_text(value: Any) -> str:
    """The text of a cell, empty for None."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)

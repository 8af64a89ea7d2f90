"""`scratchnet predict MODEL DATA`: a column of predictions for the rows of a table."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError, nearest_name
from scratchnet.checkpoint import load_model, load_task
from scratchnet.demos.results import check_writable_file, visible, write
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, parse, resolve
from scratchnet.demos.train.columns import (
    LARGEST_NUMBER,
    Column,
    Encoding,
    counted,
    encoding_of,
    is_words,
    raw_inputs,
    shown,
    too_large,
)
from scratchnet.demos.train.data_files import Table, is_number, number_of, read_table
from scratchnet.demos.train.experiment import TASK
from scratchnet.files import write_atomically
from scratchnet.model import Model


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet predict`."""

    without = tuple(name for name in ALL_BUT_JSON if name != "out")
    model: Path | None = option(None, "A file that train saved.", positional=True)
    data: Path | None = option(None, "The rows: CSV, Parquet or npz.", positional=True)
    out: Path | None = option(None, "A CSV file for the predictions, in place of the screen.")  # type: ignore[assignment]


def main(arguments: Sequence[str]) -> int:
    """Run the command with these arguments; the exit status."""
    if {"-h", "--help"} & set(arguments):
        about = "Predicts the target of `scratchnet train` for each row, as CSV."
        Screen().help("predict", Settings, about)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    if settings.model is None or settings.data is None:
        raise InputError("predict needs two files: must be MODEL DATA")
    if settings.out is not None:
        check_writable_file(settings.out, "--out")
    described = load_task(settings.model).get(TASK)
    if not isinstance(described, dict):
        raise InputError(f"{settings.model}: must be a file that `scratchnet train` saved")
    encoding = encoding_of(described)
    table = read_table(settings.data, texts_of(encoding))
    check_units(encoding, table)
    screen = Screen(json=True)
    columns = predicted(load_model(settings.model), encoding, table, screen)
    told(encoding, table, columns[encoding.target], screen)
    if settings.json:
        from scratchnet.demos.results import print_json

        print_json({name: list(values) for name, values in columns.items()})
        return 0
    text = as_csv(columns, digits_of(encoding))
    if settings.out is None:
        # A terminal obeys what a word of the table may hold; a pipe gets it as it is.
        write(sys.stdout, visible(text) if sys.stdout and sys.stdout.isatty() else text)
    else:
        write_atomically(settings.out.expanduser(), text.encode())
        rows = len(columns[encoding.target])
        screen.whole(f"{counted(rows, 'prediction')} in {settings.out}")
    return 0


def texts_of(encoding: Encoding) -> dict[str, tuple[str, ...]]:
    """The words of columns whose cells are texts, though a new table's may look like numbers."""
    words = {column.name: column.words for column in encoding.columns if column.words}
    classes = encoding.classes
    return words if has_numbers(classes) else {**words, encoding.target: classes}


def has_numbers(classes: Sequence[str]) -> bool:
    """Whether all classes are written as those of a column of numbers are."""
    numbers = [number_of(name) for name in classes]
    return all(
        number is not None and shown(number) == name
        for name, number in zip(classes, numbers, strict=True)
    )


def predicted(
    model: Model, encoding: Encoding, table: dict[str, Any], screen: Screen
) -> dict[str, Any]:
    """The predicted target by its name; of a classification, its probability as well.

    Raises `InputError` for a column that the model needs and the table has not, or of another kind.
    """
    seen = encoding.words_seen()
    for column in encoding.columns:
        if column.name not in table:
            others = {name: None for name in table if name != encoding.target}
            hint = nearest_name(column.name, others)
            raise InputError(
                f"column {column.name!r} is missing: must be there, as in training{hint}"
            )
        values = table[column.name]
        if wrong := of_another_kind(column, values):
            kind = "words" if column.words else "numbers"
            raise InputError(
                f"column {column.name!r} holds {wrong!r}: must hold {kind}, as in training"
            )
        if not is_words(values) and (wrong := too_large(values)):
            raise InputError(f"column {column.name!r} holds {wrong}")
        if column.words and (new := sorted(set(values) - {None, *seen[column.name]})):
            screen.text(f"Column {column.name!r} has words that training had not: {new[:5]}")
    raw, missing = raw_inputs(encoding.columns, as_trained(encoding, table))
    for name, count in missing.items():
        screen.text(f"Column {name!r}: {counted(count, 'missing value')}")
    outputs = model.predict(encoding.standardised(raw)).astype(np.float64)
    classes = len(encoding.classes)
    if outputs.shape[1] != (needed := classes if classes > 2 else 1):
        found = counted(outputs.shape[1], "output")
        purpose = f"{classes} classes" if classes else "a regression"
        raise InputError(f"the model has {found}: must have {needed} for {purpose}")
    if encoding.task == "regression":
        return {encoding.target: outputs[:, 0] * encoding.target_deviation + encoding.target_mean}
    if outputs.shape[1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=1)
    likelihoods = np.exp(outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True))
    best = likelihoods.argmax(axis=1)
    names = np.array(encoding.classes, object)
    other = "probability" if encoding.target != "probability" else "its probability"
    return {encoding.target: names[best], other: likelihoods.max(axis=1)}


def check_units(encoding: Encoding, table: Table) -> None:
    """Raise `InputError` where numbers have another unit than in training."""
    for name in (encoding.target, *(column.name for column in encoding.columns)):
        if name not in table or is_words(table[name]) or all_missing(table[name]):
            continue
        here, there = (
            f"in {units[name]}" if name in units else "without a unit"
            for units in (table.units, encoding.units)
        )
        if here != there:
            raise InputError(
                f"column {name!r} holds numbers {here}: must be {there}, as in training"
            )


def of_another_kind(column: Column, values: Any) -> str:
    """The first value that is a word among numbers, or a number where there were words; or nothing.

    Numbers are words where training had some of them as words.
    """
    present = [each for each in values.tolist() if each is not None and each == each]
    if column.words:
        if set(present) & set(column.words) or not all(map(is_number, present)):
            return ""
        return present[0].removesuffix(".0") if present else ""
    if not is_words(values):
        return ""
    return next((each for each in present if not is_number(each)), present[0] if present else "")


def all_missing(values: Any) -> bool:
    """Whether a column has no value."""
    return all(value is None or value != value for value in values.tolist())


def as_trained(encoding: Encoding, table: dict[str, Any]) -> dict[str, Any]:
    """The columns that the model takes; one without any value counts as of the trained kind."""
    found = {}
    for column in encoding.columns:
        values = table[column.name]
        if all_missing(values):
            values = np.full(len(values), None if column.words else np.nan, values.dtype)
            values = values.astype(object if column.words else np.float64)
        found[column.name] = values
    return found


def told(encoding: Encoding, table: dict[str, Any], predictions: Any, screen: Screen) -> None:
    """How right the predictions are, where the table has the target."""
    if encoding.target not in table:
        return
    truth = table[encoding.target]
    if encoding.task == "regression":
        told_errors(encoding.target, truth, predictions, screen)
        return
    names = np.array([class_name(value, encoding.classes) for value in truth.tolist()], object)
    known = np.array([name is not None for name in names])
    if new := sorted({*names[known]} - {*encoding.classes}):
        screen.text(f"Column {encoding.target!r} has classes that training had not: {new[:5]}")
    if known.any():
        right = (names == predictions)[known].mean()
        screen.text(f"{right:.1%} correct of {counted(known.sum(), 'row')}")


def class_name(value: Any, classes: Sequence[str]) -> str | None:
    """The class that a cell names, in the words of training; None where it is missing."""
    if value is None or value != value:
        return None
    if value in classes:
        return str(value)
    if has_numbers(classes):
        number = number_of(value) if isinstance(value, str) else value
        return value if number is None else shown(number)
    return shown(value)


def told_errors(target: str, truth: Any, predictions: Any, screen: Screen) -> None:
    """The error of predicted numbers in the target's unit, and R^2 where there is a variance."""
    if is_words(truth):
        wrong = next((each for each in truth if each is not None and not is_number(each)), None)
        if wrong is not None:
            screen.text(f"Column {target!r} holds {wrong!r}, so that nothing can be compared")
        return
    known = np.abs(truth) < LARGEST_NUMBER
    if not known.any():
        return
    error = ((truth[known] - predictions[known]) ** 2).mean()
    variance = truth[known].var()
    r2 = f"R^2 {1 - error / variance:.3f}, " if variance > 0 else ""
    screen.text(f"{r2}RMSE {np.sqrt(error):.3g} on {counted(known.sum(), 'row')}")


def digits_of(encoding: Encoding) -> int:
    """Six, and those that all values of a target share, as 1999.1 and 1999.2 do."""
    shared = abs(encoding.target_mean) / encoding.target_deviation
    return min(17, 6 + math.ceil(math.log10(max(1.0, shared))))


def as_csv(columns: dict[str, Any], digits: int) -> str:
    """A line of names and a line per row; numbers with so many digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(
            [f"{value:.{digits}g}" if isinstance(value, float) else value for value in row]
        )
    return text.getvalue()

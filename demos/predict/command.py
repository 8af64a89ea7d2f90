"""`scratchnet predict MODEL DATA`: a column of predictions for the rows of a table."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet.backends.errors import InputError
from scratchnet.checkpoint import load_model, load_task
from scratchnet.demos.results import check_writable_file, write
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, option, parse, resolve
from scratchnet.demos.train.columns import (
    LARGEST_NUMBER,
    LIMIT_OF_NUMBERS,
    Encoding,
    counted,
    encoding_of,
    is_words,
    raw_inputs,
    shown,
)
from scratchnet.demos.train.data_files import number_of, read_table
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
    table = read_table(settings.data)
    screen = Screen(json=True)
    columns = predicted(load_model(settings.model), encoding, table, screen)
    told(encoding, table, columns[encoding.target], screen)
    if settings.json:
        from scratchnet.demos.results import print_json

        print_json({name: list(values) for name, values in columns.items()})
        return 0
    text = as_csv(columns)
    if settings.out is None:
        write(sys.stdout, text)
    else:
        write_atomically(settings.out.expanduser(), text.encode())
        screen.whole(f"{len(columns[encoding.target])} predictions in {settings.out}")
    return 0


def predicted(
    model: Model, encoding: Encoding, table: dict[str, Any], screen: Screen
) -> dict[str, Any]:
    """The predicted target by its name; of a classification, its probability as well.

    Raises `InputError` for a column that the model needs and the table has not, or of another kind.
    """
    for column in encoding.columns:
        if column.name not in table:
            raise InputError(f"column {column.name!r} is missing: must be there, as in training")
        values = table[column.name]
        if bool(column.words) != is_words(values) and not all_missing(values):
            kind = "words" if column.words else "numbers"
            present = [each for each in values.tolist() if each is not None and each == each]
            wrong = (each for each in present if is_other(each, bool(column.words)))
            other = next(wrong, present[0])
            raise InputError(
                f"column {column.name!r} holds {shown(other)!r}: must hold {kind}, as in training"
            )
        too_large = values.dtype != object and (np.abs(values) > LARGEST_NUMBER).any()
        if too_large:
            raise InputError(f"column {column.name!r}: {LIMIT_OF_NUMBERS}")
        if column.words and (new := sorted(set(values) - {None, *column.words})):
            screen.text(f"Column {column.name!r} has words that training had not: {new[:5]}")
    raw, missing = raw_inputs(encoding.columns, as_trained(encoding, table))
    for name, count in missing.items():
        screen.text(f"Column {name!r}: {counted(count, 'missing value')}")
    outputs = model.predict(encoding.standardised(raw)).astype(np.float64)
    if encoding.task == "regression":
        return {encoding.target: outputs[:, 0] * encoding.target_deviation + encoding.target_mean}
    if outputs.shape[1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=1)
    likelihoods = np.exp(outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True))
    best = likelihoods.argmax(axis=1)
    names = np.array(encoding.classes, object)
    other = "probability" if encoding.target != "probability" else "its probability"
    return {encoding.target: names[best], other: likelihoods.max(axis=1)}


def is_other(value: Any, wants_words: bool) -> bool:
    """Whether a value is a number where words are wanted, or the other way round."""
    return wants_words or all(number_of(value, each) is None for each in (False, True))


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
    known = np.array([value is not None and value == value for value in truth.tolist()])
    if not known.any():
        return
    if encoding.task == "classification":
        right = [shown(value) == says for value, says in zip(truth, predictions, strict=True)]
        screen.text(f"{np.mean(np.array(right)[known]):.1%} correct of {known.sum()} rows")
    elif not is_words(truth) and truth[known].var() > 0:
        error = ((truth[known] - predictions[known]) ** 2).mean()
        screen.text(f"R^2 {1 - error / truth[known].var():.3f} on {known.sum()} rows")


def as_csv(columns: dict[str, Any]) -> str:
    """A line of names and a line per row; numbers with six digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()

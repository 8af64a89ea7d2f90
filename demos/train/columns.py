"""From columns to the numbers that a network takes, and back from its outputs.

A column of numbers is one input, standardised by the mean and the standard deviation of the
training rows; a missing number becomes their mean. A column of words is an input for each word, 1
for the word that stands there. All of it is stored with the model, so that new rows are treated in
the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from scratchnet.backends.errors import InputError, choose

MOST_WORDS = 50
"""A column of more different words, such as names, tells rows apart and not kinds of rows."""
MOST_CLASSES = 1000
MOST_NUMBERED_CLASSES = 20
"""Whole numbers with no more different values than this are classes."""
MOST_INPUTS = 20_000
LARGEST_NUMBER = 1e18
LIMIT_OF_NUMBERS = f"a number is too large or infinite: must be below {LARGEST_NUMBER:.0e}"
"""Squares of larger ones, as in a deviation, do not fit in float32."""

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Column:
    """An input column: its name, and its words, which are none where it holds numbers."""

    name: str
    words: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """How many inputs the column makes."""
        return len(self.words) or 1


@dataclass(frozen=True)
class Encoding:
    """How rows become inputs, and what the outputs mean.

    `mean` and `deviation` have an entry for each input. A regression's target is standardised by
    `target_mean` and `target_deviation`.
    """

    target: str
    task: Task
    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    target_mean: float = 0.0
    target_deviation: float = 1.0

    def described(self) -> dict[str, Any]:
        """As JSON, for the file of a model."""
        return asdict(self)

    def standardised(self, raw: Any) -> Any:
        """Raw inputs (N, inputs) with mean 0 and deviation 1, and 0 for what is missing."""
        X = (raw - np.array(self.mean)) / np.array(self.deviation)
        return np.nan_to_num(X, nan=0.0).astype(np.float32)


def encoding_of(described: Mapping[str, Any]) -> Encoding:
    """The encoding that `Encoding.described` gave. Raises `InputError` for anything else."""
    try:
        columns = tuple(Column(each["name"], tuple(each["words"])) for each in described["columns"])
        lists = {name: tuple(described[name]) for name in ("classes", "mean", "deviation")}
        found = Encoding(**{**described, "columns": columns, **lists})
        inputs = sum(column.inputs for column in columns)
        if not inputs == len(found.mean) == len(found.deviation):
            raise ValueError(f"{inputs} inputs, but {len(found.mean)} means")
        np.array([*found.mean, *found.deviation, found.target_mean], np.float64)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the file's description of its columns cannot be used: {error}") from None
    return found


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table as numbers: `raw` (N, inputs) with NaN for missing, `y` (N,), and what was left out.

    `y` holds classes from 0, or the numbers of a regression.
    """

    encoding: Encoding
    raw: Any
    y: Any
    notes: tuple[str, ...]


def prepare(table: Mapping[str, Any], target: str, task: str = "auto") -> Prepared:
    """The table for a target column; rows without a target are left out and counted.

    Raises `InputError` for a target that is not there, has one value only, or is of the wrong kind.
    """
    goal = choose("column", target, table)
    known = np.array([value is not None and value == value for value in goal.tolist()])
    notes = []
    if not known.all():
        notes.append(f"{counted((~known).sum(), 'row')} without {target!r}: left out")
    goal = goal[known]
    if (different := len(set(goal.tolist()))) < 2:
        found = "one value only" if different else "no value at all"
        raise InputError(f"column {target!r} has {found}: must have two or more to learn")
    kind = task_of(goal, target) if task == "auto" else checked_task(goal, target, task)
    classes: tuple[str, ...] = ()
    y = goal
    if kind == "classification":
        values, y = np.unique(goal.astype(str) if is_words(goal) else goal, return_inverse=True)
        classes = tuple(shown(value) for value in values)
    columns = []
    for name, values in table.items():
        if name != target:
            reason = unusable(values[known])
            if reason:
                notes.append(f"column {name!r} is left out: {reason}")
            else:
                columns.append(Column(name, words_of(values[known])))
    if not columns:
        reasons = "".join(f"; {note}" for note in notes)
        raise InputError(f"no column besides {target!r} can be used: must be one at least{reasons}")
    inputs = sum(column.inputs for column in columns)
    if inputs > MOST_INPUTS:
        raise InputError(f"the columns make {inputs} inputs: must be at most {MOST_INPUTS}")
    raw, missing = raw_inputs(columns, {name: values[known] for name, values in table.items()})
    notes += [f"column {name!r}: {counted(n, 'missing value')}" for name, n in missing.items()]
    return Prepared(Encoding(target, kind, tuple(columns), classes), raw, y, tuple(notes))


def task_of(goal: Any, target: str) -> Task:
    """Classes for words and for few different whole numbers, else numbers to be predicted."""
    if is_words(goal):
        return checked_task(goal, target, "classification")
    few = len(np.unique(goal)) <= MOST_NUMBERED_CLASSES
    kind: Task = "classification" if few and (goal % 1 == 0).all() else "regression"
    return checked_task(goal, target, kind)


def checked_task(goal: Any, target: str, task: str) -> Task:
    """The task that was asked for. Raises `InputError` where the target does not allow it."""
    if task == "regression":
        if is_words(goal):
            raise InputError(f"--task regression: column {target!r} holds words; must hold numbers")
        if not (np.abs(goal) < LARGEST_NUMBER).all():
            raise InputError(f"column {target!r}: {LIMIT_OF_NUMBERS}")
        return "regression"
    values, counts = np.unique(goal.astype(str), return_counts=True)
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"column {target!r} has {len(values)} different values: must be at most "
            f"{MOST_CLASSES} classes, or numbers with --task regression"
        )
    return "classification"


def is_words(values: Any) -> bool:
    """Whether a column holds texts."""
    return bool(values.dtype == object)


def shown(value: Any) -> str:
    """A class as people write it: 3 for 3.0."""
    return str(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)


def unusable(values: Any) -> str:
    """Why an input column cannot be used, or nothing."""
    present = [value for value in values.tolist() if value is not None and value == value]
    if not present:
        return "every value is missing"
    different = len(set(present))
    if different == 1:
        return "it has one value only"
    if is_words(values):
        found = f"it holds {different} different words, such as {present[0][:40]!r}"
        return found if different > MOST_WORDS else ""
    return "" if (np.abs(present) < LARGEST_NUMBER).all() else LIMIT_OF_NUMBERS


def counted(number: Any, thing: str) -> str:
    """Such as `1 row`, or `2 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def words_of(values: Any) -> tuple[str, ...]:
    """The different words of a column, sorted; none of numbers."""
    return (
        tuple(sorted({value for value in values if value is not None})) if is_words(values) else ()
    )


def raw_inputs(columns: Sequence[Column], table: Mapping[str, Any]) -> tuple[Any, dict[str, int]]:
    """(N, inputs), NaN for missing numbers, 0 for missing words; and how many are missing."""
    parts, missing = [], Counter[str]()
    for column in columns:
        values = table[column.name]
        if column.words:
            gone = [value is None for value in values.tolist()]
            parts.append((values[:, None] == np.array(column.words, object)).astype(np.float64))
        else:
            gone = np.isnan(values)
            parts.append(values[:, None])
        if count := int(np.sum(gone)):
            missing[column.name] = count
    return np.concatenate(parts, axis=1), dict(missing)


def fitted(encoding: Encoding, raw: Any, y: Any) -> Encoding:
    """The encoding with the means and deviations of these rows; words stay 0 and 1."""
    is_word = np.concatenate([np.full(each.inputs, bool(each.words)) for each in encoding.columns])
    has_value = ~np.isnan(raw)
    count = np.maximum(has_value.sum(axis=0), 1)
    mean = np.where(has_value, raw, 0.0).sum(axis=0) / count
    centred = np.where(has_value, raw - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    mean[is_word] = 0.0
    deviation[is_word | (deviation == 0)] = 1.0
    found = {**vars(encoding), "mean": tuple(mean.tolist()), "deviation": tuple(deviation.tolist())}
    if encoding.task == "regression":
        found |= {"target_mean": float(y.mean()), "target_deviation": float(y.std()) or 1.0}
    return Encoding(**found)

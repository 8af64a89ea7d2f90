"""From columns to the numbers that a network takes, and back from its outputs.

A column of numbers is one input, standardised by the mean and the standard deviation of the
training rows; a missing number becomes their mean. A column of words is an input for each word, 1
for the word that stands there. All of it is stored with the model, so that new rows are treated in
the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos.train.data_files import MISSING, Table, is_number

MOST_WORDS = 50
"""A column of more different words, such as names, tells rows apart and not kinds of rows."""
MOST_CLASSES = 1000
MOST_NUMBERED_CLASSES = 20
"""Whole numbers with no more different values than this are classes."""
MOST_INPUTS = 20_000
LARGEST_NUMBER = 1e18
"""Squares of larger ones, as in a deviation, do not fit in float32."""
UNSEEN = 1e300
"""The deviation of an input that was alike in all training rows: no row's value reaches a weight
that nothing was learned for."""

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

    `mean` and `deviation` have an entry for each input; `units` holds the unit of each column, the
    target as well, whose cells have one. A regression's target is standardised by
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
    units: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """As JSON, for the file of a model."""
        return asdict(self)

    def words_seen(self) -> dict[str, list[str]]:
        """The words of each column that training rows held."""
        deviations = iter(self.deviation)
        return {
            column.name: [word for word in column.words or ("",) if next(deviations) < UNSEEN]
            for column in self.columns
        }

    def standardised(self, raw: Any) -> Any:
        """Raw inputs (N, inputs) with mean 0 and deviation 1, and 0 for what is missing."""
        X = (raw - np.array(self.mean)) / np.array(self.deviation)
        return np.nan_to_num(X.clip(-LARGEST_NUMBER, LARGEST_NUMBER), nan=0.0).astype(np.float32)


def encoding_of(described: Mapping[str, Any]) -> Encoding:
    """The encoding that `Encoding.described` gave. Raises `InputError` for anything else."""
    try:
        columns = tuple(
            Column(each["name"], names_of(each["words"], "words")) for each in described["columns"]
        )
        lists = {name: tuple(described[name]) for name in ("mean", "deviation")}
        classes = names_of(described["classes"], "classes")
        found = Encoding(**{**described, "columns": columns, "classes": classes, **lists})
        names_of([found.target, *(column.name for column in columns)], "columns")
        if found.task not in get_args(Task) or (len(classes) < 2) != (found.task == "regression"):
            raise ValueError(f"{found.task!r} with {len(classes)} classes")
        inputs = sum(column.inputs for column in columns)
        if not inputs == len(found.mean) == len(found.deviation):
            raise ValueError(f"{inputs} inputs, but {len(found.mean)} means")
        deviations = np.array([*found.deviation, found.target_deviation], np.float64)
        means = np.array([*found.mean, found.target_mean], np.float64)
        if not (np.isfinite(means).all() and np.isfinite(deviations).all() and min(deviations) > 0):
            raise ValueError("means must be finite, deviations above 0")
        if not all(isinstance(unit, str) for unit in found.units.values()):
            raise ValueError("units must be texts")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the file's description of its columns cannot be used: {error}") from None
    return found


def names_of(values: Any, what: str) -> tuple[str, ...]:
    """The names as a tuple. Raises `ValueError` unless they are different texts in a list."""
    is_list = isinstance(values, list | tuple) and all(isinstance(each, str) for each in values)
    if not is_list or len(set(values)) < len(values):
        raise ValueError(f"the {what} are {str(values)[:40]}: must be different texts")
    return tuple(values)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table as numbers: `raw` (N, inputs) with NaN for missing, `y` (N,), and what was left out.

    `y` holds classes from 0, or the numbers of a regression. `blamed` says which word of the
    target, if any, made it classes.
    """

    encoding: Encoding
    raw: Any
    y: Any
    notes: tuple[str, ...]
    blamed: str = ""


def prepare(table: Mapping[str, Any], target: str, task: str = "auto") -> Prepared:
    """The table for a target column; rows without a target are left out and counted.

    Raises `InputError` for a target that is not there, has one value only, or is of the wrong kind.
    """
    goal = choose("column", target, table)
    known = are_known(goal)
    units = table.units if isinstance(table, Table) else {}
    notes = []
    if not known.all():
        notes.append(f"{counted((~known).sum(), 'row')} without {target!r}: left out")
    goal = goal[known]
    table = table if known.all() else {name: values[known] for name, values in table.items()}
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
        if name != target and (reason := unusable(values)):
            notes.append(f"column {name!r} is left out: {reason}{blamed(values)}")
            continue
        if wrong := no_number(values):
            notes.append(f"column {name!r} counts as words: {wrong!r} is no number")
        if name != target:
            columns.append(Column(name, words_of(values)))
    if not columns:
        reasons = "".join(f"; {note}" for note in notes)
        if len(table) == 1:
            reasons = "; it is the only one, so that no comma, semicolon, tab or | separates cells"
        raise InputError(f"no column besides {target!r} can be used: must be one at least{reasons}")
    inputs = sum(column.inputs for column in columns)
    if inputs > MOST_INPUTS:
        raise InputError(f"the columns make {inputs} inputs: must be at most {MOST_INPUTS}")
    raw, missing = raw_inputs(columns, table)
    used = [target, *(column.name for column in columns)]
    units = {name: units[name] for name in used if name in units}
    notes += [f"column {name!r}: read as numbers in {unit}" for name, unit in units.items()]
    notes += [f"column {name!r}: {counted(n, 'missing value')}" for name, n in missing.items()]
    return Prepared(
        Encoding(target, kind, tuple(columns), classes, units=units),
        raw,
        y,
        tuple(notes),
        blamed(goal, among_words=True),
    )


def are_known(values: Any) -> Any:
    """Where a column has a value."""
    if is_words(values):
        return np.array([value is not None for value in values.tolist()], bool)
    return ~np.isnan(values)


def task_of(goal: Any, target: str) -> Task:
    """Classes for words and for few different whole numbers, else numbers to be predicted."""
    if is_words(goal):
        return checked_task(goal, target, "classification")
    few = len(np.unique(goal)) <= MOST_NUMBERED_CLASSES
    are_whole = few and np.isfinite(goal).all() and (goal % 1 == 0).all()
    kind: Task = "classification" if are_whole else "regression"
    return checked_task(goal, target, kind)


def checked_task(goal: Any, target: str, task: str) -> Task:
    """The task that was asked for. Raises `InputError` where the target does not allow it."""
    if task == "regression":
        if is_words(goal):
            wrong = no_number(goal)
            held = f"holds {wrong!r}: must hold" if wrong else "holds words; must hold"
            raise InputError(f"--task regression: column {target!r} {held} numbers")
        if wrong := too_large(goal):
            raise InputError(f"column {target!r} holds {wrong}")
        return "regression"
    values, counts = np.unique(goal.astype(str), return_counts=True)
    if len(values) > MOST_CLASSES:
        reason = blamed(goal, among_words=True)
        raise InputError(
            f"column {target!r} has {len(values)} different values: must be at most "
            f"{MOST_CLASSES} classes, or numbers with --task regression{reason}"
        )
    return "classification"


def is_words(values: Any) -> bool:
    """Whether a column holds texts."""
    return bool(values.dtype == object)


def no_number(values: Any, among_words: bool = False) -> str:
    """The first word of a column that holds mostly numbers, or words as well; or nothing."""
    if not is_words(values):
        return ""
    counts = Counter(value for value in values.tolist() if value is not None)
    words = [value for value in counts if not is_number(value) and value.lower() not in MISSING]
    few = among_words or 2 * sum(counts[word] for word in words) < counts.total()
    return words[0][:40] if words and few else ""


def blamed(values: Any, among_words: bool = False) -> str:
    """Such as `; 'abc' is no number`, where a word makes a column of numbers one of words."""
    wrong = no_number(values, among_words)
    return f"; {wrong!r} is no number" if wrong else ""


def shown(value: Any) -> str:
    """A class as people write it: 3 for 3.0."""
    return str(float(value)).removesuffix(".0") if isinstance(value, float) else str(value)


def unusable(values: Any) -> str:
    """Why an input column cannot be used, or nothing."""
    if is_words(values):
        present = list(dict.fromkeys(value for value in values.tolist() if value is not None))
        has_one = len(present) == 1
    else:
        present = values[~np.isnan(values)]
        has_one = len(present) > 0 and (present == present[0]).all()
    if not len(present):
        return "every value is missing"
    if has_one:
        return "it has one value only"
    if is_words(values):
        found = f"it holds {len(present)} different words, such as {present[0][:40]!r}"
        return found if len(present) > MOST_WORDS else ""
    return f"it holds {wrong}" if (wrong := too_large(present)) else ""


def too_large(numbers: Any) -> str:
    """The first number that is too large, and what it must be; or nothing. NaN is none."""
    found = numbers[np.abs(numbers) >= LARGEST_NUMBER]
    return (
        f"{found[0]:g}, which is too large: must be numbers below {LARGEST_NUMBER:.0e}"
        if len(found)
        else ""
    )


def printable(name: str, most: int = 60) -> str:
    """A name for people: shortened, and without characters that steer a terminal."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name)
    return text if len(text) <= most else f"{text[: most - 1]}…"


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
            parts.append((values[:, None] == np.array(column.words, object)).astype(np.float64))
        else:
            parts.append(values[:, None])
        if count := int((~are_known(values)).sum()):
            missing[column.name] = count
    return np.concatenate(parts, axis=1), dict(missing)


def fitted(encoding: Encoding, raw: Any, y: Any) -> Encoding:
    """The encoding with the means and deviations of these rows; words stay 0 and 1.

    An input that is alike in all of them, such as a word that none has, is 0 in all rows.
    """
    is_word = np.concatenate([np.full(each.inputs, bool(each.words)) for each in encoding.columns])
    has_value = ~np.isnan(raw)
    count = np.maximum(has_value.sum(axis=0), 1)
    mean = np.where(has_value, raw, 0.0).sum(axis=0) / count
    centred = np.where(has_value, raw - mean, 0.0)
    # Divided by the largest first, as the square of 1e-200 is 0.
    largest = np.abs(centred).max(axis=0)
    largest[largest == 0] = 1.0
    deviation = largest * np.sqrt(((centred / largest) ** 2).sum(axis=0) / count)
    mean[is_word] = 0.0
    deviation[is_word & (deviation > 0)] = 1.0
    deviation[deviation == 0] = UNSEEN
    found = {**vars(encoding), "mean": tuple(mean.tolist()), "deviation": tuple(deviation.tolist())}
    if encoding.task == "regression":
        found |= {"target_mean": float(y.mean()), "target_deviation": deviation_of(y) or 1.0}
    return Encoding(**found)


def deviation_of(values: Any) -> float:
    """The standard deviation of numbers of any size: the square of 1e-200 would be 0."""
    centred = values - values.mean()
    largest = np.abs(centred).max()
    return float(largest * (centred / largest).std()) if largest > 0 else 0.0

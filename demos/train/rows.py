"""The rows of a table: read once, split anew for each seed, and standardised by training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos import tuning
from scratchnet.demos.train.columns import Prepared, fitted, is_words, prepare
from scratchnet.demos.train.data_files import LARGEST_WHOLE, read_table
from scratchnet.demos.tuning import Data, stream

if TYPE_CHECKING:
    from scratchnet.demos.train.experiment import Settings

PARTS = (0.6, 0.8)
"""Where the training rows end, and the validation rows."""


def load(s: Settings) -> Prepared:
    """The table as numbers; it is read once."""
    assert s.file is not None
    return _load(s.file, s.target, s.task)


@lru_cache(maxsize=1)
def _load(file: Path, target: str | None, task: str) -> Prepared:
    """The table's rows, prepared; the last file that was read is kept."""
    table = read_table(file)
    name = target if target is not None else list(table)[-1]
    prepared = prepare(table, name, task)
    if prepared.encoding.classes and not is_words(table[name]):
        if name in table.units or np.nanmax(np.abs(table[name])) >= LARGEST_WHOLE:
            # Classes keep their unit, and as a float64 an identifier of many digits may be another.
            prepared = prepare(read_table(file, {name: ()}), name, task)
    return prepared


def digest(s: Settings) -> str:
    """Of the table's content, so that --resume knows another one."""
    prepared = load(s)
    content = hashlib.sha256(np.ascontiguousarray(prepared.raw).tobytes())
    content.update(np.ascontiguousarray(prepared.y).tobytes())
    return content.hexdigest()[:8]


def split(prepared: Prepared, seed: int) -> tuple[Any, Any, Any]:
    """Row numbers for training, validation and test; of a classification, each class is split.

    A class's rows stand together and in the same order for all seeds, so that labels are alike.
    """
    generator = stream(seed, tuning.TRAINING)
    rows = np.arange(len(prepared.y))
    is_class = prepared.encoding.task == "classification"
    groups = [rows[prepared.y == each] for each in np.unique(prepared.y)] if is_class else [rows]
    cut = []
    for group in groups:
        shuffled = generator.permutation(group)
        places = [int(np.ceil(part * len(group))) for part in PARTS]
        cut.append(np.split(shuffled, places))
    train, validation, test = (np.concatenate(part) for part in zip(*cut, strict=True))
    return train, validation, test


def repeated(s: Settings) -> tuple[int, int]:
    """Of the test rows of all splits, how many equal a row trained on, inputs and target; and all.

    Rows of equal inputs and another target tell a network nothing that it should not know.
    """
    prepared = load(s)
    rows = np.column_stack([prepared.raw, prepared.y])
    rows += 0.0  # -0.0 becomes 0.0
    digests = np.array([hash(row.tobytes()) for row in rows])
    if len(np.unique(digests)) == len(digests):
        return 0, 0
    found = total = 0
    for seed in range(s.seed, s.seed + s.seeds):
        train, validation, test = split(prepared, seed)
        trained = np.concatenate([train, validation])
        found += int(np.isin(digests[test], digests[trained]).sum())
        total += len(test)
    return found, total


def data(s: Settings, seeds: Sequence[int], whole: bool = False) -> Data:
    """The rows of each seed's split; with `whole` its validation rows are trained on as well."""
    prepared = load(s)
    is_class = prepared.encoding.task == "classification"
    parts: list[list[Any]] = [[] for _ in range(6)]
    for seed in seeds:
        train, validation, test = split(prepared, seed)
        train = np.concatenate([train, validation]) if whole else train
        encoding = fitted(prepared.encoding, prepared.raw[train], prepared.y[train])
        for number, rows in enumerate((train, validation, test)):
            y = prepared.y[rows]
            if not is_class:
                y = ((y - encoding.target_mean) / encoding.target_deviation)[:, None]
            parts[2 * number].append(encoding.standardised(prepared.raw[rows]))
            parts[2 * number + 1].append(y)
    stacked = [np.stack(each) for each in parts]
    if is_class:
        # Labels are alike for all seeds: see `split`.
        stacked[1::2] = [each[0] for each in stacked[1::2]]
        loss = "softmax_cross_entropy" if outputs(prepared) > 1 else "binary_cross_entropy"
    else:
        stacked[1::2] = [each.astype(np.float32) for each in stacked[1::2]]
        loss = "mean_squared_error"
    X, y, X_validation, y_validation, X_test, y_test = stacked
    return Data(X, y, X_validation, y_validation, X_test, y_test, loss)


def outputs(prepared: Prepared) -> int:
    """One for two classes and for a regression, else one for each class."""
    classes = len(prepared.encoding.classes)
    return classes if classes > 2 else 1

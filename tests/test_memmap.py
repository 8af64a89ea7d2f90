"""X in a file, read batch by batch: the same training, without its size in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.backends import InputError
from scratchnet.layers import Dropout, Linear, ReLU
from scratchnet.model import Model
from scratchnet.training import fit


def mapped(path: Path, X: Any) -> Any:
    array = np.memmap(path, X.dtype, "w+", shape=X.shape)
    array[...] = X
    array.flush()
    return np.memmap(path, X.dtype, "r", shape=X.shape)


def trained(X: Any, ensemble: int | None, **options: Any) -> Any:
    y = np.arange(len(X)) % 2
    model = Model(Linear(3, 8), ReLU(), Dropout(0.2), Linear(8, 1), ensemble=ensemble, seed=5)
    history = fit(model, X, y, epochs=3, batch_size=8, **options)
    return model.parameter_buffer.tobytes(), history.loss.tobytes()


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_file_trains_as_memory_does(tmp_path: Path, dtype: str, ensemble: int | None) -> None:
    X = np.random.default_rng(0).uniform(0, 9, (30, 3)).astype(dtype)
    assert trained(mapped(tmp_path / "X", X), ensemble) == trained(X, ensemble)
    weights = np.arange(30.0)
    options = {"sample_weight": weights, "accumulate": 2}
    assert trained(mapped(tmp_path / "X", X), ensemble, **options) == trained(
        X, ensemble, **options
    )


def test_a_number_that_is_not_finite_is_named_by_its_row(tmp_path: Path) -> None:
    X = np.random.default_rng(0).uniform(size=(30, 3))
    X[17, 2] = 1e300
    for ensemble in (None, 2):
        with pytest.raises(InputError, match=r"X\[17, 2\] is 1e\+300: .* finite in float32"):
            trained(mapped(tmp_path / "X", X), ensemble)


@pytest.mark.parametrize("what", ["compile", "accuracy"])
def test_what_looks_at_all_of_it_is_refused(tmp_path: Path, what: str) -> None:
    X = mapped(tmp_path / "X", np.ones((30, 3), "float32"))
    with pytest.raises(InputError, match=f"{what}=True with X a numpy.memmap"):
        trained(X, None, **{what: True})


MEMORY = """
import sys
import numpy as np
from scratchnet.layers import Linear, ReLU
from scratchnet.model import Model
from scratchnet.training import fit

rows, columns = int(sys.argv[2]), 1024
X = np.memmap(sys.argv[1], "float16", "r", shape=(rows, columns))
most = 0

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def looking(outputs, targets, weights=None):
    global most
    most = max(most, anonymous())
    return ((outputs - targets) ** 2).mean(axis=(-2, -1))

model = Model(Linear(columns, 4), ReLU(), Linear(4, 1))
start = anonymous()
y = np.zeros(rows, "float32")
fit(model, X, y, epochs=1, batch_size=256, loss=looking, record=False)
print(most - start)
"""


def grown(path: Path, rows: int) -> int:
    """By how many bytes of its own a training on that file grows; the file is sparse zeros."""
    with open(path, "wb") as file:
        file.truncate(rows * 1024 * 2)
    command = [sys.executable, "-c", MEMORY, str(path), str(rows)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")


@linux
def test_memory_does_not_hold_the_file(tmp_path: Path) -> None:
    rows = 2**16
    # In float32, as the model wants it, the file's numbers are 256 MiB.
    assert grown(tmp_path / "X", rows) < rows * 1024 * 4 / 4


@linux
@pytest.mark.campaign
def test_four_gigabytes_in_less_than_one(tmp_path: Path) -> None:
    assert grown(tmp_path / "X", 2**21) < 2**30

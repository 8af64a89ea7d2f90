"""Mutated files of every format that is read: each loads, or is refused in one line.

A refusal changes nothing. A sample of each loader is tested in every run, 5,000 files in the
campaign; `test_bad_files.py` has the mutations that know the format of safetensors.
"""

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ledger import enter
from networks import assert_same_state
from test_bad_files import begun, everything, mutated
from test_image_files import PARTS, idx, write_binary, write_python

from scratchnet import InputError
from scratchnet.checkpoint import (
    load_checkpoint,
    load_model,
    load_task,
    load_weights,
    save_checkpoint,
    save_model,
)
from scratchnet.demos import running
from scratchnet.early_stopping import EarlyStopping
from scratchnet.image_files import cifar10, mnist

Mutate = Callable[[Path, np.random.Generator], bytes]
Trial = tuple[Path, Mutate, Callable[[], Any], Callable[[], dict[str, Any]]]
"""The file to mutate, how, what loads it, and the state that a refusal must not change."""


def damaged(path: Path, rng: np.random.Generator) -> bytes:
    """The file with bytes replaced, removed, inserted, doubled or set to the same value.

    Most of them near the beginning or the end, where the formats keep what they say of the rest.
    """
    content = bytearray(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        near = min(len(content), (40, 400, len(content))[rng.integers(3)])
        place = int(rng.integers(near + 1))
        place = len(content) - place if rng.random() < 0.3 else place
        length = int(rng.integers(1, (2, 9, 200)[rng.integers(3)]))
        new = rng.integers(256, size=length, dtype=np.uint8).tobytes()
        kind = rng.integers(5)
        if kind == 0:
            content[place : place + length] = new
        elif kind == 1:
            del content[place : place + length]
        elif kind == 2:
            content[place:place] = new
        elif kind == 3:
            content[place:place] = content[place : place + length]
        else:
            content[place : place + length] = bytes([(0, 1, 127, 255)[rng.integers(4)]] * length)
    return bytes(content[: rng.integers(len(content) + 1)] if rng.random() < 0.1 else content)


def safetensors(folder: Path, loader: str) -> Trial:
    source, path = folder / "source", folder / "mutated"
    model, optimizer = begun()
    if loader == "load_checkpoint":
        optimizer.early_stopping = EarlyStopping(model, 1)
        optimizer.early_stopping.update(1, 0.5)
        save_checkpoint(source, model, optimizer, 2)
    else:
        save_model(source, model, task={"data": "spirals", "noise": [0.1, 0.2]})
    load: dict[str, Callable[[], Any]] = {
        "load_model": lambda: load_model(path),
        "load_weights": lambda: load_weights(path, model),
        "load_task": lambda: load_task(path),
        "load_checkpoint": lambda: load_checkpoint(path, model, optimizer),
    }
    model, optimizer = begun(seed=1)

    def mutate(path: Path, rng: np.random.Generator) -> bytes:
        return (mutated if rng.random() < 0.7 else damaged)(path, rng)

    return source, mutate, load[loader], lambda: everything(model, optimizer)


def images(
    folder: Path, write: Callable[[Path], None], name: str, load: Callable[[Path], Any]
) -> Trial:
    """One of several files that are read together; the others are whole."""
    inside = folder / "images"
    inside.mkdir()
    write(inside)
    (inside / name).rename(folder / "source")
    (inside / name).symlink_to(folder / "mutated")
    return folder / "source", damaged, lambda: load(inside), dict


def write_mnist(folder: Path) -> None:
    for name, array in PARTS.items():
        (folder / name).write_bytes(idx(array))


def write_zipped(folder: Path) -> None:
    for name, array in PARTS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array), mtime=0))


def kept_row(folder: Path) -> Trial:
    """A row of an experiment, which `--resume` takes from disk: damaged, it is computed anew."""
    running.write(folder / "source", {"accuracy": [0.5, 0.75], "seconds": 3.0}, {"X": np.eye(3)})

    def load() -> None:
        measures, arrays = running.read(folder / "mutated") or ({}, {})
        assert all(isinstance(each, np.ndarray) for each in [*measures.values(), *arrays.values()])
        if not measures and not arrays:
            raise InputError("computed anew")

    return folder / "source", damaged, load, dict


LOADERS: dict[str, Callable[[Path], Trial]] = {
    "load_model": lambda folder: safetensors(folder, "load_model"),
    "load_weights": lambda folder: safetensors(folder, "load_weights"),
    "load_task": lambda folder: safetensors(folder, "load_task"),
    "load_checkpoint": lambda folder: safetensors(folder, "load_checkpoint"),
    "MNIST images": lambda folder: images(folder, write_mnist, "train-images-idx3-ubyte", mnist),
    "MNIST labels": lambda folder: images(folder, write_mnist, "t10k-labels-idx1-ubyte", mnist),
    "MNIST zipped": lambda folder: images(folder, write_zipped, "t10k-labels-idx1-ubyte.gz", mnist),
    "CIFAR-10 binary": lambda folder: images(folder, write_binary, "data_batch_2.bin", cifar10),
    "CIFAR-10 Python": lambda folder: images(folder, write_python, "data_batch_2", cifar10),
    "row of an experiment": kept_row,
}


def refusals(folder: Path, loader: str, files: int, seed: int) -> int:
    """How many of that many mutated files are refused; each must be, or load."""
    source, mutate, load, state = LOADERS[loader](folder)
    rng = np.random.default_rng(seed)
    count = 0
    for _ in range(files):
        (folder / "mutated").write_bytes(mutate(source, rng))
        before = state()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                load()
            except InputError as error:
                count += 1
                assert str(error).isprintable(), str(error)
                assert_same_state(state(), before)
        assert all(str(each.message).isprintable() for each in caught)
    return count


@pytest.mark.parametrize("loader", LOADERS)
def test_mutated_files_load_or_are_refused(loader: str, tmp_path: Path) -> None:
    assert 10 < refusals(tmp_path, loader, 60, seed=1)


def test_the_files_load_before_they_are_mutated(tmp_path: Path) -> None:
    for number, loader in enumerate(LOADERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        source, _, load, _ = LOADERS[loader](folder)
        (folder / "mutated").write_bytes(source.read_bytes())
        load()


@pytest.mark.campaign
def test_5000_mutated_files_of_every_loader(tmp_path: Path) -> None:
    counts = {}
    for number, loader in enumerate(LOADERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        counts[loader] = refusals(folder, loader, 5000, seed=100 + number)
    enter(
        "files",
        f"5,000 mutated files for each of {len(counts)} loaders: all loaded, or were refused in "
        "one line and changed nothing; refused: "
        + ", ".join(f"{loader} {count:,}" for loader, count in counts.items()),
    )

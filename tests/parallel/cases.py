"""Trainings on the ranks of this start of mpiexec, compared with the training of one process.

Argument 1 says whether steps are "replayed" or "compiled". Rank 0 writes what it found, by case, as
JSON into the file that argument 2 names.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from scratchnet.backends import InputError
from scratchnet.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from scratchnet.layers import BatchNorm, Dropout, LeakyReLU, Linear, ReLU, Tanh
from scratchnet.losses import huber
from scratchnet.model import Model
from scratchnet.optim import SGD, Adam, AdamW
from scratchnet.parallel import Ranks
from scratchnet.pruning import prune
from scratchnet.tensor import Tensor
from scratchnet.training import fit

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.rank, COMM.size
SAMPLES = 34
rng = np.random.default_rng(0)
X = rng.normal(size=(SAMPLES, 2))
XOR = (X[:, 0] * X[:, 1] > 0).astype(float)
WEIGHTS = rng.uniform(0, 2, SAMPLES) * (rng.uniform(size=SAMPLES) > 0.2)
HELD_OUT = rng.normal(size=(15, 2))
HELD_OUT_XOR = (HELD_OUT[:, 0] * HELD_OUT[:, 1] > 0).astype(float)


def mine(values: Any) -> Any:
    """This rank's rows: rank r holds about r + 1 parts of them, so the shares are uneven."""
    cuts = np.cumsum([0, *range(1, SIZE + 1)]) * len(values) // (SIZE * (SIZE + 1) // 2)
    return values[cuts[RANK] : cuts[RANK + 1]]


def plain(**settings: Any) -> Model:
    return Model(Linear(2, 8), Tanh(), Linear(8, 1), dtype="float64", **settings)


def normalised(**settings: Any) -> Model:
    layers = Dropout(0.2), Linear(2, 8), BatchNorm(8), ReLU(), Dropout(0.3), Linear(8, 1)
    return Model(*layers, dtype="float64", **settings)


def pruned(**settings: Any) -> Model:
    model = plain(**settings)
    prune(model, fraction=0.5)
    return model


def frozen(**settings: Any) -> Model:
    model = plain(**settings)
    model.parameters()[0].requires_grad = False
    return model


def own_loss(outputs: Any, targets: Any, weights: Any = None) -> Any:
    """Divides by the sum of its weights, which is 0 where all rows fill up."""
    squares = (outputs - targets) ** 2
    if weights is None:
        return squares.mean(axis=(-2, -1))
    w = Tensor(weights)
    return (squares * w).sum(axis=(-2, -1)) / w.sum(axis=(-2, -1))


IN_ENSEMBLES = (
    "accumulated, clipped",
    "SGD with momentum and decay",
    "AdamW",
    "clipped",
    "mask",
    "weights",
    "validation",
)
MakeOptimizer = Callable[[Model], Any]
CASES: dict[str, tuple[Callable[..., Model], MakeOptimizer, dict[str, Any]]] = {
    "SGD": (plain, lambda m: SGD(m, 0.3), {}),
    "SGD with momentum and decay": (
        plain,
        lambda m: SGD(m, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        {"batch_size": 11},
    ),
    "Adam": (plain, lambda m: Adam(m, 0.01), {}),
    "Adam with decay": (plain, lambda m: Adam(m, 0.01, weight_decay=0.1), {"batch_size": 11}),
    "AdamW": (plain, lambda m: AdamW(m, 0.01), {"batch_size": 5}),
    "schedule": (plain, lambda m: SGD(m, lambda step: 0.1 / (1 + step)), {"batch_size": 11}),
    "clipped": (plain, lambda m: SGD(m, 1.0), {"batch_size": 11, "clip_norm": 0.05}),
    "mask": (pruned, lambda m: SGD(m, 0.1, momentum=0.9), {"batch_size": 11}),
    "frozen, clipped": (frozen, lambda m: Adam(m, 0.01), {"batch_size": 11, "clip_norm": 0.1}),
    "batches of one": (plain, lambda m: SGD(m, 0.1), {"batch_size": 1}),
    "not recorded": (plain, lambda m: Adam(m, 0.01), {"batch_size": 11, "record": False}),
    "accumulated": (plain, lambda m: SGD(m, 0.3), {"batch_size": 5, "accumulate": 3}),
    "accumulated, clipped": (
        normalised,
        lambda m: SGD(m, 0.1, momentum=0.5),
        {"batch_size": 5, "accumulate": 2, "clip_norm": 0.1},
    ),
    "weights": (plain, lambda m: SGD(m, 0.3), {"sample_weight": WEIGHTS, "batch_size": 11}),
    "weights, accumulated": (
        plain,
        lambda m: SGD(m, 0.3),
        {"sample_weight": WEIGHTS, "batch_size": 5, "accumulate": 2},
    ),
    "weights, full batch": (
        plain,
        lambda m: SGD(m, 0.3),
        {"sample_weight": WEIGHTS, "class_weight": {0: 1, 1: 5}},
    ),
    "own loss": (plain, lambda m: SGD(m, 0.1), {"loss": own_loss, "batch_size": 3}),
    "own loss, full batch": (plain, lambda m: SGD(m, 0.1), {"loss": own_loss}),
    "validation": (
        plain,
        lambda m: Adam(m, 0.1),
        {"batch_size": 11, "patience": 2, "accuracy": True, "epochs": 20, "held out": True},
    ),
    "in a file": (normalised, lambda m: SGD(m, 0.1), {"batch_size": 8, "in a file": True}),
    "BatchNorm, Dropout": (normalised, lambda m: SGD(m, 0.1, momentum=0.5), {"batch_size": 8}),
    "BatchNorm, Dropout, full batch": (normalised, lambda m: SGD(m, 0.1), {}),
}


COMPILED: dict[str, tuple[Callable[..., Model], MakeOptimizer, dict[str, Any]]] = {
    "full batch": (plain, lambda m: SGD(m, 0.3), {}),
    "all at once": (
        normalised,
        lambda m: SGD(m, 0.1, momentum=0.5),
        {"batch_size": 17, "clip_norm": 0.5, "sample_weight": WEIGHTS, "ensemble": 3, "epochs": 2},
    ),
}
IN_PAIRS: dict[str, tuple[Callable[..., Model], MakeOptimizer, dict[str, Any]]] = {
    "mask": (pruned, lambda m: Adam(m, 0.01), {"batch_size": 17}),
    "frozen": (frozen, lambda m: AdamW(m, 0.01), {"epochs": 5}),
    "validation": (
        plain,
        lambda m: Adam(m, 0.1),
        {"patience": 2, "accuracy": True, "epochs": 20, "held out": True},
    ),
}
"""Compiled on two ranks only: the C++ compiler takes its time."""


def sums_of_gradients() -> tuple[int, int]:
    """The sums over the ranks of a training that accumulates, and its steps."""
    sums, packed_sum = [], Ranks.packed_sum

    def noted(ranks: Ranks, *arguments: Any, **out: Any) -> Any:
        sums.append(1)
        return packed_sum(ranks, *arguments, **out)

    Ranks.packed_sum = noted  # type: ignore[method-assign]
    model = plain()
    sgd = SGD(model, 0.1)
    options: Any = {"batch_size": 5, "accumulate": 3, "epochs": 2, "record": False}
    fit(model, mine(X), mine(XOR), optimizer=sgd, communicator=COMM, **options)
    Ranks.packed_sum = packed_sum  # type: ignore[method-assign]
    return len(sums), sgd.steps


def in_file(values: Any) -> Any:
    """The values as a `numpy.memmap`."""
    file = tempfile.TemporaryFile()
    file.write(values.tobytes())
    return np.memmap(file, values.dtype, "r", shape=values.shape)


def compared(model: Callable[..., Model], optimizer: MakeOptimizer, options: dict[str, Any]) -> Any:
    """What this rank's training leaves, and how far it is from that of one process."""
    options = {"epochs": 3, **options}
    held_out = options.pop("held out", False)
    x = in_file(mine(X)) if options.pop("in a file", False) else mine(X)
    ensemble = options.pop("ensemble", None)
    weights = options.pop("sample_weight", None)
    # Of other ranks only the shapes count.
    shared = model(ensemble=ensemble, seed=7 if RANK == 0 else 100 + RANK)
    history = fit(
        shared,
        x,
        mine(XOR),
        optimizer=optimizer(shared),
        communicator=COMM,
        validation=(mine(HELD_OUT), mine(HELD_OUT_XOR)) if held_out else None,
        sample_weight=None if weights is None else mine(weights),
        **options,
    )
    numbers = measured(shared, history)
    everywhere = COMM.gather(numbers, 0)
    if RANK:
        return None
    alone = model(ensemble=ensemble, seed=7)
    history = fit(
        alone,
        X,
        XOR,
        optimizer=optimizer(alone),
        validation=(HELD_OUT, HELD_OUT_XOR) if held_out else None,
        sample_weight=weights,
        **options,
    )
    there = measured(alone, history)
    return {
        "same on all ranks": all(
            each[name].tobytes() == numbers[name].tobytes() for each in everywhere for name in each
        ),
        "same bits": all(numbers[name].tobytes() == there[name].tobytes() for name in there),
        "same length": numbers["loss"].shape == there["loss"].shape,
        "distance": max(
            float(np.abs(numbers[name] - there[name]).max(initial=0)) for name in there
        ),
        "moved": float(
            np.abs(numbers["parameters"] - model(ensemble=ensemble, seed=7).parameter_buffer).max()
        ),
    }


def watched_on(path: Path) -> Any:
    """Early stopping that goes on from a checkpoint which rank 0 alone has read."""
    options: dict[str, Any] = {"batch_size": 11, "patience": 4, "communicator": COMM}
    options["validation"] = (mine(HELD_OUT), mine(HELD_OUT_XOR))
    whole, begun, later = (plain(seed=7) for _ in range(3))
    history = fit(whole, mine(X), mine(XOR), optimizer=Adam(whole, 0.1), epochs=30, **options)
    adam = Adam(begun, 0.1)
    written = [checkpoints(path, adam, 1)]
    stop = max(history.epochs - 2, 1)
    fit(begun, mine(X), mine(XOR), optimizer=adam, epochs=stop, callbacks=written, **options)
    adam = Adam(later, 0.1)
    done = COMM.bcast(load_checkpoint(path, later, adam) if RANK == 0 else None)
    rest = fit(later, mine(X), mine(XOR), optimizer=adam, epochs=30, first_epoch=done, **options)
    same = later.parameter_buffer.tobytes() == whole.parameter_buffer.tobytes()
    return COMM.gather((done + rest.epochs == history.epochs, history.stopped, same), 0)


def measured(model: Model, history: Any) -> dict[str, Any]:
    buffers = {
        f"{name}.{each}": array.astype(float)
        for name, layer in model.root.walk()
        for each, array in layer.buffers.items()
        if each != "key"
    }
    return {
        "parameters": model.parameter_buffer,
        "loss": history.loss,
        "validation": history.validation_loss,
        "accuracy": history.accuracy,
        "validation accuracy": history.validation_accuracy,
        "best": np.array(0 if history.best_epoch is None else history.best_epoch, float),
        **buffers,
    }


def resumed(path: Path) -> Any:
    """How far trainings are from one without a stop that go on from a checkpoint on more ranks, or
    on fewer, and which ranks had a callback for rank 0 called."""
    options: dict[str, Any] = {"batch_size": 8, "epochs": 2}
    begun, alone = normalised(seed=7), normalised(seed=7)
    sgd = SGD(begun, 0.1, momentum=0.5)
    calls: list[int] = []

    def note(epoch: int, model: Model, loss: Any) -> None:
        calls.append(epoch)

    note.on_first_rank = True  # type: ignore[attr-defined]
    written = [checkpoints(path, sgd, 1), note]
    fit(begun, mine(X), mine(XOR), optimizer=sgd, communicator=COMM, callbacks=written, **options)
    calls_of_each = COMM.allgather(calls)
    if RANK == 0:
        fit(alone, X, XOR, optimizer=(o := SGD(alone, 0.1, momentum=0.5)), **options)
        save_checkpoint(path.with_suffix(".alone"), alone, o, 2)
    COMM.Barrier()
    more, fewer, whole = normalised(seed=7), normalised(seed=7), normalised(seed=7)
    options["epochs"] = 4
    sgd = SGD(more, 0.1, momentum=0.5)
    done = load_checkpoint(path.with_suffix(".alone"), more, sgd)
    x, y = mine(X), mine(XOR)
    fit(more, x, y, optimizer=sgd, communicator=COMM, first_epoch=done, **options)
    if RANK:
        return None
    sgd = SGD(fewer, 0.1, momentum=0.5)
    fit(fewer, X, XOR, optimizer=sgd, first_epoch=load_checkpoint(path, fewer, sgd), **options)
    fit(whole, X, XOR, optimizer=SGD(whole, 0.1, momentum=0.5), **options)
    of_whole = whole.parameter_buffer
    distances = [float(np.abs(each.parameter_buffer - of_whole).max()) for each in (more, fewer)]
    return {"distances": distances, "calls": calls_of_each}


class Seldom:
    """A callback that is called after every so many epochs."""

    def __init__(self, every: int) -> None:
        self.every = every

    def __call__(self, epoch: int, model: Model, loss: Any) -> None:
        pass


def refused(x: Any, y: Any, **options: Any) -> str:
    """What `fit` says to that on this rank."""
    model = options.pop("model", None) or plain()
    try:
        fit(model, x, y, **{"communicator": COMM, "epochs": 1, **options})
    except InputError as error:
        return str(error)
    return "nothing"


def refusals() -> dict[str, list[str]]:
    """What each rank says to input that is wrong on the last rank, or everywhere."""
    x, y, is_last = mine(X).copy(), mine(XOR), RANK == SIZE - 1
    nan = np.where(is_last, np.nan, x)
    said = {
        "nan": refused(nan, y),
        "empty": refused(x[:0] if is_last else x, y[:0] if is_last else y),
        "batch_size": refused(x, y, batch_size=RANK + 3),
        "compile": refused(x, y, compile=is_last),
        "rate": refused(x, y, model=(m := plain()), optimizer=SGD(m, 0.1 + is_last)),
        "slope": refused(x, y, model=Model(Linear(2, 1), LeakyReLU(0.1 + is_last))),
        "frozen": refused(x, y, model=frozen() if is_last else plain()),
        "class_weight": refused(x, y, class_weight={0: 1, 1: 1 + is_last}),
        "loss setting": refused(x, y, loss=partial(huber, delta=1 + is_last)),
        "every": refused(x, y, callbacks=[Seldom(0 if is_last else 1)]),
        "type": refused(x, object() if is_last else y),
        "weights": refused(x, y, sample_weight=0 * y),
        "loss": refused(x, y, loss=lambda z, t: (z * z).mean(axis=(-2, -1)), batch_size=4),
        "communicator": refused(x, y, communicator="world"),
    }
    return {name: COMM.gather(each, 0) or [] for name, each in said.items()}


def diverging() -> Any:
    """An ensemble of which one network diverges, and then all: which, when, where, who warns."""
    seen = []
    for rates in ([0.1, 1e308], [1e308, 1e308]):
        model = plain(ensemble=2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = fit(
                model, mine(X), mine(XOR), optimizer=SGD(model, rates), epochs=4,
                loss="mean_squared_error", communicator=COMM,
            )  # fmt: skip
        seen.append(
            [history.stopped, history.epochs, list(map(str, history.diverged)), len(caught)]
        )
    return COMM.gather(seen, 0)


def without_a_compiled_form() -> Any:
    """What is warned of where the last rank alone cannot compile the step, and how far the training
    is from one that is not compiled."""
    from scratchnet.backends.compile import NotCompiled, step

    def refuse(*arguments: Any) -> Any:
        raise NotCompiled("call 7, wishful")

    written = step.write_program
    if RANK == SIZE - 1:
        step.write_program = refuse
    models = [normalised(seed=7), normalised(seed=7)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for model, compile in zip(models, (True, False), strict=True):
            fit(model, mine(X), mine(XOR), epochs=3, compile=compile, communicator=COMM)
    step.write_program = written
    said = [str(each.message) for each in caught]
    same = models[0].parameter_buffer.tobytes() == models[1].parameter_buffer.tobytes()
    return COMM.gather((said, same), 0)


def on_another_processor() -> str:
    """What is said where the last rank's processor knows other instructions, its vectors alike."""
    from scratchnet.backends import compile

    find = compile.find_compiler
    here = find()
    there = replace(here, features=here.features + "#define __ANOTHER__ 1\n")
    assert str(here) == str(there)
    if RANK == SIZE - 1:
        compile.find_compiler = lambda: there
    said = refused(mine(X), mine(XOR), compile=True)
    compile.find_compiler = find
    return said


def compiled() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        # A step that is replayed would agree, whatever the compiled one computes.
        warnings.filterwarnings("error", "the step is replayed")
        for name, case in (COMPILED | (IN_PAIRS if SIZE == 2 else {})).items():
            model, optimizer, options = case
            found[name] = compared(model, optimizer, {**options, "compile": True})
    if SIZE > 1:
        found["without"] = without_a_compiled_form()
        found["processor"] = COMM.gather(on_another_processor(), 0)
    return found


def replayed(path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (model, optimizer, options) in CASES.items():
        found[name] = compared(model, optimizer, options)
        if name in (*IN_ENSEMBLES, "BatchNorm, Dropout", "BatchNorm, Dropout, full batch"):
            found[f"{name}, ensemble"] = compared(model, optimizer, {**options, "ensemble": 3})
    found["resumed"] = resumed(Path(path).with_suffix(".safetensors"))
    found["watched on"] = watched_on(Path(path).with_suffix(".watched"))
    if SIZE > 1:
        found["refusals"], found["diverging"] = refusals(), diverging()
        found["sums"] = sums_of_gradients()
    return found


def main(how: str, path: str) -> None:
    found = compiled() if how == "compiled" else replayed(path)
    if RANK == 0:
        Path(path).write_text(json.dumps(found))


main(*sys.argv[1:])

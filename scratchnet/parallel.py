"""Training by several processes, each with its share of the samples, that talk over MPI.

Every process ("rank") has the whole model. A batch is a batch of all samples: those of rank 0, then
those of rank 1, and so on. Each rank knows its order, computes the samples that it holds, and with
L_r its mean loss and s_r its part of the batch (of the weights, where there are any)

    L = sum over ranks of s_r L_r,      dL/dp = sum over ranks of d(s_r L_r)/dp

are summed by one Allreduce, of the packed gradients with the loss behind them. All ranks then make
the same step. So it is the training of one process, up to rounding, whatever the shares. The sum is
a call of the backend: a recording repeats it, and a compiled step is cut there.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from scratchnet.attendance import check_started, meet
from scratchnet.backends import Array, Backend, InputError
from scratchnet.backends.contexts import Blocks
from scratchnet.backends.door import by_host
from scratchnet.backends.interface import Out
from scratchnet.batches import Batches
from scratchnet.classes import loss_name
from scratchnet.early_stopping import EarlyStopping
from scratchnet.extras import require
from scratchnet.files import one_line
from scratchnet.hyperparameters import PLAIN, Configured, hyperparameters
from scratchnet.losses import Loss
from scratchnet.model import Model
from scratchnet.optim import Optimizer
from scratchnet.shared_batches import SharedBatches
from scratchnet.tensor import Tensor

APART = {"float32": 1e-3, "float64": 1e-8}
"""How far parameters of two ranks may be apart, relative to the largest: unlike processors round
otherwise."""


class Alone:
    """One process that trains a model: what `Ranks` do together, it does without asking."""

    rank, size = 0, 1

    def agreeing(self, *kinds: type[Exception]) -> AbstractContextManager[None]:
        return nullcontext()

    def ending_together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def batches(
        self,
        model: Model,
        inputs: Tensor,
        targets: Array,
        batch_size: int | None,
        weights: Array | None,
        loss: Loss,
    ) -> Batches:
        """Those of its samples; several ranks need the loss."""
        return Batches(model, inputs, targets, batch_size, weights)

    def mean(self, value: Any, samples: int) -> Any:
        return value

    def any(self, answer: bool) -> bool:
        return answer

    def all(self, answer: bool) -> bool:
        return answer

    def common(self, value: Any) -> Any:
        return value

    def check_compiled(self, model: Model, compile: bool) -> None:
        pass

    def check_same(self, model: Model, optimizer: Optimizer, *others: Any, **more: Any) -> None:
        pass

    def check_alike(self, model: Model, done: int, start: int, is_last: bool) -> None:
        pass

    def start_alike(
        self, model: Model, optimizer: Optimizer, stopping: EarlyStopping | None
    ) -> None:
        pass

    def close(self) -> None:
        pass


class Ranks:
    """The processes of a communicator of mpi4py that train a model together."""

    _xp: Any = np
    """What makes the arrays that are summed."""

    def __init__(self, communicator: Any) -> None:
        mpi = require("mpi4py.MPI", "mpi4py", "mpi", "training with a communicator")
        is_none = communicator == mpi.COMM_NULL
        if not isinstance(communicator, mpi.Intracomm) or is_none:
            found = "MPI.COMM_NULL" if is_none else f"of type {type(communicator).__name__}"
            raise InputError(
                f"communicator is {found}: must be an Intracomm of mpi4py that has this process, "
                "such as MPI.COMM_WORLD"
            )
        self._communicator, self._in_place = communicator, mpi.IN_PLACE
        self._of_all: Exception | None = None
        """What all ranks have raised last."""
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()
        self.seconds = 0.0
        """The host's time in sums inside of steps, with waiting for the other ranks; 0 on GPUs,
        where it does not wait."""

    def gathered(self, value: Any) -> list[Any]:
        """What each rank gave."""
        return list(self._communicator.allgather(value))

    def send_from_first(self, array: Array) -> None:
        """array <- that of rank 0"""
        self._communicator.Bcast(array, 0)

    @by_host
    def packed_sum(self, gradients: Array, losses: Array, out: Out) -> Array:
        """(..., P) and (..., n) -> (..., P + n), summed over the ranks, for `Backend.run`."""
        size = gradients.shape[-1]
        if out is ...:
            out = self._xp.empty((*losses.shape[:-1], size + losses.shape[-1]), gradients.dtype)
        out[..., :size], out[..., size:] = gradients, losses
        return self._summed(out)

    @by_host
    def total(self, array: Array, out: Out) -> Array:
        """The sum over the ranks: a kernel for `Backend.run`."""
        out = self._xp.empty(array.shape, array.dtype) if out is ... else out
        self._xp.copyto(out, array)
        return self._summed(out)

    def _summed(self, array: Array) -> Array:
        """The array's sum over all ranks, in place; the time is counted."""
        start = time.perf_counter()
        self._communicator.Allreduce(self._in_place, array)
        self.seconds += time.perf_counter() - start
        return array

    def mean(self, value: Any, samples: int) -> Any:
        """The mean over all samples, of the means of each rank, in the dtype of these."""
        parts = self.gathered((np.asarray(value), samples))
        whole = sum(samples for _, samples in parts)
        mean = sum(each.astype(np.float64) * (samples / whole) for each, samples in parts)
        return np.asarray(mean, np.asarray(value).dtype)

    def any(self, answer: bool) -> bool:
        """Whether a rank says so; no rank goes on before all have answered."""
        return any(self.gathered(answer))

    def located(self, layers: list[str]) -> list[str]:
        """Where each network's numbers stopped being finite, with the rank that saw it first."""
        found = self.gathered(layers)
        places = []
        for of_each in zip(*found, strict=True):
            rank, place = next(
                ((i, each) for i, each in enumerate(of_each) if each != "the loss"),
                (0, "the loss"),
            )
            places.append(place if len(set(of_each)) == 1 else f"{place}, on rank {rank}")
        return places

    def all(self, answer: bool) -> bool:
        """Whether all ranks say so."""
        return all(self.gathered(answer))

    @contextmanager
    def agreeing(self, *kinds: type[Exception]) -> Iterator[None]:
        """An exception of these kinds, without any an `InputError`, that a rank raises inside is
        raised by all, as the first kind, and names that rank; so is another one by the others."""
        kinds = kinds or (InputError,)
        own: Exception | None = None
        try:
            yield
        except Exception as error:
            own = error
        messages = self.gathered(None if own is None else _said(own, *kinds))
        if own is not None and not isinstance(own, kinds):
            self._of_all = own
            raise own
        for rank, message in enumerate(messages):
            if message is not None:
                self.refuse(f"rank {rank} of {self.size}: {message}", kinds[0])

    def refuse(self, message: str, kind: type[Exception] = InputError) -> NoReturn:
        """Raise an error that all ranks raise."""
        self._of_all = kind(message)
        raise self._of_all from None

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """What ends this rank inside ends the others, with one line; what all raise passes."""
        try:
            yield
        except BaseException as error:
            if error is self._of_all:
                raise
            what = _said(error, InputError)
            if isinstance(error, KeyboardInterrupt):
                what = "it was interrupted"
            # Where all ranks fail alike one of them speaks: the first ends those that wait.
            time.sleep(min(0.5 * self.rank, 2.0))
            line = f"rank {self.rank} of {self.size} ends the training: {' '.join(what.split())}"
            print(line, file=sys.__stderr__, flush=True)  # heard also where stderr is silenced
            time.sleep(0.2)  # until mpiexec has passed the line on
            self._communicator.Abort(130 if isinstance(error, KeyboardInterrupt) else 1)
            os._exit(1)  # not reached where Abort does what it must

    def close(self) -> None:
        """Free what the sums needed, once no recording holds any."""

    def batches(self, model: Model, *data: Any) -> Batches:
        """The batches of all ranks' samples: see `SharedBatches`."""
        return SharedBatches(self, model, *data)

    def check_compiled(self, model: Model, compile: bool) -> None:
        """Raise `InputError` where the step cannot be cut at its sums."""
        if compile and model.backend.name != "numpy":
            raise InputError(
                f"compile=True with a communicator of {self.size} ranks on {model.backend.name}: "
                "must be False, as a CUDA kernel cannot wait for other GPUs"
            )

    def common(self, value: Any) -> Any:
        """The value that all ranks have, None where they differ."""
        values = self.gathered(value)
        return value if all(each == values[0] for each in values) else None

    def check_same(
        self, model: Model, optimizer: Optimizer, loss: Loss, compile: bool, **settings: Any
    ) -> None:
        """Raise `InputError` on all ranks where a rank trains otherwise than rank 0.

        Functions cannot be compared, such as schedules: `check_alike` sees what they do.
        """
        from scratchnet.backends.compile import find_compiler

        settings |= {"loss": loss_name(loss), "loss_settings": plain_settings(loss)}
        settings["compiler"] = model.backend.compiler() if compile else "none"
        settings["processor"] = f"of kind {find_compiler().processor}" if compile else "any"
        of_each = self.gathered({**_described(model, optimizer), **settings})
        for rank, others in enumerate(of_each):
            for name, here in of_each[0].items():
                if others.get(name) != here:
                    self.refuse(
                        f"rank {rank} of {self.size} has another {name} than rank 0: "
                        f"{one_line(others.get(name), 80)}; must be {one_line(here, 80)}"
                    )

    def check_alike(self, model: Model, done: int, start: int, is_last: bool) -> None:
        """Raise `InputError` on all ranks where the parameters of one are not those of rank 0.

        It is done after 1, 2, 4, 8, ... epochs of a training from `start` on, and the last.
        """
        trained = done - start
        if trained & (trained - 1) and not is_last:
            return
        own = model.backend.to_numpy(model.parameter_buffer)
        first = own.copy()
        Ranks.send_from_first(self, first)
        # Of each network by itself: one that diverges leaves the others comparable.
        sizes = np.where(np.isfinite(first), np.abs(first), 0)
        bound = APART[model.dtype] * sizes.max(axis=-1, keepdims=True, initial=0)
        with np.errstate(invalid="ignore"):
            is_near = (np.abs(own - first) <= bound) | (own == first) | np.isnan(own + first)
        near = self.gathered(bool(is_near.all()))
        if not all(near):
            raise InputError(
                f"rank {near.index(False)} has other parameters than rank 0 after epoch "
                f"{done - 1}: all must train alike, with the same schedule and callbacks"
            )

    def start_alike(
        self, model: Model, optimizer: Optimizer, stopping: EarlyStopping | None
    ) -> None:
        """Give them the numbers of rank 0, all that the training depends on."""
        buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
        masks = [] if model.mask_buffer is None else [model.mask_buffer]
        states = [each.state().values() for each in (optimizer, stopping) if each is not None]
        for array in (model.parameter_buffer, *masks, *buffers, *chain(*states)):
            self.send_from_first(array)
        optimizer.resume(self.gathered(optimizer.steps)[0])


def ranks_of(communicator: Any, backend: Backend) -> Ranks | Alone:
    """The ranks of a communicator; `Alone` without one, and where it has one process."""
    if communicator is None:
        return Alone()
    ranks = Ranks(communicator)
    if ranks.size == 1:
        check_started(sys.modules["mpi4py.MPI"])
        return Alone()
    with ranks.ending_together():
        meet(communicator)
        on_gpus = ranks.common(backend.name) == "cupy"
    if on_gpus:
        from scratchnet.nccl import RanksOnGpus

        return RanksOnGpus(communicator, backend.xp)
    return ranks


_EVERYWHERE: Blocks[Any] = Blocks("training on all ranks")


@contextmanager
def on_all_ranks(communicator: Any) -> Iterator[None]:
    """Inside, `fit` gets the whole data on every rank and trains on this rank's part of them.

    So a program that runs alike on all ranks trains together without a word of its own.
    """
    with _EVERYWHERE.opened(communicator):
        yield


def own_part(
    communicator: Any, X: Any, y: Any, weights: Any, validation: Any
) -> tuple[Any, Any, Any, Any, str]:
    """The communicator of a block of `on_all_ranks`, this rank's rows, about equally many, and what
    tells the whole data from others."""
    around = _EVERYWHERE.values()
    if communicator is not None or not around:
        return communicator, X, y, weights, ""
    rank, ranks, samples = around[-1].Get_rank(), around[-1].Get_size(), np.shape(X)[-2]
    if samples < ranks:
        raise InputError(
            f"{samples} training rows on {ranks} ranks: must be at least one for each rank"
        )
    rows = slice(samples * rank // ranks, samples * (rank + 1) // ranks)

    def part(values: Any) -> Any:
        """This rank's samples, which stand on the axis behind an ensemble's where there is one."""
        is_shared = np.shape(values)[0] == samples and np.ndim(X) == 2
        of_each = not is_shared and np.ndim(values) > 1 and np.shape(values)[1] == samples
        return values[:, rows] if of_each else values[rows]

    own_weights = None if weights is None else part(np.asarray(weights))
    checksum, held_out = 0, validation if isinstance(validation, (tuple, list)) else ()
    for each in map(np.asarray, (X, y, weights, *held_out)):
        if each.dtype.kind in "biuf":
            checksum = zlib.crc32(np.ascontiguousarray(each).data, checksum)
    whole = f"{samples} rows, checksum {checksum:08x}"
    return around[-1], X[..., rows, :], part(np.asarray(y)), own_weights, whole


def _described(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """What must be the same on all ranks, by name."""
    found: dict[str, Any] = {
        "backend": model.backend.name,
        "precision": model.backend.precision,
        "dtype": model.dtype,
        "number of networks": len(model.seeds),
        "number of layers": len(model.layers),
    }
    found |= {f"layer {number}": repr(each) for number, each in enumerate(model.layers)}
    for name, layer in model.root.walk():
        found |= {f"{setting} of layer {name}": v for setting, v in _settings(layer).items()}
        for each, parameter in layer.parameters.items():
            found[f"requires_grad of {name}.{each}"] = parameter.requires_grad
    rate = "a schedule" if callable(optimizer.schedule) else np.asarray(optimizer.schedule).tolist()
    found |= {"mask": model.mask_buffer is not None, "optimizer": type(optimizer).__name__}
    settings = {"learning_rate": rate} | _settings(optimizer)
    return found | {f"{name} of the optimizer": value for name, value in settings.items()}


def _settings(of: Configured) -> dict[str, Any]:
    """The plain values that it was made with, as they are by now, by name."""
    numbers = hyperparameters(type(of))
    return {
        name: np.asarray(value).tolist() if name in numbers else value
        for name, value in vars(of).items()
        if name in numbers or (name in signature(type(of)).parameters and isinstance(value, PLAIN))
    }


def plain_settings(loss: Loss) -> dict[str, Any]:
    """What `functools.partial` has set of it, where ranks can compare that; no function."""
    settings = {name: np.asarray(each) for name, each in getattr(loss, "keywords", {}).items()}
    return {name: each.tolist() for name, each in settings.items() if each.dtype.kind in "biufU"}


def _said(error: BaseException, *kinds: type[Exception]) -> str:
    """An error in words; with its own kind and place where it is none of these kinds."""
    if isinstance(error, kinds):
        return str(error)
    *_, last = traceback.extract_tb(error.__traceback__)
    place = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{type(error).__name__}{f': {error}' if str(error) else ''} ({place})"

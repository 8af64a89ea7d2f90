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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError
from scratchnet.backends.contexts import Blocks
from scratchnet.backends.door import by_host
from scratchnet.backends.interface import Out
from scratchnet.batches import Batches
from scratchnet.extras import require
from scratchnet.losses import LOSSES, Loss, base, loss_of
from scratchnet.model import Model
from scratchnet.optim import Optimizer
from scratchnet.sharing import SHARES, Share
from scratchnet.tensor import Tensor, result
from scratchnet.weighting import takes_weights

PIECES = 8
"""A rank's part of a batch is filled up to a multiple of about 1/8 of what it is on average: few
sizes are few recordings."""


class Ranks:
    """The processes of a communicator of mpi4py that train a model together."""

    _xp: Any = np
    """What makes the arrays that are summed."""

    def __init__(self, communicator: Any) -> None:
        mpi = require("mpi4py.MPI", "mpi4py", "mpi", "training with a communicator")
        if not isinstance(communicator, mpi.Intracomm) or communicator == mpi.COMM_NULL:
            raise InputError(
                f"communicator is of type {type(communicator).__name__}: must be one of mpi4py, "
                "such as MPI.COMM_WORLD"
            )
        self._communicator, self._in_place = communicator, mpi.IN_PLACE
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
        raised by all, as the first kind, and names that rank."""
        kinds, own = kinds or (InputError,), None
        try:
            yield
        except kinds as error:
            own = str(error)
        for rank, message in enumerate(self.gathered(own)):
            if message is not None:
                raise kinds[0](f"rank {rank} of {self.size}: {message}")

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """What ends this rank inside ends the others, who would wait for it, with one line."""
        try:
            yield
        except BaseException as error:
            what = f"{type(error).__name__}: {error}"
            if isinstance(error, KeyboardInterrupt):
                what = "it was interrupted"
            # Where all ranks fail alike one of them speaks: the first ends those that wait.
            time.sleep(min(0.5 * self.rank, 2.0))
            line = f"rank {self.rank} of {self.size} ends the training: {' '.join(what.split())}"
            print(line, file=sys.__stderr__, flush=True)  # heard also where stderr is silenced
            time.sleep(0.2)  # until mpiexec has passed the line on
            self._communicator.Abort(130 if isinstance(error, KeyboardInterrupt) else 1)
            os._exit(1)  # not reached where Abort does what it must

    def common(self, value: Any) -> Any:
        """The value that all ranks have, None where they differ."""
        values = self.gathered(value)
        return value if all(each == values[0] for each in values) else None

    def check_same(self, model: Model, optimizer: Optimizer, **settings: Any) -> None:
        """Raise `InputError` on all ranks where a rank trains otherwise than rank 0.

        Schedules cannot be compared.
        """
        of_each = self.gathered({**_described(model, optimizer), **settings})
        for rank, others in enumerate(of_each):
            for name, here in of_each[0].items():
                if others[name] != here:
                    raise InputError(
                        f"rank {rank} of {self.size} has another {name} than rank 0: "
                        f"{_short(others[name])}; must be {_short(here)}"
                    )

    def start_alike(self, model: Model, optimizer: Optimizer) -> None:
        """Give model and optimizer the numbers of rank 0, all that a step depends on."""
        buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
        masks = [] if model.mask_buffer is None else [model.mask_buffer]
        state = optimizer.state().values()
        for array in (model.parameter_buffer, *masks, *buffers, *state):
            self.send_from_first(array)
        optimizer.resume(self.gathered(optimizer.steps)[0])


def ranks_of(communicator: Any, backend: Backend) -> Ranks | None:
    """The ranks of a communicator; None for no communicator, and for one process alone."""
    ranks = None if communicator is None else Ranks(communicator)
    if ranks is None or ranks.size == 1:
        return None
    if ranks.common(backend.name) == "cupy":
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


def own_part(communicator: Any, X: Any, y: Any, weights: Any) -> tuple[Any, Any, Any, Any]:
    """The communicator of a block of `on_all_ranks`, and this rank's rows, about equally many."""
    around = _EVERYWHERE.values()
    if communicator is not None or not around:
        return communicator, X, y, weights
    rank, ranks, samples = around[-1].Get_rank(), around[-1].Get_size(), np.shape(X)[-2]
    rows = slice(samples * rank // ranks, samples * (rank + 1) // ranks)

    def part(values: Any) -> Any:
        is_shared = np.shape(values)[0] == samples and np.ndim(X) == 2
        of_each = not is_shared and np.ndim(values) > 1 and np.shape(values)[1] == samples
        return values[:, rows] if of_each else values[rows]

    own_weights = None if weights is None else part(np.asarray(weights))
    return around[-1], X[..., rows, :], part(np.asarray(y)), own_weights


def check_compiled(model: Model, compile: bool, ranks: Ranks) -> None:
    """Raise `InputError` where the step cannot be cut at its sums."""
    if compile and model.backend.name != "numpy":
        raise InputError(
            f"compile=True with a communicator of {ranks.size} ranks on {model.backend.name}: must "
            "be False, as a CUDA kernel cannot wait for other GPUs"
        )


def _described(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """What must be the same on all ranks."""
    numbers = {
        name: array.tolist()
        for name, array in optimizer.arrays.items()
        if not name.startswith("correction")
        and not (name == "learning_rate" and callable(optimizer.schedule))
    }
    return {
        "model": f"{len(model.seeds)} times {[repr(each) for each in model.layers]}",
        "backend": model.backend.name,
        "dtype": model.dtype,
        "mask": model.mask_buffer is not None,
        "optimizer": f"{type(optimizer).__name__} with {numbers}",
    }


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


class SharedBatches(Batches):
    """The batches of all ranks' samples; of each, what this rank computes.

    Mini-batches come as (index, places, real, part, samples, factors): the rows of this rank, their
    places in the batch, 1 for those that count, and then of the batch what part of its weight this
    rank has, () or (E,), and the numbers that `Share` needs. All ranks, and all networks of an
    ensemble, have equally many rows, as row 0 fills up; so all record in the same steps.
    """

    def __init__(
        self,
        ranks: Ranks,
        model: Model,
        inputs: Tensor,
        targets: Array,
        batch_size: int | None,
        weights: Array | None,
        loss: Loss,
    ) -> None:
        self.ranks, self.reports = ranks, ranks.rank == 0
        own = inputs.shape[-2]
        self._ends = np.cumsum(ranks.gathered(own))
        self._first = int(self._ends[ranks.rank]) - own
        seeds = ranks.gathered(model.seeds)[0]
        whole_weights = None
        if weights is not None:
            parts = ranks.gathered(model.backend.to_numpy(weights)[..., 0])
            whole_weights = np.concatenate(parts, axis=-1)
            if not whole_weights.sum(axis=-1).all():
                raise InputError("all weights are 0: must be above 0 for at least one sample")
        self._is_own_loss = base(loss) not in LOSSES.values()
        if batch_size is not None and not takes_weights(loss):
            raise InputError(
                f"mini-batches on {ranks.size} ranks with the loss "
                f"{getattr(loss, '__name__', loss)!r}: it must have a parameter `weights`, which "
                "is 0 for rows that fill up a rank's part of a batch"
            )
        super().__init__(
            model, inputs, targets, batch_size, weights,
            int(self._ends[-1]), whole_weights, seeds,
        )  # fmt: skip
        k = model.backend
        self._no_gradient = k.zeros(model.gradient_buffer.shape, model.dtype)
        if batch_size is None:
            places = np.arange(self._first, self._first + own)
            of_all = np.arange(self.total)[None]
            part = self._part(of_all, (of_all >= self._first) & (of_all < self._first + own))
            self._whole = (
                k.asarray(places.astype(np.uint64)),
                None,
                part,
                *self._sizes(self.total),
            )

    def __iter__(self) -> Iterator[tuple[tuple[Array, ...], Any]]:
        if self.batch_size is None:
            yield (), 1.0
            return
        orders = self._draw_orders()
        for start in range(0, self.total, self.batch_size):
            rows = orders[:, start : start + self.batch_size]
            yield self._own_part(rows), self._share(rows)

    def _own_part(self, rows: Any) -> tuple[Array, ...]:
        """What this rank computes of the batch of these rows (networks, B)."""
        networks, size = rows.shape
        owners = np.searchsorted(self._ends, rows, side="right")
        most = max(np.bincount(each).max() for each in owners)
        piece = max(1, size // (PIECES * self.ranks.size))
        own = min(-(-most // piece) * piece, size)
        is_mine = owners == self.ranks.rank
        index, places = (np.zeros((networks, own), kind) for kind in (np.int64, np.uint64))
        real = np.zeros((networks, own, 1), self.model.dtype)
        for network in range(networks):
            mine = np.flatnonzero(is_mine[network])
            index[network, : len(mine)] = rows[network, mine] - self._first
            places[network, : len(mine)] = mine
            # A loss of the user's own may divide by the sum of its weights; the part is 0 then.
            real[network, : len(mine) or (own if self._is_own_loss else 0)] = 1
        alone = self.model.ensemble is None
        k = self.model.backend
        arrays = [k.asarray(each[0] if alone else each) for each in (index, places, real)]
        part, sizes = self._part(rows, is_mine), self._sizes(size)
        return *arrays, part, *sizes, *self._read(arrays[0])

    def _part(self, rows: Any, is_mine: Any) -> Array:
        """What part of the weights of these rows (networks, B) this rank has, () or (E,)."""
        weights: Any = np.ones(1) if self._host_weights is None else self._host_weights
        weights = np.broadcast_to(weights, (len(self.model.seeds), self.total))
        of_rows = np.take_along_axis(
            weights, np.broadcast_to(rows, (len(weights), rows.shape[1])), 1
        )
        whole = of_rows.sum(axis=-1, dtype=np.float64)
        mine = (of_rows * is_mine).sum(axis=-1, dtype=np.float64)
        part = (mine / np.where(whole > 0, whole, 1)).astype(self.model.dtype)
        return self.model.backend.asarray(part if self.model.ensemble else part[0])

    def _sizes(self, samples: int) -> tuple[Array, Array]:
        k = self.model.backend
        factors = np.array([1 / samples, samples / max(1, samples - 1)], self.model.dtype)
        return k.asarray(np.array(samples, np.uint64)), k.asarray(factors)

    def select_weights(self, *rows: Array) -> Array | None:
        own = super().select_weights(*rows)
        if not rows:
            return own
        return rows[2] if own is None else self.model.backend.multiply(own, rows[2])

    def differentiate(self, compute_loss: Loss, *rows: Array) -> Tensor:
        """This rank's part of both."""
        model, k = self.model, self.model.backend
        # What a step does not reach adds nothing to the sums, instead of an earlier gradient.
        k.copy(self._no_gradient, out=model.gradient_buffer)
        places, real, part, samples, factors = rows[1:6] or self._whole
        share = Share(places, samples, factors, real, self._total)
        inputs, targets = self.select(*rows)
        with SHARES.opened(share):
            outputs = model(inputs)
        weights = self.select_weights(*rows)
        loss = loss_of(compute_loss, outputs, targets, weights) * result(part, k)
        loss.backward()
        return loss

    def summed(self, loss: Tensor) -> Tensor:
        k = self.model.backend
        both = self.summed_losses(k.reshape(loss.data, (*loss.shape, 1)))
        return result(both.data[..., 0], k)

    def summed_losses(self, losses: Array) -> Tensor:
        """As `summed`, with the losses (..., n) of several batches; by one Allreduce."""
        k, gradients = self.model.backend, self.model.gradient_buffer
        both = k.run(self.ranks.packed_sum, gradients, losses, out=...)
        k.copy(both[..., : gradients.shape[-1]], out=gradients)
        return result(both[..., gradients.shape[-1] :], k)

    def _total(self, k: Backend, array: Array) -> Array:
        return k.run(self.ranks.total, array, out=...)

    def located(self, layers: list[str]) -> list[str]:
        return self.ranks.located(layers)


Measure = Callable[[], Any]


def over_all(measure: Measure, samples: int, ranks: Ranks | None) -> Measure:
    """The mean of a measure over the samples of all ranks."""
    return measure if ranks is None else lambda: ranks.mean(measure(), samples)

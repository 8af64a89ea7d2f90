"""The batches of a training by several processes: of each, what one of them computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.backends import Array, Backend
from scratchnet.batches import Batches
from scratchnet.losses import LOSSES, Loss, base, loss_of
from scratchnet.model import Model
from scratchnet.sharing import SHARES, Share
from scratchnet.tensor import Tensor, result
from scratchnet.weighting import takes_weights

if TYPE_CHECKING:
    from scratchnet.parallel import Ranks

PIECES = 8
"""A rank's part of a batch is filled up to a multiple of about 1/8 of what it is on average: few
sizes are few recordings."""


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
                ranks.refuse("all weights are 0: must be above 0 for at least one sample")
        self._is_own_loss = base(loss) not in LOSSES.values()
        if batch_size is not None and not takes_weights(loss):
            ranks.refuse(
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
        """N as the backend's array, and 1 / N and N / (N - 1)."""
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

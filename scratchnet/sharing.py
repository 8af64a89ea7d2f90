"""The share of a batch that one process computes, where several train a model together.

Layers ask for it that depend on a sample's place in the batch, or on the other samples of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import Array, Backend
from scratchnet.backends.contexts import Blocks
from scratchnet.ops.broadcasting import unbroadcast
from scratchnet.tensor import Tensor, result


@dataclass(frozen=True)
class Share:
    """Rows of a batch of which other processes have the rest. Some rows may be there to fill up."""

    places: Array
    """Where in the whole batch each row stands: uint64, (B,) or (E, B)."""
    samples: Array
    """How many samples the whole batch has: uint64, of shape ()."""
    factors: Array
    """1 / n and n / (n - 1), for that number n, in the dtype of the model."""
    real: Array | None
    """1 for a row that counts, 0 for one that fills up: (B, 1) or (E, B, 1). None: all count."""
    total: Callable[[Backend, Array], Array]
    """The sum over the processes of an array."""

    def counted(self, k: Backend, rows: Array) -> Array:
        """The rows, those that fill up as 0."""
        return rows if self.real is None else k.multiply(rows, self.real)

    def mean_row(self, k: Backend, rows: Array) -> Array:
        """(..., B, d) -> (..., 1, d): the mean over the whole batch, of rows as `counted` gives."""
        own = k.sum_rows(rows)
        row = k.reshape(own, (*own.shape[:-1], 1, own.shape[-1]))
        return k.multiply(self.total(k, row), self.factors[0])

    def standardize(self, x: Tensor, epsilon: Array) -> tuple[Tensor, Array, Array]:
        """As `ops.standardize`, with the mean and the variance of the whole batch.

        Three sums over the processes: two forwards, and one in the pullback for both its means.
        """
        k, data = x.backend, x.data
        mean = self.mean_row(k, self.counted(k, data))
        centred = k.subtract(data, mean)
        variance = self.mean_row(k, self.counted(k, k.square(centred)))
        scale = k.sqrt(k.add(variance, epsilon))
        y = k.divide(centred, scale)

        def pullback(dy: Array) -> Array:
            """dL/dx = (dy - mean(dy) - y mean(y dy)) / s, with means over all ranks' samples."""
            dy = self.counted(k, dy)
            both = self.mean_row(k, k.concatenate([dy, k.multiply(dy, y)], -1))
            features = y.shape[-1]
            along = k.multiply(y, both[..., features:])
            dx = k.divide(k.subtract(k.subtract(dy, both[..., :features]), along), scale)
            return unbroadcast(k, self.counted(k, dx), data.shape)

        return result(y, k, (x, pullback)), mean, variance


SHARES: Blocks[Share] = Blocks("share of a batch")


def share_of_batch() -> Share | None:
    """The share that is computed in this context; None where the batch is a whole one."""
    open_shares: list[Any] = SHARES.values() if SHARES.entries() else []
    return open_shares[-1] if open_shares else None

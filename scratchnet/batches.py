"""Data for training: checked once, then cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.classes import labels, refuse_onehot, refuse_other_labels
from scratchnet.data_checks import finite_numbers
from scratchnet.layers import BatchNorm
from scratchnet.losses import (
    LOSSES,
    Loss,
    base,
    binary_cross_entropy,
    check_targets,
    class_labels,
    column,
    hinge,
    loss_of,
    softmax_cross_entropy,
)
from scratchnet.model import Model, evaluating
from scratchnet.seeds import SHUFFLING
from scratchnet.tensor import Tensor, result


def checked_data(
    model: Model, X: Any, y: Any, loss: Loss, streams: bool = False
) -> tuple[Tensor, Array]:
    """X (N, inputs) and y on the model's backend, y in the shape and dtype that the loss takes.

    An ensemble also takes X (E, N, inputs). With `streams`, X (N, inputs) stays where and as it is:
    `Batches` reads, checks and converts what a batch needs. Raises `InputError` for what
    `finite_numbers` refuses, and where X and y are empty, or do not fit each other, the model or
    the loss.
    """
    loss = base(loss)
    x, targets = checked_pair(model, X, y, streams)
    samples = x.shape[-2]
    # Only the shape is looked at: where a row overflows, the first step tells.
    with evaluating(model), np.errstate(over="ignore", invalid="ignore"):
        row = model.backend.asarray(x.data[..., :1, :], model.dtype)
        one = model(result(row, model.backend))
    k, shape = model.backend, (*one.shape[:-2], samples, one.shape[-1])
    if loss is softmax_cross_entropy:
        if shape[-1] == 1 and targets.any():
            raise InputError(
                "softmax_cross_entropy with one output: must be one for each class; for labels 0 "
                "and 1 one output does with loss='binary_cross_entropy'"
            )
        outputs = result(k.empty(shape, model.dtype), k)
        return x, class_labels(k, outputs, k.asarray(labels(targets, shape), np.int64))
    if loss in LOSSES.values():
        if shape[-1] == 1:
            refuse_onehot(targets)
        if loss is hinge or loss is binary_cross_entropy:
            refuse_other_labels(targets, shape[-1])
        check_targets(loss, targets)
        return x, column(k, result(k.empty(shape, model.dtype), k), targets)
    # A loss of the user's own: whole numbers stay whole.
    if targets.shape[0] != samples and targets.shape[:2] != (model.ensemble, samples):
        raise InputError(f"X of shape {x.shape} and y of shape {targets.shape} do not fit")
    if one.shape[-1] == 1 and targets.shape in ((samples,), (model.ensemble, samples)):
        targets = targets[..., None]
    return x, k.asarray(targets, model.dtype if targets.dtype.kind == "f" else None)


def streams(model: Model, X: Any, batch_size: int | None) -> bool:
    """Whether X is read from its file batch by batch: a `numpy.memmap` and mini-batches."""
    is_mapped = isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub"
    return is_mapped and batch_size is not None and model.backend.name == "numpy"


def checked_pair(
    model: Model, X: Any, y: Any, streams: bool = False
) -> tuple[Tensor, NDArray[Any]]:
    """X on the model's backend and y on the host: numbers, and of the same samples."""
    inputs = X if streams else finite_numbers("X", X, model.dtype, model.backend)
    targets = finite_numbers("y", y, model.dtype, model.backend)
    if inputs.ndim != 2 and not (inputs.ndim == 3 and inputs.shape[0] == model.ensemble):
        own = f" or ({model.ensemble}, N, inputs)" if model.ensemble else ""
        raise InputError(f"X of shape {inputs.shape}: needs (N, inputs){own}")
    samples = inputs.shape[-2]
    if samples == 0 or targets.size == 0:
        raise InputError(f"X of shape {inputs.shape}, y of shape {targets.shape}: no samples")
    if samples not in targets.shape[:2]:
        raise InputError(f"X of shape {inputs.shape} and y of shape {targets.shape} do not fit")
    if not streams:
        inputs = model.backend.asarray(inputs, model.dtype)
    return result(inputs, model.backend), targets


class Batches:
    """Iterating gives (rows, share of the samples) for each batch of one epoch.

    `rows` are the indices of its samples, which `select` takes: (B,), or (E, B) for an ensemble.
    With `weights`, (N, 1) or (E, N, 1), the share is of their sum, one for each network.

    Inputs that are a `numpy.memmap` stay in their file: the rows of each mini-batch are read when
    its turn comes, made finite numbers of the model's dtype, and stand last in `rows`.

    Without a `batch_size` the only batch is the whole set, in its order, and has no indices.
    Otherwise each epoch has a new order, and each network of an ensemble one of its own, drawn from
    its seed; the last batch holds what is left.
    """

    def __init__(
        self,
        model: Model,
        inputs: Tensor,
        targets: Array,
        batch_size: int | None,
        weights: Array | None = None,
        total: int | None = None,
        total_weights: Any = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """Where `inputs` are a share of all samples, `total` counts these and `total_weights`, on
        the host, are theirs; `seeds` are those of the orders, without them the model's."""
        if batch_size is not None:
            positive_whole("batch_size", batch_size)
        self.model, self.inputs, self.targets = model, inputs, targets
        self.weights = weights
        self.streams = streams(model, inputs.data, batch_size)
        self._host_weights = total_weights
        if weights is not None and total_weights is None:
            self._host_weights = model.backend.to_numpy(weights)[..., 0]
        self.batch_size = batch_size
        self.samples = inputs.shape[-2]
        self.total = self.samples if total is None else total
        largest = min(batch_size or self.total, self.total)
        if 1 in (largest, self.total % largest):
            for name, layer in model.root.walk():
                if isinstance(layer, BatchNorm):
                    raise InputError(
                        f"batches of {largest} from {self.total} samples leave a batch of one, "
                        f"which layer {name}, {layer}, cannot standardise: change batch_size"
                    )
        self._generators = [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SHUFFLING,)))
            for seed in seeds or model.seeds
        ]

    def __iter__(self) -> Iterator[tuple[tuple[Array, ...], float]]:
        if self.batch_size is None:
            yield (), 1.0
            return
        orders = self._draw_orders()
        for start in range(0, self.total, self.batch_size):
            rows = orders[:, start : start + self.batch_size]
            yield self._own_part(rows), self._share(rows)

    def _own_part(self, rows: Any) -> tuple[Array, ...]:
        """What this process takes of the batch of these rows (networks, B): here all of them."""
        index = self.model.backend.asarray(rows if self.model.ensemble else rows[0])
        return index, *self._read(index)

    def _read(self, index: Array) -> tuple[Array, ...]:
        """The rows of a streamed X; nothing where X is in memory.

        Raises `InputError` where one is not finite in the model's dtype.
        """
        if not self.streams:
            return ()
        values = np.asarray(self.inputs.data[index])
        with np.errstate(over="ignore"):
            rows = values.astype(self.model.dtype, copy=False)
        wrong = ~np.isfinite(rows)
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            raise InputError(
                f"X[{index[place[:-1]]}, {place[-1]}] is {values[place]}: all values must be "
                f"finite in {self.model.dtype}"
            )
        return (rows,)

    def _share(self, rows: Any) -> Any:
        """How much of the whole these rows (networks, B) are, for each network of an ensemble."""
        if self._host_weights is None:
            return rows.shape[1] / self.total
        weights = np.broadcast_to(self._host_weights, (len(rows), self.total))
        parts = np.take_along_axis(weights, rows, axis=-1).sum(axis=-1)
        shares = parts / self._host_weights.sum(axis=-1)
        return shares if self.model.ensemble else shares[0]

    @property
    def per_epoch(self) -> int:
        """The number of batches in an epoch."""
        return 1 if self.batch_size is None else -(-self.total // self.batch_size)

    @property
    def has_smaller(self) -> bool:
        """Whether an epoch has several batches of which the last is smaller."""
        size = self.batch_size or self.total
        return self.per_epoch > 1 and self.total % size != 0

    def ahead(self, epochs: int) -> list[tuple[tuple[Array, ...], Any]]:
        """The batches of so many epochs: (rows, shares) for those of one shape that follow on one
        another, each with an axis of the batches in front."""
        if self.batch_size is None:
            return [((), np.ones(epochs))]
        batches = [each for _ in range(epochs) for each in self]
        whole = len(batches) - (1 if self.has_smaller else 0)
        parts = [batches[:whole], batches[whole:]] if epochs == 1 else [batches]
        return [
            ((np.stack([rows for (rows,), _ in part]),), np.array([share for _, share in part]))
            for part in parts
            if part
        ]

    def skip(self, epochs: int) -> None:
        """Leave out the orders of so many epochs."""
        if self.batch_size is not None:
            for _ in range(epochs):
                self._draw_orders()

    def _draw_orders(self) -> Any:
        """The order of the samples in the next epoch, for each network."""
        return np.stack([rng.permutation(self.total) for rng in self._generators])

    def select(self, *rows: Array) -> tuple[Tensor, Array]:
        """Inputs and targets of a batch: of those rows, or, without any, of the whole set."""
        if not rows:
            return self.inputs, self.targets
        inputs = rows[-1] if self.streams else self._select(self.inputs.data, rows[0])
        return result(inputs, self.model.backend), self._select(self.targets, rows[0])

    def select_weights(self, *rows: Array) -> Array | None:
        """The weights of a batch, in the same way; None where there are none."""
        if self.weights is None or not rows:
            return self.weights
        return self._select(self.weights, rows[0])

    def differentiate(self, compute_loss: Loss, *rows: Array) -> Tensor:
        """The loss of a batch; its gradients go into the model's buffer."""
        inputs, targets = self.select(*rows)
        loss = loss_of(compute_loss, self.model(inputs), targets, self.select_weights(*rows))
        loss.backward()
        return loss

    def summed(self, loss: Tensor) -> Tensor:
        """The loss of a batch, and its gradients in the model's buffer, summed over all processes
        that train together: here over one."""
        return loss

    reports = True
    """Whether this process warns of what several may see."""

    def located(self, layers: list[str]) -> list[str]:
        """The layers in which networks stopped being finite, as they are reported."""
        return layers

    def _select(self, values: Array, index: Array) -> Array:
        """The rows `index` (B,) or (E, B) of values that are shared, or that lead with E."""
        k = self.model.backend
        networks = self.model.ensemble
        # (N, N) are outputs for N samples, or labels of N networks.
        shared = networks == self.samples and values.ndim == 2 and values.dtype.kind not in "iu"
        if shared or values.shape[:2] != (networks, self.samples):
            return k.take(values, index)
        return k.take_of_each(values, index)

"""Data for training: checked once, then cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.layers import BatchNorm
from scratchnet.losses import (
    LOSSES,
    Loss,
    base,
    check_targets,
    class_labels,
    column,
    softmax_cross_entropy,
)
from scratchnet.model import SHUFFLING, Model, evaluating
from scratchnet.tensor import Tensor, result


def checked_data(model: Model, X: Any, y: Any, loss: Loss) -> tuple[Tensor, Array]:
    """X (N, inputs) and y on the model's backend, y in the shape and dtype that the loss takes.

    An ensemble also takes X (E, N, inputs). Raises `InputError` where they are empty, not finite,
    or do not fit each other, the model or the loss.
    """
    loss = base(loss)
    inputs, targets = _finite(model, "X", X), _finite(model, "y", y)
    if inputs.ndim != 2 and not (inputs.ndim == 3 and inputs.shape[0] == model.ensemble):
        own = f" or ({model.ensemble}, N, inputs)" if model.ensemble else ""
        raise InputError(f"X of shape {inputs.shape}: needs (N, inputs){own}")
    samples = inputs.shape[-2]
    if samples == 0 or targets.size == 0:
        raise InputError(f"X of shape {inputs.shape}, y of shape {targets.shape}: no samples")
    if samples not in targets.shape[:2]:
        raise InputError(f"X of shape {inputs.shape} and y of shape {targets.shape} do not fit")
    x = model.as_input(inputs)
    with evaluating(model):
        one = model(result(x.data[..., :1, :], model.backend))
    check_targets(loss, targets, one.shape[-1])
    k = model.backend
    outputs = result(k.empty((*one.shape[:-2], samples, one.shape[-1]), model.dtype), k)
    if loss is softmax_cross_entropy:
        return x, class_labels(k, outputs, k.asarray(targets, np.int64))
    if loss in LOSSES.values():
        return x, column(k, outputs, targets)
    # A loss of the user's own: whole numbers stay whole.
    if targets.shape[0] != samples and targets.shape[:2] != (model.ensemble, samples):
        raise InputError(f"X of shape {inputs.shape} and y of shape {targets.shape} do not fit")
    if one.shape[-1] == 1 and targets.shape in ((samples,), (model.ensemble, samples)):
        targets = targets[..., None]
    return x, k.asarray(targets, model.dtype if targets.dtype.kind == "f" else None)


def _finite(model: Model, name: str, values: Any) -> Any:
    """The values as a host array of numbers that are finite in the model's dtype."""
    if isinstance(values, Tensor):
        values = values.data
    if isinstance(values, model.backend.xp.ndarray):
        values = model.backend.to_numpy(values)
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{name} is not a table of numbers: its rows differ in length") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} of type {array.dtype}: accepted are numbers")
    with np.errstate(over="ignore"):
        wrong = ~np.isfinite(array.astype(model.dtype))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(
            f"{name}{list(place)} is {array[place]}: all values must be finite in {model.dtype}"
        )
    return array


class Batches:
    """Iterating gives (rows, share of the samples) for each batch of one epoch.

    `rows` are the indices of its samples, which `select` takes: (B,), or (E, B) for an ensemble.
    With `weights`, (N, 1) or (E, N, 1), the share is of their sum, one for each network.

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
    ) -> None:
        if batch_size is not None:
            positive_whole("batch_size", batch_size)
        self.model, self.inputs, self.targets = model, inputs, targets
        self.weights = weights
        self._host_weights = None if weights is None else model.backend.to_numpy(weights)[..., 0]
        self.batch_size = batch_size
        self.samples = inputs.shape[-2]
        largest = min(batch_size or self.samples, self.samples)
        if 1 in (largest, self.samples % largest):
            for name, layer in model.root.walk():
                if isinstance(layer, BatchNorm):
                    raise InputError(
                        f"batches of {largest} from {self.samples} samples leave a batch of one, "
                        f"which layer {name}, {layer}, cannot standardise: change batch_size"
                    )
        self._generators = [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SHUFFLING,)))
            for seed in model.seeds
        ]

    def __iter__(self) -> Iterator[tuple[tuple[Array, ...], float]]:
        if self.batch_size is None:
            yield (), 1.0
            return
        orders = self._draw_orders()
        for start in range(0, self.samples, self.batch_size):
            rows = orders[:, start : start + self.batch_size]
            index = self.model.backend.asarray(rows if self.model.ensemble else rows[0])
            yield (index,), self._share(rows)

    def _share(self, rows: Any) -> Any:
        """How much of the whole these rows (networks, B) are, for each network of an ensemble."""
        if self._host_weights is None:
            return rows.shape[1] / self.samples
        weights = np.broadcast_to(self._host_weights, (len(rows), self.samples))
        parts = np.take_along_axis(weights, rows, axis=-1).sum(axis=-1)
        shares = parts / self._host_weights.sum(axis=-1)
        return shares if self.model.ensemble else shares[0]

    def skip(self, epochs: int) -> None:
        """Leave out the orders of so many epochs."""
        if self.batch_size is not None:
            for _ in range(epochs):
                self._draw_orders()

    def _draw_orders(self) -> Any:
        """The order of the samples in the next epoch, for each network."""
        return np.stack([rng.permutation(self.samples) for rng in self._generators])

    def select(self, *rows: Array) -> tuple[Tensor, Array]:
        """Inputs and targets of a batch: of those rows, or, without any, of the whole set."""
        if not rows:
            return self.inputs, self.targets
        inputs = self._select(self.inputs.data, *rows)
        return result(inputs, self.model.backend), self._select(self.targets, *rows)

    def select_weights(self, *rows: Array) -> Array | None:
        """The weights of a batch, in the same way; None where there are none."""
        if self.weights is None or not rows:
            return self.weights
        return self._select(self.weights, *rows)

    def _select(self, values: Array, index: Array) -> Array:
        """The rows `index` (B,) or (E, B) of values that are shared, or that lead with E."""
        k = self.model.backend
        networks = self.model.ensemble
        # (N, N) are outputs for N samples, or labels of N networks.
        shared = networks == self.samples and values.ndim == 2 and values.dtype.kind not in "iu"
        if shared or values.shape[:2] != (networks, self.samples):
            return k.take(values, index)
        return k.take(values, (k.xp.arange(networks).reshape(-1, 1), index))

"""Early stopping: when each network's validation loss was best, and its numbers then."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.model import Model


class EarlyStopping:
    """For each network the best validation loss so far, when it was, and its numbers then.

    Its numbers are the parameters and the layers' buffers, such as running averages.

    A network is done when its loss has not improved for `patience` epochs; what it does afterwards
    no longer counts, so that a network stops at the same epoch alone and within an ensemble.
    """

    def __init__(
        self, model: Model, patience: int | None, has_validation: bool, first_epoch: int
    ) -> None:
        if patience is not None:
            positive_whole("patience", patience)
            if not has_validation:
                raise InputError(f"patience is {patience}: needs validation=(X, y) to watch")
        self.model = model
        self.patience = patience
        networks = len(model.seeds)
        self.best_loss = np.full(networks, np.inf)
        self.best_epoch = np.full(networks, first_epoch - 1)
        self.done = np.zeros(networks, bool)
        buffers = [each for _, layer in model.root.walk() for each in layer.buffers.values()]
        self._arrays = [model.parameter_buffer, *buffers] if patience is not None else []
        self._best = [self._rows(array).copy() for array in self._arrays]

    def _rows(self, array: Array) -> Array:
        """An array of the model as one row per network."""
        return array.reshape(len(self.model.seeds), -1)

    def update(self, epoch: int, validation_loss: Any) -> None:
        """Take note of the losses after this epoch, of shape () or (E,)."""
        if self.patience is None:
            return
        losses = np.atleast_1d(validation_loss)
        better = (losses < self.best_loss) & ~self.done
        self.best_loss[better] = losses[better]
        self.best_epoch[better] = epoch
        for best, array in zip(self._best, self._arrays, strict=True):
            best[better] = self._rows(array)[better]
        self.done |= epoch - self.best_epoch >= self.patience

    @property
    def all_done(self) -> bool:
        return bool(self.done.all())

    def restore(self) -> Any:
        """Put the best numbers back; returns their epochs, of shape () or (E,)."""
        if self.patience is None:
            return None
        for best, array in zip(self._best, self._arrays, strict=True):
            array[...] = best.reshape(array.shape)
        self.model.apply_mask()
        return self.best_epoch if self.model.ensemble else int(self.best_epoch[0])

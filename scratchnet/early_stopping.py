"""Early stopping: when each network's validation loss was best, and its numbers then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.model import Model


def check_patience(patience: int | None, has_validation: bool) -> None:
    """Raise `InputError` unless there is a validation loss that can be watched for so long."""
    if patience is not None:
        positive_whole("patience", patience)
        if not has_validation:
            raise InputError(f"patience is {patience}: needs validation=(X, y) to watch")


class EarlyStopping:
    """For each network the best validation loss so far, how long ago it was, its numbers then.

    Its numbers are the parameters and the layers' buffers, such as running averages.

    A network is done when its loss has not improved for `patience` epochs; what it does afterwards
    no longer counts, so that a network stops at the same epoch alone and within an ensemble.

    While `fit` watches a training it stands in `optimizer.early_stopping`, from where a checkpoint
    takes it.
    """

    def __init__(self, model: Model, epochs: int) -> None:
        self.model = model
        self.epochs = epochs
        """The epochs that are done, also those before it was watched."""
        self.patience: int | None = None
        networks = len(model.seeds)
        self.best_loss = np.full(networks, np.inf)
        self.waited = np.zeros(networks, np.int64)
        """The epochs since the best one."""
        self._live = {"parameters": model.parameter_buffer}
        for layer_name, layer in model.root.walk():
            for name, array in layer.buffers.items():
                self._live[f"buffer.{layer_name}.{name}"] = array
        self._best = {name: self._rows(array).copy() for name, array in self._live.items()}

    def _rows(self, array: Array) -> Array:
        """An array of the model as one row per network."""
        return array.reshape(len(self.model.seeds), -1)

    @property
    def done(self) -> Any:
        """Which networks are done, as a host array."""
        return self.waited >= (np.inf if self.patience is None else self.patience)

    @property
    def best_epoch(self) -> Any:
        """The epoch of the best loss; the one before the first where none was finite."""
        return self.epochs - 1 - self.waited

    def update(self, epoch: int, validation_loss: Any) -> None:
        """Take note of the losses after this epoch, of shape () or (E,)."""
        losses = np.atleast_1d(validation_loss)
        better = (losses < self.best_loss) & ~self.done
        self.best_loss[better] = losses[better]
        self.waited = np.where(better, 0, self.waited + 1)
        self.epochs = epoch + 1
        for name, best in self._best.items():
            best[better] = self._rows(self._live[name])[better]

    def restore(self) -> Any:
        """Put the best numbers back; returns their epochs, of shape () or (E,)."""
        for name, array in self._live.items():
            array[...] = self._best[name].reshape(array.shape)
        self.model.apply_mask()
        return self.best_epoch if self.model.ensemble else int(self.best_epoch[0])

    def state(self) -> dict[str, Array]:
        """All arrays that the rest of the training depends on, by name."""
        return {"loss": self.best_loss, "waited": self.waited} | self._best

    def load_state(self, path: Any, arrays: Mapping[str, Any]) -> None:
        """Take over the arrays of a file, or raise `InputError` where they can be none of these."""
        loss, waited = arrays["loss"], arrays["waited"]
        if np.isnan(loss).any():
            raise InputError(f"{path}: a best validation loss is nan: must be a number")
        if len(wrong := waited[(waited < 0) | (waited > self.epochs)]):
            raise InputError(
                f"{path}: {wrong[0]} epochs since the best validation loss: must be from 0 to "
                f"{self.epochs}"
            )
        self.best_loss[...], self.waited[...] = loss, waited
        backend = self.model.backend
        for name, best in self._best.items():
            backend.copy(backend.asarray(arrays[name]), out=best)


def watching(
    earlier: EarlyStopping | None, model: Model, patience: int | None, first_epoch: int
) -> EarlyStopping | None:
    """What watches a training from `first_epoch` on: the earlier one where it has come so far."""
    if patience is None:
        return None
    goes_on = earlier is not None and earlier.model is model and earlier.epochs == first_epoch
    stopping = earlier if goes_on and first_epoch else EarlyStopping(model, first_epoch)
    assert stopping is not None
    stopping.patience = patience
    return stopping

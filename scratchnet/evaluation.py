"""How well a model does: its loss on a data set, and the share of samples that it gets right."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.batches import checked_data
from scratchnet.losses import Loss, get_loss, loss_of
from scratchnet.model import Model, evaluating
from scratchnet.tensor import Tensor


def evaluate_loss(model: Model, X: Any, y: Any, loss: str | Loss) -> Any:
    """The loss in eval mode, without a graph, as a NumPy array of shape () or (E,).

    Raises `InputError` for the X and y that `fit` refuses.
    """
    compute_loss = get_loss(loss)
    return mean_loss(model, *checked_data(model, X, y, compute_loss), compute_loss)


def mean_loss(model: Model, inputs: Tensor, targets: Array, compute_loss: Loss) -> Any:
    """The loss of data that `checked_data` has checked: see `evaluate_loss`."""
    with evaluating(model):
        return np.array(loss_of(compute_loss, model(inputs), targets).numpy())


def accuracy(model: Model, X: Any, y: Any) -> Any:
    """The share of samples that are classified as y says, as a NumPy array of shape () or (E,).

    With one output, class 1 is predicted where it is above 0, which serves logits and the outputs
    0 and 1 of a circuit; with several outputs, the class of the largest. y (N,) holds each
    sample's class. Raises `InputError` where there are none, or not one for each sample.
    """
    logits = model.predict(X)
    y = np.asarray(y).reshape(-1)
    if logits.shape[-2] != len(y) or not len(y):
        raise InputError(f"{len(y)} labels for {logits.shape[-2]} samples")
    predicted = logits[..., 0] > 0 if logits.shape[-1] == 1 else logits.argmax(axis=-1)
    return (predicted == y).mean(axis=-1)

"""How well a model does: its loss on a data set, and the share of samples that it gets right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Array
from scratchnet.batches import checked_data, checked_pair
from scratchnet.classes import classes, labels, threshold
from scratchnet.data_checks import finite_numbers
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


def accuracy(model: Model, X: Any, y: Any, loss: str | Loss | None = None) -> Any:
    """The share of samples that are classified as y says, as a NumPy array of shape () or (E,).

    `model.classify(X) == y`, on average. y holds each sample's class, 0 or 1 for a model with one
    output and 0 to k - 1 for one with k, in the shape (N,) or (N, 1); an ensemble also takes labels
    of each network's own, (E, N). With a `loss`, the threshold of a single output is the one of
    that loss for labels 0 and 1, not `model.threshold`. Raises `InputError` for other labels, and
    for the X and y that `fit` refuses.
    """
    inputs, targets = checked_pair(model, X, y)
    with evaluating(model):
        outputs = model(inputs).numpy()
    known = labels(targets, outputs.shape)
    above = model.threshold if loss is None else threshold(get_loss(loss), known, model.root)
    return share_right(outputs, known, above)


def share_right(outputs: NDArray[Any], known: NDArray[Any], above: float | None) -> Any:
    """The share of outputs (N, k) or (E, N, k) whose class is the known one, (N,) or (E, N)."""
    return (classes(outputs, above) == known).mean(axis=-1)


def accuracy_measure(
    model: Model, inputs: Tensor, y: Any, above: float | None
) -> Callable[[], Any]:
    """A function that gives the accuracy at the time of its call, on data that is checked here.

    `inputs` are those of `checked_data`, `above` is the threshold of a single output. Raises
    `InputError` where y holds no classes.
    """
    with evaluating(model):
        outputs = model(inputs[..., :1, :]).shape
    shape = (*outputs[:-2], inputs.shape[-2], outputs[-1])
    known = labels(finite_numbers("y", y, model.dtype, model.backend), shape)

    def measure() -> Any:
        with evaluating(model):
            return share_right(model(inputs).numpy(), known, above)

    return measure

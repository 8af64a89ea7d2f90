"""Losses: how wrong the outputs are, as one number per network.

A model's outputs have shape (N, k), or (E, N, k) for an ensemble of E networks; targets have N rows
and are shared by the networks, or lead with E. They are constants: no gradient flows to them, also
where they are given as a tensor. The loss has shape () or (E,): the mean over the samples.
`backward()` differentiates the sum over E, in which each network sees only its own loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet.backends import Array, Backend, InputError, choose
from scratchnet.ops.broadcasting import computing_loss
from scratchnet.tensor import Tensor, result

Loss = Callable[[Tensor, Any], Tensor]


def mean_squared_error(outputs: Tensor, targets: Any) -> Tensor:
    """L = mean over samples and outputs of (y - t)^2;   dL/dy = 2 (y - t) / n

    outputs (..., N, k), targets (N, k), or (N,) for k = 1, of the outputs' dtype.
    """
    k = outputs.backend
    targets = column(k, outputs, targets)
    difference = k.subtract(outputs.data, targets)
    n = outputs.shape[-1] * outputs.shape[-2]
    return _mean(outputs, k.square(difference), k.multiply(difference, 2.0), n)


def binary_cross_entropy(logits: Tensor, targets: Any) -> Tensor:
    """L = mean of softplus(z) - t z = mean of -t ln p - (1-t) ln(1-p),  p = sigmoid z

    dL/dz = (p - t) / n.   Logits z (..., N, 1), targets t (N,) or (N, 1) in [0, 1]: a label, or the
    probability of class 1, at which L is least. Taking logits instead of probabilities keeps the
    logarithm finite for any finite z.
    """
    k = logits.backend
    losses, slopes = k.binary_cross_entropy(logits.data, column(k, logits, targets))
    return _mean(logits, losses, slopes, logits.shape[-1] * logits.shape[-2])


def hinge(logits: Tensor, targets: Any) -> Tensor:
    """L = mean of max(0, 1 - s z),  s = 2 t - 1;   dL/dz = -s [1 - s z > 0] / n, 0 at the kink

    Logits z (..., N, 1), targets t in {0, 1} of shape (N,) or (N, 1) (Cortes and Vapnik 1995).
    """
    k = logits.backend
    signs = k.subtract(k.multiply(column(k, logits, targets), 2.0), 1.0)
    losses = k.relu(k.subtract(1.0, k.multiply(signs, logits.data)))
    slopes = k.negative(k.relu_backward(signs, losses))
    return _mean(logits, losses, slopes, logits.shape[-1] * logits.shape[-2])


def softmax_cross_entropy(logits: Tensor, labels: Any) -> Tensor:
    """L = mean of -ln p_label,  p = softmax z;   dL/dz = (p - onehot(label)) / N

    Logits z (..., N, classes), labels (N,) or (E, N): whole numbers from 0 to classes - 1.
    """
    k, z = logits.backend, logits.data
    labels = class_labels(k, logits, labels)
    classes = k.xp.arange(z.shape[-1], dtype=labels.dtype)
    onehot = k.equal(k.reshape(labels, (*labels.shape, 1)), classes)
    log_p = k.log_softmax(z, -1)
    losses = k.negative(k.multiply(log_p, onehot))
    slopes = k.exp(log_p)
    k.subtract(slopes, onehot, out=slopes)
    return _mean(logits, losses, slopes, z.shape[-2])


LOSSES: dict[str, Loss] = {
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "hinge": hinge,
}


def get_loss(loss: str | Loss) -> Loss:
    """A loss by its name; a function is returned as it is."""
    return loss if callable(loss) else choose("loss", loss, LOSSES)


def loss_of(loss: Loss, outputs: Tensor, targets: Any) -> Tensor:
    """loss(outputs, targets) for a loss of the table above or of one's own, which is checked.

    Raises `InputError` where it is not a Tensor with one number per network, and where it would
    broadcast outputs (N, 1) and targets (N,) to (N, N).
    """
    _check_samples(outputs)
    with computing_loss(outputs.shape[-2]):
        value = loss(outputs, targets)
    if not isinstance(value, Tensor):
        raise InputError(f"the loss is of type {type(value).__name__}: must be a Tensor")
    needed = outputs.shape[:-2]
    if value.shape != needed:
        raise InputError(
            f"the loss has shape {value.shape}: must be {needed}, one number per network"
        )
    return value


def check_targets(loss: Loss, targets: Any, outputs: int) -> None:
    """Raise `InputError` where a loss of the table above cannot take these values.

    `targets` is a NumPy array and `outputs` the number of the model's outputs. This is done once
    for a data set: in a training step it would have to wait for the device.
    """
    if loss is binary_cross_entropy and len(wrong := targets[~((targets >= 0) & (targets <= 1))]):
        raise InputError(f"y holds the target {wrong[0]}: must be from 0 to 1")
    if loss is hinge and len(wrong := targets[(targets != 0) & (targets != 1)]):
        raise InputError(f"y holds the label {wrong[0]}: must be 0 or 1")
    if loss is softmax_cross_entropy:
        classes = [value for value in np.unique(targets) if value not in range(outputs)]
        if classes:
            raise InputError(
                f"y holds the label {classes[0]}: accepted are whole numbers from 0 to "
                f"{outputs - 1}, since the model has {outputs} outputs"
            )


def column(k: Backend, outputs: Tensor, targets: Any) -> Array:
    """The targets as an array of the outputs' dtype that lines up with them; (N,) becomes (N, 1).

    Raises `InputError`, naming both shapes, where they do not line up.
    """
    _check_samples(outputs)
    y = outputs.data
    targets = k.asarray(targets.data if isinstance(targets, Tensor) else targets, y.dtype)
    needed = y.shape[-2:]
    if needed[1] == 1 and targets.shape == needed[:1]:
        return targets.reshape(needed)
    if targets.shape != needed and targets.shape != y.shape:
        raise InputError(
            f"targets of shape {targets.shape} for outputs of shape {outputs.shape}: "
            f"accepted is {needed}"
        )
    return targets


def class_labels(k: Backend, logits: Tensor, labels: Any) -> Array:
    """The labels as an array of whole numbers that lines up with the logits' samples.

    Raises `InputError`, naming both shapes, where they do not line up.
    """
    _check_samples(logits)
    labels = k.asarray(labels)
    own, shared = logits.shape[:-1], logits.shape[-2:-1]
    if labels.dtype.kind not in "iu" or labels.shape not in (own, shared):
        raise InputError(
            f"labels of shape {labels.shape} and dtype {labels.dtype} for logits of shape "
            f"{logits.shape}: accepted are whole numbers of shape {shared}"
        )
    return labels


def _check_samples(outputs: Tensor) -> None:
    if outputs.data.ndim not in (2, 3):
        raise InputError(f"outputs of shape {outputs.shape}: a loss takes (N, k) or (E, N, k)")
    if outputs.data.shape[-2] == 0:
        raise InputError(f"outputs of shape {outputs.shape}: the mean over no samples is undefined")


def _mean(outputs: Tensor, losses: Array, slopes: Array, n: int) -> Tensor:
    """The sum of `losses` / n for each network, and its pullback: `slopes` / n."""
    k = outputs.backend
    lead = outputs.shape[:-2]
    total = k.sum(k.reshape(losses, (*lead, -1)), axis=-1)

    def pullback(dy: Array) -> Array:
        share = k.multiply(dy, 1.0 / n)
        return k.multiply(slopes, share.reshape(*lead, 1, 1) if lead else share)

    return result(k.multiply(total, 1.0 / n), k, (outputs, pullback))

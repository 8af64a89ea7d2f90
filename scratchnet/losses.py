"""Losses: how wrong the outputs are, as one number per network.

A model's outputs have shape (N, k), or (E, N, k) for an ensemble of E networks; targets have N rows
and are shared by the networks, or lead with E. They are constants: no gradient flows to them, also
where they are given as a tensor. The loss has shape () or (E,): the mean over the samples.
`backward()` differentiates the sum over E, in which each network sees only its own loss.

With `weights` w, one number >= 0 per sample, of shape (N,), (N, 1), (E, N) or (E, N, 1), the mean
is the weighted one, L = (sum of w l) / (sum of w) for the samples' losses l: as PyTorch's with a
weight per class. Where all weights are 0, L and its gradient are 0.

Each loss stands here twice. First come the formulas, in terms of ops, whose derivatives
`backward()` would find. The losses of the table `LOSSES` compute the same value and the derivative
together, in fewer calls; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import Array, Backend, InputError, choose
from scratchnet.backends.errors import fraction
from scratchnet.ops.broadcasting import computing_loss
from scratchnet.tensor import Tensor, result

Loss = Callable[..., Tensor]


# The formulas: the loss of each entry of outputs y, or logits z, for targets t of the same shape.


def squared_errors(y: Tensor, t: Tensor) -> Tensor:
    """(y - t)^2"""
    return (y - t) ** 2


def absolute_errors(y: Tensor, t: Tensor) -> Tensor:
    """|y - t|"""
    return abs(y - t)


def huber_errors(y: Tensor, t: Tensor, delta: float = 1.0) -> Tensor:
    """d^2 / 2 where d = |y - t| <= delta, and from there on the tangent delta (d - delta / 2)."""
    d = abs(y - t)
    c = ops.minimum(d, delta)
    return c * (d - c / 2.0)


def binary_cross_entropies(z: Tensor, t: Tensor) -> Tensor:
    """ln(1 + e^z) - t z = -t ln p - (1 - t) ln(1 - p) with p = sigmoid z"""
    return ops.softplus(z) - t * z


def hinges(z: Tensor, t: Tensor) -> Tensor:
    """max(0, 1 - s z) with s = 2 t - 1"""
    return ops.relu(1.0 - (2.0 * t - 1.0) * z)


def softmax_cross_entropies(z: Tensor, q: Tensor) -> Tensor:
    """(..., N, 1): of each sample, for a distribution q (..., N, classes), such as the one-hot."""
    return -(q * ops.log_softmax(z)).sum(axis=-1, keepdims=True)


# The losses of the table, each with its derivative.


def mean_squared_error(outputs: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """L = mean over samples and outputs of (y - t)^2;   dL/dy = 2 (y - t) / n

    outputs (..., N, k), targets (N, k), or (N,) for k = 1, of the outputs' dtype.
    """
    k = outputs.backend
    difference = k.subtract(outputs.data, column(k, outputs, targets))
    return _mean(outputs, k.square(difference), k.multiply(difference, 2.0), weights)


def mean_absolute_error(outputs: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """L = mean over samples and outputs of |y - t|;   dL/dy = sign(y - t) / n, 0 at the kink

    Also called L1. Shapes as for `mean_squared_error`.
    """
    k = outputs.backend
    difference = k.subtract(outputs.data, column(k, outputs, targets))
    return _mean(outputs, k.absolute(difference), k.sign(difference), weights)


def huber(outputs: Tensor, targets: Any, weights: Any = None, delta: float = 1.0) -> Tensor:
    """L = mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2),  d = y - t

    dL/dy = c / n with c = min(max(d, -delta), delta), in terms of which L = mean of c (d - c / 2)
    (Huber 1964). Shapes as for `mean_squared_error`; `partial(huber, delta=0.1)` is a loss with
    another delta. Raises `InputError` for a delta that is not finite and above 0.
    """
    if not isinstance(delta, Real) or not 0 < delta < float("inf"):
        raise InputError(f"delta of the Huber loss is {delta!r}: must be finite and above 0")
    k, delta = outputs.backend, float(delta)
    difference = k.subtract(outputs.data, column(k, outputs, targets))
    slopes = k.maximum(k.minimum(difference, delta), -delta)
    losses = k.multiply(slopes, k.subtract(difference, k.multiply(slopes, 0.5)))
    return _mean(outputs, losses, slopes, weights)


def binary_cross_entropy(logits: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """L = mean of softplus(z) - t z = mean of -t ln p - (1-t) ln(1-p),  p = sigmoid z

    dL/dz = (p - t) / n.   Logits z (..., N, 1), targets t (N,) or (N, 1) in [0, 1]: a label, or the
    probability of class 1, at which L is least. Taking logits instead of probabilities keeps the
    logarithm finite for any finite z.
    """
    k = logits.backend
    losses, slopes = k.binary_cross_entropy(logits.data, column(k, logits, targets))
    return _mean(logits, losses, slopes, weights)


def hinge(logits: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """L = mean of max(0, 1 - s z),  s = 2 t - 1;   dL/dz = -s [1 - s z > 0] / n, 0 at the kink

    Logits z (..., N, 1), targets t in {0, 1} of shape (N,) or (N, 1) (Cortes and Vapnik 1995).
    """
    k = logits.backend
    signs = k.subtract(k.multiply(column(k, logits, targets), 2.0), 1.0)
    losses = k.relu(k.subtract(1.0, k.multiply(signs, logits.data)))
    slopes = k.negative(k.relu_backward(signs, losses))
    return _mean(logits, losses, slopes, weights)


def softmax_cross_entropy(
    logits: Tensor, labels: Any, weights: Any = None, label_smoothing: float = 0.0
) -> Tensor:
    """L = mean of -sum q ln p,  p = softmax z,  q = onehot(label);   dL/dz = (p - q) / N

    Logits z (..., N, classes), labels (N,) or (E, N): whole numbers from 0 to classes - 1. With a
    `label_smoothing` of s in [0, 1), q = (1 - s) onehot(label) + s / classes (Szegedy et al. 2016);
    `partial(softmax_cross_entropy, label_smoothing=0.1)` is such a loss.
    """
    k, z = logits.backend, logits.data
    smoothing = fraction("label_smoothing", label_smoothing)
    labels = class_labels(k, logits, labels)
    losses, slopes = k.softmax_cross_entropy(z, labels, smoothing)
    return _mean(logits, losses, slopes, weights, of_samples=True)


LOSSES: dict[str, Loss] = {
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
    "hinge": hinge,
}

FORMULAS: dict[str, Callable[..., Tensor]] = {
    "binary_cross_entropy": binary_cross_entropies,
    "softmax_cross_entropy": softmax_cross_entropies,
    "mean_squared_error": squared_errors,
    "mean_absolute_error": absolute_errors,
    "huber": huber_errors,
    "hinge": hinges,
}


def get_loss(loss: str | Loss) -> Loss:
    """A loss by its name; a function is returned as it is."""
    return loss if callable(loss) else choose("loss", loss, LOSSES)


def base(loss: Loss) -> Loss:
    """The loss of which a `functools.partial` sets some arguments; any other as it is."""
    return loss.func if isinstance(loss, partial) else loss


def loss_of(loss: Loss, outputs: Tensor, targets: Any, weights: Any = None) -> Tensor:
    """loss(outputs, targets) for a loss of the table above or of one's own, which is checked.

    `weights`, where there are any, are handed on by that name.

    Raises `InputError` where it is not a Tensor with one number per network, and where it would
    broadcast outputs (N, 1) and targets (N,) to (N, N).
    """
    _check_samples(outputs)
    with computing_loss(outputs.shape):
        weighted = {} if weights is None else {"weights": weights}
        value = loss(outputs, targets, **weighted)
    if not isinstance(value, Tensor):
        raise InputError(f"the loss is of type {type(value).__name__}: must be a Tensor")
    needed = outputs.shape[:-2]
    if value.shape != needed:
        raise InputError(
            f"the loss has shape {value.shape}: must be {needed}, one number per network"
        )
    return value


def check_targets(loss: Loss, targets: Any) -> None:
    """Raise `InputError` where a loss for two classes cannot take these values, a NumPy array.

    This is done once for a data set: in a training step it would have to wait for the device.
    """
    if loss is binary_cross_entropy and len(wrong := targets[~((targets >= 0) & (targets <= 1))]):
        raise InputError(f"y holds the target {wrong[0]}: must be from 0 to 1")
    if loss is hinge and len(wrong := targets[(targets != 0) & (targets != 1)]):
        raise InputError(f"y holds the label {wrong[0]}: must be 0 or 1")


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
            f"must be {needed}"
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
            f"{logits.shape}: must be whole numbers of shape {shared}"
        )
    return labels


def _check_samples(outputs: Tensor) -> None:
    """Raise `InputError` unless outputs are (N, k) or (E, N, k) with N > 0."""
    if outputs.data.ndim not in (2, 3):
        raise InputError(f"outputs of shape {outputs.shape}: a loss takes (N, k) or (E, N, k)")
    if outputs.data.shape[-2] == 0:
        raise InputError(f"outputs of shape {outputs.shape}: the mean over no samples is undefined")


def _mean(
    outputs: Tensor, losses: Array, slopes: Array, weights: Any, of_samples: bool = False
) -> Tensor:
    """The mean loss of each network, and its pullback; `slopes` are the derivatives of `losses`.

    The mean is over samples and outputs, or, with `of_samples`, over the samples.
    """
    k, lead = outputs.backend, outputs.shape[:-2]
    terms = 1 if of_samples else outputs.shape[-1]
    if weights is None:
        part: Any = 1.0 / (terms * outputs.shape[-2])
    else:
        w = _weight_column(k, outputs, weights)
        # A weight of 0 leaves a sample out, also one whose loss is infinite.
        losses, slopes = k.times_slope(w, losses), k.times_slope(w, slopes)
        total_weight = k.sum(k.reshape(w, (*w.shape[:-2], -1)), axis=-1)
        tiny = float(np.finfo(w.dtype).tiny)
        part = k.divide(1.0 / terms, k.maximum(total_weight, tiny))
    value = k.scaled_sum(k.reshape(losses, (*lead, -1)), part)
    return result(value, k, (outputs, lambda dy: k.times_share(slopes, dy, part)))


def _weight_column(k: Backend, outputs: Tensor, weights: Any) -> Array:
    """The weights as (N, 1) or (E, N, 1), of the outputs' dtype."""
    weights = k.asarray(weights.data if isinstance(weights, Tensor) else weights, outputs.dtype)
    own = outputs.shape[:-1]
    for shape in (own[-1:], own):
        if weights.shape in (shape, (*shape, 1)):
            return weights.reshape(*shape, 1)
    raise InputError(
        f"weights of shape {weights.shape} for outputs of shape {outputs.shape}: "
        f"must be {own[-1:]}, one per sample"
    )

"""Classes: which one an output means, which labels name it, and which targets a loss takes.

With several outputs the class is that of the largest. With one it is 1 where the output is above a
threshold, which follows from the loss: above 0 a logit means a probability above 1/2, while an
output that was fitted to the labels 0 and 1 lies halfway between them at 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import InputError
from scratchnet.layers import Layer, ReLU, Residual, Sequential, Sigmoid, Softplus
from scratchnet.losses import LOSSES, Loss, base, binary_cross_entropy, hinge, softmax_cross_entropy

TAKE_LOGITS = (binary_cross_entropy, softmax_cross_entropy, hinge)


def default_threshold(last: Layer) -> float:
    """That of a model without a loss: 1/2 for the probabilities of a sigmoid, else 0."""
    return 0.5 if isinstance(_last(last), Sigmoid) else 0.0


def threshold(loss: Loss, targets: NDArray[Any], last: Layer) -> float | None:
    """Above which value a single output means class 1.

    For a loss that takes logits that is 0. For one that fits the outputs to the targets it is the
    middle of these where they are 0 and 1, or -1 and 1, and None where they are other numbers. For
    a loss of the user's own it is 0, as without a loss: name another one in `accuracy`, or set
    `model.threshold`. For the probabilities of a sigmoid it is 1/2, whatever the loss.
    """
    if isinstance(_last(last), Sigmoid):
        return 0.5
    loss = base(loss)
    if loss in TAKE_LOGITS or loss not in LOSSES.values():
        return 0.0
    values = set(np.unique(targets)[:3].tolist())
    return 0.5 if values <= {0, 1} else 0.0 if values <= {-1, 1} else None


def loss_name(loss: Loss) -> str:
    """The name of a loss of the table, or that of the user's function."""
    loss = base(loss)
    for name, each in LOSSES.items():
        if each is loss:
            return name
    return str(getattr(loss, "__name__", type(loss).__name__))


def stored_meaning(
    where: str, header: Mapping[str, Any], default: float | None
) -> tuple[str | None, float | None]:
    """The name of the loss and the threshold that a file's header gives, if it gives them.

    Raises `InputError`, which starts with `where`, for other values than a text and a number.
    """
    loss, above = header.get("loss"), header.get("threshold", default)
    if not isinstance(loss, str | None):
        raise InputError(f"{where}: its loss is of type {type(loss).__name__}: must be a name")
    is_number = isinstance(above, int | float) and not isinstance(above, bool)
    if above is not None and not (is_number and abs(above) < LARGEST_THRESHOLD):
        raise InputError(f"{where}: its threshold is {str(above)[:40]!r}: must be a finite number")
    return loss, above if above is None else float(above)


LARGEST_THRESHOLD = 1e300


def output_warning(loss: Loss, last: Layer) -> str | None:
    """What is wrong with a last layer without negative outputs under a loss that takes logits."""
    layer = _last(last)
    if base(loss) not in TAKE_LOGITS or not isinstance(layer, (Sigmoid, Softplus, ReLU)):
        return None
    cut = "; classes are told apart at 0.5" if isinstance(layer, Sigmoid) else ""
    return (
        f"the model ends in {layer}, whose outputs are never negative, and "
        f"{loss_name(loss)} takes logits: leave that layer out{cut}"
    )


def _last(layer: Layer) -> Layer:
    """The layer that a sequence ends in."""
    while isinstance(layer, Sequential) and not isinstance(layer, Residual):
        layer = layer.layers[-1]
    return layer


def classes(outputs: NDArray[Any], above: float | None) -> NDArray[Any]:
    """The class of each sample, (N,) or (E, N), from outputs (N, k) or (E, N, k)."""
    if outputs.shape[-1] > 1:
        return np.asarray(outputs.argmax(axis=-1))
    if above is None:
        raise InputError(
            "the model was trained on targets other than labels, so no output tells the classes "
            "apart: set model.threshold, or name a loss, as in accuracy(model, X, y, "
            "'binary_cross_entropy')"
        )
    return (outputs[..., 0] > above).astype(np.int64)


def labels(y: NDArray[Any], outputs: tuple[int, ...]) -> NDArray[Any]:
    """Labels (N,) or (E, N) as whole numbers, for outputs of that shape, from 0 to classes - 1.

    y is of that shape, or has an axis of length 1 more. Raises `InputError`, with the label, for
    others, and for one-hot rows.
    """
    y = one_per_sample(y, outputs)
    refuse_other_labels(y, outputs[-1])
    known = (0, 1) if outputs[-1] == 1 else range(outputs[-1])
    for value in np.unique(y).tolist():
        if value not in known:
            must = "0 or 1" if outputs[-1] == 1 else f"whole numbers from 0 to {known[-1]}"
            raise InputError(
                f"y holds the label {value}: must be {must}, since the model has {outputs[-1]} "
                f"output{'s' if outputs[-1] > 1 else ''}"
            )
    return y.astype(np.int64)


def one_per_sample(y: NDArray[Any], outputs: tuple[int, ...]) -> NDArray[Any]:
    """y in the shape (N,), or (E, N) where it leads with E, for outputs (N, k) or (E, N, k)."""
    shapes = [outputs[-2:-1], outputs[:-1]]
    for shape in shapes:
        if y.shape in (shape, (*shape, 1)):
            return y.reshape(shape)
    refuse_onehot(y)
    raise InputError(
        f"y of shape {y.shape}: must be {shapes[0]}, one label for each of the {outputs[-2]} "
        "samples"
    )


def refuse_onehot(y: NDArray[Any]) -> None:
    """Raise `InputError` for targets (..., k) of which each row holds one 1 and else 0."""
    if y.ndim < 2 or y.shape[-1] < 2 or not y.size:
        return
    if ((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all():
        raise InputError(
            f"y of shape {y.shape} is one-hot: must be one label for each sample, "
            f"y.argmax(axis={y.ndim - 1})"
        )


def refuse_other_labels(y: NDArray[Any], outputs: int) -> None:
    """Refuse the labels -1 and 1, and those of more than two classes for a single output."""
    found = np.unique(y).astype(np.float64)
    if found.tolist() == [-1, 1]:
        raise InputError("y holds the label -1: must be 0 or 1, as y > 0 gives")
    if outputs == 1 and len(found) > 2 and (found >= 0).all() and (found % 1 == 0).all():
        raise InputError(
            f"y holds the label {found[-1]:g}: must be 0 or 1 for a model with one output; for "
            f"{found[-1] + 1:g} classes make it with as many outputs and train with "
            "loss='softmax_cross_entropy'"
        )

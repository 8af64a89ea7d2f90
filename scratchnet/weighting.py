"""How much each sample counts in the loss: weights as given, and from a weight for each class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import nonnegative
from scratchnet.data_checks import finite_numbers
from scratchnet.losses import Loss
from scratchnet.model import Model
from scratchnet.tensor import Tensor

ClassWeight = Mapping[Any, float] | Sequence[float]


def checked_weights(
    model: Model,
    inputs: Tensor,
    targets: Array,
    loss: Loss,
    sample_weight: Any,
    class_weight: ClassWeight | None,
    is_share: bool = False,
) -> Array | None:
    """The weight of each sample as a column (N, 1) or (E, N, 1), None where there are no weights.

    It is the product of its own weight and that of its class. Raises `InputError` for weights that
    are negative, not finite, all 0, or not one for each sample and for each label, and for a loss
    that takes none. Those of a share of the samples may all be 0.
    """
    if sample_weight is None and class_weight is None:
        return None
    if not takes_weights(loss):
        raise InputError(
            f"weights with the loss {getattr(loss, '__name__', loss)!r}: it must have a parameter "
            "`weights`, which gets them as a column"
        )
    samples = inputs.shape[-2]
    weights: Any = np.ones(samples)
    if sample_weight is not None:
        weights = _of_samples(model, samples, sample_weight)
    if class_weight is not None:
        weights = weights * _of_classes(model.backend.to_numpy(targets), samples, class_weight)
    if not is_share and not weights.sum(axis=-1).all():
        raise InputError("all weights are 0: must be above 0 for at least one sample")
    return model.backend.asarray(weights[..., None], model.dtype)


def takes_weights(loss: Loss) -> bool:
    """Whether a loss has the argument `weights`."""
    parameters = inspect.signature(loss).parameters.values()
    return any(each.name == "weights" or each.kind == each.VAR_KEYWORD for each in parameters)


def _of_samples(model: Model, samples: int, sample_weight: Any) -> Any:
    """As float64 of shape (N,), or (E, N)."""
    given = finite_numbers("sample_weight", sample_weight, "float64", model.backend)
    weights = given.astype(np.float64)
    shapes: list[tuple[Any, ...]] = [(samples,), (model.ensemble, samples)]
    for shape in shapes:
        if weights.shape in (shape, (*shape, 1)):
            weights = weights.reshape(shape)
            break
    else:
        raise InputError(
            f"sample_weight of shape {weights.shape}: must be ({samples},), one for each sample"
        )
    if len(wrong := weights[~((weights >= 0) & (weights < np.inf))]):
        raise InputError(f"sample_weight holds {wrong[0]}: must be finite and at least 0")
    return weights


def _of_classes(targets: Any, samples: int, class_weight: ClassWeight) -> Any:
    """The weight of each sample's class, of shape (N,), or (E, N)."""
    labels = targets[..., 0] if targets.shape[-2:] == (samples, 1) else targets
    if labels.shape[-1] != samples or (labels % 1).any():
        raise InputError("class_weight without classes: y must be one whole number for each sample")
    if isinstance(class_weight, str) or not isinstance(
        class_weight, Mapping | Sequence | np.ndarray
    ):
        raise InputError(
            f"class_weight is {class_weight!r}: must be one for each class, as in {{0: 1, 1: 5}}"
        )
    table = class_weight if isinstance(class_weight, Mapping) else dict(enumerate(class_weight))
    weights = np.empty(labels.shape)
    for label in np.unique(labels).tolist():
        if label not in table:
            raise InputError(f"class_weight has none for the label {label:g}: must have one")
        weights[labels == label] = nonnegative(f"class_weight[{label:g}]", table[label])
    return weights

"""Networks whose weights are set by hand: ordinary models, which nothing has trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, InputError
from scratchnet.layers import Layer, Linear, get_activation
from scratchnet.model import Model

Affine = tuple[Any, Any]
"""W (fan_in, fan_out) and b (fan_out,) of one layer y = x W + b."""

ENTRIES_PER_BLOCK = 2**19
"""How many numbers the widest layer takes or gives at once: 2 or 4 MB, which stay in the cache."""


def model_from_weights(
    weights: Sequence[Affine],
    activation: str | Layer,
    activate_output: bool = False,
    dtype: str = "float64",
    backend: str | Backend = "auto",
) -> Model:
    """The model Linear, activation, Linear, activation, ... with the given (W, b) of each Linear.

    The last Linear is the output, behind which `activate_output` puts an activation too.
    """
    layers: list[Layer] = []
    for weight, bias in weights:
        fan_in, fan_out = np.shape(weight)
        if np.shape(bias) != (fan_out,):
            raise InputError(f"bias of shape {np.shape(bias)}: the weights need ({fan_out},)")
        layers += [Linear(fan_in, fan_out, init="zeros"), get_activation(activation)]
    model = Model(*layers[: None if activate_output else -1], dtype=dtype, backend=backend)
    given = [array for pair in weights for array in pair]
    for parameter, values in zip(model.parameters(), given, strict=True):
        parameter.data[...] = model.backend.asarray(values, dtype)
    return model


def rows_per_block(model: Model) -> int:
    """How many inputs to give to the model at once: a power of two, for cache and memory."""
    linear = [layer for _, layer in model.root.walk() if isinstance(layer, Linear)]
    widest = max(max(layer.fan_in, layer.fan_out) for layer in linear)
    return 1 << (max(1, ENTRIES_PER_BLOCK // widest).bit_length() - 1)


def predict_in_blocks(model: Model, X: NDArray[Any]) -> NDArray[Any]:
    """`model.predict(X)`, computed for a few rows at a time: wide layers need no more memory."""
    size = rows_per_block(model)
    blocks = [model.predict(X[start : start + size]) for start in range(0, len(X), size)]
    return np.concatenate(blocks)

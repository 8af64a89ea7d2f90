"""The nonlinearities between Linear layers. `ops/activations.py` has their derivatives."""

from __future__ import annotations

import copy

from scratchnet import ops
from scratchnet.backends import InputError, choose
from scratchnet.hyperparameters import FINITE, POSITIVE, Hyperparameter, Value
from scratchnet.layers.layer import Activation, Layer
from scratchnet.layers.registry import ACTIVATIONS, register
from scratchnet.tensor import Tensor


@register
class ReLU(Activation):
    """y = max(0, x)"""

    name = "relu"

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


@register
class LeakyReLU(Activation):
    """y = x where x > 0, else slope * x;   `slope` is one number, or one for each network"""

    name = "leaky_relu"
    slope = Hyperparameter("slope of LeakyReLU", FINITE)

    def __init__(self, slope: Value = 0.01) -> None:
        super().__init__()
        self.slope = slope

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.number("slope"))


@register
class Sigmoid(Activation):
    """y = 1 / (1 + e^-x)"""

    name = "sigmoid"

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


@register
class Tanh(Activation):
    """y = tanh x"""

    name = "tanh"

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


@register
class Softplus(Activation):
    """y = ln(1 + e^x)"""

    name = "softplus"

    def forward(self, x: Tensor) -> Tensor:
        return ops.softplus(x)


@register
class GELU(Activation):
    """y = x Phi(x), in its tanh form"""

    name = "gelu"

    def forward(self, x: Tensor) -> Tensor:
        return ops.gelu(x)


POSITIVE_NUMBER = Hyperparameter("surrogate_window of Threshold", POSITIVE)


@register
class Threshold(Activation):
    """y = 1 where x >= 0, else 0; it can be trained only with a surrogate window, see the op."""

    name = "threshold"
    is_differentiable = False

    def __init__(self, surrogate_window: float | None = None) -> None:
        super().__init__()
        if surrogate_window is not None:
            surrogate_window = POSITIVE_NUMBER.checked(surrogate_window, None)
            if not isinstance(surrogate_window, float):
                raise InputError("surrogate_window of Threshold must be one number, or None")
        self.surrogate_window = surrogate_window

    @classmethod
    def by_name(cls) -> Activation:
        """With a window: a network that is made by name is there to be trained."""
        return cls(surrogate_window=1.0)

    def forward(self, x: Tensor) -> Tensor:
        return ops.threshold(x, self.surrogate_window)


def get_activation(activation: str | Layer) -> Layer:
    """A fresh activation layer by its name, or a fresh copy of the layer given."""
    if isinstance(activation, str):
        return choose("activation", activation, ACTIVATIONS).by_name()
    return copy.deepcopy(activation)

"""Layers made of layers: one after another, with a way around them, with a narrow waist."""

from __future__ import annotations

from collections.abc import Mapping

from scratchnet.backends import InputError
from scratchnet.hyperparameters import FINITE, Hyperparameter, Value, shown
from scratchnet.init import Initializer
from scratchnet.layers.activations import Softplus, Tanh, get_activation
from scratchnet.layers.dropout import Dropout
from scratchnet.layers.layer import Layer
from scratchnet.layers.linear import Linear
from scratchnet.layers.normalization import BatchNorm
from scratchnet.layers.registry import register
from scratchnet.tensor import Tensor


@register
class Sequential(Layer):
    """y = the layers, one after another"""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        if not layers:
            raise InputError("a Sequential of zero layers: at least one is needed")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise InputError(f"a Sequential of {layer!r}: must be layers")
        self.layers = layers

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(Linear(width, 4), Tanh(), Linear(4, width))

    def children(self) -> Mapping[str, Layer]:
        return {str(number): layer for number, layer in enumerate(self.layers)}

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


@register
class Residual(Layer):
    """y = x + scale f(x), where f is the layers inside, one after another (He et al. 2016).

    Each block adds to what comes through, so that with a scale of 1 the signal grows exponentially
    with their number L, in training as at the start; with a scale of 1 / sqrt(L) far more slowly
    (Hayou et al. 2021, "Stable ResNet"; De and Smith 2020 reach the same by a scale that is learned
    from 0 on). `scale` is one number, or one for each network.
    """

    scale = Hyperparameter("scale of Residual", FINITE, absent_at=1.0)

    def __init__(self, *layers: Layer, scale: Value = 1.0) -> None:
        super().__init__()
        self.body = Sequential(*layers)
        self.scale = scale

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of f."""
        return self.body.layers

    @classmethod
    def example(cls, width: int) -> Layer:
        inside = (BatchNorm(4), Softplus(), Dropout(0.2))
        return cls(Linear(width, 4), *inside, Linear(4, width), scale=0.4)

    def children(self) -> Mapping[str, Layer]:
        return self.body.children()

    def forward(self, x: Tensor) -> Tensor:
        return self.added(x, self.body.forward(x))

    def added(self, x: Tensor, change: Tensor) -> Tensor:
        """x + scale * change. Raises `InputError` where their widths differ."""
        if change.data.shape[-1] != x.data.shape[-1]:
            raise InputError(f"{self} turns {x.shape} into {change.shape}: the widths must agree")
        if self.is_absent("scale"):
            return x + change
        return x + change * self.number("scale")

    def __repr__(self) -> str:
        scale = [] if self.is_absent("scale") else [f"scale={shown(self.scale)}"]
        return f"Residual({', '.join([*map(repr, self.layers), *scale])})"


@register
class Bottleneck(Layer):
    """y = x + f(x), where f goes through fewer features: width -> inner -> inner -> width.

    f is Linear, activation, Linear, activation, Linear, with BatchNorm behind each Linear if asked
    for (He et al. 2016, figure 5, without an activation behind the sum). Its weights are
    2 width inner + inner^2, against width^2 of one Linear: for inner = width / 4, 9/16 of them.

    Without BatchNorm the last Linear starts at zero, so that the block starts as the identity and
    neither signal nor gradient depends on the number of blocks (Zhang et al. 2019, "Fixup").
    """

    settings = ("width", "inner", "activation", "batch_norm")

    def __init__(
        self,
        width: int,
        inner: int,
        activation: str | Layer = "relu",
        init: str | Initializer = "he_normal",
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        widths = (width, inner, inner, width)
        layers: list[Layer] = []
        for number, (fan_in, fan_out) in enumerate(zip(widths, widths[1:], strict=False)):
            last = number == 2
            # BatchNorm would undo a small scale, and divide by a spread of zero.
            layers.append(Linear(fan_in, fan_out, "zeros" if last and not batch_norm else init))
            if batch_norm:
                layers.append(BatchNorm(fan_out))
            if not last:
                layers.append(get_activation(activation))
        self.width, self.inner, self.batch_norm = int(width), int(inner), bool(batch_norm)
        self.body = Residual(*layers)

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(width, 2, "tanh", batch_norm=True)

    @property
    def activation(self) -> Layer:
        """The first of the two, which have the same settings."""
        return self.body.layers[2 if self.batch_norm else 1]

    def children(self) -> Mapping[str, Layer]:
        return self.body.children()

    def forward(self, x: Tensor) -> Tensor:
        return self.body.forward(x)

    def __repr__(self) -> str:
        return f"Bottleneck({self.width} -> {self.inner} -> {self.inner} -> {self.width})"

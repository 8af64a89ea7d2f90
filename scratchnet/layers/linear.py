"""y = x W + b: the layer that holds nearly all of a network's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.init import Initializer, get_bias_initializer, get_initializer
from scratchnet.layers.layer import Layer, check_input
from scratchnet.layers.registry import register
from scratchnet.tensor import Tensor


@register
class Linear(Layer):
    """y = x W + b, with W (fan_in, fan_out) drawn by `init` and b (fan_out,) by `bias_init`.

    Without `bias` y = x W, and the layer has no parameter of that name.
    """

    settings = ("fan_in", "fan_out", "bias")
    transposed_in_files = ("weight",)

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        init: str | Initializer = "he_normal",
        bias_init: str | Initializer = "zeros",
        bias: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(bias, bool):
            raise InputError(f"bias of Linear is {bias!r}: must be True or False")
        self.fan_in = positive_whole("fan_in of Linear", fan_in)
        self.fan_out = positive_whole("fan_out of Linear", fan_out)
        self.bias = bias
        self.init = get_initializer(init)
        self.bias_init = get_bias_initializer(bias_init)

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(width, width)

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        weight = {"weight": (self.fan_in, self.fan_out)}
        return weight | {"bias": (self.fan_out,)} if self.bias else weight

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """Arrays by name. Raises `InputError` where the initialiser gives another shape."""
        weight = self.init(rng, self.fan_in, self.fan_out)
        if np.shape(weight) != (self.fan_in, self.fan_out):
            raise InputError(
                f"{self}: its initialiser gave the shape {np.shape(weight)}, needs "
                f"{(self.fan_in, self.fan_out)}"
            )
        if not self.bias:
            return {"weight": weight}
        bias = self.bias_init(rng, self.fan_in, self.fan_out)
        if np.shape(bias) != (self.fan_out,):
            raise InputError(
                f"{self}: its bias_init gave the shape {np.shape(bias)}, needs {(self.fan_out,)}"
            )
        return {"weight": weight, "bias": bias}

    def forward(self, x: Tensor) -> Tensor:
        check_input(self, x, self.fan_in)
        if not self.bias:
            return ops.matmul(x, self.parameters["weight"])
        return ops.affine(x, self.parameters["weight"], self.parameters["bias"])

    def __repr__(self) -> str:
        return f"Linear({self.fan_in} -> {self.fan_out}{'' if self.bias else ', bias=False'})"

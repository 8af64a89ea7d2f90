"""What a layer is.

A layer declares its parameters and says how its output follows from its input; it holds no numbers
until a `Model` (in `model.py`) gives it some. Shapes are those of one network: a matrix (in, out)
becomes (E, in, out) in an ensemble of E, a vector (d,) becomes (E, 1, d), and every rule below
reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.contexts import Blocks
from scratchnet.hyperparameters import Configured
from scratchnet.tensor import Tensor

MODES: Blocks[dict[Layer, bool]] = Blocks("modes of layers")
"""Whether these layers are in training mode inside a block: in its thread or task alone, so that
an evaluation does not disturb a training of the same model elsewhere."""


class Layer(Configured):
    """A function of a tensor. `parameters` are learned; `buffers` are numbers it keeps besides.

    A number that is set while training goes on, such as a dropout rate, is a `Hyperparameter`: a
    recorded step reads it anew. After a change of any other attribute the step is recorded anew.

    What else there is to know about a kind of layer stands in the attributes of its class, and
    `@register` (in `registry.py`) makes it known to files, pruning and tests.
    """

    settings: ClassVar[tuple[str, ...]] = ()
    """The attributes from which a file makes the layer anew: arguments of `__init__` with the same
    names. Without a list of its own, a class that is registered has all of them."""

    keeps_neurons_apart: ClassVar[bool] = False
    """Whether, in eval mode, feature i of the output depends on feature i of the input alone: then
    neurons can be pruned in front of the layer."""

    is_differentiable: ClassVar[bool] = True
    """Whether the backward pass gives the derivative, which a gradient check can test."""

    transposed_in_files: ClassVar[tuple[str, ...]] = ()
    """Parameters that PyTorch, and so a model's file, keeps as (out, in)."""

    for_training_only: ClassVar[tuple[str, ...]] = ()
    """Buffers that stay out of a model's file."""

    _training = True

    def __init__(self) -> None:
        self.parameters: dict[str, Tensor] = {}
        self.buffers: dict[str, Array] = {}

    @property
    def training(self) -> bool:
        """Whether it is in training mode; inside `in_mode`, what holds there."""
        if MODES.entries():
            for modes in reversed(MODES.values()):
                if self in modes:
                    return modes[self]
        return self._training

    @training.setter
    def training(self, mode: bool) -> None:
        for modes in reversed(MODES.values()):
            if self in modes:
                modes[self] = mode
                return
        self._training = mode

    @classmethod
    def example(cls, width: int) -> Layer:
        """A layer of this kind for so many features in and out: what the tests try."""
        return cls()

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each parameter, in one network."""
        return {}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """The first values of each parameter of one network, as host arrays."""
        return {}

    def buffer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each buffer, in one network."""
        first = self.initial_buffers(np.random.SeedSequence(0))
        return {name: np.shape(values) for name, values in first.items()}

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        """The first values of each buffer of one network, as host arrays."""
        return {}

    def children(self) -> Mapping[str, Layer]:
        """The layers inside this one, by name."""
        return {}

    def walk(self, name: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and all inside it, each with its dotted name, in the order of computation."""
        yield name, self
        for child_name, child in self.children().items():
            yield from child.walk(f"{name}.{child_name}" if name else child_name)

    def forward(self, x: Tensor) -> Tensor:
        """The output (N, features out) for x (N, features in); (E, N, ...) in an ensemble."""
        raise NotImplementedError

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Activation(Layer):
    """A nonlinearity: each entry of the output depends on the same entry of the input alone.

    A class of its own is a formula and a name, under which `mlp(activation=...)` finds it:

        @register
        class Swish(Activation):
            \"""y = x sigmoid(x)\"""

            name = "swish"

            def forward(self, x: Tensor) -> Tensor:
                return x * ops.sigmoid(x)
    """

    name: ClassVar[str] = ""
    keeps_neurons_apart = True

    @classmethod
    def by_name(cls) -> Activation:
        """The layer that the name stands for."""
        return cls()

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls.by_name()


def check_input(layer: Layer, x: Tensor, features: int) -> None:
    """Raise `InputError` unless x is (N, features), or (E, N, features) in an ensemble of E."""
    if not layer.parameters:
        raise InputError(f"{layer} has no parameters yet: give it to a Model")
    shape = x.data.shape
    if len(shape) < 2 or shape[-1] != features:
        raise InputError(f"{layer} got an input of shape {shape}: needs (N, {features})")
    if len(shape) == 3:
        weight = layer.parameters["weight"].data
        if weight.ndim == 3 and len(weight) != shape[0]:
            raise InputError(f"{layer} got an input of shape {shape} for {len(weight)} networks")

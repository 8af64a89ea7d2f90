"""Layers: what a network is made of.

A layer declares its parameters and says how its output follows from its input; it holds no numbers
until a `Model` (in `model.py`) gives it some. Shapes are those of one network: a matrix (in, out)
becomes (E, in, out) in an ensemble of E, a vector (d,) becomes (E, 1, d), and every rule below
reads the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import Array, InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.hyperparameters import (
    FINITE,
    FRACTION,
    POSITIVE,
    PROPORTION,
    Configured,
    Hyperparameter,
    Value,
)
from scratchnet.init import Initializer, get_bias_initializer, get_initializer
from scratchnet.tensor import Tensor


class Layer(Configured):
    """A function of a tensor. `parameters` are learned; `buffers` are numbers it keeps besides.

    A number that is set while training goes on, such as a dropout rate, is a `Hyperparameter`: a
    recorded step reads it anew. After a change of any other attribute the step is recorded anew.
    """

    training = True

    def __init__(self) -> None:
        self.parameters: dict[str, Tensor] = {}
        self.buffers: dict[str, Array] = {}

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each parameter, in one network."""
        return {}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        """The first values of each parameter of one network, as host arrays."""
        return {}

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


class Linear(Layer):
    """y = x W + b, with W (fan_in, fan_out) drawn by `init` and b (fan_out,) by `bias_init`."""

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        init: str | Initializer = "he_normal",
        bias_init: str | Initializer = "zeros",
    ) -> None:
        super().__init__()
        self.fan_in = positive_whole("fan_in of Linear", fan_in)
        self.fan_out = positive_whole("fan_out of Linear", fan_out)
        self.init = get_initializer(init)
        self.bias_init = get_bias_initializer(bias_init)

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"weight": (self.fan_in, self.fan_out), "bias": (self.fan_out,)}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        weight = self.init(rng, self.fan_in, self.fan_out)
        if np.shape(weight) != (self.fan_in, self.fan_out):
            raise InputError(
                f"{self}: its initialiser gave the shape {np.shape(weight)}, needs "
                f"{(self.fan_in, self.fan_out)}"
            )
        bias = self.bias_init(rng, self.fan_in, self.fan_out)
        if np.shape(bias) != (self.fan_out,):
            raise InputError(
                f"{self}: its bias_init gave the shape {np.shape(bias)}, needs {(self.fan_out,)}"
            )
        return {"weight": weight, "bias": bias}

    def forward(self, x: Tensor) -> Tensor:
        check_input(self, x, self.fan_in)
        return ops.affine(x, self.parameters["weight"], self.parameters["bias"])

    def __repr__(self) -> str:
        return f"Linear({self.fan_in} -> {self.fan_out})"


class ReLU(Layer):
    """y = max(0, x)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(x)


class LeakyReLU(Layer):
    """y = x where x > 0, else slope * x;   `slope` is one number, or one for each network"""

    slope = Hyperparameter("slope of LeakyReLU", FINITE)

    def __init__(self, slope: Value = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(x, self.arrays.get("slope", self.slope))


class Sigmoid(Layer):
    """y = 1 / (1 + e^-x)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Layer):
    """y = tanh x"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.tanh(x)


class Softplus(Layer):
    """y = ln(1 + e^x)"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.softplus(x)


class GELU(Layer):
    """y = x Phi(x), in its tanh form"""

    def forward(self, x: Tensor) -> Tensor:
        return ops.gelu(x)


POSITIVE_NUMBER = Hyperparameter("surrogate_window of Threshold", POSITIVE)


class Threshold(Layer):
    """y = 1 where x >= 0, else 0; it can be trained only with a surrogate window, see the op."""

    def __init__(self, surrogate_window: float | None = None) -> None:
        super().__init__()
        if surrogate_window is not None:
            surrogate_window = POSITIVE_NUMBER.checked(surrogate_window, None)
            if not isinstance(surrogate_window, float):
                raise InputError("surrogate_window of Threshold must be one number, or None")
        self.surrogate_window = surrogate_window

    def forward(self, x: Tensor) -> Tensor:
        return ops.threshold(x, self.surrogate_window)


class Dropout(Layer):
    """In training, each entry is 0 with probability `rate`, else x / (1 - rate); in eval, y = x.

    The mask depends on the network's seed, on the layer and on how many entries were drawn before,
    so that a network drops the same entries alone and within an ensemble, and none draws twice.
    `rate` is one number, or one for each network.
    """

    rate = Hyperparameter(
        "dropout rate",
        FRACTION,
        {
            "kept_from": lambda rate: np.rint(rate * 2.0**32).astype(np.uint64),
            "scale": lambda rate: 1 / (1 - rate),
        },
        absent_at_zero=True,
    )

    def __init__(self, rate: Value) -> None:
        super().__init__()
        self.rate = rate

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        # An odd key, as the generator asks for: it then visits every 64-bit state.
        key = seed.generate_state(1, np.uint64)[0] | np.uint64(1)
        return {"key": np.array(key), "drawn": np.array(0, np.uint64)}

    def forward(self, x: Tensor) -> Tensor:
        """y; raises `InputError` in training where no `Model` has given the layer a key."""
        if not self.training:
            return x
        if not self.buffers:
            raise InputError(f"{self} has no key yet: give it to a Model")
        k, key, drawn = x.backend, self.buffers["key"], self.buffers["drawn"]
        shape = x.data.shape[-2:]
        size = shape[0] * shape[1]
        if self.is_absent("rate"):
            k.add(drawn, size, out=drawn)
            return x
        places = k.xp.arange(size, dtype=key.dtype).reshape(shape)
        counters = k.add(drawn, places)
        k.add(drawn, size, out=drawn)
        return ops.dropout(x, (self.arrays["kept_from"], self.arrays["scale"]), counters, key)

    def __repr__(self) -> str:
        return f"Dropout({self.rate})"


class BatchNorm(Layer):
    """y = gain * (x - m) / sqrt(v + epsilon) + shift, feature by feature (Ioffe and Szegedy 2015).

    In training m and v are the batch's mean and variance; running averages of them, with the
    unbiased variance, are kept for eval: running <- (1 - momentum) running + momentum batch.
    `momentum` and `epsilon` are one number each, or one for each network.
    """

    momentum = Hyperparameter(
        "momentum of BatchNorm",
        PROPORTION,
        {"momentum": lambda momentum: momentum, "rest": lambda momentum: 1 - momentum},
    )
    epsilon = Hyperparameter("epsilon of BatchNorm", POSITIVE)

    def __init__(self, features: int, momentum: Value = 0.1, epsilon: Value = 1e-5) -> None:
        super().__init__()
        self.features = positive_whole("features of BatchNorm", features)
        self.momentum = momentum
        self.epsilon = epsilon

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"weight": (self.features,), "bias": (self.features,)}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"weight": np.ones(self.features), "bias": np.zeros(self.features)}

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        return {"running_mean": np.zeros(self.features), "running_var": np.ones(self.features)}

    def forward(self, x: Tensor) -> Tensor:
        """y; raises `InputError` for other features, and in training for fewer than two samples."""
        check_input(self, x, self.features)
        k = x.backend
        if self.training and not self.is_frozen():
            if x.data.shape[-2] < 2 or x.data.ndim > max(2, self.parameters["weight"].ndim):
                raise InputError(
                    f"{self} got an input of shape {x.shape}: training needs (N, {self.features}) "
                    "with N of at least 2"
                )
            standard, mean, variance = ops.standardize(x, self.arrays["epsilon"])
            samples = x.data.shape[-2]
            self._average("running_mean", mean)
            self._average("running_var", k.multiply(variance, samples / (samples - 1)))
        else:
            scale = k.sqrt(k.add(self.buffers["running_var"], self.arrays["epsilon"]))
            standard = (x - self.buffers["running_mean"]) / scale
        return standard * self.parameters["weight"] + self.parameters["bias"]

    def is_frozen(self) -> bool:
        """Whether neither parameter is trained: then the running averages hold, as in eval."""
        return not any(each.requires_grad for each in self.parameters.values())

    def _average(self, name: str, batch: Array) -> None:
        running = self.buffers[name]
        k = self.parameters["weight"].backend
        k.multiply(running, self.arrays["rest"], out=running)
        share = k.multiply(batch, self.arrays["momentum"])
        k.add(running, share.reshape(share.shape[-1:]) if running.ndim == 1 else share, out=running)

    def __repr__(self) -> str:
        return f"BatchNorm({self.features})"


class Sequential(Layer):
    """y = the layers, one after another"""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        if not layers:
            raise InputError("a Sequential of zero layers: at least one is needed")
        for layer in layers:
            if not isinstance(layer, Layer):
                raise InputError(f"a Sequential of {layer!r}: accepted are layers")
        self.layers = layers

    def children(self) -> Mapping[str, Layer]:
        return {str(number): layer for number, layer in enumerate(self.layers)}

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


class Residual(Layer):
    """y = x + f(x), where f is the layers inside, one after another (He et al. 2016)"""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.body = Sequential(*layers)

    def children(self) -> Mapping[str, Layer]:
        return self.body.children()

    def forward(self, x: Tensor) -> Tensor:
        change = self.body.forward(x)
        if change.data.shape[-1] != x.data.shape[-1]:
            raise InputError(f"{self} turns {x.shape} into {change.shape}: the widths must agree")
        return x + change

    def __repr__(self) -> str:
        return f"Residual({', '.join(map(repr, self.body.layers))})"


class Bottleneck(Layer):
    """y = x + f(x), where f goes through fewer features: width -> inner -> inner -> width.

    f is Linear, activation, Linear, activation, Linear, with BatchNorm behind each Linear if asked
    for (He et al. 2016, figure 5, without an activation behind the sum). Its weights are
    2 width inner + inner^2, against width^2 of one Linear: for inner = width / 4, 9/16 of them.

    Without BatchNorm the last Linear starts at zero, so that the block starts as the identity and
    neither signal nor gradient depends on the number of blocks (Zhang et al. 2019, "Fixup").
    """

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
        self.width, self.inner = width, inner
        self.body = Residual(*layers)

    def children(self) -> Mapping[str, Layer]:
        return self.body.children()

    def forward(self, x: Tensor) -> Tensor:
        return self.body.forward(x)

    def __repr__(self) -> str:
        return f"Bottleneck({self.width} -> {self.inner} -> {self.inner} -> {self.width})"


ACTIVATIONS: dict[str, Layer] = {
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "softplus": Softplus(),
    "gelu": GELU(),
    "threshold": Threshold(surrogate_window=1.0),
}


def get_activation(activation: str | Layer) -> Layer:
    """A fresh activation layer by its name, or a fresh copy of the layer given."""
    if isinstance(activation, str):
        activation = choose("activation", activation, ACTIVATIONS)
    return copy.deepcopy(activation)


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

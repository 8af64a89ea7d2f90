"""Normalisation: outputs of mean 0 and variance 1, before a gain and a shift that are learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.hyperparameters import POSITIVE, PROPORTION, Hyperparameter, Value
from scratchnet.layers.layer import Layer, check_input
from scratchnet.layers.registry import register
from scratchnet.sharing import share_of_batch
from scratchnet.tensor import Tensor


@register
class BatchNorm(Layer):
    """y = gain * (x - m) / sqrt(v + epsilon) + shift, feature by feature (Ioffe and Szegedy 2015).

    In training m and v are the batch's mean and variance; running averages of them, with the
    unbiased variance, are kept for eval: running <- (1 - momentum) running + momentum batch.
    `momentum` and `epsilon` are one number each, or one for each network. Where several processes
    share a batch, m and v are those of the whole batch, which takes three sums over the processes
    for each layer and step.
    """

    momentum = Hyperparameter(
        "momentum of BatchNorm",
        PROPORTION,
        {"momentum": lambda momentum: momentum, "rest": lambda momentum: 1 - momentum},
    )
    epsilon = Hyperparameter("epsilon of BatchNorm", POSITIVE)
    keeps_neurons_apart = True

    def __init__(self, features: int, momentum: Value = 0.1, epsilon: Value = 1e-5) -> None:
        super().__init__()
        self.features = positive_whole("features of BatchNorm", features)
        self.momentum = momentum
        self.epsilon = epsilon

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(width)

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"weight": (self.features,), "bias": (self.features,)}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"weight": np.ones(self.features), "bias": np.zeros(self.features)}

    def buffer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"running_mean": (self.features,), "running_var": (self.features,)}

    def initial_buffers(self, seed: np.random.SeedSequence) -> Mapping[str, Any]:
        return {"running_mean": np.zeros(self.features), "running_var": np.ones(self.features)}

    def forward(self, x: Tensor) -> Tensor:
        """y; raises `InputError` for other features, and in training for fewer than two samples."""
        check_input(self, x, self.features)
        k = x.backend
        if self.training and not self.is_frozen():
            share = share_of_batch()
            too_few = share is None and x.data.shape[-2] < 2
            if too_few or x.data.ndim > max(2, self.parameters["weight"].ndim):
                raise InputError(
                    f"{self} got an input of shape {x.shape}: training needs (N, {self.features}) "
                    "with N of at least 2"
                )
            samples = x.data.shape[-2]
            if share is None:
                standard, mean, variance = ops.standardize(x, self.arrays["epsilon"])
                unbiased: Any = samples / (samples - 1)
            else:
                standard, mean, variance = share.standardize(x, self.arrays["epsilon"])
                unbiased = share.factors[1]
            running = self.buffers["running_mean"], self.buffers["running_var"]
            momentum, rest = self.arrays["momentum"], self.arrays["rest"]
            k.update_averages(running, (mean, variance), unbiased, momentum, rest)
        else:
            scale = k.sqrt(k.add(self.buffers["running_var"], self.arrays["epsilon"]))
            standard = (x - self.buffers["running_mean"]) / scale
        return standard * self.parameters["weight"] + self.parameters["bias"]

    def is_frozen(self) -> bool:
        """Whether neither parameter is trained: then the running averages hold, as in eval."""
        return not any(each.requires_grad for each in self.parameters.values())

    def __repr__(self) -> str:
        return f"BatchNorm({self.features})"


@register
class LayerNorm(Layer):
    """y = gain * (x - m) / sqrt(v + epsilon) + shift, sample by sample (Ba et al. 2016).

    m and v are the mean and the variance, divided by their number, of a sample's features. So a
    sample's output depends on no other sample, and training and eval are the same. `gain` and
    `shift`, one of each for each feature, are the parameters `weight` and `bias`, as in PyTorch.
    `epsilon` is one number, or one for each network. A single feature is its own mean: y = shift.
    """

    epsilon = Hyperparameter("epsilon of LayerNorm", POSITIVE)

    def __init__(self, features: int, epsilon: Value = 1e-5) -> None:
        super().__init__()
        self.features = positive_whole("features of LayerNorm", features)
        self.epsilon = epsilon

    @classmethod
    def example(cls, width: int) -> Layer:
        return cls(width, epsilon=0.01)

    def parameter_shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"weight": (self.features,), "bias": (self.features,)}

    def initial_parameters(self, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"weight": np.ones(self.features), "bias": np.zeros(self.features)}

    def forward(self, x: Tensor) -> Tensor:
        check_input(self, x, self.features)
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        standard = centred / ops.sqrt(variance + self.arrays["epsilon"])
        return standard * self.parameters["weight"] + self.parameters["bias"]

    def __repr__(self) -> str:
        return f"LayerNorm({self.features})"

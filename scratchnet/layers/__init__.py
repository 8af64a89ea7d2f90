"""Layers: what a network is made of. Read `layer`, `linear` and `activations` first."""

from scratchnet.layers.activations import (
    GELU,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softplus,
    Tanh,
    Threshold,
    get_activation,
)
from scratchnet.layers.blocks import Bottleneck, Residual, Sequential
from scratchnet.layers.dropout import Dropout
from scratchnet.layers.layer import Activation, Layer, check_input
from scratchnet.layers.linear import Linear
from scratchnet.layers.normalization import BatchNorm, LayerNorm
from scratchnet.layers.registry import (
    ACTIVATIONS,
    KINDS,
    described,
    from_description,
    register,
    unregister,
)

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "KINDS",
    "Activation",
    "BatchNorm",
    "Bottleneck",
    "Dropout",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softplus",
    "Tanh",
    "Threshold",
    "check_input",
    "described",
    "from_description",
    "get_activation",
    "register",
    "unregister",
]

"""The first layer's gradient in random sigmoid networks, beside the bound and a false one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.demos.init.settings import Settings
from scratchnet.depth.signal import false_sigmoid_gradient_bound, sigmoid_gradient_bound
from scratchnet.layers import Layer, Linear, Sigmoid
from scratchnet.model import Model
from scratchnet.tensor import Tensor

DEEPEST, WIDEST = 8, 32
SHAPES = 60
BOUNDS = 7

# A network that reaches its bound may pass it by rounding.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of each random network, (pairs,): its depth, |dL/dW_1|, the bound, and the false bound."""

    depth: Any
    norm: Any
    bound: Any
    false_bound: Any

    @property
    def violations(self) -> int:
        return int((self.norm > self.bound * (1 + ROUNDING)).sum())

    @property
    def false_violations(self) -> int:
        return int((self.norm > self.false_bound * (1 + ROUNDING)).sum())


def measure_gradients(settings: Settings) -> Gradients:
    """`pairs` networks of 1 to 8 sigmoid layers, 1 to 32 wide, each with one random input.

    60 shapes share them. A network's weights are LeCun's, N(0, 1 / fan_in), times a factor between
    0.1 and 10 (log-uniform); the input and the gradient sent back are standard normal.
    """
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(BOUNDS,)))
    shapes = min(SHAPES, settings.pairs)
    columns: list[tuple[Any, Any, Any, Any]] = []
    for number in range(shapes):
        networks = settings.pairs // shapes + (number < settings.pairs % shapes)
        depth = 1 + number % DEEPEST
        widths = rng.integers(1, WIDEST + 1, depth + 1).tolist()
        columns.append((np.full(networks, depth), *gradients(settings, widths, networks, rng)))
    return Gradients(*(np.concatenate(each) for each in zip(*columns, strict=True)))


def gradients(
    settings: Settings, widths: list[int], networks: int, rng: np.random.Generator
) -> tuple[Any, Any, Any]:
    """|dL/dW_1| of each network, and its two bounds, each (networks,)."""
    layers: list[Layer] = []
    for fan_in, fan_out in zip(widths, widths[1:], strict=False):
        layers += [Linear(fan_in, fan_out, "lecun_normal"), Sigmoid()]
    model = Model(
        *layers,
        seed=int(rng.integers(2**31)),
        ensemble=networks,
        dtype="float64",
        backend=settings.backend,
    )
    factor = model.backend.asarray(10 ** rng.uniform(-1, 1, (networks, 1)), "float64")
    model.backend.multiply(model.parameter_buffer, factor, out=model.parameter_buffer)
    x = rng.standard_normal((networks, 1, widths[0]))
    sent_back = rng.standard_normal((networks, 1, widths[-1]))
    constant = Tensor(sent_back, "float64", model.backend).detach()
    (model(x) * constant).sum().backward()
    weights = [layer.parameters["weight"] for layer in layers[::2]]
    norm = np.linalg.norm(model.backend.to_numpy(weights[0].grad), axis=(-2, -1))
    arrays = [each.numpy() for each in weights]
    inputs, outputs = (np.linalg.norm(each, axis=(-2, -1)) for each in (x, sent_back))
    return (
        norm,
        sigmoid_gradient_bound(arrays, inputs, outputs),
        false_sigmoid_gradient_bound(arrays, outputs),
    )

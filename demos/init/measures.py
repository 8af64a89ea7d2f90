"""Mean squares through random networks, and the first gradient of sigmoid layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from scratchnet import ops
from scratchnet.backends import get_backend
from scratchnet.demos.running import Advance
from scratchnet.demos.tuning import stream
from scratchnet.depth.signal import (
    WEIGHT_VARIANCES,
    Variance,
    backward_mean_squares,
    exercise_gradient_bound,
    forward_mean_squares,
    sigmoid_gradient_bound,
)
from scratchnet.init import INITIALIZERS, Initializer, normal
from scratchnet.layers import Layer, Linear, Sigmoid
from scratchnet.model import Model
from scratchnet.tensor import Tensor


class Rule(NamedTuple):
    """How initial weights are drawn; their variance, with n = fan_in and m = fan_out."""

    initializer: Initializer
    variance: Variance
    formula: str

    @classmethod
    def of(cls, name: str, formula: str) -> Rule:
        """An initialiser of the library, by its name."""
        return cls(INITIALIZERS[name], WEIGHT_VARIANCES[name], formula)

    @classmethod
    def normal(cls, variance: Variance, formula: str) -> Rule:
        """Normal weights of that variance."""
        return cls(normal(variance), variance, formula)


RULES = {
    "he": Rule.of("he_normal", "2/n"),
    "xavier": Rule.of("xavier_normal", "2/(n + m)"),
    "lecun": Rule.of("lecun_normal", "1/n"),
    "fan-out": Rule.of("fan_out_normal", "2/m"),
    "orthogonal": Rule.of("orthogonal", "2/max(n, m)"),
    "unscaled": Rule.normal(lambda fan_in, fan_out: 1.0, "1"),
    "2xhe": Rule.normal(lambda fan_in, fan_out: 8 / fan_in, "8/n"),
    "no-root": Rule.normal(lambda fan_in, fan_out: (2 / fan_in) ** 2, "(2/n)^2"),
}
"""2xhe doubles He's weights; no-root scales by 2 / fan_in, without its square root."""

MOST_PARAMETERS = 6_000_000
"""Of an ensemble that is measured at once, which bounds the memory."""

SIGNALS = 6
"""The stream of inputs and of gradients sent back, beside the network's own."""

BOUND_WIDTHS, BOUND_INPUTS, DEEPEST = (1, 2, 3, 4, 8, 16, 32, 64), 64, 8
ROUNDING = 1e-9
"""A network that reaches its bound may pass it by so much."""


def measure(
    s: Any, rule: str, widths: Sequence[int], seeds: Sequence[int], advance: Advance
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mean squares through networks of each activation, which share their weights.

    No measures, so that a record stays small, and arrays: (networks, layers) of z and of dL/dz, and
    (layers,) of the formulas.
    """
    parameters = sum((a + 1) * b for a, b in pairwise(widths))
    part = max(1, MOST_PARAMETERS // parameters)
    found: dict[str, list[Any]] = {}
    for start in range(0, len(seeds), part):
        some = list(seeds[start : start + part])
        layers = [Linear(*fans, RULES[rule].initializer) for fans in pairwise(widths)]
        model = ensemble(s, layers, some)
        for activation in s.activations:
            for name, values in zip(FORMULAS, mean_squares(model, activation), strict=True):
                found.setdefault(f"{activation} {name}", []).append(values)
        advance(len(some) * parameters * len(s.activations))
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    for activation, (name, formula) in product(s.activations, FORMULAS.items()):
        arrays[f"{activation} {name} formula"] = formula(widths, RULES[rule].variance, activation)
    return {}, arrays


FORMULAS = {"forward": forward_mean_squares, "backward": backward_mean_squares}


def ensemble(s: Any, layers: Sequence[Layer], seeds: Sequence[int]) -> Model:
    """A float64 network of these layers for each seed."""
    seed, backend = list(seeds), get_backend(s.backend)
    return Model(*layers, seed=seed, ensemble=len(seed), dtype="float64", backend=backend)


def mean_squares(model: Model, activation: str) -> tuple[Any, Any]:
    """Mean squares (networks, layers) of z and of dL/dz, for one random input per network.

    The input and the gradient that is sent back from the last layer have mean square 1.
    """
    generators = [stream(seed, SIGNALS) for seed in model.seeds]
    inputs, outputs = model.layers[0].fan_in, model.layers[-1].fan_out  # type: ignore[attr-defined]
    x, sent_back = (
        np.stack([rng.standard_normal((1, n)) for rng in generators]) for n in (inputs, outputs)
    )
    x, sent_back = (
        each / np.sqrt(np.square(each).mean(axis=-1, keepdims=True)) for each in (x, sent_back)
    )
    signal, sums = Tensor(x, "float64", model.backend), []
    for layer in model.layers:
        # Weights are constants here: only the gradients of the signals are asked for.
        weight, bias = (each.detach() for each in layer.parameters.values())
        sums.append(ops.affine(signal, weight, bias).retain_grad())
        signal = getattr(ops, activation)(sums[-1])
    (sums[-1] * Tensor(sent_back, "float64", model.backend).detach()).sum().backward()
    of_signals = [np.square(z.numpy()).mean(axis=(1, 2)) for z in sums]
    of_gradients = [np.square(model.backend.to_numpy(z.grad)).mean(axis=(1, 2)) for z in sums]
    return np.stack(of_signals, axis=1), np.stack(of_gradients, axis=1)


def first_gradients(
    s: Any, width: int, seeds: Sequence[int], advance: Advance
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """|dL/dW_1| of random sigmoid networks with 1 to 8 layers of one width, and its two bounds.

    A network's weights are LeCun's, N(0, 1 / fan_in), times a factor between 0.1 and 10
    (log-uniform); the 64 inputs and the gradient sent back are standard normal.
    """
    columns = np.empty((4, len(seeds)))
    for depth in range(1, DEEPEST + 1):
        own = [seed for seed in seeds if seed % DEEPEST == depth - 1]
        if not own:
            continue
        layers: list[Layer] = []
        for fan_in in (BOUND_INPUTS, *[width] * (depth - 1)):
            layers += [Linear(fan_in, width, "lecun_normal"), Sigmoid()]
        model, draws = ensemble(s, layers, own), [stream(seed, SIGNALS) for seed in own]
        k = model.backend
        factor = k.asarray([[10 ** rng.uniform(-1, 1)] for rng in draws], "float64")
        k.multiply(model.parameter_buffer, factor, out=model.parameter_buffer)
        x = np.stack([rng.standard_normal((1, BOUND_INPUTS)) for rng in draws])
        sent_back = np.stack([rng.standard_normal((1, width)) for rng in draws])
        (model(x) * Tensor(sent_back, "float64", k).detach()).sum().backward()
        weights = [layer.parameters["weight"] for layer in layers[::2]]
        arrays, inputs, outputs = [each.numpy() for each in weights], norm(x), norm(sent_back)
        columns[:, np.array(own) - seeds[0]] = (
            np.full(len(own), depth),
            norm(k.to_numpy(weights[0].grad)),
            sigmoid_gradient_bound(arrays, inputs, outputs),
            exercise_gradient_bound(arrays, outputs),
        )
    advance(len(seeds) * width**2 * DEEPEST)
    return dict(zip(("depth", "gradient", "bound", "exercise"), columns, strict=True)), {}


def norm(arrays: Any) -> Any:
    """Of each matrix."""
    return np.linalg.norm(arrays, axis=(-2, -1))


def passed(row: Any, bound: str) -> Any:
    """Which of the row's gradients are above the bound, (networks,)."""
    return row["gradient"] > row[bound] * (1 + ROUNDING)

"""Mean squares of signals and gradients, layer by layer, in an ensemble of random networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet import ops
from scratchnet.demos.init.settings import RULES, Settings
from scratchnet.demos.statistics import Estimate, mean_interval
from scratchnet.demos.terminal import Advance
from scratchnet.depth.signal import backward_mean_squares, forward_mean_squares
from scratchnet.layers import Linear
from scratchnet.model import Model
from scratchnet.tensor import Tensor

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": ops.relu,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
}

# An ensemble is measured in parts of so many parameters, which bounds the memory.
MOST_PARAMETERS = 6_000_000

# Inputs and the gradients sent back come from a stream of their own, beside the network's.
SIGNALS = 6


@dataclass(frozen=True, eq=False)
class Case:
    """One rule, activation and shape. Arrays are over layers 1, ..., L."""

    rule: str
    activation: str
    shape: str
    widths: tuple[int, ...]
    forward: Any
    """(networks, L): the mean over a layer's neurons of z^2, for one input of mean square 1."""
    backward: Any
    """(networks, L): the same of dL/dz, relative to that of the last layer."""
    forward_formula: Any
    backward_formula: Any

    @property
    def forward_ratio(self) -> Estimate:
        """Measured over formula at the last layer."""
        return mean_interval(self.forward[:, -1] / self.forward_formula[-1])

    @property
    def backward_ratio(self) -> Estimate:
        """Measured over formula at the first layer."""
        return mean_interval(self.backward[:, 0] / self.backward_formula[0])

    @property
    def agreement(self) -> tuple[int, int]:
        """In how many of the means over networks the 95 % interval holds the formula, of how many.

        The first mean square forward and the last backward follow from what is sent in, so they
        are left out.
        """
        columns = [*(self.forward / self.forward_formula).T[1:]]
        columns += [*(self.backward / self.backward_formula).T[:-1]]
        intervals = [mean_interval(column).interval for column in columns]
        held = sum(each is not None and each[0] <= 1 <= each[1] for each in intervals)
        return held, len(intervals)


def measure(settings: Settings, rule: str, shape: str, advance: Advance) -> list[Case]:
    """A case for each activation; all use the same weights."""
    widths, networks = settings.widths(shape), settings.networks_of(shape)
    parameters = sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))
    part = max(1, MOST_PARAMETERS // parameters)
    measured: dict[str, list[tuple[Any, Any]]] = {each: [] for each in settings.activations}
    for start in range(0, networks, part):
        size = min(part, networks - start)
        model = linear_layers(settings, rule, widths, settings.seed + start, size)
        for activation, parts in measured.items():
            parts.append(mean_squares(model, activation))
            advance(size * parameters)
    variance = RULES[rule].variance
    cases = []
    for activation, parts in measured.items():
        forward, backward = (np.concatenate(each) for each in zip(*parts, strict=True))
        formulas = (
            formula(widths, variance, activation)
            for formula in (forward_mean_squares, backward_mean_squares)
        )
        cases.append(Case(rule, activation, shape, widths, forward, backward, *formulas))
    return cases


def linear_layers(
    settings: Settings, rule: str, widths: tuple[int, ...], seed: int, networks: int
) -> Model:
    """The weights of `networks` networks, as linear layers; network i has the seed `seed + i`."""
    layers = [
        Linear(fan_in, fan_out, RULES[rule].initializer)
        for fan_in, fan_out in zip(widths, widths[1:], strict=False)
    ]
    return Model(*layers, seed=seed, ensemble=networks, dtype="float64", backend=settings.backend)


def mean_squares(model: Model, activation: str) -> tuple[Any, Any]:
    """Mean squares (networks, layers) of z and of dL/dz, for one random input per network.

    L is the sum of the last layer's z, each times a standard normal number.
    """
    generators = [
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SIGNALS,)))
        for seed in model.seeds
    ]
    inputs, outputs = model.layers[0].fan_in, model.layers[-1].fan_out  # type: ignore[attr-defined]
    x = np.stack([rng.standard_normal((1, inputs)) for rng in generators])
    x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True))
    sent_back = np.stack([rng.standard_normal((1, outputs)) for rng in generators])
    sent_back /= np.sqrt(np.square(sent_back).mean(axis=-1, keepdims=True))
    signal = Tensor(x, "float64", model.backend)
    sums = []
    for layer in model.layers:
        # Weights are constants here: only the gradients of the signals are asked for.
        weight, bias = (each.detach() for each in layer.parameters.values())
        sums.append(ops.affine(signal, weight, bias).retain_grad())
        signal = FUNCTIONS[activation](sums[-1])
    (sums[-1] * Tensor(sent_back, "float64", model.backend).detach()).sum().backward()
    to_numpy = model.backend.to_numpy
    of_signals = [np.square(z.numpy()).mean(axis=(1, 2)) for z in sums]
    of_gradients = [np.square(to_numpy(z.grad)).mean(axis=(1, 2)) for z in sums]
    return np.stack(of_signals, axis=1), np.stack(of_gradients, axis=1)


def work(settings: Settings) -> float:
    """The steps that all calls of `measure` advance by."""
    total = 0.0
    for shape in settings.shapes:
        widths = settings.widths(shape)
        parameters = sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))
        total += parameters * settings.networks_of(shape)
    return total * len(settings.rules) * len(settings.activations)

"""A network as a list of affine and bending steps, restricted to a slice, in float64.

Where no neuron changes its state the network is one affine map: the *activation pattern*, which
neurons are active, decides it. `affine_maps` reads the map off the pattern.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.depth.slices import Slice
from scratchnet.layers import (
    BatchNorm,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Residual,
    Sequential,
    Threshold,
)
from scratchnet.model import Model

ACCEPTED = "Linear, ReLU, LeakyReLU, Threshold, BatchNorm, Dropout, Residual, Sequential"
ENTRIES_PER_BLOCK = 2**17


@dataclass(frozen=True)
class Affine:
    """y = x W + b"""

    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Bend:
    """y = x where the neuron is active (x > 0), else slope x"""

    slope: float


@dataclass(frozen=True)
class Jump:
    """y = 1 where the neuron is active (x >= 0), else 0"""


@dataclass(frozen=True)
class PutAside:
    """y = x, and x is kept for the next `AddBack`"""


@dataclass(frozen=True)
class AddBack:
    """y = x + what was put aside last"""


Step = Affine | Bend | Jump | PutAside | AddBack


@dataclass(frozen=True)
class PiecewiseLinear:
    """The network as a function of a slice's coordinates.

    `hidden` has the number of neurons at each `Bend` and `Jump`, in the order of computation.
    """

    steps: tuple[Step, ...]
    coordinates: int
    hidden: tuple[int, ...]
    outputs: int

    def affine_maps(self, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients (R, outputs, coordinates) and offsets (R, outputs) for patterns (R, neurons).

        Output = gradient . coordinates + offset, in the region of that pattern. The chain rule
        backwards, for a block of regions at a time.
        """
        gradients = np.empty((len(patterns), self.outputs, self.coordinates))
        offsets = np.empty((len(patterns), self.outputs))
        rows = max(1, ENTRIES_PER_BLOCK // max((*self.hidden, 1)))
        for start in range(0, len(patterns), rows):
            block = slice(start, start + rows)
            for output in range(self.outputs):
                gradient, offset = self._one_output(patterns[block], output)
                gradients[block, output], offsets[block, output] = gradient, offset
        return gradients, offsets

    def _one_output(self, patterns: np.ndarray, output: int) -> tuple[np.ndarray, np.ndarray]:
        """The gradient (R, coordinates) and offset (R,) of one output; (1, ...) where all agree."""
        gradient = np.zeros((1, self.outputs))
        gradient[0, output] = 1
        offset = np.zeros(len(patterns))
        end = patterns.shape[1]
        kept: list[np.ndarray] = []
        for step in reversed(self.steps):
            if isinstance(step, Affine):
                offset += gradient @ step.bias
                gradient = gradient @ step.weight.T
            elif isinstance(step, AddBack):
                kept.append(gradient)
            elif isinstance(step, PutAside):
                gradient = gradient + kept.pop()
            else:
                active = patterns[:, end - gradient.shape[1] : end]
                end -= gradient.shape[1]
                if isinstance(step, Jump):
                    offset += (gradient * active).sum(axis=1)
                    gradient = np.zeros((1, gradient.shape[1]))
                elif step.slope:
                    gradient = gradient * np.where(active, 1.0, step.slope)
                else:
                    gradient = gradient * active
        return gradient, offset


def restrict(model: Model | Layer, where: Slice, network: int | None = None) -> PiecewiseLinear:
    """`model` in eval mode as a function of the coordinates of a slice.

    `network` chooses one of an ensemble. Raises `InputError` for a layer that is not piecewise
    linear, a slice of another dimension than the inputs', and weights that are not finite.
    """
    root = model.root if isinstance(model, Model) else model
    steps: list[Step] = [Affine(where.directions, np.asarray(where.origin))]
    hidden: list[int] = []
    width = dimensions = len(where.origin)
    kept: list[int] = []
    for layer, step in _steps(root, network):
        if isinstance(step, Affine):
            if len(step.weight) != width:
                raise InputError(
                    f"{layer} needs {len(step.weight)} inputs, the slice lies in {dimensions} "
                    "dimensions: they must agree"
                    if width == dimensions and not hidden
                    else f"{layer} needs {len(step.weight)} inputs and gets {width}"
                )
            if not (np.isfinite(step.weight).all() and np.isfinite(step.bias).all()):
                raise InputError(f"{layer} has weights that are not finite")
            width = step.weight.shape[1]
            if isinstance(steps[-1], Affine):
                before = steps.pop()
                assert isinstance(before, Affine)
                step = Affine(before.weight @ step.weight, before.bias @ step.weight + step.bias)
        elif isinstance(step, PutAside):
            kept.append(width)
        elif isinstance(step, AddBack):
            if kept.pop() != width:
                raise InputError(f"{layer} changes the width: input and output must agree")
        else:
            hidden.append(width)
        steps.append(step)
    return PiecewiseLinear(tuple(steps), len(where.directions), tuple(hidden), width)


def _steps(layer: Layer, network: int | None) -> Iterator[tuple[Layer, Step]]:
    """The steps of a layer, each with the layer that it comes from."""
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            yield from _steps(inner, network)
    elif isinstance(layer, Residual):
        yield layer, PutAside()
        yield from _steps(layer.body, network)
        yield layer, AddBack()
    elif isinstance(layer, Linear):
        yield layer, Affine(_matrix(layer, "weight", network), _vector(layer, "bias", network))
    elif isinstance(layer, BatchNorm):
        variance = _vector(layer, "running_var", network)
        scale = _vector(layer, "weight", network) / np.sqrt(variance + layer.epsilon)
        shift = _vector(layer, "bias", network) - _vector(layer, "running_mean", network) * scale
        yield layer, Affine(np.diag(scale), shift)
    elif isinstance(layer, Threshold):
        yield layer, Jump()
    elif isinstance(layer, ReLU | LeakyReLU):
        yield layer, Bend(layer.slope if isinstance(layer, LeakyReLU) else 0.0)
    elif not isinstance(layer, Dropout):
        raise InputError(f"{layer!r} is not piecewise linear: accepted are {ACCEPTED}")


def _matrix(layer: Layer, name: str, network: int | None) -> np.ndarray:
    """A parameter or buffer of one network in float64, (in, out) or (1, features)."""
    if not layer.parameters:
        raise InputError(f"{layer} has no parameters yet: give it to a Model")
    backend = layer.parameters["weight"].backend
    is_parameter = name in layer.parameters
    held: Any = layer.parameters[name].data if is_parameter else layer.buffers[name]
    values = np.array(backend.to_numpy(held), float)
    check_network(len(values) if values.ndim == 3 else None, network)
    return values if network is None else values[network]


def _vector(layer: Layer, name: str, network: int | None) -> np.ndarray:
    return _matrix(layer, name, network).reshape(-1)


def check_network(ensemble: int | None, network: int | None) -> None:
    """Raise `InputError` unless `network` is one of an ensemble, or None for a single network."""
    if ensemble is None and network is not None:
        raise InputError(f"network {network} asked for: the model is a single network")
    if ensemble is not None and network is None:
        raise InputError(f"the model is an ensemble of {ensemble} networks: say which of them")
    if ensemble is not None and network is not None and not 0 <= network < ensemble:
        raise InputError(f"network {network} of an ensemble of {ensemble}: no such network")

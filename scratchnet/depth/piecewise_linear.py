"""A network as a list of affine and bending steps, restricted to a slice, in float64.

Where no neuron changes its state the network is one affine map: the *activation pattern*, which
neurons are active, decides it. `affine_maps` reads the map off the pattern.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.depth.slices import Slice
from scratchnet.hyperparameters import of_network
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
ENTRIES_PER_BLOCK = 2**18


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
    """y = scale x + what was put aside last"""

    scale: float = 1.0


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

        Output = gradient . coordinates + offset, in the region of that pattern: the chain rule
        backwards, from the last layer to the first. Regions whose later layers agree share what
        these layers do, so they are sorted to stand side by side.
        """
        gradients = np.empty((len(patterns), self.outputs, self.coordinates))
        offsets = np.empty((len(patterns), self.outputs))
        steps = fused(self.steps)
        ends = np.cumsum(self.hidden, dtype=int)
        *layers, rest = (np.packbits(each, axis=1) for each in np.split(patterns, ends, axis=1))
        order = np.argsort(byte_keys(np.concatenate([*layers[::-1], rest], axis=1)))
        rows = max(1, ENTRIES_PER_BLOCK // max((*self.hidden, 1)))
        for start in range(0, len(order), rows):
            block = order[start : start + rows]
            bits = [layer.take(block, axis=0) for layer in layers]
            for output in range(self.outputs):
                gradient, offset = self._one_output(steps, bits, len(block), output)
                gradients[block, output], offsets[block, output] = gradient, offset
        return gradients, offsets

    def _one_output(
        self, steps: list[Step], layers: list[np.ndarray], regions: int, output: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The gradient (R, coordinates) and offset (R,) of one output, for sorted patterns.

        `layers` has the bits of each hidden layer's patterns. `gradient` and `offset` have a row
        for each group of regions that agree in all layers from the present one on.
        """
        gradient = np.zeros((1, self.outputs))
        gradient[0, output] = 1
        offset = np.zeros(1)
        group = np.zeros(regions, int)
        is_first = np.arange(regions) == 0
        layers_from_the_last = reversed(layers)
        kept: list[np.ndarray] = []
        for step in reversed(steps):
            if isinstance(step, Affine):
                offset = offset + gradient @ step.bias
                gradient = gradient @ step.weight.T
            elif isinstance(step, AddBack):
                kept.append(gradient)
                gradient = gradient * step.scale
            elif isinstance(step, PutAside):
                gradient = gradient + kept.pop()
            else:
                bits = next(layers_from_the_last)
                is_first[1:] |= (bits[1:] != bits[:-1]).any(axis=1)
                before, bits = group[is_first], bits[is_first]
                active = np.unpackbits(bits, axis=1, count=gradient.shape[1]).view(bool)
                gradient, offset, *kept = (
                    each.take(before, axis=0) for each in (gradient, offset, *kept)
                )
                group = np.cumsum(is_first) - 1
                if isinstance(step, Jump):
                    offset = offset + (gradient * active).sum(axis=1)
                    gradient = np.zeros_like(gradient)
                elif step.slope:
                    gradient *= np.where(active, 1.0, step.slope)
                else:
                    gradient *= active
        return gradient[group], offset[group]


def row_keys(patterns: np.ndarray) -> np.ndarray:
    """(N,) from booleans (N, n): each row as one value of many bytes, to sort and compare by."""
    return byte_keys(np.packbits(patterns, axis=1))


def byte_keys(rows: np.ndarray) -> np.ndarray:
    """(N,) from bytes (N, n): each row as one value."""
    # The further byte is for rows of no entries.
    rows = np.pad(rows, ((0, 0), (0, 1)))
    return rows.view(f"V{rows.shape[1]}")[:, 0]


def fused(steps: Sequence[Step]) -> list[Step]:
    """The same function, with affine steps that follow each other made one."""
    short: list[Step] = []
    for step in steps:
        before = short[-1] if short else None
        if isinstance(step, Affine) and isinstance(before, Affine):
            bias = before.bias @ step.weight + step.bias
            short[-1] = Affine(before.weight @ step.weight, bias)
        else:
            short.append(step)
    return short


def restrict(model: Model | Layer, where: Slice, network: int | None = None) -> PiecewiseLinear:
    """`model` in eval mode as a function of the coordinates of a slice.

    `network` chooses one of an ensemble. Raises `InputError` for a layer that is not piecewise
    linear, a slice of another dimension than the inputs', and weights that are not finite.
    """
    root = model.root if isinstance(model, Model) else model
    steps: list[Step] = [Affine(where.directions, np.asarray(where.origin))]
    hidden: list[int] = []
    width = len(where.origin)
    kept: list[int] = []
    for layer, step in _steps(root, network):
        if isinstance(step, Affine):
            if len(step.weight) != width and len(steps) == 1:
                raise InputError(
                    f"{layer} needs {len(step.weight)} inputs, the slice lies in {width} "
                    "dimensions: they must agree"
                )
            if len(step.weight) != width:
                raise InputError(f"{layer} needs {len(step.weight)} inputs and gets {width}")
            if not (np.isfinite(step.weight).all() and np.isfinite(step.bias).all()):
                raise InputError(f"{layer} has weights that are not finite")
            width = step.weight.shape[1]
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
        yield layer, AddBack(of_network(layer.scale, network))
    elif isinstance(layer, Linear):
        weight = _matrix(layer, "weight", network)
        bias = _vector(layer, "bias", network) if layer.bias else np.zeros(layer.fan_out)
        yield layer, Affine(weight, bias)
    elif isinstance(layer, BatchNorm):
        variance = _vector(layer, "running_var", network)
        scale = _vector(layer, "weight", network) / np.sqrt(
            variance + of_network(layer.epsilon, network)
        )
        shift = _vector(layer, "bias", network) - _vector(layer, "running_mean", network) * scale
        yield layer, Affine(np.diag(scale), shift)
    elif isinstance(layer, Threshold):
        yield layer, Jump()
    elif isinstance(layer, ReLU | LeakyReLU):
        yield layer, Bend(of_network(layer.slope, network) if isinstance(layer, LeakyReLU) else 0.0)
    elif not isinstance(layer, Dropout):
        raise InputError(f"{layer!r} is not piecewise linear: must be {ACCEPTED}")


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

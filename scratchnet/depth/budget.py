"""Networks of any depth with the same number of parameters: the width that spends a budget.

A network F-[h]*D-o has F inputs, D hidden layers of width h and o outputs. Its parameters are the
weights and biases of all layers, and with batch normalisation a scale and a shift for each hidden
neuron:

    P(h) = (D - 1) h^2 + b h + o,    b = F + 1 + (D - 1) + o   (+ 2 D with batch normalisation)

Comparing depths by the rule of thumb h = sqrt(P / D) instead gives the depths 11 % to 94 % of the
budget that they are said to share (P = 50,000, F = 20, D = 1 to 8).
"""

from __future__ import annotations

import math
from typing import Any

from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.model import Model, mlp


def parameter_count(
    depth: int, width: int, inputs: int, outputs: int = 1, batch_norm: bool = False
) -> int:
    """P(h) above: the parameters of F-[h]*D-o, with D >= 1."""
    depth, width = positive_whole("depth", depth), positive_whole("width", width)
    return (
        (depth - 1) * width**2 + _per_neuron(depth, inputs, outputs, batch_norm) * width + (outputs)
    )


def _per_neuron(depth: int, inputs: int, outputs: int, batch_norm: bool) -> int:
    """b above: what a unit of width costs in weights from the inputs, to the outputs, and biases.

    The first layer has a weight from each input, the last hidden one a weight to each output.
    """
    b = positive_whole("inputs", inputs) + depth + positive_whole("outputs", outputs)
    return b + 2 * depth if batch_norm else b


def width_for_budget(
    parameters: int, depth: int, inputs: int, outputs: int = 1, batch_norm: bool = False
) -> int:
    """The width of `depth` hidden layers with about so many parameters, within half a unit.

    It is the root h of P(h) = `parameters`, rounded: `parameters` is from P(h - 1/2) to P(h + 1/2).

        h = 2 (P - o) / (b + sqrt(b^2 + 4 (D - 1) (P - o)))

    which serves D = 1 too, and subtracts no numbers that are nearly equal. Raises `InputError` for
    a budget smaller than the network of width 1.
    """
    parameters, depth = positive_whole("parameters", parameters), positive_whole("depth", depth)
    smallest = parameter_count(depth, 1, inputs, outputs, batch_norm)
    if parameters < smallest:
        layers = f"{depth} hidden layer{'s' * (depth > 1)}"
        raise InputError(
            f"a budget of {parameters:,} parameters is too small for {layers} on "
            f"{inputs:,} input{'s' * (inputs > 1)}: must be a number from {smallest:,}"
        )
    b, left = _per_neuron(depth, inputs, outputs, batch_norm), parameters - outputs
    return round(2 * left / (b + math.sqrt(b**2 + 4 * (depth - 1) * left)))


def mlp_for_budget(
    parameters: int,
    depth: int,
    inputs: int,
    outputs: int = 1,
    batch_norm: bool = False,
    **options: Any,
) -> tuple[int, Model]:
    """The width that `width_for_budget` gives, and the network of that width.

    `options` go to `mlp`: activation, seed, ensemble and so on. Raises what the two raise.
    """
    width = width_for_budget(parameters, depth, inputs, outputs, batch_norm)
    return width, mlp([inputs, *[width] * depth, outputs], batch_norm=batch_norm, **options)

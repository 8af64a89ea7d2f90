"""Parity, x_1 XOR ... XOR x_n, five ways: what it costs depends on what a neuron may do.

Two levels of ANDs and an OR need 2^(n-1) + 1 gates: each AND can cover only one row, because the
parity changes with every single bit (Lupanov 1961). That bound is about AND and OR. General
threshold neurons can count, and one hidden layer of n of them is enough; what the XOR tree's depth
saves there is connections: 6 (n - 1) and its relays' instead of n^2 + n.

Each function returns the circuit for `inputs` = n, and raises `InputError` where n is no whole
number from 1 to 24, or not one that the construction takes. All of them are exact in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, InputError, choose
from scratchnet.backends.errors import whole_number
from scratchnet.depth.circuits import MOST_DNF_INPUTS, MOST_INPUTS, Circuit, dnf
from scratchnet.depth.gates import Gate, Wiring, input_names, wire, wired_model, xor
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.depth.sawtooth import sawtooth_weights
from scratchnet.layers import ReLU, Threshold
from scratchnet.model import Model


def parity_of_rows(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """1 where the row number has an odd number of binary digits 1, else 0."""
    odd: NDArray[np.uint8] = np.bitwise_count(rows) & 1
    return odd


def dnf_parity(inputs: int, dtype: str = "float32", backend: str | Backend = "auto") -> Circuit:
    """Depth 2: one AND for each of the 2^(n-1) odd rows, and an OR; n up to 16."""
    inputs = _check_inputs(inputs, MOST_DNF_INPUTS, "a DNF for parity takes 2^(n-1) + 1 neurons")
    table = parity_of_rows(np.arange(2**inputs))
    return _circuit("dnf", dnf(table, dtype, backend).model, inputs)


def xor_tree_pairs(inputs: int) -> list[tuple[str, str, str]]:
    """The n - 1 XORs of the tree as (name, left, right), lowest level first.

    Neighbours are paired; where their number is odd, the last one waits for a level. So each signal
    is the parity of consecutive inputs, and is called after them: 'x1-4' is that of x1 to x4.
    """
    present = [(name, number, number) for number, name in enumerate(input_names(inputs), start=1)]
    pairs = []
    while len(present) > 1:
        merged = []
        for (left, first, _), (right, _, last) in zip(present[::2], present[1::2], strict=False):
            merged.append((f"x{first}-{last}", first, last))
            pairs.append((merged[-1][0], left, right))
        present = merged + present[2 * len(merged) :]
    return pairs


def xor_tree(inputs: int, dtype: str = "float32", backend: str | Backend = "auto") -> Circuit:
    """Depth 2 ceil(log2 n): XORs of two signals at a time, 3 neurons each, with its `wiring`.

    The gates take 3 (n - 1) neurons. Each time that a level has an odd number of signals, 2 relays
    carry the last one up; that happens for each binary digit 0 of n - 1. With n = 1 there is no
    gate, and one relay is the network.
    """
    inputs = _check_inputs(inputs)
    gates: list[Gate] = []
    pairs = xor_tree_pairs(inputs)
    for name, left, right in pairs:
        gates += xor(name, left, right)
    output = pairs[-1][0] if pairs else "x1"
    wiring = wire(input_names(inputs), gates, [output])
    model = wired_model(wiring, dtype, backend)
    return _circuit("tree", model, inputs, wiring)


def counting_parity(
    inputs: int, dtype: str = "float32", backend: str | Backend = "auto"
) -> Circuit:
    """Depth 2: hidden neuron k fires when k inputs or more are 1, k = 1 ... n.

    With s ones the first s neurons fire. The output weighs them +1, -1, +1, ..., which adds up to
    1 for odd s and 0 for even s. (Where the output sees the inputs too, n / 2 neurons are enough,
    those with even k: s - 2 [s >= 2] - 2 [s >= 4] - ... is s mod 2.)
    """
    inputs = _check_inputs(inputs)
    counts = np.arange(1, inputs + 1)
    hidden = (np.ones((inputs, inputs)), 0.5 - counts)
    output = (_alternating(inputs)[:, None], np.array([-0.5]))
    model = model_from_weights([hidden, output], Threshold(), True, dtype, backend)
    return _circuit("counting", model, inputs)


def relu_parity(inputs: int, dtype: str = "float32", backend: str | Backend = "auto") -> Circuit:
    """Depth 2: with s = x_1 + ... + x_n, the zigzag s - 2 relu(s - 1) + 2 relu(s - 2) - ...

    It is 0, 1, 0, 1, ... at s = 0, 1, 2, 3, ...: n hidden ReLUs with kinks at 0, ..., n - 1, of
    which the first is s itself, and a linear output.
    """
    inputs = _check_inputs(inputs)
    hidden = (np.ones((inputs, inputs)), -np.arange(inputs))
    slopes = 2 * _alternating(inputs)
    slopes[0] = 1
    output = (slopes[:, None], np.zeros(1))
    model = model_from_weights([hidden, output], ReLU(), False, dtype, backend)
    return _circuit("relu", model, inputs)


def tent_parity(inputs: int, dtype: str = "float32", backend: str | Backend = "auto") -> Circuit:
    """Depth log2 n + 1, width 2: the tent map folds s / n until only the parity of s is left.

    For n = 2^L the L-fold tent map is 0 at even and 1 at odd multiples of 1 / n. The output is
    linear. n must be a power of two: for another n, take the next one and set the missing inputs
    to 0.
    """
    inputs = _check_inputs(inputs)
    if inputs & (inputs - 1):
        raise InputError(f"inputs of a tent network is {inputs}: must be a power of two")
    folds = inputs.bit_length() - 1
    if folds == 0:
        weights = [(np.ones((1, 1)), np.zeros(1))]
    else:
        (first, bias), *later = sawtooth_weights(folds)
        weights = [(np.repeat(first / inputs, inputs, axis=0), bias), *later]
    model = model_from_weights(weights, ReLU(), False, dtype, backend)
    return _circuit("tent", model, inputs)


@dataclass(frozen=True)
class Construction:
    """One way to compute parity: how to build it, and how many neurons it takes for n inputs.

    The neurons are hidden and output ones without relays. They are given for any n, also where
    `build` refuses to; for the tent network at the next power of two.
    """

    title: str
    build: Callable[..., Circuit]
    formula: str
    neurons: Callable[[int], int]


PARITY = {
    "dnf": Construction("DNF", dnf_parity, "2^(n-1) + 1", lambda n: 2 ** (n - 1) + 1),
    "tree": Construction("XOR tree", xor_tree, "3 (n - 1)", lambda n: 3 * (n - 1)),
    "counting": Construction("counting", counting_parity, "n + 1", lambda n: n + 1),
    "relu": Construction("one ReLU layer", relu_parity, "n + 1", lambda n: n + 1),
    "tent": Construction(
        "ReLU tent", tent_parity, "2 log2 n + 1", lambda n: 2 * (n - 1).bit_length() + 1
    ),
}


def parity_circuit(
    construction: str, inputs: int, dtype: str = "float32", backend: str | Backend = "auto"
) -> Circuit:
    """The circuit of that name, one of `PARITY`, for parity of n inputs."""
    return choose("construction", construction, PARITY).build(inputs, dtype, backend)


def _check_inputs(inputs: int, highest: int = MOST_INPUTS, why: str = "") -> int:
    return whole_number("inputs", inputs, 1, highest, why)


def _circuit(construction: str, model: Model, inputs: int, wiring: Wiring | None = None) -> Circuit:
    """The circuit of that construction, with its title and formula."""
    known = PARITY[construction]
    return Circuit(known.title, model, inputs, known.formula, parity_of_rows, wiring)


def _alternating(size: int) -> NDArray[np.float64]:
    """+1, -1, +1, ..."""
    return np.where(np.arange(size) % 2, -1.0, 1.0)

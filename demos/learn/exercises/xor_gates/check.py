"""The four corners, and which gates the learner's neurons are."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import numbers, parts
from scratchnet.demos.learn.wrong import Wrong

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
XOR = np.array([0, 1, 1, 0])
NAMES = {
    "0000": "a neuron that never fires",
    "0001": "AND",
    "0010": "x1 AND NOT x2",
    "0011": "x1",
    "0100": "x2 AND NOT x1",
    "0101": "x2",
    "0110": "XOR",
    "0111": "OR",
    "1000": "NOR",
    "1001": "XNOR",
    "1010": "NOT x2",
    "1011": "x1 OR NOT x2",
    "1100": "NOT x1",
    "1101": "x2 OR NOT x1",
    "1110": "NAND",
    "1111": "a neuron that always fires",
}


def check(learner: Any) -> None:
    """Raise `Wrong` unless the two levels of gates compute XOR on the four corners."""
    given = parts(learner.weights(), 4, "what weights returns")
    shapes = ((2, 2), (2,), (2, 1), (1,))
    names = ("W1", "b1", "W2", "b2")
    if [np.shape(each) for each in given] == [(2, 2), (2, 1), (2,), (1,)]:
        raise Wrong("W2 and b1 have changed places: the order is W1, b1, W2, b2")
    W1, b1, W2, b2 = (
        numbers(value, name, shape) for value, name, shape in zip(given, names, shapes, strict=True)
    )
    hidden, output = network(W1, b1, W2, b2)
    if (output == XOR).all():
        return
    if (network(W1.T, b1, W2, b2)[1] == XOR).all():
        raise Wrong(
            f"W1 is transposed: W1[0, 1] is {W1[0, 1]:g}, the weight from x1 into the second "
            "neuron; the weights into a neuron stand in a column"
        )
    corner = int(np.argmax(output != XOR))
    x1, x2 = CORNERS[corner]
    one = f"{x1:g} XOR {x2:g} is {output[corner]:g}, must be {XOR[corner]}"
    gates = f"the hidden neurons are {gate(hidden[:, 0])} and {gate(hidden[:, 1])}"
    raise Wrong(f"{one}: {gates}, and the whole is {gate(output)}")


def network(W1: Any, b1: Any, W2: Any, b2: Any) -> tuple[Any, Any]:
    """The hidden neurons (4, 2) and the output (4,) on the corners."""
    hidden = (CORNERS @ W1 + b1 >= 0).astype(float)
    return hidden, (hidden @ W2 + b2 >= 0).astype(float)[:, 0]


def gate(fires: Any) -> str:
    """What a neuron computes that fires so on the four corners."""
    return NAMES["".join(str(int(each)) for each in fires)]

"""Circuits: models that compute a truth table exactly, what they cost, and the proof by all rows.

Row r of a truth table over n inputs has the binary digits of r as x_1 ... x_n, x_1 the highest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scratchnet.backends import Backend, InputError
from scratchnet.backends.errors import whole_number
from scratchnet.depth.gates import Wiring
from scratchnet.depth.hand_set import model_from_weights, rows_per_block
from scratchnet.layers import Linear, Threshold
from scratchnet.model import Model

MOST_INPUTS = 24
MOST_DNF_INPUTS = 16


@dataclass(frozen=True)
class Circuit:
    """A model over 0 and 1 with one output, and the truth table that it claims to compute."""

    name: str
    model: Model
    inputs: int
    formula: str
    """The number of neurons, as a formula."""
    truth: Callable[[NDArray[Any]], NDArray[Any]]
    """Row numbers (N,) -> the right outputs (N,), 0 or 1."""
    wiring: Wiring | None = None
    """Which neuron is which gate, where the circuit was wired from gates."""

    @property
    def relays(self) -> int:
        """Neurons that only carry a signal up a level; they are not among `neurons`."""
        return self.wiring.relays if self.wiring else 0

    @property
    def neurons(self) -> int:
        """Hidden and output neurons that compute something."""
        return sum(layer.fan_out for layer in self._linear_layers) - self.relays

    @property
    def depth(self) -> int:
        """Layers of weights: hidden layers, and the output."""
        return len(self._linear_layers)

    @property
    def connections(self) -> int:
        """Weights that are not zero, biases aside, those of relays included."""
        return sum(int(np.count_nonzero(weight)) for weight in self._arrays("weight"))

    @property
    def parameters(self) -> int:
        """All entries of the weight matrices and biases, zeros included."""
        return self.model.parameter_count

    @property
    def largest_weight(self) -> float:
        """The largest absolute value of a weight."""
        return max(float(abs(weight).max()) for weight in self._arrays("weight"))

    @property
    def largest_bias(self) -> float:
        """The largest absolute value of a bias, 0 where there are none."""
        return max((float(abs(bias).max()) for bias in self._arrays("bias")), default=0.0)

    @property
    def _linear_layers(self) -> list[Linear]:
        return [layer for _, layer in self.model.root.walk() if isinstance(layer, Linear)]

    def _arrays(self, name: str) -> list[NDArray[Any]]:
        """The parameters of that name, of all linear layers that have one."""
        layers = self._linear_layers
        return [each.parameters[name].numpy() for each in layers if name in each.parameters]


def row_bits(rows: Any, inputs: int, dtype: str = "float32") -> NDArray[Any]:
    """Rows of the truth table, numbered (N,) -> their bits (N, inputs), x_1 first."""
    places = np.arange(inputs - 1, -1, -1)
    bits: NDArray[Any] = (np.asarray(rows)[:, None] >> places & 1).astype(dtype)
    return bits


def dnf(
    table: Sequence[int] | NDArray[Any], dtype: str = "float32", backend: str | Backend = "auto"
) -> Circuit:
    """Any truth table in disjunctive normal form: an AND for each row that is 1, and their OR.

    The AND of row r has weight +1 from the inputs that are 1 in r and -1 from the others, and
    fires for r alone. `table` holds 2^n values 0 or 1, row 0 first, n from 1 to 16; where all are
    0, one neuron that never fires stands for the ANDs. Raises `InputError` for another length or
    other values.
    """
    values = np.asarray(table)
    inputs = values.size.bit_length() - 1
    if values.ndim != 1 or values.size != 2**inputs or not 1 <= inputs <= MOST_DNF_INPUTS:
        raise InputError(
            f"truth table of shape {values.shape}: must have 2^n rows, n from 1 to "
            f"{MOST_DNF_INPUTS}"
        )
    if not np.isin(values, (0, 1)).all():
        raise InputError("truth table with other values than 0 and 1")
    values = values.astype(np.uint8)
    ones = row_bits(np.flatnonzero(values), inputs)
    if len(ones):
        ands = ((2 * ones - 1).T, 0.5 - ones.sum(axis=1))
    else:
        ands = (np.zeros((inputs, 1)), np.array([-0.5]))
    terms = ands[0].shape[1]
    either = (np.ones((terms, 1)), np.array([-0.5]))
    model = model_from_weights([ands, either], Threshold(), True, dtype, backend)
    return Circuit("DNF", model, inputs, "rows that are 1, and 1", lambda rows: values[rows])


@dataclass(frozen=True)
class Verification:
    """How many rows of a truth table were computed, how many wrongly, and the first of those."""

    rows: int
    errors: int
    first_wrong: int | None


class Advance(Protocol):
    """Called with the number of rows that have been verified since the last call."""

    def __call__(self, steps: float) -> None: ...


def verify(
    circuit: Circuit, block_rows: int | None = None, advance: Advance | None = None
) -> Verification:
    """Run the circuit's model on all 2^n rows and compare each output, to the bit, with the truth.

    It computes `block_rows` rows at a time, rounded down to a power of two, and by default as many
    as keep the widest layer in the cache, so that memory does not grow with n. An output that is
    not exactly 0 or 1, such as a NaN, is wrong too.
    """
    model, inputs = circuit.model, circuit.inputs
    whole_number("inputs of a circuit to verify", inputs, 1, MOST_INPUTS)
    total = 2**inputs
    if block_rows is None:
        block_rows = rows_per_block(model)
    block_rows = whole_number("block_rows", block_rows, 1, 2**MOST_INPUTS)
    varying = min(total, block_rows).bit_length() - 1
    size = 2**varying

    # Within a block only the last bits vary, the same way each time: they are written once.
    X = model.backend.empty((size, inputs), model.dtype)
    X[:, inputs - varying :] = model.backend.asarray(row_bits(np.arange(size), varying))
    errors, first_wrong = 0, None
    for start in range(0, total, size):
        for place in range(inputs - varying):
            X[:, place] = start >> (inputs - 1 - place) & 1
        rows = np.arange(start, start + size)
        wrong = np.flatnonzero(model.predict(X)[:, 0] != circuit.truth(rows))
        if len(wrong) and first_wrong is None:
            first_wrong = int(rows[wrong[0]])
        errors += len(wrong)
        if advance is not None:
            advance(size)
    return Verification(total, errors, first_wrong)

"""Logic gates as threshold neurons, and the wiring that makes a layered network of them.

A threshold neuron fires, y = 1, where w.x + b >= 0, and else y = 0. For inputs that are 0 or 1 a
single neuron is any of these gates; each bias ends on one half, so that w.x + b is never nearer to
0 than 1/2:

    AND      x_1 + ... + x_n >= n - 1/2        NAND   -x_1 - ... - x_n >= 1/2 - n
    OR       x_1 + ... + x_n >= 1/2            NOR    -x_1 - ... - x_n >= -1/2
    k of n   x_1 + ... + x_n >= k - 1/2        NOT    -x_1 >= -1/2

XOR is not among them: no line separates (0,1) and (1,0) from (0,0) and (1,1) (Minsky and Papert
1969). It takes a second level, a XOR b = AND(OR(a, b), NAND(a, b)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scratchnet.backends import Backend, InputError, choose
from scratchnet.backends.errors import positive_whole
from scratchnet.depth.hand_set import model_from_weights
from scratchnet.layers import Threshold
from scratchnet.model import Model


@dataclass(frozen=True)
class Gate:
    """One threshold neuron: its signal `name` is [sum of weights * sources + bias >= 0]."""

    name: str
    kind: str
    sources: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        if not self.sources or len(self.weights) != len(self.sources):
            raise InputError(
                f"gate '{self.name}' has {len(self.sources)} sources and {len(self.weights)} "
                "weights: needs one or more, and as many weights"
            )


RELAY = "RELAY"
"""The kind of a neuron that repeats its only source one level up, [x >= 1/2]."""

# For each kind the sign of all weights, and the bias as a function of the number of sources.
_KINDS = {
    "AND": (1.0, lambda sources: 0.5 - sources),
    "OR": (1.0, lambda sources: -0.5),
    "NAND": (-1.0, lambda sources: sources - 0.5),
    "NOR": (-1.0, lambda sources: 0.5),
    "NOT": (-1.0, lambda sources: 0.5),
    "MAJORITY": (1.0, lambda sources: 0.5 - (sources // 2 + 1)),
    RELAY: (1.0, lambda sources: -0.5),
}
GATE_KINDS = tuple(_KINDS)


def gate(kind: str, name: str, *sources: str) -> Gate:
    """The neuron of that kind, one of `GATE_KINDS`, over one source or more.

    MAJORITY fires when more than half of its sources do. Raises `InputError` for an unknown kind,
    for no sources, and for several sources of NOT or RELAY.
    """
    sign, bias = choose("gate", kind, _KINDS)
    if kind in ("NOT", RELAY) and len(sources) > 1:
        raise InputError(f"{kind} gate '{name}' has {len(sources)} sources: needs one")
    return Gate(name, kind, sources, (sign,) * len(sources), bias(len(sources)))


def at_least(threshold: int, name: str, *sources: str) -> Gate:
    """The neuron that fires when `threshold` of its sources do, or more; must be from 1 to all."""
    if not 1 <= positive_whole(f"threshold of gate '{name}'", threshold) <= len(sources):
        raise InputError(
            f"threshold of gate '{name}' is {threshold}: it has {len(sources)} sources"
        )
    kind = f"{threshold} OF {len(sources)}"
    return Gate(name, kind, sources, (1.0,) * len(sources), 0.5 - threshold)


def xor(name: str, left: str, right: str) -> tuple[Gate, Gate, Gate]:
    """left XOR right as three neurons on two levels: name.or, name.nand, and `name`, their AND."""
    either, not_both = f"{name}.or", f"{name}.nand"
    return (
        gate("OR", either, left, right),
        gate("NAND", not_both, left, right),
        gate("AND", name, either, not_both),
    )


@dataclass(frozen=True)
class Wiring:
    """Gates on levels: each gate's sources are signals of the level just below.

    `levels[0]` is the first level above the inputs. Where a gate needs a signal from further down,
    a relay repeats it on each level between; the relay of s on level 3 is called 's@3'. The last
    level holds the outputs, in their order.
    """

    inputs: tuple[str, ...]
    levels: tuple[tuple[Gate, ...], ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the output signals."""
        return tuple(each.name for each in self.levels[-1])

    @property
    def gates(self) -> int:
        """The number of neurons that compute something."""
        return sum(len(level) for level in self.levels) - self.relays

    @property
    def relays(self) -> int:
        """The number of neurons that only carry a signal up a level."""
        return sum(each.kind == RELAY for level in self.levels for each in level)


def input_names(inputs: int) -> tuple[str, ...]:
    """x1, x2, ..., the names of the inputs."""
    return tuple(f"x{number}" for number in range(1, inputs + 1))


def wire(
    inputs: Sequence[str], gates: Sequence[Gate], outputs: Sequence[str] | None = None
) -> Wiring:
    """Put each gate one level above its highest source, and relays where a signal skips a level.

    A gate stands in the list behind the gates that it uses. `outputs` are signals, carried up to
    the last level; without it, those that no gate uses. Raises `InputError` for two signals of one
    name, a name with an @ (which marks relays), a source that is unknown or comes later, and a gate
    that is of no use.
    """
    if marked := [name for name in (*inputs, *(each.name for each in gates)) if "@" in name]:
        raise InputError(f"a signal is called '{marked[0]}': @ is for the names of relays")
    level_of = dict.fromkeys(inputs, 0)
    if not level_of or len(level_of) < len(inputs):
        raise InputError(
            f"inputs {', '.join(inputs) or 'of none'}: needs one or more, all distinct"
        )
    highest_use = dict.fromkeys(inputs, 0)
    for each in gates:
        if each.name in level_of:
            raise InputError(f"two signals are called '{each.name}': names must differ")
        if unknown := [source for source in each.sources if source not in level_of]:
            raise InputError(
                f"gate '{each.name}' uses '{unknown[0]}', which is neither an input nor an earlier "
                "gate"
            )
        level_of[each.name] = level = 1 + max(level_of[source] for source in each.sources)
        highest_use[each.name] = 0
        for source in each.sources:
            highest_use[source] = max(highest_use[source], level)
    unused = [each.name for each in gates if not highest_use[each.name]]
    outputs = _checked_outputs(unused if outputs is None else outputs, unused, level_of)
    depth = max(1, *(level_of[name] for name in outputs))
    for name in outputs:
        highest_use[name] = depth + 1
    return Wiring(tuple(inputs), _levels(gates, outputs, level_of, highest_use, depth))


def _checked_outputs(
    outputs: Sequence[str], unused: Sequence[str], level_of: dict[str, int]
) -> tuple[str, ...]:
    """The outputs; `InputError` unless they are distinct, known, and all that is left unused."""
    if not outputs or len(set(outputs)) < len(outputs):
        raise InputError(f"outputs {', '.join(outputs) or 'of none'}: needs one or more, distinct")
    if unknown := [name for name in outputs if name not in level_of]:
        raise InputError(f"output '{unknown[0]}' is neither an input nor a gate")
    if idle := [name for name in unused if name not in outputs]:
        raise InputError(f"gate '{idle[0]}' is neither used by a gate nor an output")
    return tuple(outputs)


def _levels(
    gates: Sequence[Gate],
    outputs: Sequence[str],
    level_of: dict[str, int],
    highest_use: dict[str, int],
    depth: int,
) -> tuple[tuple[Gate, ...], ...]:
    """The gates of each level with the relays between, sources renamed to the level just below."""

    def at(signal: str, level: int) -> str:
        return signal if level == level_of[signal] else f"{signal}@{level}"

    by_level: list[dict[str, Gate]] = [{} for _ in range(depth)]
    for each in gates:
        below = level_of[each.name] - 1
        sources = tuple(at(source, below) for source in each.sources)
        placed = Gate(each.name, each.kind, sources, each.weights, each.bias)
        by_level[below][each.name] = placed
    for signal, start in level_of.items():
        for level in range(start + 1, highest_use[signal]):
            by_level[level - 1][at(signal, level)] = gate(
                RELAY, at(signal, level), at(signal, level - 1)
            )
    last = by_level[-1]
    by_level[-1] = {name: last[name] for name in (at(output, depth) for output in outputs)}
    return tuple(tuple(level.values()) for level in by_level)


def wired_model(wiring: Wiring, dtype: str = "float32", backend: str | Backend = "auto") -> Model:
    """The wiring as a model: a Linear and a Threshold for each level, one neuron for each gate.

    X (N, inputs) of 0 and 1 -> (N, outputs) of 0 and 1. Nothing is rounded, also in float32: all
    sums are multiples of 1/2, and small.
    """
    weights = []
    below = wiring.inputs
    for level in wiring.levels:
        row_of = {name: row for row, name in enumerate(below)}
        matrix = np.zeros((len(below), len(level)))
        for column, each in enumerate(level):
            # A source may be named twice; its weights then add up.
            rows = [row_of[source] for source in each.sources]
            np.add.at(matrix[:, column], rows, each.weights)
        weights.append((matrix, np.array([each.bias for each in level])))
        below = tuple(each.name for each in level)
    return model_from_weights(weights, Threshold(), True, dtype, backend)


def parse_bits(bits: str | Sequence[int], inputs: int) -> tuple[int, ...]:
    """The bits, x_1 first, of a text like '1011' or of a sequence of 0 and 1.

    Raises `InputError` where there are other characters, or not exactly `inputs` bits.
    """
    accepted = ("0", "1") if isinstance(bits, str) else (0, 1)
    if any(bit not in accepted for bit in bits):
        raise InputError(f"bits {bits!r}: must be 0 and 1, one for each of {inputs} inputs")
    if len(bits) != inputs:
        raise InputError(f"bits {bits!r} are {len(bits)}: needs {inputs}, one for each input")
    return tuple(int(bit) for bit in bits)


def gate_values(wiring: Wiring, model: Model, bits: str | Sequence[int]) -> dict[str, int]:
    """The value of every input, gate and relay for one input, by name, as the network computes it.

    `model` is `wired_model(wiring)`; `bits` as in `parse_bits`.
    """
    given = parse_bits(bits, len(wiring.inputs))
    values = dict(zip(wiring.inputs, given, strict=True))
    outputs = list(model.activations([given]).values())
    for level, fired in zip(wiring.levels, outputs[1::2], strict=True):
        names = (each.name for each in level)
        values |= zip(names, (int(value) for value in fired[0]), strict=True)
    return values

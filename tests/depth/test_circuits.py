"""Circuits: gates, wiring, truth tables, and parity in five ways, row by row."""

import math
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.depth.circuits import Circuit, dnf, row_bits, verify
from scratchnet.depth.gates import (
    GATE_KINDS,
    Gate,
    at_least,
    gate,
    gate_values,
    input_names,
    parse_bits,
    wire,
    wired_model,
    xor,
)
from scratchnet.depth.parity import PARITY, parity_circuit, xor_tree, xor_tree_pairs
from scratchnet.layers import Linear

DTYPES = ("float32", "float64")

# What each gate means, said without weights.
MEANING: dict[str, Callable[[list[bool]], bool]] = {
    "AND": all,
    "OR": any,
    "NAND": lambda bits: not all(bits),
    "NOR": lambda bits: not any(bits),
    "NOT": lambda bits: not bits[0],
    "MAJORITY": lambda bits: bits.count(True) > bits.count(False),
    "RELAY": lambda bits: bits[0],
}


def value_of(each: Gate, bits: Iterable[int]) -> bool:
    values = [bool(bit) for bit in bits]
    if each.kind in MEANING:
        return MEANING[each.kind](values)
    threshold, _, sources = each.kind.split()
    assert int(sources) == len(values)
    return sum(values) >= int(threshold)


def all_gates(sources: tuple[str, ...]) -> list[Gate]:
    kinds = [kind for kind in GATE_KINDS if len(sources) == 1 or kind not in ("NOT", "RELAY")]
    return [gate(kind, kind, *sources) for kind in kinds] + [
        at_least(k, f"at least {k}", *sources) for k in range(1, len(sources) + 1)
    ]


def test_the_meaning_of_every_kind_is_tested() -> None:
    assert set(MEANING) == set(GATE_KINDS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 7])
def test_every_gate_on_every_row(inputs: int, dtype: str) -> None:
    names = input_names(inputs)
    gates = all_gates(names)
    model = wired_model(wire(names, gates), dtype)
    rows = list(product((0, 1), repeat=inputs))
    expected = [[value_of(each, row) for each in gates] for row in rows]
    assert model.predict(rows).tolist() == np.array(expected, float).tolist()
    sums = model.activations(rows)["0"]
    assert abs(sums).min() == 0.5, "a gate decides with less than half a unit to spare"


def test_the_weights_are_those_of_the_formulas() -> None:
    assert gate("AND", "g", "a", "b") == Gate("g", "AND", ("a", "b"), (1, 1), -1.5)
    assert gate("OR", "g", "a", "b") == Gate("g", "OR", ("a", "b"), (1, 1), -0.5)
    assert gate("NAND", "g", "a", "b") == Gate("g", "NAND", ("a", "b"), (-1, -1), 1.5)
    assert at_least(3, "g", *"abcde") == Gate("g", "3 OF 5", tuple("abcde"), (1,) * 5, -2.5)


def test_xor_is_three_neurons_on_two_levels() -> None:
    wiring = wire(["a", "b"], xor("c", "a", "b"))
    assert [[each.kind for each in level] for level in wiring.levels] == [["OR", "NAND"], ["AND"]]
    assert wired_model(wiring).predict(row_bits(range(4), 2)).ravel().tolist() == [0, 1, 1, 0]


@st.composite
def gate_lists(draw: st.DrawFn) -> tuple[tuple[str, ...], list[Gate]]:
    names = list(input_names(draw(st.integers(1, 4))))
    inputs, gates = tuple(names), []
    for number in range(draw(st.integers(1, 9))):
        sources = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4))
        each = draw(st.sampled_from(all_gates(tuple(sources))))
        gates.append(replace(each, name=f"g{number}"))
        names.append(f"g{number}")
    return inputs, gates


def evaluate(inputs: tuple[str, ...], gates: list[Gate], row: Iterable[int]) -> dict[str, int]:
    values = dict(zip(inputs, row, strict=True))
    for each in gates:
        values[each.name] = int(value_of(each, [values[source] for source in each.sources]))
    return values


@given(gate_lists(), st.data())
@settings(deadline=None, max_examples=150)
def test_wired_gates_equal_their_direct_evaluation(
    drawn: tuple[tuple[str, ...], list[Gate]], data: st.DataObject
) -> None:
    inputs, gates = drawn
    used = {source for each in gates for source in each.sources}
    sinks = [each.name for each in gates if each.name not in used]
    others = [name for name in (*inputs, *(each.name for each in gates)) if name not in sinks]
    more = data.draw(st.lists(st.sampled_from(others), unique=True), label="more outputs")
    outputs = data.draw(st.permutations(sinks + more), label="outputs")
    wiring = wire(inputs, gates, outputs)
    assert [name.split("@")[0] for name in wiring.outputs] == outputs

    rows = list(product((0, 1), repeat=len(inputs)))
    models = [wired_model(wiring, dtype) for dtype in DTYPES]
    for row in rows:
        direct = evaluate(inputs, gates, row)
        for model in models:
            signals = gate_values(wiring, model, row)
            assert signals == {name: direct[name.split("@")[0]] for name in signals}
            assert set(direct) <= set(signals)
            assert model.predict([row])[0].tolist() == [direct[name] for name in outputs]

    level = dict.fromkeys(inputs, 0)
    for each in gates:
        level[each.name] = 1 + max(level[source] for source in each.sources)
    depth = max(1, *(level[name] for name in outputs))
    assert len(wiring.levels) == depth
    uses = [(source, level[each.name]) for each in gates for source in each.sources]
    uses += [(output, depth + 1) for output in outputs]
    carried = {(name, at) for name, use in uses for at in range(level[name] + 1, use)}
    drawn_relays = sum(each.kind == "RELAY" for each in gates)
    assert wiring.relays == len(carried) + drawn_relays
    assert wiring.gates == len(gates) - drawn_relays


def test_a_weight_of_any_size_wires_too() -> None:
    """A threshold neuron of one's own: 3a - 2b - 1/2 >= 0, that is a alone or a with b."""
    own = Gate("g", "OWN", ("a", "b"), (3.0, -2.0), -0.5)
    model = wired_model(wire(["a", "b"], [own]))
    assert model.predict(row_bits(range(4), 2)).ravel().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("inputs", range(1, 13))
@pytest.mark.parametrize("construction", PARITY)
@pytest.mark.parametrize("dtype", DTYPES)
def test_parity_on_the_full_table(construction: str, inputs: int, dtype: str) -> None:
    if (construction == "dnf" and inputs > 10) or (construction == "tent" and inputs not in POWERS):
        return
    circuit = parity_circuit(construction, inputs, dtype)
    assert circuit.model.dtype == dtype
    assert verify(circuit).errors == 0
    rows = np.array(list(product((0, 1), repeat=inputs)))
    assert circuit.model.predict(rows)[:, 0].tolist() == (rows.sum(axis=1) % 2).tolist()


POWERS = (1, 2, 4, 8, 16)


def test_neurons_at_sixteen_inputs() -> None:
    built = {name: parity_circuit(name, 16) for name in PARITY}
    assert {name: circuit.neurons for name, circuit in built.items()} == {
        "dnf": 32_769,
        "tree": 45,
        "counting": 17,
        "relu": 17,
        "tent": 9,
    }
    assert {name: circuit.depth for name, circuit in built.items()} == {
        "dnf": 2,
        "tree": 8,
        "counting": 2,
        "relu": 2,
        "tent": 5,
    }
    assert built["tree"].connections == 90 and built["counting"].connections == 272
    assert built["counting"].largest_bias == 15.5 and built["tree"].largest_bias == 1.5
    assert built["tent"].largest_weight == 4 and built["relu"].largest_weight == 2
    assert built["counting"].parameters == 16 * 17 + 17


@pytest.mark.parametrize("inputs", range(1, 25))
def test_sizes_follow_their_formulas(inputs: int) -> None:
    for name, construction in PARITY.items():
        if (name == "dnf" and inputs > 12) or (name == "tent" and inputs not in POWERS):
            continue
        circuit = parity_circuit(name, inputs)
        assert circuit.neurons == construction.neurons(inputs)
        value = eval(  # the text itself is held to the numbers
            circuit.formula.replace("^", "**").replace("3 (", "3 * (").replace("2 log2 n", "L"),
            {"n": inputs, "L": 2 * math.log2(inputs)},
        )
        assert circuit.neurons == value
        assert (circuit.name, circuit.formula) == (construction.title, construction.formula)


@pytest.mark.parametrize("inputs", range(1, 25))
def test_depth_and_relays_of_the_tree(inputs: int) -> None:
    tree = xor_tree(inputs)
    assert tree.depth == max(1, 2 * math.ceil(math.log2(inputs)))
    left, relays = inputs, 0
    while left > 1:
        relays += 2 * (left % 2)
        left = left // 2 + left % 2
    assert tree.relays == (relays if inputs > 1 else 1)
    if inputs > 1:
        assert relays == 2 * bin(inputs - 1)[2:].count("0")
    widths = [layer.fan_out for layer in tree.model.layers if isinstance(layer, Linear)]
    assert sum(widths) == tree.neurons + tree.relays


@pytest.mark.parametrize("inputs", [2, 3, 5, 6, 8, 11])
def test_each_signal_of_the_tree_is_the_parity_of_the_inputs_in_its_name(inputs: int) -> None:
    tree = xor_tree(inputs)
    assert tree.wiring is not None
    pairs = xor_tree_pairs(inputs)
    assert len(pairs) == inputs - 1 and pairs[-1][0] == f"x1-{inputs}"
    for row in np.random.default_rng(0).integers(0, 2**inputs, 20):
        bits = f"{row:0{inputs}b}"
        signals = gate_values(tree.wiring, tree.model, bits)
        for name, left, right in pairs:
            first, last = (int(number) for number in name[1:].split("-"))
            assert signals[name] == bits[first - 1 : last].count("1") % 2
            assert signals[name] == signals[left] ^ signals[right]
            assert signals[f"{name}.or"] == signals[left] | signals[right]
            assert signals[f"{name}.nand"] == 1 - (signals[left] & signals[right])


@pytest.mark.parametrize("name", ["dnf", "tree", "counting"])
@pytest.mark.parametrize("inputs", [1, 2, 13, 16, 23, 24])
def test_no_sum_in_a_threshold_circuit_can_round_in_float32(name: str, inputs: int) -> None:
    """All terms are multiples of 1/2, and all of them together stay below 2^23: 24 bits hold any
    partial sum, in any order."""
    if name == "dnf" and inputs > 16:
        return
    for layer in parity_circuit(name, inputs, "float32").model.layers:
        if isinstance(layer, Linear):
            weight, bias = (layer.parameters[each].numpy() for each in ("weight", "bias"))
            assert (2 * weight % 1 == 0).all() and (abs(bias) % 1 == 0.5).all()
            assert (abs(weight).sum(axis=0, dtype=np.float64) + abs(bias)).max() < 2**23


@given(
    st.integers(1, 7).flatmap(lambda n: st.lists(st.integers(0, 1), min_size=2**n, max_size=2**n))
)
@settings(deadline=None, max_examples=100)
def test_dnf_equals_its_table(table: list[int]) -> None:
    inputs = len(table).bit_length() - 1
    rows = list(product((0, 1), repeat=inputs))
    for dtype in DTYPES:
        circuit = dnf(table, dtype)
        assert circuit.model.predict(rows)[:, 0].tolist() == table
        assert verify(circuit).errors == 0
        assert circuit.neurons == max(1, sum(table)) + 1


def flipped(circuit: Circuit, wrong_rows: set[int]) -> Circuit:
    """The circuit with a truth table that contradicts it in these rows."""
    wrong = np.zeros(2**circuit.inputs, np.uint8)
    wrong[list(wrong_rows)] = 1
    return replace(circuit, truth=lambda rows: circuit.truth(rows) ^ wrong[rows])


@given(
    st.sampled_from(["dnf", "tree", "counting", "relu"]),
    st.integers(1, 8),
    st.integers(1, 300),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_verify_counts_every_wrong_row(
    name: str, inputs: int, block_rows: int, data: st.DataObject
) -> None:
    wrong_rows = data.draw(st.sets(st.integers(0, 2**inputs - 1)))
    done: list[float] = []
    result = verify(flipped(parity_circuit(name, inputs), wrong_rows), block_rows, done.append)
    assert result.rows == sum(done) == 2**inputs
    assert max(done) <= block_rows
    assert result.errors == len(wrong_rows)
    assert result.first_wrong == min(wrong_rows, default=None)


def test_verify_sees_a_network_that_is_wrong() -> None:
    circuit = parity_circuit("counting", 6)
    (layer, *_) = circuit.model.layers
    layer.parameters["bias"].data[5] += 1
    result = verify(circuit)
    assert (result.errors, result.first_wrong) == (6, 0b011111), "rows with five ones count as six"
    layer.parameters["bias"].data[5] = np.nan
    assert verify(circuit).errors == 1, "a comparison with a NaN is false, so it never fires"
    relu = parity_circuit("relu", 6)
    relu.model.layers[0].parameters["bias"].data[0] = np.nan
    assert verify(relu).errors == 64


def test_verify_needs_little_memory() -> None:
    circuit = parity_circuit("counting", 19)
    tracemalloc.start()
    assert verify(circuit).errors == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6, "the whole table in float32 takes 40 MB"


def test_row_bits_has_the_highest_bit_first() -> None:
    assert row_bits([0, 1, 6], 3).tolist() == [[0, 0, 0], [0, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: parity_circuit("tree", 0), "inputs is 0: must be a whole number from 1 to 24"),
        (lambda: parity_circuit("relu", 25), "inputs is 25: .* from 1 to 24"),
        (lambda: parity_circuit("counting", 2.0), "inputs is 2.0"),  # type: ignore[arg-type]
        (lambda: parity_circuit("tree", True), "inputs is True"),
        (lambda: parity_circuit("dnf", 17), "inputs is 17: .* from 1 to 16"),
        (lambda: parity_circuit("tent", 12), "is 12: must be a power of two"),
        (lambda: parity_circuit("tent", 25), "from 1 to 24"),
        (lambda: parity_circuit("cnf", 4), "unknown construction 'cnf'"),
        (lambda: parity_circuit("tree", 4, "float16"), "is 'float16': must be float32 or float64"),
        (lambda: dnf([0, 1, 1]), r"shape \(3,\): must have 2\^n rows"),
        (lambda: dnf([1]), r"shape \(1,\)"),
        (lambda: dnf([]), r"shape \(0,\)"),
        (lambda: dnf([[0, 1], [1, 0]]), r"shape \(2, 2\)"),  # type: ignore[list-item]
        (lambda: dnf(np.zeros(2**17)), r"shape \(131072,\)"),
        (lambda: dnf([0, 2]), "other values than 0 and 1"),
        (lambda: dnf([0.0, np.nan]), "other values"),  # type: ignore[list-item]
        (lambda: verify(parity_circuit("tree", 3), 0), "block_rows is 0"),
        (lambda: gate("XOR", "g", "a", "b"), "unknown gate 'XOR'"),
        (lambda: gate("AND", "g"), "'g' has 0 sources"),
        (lambda: Gate("g", "OWN", ("a", "b"), (1.0,), 0.0), "'g' has 2 sources and 1 weights"),
        (lambda: gate("NOT", "g", "a", "b"), "NOT gate 'g' has 2 sources: needs one$"),
        (lambda: at_least(3, "g", "a", "b"), "is 3: it has 2 sources"),
        (lambda: at_least(0, "g", "a", "b"), "threshold of gate 'g' is 0"),
        (lambda: wire([], []), "inputs of none"),
        (lambda: wire(["a", "a"], []), "inputs a, a"),
        (lambda: wire(["a"], []), "outputs of none"),
        (lambda: wire(["a"], [gate("NOT", "a", "a")]), "two signals are called 'a'"),
        (lambda: wire(["a"], [gate("NOT", "a@1", "a")]), "called 'a@1': @ is for"),
        (lambda: wire(["a"], [gate("NOT", "g", "b")]), "uses 'b', which is neither"),
        (lambda: wire(["a"], [gate("NOT", "g", "g")]), "uses 'g', which is neither"),
        (lambda: wire(["a"], [gate("NOT", "g", "a")], ["h"]), "output 'h' is neither"),
        (lambda: wire(["a"], [gate("NOT", "g", "a")], ["a"]), "'g' is neither used"),
        (lambda: wire(["a"], [gate("NOT", "g", "a")], ["g", "g"]), "outputs g, g"),
        (lambda: parse_bits("1011", 5), "bits '1011' are 4: needs 5"),
        (lambda: parse_bits("10a1", 4), "bits '10a1': must be 0 and 1"),
        (lambda: parse_bits([0, 2], 2), r"bits \[0, 2\]: must be 0 and 1"),
        (lambda: parse_bits([0, 0.5], 2), r"bits \[0, 0.5\]: must be 0 and 1"),  # type: ignore[list-item]
    ],
)
def test_bad_input_is_one_line(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        attempt()
    assert "\n" not in str(raised.value)


def test_bits_are_read_from_the_left() -> None:
    assert parse_bits("100", 3) == parse_bits([1, False, 0], 3) == (1, 0, 0)


@pytest.mark.parametrize("construction", PARITY)
def test_parity_with_nothing_but_its_inputs_given(construction: str) -> None:
    circuit = PARITY[construction].build(4)
    assert circuit.model.dtype == "float32"
    assert verify(circuit).errors == 0

"""The XOR tree: parity of n inputs by threshold neurons, two signals at a time.

1. The tree is built gate by gate.
2. It is drawn; with an input given, the value of every signal is shown.
3. It is run on all 2^n inputs, and what it costs is set beside the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scratchnet.backends import InputError
from scratchnet.demos import options
from scratchnet.demos.command_line import INTERRUPTED
from scratchnet.demos.parity.formulas import FORMULAS, QUANTITIES, cost
from scratchnet.demos.results import check_writable, deliver, environment
from scratchnet.demos.terminal import Advance, console_for, name_device, no_progress, progress
from scratchnet.demos.xor_tree.figures import plot_tree
from scratchnet.demos.xor_tree.terminal import draw_tree
from scratchnet.depth.circuits import MOST_INPUTS, Circuit, Verification, verify
from scratchnet.depth.gates import Wiring, gate_values, parse_bits
from scratchnet.depth.parity import xor_tree, xor_tree_pairs

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

DEFAULT_INPUTS = 8
LEVELS_WIDTH, UNBROKEN = 16, "\xa0"


@dataclass(frozen=True)
class Result:
    settings: dict[str, Any]
    environment: dict[str, Any]
    circuit: Circuit
    values: dict[str, int] | None
    """The value of every signal for the chosen input, by name; None where none was chosen."""
    verification: Verification | None
    """None where Ctrl-C came first."""

    @property
    def wiring(self) -> Wiring:
        assert self.circuit.wiring is not None
        return self.circuit.wiring

    @property
    def output(self) -> int | None:
        """What the tree says for the chosen input."""
        return None if self.values is None else self.values[self.wiring.outputs[0]]


def run(
    inputs: int = DEFAULT_INPUTS,
    bits: str | None = None,
    backend: str = "auto",
    advance: Advance = no_progress,
) -> Result:
    """Build the tree, compute its signals for `bits`, and verify its whole truth table.

    Raises `InputError` for `inputs` other than 1 to 24, and for `bits` that are no such input.
    """
    circuit = xor_tree(inputs, backend=backend)
    assert circuit.wiring is not None
    values = None if bits is None else gate_values(circuit.wiring, circuit.model, bits)
    settings = {"inputs": inputs, "bits": bits}
    try:
        verification = verify(circuit, advance=advance)
    except KeyboardInterrupt:
        verification = None
    return Result(settings, environment(backend), circuit, values, verification)


def report(result: Result, console: Console) -> None:
    """Print how the tree is built, the tree, and what it costs."""
    bits = result.settings["bits"]
    console.print("\n[bold]1. The tree, gate by gate[/]\n")
    for line in construction(result.circuit):
        indent = LEVELS_WIDTH if line.startswith("  levels") else 0
        lines = wrap(line, console.width, subsequent_indent=" " * indent)
        # Spaces that must not be broken are others until here.
        console.print(*(each.replace(UNBROKEN, " ") for each in lines), sep="\n")
    console.print(f"\n[bold]2. The tree{f' for the input {bits}' if bits else ''}[/]\n")
    draw_tree(console, result.wiring, result.values)
    if bits:
        console.print()
        tell(console, input_sentence(result))
    console.print(f"\n[bold]3. What it costs, and all {2**result.circuit.inputs:,} inputs[/]\n")
    console.print(cost_table(result.circuit))
    for sentence in sentences(result):
        tell(console, sentence)
    console.print()


def tell(console: Console, sentence: str) -> None:
    lines = wrap(
        sentence,
        console.width,
        initial_indent="- ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    console.print(*lines, sep="\n", markup=False)


def construction(circuit: Circuit) -> Iterator[str]:
    """The neurons of one XOR, and then the XORs of each pair of levels."""
    pairs = xor_tree_pairs(circuit.inputs)
    if not pairs:
        yield "One input is its own parity: no gate is needed, and a relay stands for the network."
        return
    assert circuit.wiring is not None
    level_of = {
        each.name: number
        for number, level in enumerate(circuit.wiring.levels, start=1)
        for each in level
    }
    yield "a XOR b is three threshold neurons on two levels, AND(OR(a, b), NAND(a, b)):"
    yield "  OR            a + b >= 0.5"
    yield "  NAND         -a - b >= -1.5"
    yield "  AND       OR + NAND >= 1.5"
    yield "Each XOR takes two neighbours of the levels below:"
    for level, group in groupby(pairs, key=lambda pair: level_of[pair[0]]):
        xors = ",  ".join(
            f"{name} = {left} XOR {right}".replace(" ", UNBROKEN) for name, left, right in group
        )
        yield f"{f'  levels {level - 1}, {level}':<{LEVELS_WIDTH}}{xors}"


def input_sentence(result: Result) -> str:
    """What the tree says about the chosen input, and what is right."""
    bits = result.settings["bits"]
    ones = bits.count("1")
    verdict = "right" if result.output == ones % 2 else "wrong"
    return (
        f"{bits} has {ones} one{'' if ones == 1 else 's'}, "
        f"{'an odd' if ones % 2 else 'an even'} number. The tree says {result.output}, which is "
        f"{verdict}."
    )


def cost_table(circuit: Circuit) -> Table:
    """Each quantity as counted in the network, beside its formula."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("counted", justify="right")
    table.add_column("formula")
    for name in QUANTITIES:
        count, (formula, _) = getattr(circuit, name), FORMULAS["tree"][name]
        zeros = f"   (z: zeros of n - 1 in binary, {circuit.inputs - 1:b})"
        note = zeros if name == "relays" else ""
        table.add_row(name.replace("_", " "), f"{count:,g}", formula + note)
    return table


def sentences(result: Result) -> list[str]:
    """What was verified, and what the tree saves and does not save."""
    circuit = result.circuit
    n = circuit.inputs
    said = [verification_sentence(result)]
    if n == 1:
        return [*said, "The formulas hold from n = 2 on."]
    if circuit.relays:
        said.append(
            f"The {circuit.relays} relays compute nothing. They carry a signal up where a level "
            "has an odd number of them, and are not counted as neurons; their connections are."
        )
    neurons, connections = (cost("counting", name, n) for name in ("neurons", "connections"))
    said.append(
        f"A network of depth 2 that counts its ones computes the same with n + 1 = {neurons} "
        f"threshold neurons and n^2 + n = {connections} connections: "
        f"{versus(neurons, circuit.neurons, 'neurons')} and "
        f"{versus(connections, circuit.connections, 'connections')} than the tree. "
        "scratchnet parity compares them all."
    )
    return said


def verification_sentence(result: Result) -> str:
    """On how many inputs the network is wrong, if the verification was finished."""
    verified = result.verification
    if verified is None:
        return "The verification was interrupted: nothing is known about the truth table."
    if not verified.errors:
        return f"Run on all {verified.rows:,} inputs, the network is right on every one."
    return (
        f"Run on all {verified.rows:,} inputs, the network is wrong on {verified.errors:,}, first "
        f"on row {verified.first_wrong}."
    )


def versus(other: float, tree: float, what: str) -> str:
    """Such as `fewer neurons` or `as many neurons`, of the other network beside the tree."""
    if other == tree:
        return f"no fewer {what}"
    return f"{'fewer' if other < tree else 'more'} {what}"


def record(result: Result) -> dict[str, Any]:
    """The run as `result.json` holds it; a row for each neuron."""
    rows = [
        {
            "level": level,
            "name": each.name,
            "kind": each.kind,
            "sources": each.sources,
            "weights": each.weights,
            "bias": each.bias,
            "value": None if result.values is None else result.values[each.name],
        }
        for level, gates in enumerate(result.wiring.levels, start=1)
        for each in gates
    ]
    summary = {
        **{name: getattr(result.circuit, name) for name in QUANTITIES},
        "formulas": {name: FORMULAS["tree"][name][0] for name in QUANTITIES},
        "parameters": result.circuit.parameters,
        "output": result.output,
        "verification": result.verification,
        "interrupted": result.verification is None,
        "words": sentences(result),
    }
    return {
        "settings": result.settings,
        "environment": result.environment,
        "rows": rows,
        "summary": summary,
    }


def plot(result: Result) -> dict[str, Figure]:
    return {"tree": plot_tree(result.circuit, result.values)}


def chosen_inputs(inputs: int | None, bits: str | None) -> int:
    """The number of inputs: as given, or else as many as `bits`, or 8.

    Raises `InputError` where both are given and differ, and for bits other than 0 and 1.
    """
    if inputs is None:
        inputs = len(bits) if bits else DEFAULT_INPUTS
    if inputs > MOST_INPUTS:
        raise InputError(f"--bits {bits!r} are {inputs}: accepted are at most {MOST_INPUTS} inputs")
    if bits is not None:
        try:
            parse_bits(bits, inputs)
        except InputError as error:
            raise InputError(f"--{error}") from None
    return inputs


def command(
    inputs: Annotated[
        int | None,
        typer.Option(
            "--inputs",
            metavar="N",
            min=1,
            max=MOST_INPUTS,
            show_default="8, or as many as --bits",
            help="How many inputs.",
        ),
    ] = None,
    bits: Annotated[
        str | None,
        typer.Option(
            "--bits",
            metavar="BITS",
            help="An input such as 10110011, x1 first: the drawings show what each gate says.",
        ),
    ] = None,
    backend: options.Backend = "auto",
    out: options.Out = Path("runs/xor-tree"),
    json: options.Json = False,
    show: options.Show = False,
) -> None:
    """Parity as a tree of XOR gates: built, drawn, and verified on its whole truth table."""
    check_writable(out)
    number = chosen_inputs(inputs, bits)
    console = console_for(json)
    with progress("verifying", total=2**number) as advance:
        result = run(number, bits, backend, advance)
    name_device(console, backend)
    deliver(
        out,
        record(result),
        lambda: plot(result),
        lambda: report(result, console),
        console,
        json,
        show,
    )
    if result.verification is None:
        raise typer.Exit(INTERRUPTED)

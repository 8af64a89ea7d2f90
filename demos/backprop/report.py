"""What `scratchnet backprop` prints: both passes, the check, and what one step does with it."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from scratchnet.demos.backprop.experiment import Node, Result

NAME, VALUE, GRADIENT = "bold", "cyan", "magenta"
DECIMALS = 4
TINY = 1e-12

WORKED = "w11"

NEXT = (
    "Next: --inputs 2,1 switches neuron 2 off, --inputs 0.25,0 puts it on the kink of relu, "
    "--activation tanh bends both, --seed 1 draws other weights."
)


def number(value: float) -> str:
    """Four decimals, and fewer only where no digit is lost; extremes as in 1.2e-05."""
    if abs(value) < TINY:
        return "0" if value == 0 else f"{value:.0e}"
    if not 1e-3 <= abs(value) < 1e4:
        return f"{value:.1e}"
    text = f"{value:.{DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if abs(value - float(text)) < TINY else text


def aligned(value: float, style: str = "") -> Text:
    """The number in 8 characters, its decimal point above that of the others in its column."""
    from rich.text import Text

    whole, point, decimals = number(value).partition(".")
    if "e" in decimals or "e" in whole:
        return Text(f"{number(value):>8}", style)
    return Text(f"{whole:>3}{point or ' '}{decimals:<{DECIMALS}}", style)


def report(result: Result, console: Console) -> None:
    """Print the network, both passes, the check, one gradient worked out, and one step."""
    console.print(network_text(result))
    heading(console, "Forward pass: every product and every sum is a node of the graph")
    console.print(forward_table(result))
    console.print(answer_text(result))
    heading(
        console, "Backward pass: a node y sends  dL/dy * dy/dx  back to each x it was made from"
    )
    console.print(plain("dL/dy is the slope of the loss L in y; it starts with dL/dL = 1."))
    console.print()
    console.print(backward_table(result))
    for name in reused(result):
        console.print(sum_text(result, name))
    step = f"h = {result.settings['difference_step']:g}"
    heading(console, f"Check: is dL/dx the quotient (L(x + h) - L(x - h)) / 2h?   {step}")
    console.print(check_table(result))
    console.print(check_text(result))
    heading(
        console, f"One gradient in full: {WORKED} reaches L by one path, and its slopes multiply"
    )
    console.print(worked_text(result))
    heading(console, "One step of gradient descent")
    console.print(step_text(result))
    console.print()
    console.print(plain(NEXT))
    console.print()


def heading(console: Console, text: str) -> None:
    console.print()
    console.print(plain(text, "bold"))


def new_table(*headings: str) -> Table:
    """A table with these headings and no lines between rows, whose cells are not wrapped."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for each in headings:
        table.add_column(each, no_wrap=True)
    return table


def network_text(result: Result) -> Text:
    x1, x2 = (number(x) for x in result.settings["inputs"])
    activation, target, seed = (result.settings[k] for k in ("activation", "target", "seed"))
    return plain(
        f"A 2-2-1 network and one sample, x1 = {x1} and x2 = {x2}, with target t = {target}:\n\n"
        f"  z1 = x1 * w11 + x2 * w21 + b1     h1 = {activation}(z1)\n"
        f"  z2 = x1 * w12 + x2 * w22 + b2     h2 = {activation}(z2)\n"
        "  z  = h1 * v1  + h2 * v2  + c      L  = -ln P(t) = ln(1 + e^z) - t * z"
        + ("" if seed is None else f"\n\nThe weights and biases are random, of seed {seed}.")
    )


def forward_table(result: Result) -> Table:
    table = new_table("node", "is", "in numbers", "  value")
    for node in result.nodes:
        if node.expression:
            table.add_row(
                plain(node.name, NAME),
                plain(node.expression),
                plain(node.numbers),
                aligned(node.value, VALUE),
            )
    return table


def answer_text(result: Result) -> Text:
    """The probability of the target: 1 / (1 + e^-z) for 1, and 1 / (1 + e^z) for 0."""
    target, z = result.settings["target"], result.node("z").value
    signed = -z if target == 1 else z
    probability = number(1 / (1 + math.exp(signed)))
    return plain(f"So P({target}), the probability of the right answer, is {probability}.")


def backward_table(result: Result) -> Table:
    """A row per edge; edges of one node that carry the same, as those of a sum do, share a row."""
    table = new_table("y", "  value", "  dL/dy", "x", "dy/dx", "", "  dL/dy * dy/dx")
    for node in reversed(result.nodes):
        edges = [edge for edge in result.edges if edge.user == node.name]
        cells: list[Any] = [
            plain(node.name, NAME),
            aligned(node.value, VALUE),
            aligned(node.gradient, GRADIENT),
        ]
        for formula in dict.fromkeys(edge.formula for edge in edges):
            same = [edge for edge in edges if edge.formula == formula]
            table.add_row(
                *cells,
                plain(", ".join(edge.source for edge in same), NAME),
                plain(formula),
                aligned(same[0].local_derivative) if formula != "1" else "",
                aligned(same[0].outgoing, GRADIENT),
            )
            cells = [""] * len(cells)
    return table


def reused(result: Result) -> list[str]:
    return [node.name for node in result.nodes if len(result.users(node.name)) > 1]


def sum_text(result: Result, name: str) -> Text:
    """How the gradient of a node with several users adds up."""
    users = result.users(name)[::-1]
    who = " and ".join(edge.user for edge in users)
    parts = " + ".join(number(edge.outgoing) for edge in users)
    total = number(result.node(name).gradient)
    return plain(f"{name} is used by {who}, so what they send adds up: {parts} = {total}")


def check_table(result: Result) -> Table:
    """The leaves on the left, what was computed from them on the right."""
    table = new_table(*2 * ("x", "  dL/dx", "  quotient", "apart   "))
    leaves = [node for node in result.nodes if not node.expression]
    computed = [node for node in result.nodes if node.expression and node.name != "L"]
    for left, right in zip_longest(leaves, computed):
        table.add_row(*check_cells(left), *check_cells(right))
    return table


def check_cells(node: Node | None) -> list[Any]:
    """Name, gradient, quotient, and how far apart; no quotient at a kink, blanks for None."""
    if node is None:
        return [""] * 4
    cells: list[Any] = [plain(node.name, NAME), aligned(node.gradient, GRADIENT)]
    if node.finite_difference is None or node.difference is None:
        return [*cells, "  kink", ""]
    return [
        *cells,
        aligned(node.finite_difference),
        f"{node.difference:.0e}" if node.difference else "0",
    ]


def check_text(result: Result) -> Text:
    """Whether gradients are the quotients.

    Names the nodes for which they are not; where there are none, says the largest distance and the
    nodes at a kink of relu, which have no quotient.
    """
    if result.wrong:
        return plain(
            f"No, not for {', '.join(result.wrong)}: a derivative on the way to L is wrong."
        )
    kinks = result.at_a_kink
    if not kinks:
        return plain(f"Yes: no two are further apart than {result.largest_difference:.0e}.")
    return plain(
        f"Yes, within {result.largest_difference:.0e}, but where nudging crosses the kink of relu "
        f"at 0 ({', '.join(kinks)}): the slope jumps from 0 to 1 there, and the quotient mixes "
        "both. At 0 itself the engine takes 0."
    )


def worked_text(result: Result) -> Table:
    """The gradient of one weight as the product of the local derivatives on its way to the loss."""
    from rich.table import Table

    path = [result.users(WORKED)[0]]
    while users := result.users(path[0].user):
        path.insert(0, users[0])
    text = Table.grid(padding=(0, 1))
    text.add_row(f"dL/d{WORKED} =", " * ".join(f"d{edge.user}/d{edge.source}" for edge in path))
    product = " * ".join(number(edge.local_derivative) for edge in path)
    text.add_row("        =", f"{product} = {number(result.node(WORKED).gradient)}")
    return text


def step_text(result: Result) -> Text:
    """The loss before and after one step, and the fall that the gradient alone foretells."""
    rate = number(result.settings["learning_rate"])
    before, after = result.loss, result.loss_after_step
    verb = "falls" if after < before else "rises" if after > before else "goes"
    return plain(
        f"Each weight and bias w becomes w - {rate} * dL/dw, and the loss {verb} from "
        f"{number(before)} to {number(after)}. Along a straight line with these slopes it would "
        f"fall by {number(result.predicted_fall)}, to {number(before - result.predicted_fall)}."
    )


def plain(text: str, style: str = "") -> Text:
    """Text as it is: brackets are no markup."""
    from rich.text import Text

    return Text(text, style)

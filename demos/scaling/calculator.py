"""The published laws as a calculator: `--predict` and `--allocate`, which train nothing."""

from collections.abc import Mapping
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.results import print_json
from scratchnet.demos.screen import Screen, Table, print_table
from scratchnet.demos.settings import flag
from scratchnet.depth import scaling
from scratchnet.depth.scaling import BESIROGLU, HOFFMANN, KAPLAN_COMPUTE, KAPLAN_PARAMETERS

LAWS: dict[str, tuple[Any, Any, Any]] = {
    "kaplan": (KAPLAN_PARAMETERS, scaling.kaplan_joint, scaling.kaplan_allocation),
    "hoffmann": (HOFFMANN, HOFFMANN, HOFFMANN.allocation),
    "besiroglu": (BESIROGLU, BESIROGLU, BESIROGLU.allocation),
}
"""L(N) with unlimited data, L(N, D), and how to spend a compute budget."""

TOKENS_PER_PARAMETER = 20
OPTIONS = ("predict", "allocate", "tokens", "json")


def calculate(given: Mapping[str, Any]) -> None:
    """Print what the laws say of the numbers. Raises `InputError` for other options beside them."""
    sizes, budgets, tokens = (given.get(name, ()) for name in OPTIONS[:3])
    others = [name for name in given if name not in OPTIONS]
    if others:
        raise InputError(f"{flag(others[0])} with --predict or --allocate: they train nothing")
    if tokens and not sizes:
        raise InputError(f"--tokens {tokens:g}: must stand with --predict")
    found = {
        "predictions": [prediction(N, tokens or TOKENS_PER_PARAMETER * N) for N in sizes],
        "allocations": [allocation(budget) for budget in budgets],
    }
    screen = Screen(given.get("json", False))
    if sizes:
        print_table(prediction_table(found["predictions"]), screen)
    if budgets:
        print_table(allocation_table(found["allocations"]), screen)
    screen.items(NOTES)
    if given.get("json"):
        print_json(found)


def prediction(N: float, D: float) -> dict[str, float]:
    """Each law's loss of N parameters with unlimited data, and with D tokens."""
    row = {"parameters": N, "tokens": D}
    for name, (unlimited, joint, _) in LAWS.items():
        row |= {f"{name}_unlimited": float(unlimited(N)), name: float(joint(N, D))}
    return row


def allocation(budget: float) -> dict[str, Any]:
    """How each law spends a compute budget."""
    spent = {name: vars(allocate(budget)) for name, (*_, allocate) in LAWS.items()}
    return {"compute": budget, **spent}


def prediction_table(rows: list[dict[str, float]]) -> Table:
    """A line for each number of parameters."""
    columns = [name + end for name in LAWS for end in ("_unlimited", "")]
    lines = [
        (*(f"{row[name]:g}" for name in ("parameters", "tokens")),)
        + tuple(f"{row[name]:.3f}" for name in columns)
        for row in rows
    ]
    title = "Test loss of a language model of N parameters with ∞ or D tokens, nats per token"
    headings = (f"{name.capitalize()}\n{d}" for name in LAWS for d in ("∞", "D"))
    return Table(("N", "D", *headings), lines, title)


def allocation_table(rows: list[dict[str, Any]]) -> Table:
    """A line for each budget and law."""
    lines = []
    for row in rows:
        for name in LAWS:
            N, D, loss = (row[name][key] for key in ("parameters", "samples", "loss"))
            cells = f"{N:.3g}", f"{D:.3g}", f"{D / N:.3g}", f"{loss:.3f}"
            lines.append((f"{row['compute']:g}", name.capitalize(), *cells))
    headings = ("compute", "law", "parameters N", "tokens D", "D / N", "loss")
    return Table(headings, lines, "How to spend a compute budget", words=(1,))


def formula(law: scaling.JointLaw) -> str:
    """Such as `L(N, D) = 1.69 + 406 / N^0.339 + 411 / D^0.285, C = 6 N D`."""
    terms = f"{law.E:g} + {law.A:g} / N^{law.alpha:g} + {law.B:g} / D^{law.beta:g}"
    return f"L(N, D) = {terms}, C = 6 N D"


def halving(law: scaling.PowerLaw, letter: str, what: str) -> str:
    """The law, and how much more of what halves the loss."""
    factor = f"{law.factor_to_multiply_loss_by(0.5):,.0f}"
    return (
        f"L({letter}) = ({law.scale:g} / {letter})^{law.exponent:g}; half the loss takes {factor} "
        f"times the {what}"
    )


NOTES = [
    f"Kaplan et al. (2020): {halving(KAPLAN_PARAMETERS, 'N', 'parameters')}, and ten times the "
    f"parameters multiply it by {10**-KAPLAN_PARAMETERS.exponent:.3f}. "
    f"{halving(scaling.KAPLAN_DATA, 'D', 'data')}. With D tokens their equation 1.5.",
    "Their allocation: N = 1.3e9 C^0.73 and D = 2e10 C^0.27, two fits, so that 6 N D need not be "
    f"C; L = ({KAPLAN_COMPUTE.scale / scaling.PETAFLOP_DAY:g} / C)^{KAPLAN_COMPUTE.exponent:g}, C "
    "in petaflop-days.",
    f"Hoffmann et al. (2022), Chinchilla, exponents before rounding: {formula(HOFFMANN)}.",
    f"Besiroglu et al. (2024), to the same runs: {formula(BESIROGLU)}.",
    "Each law is about transformers on a text of its own: do not compare losses across laws.",
]
"""The formulas with their constants, and where they come from."""

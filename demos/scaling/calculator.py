"""The published laws as a calculator: `--predict` and `--allocate`, which train nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scratchnet.backends import InputError
from scratchnet.demos.experiment import Screen, Table, print_table
from scratchnet.demos.results import print_json
from scratchnet.demos.settings import flag
from scratchnet.depth.scaling import (
    BESIROGLU,
    HOFFMANN,
    KAPLAN_COMPUTE,
    KAPLAN_DATA,
    KAPLAN_PARAMETERS,
    PETAFLOP_DAY,
    kaplan_allocation,
    kaplan_joint,
)

JOINT_LAWS = {"hoffmann": HOFFMANN, "besiroglu": BESIROGLU}
TOKENS_PER_PARAMETER = 20
OPTIONS = ("predict", "allocate", "tokens", "more", "json")


def calculate(given: Mapping[str, Any]) -> None:
    """Print what the laws say of the numbers. Raises `InputError` for other options beside them."""
    sizes, budgets = given.get("predict", ()), given.get("allocate", ())
    more, tokens = given.get("more", ()), given.get("tokens")
    if more and sizes and budgets:
        raise InputError(f"NUMBER {more[0]:g}: must follow --predict or --allocate, not both")
    others = [name for name in given if name not in OPTIONS]
    if others:
        raise InputError(f"{flag(others[0])} with --predict or --allocate: they train nothing")
    if tokens and not sizes:
        raise InputError(f"--tokens {tokens:g}: must stand with --predict")
    sizes, budgets = (tuple(each) + more if each else () for each in (sizes, budgets))
    found = {"predictions": predictions(sizes, tokens), "allocations": allocations(budgets)}
    screen = Screen(given.get("json", False))
    if sizes:
        print_table(prediction_table(found["predictions"]), screen)
    if budgets:
        print_table(allocation_table(found["allocations"]), screen)
    screen.items(notes(bool(sizes), bool(budgets)))
    if given.get("json"):
        print_json({**found, "constants": CONSTANTS})


def predictions(sizes: Sequence[float], tokens: float | None = None) -> list[dict[str, float]]:
    """For each number of parameters the losses with unlimited data and with so many tokens."""
    found = []
    for N in sizes:
        D = tokens or TOKENS_PER_PARAMETER * N
        row = {"parameters": N, "tokens": D}
        row |= {"kaplan_unlimited": KAPLAN_PARAMETERS(N), "kaplan": kaplan_joint(N, D)}
        for name, law in JOINT_LAWS.items():
            row |= {f"{name}_unlimited": law(N), name: law(N, D)}
        found.append({name: float(value) for name, value in row.items()})
    return found


def allocations(budgets: Sequence[float]) -> list[dict[str, Any]]:
    """For each compute budget how each law spends it."""
    laws = {"kaplan": kaplan_allocation}
    laws |= {name: law.allocation for name, law in JOINT_LAWS.items()}
    return [
        {"compute": budget, **{name: vars(law(budget)) for name, law in laws.items()}}
        for budget in budgets
    ]


def prediction_table(rows: Sequence[Mapping[str, float]]) -> Table:
    names = ("kaplan", *JOINT_LAWS)
    return Table(
        ("N", "D", *(f"{name.capitalize()}\n{d}" for name in names for d in ("∞", "D"))),
        [
            (f"{row['parameters']:g}", f"{row['tokens']:g}")
            + tuple(f"{row[name + end]:.3f}" for name in names for end in ("_unlimited", ""))
            for row in rows
        ],
        "Test loss of a language model of N parameters with ∞ or D tokens, nats per token",
    )


def allocation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = []
    for row in rows:
        for name in ("kaplan", *JOINT_LAWS):
            N, D, loss = (row[name][key] for key in ("parameters", "samples", "loss"))
            cells = f"{N:.3g}", f"{D:.3g}", f"{D / N:.3g}", f"{loss:.3f}"
            lines.append((f"{row['compute']:g}", name.capitalize(), *cells))
    headings = ("compute", "law", "parameters N", "tokens D", "D / N", "loss")
    return Table(headings, lines, "How to spend a compute budget", words=(1,))


CONSTANTS = {
    "kaplan_parameters": KAPLAN_PARAMETERS,
    "kaplan_data": KAPLAN_DATA,
    "kaplan_compute": KAPLAN_COMPUTE,
    **JOINT_LAWS,
}


def notes(predicting: bool, allocating: bool) -> list[str]:
    """The formulas with their constants, and where they come from."""
    n, d = KAPLAN_PARAMETERS, KAPLAN_DATA
    own = [
        f"Kaplan et al. (2020): L(N) = ({n.scale:g} / N)^{n.exponent:g}: ten times the parameters "
        f"multiply the loss by {10**-n.exponent:.3f}. Half the loss takes "
        f"{n.factor_to_multiply_loss_by(0.5):,.0f} times the parameters, or, by L(D) = "
        f"({d.scale:g} / D)^{d.exponent:g}, {d.factor_to_multiply_loss_by(0.5):,.0f} times the "
        "data. With D tokens their equation 1.5.",
        f"Kaplan et al. (2020): N = 1.3e9 C^0.73 and D = 2e10 C^0.27, two fits, so that 6 N D need "
        f"not be C; L = ({KAPLAN_COMPUTE.scale / PETAFLOP_DAY:g} / C)^{KAPLAN_COMPUTE.exponent:g}, "
        "C in petaflop-days.",
    ]
    return [
        *own[: int(predicting)],
        *own[1 : 1 + int(allocating)],
        *(
            f"{source}: L(N, D) = {law.E:g} + {law.A:g} / N^{law.alpha:g} + {law.B:g} / "
            f"D^{law.beta:g}, C = 6 N D."
            for source, law in (
                ("Hoffmann et al. (2022), Chinchilla, exponents before rounding", HOFFMANN),
                ("Besiroglu et al. (2024), to the same runs", BESIROGLU),
            )
        ),
        "Each law is about transformers on a text of its own: do not compare losses across laws.",
    ]

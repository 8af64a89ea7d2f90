"""The published laws as a calculator: `--predict` and `--allocate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scratchnet.backends import InputError
from scratchnet.demos.tables import bullets, new_table
from scratchnet.depth.scaling import (
    BESIROGLU,
    HOFFMANN,
    KAPLAN_BEST_EXPONENT,
    KAPLAN_BEST_PARAMETERS,
    KAPLAN_COMPUTE,
    KAPLAN_DATA,
    KAPLAN_PARAMETERS,
    PETAFLOP_DAY,
    Allocation,
    kaplan_allocation,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SMALLEST, LARGEST = 1.0, 1e40
LAWS = {"Hoffmann": HOFFMANN, "Besiroglu": BESIROGLU}
TOKENS_PER_PARAMETER = 20


def numbers(option: str, text: str) -> tuple[float, ...]:
    """The numbers of a list such as `1e8 1e10` or `1e8,1e10`, from 1 to 1e40.

    Raises `InputError`, which names the option, for anything else.
    """
    found = []
    for part in text.replace(",", " ").split():
        try:
            number = float(part)
        except ValueError:
            number = -1.0
        if not SMALLEST <= number <= LARGEST:
            raise InputError(
                f"{option} {part!r}: expected numbers from {SMALLEST:g} to {LARGEST:g}, such as "
                "1e8 1e10"
            )
        found.append(number)
    if not found:
        raise InputError(f"{option} {text!r}: expected one number or more, such as 1e8 1e10")
    return tuple(found)


def predictions(sizes: Sequence[float]) -> list[dict[str, float]]:
    """For each number of parameters, the loss that each law gives."""
    return [
        {
            "parameters": size,
            "kaplan": float(KAPLAN_PARAMETERS(size)),
            **{f"{name.lower()}_unlimited_data": float(law(size)) for name, law in LAWS.items()},
            **{
                f"{name.lower()}_{TOKENS_PER_PARAMETER}_tokens_per_parameter": float(
                    law(size, TOKENS_PER_PARAMETER * size)
                )
                for name, law in LAWS.items()
            },
        }
        for size in sizes
    ]


def allocations(budgets: Sequence[float]) -> list[dict[str, Any]]:
    """For each compute budget, how each law spends it."""
    return [
        {
            "compute": budget,
            "kaplan": kaplan_allocation(budget),
            **{name.lower(): law.allocation(budget) for name, law in LAWS.items()},
        }
        for budget in budgets
    ]


def constants() -> dict[str, Any]:
    """Every constant, by law."""
    return {
        "kaplan_parameters": KAPLAN_PARAMETERS,
        "kaplan_data": KAPLAN_DATA,
        "kaplan_compute": KAPLAN_COMPUTE,
        "kaplan_best_parameters_at_a_petaflop_day": KAPLAN_BEST_PARAMETERS,
        "kaplan_best_exponent": KAPLAN_BEST_EXPONENT,
        "hoffmann": HOFFMANN,
        "besiroglu": BESIROGLU,
    }


def report(sizes: Sequence[float], budgets: Sequence[float], console: Console) -> None:
    """Print the tables that were asked for, the laws with their constants, and their sources."""
    if sizes:
        console.print(
            "Test loss of a language model, nats per token, with D tokens of data", style="bold"
        )
        console.print(prediction_table(sizes))
    if budgets:
        console.print("How to spend a compute budget, C = 6 N D", style="bold")
        console.print(allocation_table(budgets))
    console.print(bullets(notes(bool(sizes), bool(budgets))))
    console.print()


def prediction_table(sizes: Sequence[float]) -> Table:
    shown = new_table(
        "parameters\nN", "Kaplan\nD = inf", "Hoffmann\nD = inf", "Hoffmann\nD = 20 N",
        "Besiroglu\nD = inf", "Besiroglu\nD = 20 N",
    )  # fmt: skip
    for row in predictions(sizes):
        size, kaplan, *others = row.values()
        pairs = (others[0], others[2], others[1], others[3])
        shown.add_row(f"{size:g}", f"{kaplan:.3f}", *(f"{each:.3f}" for each in pairs))
    return shown


def allocation_table(budgets: Sequence[float]) -> Table:
    shown = new_table("compute", "law", "parameters", "tokens", "tokens per\nparameter", "loss")
    for row in allocations(budgets):
        for name in ("kaplan", *(each.lower() for each in LAWS)):
            spent: Allocation = row[name]
            shown.add_row(
                f"{row['compute']:g}",
                name.capitalize(),
                f"{spent.parameters:.3g}",
                f"{spent.samples:.3g}",
                f"{spent.samples_per_parameter:.3g}",
                f"{spent.loss:.3f}",
            )
    return shown


def notes(predicting: bool, allocating: bool) -> list[str]:
    """The formulas with their constants, what they say, and where they come from."""
    n, d = KAPLAN_PARAMETERS, KAPLAN_DATA
    lines = []
    if predicting:
        lines += [
            f"Kaplan et al. (2020): L(N) = ({n.scale:g} / N)^{n.exponent:g}, N without "
            "embeddings, data and compute unlimited. So ten times the parameters multiply the "
            f"loss by {10**-n.exponent:.3f}; half the loss takes "
            f"{n.factor_to_multiply_loss_by(0.5):,.0f} times the parameters, or, by "
            f"L(D) = ({d.scale:g} / D)^{d.exponent:g}, {d.factor_to_multiply_loss_by(0.5):,.0f} "
            "times the data.",
        ]
    if allocating:
        lines += [
            f"Kaplan et al. (2020): N = {KAPLAN_BEST_PARAMETERS:g} C^{KAPLAN_BEST_EXPONENT:g} and "
            f"L = ({KAPLAN_COMPUTE.scale / PETAFLOP_DAY:g} / C)^{KAPLAN_COMPUTE.exponent:g}, with "
            f"C in petaflop-days of {PETAFLOP_DAY:g} floating-point operations; tokens are "
            "C / (6 N).",
        ]
    lines += [
        "Hoffmann et al. (2022), Chinchilla, third approach: "
        f"L(N, D) = {HOFFMANN.E:g} + {HOFFMANN.A:g} / N^{HOFFMANN.alpha:g} + {HOFFMANN.B:g} / "
        f"D^{HOFFMANN.beta:g}.",
        "Besiroglu et al. (2024) fitted the same form to the same runs again: "
        f"{BESIROGLU.E:g}, {BESIROGLU.A:g}, {BESIROGLU.alpha:g}, {BESIROGLU.B:g}, "
        f"{BESIROGLU.beta:g}; unlike the published constants, it agrees with Hoffmann's other two "
        "approaches, about 20 tokens for each parameter.",
        "The laws are about decoder-only transformers, each on a text and vocabulary of its own, "
        "so that losses of different laws are not to be compared; outside the sizes that were "
        "trained they are extrapolations.",
    ]
    return lines

"""`scratchnet backends`: what this machine computes with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scratchnet.backends import available_backends, get_backend
from scratchnet.backends.blas import warn_of_forced_kernel
from scratchnet.demos.backends import SUMMARY
from scratchnet.demos.results import print_json
from scratchnet.demos.screen import Screen
from scratchnet.demos.settings import ALL_BUT_JSON, Common, parse, resolve


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet backends`."""

    without = ALL_BUT_JSON


def main(arguments: Sequence[str]) -> int:
    """Print which backends work here, on which device, and why the others do not."""
    screen = Screen()
    if {"-h", "--help"} & set(arguments):
        screen.help("backends", Settings, SUMMARY)
        return 0
    settings = resolve(Settings, parse(Settings, arguments))
    described = describe_backends()
    warn_of_forced_kernel()
    if settings.json:
        print_json(described)
        return 0
    for name, facts in described.items():
        screen.text(name, "bold")
        shown = {"works here": "yes" if facts["works"] else "no", **facts}
        hidden = ("works", "backend")
        screen.pairs([(f"  {key}", f"{shown[key]}") for key in shown if key not in hidden])
    return 0


def describe_backends() -> dict[str, dict[str, Any]]:
    """For each backend: whether it works here, then its device, or the reason why not."""
    return {
        name: {"works": True, **get_backend(name).device_info()}
        if reason is None
        else {"works": False, "reason": reason}
        for name, reason in available_backends().items()
    }

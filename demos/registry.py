"""Which experiments there are: the folders here, each with its sentence.

A folder's `__init__.py` holds `SUMMARY`, the sentence of the list, and `PLACE`, a number by which
the list is sorted; its `experiment.py` holds `experiment`. Nothing else need be told of a new one.
A command that is no experiment has a `command.py` with `main(arguments)` instead.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from scratchnet import demos

if TYPE_CHECKING:
    from scratchnet.demos.experiment import Experiment


@dataclass(frozen=True)
class Entry:
    """An experiment, or another command, by name, before it is imported."""

    name: str
    summary: str
    place: int
    package: str

    @property
    def is_experiment(self) -> bool:
        """Whether it has an `experiment.py`, not only a `command.py`."""
        return find_spec(f"{self.package}.experiment") is not None

    def main(self, arguments: Sequence[str]) -> int:
        """Run the command with these arguments; the exit status."""
        if self.is_experiment:
            return self.load().main(arguments)
        status: int = importlib.import_module(f"{self.package}.command").main(arguments)
        return status

    def load(self) -> Experiment:
        """The experiment, imported."""
        module = importlib.import_module(f"{self.package}.experiment")
        found: Experiment = module.experiment
        return found


@cache
def entries() -> dict[str, Entry]:
    """Every experiment by the name of its command, in the order of the list."""
    found = []
    for each in pkgutil.iter_modules(demos.__path__, f"{demos.__name__}."):
        if not each.ispkg:
            continue
        module = importlib.import_module(each.name)
        if hasattr(module, "SUMMARY"):
            name = each.name.rpartition(".")[2].replace("_", "-")
            found.append(Entry(name, module.SUMMARY, module.PLACE, each.name))
    return {each.name: each for each in sorted(found, key=lambda each: each.place)}

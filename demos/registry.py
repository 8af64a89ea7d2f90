"""Which experiments there are: the folders here, each with its sentence.

A folder's `__init__.py` holds `SUMMARY`, the sentence of the list, and `PLACE`, a number by which
the list is sorted; its `experiment.py` holds `experiment`. Nothing else need be told of a new one.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

from scratchnet import demos
from scratchnet.demos.experiment import Experiment


@dataclass(frozen=True)
class Entry:
    """An experiment by name, before it is imported."""

    name: str
    summary: str
    place: int
    package: str

    def load(self) -> Experiment:
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

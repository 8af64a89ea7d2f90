"""Where something stands in the source: `module:name` as file and line."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any


def named(source: str) -> Any:
    """What `module:name` names; the name may have dots, as `tensor:Tensor.backward` has."""
    module, _, path = source.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def place(source: str) -> tuple[str, int]:
    """The file, from the repository's root on, and the line of its definition."""
    module = source.partition(":")[0]
    _, line = inspect.getsourcelines(named(source))
    folder, *inner = module.split(".")
    # backends/ and demos/ stand beside scratchnet/ in the repository.
    parts = inner[:-1] if inner[0] in ("backends", "demos") else [folder, *inner[:-1]]
    return "/".join([*parts, Path(str(importlib.import_module(module).__file__)).name]), line

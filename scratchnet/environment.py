"""What the bits of a training depend on beside its numbers: device, library, BLAS, threads."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from scratchnet.backends import InputError
from scratchnet.model import Model

Environment = Mapping[str, str | int | float]

WITHOUT_EFFECT = ("cores", "memory_gib")
"""What a device tells of itself that changes no bit: the threads in use are counted apart."""
DIFFERENCES_SHOWN = 6


def environment_of(model: Model) -> Environment:
    """The backend that the model computes with, its device and its libraries.

    On NumPy: BLAS with its version, its kernel and its threads, the processor, NumPy's version.
    """
    facts = model.backend.device_info()
    return {name: each for name, each in facts.items() if name not in WITHOUT_EFFECT}


def checked_environment(path: str | Path, environment: Any) -> Environment:
    """The environment that a file's header holds. Raises `InputError` where it is none."""
    is_one = isinstance(environment, dict) and all(
        type(each) in (str, int, float) for each in environment.values()
    )
    if not is_one or "backend" not in environment:
        raise InputError(
            f"{path}: environment is {as_json(environment)}: must be an object of texts and "
            "numbers, among them backend"
        )
    return cast(Environment, environment)


def warn_of_another(path: str | Path, there: Environment, here: Environment) -> None:
    """Name what differs between the environment of a file and this one, in one line."""
    differences = [
        f"{name if name.isidentifier() else as_json(name)} was {as_json(there.get(name))}, "
        f"here it is {as_json(here.get(name))}"
        for name in dict.fromkeys([*here, *there])
        # As text: 1 and 1.0 are equal in Python, and NaN is not equal to itself.
        if json.dumps(there.get(name)) != json.dumps(here.get(name))
    ]
    if differences:
        shown = "; ".join(differences[:DIFFERENCES_SHOWN])
        warnings.warn(
            f"{path} goes on, but perhaps not bit for bit as without a stop: {shown}",
            RuntimeWarning,
            stacklevel=3,
        )


def as_json(value: Any) -> str:
    """The value as JSON, on one line and cut off where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."

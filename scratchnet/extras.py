"""Libraries that only some parts need: imported where they are used, and missed in one line."""

from __future__ import annotations

import importlib
from typing import Any

from scratchnet.backends.errors import InputError


def require(module: str, distribution: str, extra: str, what: str) -> Any:
    """The module, imported; or `InputError`, which says what needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f"{what} needs {distribution}, which is not installed: pip install -e '.[{extra}]'"
        ) from None


def is_installed(module: str) -> bool:
    """Whether the module can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True

"""Libraries that only some parts need: imported where they are used, and missed in one line."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from scratchnet.backends.errors import InputError


def require(module: str, distribution: str, extra: str, what: str) -> Any:
    """The module, imported; or `InputError`, which says what needs it and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise _missing(distribution, extra, what) from None


def require_installed(module: str, distribution: str, extra: str, what: str) -> None:
    """`InputError` as of `require` where there is no such module; does not import it."""
    if find_spec(module) is None:
        raise _missing(distribution, extra, what)


def _missing(distribution: str, extra: str, what: str) -> InputError:
    """What says how to install it."""
    return InputError(
        f"{what} needs {distribution}, which is not installed: pip install -e '.[{extra}]'"
    )


def is_installed(module: str) -> bool:
    """Whether the module can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True

"""What a run leaves behind: a folder with its figures and `result.json`, or JSON on stdout."""

import dataclasses
import errno
import json
import math
import os
import platform
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import numpy as np

from scratchnet.backends import Backend, get_backend
from scratchnet.backends.errors import InputError

RECORD_NAME = "result.json"


def environment(backend: str | Backend = "auto") -> dict[str, Any]:
    """What a reader needs to repeat a run: versions, platform, device and date (UTC, ISO 8601)."""
    return {
        "scratchnet": installed_version("scratchnet"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **get_backend(backend).device_info(),
    }


def installed_version(distribution: str) -> str:
    """The version of an installed distribution, or `not installed`."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def check_writable(folder: Path, option: str = "--out") -> None:
    """Raise `InputError` where `folder` cannot be written or made; call it before long work.

    It tries a nameless temporary file in the folder, or in the nearest parent that exists, and
    leaves nothing behind.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        if existing.is_symlink():
            raise InputError(
                f"{option} {folder}: {existing} is a link to nothing; must be a folder"
            )
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"{option} {folder}: {existing} is a file; must be a folder")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = f"cannot write in {existing} ({error.strerror})"
        raise InputError(f"{option} {folder}: {reason}; must be writable") from None


def check_writable_file(path: Path, option: str) -> None:
    """Raise `InputError` where no file can be written at `path`."""
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; must be a file")
    check_writable(path.expanduser().absolute().parent, option)


def to_plain(value: Any) -> Any:
    """The value in JSON's own terms: dictionaries, lists, strings, numbers, booleans and None.

    Arrays become lists and dataclasses dictionaries. JSON has neither NaN nor infinity, so both
    become null. Raises `TypeError` for anything that has no plain form.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def to_json(value: Any, ascii_only: bool = False) -> str:
    """The value as JSON text, under the rules of `to_plain`; a list of numbers is one line."""
    text = json.dumps(to_plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)
    # A line ends between entries only: within a text JSON writes it as backslash and n.
    return re.sub(r"\[\n[^\[\]{}]*\]", lambda found: re.sub(r"\n *", " ", found[0]), text)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout, in ASCII, which every terminal and pipe takes."""
    write(sys.stdout, to_json(value, ascii_only=True) + "\n")


def visible(text: str) -> str:
    """The text with what steers a terminal, such as a file's name may hold, as `\\x1b`."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def write(stream: IO[str] | None, text: str) -> None:
    """Write the text; where its reader went away, all else goes nowhere.

    `| head -1` goes away, and a terminal that is closed. A stream that was closed before the start,
    as by `>&-`, is None.
    """
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        is_terminal = error.errno == errno.EIO and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
        if not (is_terminal or error.errno == errno.EPIPE):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

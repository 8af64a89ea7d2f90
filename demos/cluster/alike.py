"""What the bits of a chunk depend on besides its settings: alike on all workers, or refused."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

from scratchnet.backends import get_backend
from scratchnet.backends.errors import InputError
from scratchnet.demos.running import Advance, Numbers, no_progress, source_digest
from scratchnet.environment import WITHOUT_EFFECT

Facts = Mapping[str, str]


class How(NamedTuple):
    """How chunks are trained."""

    backend: str
    precision: str
    compile: bool


def train(expected: Facts, how: How, compute: Callable[[Advance], Numbers]) -> Numbers:
    """Train a chunk, on a worker."""
    from scratchnet.compiled_step import compiling

    differences = different(expected, facts(how))
    if differences:
        raise RuntimeError(f"a worker that joined later differs in {', '.join(differences)}")
    with limited_threads(), compiling() if how.compile else nullcontext():
        return compute(no_progress)


def limited_threads() -> Any:
    """A block in which BLAS computes in one thread, as a worker has one core."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def facts(how: How) -> Facts:
    """What the bits of a chunk depend on besides its settings, on this machine."""
    known = {"python": platform.python_version(), "scratchnet": source_digest()[:12]}
    try:
        backend = get_backend(how.backend, how.precision)
    except InputError as error:
        return known | {"backend": one_line(error)}
    with limited_threads():
        device = backend.device_info()
    known |= {name: str(each) for name, each in device.items() if name not in WITHOUT_EFFECT}
    return known | ({"compiler": backend.compiler()} if how.compile else {})


def different(one: Facts, other: Facts) -> list[str]:
    """The names of the facts that differ."""
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def check_workers(here: Facts, there: Mapping[str, Facts]) -> None:
    """Raise `InputError` with a table, in its notes, of what differs between workers and here."""
    rows: dict[str, list[str]] = {}
    for address, known in sorted(there.items()):
        for name in different(here, known):
            row = f"{name}: {known.get(name, 'missing')}; here {here.get(name, 'missing')}"
            rows.setdefault(row, []).append(address)
    if rows:
        error = InputError("workers must be like this process, but differ:")
        for row, those in rows.items():
            others = f" and {len(those) - 1} more" if len(those) > 1 else ""
            error.add_note(f"{row} ({those[0]}{others})")
        raise error


def one_line(error: Any) -> str:
    """The kind of an error and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__

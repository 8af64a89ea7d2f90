"""What the bits of a chunk depend on besides its settings: alike on all workers, or refused."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
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


class Unlike(RuntimeError):
    """A chunk came to a worker that joined later and differs from the client."""


VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Where a BLAS reads, as it is loaded, in how many threads it computes."""


def train(expected: Facts, how: How, compute: Callable[[Advance], Numbers]) -> Numbers:
    """Train a chunk, on a worker."""
    from scratchnet.compiled_step import compiling

    if names := different(expected, facts_of_worker(how)):
        raise Unlike(f"a worker that joined later differs in {', '.join(names)}")
    with one_thread(), compiling() if how.compile else nullcontext():
        return compute(no_progress)


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which BLAS computes in one thread, also a BLAS that is loaded inside."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    try:
        with threadpool_limits(1):
            yield
    finally:
        for name in VARIABLES:
            del os.environ[name]
        os.environ.update(before)


def facts(how: How, of_device: Callable[[How], dict[str, str]] | None = None) -> Facts:
    """What the bits of a chunk depend on besides its settings, on this machine."""
    known = {"python": platform.python_version(), "scratchnet": source_digest()[:12]}
    try:
        return known | (of_device or facts_of_device)(how)
    except InputError as error:
        return known | {"backend": one_line(error)}


def facts_of_device(how: How) -> dict[str, str]:
    """Those of `facts` that the device tells; not the threads of BLAS, as a chunk takes one."""
    backend = get_backend(how.backend, how.precision)
    device = backend.device_info()
    left_out = (*WITHOUT_EFFECT, "threads")
    known = {name: str(each) for name, each in device.items() if name not in left_out}
    return known | ({"compiler": backend.compiler()} if how.compile else {})


kept_facts_of_device = cache(facts_of_device)
"""They are found out once, as each chunk asks; what is raised is not kept, as it may pass."""


def facts_of_worker(how: How) -> Facts:
    """`facts` on a worker."""
    return facts(how, kept_facts_of_device)


def different(one: Facts, other: Facts) -> list[str]:
    """The names of the facts that differ."""
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def facts_of_workers(
    client: Any, how: How, here: Facts, addresses: Sequence[str] | None = None
) -> Mapping[str, Facts]:
    """What these workers have, or all, by address; of one that cannot tell, what it raised."""
    found = client.run(facts_of_worker, how, workers=addresses, on_error="return")
    # A worker that dies meanwhile is checked with the first chunk that its successor gets.
    return {
        address: {**here, "scratchnet": one_line(known)} if isinstance(known, Exception) else known
        for address, known in found.items()
        if not isinstance(known, OSError)
    }


def check_workers(here: Facts, there: Mapping[str, Facts]) -> None:
    """Raise `InputError` with a table, in its notes, of what differs between workers and here."""
    if table := table_of(here, there):
        error = InputError("workers must be like this process, but differ:")
        for row in table:
            error.add_note(row)
        raise error


def table_of(here: Facts, there: Mapping[str, Facts]) -> list[str]:
    """A line for each fact that differs between workers and here, with the workers' addresses."""
    rows: dict[str, list[str]] = {}
    for address, known in sorted(there.items()):
        for name in different(here, known):
            row = f"{name}: {known.get(name, 'missing')}; here {here.get(name, 'missing')}"
            rows.setdefault(row, []).append(address)
    more = {row: f" and {len(those) - 1} more" if those[1:] else "" for row, those in rows.items()}
    return [f"{row} ({those[0]}{more[row]})" for row, those in rows.items()]


def one_line(error: Any) -> str:
    """The kind of an error and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__

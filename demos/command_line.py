"""The `scratchnet` command: lists the demos, runs one, and reports bad input in one line.

The registry finds the demos. Their modules are imported only when one runs, so that
`scratchnet --help` answers at once.
"""

import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos import registry
from scratchnet.demos.results import installed_version, visible, write
from scratchnet.interruption import INTERRUPTED, interruptions_raise

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scratchnet` with these arguments (the process's by default); the exit status.

    Bad input and an output that cannot be written give one line on stderr and status 2; an
    interruption gives 130. Any other exception is a mistake in the program and is not hidden.
    """
    interruptions_raise()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character such as ± gets a question mark.
            stream.reconfigure(errors="replace")
    try:
        with one_line_warnings():
            status = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except InputError as error:
        return complain(str(error), notes=getattr(error, "__notes__", ()))
    except MemoryError as error:
        return complain(f"not enough memory: {error}")
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        return complain(f"{file}{error.strerror or error}")
    return complain("interrupted", INTERRUPTED) if status == INTERRUPTED else status


def run(arguments: Sequence[str]) -> int:
    """Run the demo that the first argument names with the others; the exit status."""
    first, *others = arguments or ["--help"]
    if not first.startswith("-"):
        return choose("demo", first, registry.entries()).main(others)
    choose("option", first, {"--help": list_demos, "-h": list_demos, "--version": print_version})()
    return 0


def list_demos() -> None:
    """Print each demo with its sentence, and what to run first."""
    from scratchnet.demos.screen import Screen

    screen = Screen()
    screen.text("Neural networks and backpropagation from scratch. The demos:\n")
    screen.pairs([(f"  {name}", each.summary) for name, each in registry.entries().items()], "bold")
    screen.text("\nStart with:         scratchnet backprop")
    screen.text("Options of a demo:  scratchnet NAME --help")
    screen.text("The version:        scratchnet --version")


def print_version() -> None:
    """Print the version of scratchnet and of what it computes with."""
    import platform

    versions = [f"{name} {installed_version(name)}" for name in ("scratchnet", "numpy")]
    write(sys.stdout, f"{', '.join(versions)}, Python {platform.python_version()}\n")


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """A warning, such as that of a network that diverged, is one line without its source code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")  # type: ignore[assignment]
        yield


def complain(message: str, status: int = BAD_INPUT, notes: Sequence[str] = ()) -> int:
    """Print the message as one line on stderr, and each note below; returns the exit status."""
    lines = [f"scratchnet: {message}", *notes]
    write(sys.stderr, "\n  ".join(visible(" ".join(line.split())) for line in lines) + "\n")
    return status

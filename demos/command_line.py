"""The `scratchnet` command: lists the demos, runs one, and reports bad input in one line.

A demo is a module with a function `command`, whose parameters are its options. Modules are
imported only when their demo runs, so that `scratchnet --help` answers at once.
"""

from __future__ import annotations

import importlib
import inspect
import io
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from scratchnet.backends.errors import InputError, choose
from scratchnet.demos import options, registry
from scratchnet.interruption import interruptions_raise

DEMOS: dict[str, tuple[str, str]] = {}
BACKENDS_SENTENCE = "Which array libraries work here, on which device, or why not."

HELP_NAMES = {"help_option_names": ["-h", "--help"]}

BAD_INPUT = 2
INTERRUPTED = 130

LARGEST = {
    "--seeds": 10_000,
    "--trials": 100_000,
    "--width": 100_000,
    "--points": 10_000_000,
    "--samples": 100_000_000,
    "--epochs": 100_000_000,
    "--steps": 100_000_000,
    "--rounds": 1_000,
}
"""The largest value of an option whose demo states none; a limit of sense, not of memory."""
LARGEST_WHOLE_NUMBER, LARGEST_NUMBER = 2**31 - 1, 1e9

# The library that parses the arguments moved between releases; its exceptions are reached
# through the one public name: BadParameter < UsageError < ClickException.
UsageError: type[Any] = typer.BadParameter.__mro__[1]
CommandLineError: type[Any] = UsageError.__mro__[1]


class DemoGroup(TyperGroup):
    """Subcommands known by name and sentence; their modules are imported when they are run."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return [*summaries(), *self.commands]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """The command as the list of commands needs it: its name and its sentence."""
        if cmd_name in summaries():
            return TyperCommand(cmd_name, short_help=summaries()[cmd_name])
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """The command as running it needs it: with the options of its module."""
        name = args[0]
        choose("demo", name, dict.fromkeys(self.list_commands(ctx)))
        return name, load(name) if name in DEMOS else self.commands[name], args[1:]


def summaries() -> dict[str, str]:
    """Every demo by name, with its sentence."""
    places = {name: 10.0 * place for place, name in enumerate(DEMOS)}
    sentences = {name: sentence for name, (_, sentence) in DEMOS.items()}
    for name, entry in registry.entries().items():
        places[name], sentences[name] = entry.place, entry.summary
    return {name: sentences[name] for name in sorted(places, key=places.__getitem__)}


def load(name: str) -> Any:
    """The command of a demo, from the function `command` of its module."""
    demo = typer.Typer(add_completion=False, rich_markup_mode=None)
    command = importlib.import_module(DEMOS[name][0]).command
    if "seeds" in inspect.signature(command).parameters:
        command = with_record_option(command)
    demo.command(name, context_settings=HELP_NAMES)(command)
    return with_limits(get_command(demo))


def with_limits(command: Any) -> Any:
    """The command, in which every option that takes a number has a largest one."""
    for option in command.params:
        kind = option.type_descriptor.annotation
        largest = {int: LARGEST_WHOLE_NUMBER, float: LARGEST_NUMBER}.get(kind)
        if kind is float and option.min is None:
            continue  # the demo holds it against limits of its own
        if largest is not None and option.max is None:
            largest = LARGEST.get(option.opts[-1], largest)
            # The one is what help and errors name, the other what a value is held against.
            option.max = option.type_descriptor.parameter_info.max = largest
    return command


def with_record_option(command: Callable[..., None]) -> Callable[..., None]:
    """The command of a demo that trains, with `--no-record`, which all of them take."""
    from scratchnet.program import eager

    def with_option(record: bool, **settings: Any) -> None:
        with nullcontext() if record else eager():
            command(**settings)

    hints = get_type_hints(command, include_extras=True)
    parameters = [
        each.replace(annotation=hints[name])
        for name, each in inspect.signature(command).parameters.items()
    ]
    option = inspect.Parameter(
        "record", inspect.Parameter.KEYWORD_ONLY, default=True, annotation=options.Record
    )
    with_option.__signature__ = inspect.Signature([*parameters, option])  # type: ignore[attr-defined]
    with_option.__annotations__ = {**hints, "record": options.Record}
    with_option.__doc__ = command.__doc__
    return with_option


app = typer.Typer(
    cls=DemoGroup, context_settings=HELP_NAMES, add_completion=False, rich_markup_mode=None
)


@app.callback()
def scratchnet() -> None:
    """Neural networks and backpropagation from scratch, and experiments on depth.

    scratchnet --version names the version.
    """


def print_version() -> None:
    """Print the version of scratchnet and of what it computes with."""
    import platform

    from scratchnet.demos.results import installed_version

    versions = {name: installed_version(name) for name in ("scratchnet", "numpy")}
    versions["Python"] = platform.python_version()
    print(", ".join(f"{name} {version}" for name, version in versions.items()))


def list_demos() -> None:
    """Print each demo with its sentence, and what to run first."""
    from rich.table import Table

    from scratchnet.demos.terminal import console_for

    demos = Table.grid(padding=(0, 2))
    demos.add_column(no_wrap=True)
    demos.add_column()
    for name, sentence in summaries().items():
        demos.add_row(f"  [bold cyan]{name}", sentence)
    demos.add_row("  [bold cyan]backends", BACKENDS_SENTENCE)
    console = console_for()
    console.print("Neural networks and backpropagation from scratch. The demos:\n")
    console.print(demos)
    console.print("\nStart with:  [bold]scratchnet backprop[/]")
    console.print("Options of a demo:  [bold]scratchnet NAME --help[/]")


@app.command("backends", help=BACKENDS_SENTENCE, short_help=BACKENDS_SENTENCE)
def backends(json: options.Json = False) -> None:
    """Print which backends work here, on which device, and why the others do not."""
    from scratchnet.backends.blas import warn_of_forced_kernel
    from scratchnet.demos.results import print_json
    from scratchnet.demos.terminal import console_for

    described = describe_backends()
    warn_of_forced_kernel()
    if json:
        print_json(described)
        return
    console = console_for()
    console.print(backends_table(described))
    for name, facts in described.items():
        if not facts["works"]:
            console.print(f"{name} does not work here: {facts['reason']}", markup=False)


def describe_backends() -> dict[str, dict[str, Any]]:
    """For each backend: whether it works here, then its device, or the reason why not."""
    from scratchnet.backends import available_backends, get_backend

    return {
        name: {"works": True, **get_backend(name).device_info()}
        if reason is None
        else {"works": False, "reason": reason}
        for name, reason in available_backends().items()
    }


def backends_table(described: Mapping[str, Mapping[str, Any]]) -> Any:
    """A row for each backend: name, whether it works, device, BLAS, kernel, threads, the rest."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("backend", "works here", "device", "BLAS", "kernel", "threads", "also"):
        table.add_column(heading)
    named = ("works", "reason", "backend", "device", "blas", "kernel", "threads")
    for name, facts in described.items():
        others = (f"{key} {value}" for key, value in facts.items() if key not in named)
        table.add_row(
            name,
            "yes" if facts["works"] else "no",
            *(str(facts.get(key) or "") for key in ("device", "blas", "kernel", "threads")),
            ", ".join(others),
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scratchnet` with these arguments (the process's by default); the exit status.

    Bad input and an output that cannot be written give one line on stderr and status 2; an
    interruption gives 130. Any other exception is a mistake in the program and is not hidden.
    """
    interruptions_raise()
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character such as ± gets a question mark.
            stream.reconfigure(errors="replace")
    try:
        if not arguments:
            list_demos()
            return 0
        if arguments == ["--version"]:
            print_version()
            return 0
        with one_line_warnings():
            if arguments[0] in registry.entries():
                status = registry.entries()[arguments[0]].main(arguments[1:])
                return complain("interrupted", INTERRUPTED) if status == INTERRUPTED else status
            status = get_command(app)(arguments, prog_name="scratchnet", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return complain("interrupted", INTERRUPTED)
    except InputError as error:
        return complain(str(error))
    except CommandLineError as error:
        return complain(explain(error, arguments))
    except MemoryError as error:
        return complain(f"not enough memory: {error}")
    except BrokenPipeError:
        from scratchnet.demos.terminal import silence

        # Whoever read the output has read enough.
        silence(sys.stdout)
        return 0
    except OSError as error:
        return complain(describe_os_error(error))
    if status == INTERRUPTED:
        return complain("interrupted", INTERRUPTED)
    return status if isinstance(status, int) else 0


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """A warning, such as that of a network that diverged, is one line without its source code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")  # type: ignore[assignment]
        yield


def complain(message: str, status: int = BAD_INPUT) -> int:
    """Print the message as one line on stderr; returns the exit status."""
    print("scratchnet:", " ".join(message.split()), file=sys.stderr)
    return status


def explain(error: Any, arguments: Sequence[str]) -> str:
    """A usage error in one line: the option, the value, and what is accepted."""
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    try:
        if hasattr(error, "possibilities") and context is not None:
            known = [name for each in context.command.get_params(context) for name in each.opts]
            choose("option", error.option_name, dict.fromkeys(known))
        if context is not None and parameter is not None:
            command = inspect.unwrap(context.command.callback)
            annotation = get_type_hints(command, include_extras=True)[parameter.name]
            value = given_value(arguments, parameter.opts)
            if value is not None:
                limits = (parameter.min, parameter.max)
                return explain_value(parameter.opts[-1], value, annotation, limits, error.message)
    except InputError as better:
        return str(better)
    hint = f" ({context.command_path} --help lists what is accepted)" if context else ""
    return f"{error.format_message().rstrip('.')}{hint}"


def explain_value(
    option: str, value: str, annotation: Any, limits: tuple[Any, Any], message: str
) -> str:
    """What is wrong with the value; `message` where annotation and limits say no more.

    Raises `InputError`, with the nearest choice, for an option that takes one of a few words.
    """
    kind = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        choose(f"value for {option}", value, dict.fromkeys(get_args(kind)))
    words = {int: "a whole number", float: "a number"}.get(kind)
    if words is None:
        return f"{option} {value!r}: {message}"
    low, high = limits
    if low is not None and high is not None:
        words += f" from {low:,} to {high:,}"
    elif low is not None:
        words += f" of at least {low:,}"
    elif high is not None:
        words += f" of at most {high:,}"
    return f"{option} {value!r}: expected {words}"


def given_value(arguments: Sequence[str], names: Sequence[str]) -> str | None:
    """The text given last for the option, as `--name value` or `--name=value`."""
    for before, argument in reversed(list(zip(["", *arguments], arguments, strict=False))):
        name, equals, value = argument.partition("=")
        if equals and name in names:
            return value
        if before in names:
            return argument
    return None


def describe_os_error(error: OSError) -> str:
    """The file and what the system said about it."""
    file = f"{error.filename}: " if error.filename else ""
    return f"{file}{error.strerror or error}"

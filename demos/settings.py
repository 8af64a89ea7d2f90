"""The settings of an experiment: a dataclass whose fields are the options of its command.

    @dataclass(frozen=True)
    class Settings(Common):
        depths: tuple[int, ...] = option((1, 2, 4, 8), "Hidden layers.", quick=(1, 4), high=1000)
        optimizer: Literal["sgd", "adam"] = option("sgd", "sgd is full-batch gradient descent.")
        epochs: int = option({"sgd": 3000, "adam": 600}, "Training steps.", by="optimizer", low=1)

A field has a type, a default, a value for `--quick`, a range and a sentence, which says what its
option does: of a switch that is on by default, what `--no-NAME` does. From these follow the
options, the help, the checks, the record in JSON and every line about bad input. A default that is
a dictionary depends on another field, `by`, and so may a quick value.

`parse` reads arguments, `resolve` fills in what was not given. A `positional` field is no option:
it takes the words that belong to none, in the order of the fields; a tuple takes all that follow.
Types are bool, int, float, str, Path, Literal of words, tuples of int, float, str or Literal, and
any of these or None.
"""

import dataclasses
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from scratchnet.backends.errors import InputError, choose

MOST_SEEDS = 10_000
LARGEST_SEED = 2**31 - 1
LARGEST = 1_000_000_000
"""Of any number without a limit of its own."""
SAME: Any = object()
"""As a quick value: the default, as it is."""


@dataclass(frozen=True)
class Option:
    """What a field's metadata says besides its type."""

    default: Any
    help: str
    quick: Any = SAME
    by: str | None = None
    low: float | None = None
    high: float | None = None
    metavar: str | None = None
    above: bool = False
    """Whether the value must be above `low`, not only at least as large."""
    chooses_arms: bool = False
    """Whether it only says which arms there are, so that no arm's numbers depend on it."""
    repeats: bool = False
    """Whether a list may hold a value twice, as the coordinates of a point do."""
    positional: bool = False
    """Whether it is given by its place alone. It may be left out."""

    def value(self, others: Mapping[str, Any], quick: bool) -> Any:
        """The default, or the quick value, given the fields that were chosen before."""
        chosen = self.quick if quick and self.quick is not SAME else self.default
        return chosen[others[self.by]] if self.by and isinstance(chosen, dict) else chosen


def option(default: Any, help: str, **details: Any) -> Any:
    """A field of a settings class; the other details are those of `Option`."""
    chosen = Option(default, help, **details)
    return field(default=None if chosen.by else default, metadata={"option": chosen})


@dataclass(frozen=True)
class Common:
    """The options that every experiment has, but for those that it names in `without`."""

    without: ClassVar[tuple[str, ...]] = ()
    """Fields of this class that make no sense for the experiment, such as seeds of a circuit."""

    backend: Literal["auto", "numpy", "cupy"] = option(
        "auto", "Array library: auto takes the fastest one that works here."
    )
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = option(
        "fp32", "Of the operands of products; all else is float32. NumPy only rounds."
    )
    record: bool = option(True, "Compute each training step anew: the same bits, slower.")
    compile: Literal["auto", "on", "off"] = option(
        "auto", "Compile recorded steps: faster, other last bits. auto does so for long runs."
    )
    seed: int = option(0, "First seed; the same seed gives the same run.", low=0, high=LARGEST_SEED)
    seeds: int = option(10, "Seeds of each arm.", quick=3, low=1, high=MOST_SEEDS)
    quick: bool = option(False, "Fewer arms, one learning rate, no verdicts: a first look.")
    out: Path = option(
        Path("runs"), "Folder for the numbers and figures; an experiment's default is runs/NAME."
    )
    json: bool = option(False, "Print one JSON object on stdout, all else on stderr.")
    csv: bool = option(False, "Also write all rows as a table, rows.csv.")
    vector: bool = option(False, "Also write the figures as SVG.")
    show: bool = option(False, "Open the figures in windows as well.")
    resume: bool = option(False, "Take arms that an earlier run in --out finished from there.")
    workers: int | None = option(None, "Processes that train the networks.", low=1, high=1000)
    scheduler: str | None = option(None, "Dask's, whose workers do so.", metavar="ADDRESS")


ALL_BUT_JSON = tuple(each.name for each in dataclasses.fields(Common) if each.name != "json")
"""What a command that only prints something is `without`."""

PRESENTATION = (
    *("quick", "watch", "out", "json", "csv", "vector", "show", "resume", "record"),
    *("workers", "scheduler"),
)
"""Fields that change no number of an arm."""

S = TypeVar("S", bound=Common)


def options_of(kind: type[Common]) -> dict[str, Option]:
    """Name and option of each field: the experiment's own first, then those of all."""
    fields = {each.name: each for each in dataclasses.fields(kind)}
    common = [each.name for each in dataclasses.fields(Common)]
    names = [name for name in fields if name not in common] + common
    return {name: fields[name].metadata["option"] for name in names if name not in kind.without}


def flag(name: str) -> str:
    """The option of a field: `learn_inputs` gives `--learn-inputs`."""
    return "--" + name.replace("_", "-")


def positionals(kind: type[Common]) -> dict[str, str]:
    """The fields that are given by their places, and what the help calls them, such as FILE."""
    return {
        name: details.metavar or name.upper()
        for name, details in options_of(kind).items()
        if details.positional
    }


def usage(kind: type[Common]) -> str:
    """Such as `[FILE] [OPTIONS]`, with dots where a tuple takes several."""
    hints = get_type_hints(kind)
    dots = {name: "..." * (get_origin(without_none(hints[name])) is tuple) for name in hints}
    places = [f"[{word}]{dots[name]}" for name, word in positionals(kind).items()]
    return " ".join([*places, "[OPTIONS]"])


def resolve(kind: type[S], given: Mapping[str, Any]) -> S:
    """The settings: what is given, the quick values under `quick`, and the defaults.

    Raises `InputError` for a value outside its range and for an unknown name.
    """
    options = options_of(kind)
    for name in given:
        choose("setting", name, options)
    values: dict[str, Any] = dict(given)
    quick = bool(values.get("quick", False))
    waiting = [name for name in options if name not in values]
    while waiting:
        ready = [name for name in waiting if (options[name].by or "") not in waiting]
        for name in ready:
            values[name] = options[name].value(values, quick)
        waiting = [name for name in waiting if name not in ready]
    check_all(kind, given)
    return kind(**values)


def check_all(kind: type[Common], given: Mapping[str, Any]) -> None:
    """Raise `InputError` where one of the values is outside the range of its field."""
    hints, options, places = get_type_hints(kind), options_of(kind), positionals(kind)
    for name, value in given.items():
        check(places.get(name, flag(name)), value, hints[name], options[name])


def check(name: str, value: Any, kind: Any, details: Option) -> None:
    """Raise `InputError` where a value, or an entry of a tuple, is outside its range."""
    kind = without_none(kind)
    if get_origin(kind) is tuple and value is not None:
        for entry in value:
            check(name, entry, get_args(kind)[0], details)
        if (len(set(value)) < len(value) and not details.repeats) or not value:
            raise InputError(f"{name} {joined(value)}: must be a list without repetitions")
        return
    if kind in (int, float) and value is not None:
        low, high = details.low, LARGEST if details.high is None else details.high
        too_low = low is not None and (value <= low if details.above else value < low)
        if not math.isfinite(value) or too_low or value > high:
            raise InputError(f"{name} {value}: must be {wanted(kind, details)}")


def wanted(kind: Any, details: Option | None = None) -> str:
    """What a value must be, in words."""
    kind = without_none(kind)
    if get_origin(kind) is tuple:
        entry = get_args(kind)[0]
        if get_origin(entry) is Literal:
            return f"some of {', '.join(map(str, get_args(entry)))}, separated by commas"
        words = wanted(entry, details).replace("a whole number", "whole numbers")
        return f"{words.replace('a number', 'numbers')}, separated by commas"
    words = {int: "a whole number", float: "a number", Path: "a path"}.get(kind, "text")
    if details is None or kind not in (int, float):
        return words
    high = LARGEST if details.high is None else details.high
    if details.low is None:
        return f"{words} of at most {high:,}"
    if details.above:
        return f"{words} above {details.low:g} and at most {high:,}"
    return f"{words} from {details.low:g} to {high:,}"


def without_none(kind: Any) -> Any:
    """X for the type X | None."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def joined(value: Any) -> str:
    """As it is typed on the command line: a tuple with commas."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse(kind: type[Common], arguments: Sequence[str]) -> dict[str, Any]:
    """The fields that the arguments name, as `--name value`, `--name=value` or `--[no-]name`, and
    those that they give by their places. A list may also be several words, where no field has a
    place of its own.

    Raises `InputError` that names the option, the value and what it must be.
    """
    options, hints, places = options_of(kind), get_type_hints(kind), positionals(kind)
    known = {flag(name): (name, True) for name in options if name not in places}
    known |= {f"--no-{flag(name)[2:]}": (name, False) for name in options if hints[name] is bool}
    given: dict[str, Any] = {}
    words, left = [], list(arguments)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-"):
            words.append(argument)
            continue
        word, equals, text = argument.partition("=")
        name, positive = choose("option", word, known)
        if hints[name] is bool:
            if equals:
                raise InputError(f"{word}={text}: must stand alone, without a value")
            given[name] = positive
            continue
        if not equals:
            if not left or left[0] in known:
                raise InputError(f"{word}: must be given {wanted(hints[name], options[name])}")
            text = left.pop(0)
            if get_origin(without_none(hints[name])) is tuple and not places:
                while left and not left[0].startswith("-"):
                    text += f",{left.pop(0)}"
        given[name] = converted(word, text, hints[name], options[name])
    for name, place in places.items():
        several = get_origin(without_none(hints[name])) is tuple
        taken, words = (words, []) if several else (words[:1], words[1:])
        if taken:
            given[name] = converted(place, ",".join(taken), hints[name], options[name])
    if words:
        raise InputError(f"{words[0]!r}: must be an option; see --help")
    check_all(kind, given)
    return given


def converted(word: str, text: str, kind: Any, details: Option) -> Any:
    """The value that a text stands for. Raises `InputError` where it is none of the type."""
    kind = without_none(kind)
    if get_origin(kind) is Literal:
        return choose(f"value for {word}", text.strip(), {str(i): i for i in get_args(kind)})
    if get_origin(kind) is tuple:
        parts = text.split(",")
        return tuple(converted(word, part.strip(), get_args(kind)[0], details) for part in parts)
    if kind is Path:
        if not text.strip():
            raise InputError(f"{word} {text!r}: must be a path")
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise InputError(f"{word} {text}: must be in the home of a user known here") from None
    if kind not in (int, float):
        return text
    # More digits than any limit has are refused before Python counts them.
    short, shown = (text.strip(), text) if len(text) <= 40 else ("", text[:37] + "...")
    try:
        return kind(short)
    except (ValueError, OverflowError):
        is_number = re.fullmatch(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", short, re.IGNORECASE)
        hint = ", without a fraction or exponent" if kind is int and is_number else ""
        raise InputError(f"{word} {shown!r}: must be {wanted(kind, details)}{hint}") from None


def help_rows(kind: type[Common], name: str) -> list[tuple[str, str]]:
    """Each option with its value's place, and its sentence with its default."""
    hints, rows = get_type_hints(kind), []
    for field_name, details in options_of(kind).items():
        hint = without_none(hints[field_name])
        left = positionals(kind).get(field_name, flag(field_name))
        if details.positional:
            pass
        elif hint is bool:
            left = f"--no-{left[2:]}" if details.default is True else left
        elif get_origin(hint) is Literal:
            left += " " + "|".join(map(str, get_args(hint)))
        else:
            place = {int: "N", float: "X", Path: "PATH"}.get(hint, "TEXT")
            left += " " + (details.metavar or ("LIST" if get_origin(hint) is tuple else place))
        goes_to_runs = field_name == "out" and details.default is not None
        default = f"runs/{name}" if goes_to_runs else shown_default(details)
        sentence = details.help
        if get_origin(hint) is tuple and get_origin(get_args(hint)[0]) is Literal:
            sentence += f" Some of {', '.join(map(str, get_args(get_args(hint)[0])))}."
        if hint is not bool and default:
            sentence += f" [{default}]"
        rows.append((left, sentence))
    return rows


def shown_default(details: Option) -> str:
    """Such as `3000; adam 600; quick 1000`, for the help."""

    def shown(value: Any) -> str:
        """One default in words; of a dictionary each value beside the key it belongs to."""
        if isinstance(value, dict):
            # A value that depends on a switch stands beside the switch.
            keys = {True: f"{flag(details.by or '')} ", False: ""}
            there = {key: each for key, each in value.items() if each is not None}
            found = ((keys.get(key, f"{key} "), each) for key, each in there.items())
            return ", ".join(key + joined(each) for key, each in found)
        return "" if value is None else joined(value)

    text = shown(details.default)
    if details.quick is not SAME:
        text += f"; quick: {shown(details.quick)}"
    return text.removeprefix("; ")

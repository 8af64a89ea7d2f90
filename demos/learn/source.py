"""The engine's own lines, which are shown beside the learner's."""

from __future__ import annotations

import inspect

from scratchnet.demos import source_places


def dotted(source: str) -> str:
    """`scratchnet/ops/x.py:name` as the place that Python knows, `scratchnet.ops.x:name`."""
    file, _, name = source.partition(":")
    module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    if not module.startswith("scratchnet"):
        # backends/ and demos/ stand beside scratchnet/ in the repository.
        module = f"scratchnet.{module}"
    return f"{module}:{name}"


def lines_of(source: str) -> list[str]:
    """The file with its line, and the lines of the function or class."""
    found = source_places.named(dotted(source))
    file, line = source_places.place(dotted(source))
    return [f"{file}, line {line}:", *inspect.getsource(found).rstrip().splitlines()]

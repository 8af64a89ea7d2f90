"""The kinds of layers by name. A kind is registered once; files, pruning and tests know it then."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.hyperparameters import hyperparameters, of_network
from scratchnet.layers.layer import Activation, Layer

KINDS: dict[str, type[Layer]] = {}
"""All registered kinds by the names of their classes, as files write them."""

ACTIVATIONS: dict[str, type[Activation]] = {}
"""Those that are activations, by the names that `mlp` takes."""

Kind = TypeVar("Kind", bound=type[Layer])


def register(kind: Kind) -> Kind:
    """Make a kind of layer known, as a decorator of its class.

    From then on a model with it can be written to a file and read again, an activation is found by
    its `name`, and the tests of all layers try `kind.example(width)`. Registering a class anew, as
    a notebook does whose cell runs twice, replaces it. Raises `InputError` for a name that another
    class has, and for a class whose `settings` cannot be read off its example.
    """
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise InputError(f"register({kind!r}): must be a class of layers")
    if "settings" not in vars(kind):
        kind.settings = tuple(inspect.signature(kind).parameters)
    _check_free(kind.__name__, KINDS, kind)
    if issubclass(kind, Activation):
        if not kind.name:
            raise InputError(f"register({kind.__name__}): an activation must have a name")
        _check_free(kind.name, ACTIVATIONS, kind)
    _check_settings(kind)
    unregister(KINDS.get(kind.__name__, kind))
    KINDS[kind.__name__] = kind
    if issubclass(kind, Activation):
        ACTIVATIONS[kind.name] = kind
    return kind


def unregister(kind: type[Layer]) -> None:
    """Forget a kind of layer; models that have it already keep it."""
    for table in (KINDS, ACTIVATIONS):
        for name in [name for name, known in table.items() if known is kind]:
            del table[name]


def _check_free(name: str, table: Mapping[str, type[Layer]], kind: type[Layer]) -> None:
    """Raise `InputError` where another class has that name."""
    holder = table.get(name, kind)
    if (holder.__module__, holder.__qualname__) != (kind.__module__, kind.__qualname__):
        raise InputError(
            f"register({kind.__name__}): the name {name!r} is taken by {holder.__module__}."
            f"{holder.__qualname__}: must be another one"
        )


def _check_settings(kind: type[Layer]) -> None:
    """Raise `InputError` unless a layer can be built anew from its settings."""
    arguments = inspect.signature(kind).parameters
    needed = {name for name, each in arguments.items() if each.default is each.empty}
    if unset := (set(kind.settings) - set(arguments)) | (needed - set(kind.settings)):
        raise InputError(
            f"register({kind.__name__}): its settings must be arguments of __init__, and hold all "
            f"without a default; not so: {', '.join(sorted(unset))}"
        )
    try:
        example = kind.example(3)
    except TypeError as error:
        raise InputError(
            f"register({kind.__name__}): example(width) must give a layer: {error}"
        ) from None
    if missing := [name for name in kind.settings if not hasattr(example, name)]:
        raise InputError(
            f"register({kind.__name__}): a layer must keep each setting as an attribute of that "
            f"name; it lacks {', '.join(missing)}"
        )


# A layer as plain values.


def described(layer: Layer, network: int | None = None) -> dict[str, Any]:
    """The layer's kind and settings as JSON has them, a number per network as a list.

    With `network` as that network of an ensemble has it. Raises `InputError` for a layer whose kind
    is not registered.
    """
    kind = type(layer)
    if KINDS.get(kind.__name__) is not kind:
        raise InputError(
            f"{layer} is a layer of your own, which a file cannot describe: its class must be "
            "registered, see layers.register"
        )
    return {"type": kind.__name__} | {name: _plain(layer, name, network) for name in kind.settings}


def _plain(layer: Layer, name: str, network: int | None) -> Any:
    """A setting as JSON can hold it: layers as descriptions, arrays as lists."""
    value = getattr(layer, name)
    if isinstance(value, Layer):
        return described(value, network)
    if isinstance(value, tuple):
        return [described(each, network) if isinstance(each, Layer) else each for each in value]
    if network is not None and name in hyperparameters(type(layer)):
        return of_network(value, network)
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def from_description(description: Mapping[str, Any]) -> Layer:
    """The layer that `described` gave these values of, without numbers yet.

    Raises `InputError` for an unknown kind or other settings than its own, and whatever the class
    raises for values that it cannot use.
    """
    values = {name: _with_layers(value) for name, value in dict(description).items()}
    kind = choose("layer", values.pop("type"), KINDS)
    if set(values) != set(kind.settings):
        raise InputError(
            f"the settings of a {kind.__name__} are {', '.join(values) or 'missing'}: must be "
            f"{', '.join(kind.settings) or 'none'}"
        )
    positional = [
        each
        for name, argument in inspect.signature(kind).parameters.items()
        if argument.kind is argument.VAR_POSITIONAL
        for each in values.pop(name)
    ]
    return kind(*positional, **values)


def _with_layers(value: Any) -> Any:
    """The setting with layers built from descriptions, at every depth of its lists."""
    if isinstance(value, list):
        return [_with_layers(each) for each in value]
    return from_description(value) if isinstance(value, dict) and "type" in value else value

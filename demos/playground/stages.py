"""A network as the page draws it: a column of nodes for each Linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scratchnet import Dropout, Layer, Linear, Model, Residual


@dataclass
class Stage:
    """A Linear layer, what its sums go through, and the shortcut around both, if there is one."""

    linear: Linear
    after: list[Layer] = field(default_factory=list)
    shortcut: Residual | None = None


def stages(model: Model) -> list[Stage]:
    """The hidden layers and the output layer, without dropout, which does nothing in eval mode."""
    found: list[Stage] = []
    for layer in model.layers:
        shortcut = layer if isinstance(layer, Residual) else None
        inside: Sequence[Layer] = shortcut.layers if shortcut else [layer]
        for each in inside:
            if isinstance(each, Linear):
                found.append(Stage(each, shortcut=shortcut))
            elif not isinstance(each, Dropout):
                found[-1].after.append(each)
    return found

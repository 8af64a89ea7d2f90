"""The lottery ticket experiment: prune, rewind, train again (Frankle and Carbin 2019).

A dense network is trained, its smallest weights are pruned, and what remains is set back to the
weights it began with and trained again; round after round. A sparse network that still learns, a
*winning ticket*, is only worth the name beside controls of the same sparsity:

    random mask      the initial weights, and a mask drawn at random
    shuffled mask    the initial weights, and the ticket's mask shuffled within each layer
    new weights      the ticket's mask, and weights drawn anew
    scaled weights   the same, times sqrt(weights / remaining weights) in each layer, which gives
                     a sparse layer's output the variance that the dense one's has
    same signs       the ticket's mask and the signs of the initial weights, with new magnitudes
                     (cf. Zhou et al. 2019, "Deconstructing lottery tickets")

A mask at random may leave no path from the inputs to the outputs: such a network computes a
constant, whatever it is trained on, so a fair control is one that `is_connected`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.model import Model
from scratchnet.pruning import (
    alive_parameters,
    chain,
    magnitudes,
    prune,
    shuffled_within_layers,
    weight_places,
)

CONTROLS = ("random mask", "shuffled mask", "new weights", "scaled weights", "same signs")

CONTROL_DRAWS = 6
"""Each draw of a control has a stream of its seed of its own: this number, the round, the control.
"""


class Round(NamedTuple):
    """A round of iterative pruning as it begins; round 0 is the dense network."""

    number: int
    masks: Any
    """Booleans (networks, P): what is left."""
    start: Any
    """(networks, P): the parameters that every round starts from, without a mask."""


def iterative_pruning(
    model: Model,
    train: Callable[[Model, int], Any],
    steps: int,
    fractions: Sequence[float],
    *,
    rewind_step: int = 0,
    scores: Callable[[Model], Any] = magnitudes,
    scope: str = "global",
) -> Iterator[Round]:
    """Train dense, then prune by each of `fractions` in turn, rewind and train again.

    Yields each round when it begins: pruned, rewound, not yet trained. `train(model, steps)` trains
    the model from the weights it has, once the caller asks for the next round; after the last it
    trains no more. `rewind_step` k > 0 is late rewinding (Frankle et al. 2020): the state is set
    back to that after k steps of dense training, and each round trains for the other steps - k; the
    optimizer starts anew. The weights with the highest `scores` of the trained network stay.

    A ticket of an ensemble is, bit for bit, the ticket of its seed alone, where training is, with
    both replayed or both compiled. Raises `InputError`.
    """
    if not 0 <= rewind_step < steps:
        raise InputError(f"rewind_step is {rewind_step}: must be from 0 to {steps - 1} of {steps}")
    if rewind_step:
        train(model, rewind_step)
    state, start = model.state_dict(), rows(model)
    yield Round(0, alive_parameters(model), start)
    for number, fraction in enumerate(fractions, 1):
        train(model, steps - rewind_step)
        prune(model, fraction=fraction, scores=scores(model), scope=scope)
        model.load_state_dict(state)
        yield Round(number, alive_parameters(model), start)


def rows(model: Model) -> Any:
    """The parameters on the host, (networks, P)."""
    return np.array(model.backend.to_numpy(model.parameter_buffer)).reshape(len(model.seeds), -1)


def control_of(
    control: str, model: Model, ticket: Any, first: Any, generator: np.random.Generator
) -> tuple[Any, Any]:
    """The mask and the initial weights, both (P,), of a control of one network.

    `ticket` is the mask of its ticket and `first` the weights that the ticket starts from.
    """
    choose("control", control, dict.fromkeys(CONTROLS))
    places = weight_places(model)
    if control == "random mask":
        everywhere = np.concatenate([np.arange(each.start, each.stop) for each in places.values()])
        mask = ticket.copy()
        mask[everywhere] = generator.permutation(ticket[everywhere])
        return mask, first
    if control == "shuffled mask":
        return shuffled_within_layers(ticket, places, generator), first
    weights = first_parameters(model, generator)
    if control == "scaled weights":
        for place in places.values():
            remaining = int(ticket[place].sum())
            if remaining:
                weights[place] *= np.sqrt((place.stop - place.start) / remaining)
    if control == "same signs":
        drawn, weights = weights, first.copy()
        for place in places.values():
            weights[place] = np.abs(drawn[place]) * np.sign(first[place])
    return ticket, weights


def first_parameters(model: Model, generator: np.random.Generator) -> Any:
    """First values of all parameters of one network, (P,), from the layers' initialisers."""
    drawn = []
    for _, layer in model.root.walk():
        values = layer.initial_parameters(generator)
        drawn += [np.ravel(values[name]) for name in layer.parameter_shapes()]
    return np.concatenate(drawn).astype(model.dtype)


def is_connected(model: Model, mask: Any) -> bool:
    """Whether weights that are left lead from an input to an output; `mask` (P,) of one network.

    Raises `InputError` for models that are no chain of Linear layers: see `pruning.chain`.
    """
    places, reached = weight_places(model), None
    for block in chain(model):
        shape = (block.linear.fan_in, block.linear.fan_out)
        kept = mask[places[f"{block.name}.weight"]].reshape(shape)
        reached = kept.any(axis=0) if reached is None else kept[reached].any(axis=0)
    return bool(np.any(reached))

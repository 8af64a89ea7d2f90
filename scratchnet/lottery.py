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

Ticket and controls of all seeds are one ensemble: with S seeds, network v S + s is variant v of
seed s, 0 being the ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.model import Model
from scratchnet.pruning import (
    alive_parameters,
    magnitudes,
    shuffled_within_layers,
    weight_places,
    without_lowest,
)

CONTROLS = ("random mask", "shuffled mask", "new weights", "scaled weights", "same signs")

# Each draw of a seed has a stream of its own: this number, the round, the control.
CONTROL_DRAWS = 6


def iterative_pruning(
    model: Model,
    train: Callable[[Model, int], Any],
    steps: int,
    fractions: Sequence[float],
    *,
    rewind_step: int = 0,
    controls: Sequence[str] = (),
    scores: Callable[[Model], Any] = magnitudes,
    at_start: bool = False,
    scope: str = "global",
) -> Iterator[int]:
    """Train dense, then prune by each of `fractions` in turn; yields the round after its training.

    `train(model, steps)` trains the model from the weights it has. Round 0 is the dense network;
    in every round the caller finds the trained model as it is, with its masks. `rewind_step` k > 0
    is late rewinding (Frankle et al. 2020): weights, and running averages, are set back to those
    after k steps of dense training, and each round trains for the other steps - k; the optimizer
    starts anew. Controls whose weights are drawn anew get initial weights also then.

    Tickets keep the weights with the highest `scores` of the trained network, or, `at_start`, of
    the network before training, which is pruning at initialisation. Networks without controls are
    all tickets. The seeds are those of the model's first networks, so a ticket of an ensemble is,
    bit for bit, the ticket of its seed alone, where training is, with both replayed or both
    compiled. Raises `InputError`.
    """
    _check(model, steps, rewind_step, controls)
    groups = 1 + len(controls)
    seeds = model.seeds[: len(model.seeds) // groups]
    begin_alike(model, groups)
    fixed_scores = scores(model) if at_start else None
    if rewind_step:
        train(model, rewind_step)
    start = model.state_dict()
    start_rows = rows(model)
    tickets = alive_parameters(model)[: len(seeds)]
    places = list(weight_places(model).values())
    for number, fraction in enumerate([0.0, *fractions]):
        if number:
            found = scores(model) if fixed_scores is None else fixed_scores
            score_rows = np.reshape(found, start_rows.shape)
            tickets = np.stack(
                [
                    without_lowest(ticket, score, places, fraction, None, scope)
                    for ticket, score in zip(tickets, score_rows, strict=False)
                ]
            )
        masks, weights = [*tickets], [*start_rows[: len(seeds)]]
        for control in controls:
            for seed, ticket, first in zip(seeds, tickets, start_rows, strict=False):
                key = (CONTROL_DRAWS, number, CONTROLS.index(control))
                generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
                mask, drawn = control_of(control, model, ticket, first, generator)
                masks.append(mask)
                weights.append(drawn)
        rewind(model, start, np.stack(masks), np.stack(weights))
        train(model, steps - rewind_step)
        yield number


def _check(model: Model, steps: int, rewind_step: int, controls: Sequence[str]) -> None:
    groups = 1 + len(controls)
    for control in controls:
        choose("control", control, dict.fromkeys(CONTROLS))
    if len(model.seeds) % groups:
        raise InputError(
            f"an ensemble of {len(model.seeds)}: needs a multiple of {groups}, a ticket and "
            f"{len(controls)} controls for each seed"
        )
    if not 0 <= rewind_step < steps:
        raise InputError(f"rewind_step is {rewind_step}: accepted are 0 to {steps - 1} of {steps}")


def rewind(model: Model, start: Mapping[str, Any], masks: Any, weights: Any) -> None:
    """Set the model back to `start`, with these masks and parameters, both (networks, P)."""
    shape = model.parameter_buffer.shape
    model.set_mask(masks.reshape(shape))
    model.load_state_dict(start)
    model.parameter_buffer[...] = model.backend.asarray(weights.reshape(shape), model.dtype)
    model.apply_mask()


def rows(model: Model) -> Any:
    """The parameters on the host, (networks, P)."""
    return np.array(model.backend.to_numpy(model.parameter_buffer)).reshape(len(model.seeds), -1)


def begin_alike(model: Model, groups: int) -> None:
    """Give the first of `groups` equal parts of the ensemble's state to the others."""
    if groups > 1:
        networks = len(model.seeds) // groups
        state = model.state_dict()
        for name, array in state.items():
            state[name] = np.concatenate([array[:networks]] * groups)
        model.load_state_dict(state)


def control_of(
    control: str, model: Model, ticket: Any, first: Any, generator: np.random.Generator
) -> tuple[Any, Any]:
    """The mask and the initial weights, both (P,), of a control of one network.

    `ticket` is the mask of its ticket and `first` the weights that the ticket starts from.
    """
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

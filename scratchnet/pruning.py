"""Pruning: taking weights out of a network, by a mask that holds them at zero from then on.

A weight has a score, and those with the lowest scores go. The scores differ from method to method;
how many go, and which of equals, does not:

    prune(model, fraction=0.3)                    30 % of the weights that remain
    prune(model, sparsity=0.9)                    until 90 % of all weights are gone
    prune(model, sparsity=0.9, scope="layer")     the same in each layer, instead of all together
    prune(model, sparsity=0.9, scores=connection_sensitivity(model, X, y))

Only the second argument is idempotent: 90 % of all weights are gone once, 30 % of what remains each
time. Counts are exact: the nearest whole number to the share as it is written in decimals, so 0.3
of 10 is 3. Of equal scores the one that stands first in the buffer goes first. Each network of an
ensemble is pruned for itself. Scores and masks are made on the host.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.batches import checked_data
from scratchnet.layers import Layer, Linear, described, from_description
from scratchnet.losses import Loss, get_loss, loss_of
from scratchnet.model import Model, evaluating, in_mode
from scratchnet.tensor import Tensor

SCOPES = {"global": "all weights together", "layer": "each layer for itself"}


def prune(
    model: Model,
    *,
    fraction: float | None = None,
    sparsity: float | None = None,
    scores: Any = None,
    scope: str = "global",
    biases: bool = False,
) -> None:
    """Take the weights with the lowest scores out of each network; what was pruned stays pruned.

    Either `fraction` of the weights that remain, or as many as bring the share of pruned weights up
    to `sparsity`, both from 0 to 1; where more are gone already, nothing happens. `scores` has the
    shape of `parameter_buffer`; without it they are the weights' magnitudes (Han et al. 2015).
    `scope` is global or layer. Weights are those of Linear layers; with `biases` their biases are
    pruned, and counted, like weights. Raises `InputError` for anything else.
    """
    choose("scope", scope, SCOPES)
    alive = alive_parameters(model)
    if scores is None:
        scores = magnitudes(model)
    if np.shape(scores) != tuple(model.parameter_buffer.shape):
        raise InputError(
            f"scores of shape {np.shape(scores)}: need {tuple(model.parameter_buffer.shape)}, the "
            "shape of parameter_buffer"
        )
    places = list(weight_places(model, biases).values())
    pruned = [
        without_lowest(row, score, places, fraction, sparsity, scope)
        for row, score in zip(alive, np.reshape(scores, alive.shape), strict=True)
    ]
    model.set_mask(np.stack(pruned).reshape(model.parameter_buffer.shape))


def without_lowest(
    alive: Any,
    scores: Any,
    places: Sequence[slice],
    fraction: float | None,
    sparsity: float | None,
    scope: str,
) -> Any:
    """The mask (P,) that is left of `alive` (P,), booleans, for one network."""
    alive = alive.copy()
    each = [np.arange(place.start, place.stop) for place in places]
    for group in each if scope == "layer" else [np.concatenate(each)]:
        candidates = group[alive[group]]
        count = how_many(len(group), len(candidates), fraction, sparsity)
        order = np.argsort(scores[candidates], kind="stable")
        alive[candidates[order[:count]]] = False
    return alive


def how_many(total: int, remaining: int, fraction: float | None, sparsity: float | None) -> int:
    """How many of `remaining` go: `fraction` of them, or so many that `sparsity` of `total` are
    gone. In whole numbers; a half is rounded to the even one."""
    if (fraction is None) == (sparsity is None):
        raise InputError("pruning needs a fraction (of what remains) or a sparsity (to reach)")
    if fraction is not None:
        return round(_exact_share("fraction", fraction) * remaining)
    return max(0, round(_exact_share("sparsity", sparsity) * total) - (total - remaining))


def _exact_share(what: str, value: Any) -> Fraction:
    """The share as its decimals say: 0.3 is 3/10, which no binary number is."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"{what} is {value!r}: must be a number from 0 to 1")
    return Fraction(str(value))


# What the mask covers.


def weight_places(model: Model, biases: bool = False) -> dict[str, slice]:
    """Where each Linear layer's weight, and with `biases` its bias, lies in the parameter buffer.

    Raises `InputError` for a model without Linear layers.
    """
    parts = ("weight", "bias") if biases else ("weight",)
    wanted = {
        f"{name}.{part}"
        for name, layer in model.root.walk()
        if isinstance(layer, Linear)
        for part in parts
    }
    if not wanted:
        raise InputError("pruning a model without Linear layers: it has no weights")
    places, start = {}, 0
    for name, parameter in model.named_parameters():
        stop = start + parameter.data.size // len(model.seeds)
        if name in wanted:
            places[name] = slice(start, stop)
        start = stop
    return places


def alive_parameters(model: Model) -> Any:
    """Booleans (networks, P) on the host: what is not pruned."""
    shape = (len(model.seeds), model.parameter_count)
    if model.mask_buffer is None:
        return np.ones(shape, bool)
    return model.backend.to_numpy(model.mask_buffer).reshape(shape) != 0


def layer_masks(model: Model) -> dict[str, Any]:
    """For each Linear layer's weight, by name, what is not pruned: booleans (in, out), or
    (E, in, out) for an ensemble."""
    alive = alive_parameters(model)
    shapes = {name: parameter.data.shape for name, parameter in model.named_parameters()}
    return {
        name: alive[:, place].reshape(shapes[name]) for name, place in weight_places(model).items()
    }


@dataclass(frozen=True)
class RemainingWeights:
    """How many weights of a layer are not pruned: an int, or (E,) ints for an ensemble."""

    name: str
    total: int
    remaining: Any


def remaining_weights(model: Model, biases: bool = False) -> list[RemainingWeights]:
    """The weights that remain in each Linear layer, in the order of computation."""
    alive = alive_parameters(model)
    found = []
    for name, place in weight_places(model, biases).items():
        count = alive[:, place].sum(axis=1)
        own = int(count[0]) if model.ensemble is None else count
        found.append(RemainingWeights(name, place.stop - place.start, own))
    return found


# Scores: what a weight is worth. All have the shape of the parameter buffer.


def magnitudes(model: Model) -> Any:
    """|w|; of an untrained network too (Frankle et al. 2021, "Pruning Neural Networks at
    Initialization: Why Are We Missing the Mark?")."""
    return np.abs(model.backend.to_numpy(model.parameter_buffer))


def connection_sensitivity(
    model: Model, X: Any, y: Any, loss: str | Loss = "binary_cross_entropy"
) -> Any:
    """|w dL/dw|: what the loss on the samples would change, to first order, if the weight went.

    SNIP prunes a network by it once, before training (Lee et al. 2019). The gradients are those of
    the training mode; parameters, running averages and the state of Dropout stay as they were.
    """
    return np.abs(model.backend.to_numpy(model.parameter_buffer) * _gradients(model, X, y, loss))


STEP_OF_CURVATURE = 1e-3
"""How far the weights move for a finite difference, relative to their norm."""


def gradient_flow(model: Model, X: Any, y: Any, loss: str | Loss = "binary_cross_entropy") -> Any:
    """w Hg, with g = dL/dw and H the second derivatives: half of what |g|^2 would lose, to first
    order, if the weight went.

    GraSP prunes the weights with the lowest once, before training (Wang et al. 2020). Hg is the
    central difference (g(w + e g) - g(w - e g)) / 2e; e moves each network's weights by a
    thousandth of their norm. What is pruned does not move. State stays as it was.
    """
    before = model.state_dict()
    alive = alive_parameters(model)
    weights = model.backend.to_numpy(model.parameter_buffer).reshape(alive.shape).astype("float64")
    shape = tuple(model.parameter_buffer.shape)
    along = _gradients(model, X, y, loss).reshape(alive.shape).astype("float64") * alive
    norms = [np.linalg.norm(each, axis=1, keepdims=True) for each in (weights, along)]
    step = STEP_OF_CURVATURE * norms[0] / np.maximum(norms[1], np.finfo(np.float64).tiny)
    ends = []
    try:
        for moved in (weights + step * along, weights - step * along):
            model.parameter_buffer[...] = model.backend.asarray(moved.reshape(shape), model.dtype)
            ends.append(_gradients(model, X, y, loss).astype("float64"))
    finally:
        model.load_state_dict(before)
    change = (ends[0] - ends[1]).reshape(alive.shape) / np.maximum(2 * step, 1e-300)
    return (weights * change).reshape(shape)


def synaptic_flow(model: Model) -> Any:
    """|w| dR/d|w|, with R the sum of the outputs for an input of ones once every parameter is
    replaced by its magnitude: the weight's part in all paths from inputs to outputs.

    SynFlow prunes by it in many small rounds, without data and before training, so that no layer is
    lost as a whole (Tanaka et al. 2020). Eval mode; state stays as it was. Raises `InputError`
    where the sum overflows.
    """
    before = model.state_dict()
    k = model.backend
    try:
        model.parameter_buffer[...] = k.absolute(model.parameter_buffer)
        with in_mode(model, training=False), np.errstate(all="ignore"):
            inputs = chain(model)[0].linear.fan_in
            model(np.ones((1, inputs), model.dtype)).sum().backward()
            sizes = k.to_numpy(model.parameter_buffer).astype("float64")
            scores = sizes * k.to_numpy(model.gradient_buffer)
    finally:
        model.load_state_dict(before)
    if not np.isfinite(scores).all():
        raise InputError("synaptic flow of this network overflows: it must have fewer layers")
    return scores


def _gradients(model: Model, X: Any, y: Any, loss: str | Loss) -> Any:
    """dL/dw in training mode on the host; everything but gradients stays as it was."""
    compute_loss = get_loss(loss)
    inputs, targets = checked_data(model, X, y, compute_loss)
    before = model.state_dict()
    try:
        with in_mode(model, training=True):
            loss_of(compute_loss, model(inputs), targets).backward()
    finally:
        model.load_state_dict(before)
    return np.array(model.backend.to_numpy(model.gradient_buffer))


def random_scores(model: Model, generators: Sequence[np.random.Generator]) -> Any:
    """Uniform random numbers, each network's from its own generator: it is pruned at random."""
    if len(generators) != len(model.seeds):
        raise InputError(f"{len(generators)} generators for {len(model.seeds)} networks")
    rows = [generator.random(model.parameter_count) for generator in generators]
    return np.stack(rows).reshape(model.parameter_buffer.shape)


def shuffled_within_layers(
    alive: Any, places: Mapping[str, slice], generator: np.random.Generator
) -> Any:
    """A mask (P,) with as many weights in each layer as `alive` (P,) has, at random places."""
    shuffled = alive.copy()
    for place in places.values():
        shuffled[place] = generator.permutation(alive[place])
    return shuffled


# Whole neurons.


@dataclass(frozen=True)
class Block:
    """A Linear layer of a chain, and the layers up to the next, which keep neurons apart."""

    name: str
    linear: Linear
    followers: tuple[tuple[str, Layer], ...]


def chain(model: Model) -> list[Block]:
    """The model as Linear layers, with layers between them that keep neurons apart.

    Only there does a neuron have one column of weights that comes in and one row that goes out.
    Raises `InputError` for any other model.
    """
    blocks: list[Block] = []
    for name, layer in model.root.children().items():
        if isinstance(layer, Linear):
            blocks.append(Block(name, layer, ()))
        elif layer.keeps_neurons_apart:
            if not blocks:
                raise InputError(f"layer {name}, {layer}, stands before the first Linear layer")
            last = blocks.pop()
            blocks.append(Block(last.name, last.linear, (*last.followers, (name, layer))))
        else:
            raise InputError(
                f"layer {name}, {layer}: neurons can be taken out of models of Linear layers and "
                "layers that keep neurons apart only, such as BatchNorm, Dropout and activations"
            )
    if not blocks:
        raise InputError("a model without Linear layers has no neurons")
    return blocks


def prune_neurons(
    model: Model, *, fraction: float | None = None, sparsity: float | None = None
) -> None:
    """Take whole neurons out of each hidden layer: all weights that come in and all that go out.

    Those whose incoming weights have the smallest sum of magnitudes go (Li et al. 2017), `fraction`
    of the layer's neurons that remain or as many as bring it to `sparsity`, counted as in `prune`.
    What they put out is lost, their bias stays, without effect.

    A neuron that had lost its incoming weights before, or loses them with the layer before it, does
    not count as one that remains. It puts out a constant c = act(bias), which goes into the next
    bias, b <- b + c W, and its outgoing weights W are pruned: in eval mode the model computes the
    same, up to rounding. Where the next layer has no bias, or that entry of it is pruned, they
    stay. Raises `InputError` for models with other layers than `chain` accepts.
    """
    chain(model)
    alive = alive_parameters(model)
    weights = magnitudes(model).reshape(alive.shape) * alive
    state = model.state_dict()
    for number, (row, weight) in enumerate(zip(alive, weights, strict=True)):
        single = model if model.ensemble is None else model.network(number)
        for name, bias in _prune_neurons_of_one(single, row, weight, fraction, sparsity).items():
            own = state[name] if model.ensemble is None else state[name][number]
            own[...] = bias.reshape(own.shape)
    model.load_state_dict(state)
    model.set_mask(alive.reshape(model.parameter_buffer.shape))


def _prune_neurons_of_one(
    model: Model, alive: Any, weights: Any, fraction: float | None, sparsity: float | None
) -> dict[str, Any]:
    """Clear `alive` (P,) where neurons of one network go; the biases that get their constants."""
    places = weight_places(model, biases=True)
    state = {name: each.astype(np.float64) for name, each in model.state_dict().items()}
    blocks, changed = chain(model), {}
    for block, following in zip(blocks, blocks[1:], strict=False):
        into, out_of = places[f"{block.name}.weight"], places[f"{following.name}.weight"]
        shape = (block.linear.fan_in, block.linear.fan_out)
        # Views of the mask.
        columns, rows = alive[into].reshape(shape), alive[out_of].reshape(shape[1], -1)
        has_inputs = columns.any(axis=0)
        candidates = np.flatnonzero(has_inputs)
        norms = weights[into].reshape(shape).astype(np.float64).sum(axis=0)[candidates]
        count = how_many(shape[1], len(candidates), fraction, sparsity)
        gone = candidates[np.argsort(norms, kind="stable")[:count]]
        columns[:, gone] = False
        rows[gone] = False

        name = f"{following.name}.bias"
        if name not in places:
            continue
        goes = ~has_inputs[:, None] & alive[places[name]] & rows
        if goes.any():
            bias = state.get(f"{block.name}.bias", np.zeros(shape[1]))
            outputs = constant_outputs(block, bias, state)
            state[name] += outputs @ (state[f"{following.name}.weight"] * goes)
            rows[goes] = False
            changed[name] = state[name]
    return changed


def constant_outputs(block: Block, bias: Any, state: Mapping[str, Any]) -> Any:
    """What the block puts out where its Linear layer puts out its bias, in eval mode: (out,)."""
    values = bias[None]
    for name, layer in block.followers:
        # On the host, in float64: the model's backend may round what it computes with.
        alone = Model(fresh_layer(layer, len(bias)), dtype="float64", backend="numpy")
        own = {f"0.{each}": state[f"{name}.{each}"] for each in kept_arrays(layer)}
        alone.load_state_dict(alone.state_dict() | own)
        with evaluating(alone):
            # A tensor, since the numbers of a network that has diverged may be NaN.
            values = alone(Tensor(values, "float64", alone.backend)).numpy()
    return values[0]


def kept_arrays(layer: Layer) -> list[str]:
    """The names of the layer's arrays that eval mode reads."""
    names = [*layer.parameters, *layer.buffers]
    return [each for each in names if each not in layer.for_training_only]


def fresh_layer(layer: Layer, features: int) -> Layer:
    """A layer that follows a Linear one, without numbers yet, for so many features."""
    if "features" in layer.settings:
        return from_description(described(layer) | {"features": features})
    fresh = copy.deepcopy(layer)
    fresh.parameters, fresh.buffers = {}, {}
    fresh.settle(None)
    return fresh

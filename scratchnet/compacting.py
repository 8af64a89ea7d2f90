"""The dense network that a pruned one amounts to: neurons that do nothing are left out.

A mask makes weights zero, and a dense layer multiplies by zeros as slowly as by anything else. But
where all weights into a neuron are zero, its output is a constant, which belongs into the next
bias; and where all weights out of it are zero, nobody hears it. Without such neurons the matrices
are smaller, and compute the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.layers import Layer, Linear
from scratchnet.model import Model
from scratchnet.pruning import Block, chain, constant_outputs, fresh_layer, kept_arrays


def compact(model: Model) -> Model:
    """A model without the neurons that do nothing; in eval mode it computes the same, up to
    rounding.

    A hidden layer keeps at least one neuron. Sums are made in float64 and rounded to the model's
    dtype once. Raises `InputError` for an ensemble, whose networks can be taken out one by one with
    `model.network(i)`, and for models with other layers than `pruning.chain` accepts.
    """
    if model.ensemble is not None:
        raise InputError("compacting an ensemble: take one network out of it, model.network(i)")
    blocks = chain(model)
    state = {name: each.astype(np.float64) for name, each in model.state_dict().items()}
    for block in blocks:
        state.setdefault(f"{block.name}.bias", np.zeros(block.linear.fan_out))
    kept = _fold_constants(blocks, state)
    _drop_unheard(blocks, state, kept)
    layers: list[Layer] = []
    smaller_state: dict[str, Any] = {}
    for block, neurons in zip(blocks, kept, strict=True):
        weight, bias = (state[f"{block.name}.{part}"] for part in PARTS)
        # What constant neurons gave to a layer without a bias needs one.
        has_bias = block.linear.bias or bool(bias.any())
        layers.append(Linear(len(weight), len(neurons), bias=has_bias))
        smaller_state[f"{block.name}.weight"] = weight
        if has_bias:
            smaller_state[f"{block.name}.bias"] = bias
        for name, layer in block.followers:
            layers.append(fresh_layer(layer, len(neurons)))
            for each in kept_arrays(layer):
                array = state[f"{name}.{each}"]
                is_per_neuron = array.shape[-1:] == (block.linear.fan_out,)
                smaller_state[f"{name}.{each}"] = array[..., neurons] if is_per_neuron else array
    compacted = model.like(layers, model.seeds[0])
    compacted.load_state_dict(compacted.state_dict() | smaller_state)
    return compacted.train(model.training)


PARTS = ("weight", "bias")


def _fold_constants(blocks: Sequence[Block], state: dict[str, Any]) -> list[Any]:
    """Take out neurons without incoming weights, first layer first; which neurons are left of each.

    Each next bias gets what it got from them: b <- b + c W, with c their outputs.
    """
    kept = [np.arange(block.linear.fan_out) for block in blocks]
    for i, (block, following) in enumerate(zip(blocks, blocks[1:], strict=False)):
        weight, bias = (state[f"{block.name}.{part}"] for part in PARTS)
        constant = _but_one(~weight.any(axis=0))
        outputs = constant_outputs(block, bias, state)
        after = state[f"{following.name}.weight"]
        state[f"{following.name}.bias"] += outputs[constant] @ after[constant]
        _keep(state, block, following, ~constant)
        kept[i] = kept[i][~constant]
    return kept


def _drop_unheard(blocks: Sequence[Block], state: dict[str, Any], kept: list[Any]) -> None:
    """Take out neurons without outgoing weights, last layer first."""
    for i in reversed(range(len(blocks) - 1)):
        unheard = _but_one(~state[f"{blocks[i + 1].name}.weight"].any(axis=1))
        _keep(state, blocks[i], blocks[i + 1], ~unheard)
        kept[i] = kept[i][~unheard]


def _but_one(goes: Any) -> Any:
    """The neurons that go, or all but the first where no neuron would be left."""
    return goes if not goes.all() else np.arange(len(goes)) > 0


def _keep(state: dict[str, Any], block: Block, following: Block, stays: Any) -> None:
    """Of a block's neurons keep those that stay, with their weights into the next block."""
    for part in PARTS:
        state[f"{block.name}.{part}"] = state[f"{block.name}.{part}"][..., stays]
    state[f"{following.name}.weight"] = state[f"{following.name}.weight"][stays]

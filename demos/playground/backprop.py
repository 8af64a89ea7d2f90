"""One sample, forward and backward: every node's sum and every edge's contribution.

All numbers are the engine's: the network is run stage by stage, each intermediate result keeps its
gradient, and `backward()` is called once, on the loss of the sample. In eval mode, so that the
network is the one in the picture; a hidden layer is a stage, and so is the output layer.

For a stage with inputs x (in,), weights W (in, out) and bias b (out,):

    sums z_i = sum over j of x_j W_ji + b_i           contributions[j][i] = x_j W_ji
    outputs  = what `after` makes of z, plus the shortcut
    dL/dx_j  = sum over i of W_ji dL/dz_i             sent_back[j][i] = W_ji dL/dz_i
    dL/dW_ji = x_j dL/dz_i,  dL/db_i = dL/dz_i

With a shortcut y = x + s f(x) the sums are those inside f, and dL/dx has dL/dy besides.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet import Layer, Tensor
from scratchnet.backends.errors import whole_number
from scratchnet.demos.playground.learning import Learning
from scratchnet.demos.playground.pictures import scores
from scratchnet.demos.playground.stages import Stage, stages
from scratchnet.losses import loss_of
from scratchnet.model import in_mode
from scratchnet.tensor import enable_grad


@dataclass
class Pass:
    """A stage with the tensors that went through it, each with its gradient."""

    stage: Stage
    inputs: Tensor
    sums: Tensor
    after: list[tuple[Layer, Tensor]]
    outputs: Tensor


@dataclass
class Passes:
    """One sample's way through the network and back."""

    sample: int
    passes: list[Pass]
    loss: Tensor


def run(learning: Learning, sample: int) -> Passes:
    """Forward and backward of a training sample, on a copy of the model.

    Raises `InputError` for a sample that is not there.
    """
    count = len(learning.task.X)
    whole_number("sample", sample, 0, count - 1, f"there are {count} training points")
    model = copy.deepcopy(learning.model)
    found: list[Pass] = []
    with in_mode(model, training=False), enable_grad(), np.errstate(all="ignore"):
        x = Tensor(learning.task.X[sample : sample + 1], model.dtype, model.backend)
        for stage in stages(model):
            z = y = stage.linear.forward(x).retain_grad()
            after = []
            for layer in stage.after:
                y = layer.forward(y).retain_grad()
                after.append((layer, y))
            if stage.shortcut is not None:
                y = stage.shortcut.added(x, y).retain_grad()
            found.append(Pass(stage, x, z, after, y))
            x = y
        loss = loss_of(learning.loss, x, learning.batches.targets[sample : sample + 1])
        loss.backward()
    return Passes(sample, found, loss)


def numbers(learning: Learning, sample: int) -> dict[str, Any]:
    """The message `backprop`: `{"sample", "step", "layers": [...], "loss": {...}}`.

    Each layer has `inputs`, `input_gradients` (in,), `weights`, `contributions`, `sent_back`,
    `weight_gradients` (in, out), `bias`, `sums`, `sum_gradients`, `outputs`, `output_gradients`
    (out,), `after`: `[{"name", "outputs", "gradients"}]`, and `shortcut`: its factor or null. The
    loss has `name`, `value`, `label`, the class's number, and `scores`, of each class, or P(class
    1).
    """
    passes = run(learning, sample)
    score = scores(passes.passes[-1].outputs.numpy(), learning.model)
    return {
        "sample": sample,
        "step": learning.steps,
        "layers": [_layer(each) for each in passes.passes],
        "loss": {
            "name": learning.model.loss,
            "value": _list(passes.loss.data),
            "label": int(learning.task.y[sample]),
            "scores": _list(score.reshape(-1)),
        },
    }


def _layer(each: Pass) -> dict[str, Any]:
    """A layer's entry in the message, as `numbers` describes it."""
    linear = each.stage.linear
    weight, bias = linear.parameters["weight"], linear.parameters["bias"]
    x, dz = each.inputs.data[0], each.sums.grad[0]  # type: ignore[index]
    shortcut = each.stage.shortcut
    return {
        "inputs": _list(x),
        "input_gradients": _list(each.inputs.grad[0]),  # type: ignore[index]
        "weights": _list(weight.data),
        "contributions": _list(x[:, None] * weight.data),
        "sent_back": _list(weight.data * dz),
        "weight_gradients": _list(weight.grad),
        "bias": _list(bias.data),
        "sums": _list(each.sums.data[0]),
        "sum_gradients": _list(dz),
        "after": [
            {"name": repr(layer), "outputs": _list(y.data[0]), "gradients": _list(y.grad[0])}  # type: ignore[index]
            for layer, y in each.after
        ],
        "shortcut": None if shortcut is None else float(np.asarray(shortcut.scale)),
        "outputs": _list(each.outputs.data[0]),
        "output_gradients": _list(each.outputs.grad[0]),  # type: ignore[index]
    }


def _list(values: Any) -> Any:
    """The numbers as float32 prints them, in lists."""
    array = np.asarray(values, np.float32)
    if array.ndim:
        return [_list(each) for each in array]
    return float(f"{array:.9g}")

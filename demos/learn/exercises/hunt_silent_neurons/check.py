"""Which hidden neurons are dead at the start, whether the others bend, and whether it learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import Activation, Adam, LeakyReLU, Linear, Model, ReLU, accuracy, fit
from scratchnet.datasets import circles
from scratchnet.demos.learn.wrong import Wrong, shown

SEEDS = (0, 1, 2)
MOST_DEAD, MOST_ALWAYS = 0.3, 0.9


def check(learner: Any) -> None:
    """Raise `Wrong` unless few neurons start dead or always active, and the network learns."""
    X, y = circles(200)
    for seed in SEEDS:
        model = learner.build(seed)
        if not isinstance(model, Model):
            raise Wrong(f"build({seed}) is {shown(model)}: must be a Model")
        check_shape(model)
        check_neurons(model, X, seed)
    if np.array_equal(*(next(iter(learner.build(seed).state_dict().values())) for seed in (0, 1))):
        raise Wrong("build(0) and build(1) have the same weights: the seed must be used")
    biases = [layer.parameters.get("bias") for layer in linear_layers(model)[:2]]
    lowest = min((float(each.numpy().min()) for each in biases if each is not None), default=0)
    fit(model, X, y, optimizer=Adam(model, 0.01), epochs=120)
    share = float(accuracy(model, X, y))
    if share < 0.95:
        why = f"; a hidden bias starts at {lowest:.3g}" if lowest < -1 else ""
        raise Wrong(f"after 120 steps of Adam {share:.0%} are correct: must be 95% or more{why}")


def check_shape(model: Model) -> None:
    """Two hidden layers of 32, as before."""
    widths = [layer.fan_out for layer in linear_layers(model)]
    if widths != [32, 32, 1]:
        raise Wrong(f"the layers have {shown(widths)} neurons: must be [32, 32, 1], as before")


def linear_layers(model: Model) -> list[Linear]:
    """The model's linear layers, first to last."""
    return [layer for _, layer in model.root.walk() if isinstance(layer, Linear)]


def check_neurons(model: Model, X: Any, seed: int) -> None:
    """Few neurons of a hidden layer may be dead, or active on every sample."""
    names = dict(model.root.children())
    activated = [
        (name, values)
        for name, values in model.activations(X).items()
        if isinstance(names[name], Activation)
    ]
    if len(activated) < 2:
        raise Wrong("the hidden layers have no activation: the whole network is linear")
    weights = linear_layers(model)
    for number, (name, values) in enumerate(activated[:2], 1):
        layer = f"hidden layer {number} of build({seed})"
        W = weights[number - 1].parameters["weight"].numpy()
        if np.allclose(W, W[:, :1]):
            raise Wrong(
                f"all neurons of {layer} have the same weights, {W[0, 0]:.3g}: they would learn "
                "the same"
            )
        dead = float((values == 0).all(axis=0).mean())
        if dead > MOST_DEAD:
            bias = weights[number - 1].parameters.get("bias")
            size = "" if bias is None else f"; the mean of its biases is {bias.numpy().mean():.3g}"
            raise Wrong(
                f"{dead:.0%} of the neurons of {layer} are dead, 0 on all samples: must be "
                f"{MOST_DEAD:.0%} at most{size}"
            )
        always = float((values > 0).all(axis=0).mean())
        if always > MOST_ALWAYS and isinstance(names[name], ReLU | LeakyReLU):
            raise Wrong(
                f"{always:.0%} of the neurons of {layer} are active on every sample, so that they "
                f"do not bend: must be {MOST_ALWAYS:.0%} at most"
            )

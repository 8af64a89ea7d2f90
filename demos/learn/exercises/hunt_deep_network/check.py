"""The mean square behind eight layers of ReLUs, and that the weights are still random."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import numbers, parts
from scratchnet.demos.learn.wrong import Wrong, array

DEPTH, WIDTH, FACTOR = 8, 64, 1000.0


def check(learner: Any) -> None:
    """Raise `Wrong` unless random weights keep the size of a signal through eight ReLU layers."""
    sizes = [WIDTH] * (DEPTH + 1)
    X = np.random.default_rng(9).standard_normal((100, WIDTH))
    for seed in (0, 1):
        weights = read_weights(learner.initial_weights(list(sizes), np.random.default_rng(seed)))
        again = read_weights(learner.initial_weights(list(sizes), np.random.default_rng(seed)))
        if not np.array_equal(weights, again):
            raise Wrong("other weights for the same rng: draw from rng, not from np.random")
        check_random(weights)
        with np.errstate(all="ignore"):
            outputs = learner.forward(X.copy(), weights)
        outputs = parts(outputs, DEPTH, "what forward returns")
        given = [array(each, "an output", (100, WIDTH)) for each in outputs]
        check_size(given, weights, X)
        check_layers(learner, given, weights, X)
    other = read_weights(learner.initial_weights(list(sizes), np.random.default_rng(5)))
    if np.array_equal(other[0], weights[0]):
        raise Wrong("two generators give the same weights: they must be drawn from rng")
    smaller = learner.initial_weights([3, 7, 5], np.random.default_rng(2))
    shapes = [np.shape(each) for each in smaller]
    if shapes != [(3, 7), (7, 5)]:
        raise Wrong(f"the weights for sizes [3, 7, 5] have shapes {shapes}: must be (n_in, n_out)")


def read_weights(given: Any) -> list[Any]:
    """The learner's weights, one matrix for each layer."""
    matrices = parts(given, DEPTH, "what initial_weights returns")
    return [numbers(W, "a weight matrix", (WIDTH, WIDTH)) for W in matrices]


def check_random(weights: list[Any]) -> None:
    """The neurons of a layer must differ, and so must the layers."""
    for number, W in enumerate(weights, 1):
        if not W.any():
            raise Wrong(f"all weights of layer {number} are 0: nothing comes through")
        if np.allclose(W, W[:, :1]):
            raise Wrong(
                f"all neurons of layer {number} have the same weights, W[0, 0] = W[0, 1] = "
                f"{W[0, 0]:.3g}: they would learn the same"
            )
    if np.allclose(weights[0], weights[1]):
        raise Wrong("layers 1 and 2 have the same weights: must be drawn anew for each")


def check_size(outputs: list[Any], weights: list[Any], X: Any) -> None:
    """The mean square of the last layer, beside that of the input."""
    first = float((X**2).mean())
    sizes = [float((each**2).mean()) for each in outputs]
    ratio = sizes[-1] / first
    per_layer = (sizes[-1] / sizes[0]) ** (1 / (DEPTH - 1)) if sizes[0] else 0.0
    variance = float(np.mean([W.var() for W in weights]))
    wanted = f"2 / n_in = {2 / WIDTH:.3g}"
    one = f"the mean square is {first:.2g} at the input and {sizes[-1]:.2g} behind layer {DEPTH}"
    if not np.isfinite(ratio) or ratio > FACTOR:
        raise Wrong(
            f"{one}, times {per_layer:.3g} in each layer: it explodes; the variance of the weights "
            f"is {variance:.3g}, and {wanted} keeps the size"
        )
    if ratio < 1 / FACTOR:
        raise Wrong(
            f"{one}, times {per_layer:.3g} in each layer: it dies out; the variance of the weights "
            f"is {variance:.3g}, and {wanted} keeps the size"
        )
    last = np.abs(outputs[-1])
    share = (last > 0.99 * last.max()).mean()
    if share > 0.2:
        raise Wrong(
            f"{share:.0%} of the outputs of layer {DEPTH} have the same size, "
            f"{last.max():.3g}: they are cut off, and have no gradient; scale the weights"
        )


def check_layers(learner: Any, outputs: list[Any], weights: list[Any], X: Any) -> None:
    """The layers must still use their weights, and bend."""
    others = [W[::-1] for W in weights]
    with np.errstate(all="ignore"):
        if np.array_equal(np.asarray(learner.forward(X.copy(), others)[0]), outputs[0]):
            raise Wrong("with other weights layer 1 gives the same: forward does not use them")
    least = outputs[0].min()
    if least != 0 and (outputs[0] == least).mean() > 0.2:
        raise Wrong(f"the least that layer 1 gives is {least:.3g}: must be 0, ReLU is max(0, z)")
    above, below = (float((part(outputs[0], 0) ** 2).mean()) for part in (np.maximum, np.minimum))
    if below > above / 2:
        raise Wrong(
            f"layer 1 gives {outputs[0].min():.3g}, as far below 0 as above: the ReLU is gone, and "
            "eight layers are no more than one"
        )


def outcome() -> tuple[str, int]:
    """The size behind eight layers with weights of variance 1."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((200, WIDTH))
    for _ in range(DEPTH):
        x = np.maximum(x @ draw.standard_normal((WIDTH, WIDTH)), 0)
    size = float(np.sqrt((x**2).mean()))
    words = f"inputs of size 1 become {size:,.0f} behind eight layers"
    return words, 0 if size < 10 else 1 if size < 1e4 else 2

"""How large signals and gradients are, layer by layer, before a network has learned anything.

A layer computes z = x W from the outputs x = phi(z_before) of the layer before it. For independent
weights of mean 0 and variance v, and biases of 0,

    E[z^2]  = fan_in v E[phi(z_before)^2]                     forward, and
    E[g^2]_before = E[phi'(z_before)^2] fan_out v E[g^2]      backward, where g = dL/dz.

With many neurons z is normal, N(0, q), which turns each expectation into a number that depends on
q alone (Glorot and Bengio 2010; He et al. 2015; Poole et al. 2016; Schoenholz et al. 2017). For
ReLUs both lines hold exactly and at any width, for weights whose law is symmetric about 0, because
a sum with a symmetric law is positive half of the time (He et al. 2015; Hanin 2018). For other
activations they are limits for wide layers.

"Exactly" is said of the mean over networks. A single network scatters about it the more, the
deeper and narrower it is: see `relu_scatter`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scratchnet.backends import InputError, choose
from scratchnet.backends.errors import nonnegative, positive_whole

Variance = Callable[[int, int], float]
"""The variance of a weight as a function of (fan_in, fan_out)."""

WEIGHT_VARIANCES: dict[str, Variance] = {
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "fan_out_normal": lambda fan_in, fan_out: 2 / fan_out,
    "orthogonal": lambda fan_in, fan_out: 2 / max(fan_in, fan_out),
    "zeros": lambda fan_in, fan_out: 0.0,
}
"""The variance of each initialiser of `scratchnet.init`, by its name."""


def _sigmoid(z: Any) -> Any:
    """1 / (1 + e^-z), which overflows nowhere in this form."""
    return 0.5 * (1 + np.tanh(z / 2))


FUNCTIONS_AND_SLOPES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
}


def output_mean_square(activation: str, q: float) -> float:
    """E[phi(z)^2] for z ~ N(0, q): what is left of a signal's mean square behind phi.

    For a ReLU q / 2: one half of the z are cut off, and the others keep their squares. tanh
    compresses: below q, near q for small q, and at most 1. For a sigmoid between 1/4 and 1/2.
    Raises `InputError` for an unknown activation and a negative or infinite q.
    """
    if activation == "relu":
        return nonnegative("the mean square q", q) / 2
    return _normal_mean(lambda z: np.square(_pair(activation)[0](z)), q)


def slope_mean_square(activation: str, q: float) -> float:
    """E[phi'(z)^2] for z ~ N(0, q): what is left of a gradient's mean square behind phi.

    For a ReLU 1/2 for every q > 0. For tanh 1 at q = 0 and less for every larger q, for a sigmoid
    1/16 at most. Raises `InputError` as `output_mean_square`.
    """
    if activation == "relu":
        return 0.5 if nonnegative("the mean square q", q) > 0 else 0.0
    return _normal_mean(lambda z: np.square(_pair(activation)[1](z)), q)


def _pair(activation: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The activation and its derivative as functions; `InputError` for an unknown name."""
    return choose("activation", activation, FUNCTIONS_AND_SLOPES)


def _normal_mean(function: Callable[[Any], Any], q: float) -> float:
    """E[function(z)] for z ~ N(0, q), by the trapezoidal rule.

    The rule's error for an analytic function falls like exp(-2 pi a / step), with a the distance of
    its nearest pole from the real line (pi / 2 for tanh): steps of 1/4 leave rounding alone.
    """
    deviation = math.sqrt(nonnegative("the mean square q", q))
    if deviation == 0:
        return float(function(np.zeros(1))[0])
    steps = math.ceil(36 * max(1.0, deviation))
    u = np.linspace(-9, 9, 2 * steps + 1)
    density = np.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.sum(density * function(deviation * u)) * (u[1] - u[0]))


def forward_mean_squares(
    widths: Sequence[int], variance: Variance, activation: str, input_mean_square: float = 1.0
) -> Any:
    """q_l = E[z_l^2] of each layer's pre-activations: q_l = n_{l-1} v_l E[phi(z_{l-1})^2].

    `widths` is (inputs, layer 1, ..., layer L). The first layer sees the inputs as they are, with
    the mean square given. Returns a float64 array (L,). Raises `InputError` for fewer than two
    widths, one below 1, a variance or a mean square that is negative or infinite, and an unknown
    activation.
    """
    fans = _fans(widths)
    mean_squares = []
    x = nonnegative("input_mean_square", input_mean_square)
    for fan_in, fan_out in fans:
        q = fan_in * nonnegative("a weight's variance", variance(fan_in, fan_out)) * x
        mean_squares.append(q)
        x = output_mean_square(activation, q)
    return np.array(mean_squares)


def backward_mean_squares(
    widths: Sequence[int], variance: Variance, activation: str, input_mean_square: float = 1.0
) -> Any:
    """E[g_l^2] for g_l = dL/dz_l: g_l = E[phi'(z_l)^2] n_{l+1} v_{l+1} g_{l+1}, and 1 at the last.

    Arguments, shape and errors as those of `forward_mean_squares`. The gradient at the last layer
    is taken as drawn independently of the weights, with mean square 1. That W is as random on the
    way back as if it had not been used on the way there is exact for ReLUs, and an assumption
    that works for wide layers otherwise (Schoenholz et al. 2017; Yang 2019).
    """
    q = forward_mean_squares(widths, variance, activation, input_mean_square)
    g = np.ones(len(q))
    fans = _fans(widths)
    for layer in reversed(range(len(q) - 1)):
        fan_in, fan_out = fans[layer + 1]
        g[layer] = slope_mean_square(activation, q[layer]) * fan_out * variance(fan_in, fan_out)
        g[layer] *= g[layer + 1]
    return g


BATCH_NORM_RELU_GROWTH = math.pi / (math.pi - 1)
"""What each layer Linear, BatchNorm, ReLU multiplies E[g^2] by on the way back: 1.467.

For wide layers and large batches, whatever the variance of the weights, which the normalisation
takes out (Yang et al. 2019, "A Mean Field Theory of Batch Normalization"). So at initialisation the
first gradient of such a network grows exponentially with depth, by 1.211 a layer."""


def _fans(widths: Sequence[int]) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of each layer; `InputError` for widths that are none."""
    if len(widths) < 2:
        raise InputError(f"widths {tuple(widths)}: at least the inputs and one layer are needed")
    checked = [positive_whole("a width", width) for width in widths]
    return list(zip(checked, checked[1:], strict=False))


def relu_scatter(hidden: Sequence[int], outputs: int) -> float:
    """Var(s) / E[s]^2 of s = |z|^2 / outputs behind ReLU layers of these widths, for one input.

        (1 + 2 / outputs) prod over hidden of (1 + 5 / width) - 1

    for normal weights of any variance and biases of 0. Given its input, |relu(z)|^2 is a sum of
    `width` independent terms of relative variance 5, since E[relu(u)^4] / E[relu(u)^2]^2 = 6, and
    |z|^2 one of terms of relative variance 2. So a typical network is far from the mean where the
    sum of 1 / width is not small (Hanin and Rolnick 2018, "How to start training").
    """
    widths = [positive_whole("a width", width) for width in hidden]
    products = math.prod(1 + 5 / width for width in widths)
    return (1 + 2 / positive_whole("outputs", outputs)) * products - 1


def sigmoid_gradient_bound(
    weights: Sequence[Any], input_norm: Any, output_gradient_norm: Any
) -> Any:
    """|dL/dW_1| <= (1/4)^L |W_2|_2 ... |W_L|_2 |x| |dL/da_L| for one input x and L sigmoid layers.

    a_l = sigmoid(a_{l-1} W_l + b_l) with a_0 = x; `weights` are W_1, ..., W_L, each (in, out) or
    (E, in, out) for E networks, and the two norms are numbers or arrays (E,). |dL/dW_1| is the
    Euclidean (Frobenius) norm. It follows from dL/dW_1 = x^T dL/dz_1, from dL/dz_l = (dL/da_l)
    sigma'(z_l) with sigma' <= 1/4, and from |dL/da_{l-1}| <= |W_l|_2 |dL/dz_l|: one factor 1/4 for
    each of the L layers, one spectral norm for each W but the first.
    """
    if not len(weights):
        raise InputError("the bound of a network without weights: at least one layer is needed")
    bound = np.asarray(input_norm, float) * np.asarray(output_gradient_norm, float)
    for each in weights[1:]:
        bound = bound * np.linalg.norm(np.asarray(each, float), 2, axis=(-2, -1))
    return bound / 4.0 ** len(weights)


def exercise_gradient_bound(weights: Sequence[Any], output_gradient_norm: Any) -> Any:
    """(w / 4)^(L-1) |W_2|_2 ... |W_L|_2 |dL/da_L|, w neurons per layer: NOT a bound.

    This form is found in a textbook's exercise. The input's norm and one factor 1/4 are missing, so
    it fails for one layer, or one neuron in each, where |x| > 4. The factors w have no reason; in
    several layers of 4 neurons or more they make it so large that gradients hardly pass it. Kept to
    count where it fails; `weights` as those of `sigmoid_gradient_bound`, w the largest number of
    neurons in a layer.
    """
    if not len(weights):
        raise InputError("the bound of a network without weights: at least one layer is needed")
    bound = np.asarray(output_gradient_norm, float)
    for each in weights[1:]:
        bound = bound * np.linalg.norm(np.asarray(each, float), 2, axis=(-2, -1))
    neurons = max(np.shape(each)[-1] for each in weights)
    return bound * (neurons / 4) ** (len(weights) - 1)

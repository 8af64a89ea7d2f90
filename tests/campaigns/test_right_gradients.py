"""No right gradient is blamed: of all ops, losses and BatchNorm, at drawn shapes and inputs.

Among them inputs at which a gradient is hard to measure: saturated, far from 0 or from 1, where
terms cancel, at kinks and ties, whole numbers, single numbers and none.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from ledger import enter
from likely_mistakes import OPS
from planted_gradients import Op
from strategies import EVERY_OP

from scratchnet import Tensor, ops
from scratchnet.gradcheck import explain_gradient
from scratchnet.layers import BatchNorm
from scratchnet.losses import FORMULAS, LOSSES
from scratchnet.model import Model

DRAWS, SAMPLE = 10_000, 40
SHAPES: list[tuple[int, ...]] = [(), (3,), (1,), (2, 3), (5, 4), (3, 3), (4, 1), (1, 4), (2, 3, 4)]
PAIRS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *[(shape, shape) for shape in SHAPES],
    *[((5, 4), (4,)), ((5, 4), (5, 1)), ((3, 3), (3,)), ((4, 1), (1, 4)), ((2, 3), ())],
]
PRODUCTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    *[((5, 3), (3, 4)), ((3, 3), (3, 3)), ((2, 3), (3, 2)), ((2, 4, 3), (3, 5)), ((3,), (3, 4))],
]
OF_ONE = ["negative", "exp", "expm1", "sin", "cos", "absolute", "relu", "leaky_relu", "sigmoid"]
OF_ONE += ["tanh", "softplus", "gelu"]
OF_POSITIVE = ["log", "log1p", "sqrt"]
OF_TWO = ["add", "subtract", "multiply", "maximum", "minimum"]
OF_TWO_POSITIVE = ["divide", "power"]
ALONG = ["sum", "mean", "max", "min", "softmax", "log_softmax", "logsumexp", "cumsum"]
SPREAD_ALONG = ["var", "std", "norm"]
SATURATING = ["sigmoid", "tanh", "softplus", "gelu", "relu", "leaky_relu"]
SATURATING_ALONG = ["softmax", "log_softmax", "logsumexp"]

KINKED = {
    "relu": Op(lambda x: np.maximum(x, 0), (lambda dy, y, x: dy * (x > 0),), ()),
    "relu, 1/3": Op(
        lambda x: np.maximum(x, 0), (lambda dy, y, x: dy * np.heaviside(x, 1 / 3),), ()
    ),
    "absolute": Op(np.abs, (lambda dy, y, x: dy * np.sign(x),), ()),
    "leaky": Op(
        lambda x: np.where(x > 0, x, x / 4),
        (lambda dy, y, x: dy * (x > 0) + dy * (x <= 0) / 4,),
        (),
    ),
    "clip": Op(lambda x: np.clip(x, 0, 1), (lambda dy, y, x: dy * (x >= 0) * (x <= 1),), ()),
    "open clip": Op(lambda x: np.clip(x, -1, 1), (lambda dy, y, x: dy * (abs(x) < 1),), ()),
    "maximum": Op(
        np.maximum, (lambda dy, y, a, b: dy * (a > b), lambda dy, y, a, b: dy * (b >= a)), ()
    ),
    "first max": Op(
        lambda x: x.max(-1, keepdims=True),
        (lambda dy, y, x: dy * (np.arange(x.shape[-1]) == x.argmax(-1)[..., None]),),
        (),
    ),
    "shared max": Op(
        lambda x: x.max(-1, keepdims=True),
        (lambda dy, y, x: dy * (x == y) / (x == y).sum(-1, keepdims=True),),
        (),
    ),
}

Case = tuple[str, Callable[..., Tensor], list[Any]]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], positive: bool = False) -> Any:
    """Of either sign, some of them at kinks and ties."""
    if positive:
        return rng.uniform(0.3, 3.0, shape)
    if rng.random() < 0.2:
        return np.asarray(rng.integers(-2, 3, shape), float)
    return np.asarray(rng.standard_normal(shape) * rng.choice([0.3, 1.0, 3.0]))


def drawn(rng: np.random.Generator) -> Case:
    kinds = ["one", "two", "along", "product", "table", "planted", "loss", "norm", "kinked"]
    kinds += ["saturated", "scaled", "cancelling", "tied", "whole", "accumulated"]
    kind = rng.choice(kinds)
    case: Case = globals()[f"of_{kind}"](rng)
    return case


def of_one(rng: np.random.Generator) -> Case:
    name = str(rng.choice(OF_ONE + OF_POSITIVE))
    shape = SHAPES[rng.integers(len(SHAPES))]
    return name, getattr(ops, name), [numbers(rng, shape, name in OF_POSITIVE)]


def of_two(rng: np.random.Generator) -> Case:
    name, pair = str(rng.choice(OF_TWO + OF_TWO_POSITIVE)), PAIRS[rng.integers(len(PAIRS))]
    arrays = [numbers(rng, shape, name in OF_TWO_POSITIVE) for shape in pair]
    return name, getattr(ops, name), arrays[:: rng.choice([-1, 1])]


def of_along(rng: np.random.Generator) -> Case:
    name = str(rng.choice(ALONG + SPREAD_ALONG))
    shape = SHAPES[rng.integers(1, len(SHAPES))]
    axis = int(rng.integers(len(shape)))
    return name, partial(getattr(ops, name), axis=axis), [numbers(rng, shape) + 0.01]


def of_product(rng: np.random.Generator) -> Case:
    pair = PRODUCTS[rng.integers(len(PRODUCTS))]
    arrays = [numbers(rng, shape) for shape in pair]
    if len(pair[0]) == len(pair[1]) == 2 and rng.random() < 0.4:
        return "affine", ops.affine, [*arrays, numbers(rng, pair[1][1:])]
    return "matmul", ops.matmul, arrays


def of_table(rng: np.random.Generator) -> Case:
    name = str(rng.choice([name for name in EVERY_OP if name != "threshold"]))
    return name, EVERY_OP[name], [numbers(rng, (3, 4), True) for _ in range(2)]


def of_planted(rng: np.random.Generator) -> Case:
    name = str(rng.choice(list(OPS)))
    jitter = [array * rng.uniform(0.5, 1.5, np.shape(array)) for array in OPS[name].inputs]
    return name, OPS[name].function(), jitter


def of_kinked(rng: np.random.Generator) -> Case:
    """A pullback of one's own, which takes any number between two slopes."""
    name = str(rng.choice(list(KINKED)))
    shape = SHAPES[rng.integers(3, len(SHAPES))]
    arrays = [np.asarray(rng.integers(-2, 3, shape), float) for _ in KINKED[name].pullbacks]
    return name, KINKED[name].function(), arrays


def of_saturated(rng: np.random.Generator) -> Case:
    """Where the slope is next to nothing, or of one entry among many."""
    width = float(rng.choice([10.0, 40.0, 300.0]))
    x = width * rng.standard_normal(SHAPES[rng.integers(3, len(SHAPES))]) + rng.choice([0, width])
    if rng.random() < 0.5:
        name = str(rng.choice(SATURATING))
        if rng.random() < 0.5 and name in OPS:
            return f"own {name}", OPS[name].function(), [np.clip(x, -300, 300)]
        return name, getattr(ops, name), [x]
    name = str(rng.choice(SATURATING_ALONG))
    return name, partial(getattr(ops, name), axis=int(rng.integers(x.ndim))), [x]


SCALABLE: dict[str, Callable[[float, float], Op]] = {
    "line": lambda s, c: Op(lambda x: s * x + c, (lambda dy, y, x: s * dy,), ()),
    "square": lambda s, c: Op(
        lambda x: (x / s) ** 2 + c, (lambda dy, y, x: 2 * dy * x / s / s,), ()
    ),
    "sine": lambda s, c: Op(
        lambda x: c * np.sin(x / s), (lambda dy, y, x: dy * c * np.cos(x / s) / s,), ()
    ),
    "exponential": lambda s, c: Op(lambda x: np.exp(x / s) * c, (lambda dy, y, x: dy * y / s,), ()),
    "shifted tanh": lambda s, c: Op(
        lambda x: np.tanh(x / s - c), (lambda dy, y, x: dy * (1 - y * y) / s,), ()
    ),
    "row sums": lambda s, c: Op(
        lambda x: s * x.sum(-1, keepdims=True) + c,
        (lambda dy, y, x: s * dy * np.ones_like(x),),
        (),
    ),
    "reciprocal": lambda s, c: Op(
        lambda x: c / (x * x + s * s),
        (lambda dy, y, x: -2 * dy * c * x / (x * x + s * s) ** 2,),
        (),
    ),
}


def of_scaled(rng: np.random.Generator) -> Case:
    """Numbers from 1e-6 to 1e6, and as large an offset beside small changes."""
    name = str(rng.choice(list(SCALABLE)))
    s, c = 10.0 ** rng.uniform(-6, 6, 2)
    if name == "shifted tanh":
        c = float(rng.choice([0.1, 10.0, 1e3]))
    x = s * (
        rng.standard_normal(SHAPES[rng.integers(1, len(SHAPES))]) + (c if "tanh" in name else 0)
    )
    return f"{name}, {s:.3g}, {c:.3g}", SCALABLE[name](s, c).function(), [x]


CANCELLING: dict[str, Callable[[Tensor], Tensor]] = {
    "x - x": lambda x: x - x,
    "x - x, squared": lambda x: (x - x) ** 2 + x,
    "x / x": lambda x: x / x,
    "log exp": lambda x: ops.log(ops.exp(x)),
    "sqrt of a square": lambda x: ops.sqrt(x * x),
    "far and back": lambda x: (x + 1e6) - 1e6,
    "square differences": lambda x: (x + 1e3) * (x + 1e3) - x * x,
    "excess": lambda x: ops.logsumexp(x, -1, keepdims=True) - x,
    "far excess": lambda x: ops.logsumexp(x + 1e4, -1, keepdims=True) - 1e4,
    "centred": lambda x: ops.sum(x - ops.mean(x, -1, keepdims=True), -1),
    "sum of softmax": lambda x: ops.sum(ops.softmax(x, -1), -1),
}


def of_cancelling(rng: np.random.Generator) -> Case:
    name = str(rng.choice(list(CANCELLING)))
    return name, CANCELLING[name], [numbers(rng, SHAPES[rng.integers(1, len(SHAPES))]) + 0.01]


TIED: dict[str, Callable[[Tensor], Tensor]] = {
    "relu both ways": lambda x: ops.relu(x) + ops.relu(-x),
    "relu, no kink": lambda x: ops.relu(x) - ops.relu(-x),
    "relu twice": lambda x: ops.relu(x) + ops.relu(2 * x),
    "relu beside itself": lambda x: x + ops.relu(x),
    "max and min": lambda x: ops.max(x, -1) - ops.min(x, -1),
    "max and mean": lambda x: ops.max(x, -1) + ops.mean(x, -1),
    "max beside itself": lambda x: x - ops.max(x, -1, keepdims=True),
    "absolute sums": lambda x: ops.sum(ops.absolute(x), -1),
    "absolute of a sum": lambda x: ops.absolute(ops.sum(x, -1)),
    "largest of two": lambda x: ops.maximum(x, ops.relu(x)),
    "relu of a product": lambda x: ops.relu(x * ops.sum(x, -1, keepdims=True)),
}


def of_tied(rng: np.random.Generator) -> Case:
    """Sums of ops at their kinks, and entries that are equal."""
    name = str(rng.choice(list(TIED)))
    shape = SHAPES[rng.integers(1, len(SHAPES))]
    return name, TIED[name], [np.asarray(rng.integers(-1, 2, shape), float)]


def of_whole(rng: np.random.Generator) -> Case:
    """Whole numbers, a single number, or none at all, for one op or two."""
    shape = [(), (0,), (3, 0), (1, 1), (4,), (2, 3)][rng.integers(6)]
    first, second = rng.integers(-3, 4, (2, *shape))
    if rng.random() < 0.5:
        name = str(rng.choice(OF_ONE))
        return name, getattr(ops, name), [first]
    return "multiply", ops.multiply, [first, second]


def of_accumulated(rng: np.random.Generator) -> Case:
    """Pullbacks that add up in place, entry by entry, what several uses of an input send."""

    def taken(x: Any) -> Any:
        return x[places] * np.arange(1, len(places) + 1).reshape(-1, *[1] * (x.ndim - 1))

    def added(dy: Any, y: Any, x: Any) -> Any:
        dx = np.zeros_like(x)
        for number, place in enumerate(places):
            dx[place] += (number + 1) * dy[number]
        return dx

    def chained(x: Tensor) -> Tensor:
        total = x
        for number in range(int(uses)):
            total = total + x * (number + 1) if number % 2 else total * x
        return total

    x = rng.standard_normal(SHAPES[rng.integers(1, len(SHAPES))])
    places, uses = rng.integers(0, len(x), 4), rng.integers(1, 4)
    if rng.random() < 0.5:
        return "taken", Op(taken, (added,), ()).function(), [x]
    return "chained", chained, [x]


def of_loss(rng: np.random.Generator) -> Case:
    name = str(rng.choice(list(LOSSES)))
    samples = int(rng.integers(1, 6))
    classes = 1 if name in ("binary_cross_entropy", "hinge") else int(rng.integers(1, 5))
    outputs = numbers(rng, (samples, classes))
    if name == "softmax_cross_entropy":
        targets: Any = rng.integers(0, classes, samples)
    elif name in ("binary_cross_entropy", "hinge"):
        targets = rng.integers(0, 2, (samples, 1)).astype(float)
    else:
        targets = numbers(rng, outputs.shape)
    if name != "softmax_cross_entropy" and rng.random() < 0.3:
        formula = FORMULAS[name]
        return f"formula of {name}", lambda y, t: formula(y, t).mean(), [outputs, targets]
    weights = rng.uniform(0.5, 2.0, samples) if rng.random() < 0.3 else None
    return name, lambda outputs: LOSSES[name](outputs, targets, weights), [outputs]


def of_norm(rng: np.random.Generator) -> Case:
    n, d = int(rng.integers(3, 7)), int(rng.integers(1, 5))
    if rng.random() < 0.3:
        model = Model(BatchNorm(d), dtype="float64").train()
        return "BatchNorm", model, [numbers(rng, (n, d)) + 0.1 * rng.random((n, d))]

    def batch_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return ops.standardize(x)[0] * gain + shift

    x = rng.standard_normal((n, d))
    return "batch norm", batch_norm, [x, numbers(rng, (d,)), numbers(rng, (d,))]


def blamed(seed: int) -> str | None:
    """What is said against a right gradient, which the seed draws."""
    rng = np.random.default_rng(seed)
    name, function, arrays = drawn(rng)
    dtype = "float32" if rng.random() < 0.1 else "float64"
    tensors = [Tensor(np.array(array, dtype)) for array in arrays]
    reference = function if rng.random() < 0.3 else None
    found = explain_gradient(function, *tensors, reference=reference, seed=seed)
    return f"{name}, seed {seed}: {found[0]}" if found else None


def test_right_gradients_are_not_blamed() -> None:
    assert list(filter(None, map(blamed, range(SAMPLE)))) == []


@pytest.mark.campaign
def test_ten_thousand_right_gradients_are_not_blamed() -> None:
    with ProcessPoolExecutor() as pool:
        assert list(filter(None, pool.map(blamed, range(DRAWS), chunksize=50))) == []
    enter(
        "right_gradients",
        f"{DRAWS} right gradients, drawn over all ops, losses and BatchNorm, and own pullbacks at "
        "kinks and ties: none is blamed",
    )

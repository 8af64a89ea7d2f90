"""The screens of the tour: what is told, what is asked, and the run that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from scratchnet import SGD, Adam, Tensor, accuracy, fit, init, mlp, ops
from scratchnet.datasets import spirals, xor
from scratchnet.depth.regions import plane_regions
from scratchnet.pruning import prune


@dataclass(frozen=True)
class Screen:
    """A screen: its text, a question with choices, and a run.

    `run()` returns what was found, in words, and the number of the choice that it bears out.
    `source` names the lines that did it, a module and a name in it.
    """

    title: str
    text: str
    question: str
    choices: tuple[str, ...]
    run: Callable[[], tuple[str, int]]
    source: str


def gradient(x: Tensor) -> np.ndarray:
    """What `backward()` left; every tensor here has one."""
    assert x.grad is not None
    return np.asarray(x.grad)


def product() -> tuple[str, int]:
    """d(x x)/dx at 3."""
    x = Tensor(3.0, requires_grad=True)
    y = x * x
    y.backward()
    slope = float(gradient(x))
    return f"x = 3, y = x * x = {y.item():g}, dy/dx = {slope:g}", (3.0, 6.0, 9.0).index(slope)


def two_uses() -> tuple[str, int]:
    """d(x + x x)/dx at 3."""
    x = Tensor(3.0, requires_grad=True)
    y = x + x * x
    y.backward()
    slope = float(gradient(x))
    found = f"dy/dx = {slope:g}: 1 through the sum, and 6 through the product, added"
    return found, (1.0, 6.0, 7.0).index(slope)


def bias() -> tuple[str, int]:
    """The gradient of a bias that five rows share."""
    x = Tensor(np.arange(10.0).reshape(5, 2))
    b = Tensor(np.zeros(2), requires_grad=True)
    (x + b).sum().backward()
    slope = float(gradient(b)[0])
    return f"the gradient of each bias is {slope:g}: a 1 from each row", (1.0, 2.0, 5.0).index(
        slope
    )


def dead() -> tuple[str, int]:
    """The derivative of ReLU on both sides of 0, and at 0."""
    x = Tensor(np.array([-2.0, 0.0, 2.0]), requires_grad=True)
    ops.relu(x).sum().backward()
    slopes = gradient(x).tolist()
    known = ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0])
    return f"the derivatives at -2, 0 and 2 are {slopes}", known.index(slopes)


def over_inputs(factor: float, fan_in: int, fan_out: int) -> float:
    """A variance of `factor` over the number of inputs."""
    return factor / fan_in


def variance() -> tuple[str, int]:
    """The mean square behind 20 layers, with and without the 2."""
    X = np.random.default_rng(0).standard_normal((200, 64))
    sizes = [64] * 21
    found = {}
    for name, factor in (("1 / n", 1.0), ("2 / n", 2.0)):
        model = mlp(sizes, init=init.normal(partial(over_inputs, factor)))
        signal = model.activations(X)
        last = list(signal.values())[-2]
        found[name] = float(np.mean(np.square(last)))
    words = ", ".join(f"variance {name}: mean square {value:.2g}" for name, value in found.items())
    halves = found["2 / n"] > 1000 * found["1 / n"]
    return f"after 20 layers of 64 ReLUs, {words}", 1 if halves else 0


def exclusive_or() -> tuple[str, int]:
    """The best accuracy of ten single neurons on XOR."""
    X, y = xor()
    best = 0.0
    for seed in range(10):
        model = mlp([2, 1], seed=seed)
        fit(model, X, y, optimizer=SGD(model, 1.0), epochs=500)
        best = max(best, float(accuracy(model, X, y)))
    return f"the best of ten single neurons gets {best:.0%} right", (1.0, 0.75, 0.5).index(best)


def rates() -> tuple[str, int]:
    """The accuracies of two layers on spirals at two learning rates."""
    X, y = spirals(400)
    found = []
    for rate in (0.1, 0.8):
        model = mlp([2, 32, 32, 1], ensemble=5)
        fit(model, X, y, optimizer=SGD(model, rate), epochs=1000)
        found.append(float(accuracy(model, X, y).mean()))
    words = f"two layers reach {found[0]:.0%} at a learning rate of 0.1, {found[1]:.0%} at 0.8"
    difference = found[1] - found[0]
    return words, 2 if difference > 0.05 else 0 if difference < -0.05 else 1


def replay() -> tuple[str, int]:
    """The same training eager and replayed: time, and whether the bits agree."""
    X, y = spirals(400)
    models = [mlp([2, 32, 32, 1], seed=0) for _ in range(2)]
    histories = [
        fit(model, X, y, optimizer=Adam(model, 0.01), epochs=200, record=record)
        for model, record in zip(models, (False, True), strict=True)
    ]
    same = all(
        np.array_equal(a, b)
        for a, b in zip(*(model.state_dict().values() for model in models), strict=True)
    )
    ratio = histories[0].seconds / histories[1].seconds
    words = f"replayed, the same training took {1 / ratio:.0%} of the time; the same bits: {same}"
    return words, 0 if same else 1


def pieces() -> tuple[str, int]:
    """The mean number of linear regions, wide and deep."""
    wide, deep = (
        float(np.mean([plane_regions(mlp([2, *widths, 1], seed=i)).count for i in range(10)]))
        for widths in ([32], [8] * 4)
    )
    found = f"one layer of 32 neurons has {wide:.0f} pieces on average, four layers of 8 {deep:.0f}"
    return found, 2 if abs(wide - deep) < 0.1 * max(wide, deep) else 0 if wide > deep else 1


def sparse() -> tuple[str, int]:
    """Accuracy before pruning, after it, and trained on."""
    X, y = spirals(400)
    model = mlp([2, 32, 32, 1], seed=0)
    fit(model, X, y, optimizer=Adam(model, 0.01), epochs=400)
    before = float(accuracy(model, X, y))
    prune(model, sparsity=0.8)
    after = float(accuracy(model, X, y))
    fit(model, X, y, optimizer=Adam(model, 0.01), epochs=400)
    again = float(accuracy(model, X, y))
    words = f"{before:.0%} correct, {after:.0%} without 80 % of the weights, {again:.0%} trained on"
    return words, 0 if after > 0.95 else 1 if again > 0.9 else 2


SCREENS = (
    Screen(
        "A number that remembers",
        "A Tensor holds an array and remembers how it was made. `backward()` walks back from the "
        "result and leaves the derivative in `x.grad`.",
        "y = x * x at x = 3. What is dy/dx?",
        ("3", "6", "9"),
        product,
        "scratchnet.ops.elementwise:multiply",
    ),
    Screen(
        "Used twice",
        "Each op gives a pullback to each of its inputs. Where a tensor is used in two ops, two "
        "pullbacks reach it.",
        "y = x + x * x at x = 3. What is dy/dx?",
        ("1", "6", "7"),
        two_uses,
        "scratchnet.tensor:Tensor.backward",
    ),
    Screen(
        "Broadcasting",
        "A bias of two numbers is added to five rows of two. NumPy repeats it for every row.",
        "The result is the sum of everything. What is the gradient of a bias?",
        ("1", "2", "5"),
        bias,
        "scratchnet.ops.broadcasting:unbroadcast",
    ),
    Screen(
        "The kink",
        "ReLU is max(0, x). It has a derivative on both sides of 0, and none at 0: an engine has "
        "to choose one.",
        "What are the derivatives at -2, 0 and 2 here?",
        ("1, 1, 1", "0, 1, 1", "0, 0, 1"),
        dead,
        "scratchnet.ops.activations:relu",
    ),
    Screen(
        "How large to begin",
        "Weights of variance 1 / n keep the size of a sum of n inputs. ReLU then sets half of the "
        "sums to 0. He et al. (2015) take 2 / n.",
        "Does the 2 matter after 20 layers?",
        ("hardly", "by a factor of more than a thousand"),
        variance,
        "scratchnet.init:he_normal",
    ),
    Screen(
        "One neuron",
        "XOR has four points; its classes lie on the two diagonals of a square. A neuron draws one "
        "line.",
        "How many points does the best of ten trained neurons get right?",
        ("all four", "three", "two"),
        exclusive_or,
        "scratchnet.layers.linear:Linear",
    ),
    Screen(
        "The learning rate",
        "Two hidden layers of 32 learn two spirals by gradient descent, 1,000 steps, five seeds. "
        "Once at a learning rate of 0.1, and once at 0.8.",
        "Which is better?",
        ("0.1, clearly", "they are alike", "0.8, clearly"),
        rates,
        "scratchnet.optim:sgd_rule",
    ),
    Screen(
        "Record and replay",
        "The first step of a training is recorded: a list of array calls with their buffers. Later "
        "steps only replay the list.",
        "Are the trained weights the same, bit for bit?",
        ("yes", "no, up to rounding"),
        replay,
        "scratchnet.program:RecordedStep",
    ),
    Screen(
        "Pieces",
        "A network of ReLUs is linear on each piece of the plane, and the pieces can be counted. "
        "Here are ten networks of 32 neurons each, before any training, in one layer or in four. "
        "The bounds allow four layers far more.",
        "Which have more pieces?",
        ("one layer of 32", "four layers of 8", "neither, within a tenth"),
        pieces,
        "scratchnet.depth.regions:plane_regions",
    ),
    Screen(
        "Without most weights",
        "A trained network loses the 80 % of its weights that are smallest. Then it is trained on, "
        "and what was pruned stays 0.",
        "What happens?",
        (
            "nothing: it is as good at once",
            "it gets worse, and recovers by training",
            "it gets worse, and stays so",
        ),
        sparse,
        "scratchnet.pruning:prune",
    ),
)

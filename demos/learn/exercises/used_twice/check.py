"""Small graphs: two uses in one op, uses in several, and an array that two nodes share."""

from typing import Any

import numpy as np

from scratchnet.demos.learn.wrong import Wrong, compare

X, Z = np.array([3.0, -2.0, 0.5]), np.array([1.5, 4.0, -1.0])


def add(learner: Any, a: Any, b: Any) -> Any:
    """The node a + b of the learner's class."""
    return learner.Node(a.value + b.value, (a, lambda dy: dy), (b, lambda dy: dy))


def multiply(learner: Any, a: Any, b: Any) -> Any:
    """The node a b, entry by entry."""
    x, z = a.value, b.value
    return learner.Node(x * z, (a, lambda dy: dy * z), (b, lambda dy: dy * x))


def total(learner: Any, a: Any) -> Any:
    """The node of the sum of a's three entries, one number."""
    return learner.Node(np.sum(a.value), (a, lambda dy: np.full(3, dy)))


def check(learner: Any) -> None:
    """Raise `Wrong` unless the gradients of all uses of a node add up in its grad."""
    once(learner)
    summed(learner)
    product(learner)
    several(learner)
    shared(learner)
    again(learner)


def once(learner: Any) -> None:
    """Of y = x z, dL/dy must be 1 everywhere, dL/dx = z and dL/dz = x."""
    x, z = learner.Node(X), learner.Node(Z)
    y = multiply(learner, x, z)
    learner.backward([y, x, z])
    if x.grad is None or z.grad is None or y.grad is None:
        raise Wrong("y = x * z: a grad is None after backward, must be an array in every node")
    at = "y = x * z: the grad of"
    if np.shape(y.grad) == () and y.grad == 1:
        raise Wrong(f"{at} y is one number: must be an array of y's shape, 1 in every entry")
    compare(y.grad, np.ones(3), f"{at} y", [("the result's grad is 1 everywhere", X * Z)])
    known = [("the pullback gets y's value: it must get y's grad, which begins as 1", X * Z * Z)]
    known += [("this is y's grad: send pullback(node.grad) to each input", np.ones(3))]
    compare(x.grad, Z, f"{at} x", known)
    none = "every input must get its gradient, this one gets none"
    compare(z.grad, X, f"{at} z", [(none, 0 * X)])


def summed(learner: Any) -> None:
    """Of the sum of x z, and of (x z) z, the gradients must go from the result to the leaves."""
    x, z = learner.Node(X), learner.Node(Z)
    product = multiply(learner, x, z)
    y = total(learner, product)
    learner.backward([y, product, x, z])
    what = "y = sum of x * z, one number: the grad of"
    compare(y.grad, 1.0, f"{what} y")
    late = "the walk begins at the leaves, must begin at the result: as the order has it"
    compare(x.grad, Z, f"{what} x", [(late, 0 * Z)])
    x, z, other = learner.Node(X), learner.Node(Z), learner.Node(Z)
    product = multiply(learner, x, z)
    y = multiply(learner, product, other)
    learner.backward([y, product, x, z, other])
    squared = "pullback(node.grad) is multiplied by node.grad once more"
    compare(x.grad, Z * Z, "y = (x * z) * z: the grad of x", [(squared, Z**3)])


def product(learner: Any) -> None:
    """Of y = x x, dL/dx must be 2 x: the op uses x twice."""
    x = learner.Node(X)
    y = multiply(learner, x, x)
    learner.backward([y, x])
    mistakes = [
        ("only one of the two uses counts: add the second to the first", X),
        ("the two gradients are multiplied, must be added", X * X),
        ("the second gradient is subtracted, must be added", 0 * X),
    ]
    compare(x.grad, 2 * X, "y = x * x: the grad of x", mistakes)


def several(learner: Any) -> None:
    """Of y = x + x x, dL/dx must be 1 + 2 x: two ops use x."""
    x = learner.Node(X)
    square = multiply(learner, x, x)
    y = add(learner, x, square)
    learner.backward([y, square, x])
    mistakes = [
        ("only the last use counts: add each gradient to what is there", X),
        ("the use in the sum is lost", 2 * X),
        ("only the first use counts", np.ones(3)),
        ("an array was changed that another node holds as well; += does that", (1 + X) ** 2),
    ]
    compare(x.grad, 1 + 2 * X, "y = x + x * x: the grad of x", mistakes)


def shared(learner: Any) -> None:
    """Nodes that were given the same array as gradient must not change it for each other."""
    x, z = learner.Node(X), learner.Node(Z)
    total = add(learner, x, z)
    square = multiply(learner, x, x)
    y = add(learner, total, square)
    learner.backward([y, total, square, x, z])
    right = {"x": 1 + 2 * X, "z": np.ones(3), "total": np.ones(3), "y": np.ones(3)}
    in_place = "an array was changed that it shares with the grad of x; += does that"
    for name, node in (("z", z), ("total", total), ("y", y), ("x", x)):
        mistakes = [(in_place, 1 + 2 * X), (in_place, 1 + X)]
        at = f"total = x + z, y = total + x * x: the grad of {name}"
        compare(node.grad, right[name], at, mistakes if name != "x" else [])


def again(learner: Any) -> None:
    """A second call of `backward` must give the same gradients as the first."""
    x = learner.Node(X)
    y = multiply(learner, x, x)
    learner.backward([y, x])
    learner.backward([y, x])
    added = "the gradients of the first call are still there: set every grad to None first"
    known = [(added, factor * X) for factor in (3, 4, 6, 8)]
    compare(x.grad, 2 * X, "y = x * x, backward called twice: the grad of x", known)

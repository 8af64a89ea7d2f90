"""One suite for every backend: each operation beside NumPy's, and a network of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers, numbers
from scratchnet.demos.learn.wrong import Mistake, Wrong, is_close


def check(learner: Any) -> None:
    """Raise `Wrong` unless each operation gives NumPy's numbers and leaves its inputs unchanged."""
    k = learner.Backend()
    draw = np.random.default_rng(0)
    a, other = draw.standard_normal((2, 3, 4))
    b = draw.standard_normal((4, 2))
    row = draw.standard_normal(4)
    for values in (a, row):
        back = k.to_lists(k.asarray(values.tolist()))
        compare_numbers(back, values, "to_lists(asarray(values))")
    of_product = [
        ("the result is transposed: one row for each row of a", (a @ b).T),
        ("the sum goes on from entry to entry, it must start at 0 in each", running(a, b)),
        ("rows of a meet rows of b, must meet its columns: zip(*b)", by_rows(a, b)),
        ("only the last product of the sum is kept, = and not +=", np.outer(a[:, -1], b[-1])),
        ("only the first product of the sum is kept", np.outer(a[:, 0], b[0])),
        (
            "all rows are one and the same list: [[0] * m] * N makes N names of one row",
            np.tile((a @ b).sum(axis=0), (3, 1)),
        ),
        (
            "these are products entry by entry, each row of a has to meet each column of b",
            a[:, :2] * b[:3],
        ),
    ]
    check_operation(k, "matmul", (a, b), a @ b, of_product)
    square = draw.standard_normal((2, 3, 3))
    of_square = [
        ("these are products entry by entry, not of matrices", square[0] * square[1]),
        ("b is transposed", square[0] @ square[1].T),
        ("a is transposed", square[0].T @ square[1]),
        ("the order is turned, this is b a", square[1] @ square[0]),
        ("the result is transposed", (square[0] @ square[1]).T),
    ]
    check_operation(k, "matmul", tuple(square), square[0] @ square[1], of_square)
    joined = [("the + of lists joins them, it does not add numbers", np.concatenate([a, other]))]
    check_operation(k, "add", (a, other), a + other, joined)
    first_only = np.concatenate([a[:1] + row, a[1:]])
    of_row = [
        ("the row is added to the first row only", first_only),
        ("each row of a gets one number of b, must get all of b", a + row[:3, None]),
    ]
    check_operation(k, "add", (a, row), a + row, of_row)
    # Here a row might be taken for a column.
    wide = square[0] + row[:3]
    column = [("the row is added as a column, b_i for b_j", square[0] + row[:3, None])]
    check_operation(k, "add", (square[0], row[:3]), wide, column)
    with_zero = np.array([[-1.5, 0.0, 2.0], [0.5, -0.25, -3.0]])
    of_relu = [
        ("this is the absolute value", np.abs(with_zero)),
        ("this is the derivative, 1 where the input is above 0", (with_zero > 0).astype(float)),
        ("this is min(0, a)", np.minimum(with_zero, 0)),
        ("nothing is cut off", with_zero),
        ("this is a sign", np.sign(with_zero)),
        ("numbers below 0 are left out, must become 0", np.array([[2.0], [0.5]])),
    ]
    check_operation(k, "relu", (with_zero,), np.maximum(with_zero, 0), of_relu)
    of_sum = [
        ("this is the mean, not the sum", a.mean(axis=0)),
        ("this is the last row alone", a[-1]),
        ("this is the first row alone", a[0]),
        ("the first row is left out", a[1:].sum(axis=0)),
        ("the last row is left out", a[:-1].sum(axis=0)),
        ("this is the sum of all entries, must be one for each column", a.sum()),
    ]
    summed = to_lists(k, k.sum_rows(k.asarray(a.tolist())))
    if isinstance(summed, list | np.ndarray) and len(summed) == 3:
        raise Wrong(
            "sum_rows of a (3, 4) array has 3 entries, must be 4: it sums each row, must sum over "
            "the rows, column by column"
        )
    check_operation(k, "sum_rows", (a,), a.sum(axis=0), of_sum)
    check_network(k, draw)


def running(a: Any, b: Any) -> Any:
    """a b with a sum that is never set back to 0, row by row."""
    return np.cumsum((a @ b).ravel()).reshape(len(a), -1)


def by_rows(a: Any, b: Any) -> Any:
    """Sums of products of rows with rows, as long as the shorter one is."""
    return a[:, : b.shape[1]] @ b.T


def to_lists(k: Any, array: Any) -> Any:
    """What an operation returned, out of the backend."""
    return array if array is None else k.to_lists(array)


def check_operation(
    k: Any, name: str, inputs: Sequence[Any], right: Any, mistakes: Sequence[Mistake] = ()
) -> None:
    """One operation beside the right numbers; its inputs must stay as they are."""
    given = [k.asarray(each.tolist()) for each in inputs]
    what = f"{name} of {' and '.join(str(each.shape) for each in inputs)}"
    try:
        result = getattr(k, name)(*given)
    except (TypeError, ValueError, IndexError) as error:
        if name == "add" and inputs[1].ndim == 1:
            raise Wrong(
                f"{what} raises {type(error).__name__}, {error}: b may be one row, which is added "
                "to each row of a"
            ) from error
        raise
    for number, (before, after) in enumerate(zip(inputs, given, strict=True)):
        now = numbers(k.to_lists(after), f"input {number} after {what}", before.shape)
        if not is_close(now, before):
            i = tuple(int(each) for each in np.argwhere(np.abs(now - before) > 1e-5)[0])
            raise Wrong(
                f"{what} changes input {number}: its entry {i} was {before[i]:.4g} and is "
                f"{now[i]:.4g}; must return a new array"
            )
    found = to_lists(k, result)
    compare_numbers(found, right, what, mistakes)


def check_network(k: Any, draw: Any) -> None:
    """A network of all operations, as the lesson's text has it."""
    X, W1, W2 = (draw.standard_normal(shape) for shape in ((6, 3), (3, 5), (5, 2)))
    b1, b2 = draw.standard_normal(5), draw.standard_normal(2)
    right = np.maximum(X @ W1 + b1, 0) @ W2 + b2
    x, w1, c1, w2, c2 = (k.asarray(each.tolist()) for each in (X, W1, b1, W2, b2))
    output = k.add(k.matmul(k.relu(k.add(k.matmul(x, w1), c1)), w2), c2)
    compare_numbers(k.to_lists(output), right, "the output of a network")
    total = k.to_lists(k.sum_rows(output))
    compare_numbers(total, right.sum(axis=0), "sum_rows of a network's output")

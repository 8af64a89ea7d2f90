"""The table of derivatives at kinks, which stands in the docstring of `scratchnet.ops`."""

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from strategies import DTYPES, computed

from scratchnet import Tensor, losses, ops

INF = math.inf
N = 4
DERIVATIVES = {
    "0": 0.0,
    "1": 1.0,
    "slope": 0.25,
    "1/2 each": 0.5,
    "1/n each": 1 / N,
    "infinity": INF,
}
TABLE = [
    tuple(re.split(r"  +", row.strip()))
    for row in (ops.__doc__ or "").partition("dy/dx\n")[2].partition("\n\n")[0].splitlines()
]

Case = tuple[Callable[..., Tensor], list[float]]
CASES: dict[tuple[str, str], list[Case]] = {
    ("relu", "x = 0"): [(ops.relu, [0.0, -0.0])],
    ("leaky_relu", "x = 0"): [(lambda x: ops.leaky_relu(x, 0.25), [0.0, -0.0])],
    ("threshold", "any x, the jump at 0 too"): [(ops.threshold, [-1.0, 0.0, 1.0])],
    ("threshold", "|x| = surrogate_window"): [
        (lambda x: ops.threshold(x, surrogate_window=0.5), [-0.5, 0.5])
    ],
    ("absolute", "x = 0"): [(ops.absolute, [0.0, -0.0]), (abs, [0.0])],
    ("clip", "x = low, or x = high"): [
        (lambda x: ops.clip(x, -0.5, 2.0), [-0.5, 2.0]),
        (lambda x: ops.clip(x, None, 2.0), [2.0]),
        (lambda x: ops.clip(x, -0.5), [-0.5]),
    ],
    ("maximum, minimum", "a = b"): [
        (partial(op, **other), [0.0, 0.0])
        for op in (ops.maximum, ops.minimum)
        for other in ({"b": 0.0}, {"b": -0.0})
    ]
    + [(partial(op, 0.0), [0.0, -0.0]) for op in (ops.maximum, ops.minimum)],
    ("max, min", "n entries tie"): [(ops.max, [3.0] * N), (ops.min, [3.0] * N)],
    ("norm", "all x are 0"): [(ops.norm, [0.0, -0.0, 0.0]), (ops.norm, [0.0])],
    ("std", "all x are equal"): [
        (ops.std, [0.1] * 3),
        (ops.std, [7.0]),
        (lambda x: ops.std(x, ddof=1), [0.3] * 7),
    ],
    ("sqrt", "x = 0"): [(ops.sqrt, [0.0])],
    ("log", "x = 0"): [(ops.log, [0.0])],
    ("log1p", "x = -1"): [(ops.log1p, [-1.0])],
    ("power, x^p, 0 < p < 1", "x = 0"): [
        (lambda x: x**0.5, [0.0]),
        (lambda x: ops.power(x, x.detach() + 0.3), [0.0]),
    ],
    ("power, x^0", "any x, 0 too"): [
        (lambda x: x**0, [-2.0, 0.0, 3.0]),
        (lambda x: ops.power(x, 0.0 * x.detach()), [-2.0, 0.0, 3.0]),
    ],
    ("power, 0^x", "x > 0"): [(lambda x: 0.0**x, [0.5, 1.0, 2.0])],
    ("logsumexp", "all x are -infinity"): [(ops.logsumexp, [-INF] * 3)],
    ("logsumexp", "n entries are infinity"): [(ops.logsumexp, [INF] * N)],
    ("hinge", "the margin is 1"): [
        (lambda x: losses.hinge(x.reshape(2, 1), np.array([1, 0])), [1.0, -1.0])
    ],
    ("mean_absolute_error", "outputs equal targets"): [
        (
            lambda x: losses.mean_absolute_error(x.reshape(2, 1), np.array([[3.0], [-1.0]])),
            [3.0, -1.0],
        )
    ],
}


def test_the_cases_are_the_rows_of_the_table() -> None:
    assert [row[:2] for row in TABLE] == list(CASES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", TABLE, ids=[" ".join(row[:2]) for row in TABLE])
def test_each_row_of_the_table_is_what_backward_takes(row: Any, dtype: str) -> None:
    op, where, derivative = row
    for function, x in CASES[op, where]:
        with np.errstate(divide="ignore"):
            _, gradient = computed(function, Tensor(x, dtype))
        np.testing.assert_array_equal(gradient, np.full(len(x), DERIVATIVES[derivative], dtype))


@pytest.mark.parametrize("row", TABLE, ids=[" ".join(row[:2]) for row in TABLE])
def test_a_gradient_of_0_stays_0_at_every_row(row: Any) -> None:
    for function, x in CASES[row[0], row[1]]:
        with np.errstate(divide="ignore", invalid="ignore"):
            _, gradient = computed(lambda x, f=function: 0.0 * f(x), Tensor(x))
        assert not gradient.any()

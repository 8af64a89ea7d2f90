"""What the tests of the ops share: arrays away from kinks, one comparison, one table of all ops.

Kinks are excluded by construction. `spread` draws magnitudes from the bands [0.10, 0.11],
[0.15, 0.16], [0.20, 0.21], ..., each band at most once, with random signs. So no entry is nearer
than 0.1 to the kink at 0, no two entries tie, and `BETWEEN_BANDS` (for clip and for windows) is
0.01 away from all of them. A second operand that is shifted by 0.02 ties with no entry of the first
either. Central differences step by 1e-5.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchnet import Tensor, ops
from scratchnet.gradcheck import check_gradients

DTYPES = ("float32", "float64")
BETWEEN_BANDS = 0.44
Op = Callable[..., Tensor]

seeds = st.integers(0, 2**32 - 1)


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0) -> st.SearchStrategy[Any]:
    """Shapes with axes of 0 (where allowed), 1 or more entries."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=4)


def broadcasting_pairs(signature: str | None = None) -> st.SearchStrategy[Any]:
    """Two shapes that broadcast, empty axes and axes of size 1 included."""
    shape: Any = {"signature": signature} if signature else {"num_shapes": 2}
    drawn = hnp.mutually_broadcastable_shapes(**shape, max_dims=3, min_side=0, max_side=3)
    return drawn.map(lambda drawn: drawn.input_shapes)


def spread(seed: int, shape: Any, shift: float = 0.0) -> Any:
    """Entries of either sign with distinct magnitudes, away from 0: see the top of the file."""
    rng = np.random.default_rng(seed)
    n = int(np.prod(shape))
    bands = rng.permutation(max(n, 20))[:n]
    magnitudes = 0.1 + shift + 0.05 * bands + rng.uniform(0, 0.01, n)
    return (rng.choice([-1.0, 1.0], n) * magnitudes).reshape(shape)


def positive(seed: int, shape: Any, shift: float = 0.0) -> Any:
    return np.abs(spread(seed, shape, shift))


def check_op(op: Op, reference: Callable[..., Any], *arrays: Any) -> None:
    """op has the reference's values, gradients like the central differences, and keeps its dtype.

    `arrays` are float64 host arrays. In float32 both are compared with those in float64.
    """
    expected = np.asarray(reference(*arrays))
    wide = computed(op, *[Tensor(a, "float64") for a in arrays])
    narrow = computed(op, *[Tensor(a, "float32") for a in arrays])
    close(wide[0], expected, 1e-12)
    for right, rounded in zip(wide, narrow, strict=True):
        assert (right.dtype, rounded.dtype) == (np.float64, np.float32)
        close(rounded, right, 2e-5)
    check_gradients(op, *[Tensor(a, "float64") for a in arrays])


def computed(op: Op, *tensors: Tensor) -> list[Any]:
    """The value of op, then the gradient of each tensor, all of them arrays of the right shape."""
    for tensor in tensors:
        # A gradient that is there already would be written into, and hide a promotion.
        tensor.grad = None
    y = op(*tensors)
    y.backward()
    assert all(tensor.grad.shape == tensor.shape for tensor in tensors)
    arrays = [y.data, *[tensor.grad for tensor in tensors]]
    assert all(type(array) is np.ndarray for array in arrays)
    return arrays


def close(actual: Any, expected: Any, tolerance: float) -> None:
    """Equal shapes, and entries that differ by at most tolerance times max(1, the largest)."""
    assert actual.shape == expected.shape
    if expected.size:
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


_EVERY_THIRD = np.arange(12).reshape(3, 4) % 3 == 0
_COUNTERS, _KEY = np.arange(12, dtype=np.uint64).reshape(3, 4), np.array(0x9E3779B97F4A7C15)

COMPARISONS = (
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
    *("logical_and", "logical_or", "logical_not"),
)
"""The ops without a gradient."""

EVERY_OP: dict[str, Op] = {
    "add": ops.add,
    "subtract": ops.subtract,
    "multiply": ops.multiply,
    "divide": ops.divide,
    "power": ops.power,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
    "where": lambda a, b: ops.where(a.backend.asarray(_EVERY_THIRD), a, b),
    "matmul": lambda a, b: ops.matmul(a, b.mT),
    "affine": lambda a, b: ops.affine(a, b.mT, b[:, 0]),
    "concatenate": lambda a, b: ops.concatenate([a, b, a], axis=1),
    "stack": lambda a, b: ops.stack([a, b], axis=1),
    "negative": lambda a, b: ops.negative(a),
    "exp": lambda a, b: ops.exp(a),
    "log": lambda a, b: ops.log(a),
    "expm1": lambda a, b: ops.expm1(a),
    "log1p": lambda a, b: ops.log1p(a),
    "sin": lambda a, b: ops.sin(a),
    "cos": lambda a, b: ops.cos(a),
    "sqrt": lambda a, b: ops.sqrt(a),
    "absolute": lambda a, b: ops.absolute(a),
    "clip": lambda a, b: ops.clip(a, -BETWEEN_BANDS, BETWEEN_BANDS),
    "reshape": lambda a, b: ops.reshape(a, (4, 3)),
    "transpose": lambda a, b: ops.transpose(a),
    "take": lambda a, b: ops.take(a, [0, 2, 2]),
    "sum": lambda a, b: ops.sum(a, axis=0),
    "mean": lambda a, b: ops.mean(a, axis=1, keepdims=True),
    "max": lambda a, b: ops.max(a, axis=0),
    "min": lambda a, b: ops.min(a),
    "softmax": lambda a, b: ops.softmax(a),
    "log_softmax": lambda a, b: ops.log_softmax(a, axis=0),
    "relu": lambda a, b: ops.relu(a),
    "leaky_relu": lambda a, b: ops.leaky_relu(a, 0.2),
    "sigmoid": lambda a, b: ops.sigmoid(a),
    "tanh": lambda a, b: ops.tanh(a),
    "softplus": lambda a, b: ops.softplus(a),
    "gelu": lambda a, b: ops.gelu(a),
    "threshold": lambda a, b: ops.threshold(a, surrogate_window=BETWEEN_BANDS),
    "dropout": lambda a, b: ops.dropout(a, 0.5, *map(a.backend.asarray, (_COUNTERS, _KEY))),
    "standardize": lambda a, b: ops.standardize(a)[0],
    "logsumexp": lambda a, b: ops.logsumexp(a, axis=0),
    "var": lambda a, b: ops.var(a, axis=0, ddof=1),
    "std": lambda a, b: ops.std(a, axis=1, keepdims=True),
    "norm": lambda a, b: ops.norm(a, axis=1),
    "cumsum": lambda a, b: ops.cumsum(a, axis=1),
    "broadcast_to": lambda a, b: ops.broadcast_to(a, (2, 3, 4)),
    "squeeze": lambda a, b: ops.squeeze(a[:, :1]),
    "split": lambda a, b: ops.split(a, [1], axis=1)[1],
}
"""Every op as a function of two tensors a, b of shape (3, 4) with positive entries."""

OF_TWO = tuple(EVERY_OP)[:12]
"""The ops that use the second of them."""

"""Every differentiable op: its value and, beside it, its pullbacks, sorted from simple to involved.

Read `elementwise` first, then `comparisons`, `shaping`, `reductions`, `products`, `activations` and
`normalization`; `broadcasting` is what all ops with two operands share.

At a kink, a jump or a pole an op has no derivative in the usual sense. What `backward` takes there:

    op                      where                           dy/dx
    relu                    x = 0                           0
    leaky_relu              x = 0                           slope
    threshold               any x, the jump at 0 too        0
    threshold               |x| = surrogate_window          1
    absolute                x = 0                           0
    clip                    x = low, or x = high            1
    maximum, minimum        a = b                           1/2 each
    max, min                n entries tie                   1/n each
    norm                    all x are 0                     0
    std                     all x are equal                 0
    sqrt                    x = 0                           infinity
    log                     x = 0                           infinity
    log1p                   x = -1                          infinity
    power, x^p, 0 < p < 1   x = 0                           infinity
    power, x^0              any x, 0 too                    0
    power, 0^x              x > 0                           0
    logsumexp               all x are -infinity             0
    logsumexp               n entries are infinity          1/n each
    hinge                   the margin is 1                 0
    mean_absolute_error     outputs equal targets           0

At each of them dL/dx is 0 where dL/dy is 0, infinite as the derivative may be.
"""

from scratchnet.ops.activations import (
    dropout,
    gelu,
    leaky_relu,
    relu,
    sigmoid,
    softplus,
    tanh,
    threshold,
)
from scratchnet.ops.comparisons import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from scratchnet.ops.elementwise import (
    absolute,
    add,
    clip,
    cos,
    divide,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sin,
    sqrt,
    subtract,
    where,
)
from scratchnet.ops.normalization import standardize
from scratchnet.ops.products import affine, matmul
from scratchnet.ops.reductions import (
    cumsum,
    log_softmax,
    logsumexp,
    max,
    mean,
    min,
    norm,
    softmax,
    std,
    sum,
    var,
)
from scratchnet.ops.shaping import (
    broadcast_to,
    concatenate,
    reshape,
    split,
    squeeze,
    stack,
    take,
    transpose,
)

__all__ = [
    "absolute",
    "add",
    "affine",
    "broadcast_to",
    "clip",
    "concatenate",
    "cos",
    "cumsum",
    "divide",
    "dropout",
    "equal",
    "exp",
    "expm1",
    "gelu",
    "greater",
    "greater_equal",
    "leaky_relu",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "norm",
    "not_equal",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "squeeze",
    "stack",
    "standardize",
    "std",
    "subtract",
    "sum",
    "take",
    "tanh",
    "threshold",
    "transpose",
    "var",
    "where",
]

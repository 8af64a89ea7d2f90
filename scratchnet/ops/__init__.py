"""Every differentiable op: its value and, beside it, its pullbacks, sorted from simple to involved.

Read `elementwise` first, then `shaping`, `reductions`, `products`, `activations` and
`normalization`; `broadcasting` is what all ops with two operands share.
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
from scratchnet.ops.reductions import log_softmax, max, mean, min, softmax, sum
from scratchnet.ops.shaping import concatenate, reshape, stack, take, transpose

__all__ = [
    "absolute",
    "add",
    "affine",
    "clip",
    "concatenate",
    "cos",
    "divide",
    "dropout",
    "exp",
    "expm1",
    "gelu",
    "leaky_relu",
    "log",
    "log1p",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "stack",
    "standardize",
    "subtract",
    "sum",
    "take",
    "tanh",
    "threshold",
    "transpose",
    "where",
]

"""How much arithmetic a training step is, and how many bytes it has to move.

Both are counted from the network, not from what some library happens to do, so that every
implementation is measured against the same numbers. N is the batch, a layer maps i to o features.

Floating-point operations, where a multiplication, an addition, a comparison or an exponential is
one:

    products     2 N i o for a W, the same for a^T dz, and for dz W^T in all layers but the first
    bias         N o to add it, N o to sum its gradient
    ReLU         N o forwards, 2 N o backwards (compare, multiply)
    loss         15 N: binary cross-entropy and its derivative, from the logits, and their mean
    update       2 for each parameter: p - learning_rate g

Bytes, for an implementation that computes layer by layer, fuses all elementwise work into the
products, and keeps nothing in a cache from one product to the next:

    products     each reads its two operands once and writes its result once
    bias         o read, o written for its gradient
    ReLU         its output is read once more backwards, N o
    loss         N logits and N targets read, N derivatives written
    update       parameters read and written, gradients read

A network small enough for a cache moves fewer bytes through memory than that, which is why
bandwidth is measured at the size of the step's working set (see `roofline`).
"""

from dataclasses import dataclass
from itertools import pairwise

from scratchnet.demos.bench.cases import Case

LOSS_OPERATIONS = 15
BYTES_OF_A_NUMBER = 4
"""Of float32: in every precision the arrays that the step reads and writes are float32."""


@dataclass(frozen=True)
class StepCount:
    """One training step of all networks of a case."""

    product_operations: int
    elementwise_operations: int
    product_bytes: int
    """Of the bytes below those that the products move."""
    bytes: int
    working_set: int
    """Bytes of everything that the step touches: data, parameters, gradients, activations."""

    @property
    def operations(self) -> int:
        """Of a step, products and all else."""
        return self.product_operations + self.elementwise_operations


def count_step(case: Case) -> StepCount:
    """The formulas above for a step of gradient descent on the case's networks."""
    e, n = case.networks, case.batch
    products = elementwise = product_numbers = other_numbers = activations = 0
    for layer, (i, o) in enumerate(pairwise(case.widths)):
        is_first, is_hidden = layer == 0, layer < case.depth
        # The networks share one batch of inputs.
        read, weight, written = n * i * (1 if is_first else e), e * i * o, e * n * o
        per_layer = 2 if is_first else 3
        products += per_layer * 2 * e * n * i * o
        product_numbers += per_layer * (read + weight + written)
        elementwise += (2 + 3 * is_hidden) * written
        other_numbers += 2 * e * o + is_hidden * written
        activations += written
    parameters = e * case.parameters
    elementwise += LOSS_OPERATIONS * e * n + 2 * parameters
    other_numbers += 2 * e * n + n + 3 * parameters
    touched = n * (case.widths[0] + 1) + 2 * parameters + 2 * activations
    return StepCount(
        products,
        elementwise,
        BYTES_OF_A_NUMBER * product_numbers,
        BYTES_OF_A_NUMBER * (product_numbers + other_numbers),
        BYTES_OF_A_NUMBER * touched,
    )

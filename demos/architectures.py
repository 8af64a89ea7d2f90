"""Deep networks of several kinds: plain, normalised, and with shortcuts that are scaled or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scratchnet.backends import get_backend
from scratchnet.layers import BatchNorm, Layer, Linear, ReLU, Residual
from scratchnet.model import Model, mlp

Kind = Literal[
    "plain", "batch-norm", "residual", "scaled-residual", "resnet", "pre-activation", "bottleneck"
]


@dataclass(frozen=True)
class Architecture:
    """A kind of network. A block spans so many layers, and depths are rounded up to whole ones."""

    label: str
    description: str
    cost: float
    """The time of a layer's step, relative to a plain one's."""
    block: int = 1

    def layers(self, asked: int) -> int:
        """The hidden layers of the network that is asked to have at least so many."""
        return 1 + self.block * self.blocks(asked)

    def blocks(self, asked: int) -> int:
        """How many blocks follow the first layer, which changes the width."""
        return -(-(asked - 1) // self.block)


ARCHITECTURES = {
    "plain": Architecture("plain", "Linear, ReLU", 1.0),
    "batch-norm": Architecture("batch norm", "Linear, batch normalisation, ReLU", 3.0),
    "residual": Architecture("residual", "x + ReLU(Linear(x))", 1.2),
    "scaled-residual": Architecture(
        "scaled residual", "x + ReLU(Linear(x)) / sqrt(number of branches)", 1.3
    ),
    "resnet": Architecture(
        "residual + BN",
        "ReLU(x + BN(Linear(ReLU(BN(Linear(x)))))), as He et al. (2016)",
        3.0,
        block=2,
    ),
    "pre-activation": Architecture(
        "pre-activation",
        "x + Linear(ReLU(BN(Linear(ReLU(BN(x)))))), as He et al. (2016b)",
        3.0,
        block=2,
    ),
    "bottleneck": Architecture(
        "bottleneck",
        "x + three layers through a quarter of the width, the last from zero",
        0.6,
        block=3,
    ),
}
"""By name. All start from He's weights and biases of zero, apart from what is said here."""


def build(
    s: Any, name: str, ends: tuple[int, int], depth: int, seeds: Sequence[int], bias: str = "zeros"
) -> Model:
    """An ensemble of this kind, a network for each seed, of at least `depth` hidden layers.

    Width and backend are those of the settings, `ends` the numbers of inputs and outputs, and
    `bias` is an initialiser of biases; those of bottlenecks start from zero.
    """
    (inputs, outputs), blocks = ends, ARCHITECTURES[name].blocks(depth)
    width: int = s.width
    backend = get_backend(s.backend, s.precision)
    how: dict[str, Any] = {"seed": list(seeds), "ensemble": len(seeds), "backend": backend}
    if name in ("resnet", "pre-activation"):
        is_pre = name == "pre-activation"
        block = pre_activation if is_pre else residual
        inner = [layer for _ in range(blocks) for layer in block(width, bias)]
        normed: list[Layer] = [BatchNorm(width), ReLU()]
        between = [*inner, *normed] if is_pre else [*normed, *inner]
        first, last = (
            Linear(*pair, bias_init=bias) for pair in ((inputs, width), (width, outputs))
        )
        return Model(first, *between, last, **how)
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "batch-norm": {"batch_norm": True},
        "residual": {"residual": True, "residual_scale": 1.0},
        "scaled-residual": {"residual": True},
        "bottleneck": {"bottleneck": max(1, width // 4)},
    }
    widths = [inputs, *[width] * (1 + blocks), outputs]
    return mlp(widths, bias_init=bias, **options[name], **how)


def residual(width: int, bias: str) -> list[Layer]:
    """He et al. (2016), figure 2, fully connected: the ReLU stands behind the sum."""
    one, two = (Linear(width, width, bias_init=bias) for _ in range(2))
    return [Residual(one, BatchNorm(width), ReLU(), two, BatchNorm(width)), ReLU()]


def pre_activation(width: int, bias: str) -> list[Layer]:
    """He et al. (2016b), "Identity Mappings in Deep Residual Networks", figure 1 (b)."""
    one, two = (Linear(width, width, bias_init=bias) for _ in range(2))
    return [Residual(BatchNorm(width), ReLU(), one, BatchNorm(width), ReLU(), two)]

"""The networks whose training step is timed."""

from dataclasses import dataclass
from itertools import pairwise

INPUTS, OUTPUTS = 2, 1


@dataclass(frozen=True)
class Case:
    """A ReLU network of `depth` hidden layers, its batch, and how many of it train side by side."""

    depth: int
    width: int
    batch: int
    networks: int = 1
    precision: str = "fp32"
    backend: str = "numpy"

    @property
    def on_cuda(self) -> bool:
        """Whether the case runs on a CUDA GPU."""
        return self.backend == "cupy"

    @property
    def widths(self) -> tuple[int, ...]:
        """Inputs, hidden layers and outputs."""
        return (INPUTS, *[self.width] * self.depth, OUTPUTS)

    @property
    def ensemble(self) -> int | None:
        """As `mlp` takes it: None for one network."""
        return None if self.networks == 1 else self.networks

    @property
    def parameters(self) -> int:
        """Of one network."""
        return sum((i + 1) * o for i, o in pairwise(self.widths))

    @property
    def network(self) -> str:
        """Such as `2-[32]*8-1`."""
        repeated = f"*{self.depth}" if self.depth > 1 else ""
        return f"{INPUTS}-[{self.width}]{repeated}-{OUTPUTS}"

    def __str__(self) -> str:
        many = f"{self.networks:,} x " if self.networks > 1 else ""
        precision = "" if self.precision == "fp32" else f", {self.precision}"
        return f"{many}{self.network}, {self.batch:,} points{precision}"


# The networks of the README's table: depth, width, batch, networks.
FIGURES = (
    Case(1, 32, 400),
    Case(8, 32, 400),
    Case(4, 64, 64),
    Case(4, 128, 256),
    Case(4, 256, 512),
    Case(8, 16, 512),
    Case(8, 32, 400, 10),
    Case(8, 32, 400, 100),
)
# On a GPU also a network for each of its 132 multiprocessors, a thousand networks, and matrices
# large enough to reach its peak. What tensor cores do for small networks nobody knows yet.
CUDA_FIGURES = (
    *FIGURES,
    *(Case(8, 32, 400, n, p) for n, p in ((132, "fp32"), (1000, "fp32"), (1000, "tf32"))),
    Case(4, 8192, 8192, precision="tf32"),
)

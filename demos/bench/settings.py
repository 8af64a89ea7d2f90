"""What a run of `scratchnet bench` is asked for, and the networks that it times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, Literal

from scratchnet.backends import InputError, available_backends
from scratchnet.backends.compile import compiler_available

INPUTS, OUTPUTS = 2, 1

PEERS = {"torch": "PyTorch", "jax": "JAX"}


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
    def widths(self) -> tuple[int, ...]:
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
        return f"{many}{self.network}, {self.batch:,} points"


# The networks of the README's table: depth, width, batch, networks.
CPU_FIGURES = (
    (1, 32, 400, 1),
    (8, 32, 400, 1),
    (4, 64, 64, 1),
    (4, 128, 256, 1),
    (4, 256, 512, 1),
    (8, 32, 400, 10),
)
# With the compiled step also a network that is all overhead, and many networks.
COMPILED_FIGURES = (*CPU_FIGURES, (8, 16, 512, 1), (8, 32, 400, 100))
# On a GPU also a thousand networks at once, and matrices large enough to reach its peak.
CUDA_FIGURES = (
    *((*figure, "fp32") for figure in CPU_FIGURES),
    (8, 32, 400, 1000, "fp32"),
    (4, 8192, 8192, 1, "tf32"),
)

SWEEP: dict[str, Any] = {
    "depths": (1, 4, 8),
    "widths": (16, 64, 256),
    "batches": (64, 512),
    "ensembles": (1, 10),
}
QUICK_SWEEP: dict[str, Any] = {
    "depths": (1, 4),
    "widths": (16, 64),
    "batches": (64, 256),
    "ensembles": (1, 10),
}
ROUNDS, QUICK_ROUNDS, FIGURES_ROUNDS = 15, 5, 60


@dataclass(frozen=True)
class Settings:
    cases: tuple[Case, ...]
    figures: bool = False
    rounds: int = ROUNDS
    threads: int = 1
    peers: tuple[str, ...] = ()
    baseline: bool = False
    seed: int = 0
    quick: bool = False
    clock: Literal["wall", "processor"] = "wall"
    compiled: bool = False

    @property
    def backends(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(case.backend for case in self.cases))


def choose_settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the options ask for; what is not `given` follows from what is.

    Raises `InputError` for a backend that does not work here, for options that contradict each
    other, and where no backend computes in a precision that was asked for.
    """
    backends = working_backends(given.get("backend", "all"))
    figures, quick = given.get("figures", False), given.get("quick", False)
    sweep = QUICK_SWEEP if quick else SWEEP
    if figures and (swept := [name for name in (*sweep, "precisions") if name in given]):
        option = {"precisions": "--precision"}.get(swept[0], f"--{swept[0]}")
        raise InputError(f"{option} with --figures: its networks are fixed; leave one of them out")
    if figures:
        cases = figure_cases(backends, given.get("compiled", False))
    else:
        cases = sweep_cases(
            {name: given.get(name, each) for name, each in sweep.items()},
            given.get("precisions", ("fp32",)),
            backends,
        )
    if given.get("compiled") and (reason := compiler_available()):
        raise InputError(f"--compiled: {reason}")
    clock, threads = given.get("clock", "wall"), given.get("threads", 1)
    if clock == "processor" and (threads > 1 or "cupy" in backends):
        raise InputError("--clock processor: only one thread on the CPU computes in its own time")
    rounds = QUICK_ROUNDS if quick else FIGURES_ROUNDS if figures else ROUNDS
    return Settings(
        cases,
        figures,
        given.get("rounds", rounds),
        threads,
        given.get("peers", ()),
        given.get("baseline", figures),
        given.get("seed", 0),
        quick,
        clock,
        given.get("compiled", False),
    )


def working_backends(name: str) -> tuple[str, ...]:
    """The backend of that name, or with `all` each one that works here."""
    available = available_backends()
    if name == "all":
        return tuple(each for each, reason in available.items() if reason is None)
    if (reason := available.get(name)) is not None:
        raise InputError(f"--backend {name} cannot be used: {reason}")
    return (name,)


def figure_cases(backends: tuple[str, ...], compiled: bool = False) -> tuple[Case, ...]:
    """The networks of the README's tables: those of the GPU where there is one, else the CPU's."""
    if "cupy" in backends:
        return tuple(Case(*shape, backend="cupy") for shape in CUDA_FIGURES)
    return tuple(Case(*shape) for shape in (COMPILED_FIGURES if compiled else CPU_FIGURES))


def sweep_cases(
    sweep: Mapping[str, Any], precisions: tuple[str, ...], backends: tuple[str, ...]
) -> tuple[Case, ...]:
    """Every combination, the cheap ones first; a CPU takes part in fp32 alone."""
    if "cupy" not in backends and (reduced := [each for each in precisions if each != "fp32"]):
        raise InputError(
            f"--precision {reduced[0]} needs CUDA: NumPy only rounds to it, which is no faster; "
            "accepted here is fp32"
        )
    shapes = product(sweep["depths"], sweep["widths"], sweep["batches"], sweep["ensembles"])
    cases = [
        Case(*shape, precision=precision, backend=backend)
        for shape in shapes
        for precision in precisions
        for backend in backends
        if backend == "cupy" or precision == "fp32"
    ]
    return tuple(sorted(cases, key=lambda c: c.parameters * c.batch * c.networks))


def listed_names(option: str, text: str, known: Mapping[str, Any] | tuple[str, ...]) -> Any:
    """The names of a list such as `torch,jax`, each of them known and given once."""
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if name not in known:
            raise InputError(f"{option} {name!r}: accepted are {', '.join(known)}")
    if len(set(names)) < len(names):
        raise InputError(f"{option} {text!r}: each name can stand in the list once only")
    return names

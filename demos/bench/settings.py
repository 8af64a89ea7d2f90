"""What a run of `scratchnet bench` is asked for, and the networks that it times."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

from scratchnet.backends import InputError, available_backends
from scratchnet.backends.compile import compiler_available
from scratchnet.demos.settings import Common, flag, option, options_of

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

ROUNDS, QUICK_ROUNDS, FIGURES_ROUNDS = 15, 5, 60
SWEPT = ("depths", "widths", "batches", "ensembles", "precision")


@dataclass(frozen=True)
class Options(Common):
    """The options of the command."""

    without = ("seeds", "record", "compile", "csv", "vector", "resume")

    depths: tuple[int, ...] = option((1, 4, 8), "Hidden layers.", quick=(1, 4), low=1, high=1000)
    widths: tuple[int, ...] = option(
        (16, 64, 256), "Neurons per layer.", quick=(16, 64), low=1, high=100_000
    )
    batches: tuple[int, ...] = option(
        (64, 512), "Points per step.", quick=(64, 256), low=1, high=10_000_000
    )
    ensembles: tuple[int, ...] = option(
        (1, 10), "Networks trained side by side.", low=1, high=1_000_000
    )
    figures: bool = option(False, "The networks of the README's table, with --baseline.")
    peers: tuple[Literal["torch", "jax"], ...] = option(
        (), "Let these time the same step there (extra: bench)."
    )
    baseline: bool = option(False, "Add a hand-written loop, and the matrix products alone.")
    compiled: bool = option(False, "Add the compiled step, many steps a call.")
    rounds: int | None = option(
        None,
        f"How often each contestant has its turn; by default {ROUNDS}, quick {QUICK_ROUNDS}, "
        f"figures {FIGURES_ROUNDS}.",
        low=2,
        high=10_000,
    )
    threads: int = option(1, "Cores and threads, for everybody.", low=1, high=100_000)
    clock: Literal["wall", "processor"] = option(
        "wall", "processor leaves out what other processes took on a busy machine."
    )
    backend: Literal["all", "numpy", "cupy"] = option(  # type: ignore[assignment]
        "all", "Array library: all takes every one that works here."
    )
    precision: tuple[Literal["fp32", "tf32", "bf16", "fp16"], ...] = option(  # type: ignore[assignment]
        ("fp32",), "Of the operands of products; others than fp32 need CUDA."
    )
    quick: bool = option(False, "A smaller run of a few seconds, for a first look.")


@dataclass(frozen=True)
class Settings:
    """What a run is asked for."""

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


def choose_settings(o: Options) -> Settings:
    """What the options ask for.

    Raises `InputError` for a backend that does not work here, for options that contradict each
    other, and where no backend computes in a precision that was asked for.
    """
    backends = working_backends(o.backend)
    if o.figures:
        for name in SWEPT:
            if getattr(o, name) != options_of(Options)[name].value({}, o.quick):
                raise InputError(
                    f"{flag(name)} with --figures: must be left out, as its networks are fixed"
                )
    if o.clock == "processor" and (o.threads > 1 or "cupy" in backends):
        raise InputError(
            "--clock processor: must be with one thread on the CPU, which computes in its own time"
        )
    if o.compiled and (reason := compiler_available()):
        raise InputError(f"--compiled: {reason}")
    rounds = QUICK_ROUNDS if o.quick else FIGURES_ROUNDS if o.figures else ROUNDS
    return Settings(
        figure_cases(backends, o.compiled) if o.figures else sweep_cases(o, backends),
        o.figures,
        o.rounds or rounds,
        o.threads,
        o.peers,
        o.baseline or o.figures,
        o.seed,
        o.quick,
        o.clock,
        o.compiled,
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


def sweep_cases(o: Options, backends: tuple[str, ...]) -> tuple[Case, ...]:
    """Every combination, the cheap ones first; a CPU takes part in fp32 alone."""
    if "cupy" not in backends and (reduced := [each for each in o.precision if each != "fp32"]):
        raise InputError(
            f"--precision {reduced[0]} needs CUDA, as NumPy only rounds to it, which is no faster: "
            "must be fp32 here"
        )
    shapes = product(o.depths, o.widths, o.batches, o.ensembles)
    cases = [
        Case(*shape, precision=precision, backend=backend)
        for shape in shapes
        for precision in o.precision
        for backend in backends
        if backend == "cupy" or precision == "fp32"
    ]
    return tuple(sorted(cases, key=lambda c: c.parameters * c.batch * c.networks))

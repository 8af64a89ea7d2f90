"""Training steps of many sizes, timed beside their floors and beside other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from scratchnet.backends import Backend, DeviceMemoryError, InputError, get_backend
from scratchnet.backends.blas import forced_older_kernel
from scratchnet.demos.bench.counting import StepCount, count_step
from scratchnet.demos.bench.engine import (
    COMPILED,
    EAGER,
    RECORDED,
    compiled_contestant,
    engine_contestants,
)
from scratchnet.demos.bench.floors import loop_contestant, products_contestant
from scratchnet.demos.bench.problem import Problem, check_agreement, new_problem
from scratchnet.demos.bench.roofline import (
    PRODUCT_SIZES,
    Ceilings,
    Placement,
    measure_ceilings,
    measured_size,
    place,
)
from scratchnet.demos.bench.settings import PEERS, Case, Settings
from scratchnet.demos.results import environment, installed_version
from scratchnet.demos.running import Advance, no_progress
from scratchnet.demos.timing import (
    Contestant,
    Spread,
    interleaved,
    pinned,
    ratio,
    spread,
)

ONE_CORE = "one CPU core"
NETWORKS_ON_A_CORE = 10
LARGEST_LOOP = 100
"""Networks of an ensemble for which the hand-written loop is still timed, one after another."""


@dataclass(frozen=True, eq=False)
class Row:
    """What was measured of one case. Times are seconds of one step of one network."""

    case: Case
    count: StepCount
    seconds: Mapping[str, Spread]
    """Of each contestant."""
    ratios: Mapping[str, Spread]
    """Each contestant's time over that of the recorded step, in the same round."""
    placements: Mapping[str, Placement]
    """Of the engine's contestants."""
    largest_difference: float
    """Of any loss from the reference, relative."""
    other_processes: float
    other_threads: float
    """As in `timing.Turns`; NaN where nobody was watched."""


@dataclass(frozen=True, eq=False)
class Result:
    settings: Settings
    ceilings: Mapping[tuple[str, str], Ceilings]
    """By backend and precision."""
    environments: Mapping[str, Mapping[str, Any]]
    """By backend."""
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not take part, and why; what slows the products."""
    interrupted: bool = False


def run(settings: Settings, advance: Advance = no_progress) -> Result:
    """Time all cases; after Ctrl-C what is finished by then.

    Raises `InputError` where a peer is missing, or where a contestant computes something else.
    Where that, or an error of a library or the system, comes after cases that were timed, these are
    kept, and the case is left out with the reason, as one is that does not fit into memory.
    """
    with ExitStack() as stack:
        stack.enter_context(pinned(settings.threads))
        prepare_peers(settings, stack)
        result = Result(settings, {}, environments(settings), notes=cautions(settings))
        try:
            ceilings = all_ceilings(settings, advance)
            result = Result(settings, ceilings, result.environments, notes=result.notes)
            for case in settings.cases:
                try:
                    result.rows.append(time_case(case, settings, result, advance))
                except (InputError, MemoryError, RuntimeError, OSError) as error:
                    if not result.rows and not is_out_of_memory(error):
                        raise
                    reason = next(iter(str(error).splitlines()), type(error).__name__)
                    reason = reason.removeprefix(f"{case}: ")
                    result.notes.append(f"{case} on {case.backend} was left out: {reason}")
        except KeyboardInterrupt:
            result = Result(
                settings, result.ceilings, result.environments, result.rows, result.notes, True
            )
    return result


def cautions(settings: Settings) -> list[str]:
    """What makes the times of this process worse than they must be, said at once and kept."""
    forced = forced_older_kernel() if "numpy" in settings.backends else None
    if forced is None:
        return []
    warnings.warn(forced, RuntimeWarning, stacklevel=3)
    return [f"Caution: {forced}."]


def is_out_of_memory(error: Exception) -> bool:
    """Whether that is what the error says, which the peers raise as a `RuntimeError`."""
    words = ("out of memory", "RESOURCE_EXHAUSTED")
    is_our_own = isinstance(error, MemoryError | DeviceMemoryError)
    return is_our_own or any(each in str(error) for each in words)


def prepare_peers(settings: Settings, stack: ExitStack) -> None:
    """Import the peers, with their threads; before anything is measured, for one may be missing."""
    if "torch" in settings.peers:
        from scratchnet.demos.bench.torch_peer import torch_threads

        stack.enter_context(torch_threads(settings.threads))
    if "jax" in settings.peers:
        from scratchnet.demos.bench.jax_peer import import_jax, jax_devices

        jax = import_jax(settings.threads == 1 and "numpy" in settings.backends)
        for name in settings.backends:
            jax_devices(jax, name == "cupy")


def environments(settings: Settings) -> dict[str, dict[str, Any]]:
    peers = {PEERS[name]: installed_version(name) for name in settings.peers}
    if settings.compiled:
        from scratchnet.backends.compile import find_compiler

        peers["compiler"] = str(find_compiler())
    return {name: {**environment(name), **peers} for name in settings.backends}


def backend_of(case: Case) -> Backend:
    """The case's backend, computing its products in the case's precision."""
    return get_backend(case.backend, case.precision)


def ceiling_sizes(settings: Settings) -> dict[tuple[str, str], set[int]]:
    """The sizes at which bandwidth is measured, for each backend and precision."""
    sizes: dict[tuple[str, str], set[int]] = {}
    for case in settings.cases:
        found = sizes.setdefault((case.backend, case.precision), set())
        found.add(measured_size(count_step(case).working_set, case.backend))
    return sizes


def all_ceilings(settings: Settings, advance: Advance) -> dict[tuple[str, str], Ceilings]:
    ceilings = {}
    for (name, precision), sizes in ceiling_sizes(settings).items():
        backend = backend_of(Case(1, 1, 1, precision=precision, backend=name))
        ceilings[name, precision] = measure_ceilings(backend, sizes, advance)
    return ceilings


def total_cost(settings: Settings) -> float:
    """How often `run` advances its progress; contestants that cannot take part are not known."""
    sizes = ceiling_sizes(settings)
    ceilings = sum(len(PRODUCT_SIZES[name]) + len(each) for (name, _), each in sizes.items())
    return ceilings + len(settings.cases)


def time_case(case: Case, settings: Settings, result: Result, advance: Advance) -> Row:
    """First all contestants' losses are compared, then their times."""
    advance(0, note=str(case))
    problem, backend = new_problem(case, settings.seed), backend_of(case)
    contestants, missing = all_contestants(problem, backend, settings)
    result.notes.extend(each for each in missing if each not in result.notes)
    difference = check_agreement(problem, contestants)
    share = 1 / (settings.rounds * len(contestants))
    watched = RECORDED if case.backend == "numpy" and settings.threads == 1 else ""
    turns = interleaved(
        contestants,
        settings.rounds,
        lambda: advance(share),
        watched,
        by_processor=settings.clock == "processor",
    )
    seconds = {name: spread(each) for name, each in turns.seconds.items()}
    count, ceilings = count_step(case), result.ceilings[case.backend, case.precision]
    bandwidth = ceilings.bandwidth(count.working_set, case.backend)
    return Row(
        case,
        count,
        seconds,
        {name: ratio(each, turns.seconds[RECORDED]) for name, each in turns.seconds.items()},
        {
            name: place(
                count, case.networks * seconds[name].median, ceilings.product_rate, bandwidth
            )
            for name in (RECORDED, EAGER, COMPILED)
            if name in seconds
        },
        difference,
        turns.other_processes,
        turns.other_threads,
    )


def all_contestants(
    problem: Problem, backend: Backend, settings: Settings
) -> tuple[list[Contestant], list[str]]:
    """Those that the settings ask for, and a line for each that cannot take part."""
    case, on_cuda = problem.case, problem.case.backend == "cupy"
    contestants = engine_contestants(problem, backend)
    missing: list[str] = []
    if settings.compiled and not on_cuda:
        contestants.append(compiled_contestant(problem, backend))
    if settings.baseline:
        contestants.append(products_contestant(problem, backend))
        if not on_cuda and case.networks <= LARGEST_LOOP:
            contestants.append(loop_contestant(problem))
    if case.precision in ("fp32", "tf32"):
        if "torch" in settings.peers:
            from scratchnet.demos.bench.torch_peer import torch_contestants

            found, missing = torch_contestants(problem, on_cuda)
            contestants += found
        if "jax" in settings.peers:
            from scratchnet.demos.bench.jax_peer import jax_contestants

            contestants += jax_contestants(problem, on_cuda)
    elif settings.peers:
        missing = [f"{case.precision}: the peers take part in fp32 and tf32 only"]
    if on_cuda and settings.figures and case.networks > NETWORKS_ON_A_CORE:
        contestants.append(core_contestant(problem))
    return contestants, missing


def core_contestant(problem: Problem) -> Contestant:
    """Ten of the networks on the CPU, for the throughput of a core beside that of a GPU."""
    case = Case(problem.case.depth, problem.case.width, problem.case.batch, NETWORKS_ON_A_CORE)
    part = Problem(
        case,
        problem.X,
        problem.y,
        tuple(each[:NETWORKS_ON_A_CORE] for each in problem.weights),
        tuple(each[:NETWORKS_ON_A_CORE] for each in problem.biases),
    )
    (found,) = engine_contestants(part, get_backend("numpy"), (RECORDED,))
    return Contestant(ONE_CORE, found.call, found.losses, networks=NETWORKS_ON_A_CORE)

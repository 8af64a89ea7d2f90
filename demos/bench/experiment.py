"""How fast a training step is: the cases, who times them, and what is kept of it.

A row is a case, a network on a batch of points; in it the rounds stand where other experiments have
seeds, and the implementations where they have measures.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scratchnet.backends import Backend, InputError, get_backend
from scratchnet.backends.blas import forced_older_kernel
from scratchnet.backends.compile import compiler_available
from scratchnet.demos.bench import engine, jax_peer, ranks, report, torch_peer
from scratchnet.demos.bench.cases import CUDA_FIGURES, FIGURES, Case
from scratchnet.demos.bench.counting import count_step
from scratchnet.demos.bench.figures import figures
from scratchnet.demos.bench.problem import Problem, check_agreement, new_problem
from scratchnet.demos.bench.roofline import addition, fused_peak, place, product_peak
from scratchnet.demos.bench.timing import (
    Implementation,
    check_threads,
    cores,
    interleaved,
    limited,
    on_cores,
    spread,
)
from scratchnet.demos.experiment import Experiment
from scratchnet.demos.results import installed_version
from scratchnet.demos.running import Row, Run
from scratchnet.demos.settings import Common, flag, option, parse, resolve

LARGEST_LOOP = 100
"""Networks of an ensemble for which the hand-written loop is still timed, one after another."""
RANKS_CASE = Case(4, 256, 4096)
"""What --ranks times where no size is given."""
SWEPT = ("depths", "widths", "batches", "ensembles")


def swept(default: tuple[int, ...], help: str, high: int, quick: tuple[int, ...]) -> Any:
    """A list of sizes, which --figures leaves no choice of."""
    both = [{False: each, True: None} for each in (default, quick)]
    return option(both[0], help, by="figures", quick=both[1], low=1, high=high)


@dataclass(frozen=True)
class Settings(Common):
    """The options of `scratchnet bench`."""

    without = ("seeds", "record", "compile", "csv", "resume", "workers", "scheduler")

    depths: tuple[int, ...] | None = swept((1, 4, 8), "Hidden layers.", 1000, (1, 4))
    widths: tuple[int, ...] | None = swept((16, 64, 256), "Neurons per layer.", 100_000, (16, 64))
    batches: tuple[int, ...] | None = swept((64, 512), "Points per step.", 10**7, (256,))
    ensembles: tuple[int, ...] | None = swept((1,), "Networks side by side.", 10**6, (1,))
    ranks: tuple[int, ...] | None = option(
        None, "Steps on so many processes instead (extra: mpi).", low=1, high=4096
    )
    figures: bool = option(False, "The networks of the README's table instead.")
    peers: tuple[Literal["torch", "jax"], ...] | None = option(
        None, "Let these make the same steps (extra: bench)."
    )
    compiled: bool = option(False, "Add the compiled step, many steps a call.")
    rounds: int = option(
        {False: 10, True: 60}, "Turns of each.", by="figures", quick=5, low=2, high=10_000
    )
    threads: int = option(1, "Cores and threads of each implementation.", low=1, high=100_000)
    quick: bool = option(False, "A smaller run of a few seconds, for a first look.")
    compile: Literal["auto", "on", "off"] = "off"


def cases(s: Settings) -> tuple[Case, ...]:
    """The README's networks, or every combination, the cheap ones first."""
    backend = get_backend(s.backend).name
    if s.figures:
        known = CUDA_FIGURES if backend == "cupy" else FIGURES
        return tuple(replace(case, backend=backend) for case in known)
    shapes = product(s.depths or (), s.widths or (), s.batches or (), s.ensembles or ())
    found = [Case(*shape, precision=s.precision, backend=backend) for shape in shapes]
    return tuple(sorted(found, key=lambda case: case.parameters * case.batch * case.networks))


def check(s: Settings) -> None:
    """Raise `InputError` for what does not fit together, or is not possible here."""
    on_cuda = get_backend(s.backend).name == "cupy"
    for name in SWEPT:
        if s.figures and getattr(s, name) is not None:
            raise InputError(
                f"{flag(name)}: must be left out with --figures, whose cases are fixed"
            )
    if s.precision != "fp32" and not on_cuda:
        raise InputError(
            f"--precision {s.precision}: must be fp32 on a CPU, which only rounds to it"
        )
    if s.compiled and not on_cuda and (reason := compiler_available()):
        raise InputError(f"--compiled: {reason}")
    check_threads(s.threads)


def run(run: Run) -> None:
    """Time all cases.

    Raises `InputError` where a peer is missing. A case that does not fit into memory, in which an
    implementation computes something else, or in which a library fails, is left out with the
    reason; where that is every case, the first error is raised.
    """
    s, result, everywhere = run.settings, run.result, cores()
    notes: list[str] = result.extra.setdefault("notes", [])
    if forced := forced_older_kernel():
        warnings.warn(forced, RuntimeWarning, stacklevel=2)
        notes.append(f"Caution: {forced}.")
    with ExitStack() as stack:
        stack.enter_context(limited(s.threads))
        result.extra["versions"] = prepare_peers(s, stack)
        errors: list[Exception] = []
        for case in cases(s):
            try:
                time_case(run, case, everywhere)
            except (InputError, MemoryError, RuntimeError, OSError) as error:
                errors.append(error)
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                notes.append(f"{case} was left out: {reason.removeprefix(f'{case}: ')}.")
        if not result.rows:
            raise errors[0]


def prepare_peers(s: Settings, stack: ExitStack) -> dict[str, str]:
    """Import the peers, with their threads, before anything is measured; all versions."""
    versions = {}
    if "torch" in (s.peers or ()):
        torch = torch_peer.import_torch()
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(s.threads)
        versions["PyTorch"] = installed_version("torch")
    if "jax" in (s.peers or ()):
        on_cuda = get_backend(s.backend).name == "cupy"
        jax_peer.jax_device(jax_peer.import_jax(s.threads == 1 and not on_cuda), on_cuda)
        versions["JAX"] = installed_version("jax")
    if s.compiled:
        versions["compiler"] = get_backend(s.backend).compiler()
    return versions


def time_case(run: Run, case: Case, everywhere: set[int]) -> None:
    """Compile on all cores and compare the losses; then time on as many cores as threads."""
    s, result = run.settings, run.result
    run.advance(0, note=str(case))
    with on_cores(everywhere):
        problem, backend = new_problem(case, s.seed), get_backend(case.backend, case.precision)
        found = list(implementations(problem, backend, s))
        steps = [each for each in found if isinstance(each, Implementation)]
        notes = result.extra["notes"]
        notes += [each for each in found if isinstance(each, str) and each not in notes]
        is_peak_compiled = not (case.on_cuda or compiler_available())
        peak = fused_peak(s.threads) if is_peak_compiled else product_peak(backend)
        memory = addition(backend, count_step(case).working_set)
        difference = check_agreement(problem, steps)
    turns = [*steps, peak.implementation, memory.implementation]
    share = 1 / (s.rounds * len(turns))
    watched = engine.RECORDED if not case.on_cuda and s.threads == 1 else ""
    seconds, busy = interleaved(turns, s.rounds, lambda: run.advance(share), watched)
    limits = [limit.work / seconds.pop(limit.implementation.name).min() for limit in (peak, memory)]
    before = [r.facts for r in result.rows if r.facts["precision"] == case.precision]
    limits[0] = max([limits[0], *(facts["peak_operations_per_second"] for facts in before)])
    result.extra |= {"peak": peak.sentence, "memory": memory.sentence}
    row = row_of(case, seconds, *limits)
    disturbance = {"largest_loss_difference": difference, "share_of_other_processes": busy}
    result.rows.append(replace(row, facts={**row.facts, **disturbance}))


def row_of(case: Case, seconds: Mapping[str, Any], peak: float, bandwidth: float) -> Row:
    """The rounds of a case, and what follows from them."""
    count = count_step(case)
    ours = (engine.RECORDED, engine.EAGER, engine.COMPILED, engine.KERNEL)
    own = [name for name in ours if name in seconds]
    facts = {
        "network": case.network,
        **vars(case),
        "parameters": case.parameters,
        **vars(count),
        "million_operations": count.operations / 1e6,
        "microseconds": 1e6 * float(np.median(seconds[engine.RECORDED])),
        "peak_operations_per_second": float(peak),
        "bytes_per_second": float(bandwidth),
        "seconds": {name: spread(each) for name, each in seconds.items()},
        "time_over_recorded": {
            name: spread(each / seconds[engine.RECORDED]) for name, each in seconds.items()
        },
        "roofline": {
            name: place(count, case.networks * float(np.median(seconds[name])), peak, bandwidth)
            for name in own
        },
    }
    measures = {f"{name}, seconds": each for name, each in seconds.items()}
    return Row(str(case), facts, tuple(range(len(seconds[engine.RECORDED]))), measures)


def implementations(
    problem: Problem, backend: Backend, s: Settings
) -> Iterator[Implementation | str]:
    """Those that the settings ask for, or in a line why one cannot take part."""
    case = problem.case
    yield engine.engine_step(engine.RECORDED, problem, backend)
    yield engine.engine_step(engine.EAGER, problem, backend)
    yield engine.products(problem, backend)
    if not case.on_cuda and case.networks <= LARGEST_LOOP:
        yield engine.loop(problem)
    if s.compiled and case.on_cuda:
        yield engine.kernel_step(problem, backend)
    elif s.compiled:
        yield engine.engine_step(engine.COMPILED, problem, backend, s.threads)
        if s.threads > 1 and case.ensemble:
            yield replace(
                engine.engine_step(engine.COMPILED, problem, backend), name=report.ONE_THREAD
            )
    if s.peers and case.precision not in jax_peer.PRECISIONS:
        yield f"The peers take part in {', '.join(jax_peer.PRECISIONS)} only."
    elif s.peers:
        yield from torch_peer.torch_steps(problem) if "torch" in s.peers else ()
        yield from jax_peer.jax_steps(problem) if "jax" in s.peers else ()


def number_of_implementations(s: Settings) -> int:
    """Our own, and eager and compiled steps of each peer."""
    return 6 + s.compiled + 2 * len(s.peers or ())


def seconds(s: Settings) -> float:
    """Two calls a turn, at a fifth of a usual core's peak; compiling takes up to ten for a case."""
    turn = sum(2 * count_step(case).operations / 2e10 + 0.03 for case in cases(s))
    compiling = len(cases(s)) * (2 * s.compiled + 10 * ("torch" in (s.peers or ())))
    return s.rounds * number_of_implementations(s) * turn + compiling


def memory(s: Settings) -> float:
    """Of all implementations of the largest case, and of the reference in float64."""
    largest = max(count_step(case).working_set for case in cases(s))
    return (2 + number_of_implementations(s)) * largest


class Bench(Experiment):
    """The experiment, or with `--ranks` the times of steps on several processes."""

    def main(self, arguments: Sequence[str]) -> int:
        """Run the command with these arguments; the exit status."""
        given = {} if {"-h", "--help"} & set(arguments) else parse(self.settings, arguments)
        if not given.get("ranks"):
            return super().main(arguments)
        s: Any = resolve(self.settings, given)
        if get_backend(s.backend, s.precision).name != "numpy" or s.ensembles != (1,):
            raise InputError("--ranks: must be on numpy, with one network")
        self.check(s)
        chosen = cases(s) if set(SWEPT) & set(given) or s.figures else (RANKS_CASE,)
        if (most := max(s.ranks)) > (points := min(case.batch for case in chosen)):
            raise InputError(f"--ranks {most}: must be at most {points}, one for each point")
        return ranks.command(replace(s, out=given.get("out", Path("runs") / self.name)), chosen)


experiment = Bench.of(
    __name__,
    question="How fast is a training step: beside the device's limits, and beside other libraries?",
    source="the roofline model (Williams, Waterman and Patterson 2009): the nearer limit binds",
    look_for="who is faster than the recorded step, at which sizes, and how near the peak is",
    definitions=(
        "A step is gradient descent on binary cross-entropy over all points.",
        "eager: the engine's step as Python runs it. recorded: the same calls, replayed. "
        "C++ step: the recorded calls as one compiled function. CUDA kernel: as one kernel, a "
        "block of threads for each network.",
        "matrix products: those of the step alone. hand-written loop: the step as calls of NumPy.",
    ),
    work=lambda s: len(cases(s)),
    answer=lambda result, verdicts: report.headline(result),
    tables=lambda result: [report.limits_table(result), report.ratio_table(result)],
    notes=lambda result: list(report.notes(result)),
    figures=figures,
    next=(
        "scratchnet bench --figures --peers torch,jax --compiled --rounds 25",
        "scratchnet bench --depths 8 --widths 32 --batches 400 --ensembles 100 --compiled "
        "--threads 2",
        "scratchnet bench --figures --backend cupy --peers torch,jax --compiled --rounds 15",
        "scratchnet compile",
    ),
)

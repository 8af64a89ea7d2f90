"""`--target cuda`: the kernel that a step becomes, and what NVIDIA's compiler says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scratchnet.backends.compile import NotCompiled, with_plain_biases
from scratchnet.backends.compile.cuda_source import (
    CLUSTERS,
    SHARED_BYTES,
    Kernel,
    write_kernel,
)
from scratchnet.backends.cuda_compiler import compile_for, why_no_compiler
from scratchnet.backends.errors import InputError
from scratchnet.backends.interface import Array, Call
from scratchnet.buffer_reuse import elide_copies
from scratchnet.demos.experiment import Table
from scratchnet.demos.running import Result, Row, Run
from scratchnet.program import RecordedStep, Recording

GPUS = {"sm_80": "A100", "sm_90": "H100, H200", "sm_100": "B200"}


def kernels(calls: Sequence[Call], outcome: Array) -> dict[str, Kernel]:
    """The kernel of the step for each GPU that can have one."""
    found: dict[tuple[int, tuple[int, ...]], Kernel | None] = {}
    for limits in ((SHARED_BYTES[name], CLUSTERS[name]) for name in GPUS):
        if limits not in found:
            try:
                found[limits] = write_kernel(calls, outcome, *limits)
            except NotCompiled as error:
                found[limits], refusal = None, error
    if not any(found.values()):
        raise InputError(f"must be a step that has a CUDA kernel: {refusal}")
    kernels = {name: found[SHARED_BYTES[name], CLUSTERS[name]] for name in GPUS}
    return {name: kernel for name, kernel in kernels.items() if kernel}


def run(run: Run, recorded: RecordedStep, recording: Recording, backend: Any) -> Kernel:
    """Compile the kernel for each GPU; a row says what a block and a thread take."""
    calls = with_plain_biases(elide_copies(recording.raw, recording.outcome, backend))
    found = kernels(calls, recording.outcome)
    for architecture, kernel in found.items():
        facts: dict[str, Any] = {
            "gpu": GPUS[architecture],
            "tile": kernel.tile,
            "blocks": kernel.cluster,
            "shared_bytes": kernel.shared_bytes,
            "threads": kernel.threads,
        }
        if why_no_compiler() is None:
            compiled = compile_for(architecture, kernel.source)
            facts |= {"registers": compiled.registers, "spilled_bytes": compiled.spilled_bytes}
        run.result.rows.append(Row(architecture, facts, (run.settings.seed,), {}))
        run.advance(1, note=architecture)
    without = ", ".join(GPUS[name] for name in GPUS if name not in found)
    run.result.extra |= {
        "without": without,
        "listing": recorded.lines(recording, calls),
        "calls": len(calls),
    }
    return found["sm_90"]


def taken(result: Result) -> Table:
    """What a block takes of each GPU."""
    headings = [
        "GPU",
        "for",
        "blocks",
        "points\nper tile",
        "shared\nKiB",
        "threads",
        "registers\neach",
    ]
    rows = [
        [
            row.facts["gpu"],
            row.arm,
            str(row.facts["blocks"]),
            str(row.facts["tile"]),
            f"{row.facts['shared_bytes'] / 1024:.0f} of {SHARED_BYTES[row.arm] // 1024}",
            str(row.facts["threads"]),
            str(row.facts.get("registers", "?")),
            str(row.facts.get("spilled_bytes", "?")),
        ]
        for row in result.verdict_rows()
    ]
    title = "How many blocks of threads train one network, and what each takes"
    return Table([*headings, "bytes\nspilled"], rows, title)


def answer(result: Result) -> str:
    """What the step became."""
    extra = result.extra
    phases = len({phase for phase, *_ in extra["phases"]})
    said = f"{extra['calls']} calls became one kernel of {len(extra['phases'])} loops in {phases} "
    said += "phase" if phases == 1 else "phases"
    if extra["without"]:
        said += f"; on {extra['without']} it does not fit a block"
    if reason := why_no_compiler():
        return f"{said}; it was not compiled, as {reason}."
    return f"{said}. It was compiled and not run: that takes a GPU."

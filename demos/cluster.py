"""`--workers N`, `--scheduler ADDRESS`: networks trained in chunks by the workers of Dask.

A chunk is some of the networks of a row, trained as one ensemble. As network i of an ensemble has
the same bits whatever other networks are there, the numbers are those of one process; what they
depend on besides, such as the version of BLAS, must be alike on all workers. A chunk that is
finished is written at once, so that a worker, scheduler or client that dies loses at most the
chunks under way: `--resume` takes the others from the run's folder.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from scratchnet.backends import get_backend
from scratchnet.backends.errors import InputError
from scratchnet.demos.compiling import Mode
from scratchnet.demos.results import to_plain
from scratchnet.demos.running import (
    Advance,
    ArmFailed,
    Numbers,
    Run,
    available_memory,
    no_progress,
    read,
    source_digest,
    write,
)
from scratchnet.environment import WITHOUT_EFFECT
from scratchnet.extras import require
from scratchnet.interruption import SIGNALS

NETWORKS = 10
"""Of a chunk, where memory allows: fewer train slower each, more make fewer chunks."""
PATIENCE = 30.0
"""Seconds to wait for a scheduler, and for its first worker."""
DEATHS = 10
"""Workers that may die on a chunk before it counts as the cause."""

GONE = "the scheduler is gone: chunks that were finished are kept, and --resume goes on from them"

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Chunk:
    """Some networks of a row."""

    key: str
    """A digest of all that its numbers depend on."""
    about: str
    """Arm and seeds, for people."""
    train: Callable[[Advance], Numbers]
    work: float
    path: Path | None = None
    """Where its numbers are kept."""


@dataclass(eq=False)
class Cluster:
    """Workers that train chunks."""

    client: Any
    expected: Facts
    """What every worker must have: see `facts`."""
    compile: bool
    networks: int
    """How many a chunk may have."""
    cancelled: bool = False
    waiting: set[Any] = field(default_factory=set)
    """Futures of chunks that are not finished."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def numbers(self, chunks: Sequence[Chunk], resume: bool, advance: Advance) -> list[Numbers]:
        """Of each chunk, in their order, from disk where `resume` finds them.

        Raises `ArmFailed` once all were tried, where one failed or the scheduler is gone, and
        `KeyboardInterrupt` where the run was cancelled.
        """
        from distributed import as_completed

        found: dict[str, Numbers] = {}
        waiting = {}
        for chunk in chunks:
            if resume and chunk.path and (kept := read(chunk.path)):
                found[chunk.key] = kept
                advance(chunk.work)
            elif future := self.submitted(chunk):
                waiting[future] = chunk
        failures = []
        completed = as_completed(waiting)
        for future in completed:
            if future.status in ("pending", "lost"):
                # The worker that had its numbers died; another one trains it again.
                completed.add(future)
                continue
            chunk = waiting[future]
            if future.status == "finished":
                found[chunk.key] = future.result()
                if chunk.path:
                    write(chunk.path, *found[chunk.key])
                advance(chunk.work)
            elif future.status == "error":
                failures.append(f"{chunk.about}: {one_line(future.exception())}")
            elif not self.cancelled:
                failures = [GONE]
            self.waiting.discard(future)
            future.release()
        if failures and not self.cancelled:
            raise ArmFailed(failures)
        if len(found) < len(chunks):
            raise KeyboardInterrupt
        return [found[chunk.key] for chunk in chunks]

    def submitted(self, chunk: Chunk) -> Any:
        """The chunk's future, or None where the run was cancelled."""
        task = (self.expected, self.compile, chunk.train)
        with self.lock:
            if self.cancelled:
                return None
            # A key of its own: of another try, or of another command, Dask would give the result.
            future = self.client.submit(train, *task, key=f"chunk-{chunk.key}-{uuid4().hex}")
            self.waiting.add(future)
        return future

    def one_at_a_time(self, advance: Advance) -> Advance:
        """`advance`, for several threads."""

        def locked(*args: Any, **more: Any) -> None:
            with self.lock:
                advance(*args, **more)

        return locked

    def side_by_side(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs, each in a thread that waits for its chunks. Ctrl-C cancels all of them."""
        threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self.cancel()
            for thread in threads:
                thread.join(PATIENCE)
            raise

    def tune_all(self, run: Run, arms: Sequence[Any], tune: Callable[[Run, Any], object]) -> None:
        """`tune` the arms side by side; their rows in the order of the arms."""
        runs = [Run(run.settings, run.name, run.advance, run.folder, self) for _ in arms]

        def job(own: Run, arm: Any) -> None:
            try:
                tune(own, arm)
            except ArmFailed as failed:
                own.result.failures += failed.args[0]
            except KeyboardInterrupt:
                own.result.interrupted = True

        jobs = [partial(job, own, arm) for own, arm in zip(runs, arms, strict=True)]
        try:
            self.side_by_side(jobs)
        finally:
            for own in runs:
                run.result.rows += own.result.rows
                run.result.tuned |= own.result.tuned
                run.result.failures += own.result.failures
                run.result.interrupted |= own.result.interrupted
        if run.result.interrupted:
            raise KeyboardInterrupt

    def cancel(self) -> None:
        """Let no chunk begin any more, and wait for none."""
        with self.lock:
            self.cancelled = True
            waiting = list(self.waiting)
        self.client.cancel(waiting)


def train(expected: Facts, compile: bool, compute: Callable[[Advance], Numbers]) -> Numbers:
    """Train a chunk, on a worker."""
    from scratchnet.compiled_step import compiling

    differences = different(expected, facts(compile))
    if differences:
        raise RuntimeError(f"a worker that joined later differs in {', '.join(differences)}")
    with limited_threads(), compiling() if compile else nullcontext():
        return compute(no_progress)


def limited_threads() -> Any:
    """A block in which BLAS computes in one thread, as a worker has one core."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def facts(compile: bool) -> Facts:
    """What the bits of a chunk depend on besides its settings, on this machine."""
    from scratchnet.backends.compile import find_compiler

    with limited_threads():
        device = get_backend("numpy").device_info()
    known = {name: str(each) for name, each in device.items() if name not in WITHOUT_EFFECT}
    known |= {"python": platform.python_version(), "scratchnet": source_digest()[:12]}
    return known | ({"compiler": str(find_compiler())} if compile else {})


def different(one: Facts, other: Facts) -> list[str]:
    """The names of the facts that differ."""
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def check_workers(here: Facts, there: Mapping[str, Facts]) -> None:
    """Raise `InputError` with a table, in its notes, of what differs between workers and here."""
    rows: dict[str, list[str]] = {}
    for address, known in sorted(there.items()):
        for name in different(here, known):
            row = f"{name}: {known.get(name, 'missing')}; here {here.get(name, 'missing')}"
            rows.setdefault(row, []).append(address)
    if rows:
        error = InputError("workers must be like this process, but differ:")
        for row, those in rows.items():
            others = f" and {len(those) - 1} more" if len(those) > 1 else ""
            error.add_note(f"{row} ({those[0]}{others})")
        raise error


def library(settings: Any) -> Any:
    """Dask's, where the settings ask for workers. Raises `InputError` where they cannot be had."""
    if settings.workers is None and settings.scheduler is None:
        return None
    if settings.workers is not None and settings.scheduler is not None:
        raise InputError("--workers with --scheduler: must be one of them")
    option = "--workers" if settings.workers else "--scheduler"
    if get_backend(settings.backend, settings.precision).name != "numpy":
        raise InputError(f"{option} on a GPU: must be with --backend numpy")
    return require("distributed", "Dask", "cluster", option)


@contextmanager
def opened(
    settings: Any, mode: Mode, size: float, say: Callable[[str], None]
) -> Iterator[Cluster | None]:
    """The workers that the settings ask for, started and checked; None where they ask for none.

    `size` is an upper estimate of the bytes that a network needs.

    Raises `InputError` where Dask is not installed, the scheduler is not reached, or a worker
    differs from this process.
    """
    distributed = library(settings)
    if distributed is None:
        yield None
        return
    import dask

    # What fails is told in lines of our own.
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}):
        client = (
            local(distributed, settings.workers)
            if settings.workers
            else remote(distributed, settings.scheduler)
        )
    try:
        if settings.workers:
            client.cluster.scale(settings.workers)
            client.wait_for_workers(settings.workers)
        cluster = checked(client, mode, size)
        say(f"Workers: {len(cluster_workers(client))}; Dask's dashboard: {client.dashboard_link}")
        with limited_threads():
            yield cluster
    finally:
        close(client)


def local(distributed: Any, workers: int) -> Any:
    """A client of a cluster on this machine, of no workers yet: one thread each."""
    with unseen_signals():
        cluster = distributed.LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            memory_limit=int(0.8 * available_memory() / workers),
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    return distributed.Client(cluster)


@contextmanager
def unseen_signals() -> Iterator[None]:
    """A block in which threads start whose processes do not see Ctrl-C and SIGTERM.

    A terminal sends Ctrl-C to all processes of a command. Only the first one acts on it, and ends
    the others; Dask starts those, and those that take the place of dead ones, from such a thread.
    """
    # As it starts, the tracker undoes what is done here.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def remote(distributed: Any, address: str) -> Any:
    """A client of the scheduler at the address."""
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--scheduler {address}: must be the address of a running Dask scheduler, such as "
            f"tcp://127.0.0.1:8786 ({one_line(error)})"
        ) from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        close(client)
        raise InputError(f"--scheduler {address}: must have a worker; it has none") from None
    return client


def cluster_workers(client: Any) -> Mapping[str, Any]:
    """What the scheduler knows of each worker, by address."""
    found: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def checked(client: Any, mode: Mode, size: float) -> Cluster:
    """The cluster, once its workers are known to be alike. Raises `InputError`."""
    workers = cluster_workers(client)
    for address, known in workers.items():
        if known["nthreads"] != 1:
            raise InputError(
                f"worker {address} has {known['nthreads']} threads: must have 1, as of "
                "`dask worker --nthreads 1`"
            )
    here = facts(mode.compile)
    try:
        there = client.run(facts, mode.compile)
    except Exception as error:
        # Whatever a worker with other versions raises.
        raise InputError(
            f"the workers must have this version of scratchnet ({one_line(error)})"
        ) from None
    check_workers(here, there)
    limits = [known["memory_limit"] or available_memory() for known in workers.values()]
    # Beside its chunk a worker holds Python and NumPy, and the numbers of chunks not yet fetched.
    networks = min(NETWORKS, int(0.5 * min(limits) / max(size, 1)))
    if networks < 1:
        raise InputError(
            f"a worker has {min(limits) / 2**20:,.0f} MiB of memory: must have at least "
            f"{2 * size / 2**20:,.0f} MiB, for one network"
        )
    return Cluster(client, here, mode.compile, networks)


def close(client: Any) -> None:
    """End the client, and the workers that it started, whatever they are doing."""
    cluster = client.cluster

    async def end_workers() -> None:
        await asyncio.gather(*(worker.close(timeout=1) for worker in cluster.workers.values()))

    with suppress(TimeoutError):
        client.close(timeout=2)
    if cluster:
        # The cluster would wait for the chunks under way.
        with suppress(TimeoutError):
            cluster.sync(end_workers, callback_timeout=5)
            cluster.close(timeout=5)


def one_line(error: Any) -> str:
    """The kind of an error and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def together(found: Sequence[Numbers], axes: Mapping[str, int]) -> Numbers:
    """The numbers of all networks from those of chunks, in order.

    Arrays without an axis of networks are the first chunk's. Where all networks of a chunk diverged
    its curves ended early; what they lack is NaN.
    """
    measures = {
        name: np.concatenate([np.asarray(each[name]) for each, _ in found]) for name in found[0][0]
    }
    arrays = {
        name: joined([arrays[name] for _, arrays in found], axes[name]) if name in axes else first
        for name, first in found[0][1].items()
    }
    return measures, arrays


def joined(parts: Sequence[Any], axis: int) -> Any:
    """Arrays concatenated along the axis, the shorter ones filled up with NaN along the others."""
    parts = [np.asarray(each) for each in parts]
    longest = np.max([each.shape for each in parts], axis=0)
    filled = []
    for each in parts:
        missing = [(0, 0 if at == axis else longest[at] - n) for at, n in enumerate(each.shape)]
        lacks = any(after for _, after in missing)
        filled.append(np.pad(each, missing, constant_values=np.nan) if lacks else each)
    return np.concatenate(filled, axis)


def chunks_of(
    run: Run,
    arm: str,
    facts: Mapping[str, Any],
    seeds: Sequence[int],
    train: Callable[[Sequence[int]], Callable[[Advance], Numbers]],
    work: float,
    part: str,
) -> list[Chunk]:
    """The networks of a row, in chunks: see `Run.networks`."""
    chunks = []
    for places in parts_of(seeds, run.cluster.networks):
        some = [seeds[place] for place in places]
        key = run.key(arm, {**facts, "places": [places.start, places.stop]}, some, part)
        about = f"{arm}, {part}, seeds {some[0]} to {some[-1]}, {to_plain(facts)}"
        share = work * len(places) / len(seeds)
        chunks.append(Chunk(key, about, train(places), share, run.path(arm, key)))
    return chunks


def parts_of(seeds: Sequence[int], most: int) -> list[range]:
    """Places of `seeds` for each chunk, at most so many.

    The seeds may stand several times, once for each rate, all of them each time; then a chunk
    holds all seeds of some rates, or some seeds of one rate.
    """
    different = len(dict.fromkeys(seeds))
    if most >= different:
        size = most // different * different
        return [range(at, min(at + size, len(seeds))) for at in range(0, len(seeds), size)]
    return [
        range(at, min(at + most, start + different))
        for start in range(0, len(seeds), different)
        for at in range(start, start + different, most)
    ]

"""Workers started here or found behind a scheduler, checked before any work, and ended."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from scratchnet.backends import get_backend
from scratchnet.backends.errors import InputError
from scratchnet.demos.cluster import devices
from scratchnet.demos.cluster.alike import (
    How,
    check_workers,
    facts,
    facts_of_workers,
    one_line,
    one_thread,
)
from scratchnet.demos.cluster.training import Cluster, folders_of, known_workers, living
from scratchnet.demos.compiling import Mode
from scratchnet.demos.running import available_memory
from scratchnet.extras import require
from scratchnet.interruption import SIGNALS

NETWORKS = 10
"""Of a chunk, where memory allows: fewer train slower each, more make fewer chunks."""
PATIENCE = 30.0
"""Seconds to wait for a scheduler, and for its first worker."""
DEATHS = 10
"""Workers that may die on a chunk before it counts as the cause, or as they start."""
BARE = 200 << 20
"""Bytes of a worker that does nothing: Python, NumPy and Dask."""
DASK = {
    "distributed.scheduler.allowed-failures": DEATHS,
    # A worker that died is started again, however long that takes on a busy machine.
    "distributed.deploy.lost-worker-timeout": "1000h",
    # What Dask measures many times a second costs a worker a tenth of its processor.
    "distributed.admin.tick.interval": "500ms",
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.worker.memory.monitor-interval": "500ms",
}


def library(settings: Any) -> Any:
    """Dask's, where the settings ask for workers. Raises `InputError` where they cannot be had."""
    if settings.workers is None and settings.scheduler is None:
        return None
    if settings.workers is not None and settings.scheduler is not None:
        raise InputError("--workers with --scheduler: must be one of them")
    option = "--workers" if settings.workers else "--scheduler"
    return require("distributed", "Dask", "cluster", option)


@contextmanager
def opened(
    settings: Any, mode: Mode, size: float, say: Callable[[str], None]
) -> Iterator[Cluster | None]:
    """The workers that the settings ask for, started and checked; None where they ask for none.

    `size` is an upper estimate of the bytes that a network needs.

    Raises `InputError` where Dask is not installed, the scheduler is not reached, there is not
    enough memory or no device for each worker, or a worker differs from this process.
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

    how = How(settings.backend, settings.precision, mode.compile)
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(DASK))
        if settings.workers:
            own = devices.environments(get_backend(*how[:2]).name, settings.workers)
            client = local(distributed, memory_of_each(settings.workers, size))
            stack.callback(close, client)
            start(client.cluster, own)
        else:
            client = remote(distributed, settings.scheduler, say)
            stack.callback(close, client)
        cluster = checked(client, how, size, say)
        # A scheduler that another program has started may have no dashboard.
        dashboard = "Dask's dashboard" if settings.workers else "Dask's dashboard, if it has one"
        say(f"Workers: {len(known_workers(client))}; {dashboard}: {client.dashboard_link}")
        with one_thread(), cluster.watched():
            yield cluster


def memory_of_each(workers: int, size: float) -> int:
    """Bytes of each worker on this machine. Raises `InputError` where they are too few."""
    free, least = 0.8 * available_memory(), BARE + 2 * size
    if free < workers * least:
        raise InputError(
            f"--workers {workers}: must be at most {int(free / least)}, as a worker needs "
            f"{least / 2**20:,.0f} MiB, and 80% of the memory that is free are "
            f"{free / 2**20:,.0f} MiB"
        )
    return int(free / workers)


def local(distributed: Any, memory: int) -> Any:
    """A client of a cluster on this machine, of no workers yet: one thread each."""
    try:
        with unseen_signals():
            cluster = distributed.LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                memory_limit=memory,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"--workers: Dask must be able to start here ({one_line(error)})"
        ) from None
    return distributed.Client(cluster)


def start(cluster: Any, environments: list[dict[str, str]]) -> None:
    """Start a worker with each environment; one that dies meanwhile is started again.

    Raises `InputError` where that does not help.
    """

    async def all_started() -> None:
        await cluster

    spec = cluster.new_spec
    for attempt in range(DEATHS):
        missing = [place for place in range(len(environments)) if place not in living(cluster)]
        if not missing:
            return
        for place in missing:
            cluster.worker_spec.pop(place, None)
        with suppress(Exception):
            cluster.sync(all_started)
        for place in missing:
            options = {**spec["options"], "env": environments[place]}
            cluster.worker_spec[place] = {**spec, "options": options}
        try:
            cluster.sync(all_started)
        except Exception as error:
            # Whatever a process raises that cannot begin, such as that the disk is full.
            if attempt == DEATHS - 1:
                raise InputError(
                    f"no worker could be started: {one_line(error.__cause__ or error)}"
                ) from None


@contextmanager
def unseen_signals() -> Iterator[None]:
    """A block in which threads start whose processes do not see what interrupts this one.

    A terminal sends Ctrl-C, and its own end, to all processes of a command. Only the first one acts
    on it, and ends the others; Dask starts those, and those that take the place of dead ones, from
    such a thread.
    """
    # The tracker of what processes share heeds SIGHUP, and as it starts it undoes part of this.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # It removes what a killed command leaves, and would warn of that on the terminal.
    sys.warnoptions.append("ignore:resource_tracker")
    resource_tracker.ensure_running()
    sys.warnoptions.remove("ignore:resource_tracker")
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def remote(distributed: Any, address: str, say: Callable[[str], None]) -> Any:
    """A client of the scheduler at the address. Raises `InputError` without it or a worker."""
    say(f"Connecting to {address}: its scheduler and a worker have {PATIENCE:g} s each to answer")
    try:
        asyncio.run(asyncio.wait_for(greeted(address), PATIENCE))
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        late = isinstance(error, TimeoutError) or "Timed out" in str(error)
        reason = f"Dask did not answer there in {PATIENCE:g} s" if late else one_line(error)
        raise InputError(
            f"--scheduler {address or repr(address)}: must be the address of a running Dask "
            f"scheduler, such as tcp://127.0.0.1:8786 ({reason})"
        ) from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        close(client)
        raise InputError(f"--scheduler {address}: must have a worker; it has none") from None
    return client


async def greeted(address: str) -> None:
    """Hear a greeting of Dask's from the address; a client would wait for it without an end.

    Where nobody listens the scheduler may still be starting. Raises `OSError` or `ValueError` at
    once for a host that is not known and for what is no port.
    """
    from distributed.comm import connect, get_address_host_port
    from distributed.security import Security

    host, port = get_address_host_port(address)
    if not 0 < port < 1 << 16:
        raise ValueError(f"{port} is no port")
    await asyncio.get_running_loop().getaddrinfo(host, port)
    comm = await connect(address, timeout=PATIENCE, **Security().get_connection_args("client"))
    await comm.close()


def checked(client: Any, how: How, size: float, say: Callable[[str], None]) -> Cluster:
    """The cluster, once its workers are known to be alike. Raises `InputError`."""
    workers = known_workers(client)
    for address, known in workers.items():
        if known["nthreads"] != 1:
            raise InputError(
                f"worker {address} has {known['nthreads']} threads: must have 1, as of "
                "`dask worker --nthreads 1`"
            )
    here = facts(how)
    there = facts_of_workers(client, how, here)
    check_workers(here, there)
    limits = [known["memory_limit"] or available_memory() for known in workers.values()]
    if here["backend"] != "numpy":
        devices.check_devices(asked(client, devices.device_here))
        limits += asked(client, devices.free_memory_here).values()
    least = BARE + 2 * size
    if min(limits) < least:
        raise InputError(
            f"a worker has {min(limits) / 2**20:,.0f} MiB of memory: must have at least "
            f"{least / 2**20:,.0f} MiB, for one network"
        )
    # Beside its chunk a worker holds Python and NumPy, and the numbers of chunks not yet fetched.
    networks = min(NETWORKS, int(0.5 * min(limits) / max(size, 1)))
    memory = max(least, 2 * networks * size)
    folders = folders_of(workers)
    alike = {address: folders[address] for address in there if address in folders}
    return Cluster(client, here, how, networks, say, alike, memory)


def asked(client: Any, question: Callable[[], Any]) -> dict[str, Any]:
    """The answer of each worker, by address, but of those that died meanwhile."""
    found = client.run(question, on_error="return")
    return {address: each for address, each in found.items() if not isinstance(each, Exception)}


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

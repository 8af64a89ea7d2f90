"""Chunks handed to workers, and their numbers taken and kept as they arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from scratchnet.demos.cluster.alike import (
    Facts,
    How,
    Unlike,
    different,
    facts_of_workers,
    one_line,
    table_of,
    train,
)
from scratchnet.demos.cluster.chunks import Chunk
from scratchnet.demos.running import Advance, ArmFailed, Numbers, Run, read, write

PATIENCE = 30.0
"""Seconds to wait for threads that are told to end."""
BETWEEN_LOOKS = 1.0
"""Seconds between two looks at whether a worker is left."""

NOBODY = "tcp://127.0.0.1:1"
"""An address at which there is no worker: what only it may train waits."""

GONE = "the scheduler is gone"
KEPT = "chunks that were finished are kept, and --resume goes on from them"
LEAVE = f"Ctrl-C ends the run; {KEPT}"


@dataclass(eq=False)
class Cluster:
    """Workers that train chunks."""

    client: Any
    expected: Facts
    """What every worker must have: see `facts`."""
    how: How
    networks: int
    """How many a chunk may have."""
    say: Callable[[str], None]
    """Tells the person that waits."""
    alike: Mapping[str, str]
    """The workers that were found to be like this process: the folder of each by its address.

    One that is started again at the same address has another folder."""
    memory: float = 0.0
    """Bytes that a worker needs."""
    unlike: Mapping[str, str] = field(default_factory=dict)
    """Those that joined later and differ: they get no chunk, once that is known."""
    cancelled: bool = False
    lost: str = ""
    """Why no chunk can be trained any more, or nothing."""
    waiting: dict[Any, set[str]] = field(default_factory=dict)
    """Futures of chunks that are not finished, and which workers may train them: none for all."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    unwritten: bool = False
    """Whether a chunk could not be kept."""
    stuck: set[Any] = field(default_factory=set)
    """Futures that were cancelled, as all workers that may train them are gone."""
    looking: threading.Lock = field(default_factory=threading.Lock)

    def numbers(self, chunks: Sequence[Chunk], resume: bool, advance: Advance) -> list[Numbers]:
        """Of each chunk, in their order, from disk where `resume` finds them.

        Raises `ArmFailed` once all were tried, where one failed or the workers are gone, and
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
        completed = as_completed(waiting, loop=self.client.loop)
        for future in completed:
            if future.status in ("pending", "lost"):
                # The worker that had its numbers died; another one trains it again.
                completed.add(future)
                continue
            chunk = waiting[future]
            outcome = self.outcome(future)
            if self.misplaced(future, outcome) and (again := self.submitted(chunk)):
                waiting[again] = chunk
                completed.add(again)
            elif isinstance(outcome, Exception):
                failures.append(f"{chunk.about}: {one_line(outcome)}")
            elif outcome:
                found[chunk.key] = outcome
                if chunk.path:
                    self.keep(chunk.path, outcome)
                advance(chunk.work)
            with self.lock:
                self.waiting.pop(future, None)
            future.release()
        if self.cancelled:
            raise KeyboardInterrupt
        if len(found) + len(failures) < len(chunks):
            failures.append(f"{self.lost or GONE}: {KEPT}")
        if failures:
            raise ArmFailed(failures)
        return [found[chunk.key] for chunk in chunks]

    def keep(self, path: Path, numbers: Numbers) -> None:
        """Write a chunk's numbers; a disk that is full does not end a run, but is told once."""
        write(path, *numbers)
        if not (path.exists() or self.unwritten):
            self.unwritten = True
            self.say(f"{path}: cannot be written; --resume would train again what is not kept")

    def outcome(self, future: Any) -> Numbers | Exception | None:
        """Of a chunk that is done: its numbers, its error, or None where they cannot be had."""
        try:
            numbers: Numbers = future.result()
            return numbers
        except Exception as error:
            # Not the chunk's own: what Dask raises where a scheduler dies or a chunk is cancelled.
            return error if future.status == "error" else None

    def misplaced(self, future: Any, outcome: Numbers | Exception | None) -> bool:
        """Whether a worker had the chunk that should not have it, or all that should are gone."""
        if self.waiting[future]:
            return future in self.stuck
        if isinstance(outcome, Exception):
            self.look_at_new_workers()
            return bool(self.unlike) or isinstance(outcome, Unlike)
        return False

    def look_at_new_workers(self) -> None:
        """Find out which workers that joined meanwhile are like this process."""
        with self.looking, suppress(Exception):
            # A scheduler or worker that dies meanwhile is noticed elsewhere.
            workers = known_workers(self.client)
            folders = folders_of(workers)
            # What is known of workers that are gone holds for no other at their address.
            self.alike, self.unlike = (
                {at: folder for at, folder in known.items() if folders.get(at) == folder}
                for known in (self.alike, self.unlike)
            )
            new = sorted(workers.keys() - self.alike.keys() - self.unlike.keys())
            found = facts_of_workers(self.client, self.how, self.expected, new) if new else {}
            enough = f"at least {self.memory / 2**20:,.0f} MiB"
            expected = {**self.expected, "threads": "1", "memory": enough}
            there = {}
            for address, known in found.items():
                threads, limit = (workers[address][name] for name in ("nthreads", "memory_limit"))
                short = f"{limit / 2**20:,.0f} MiB" if 0 < limit < self.memory else enough
                there[address] = {**known, "threads": str(threads), "memory": short}
                folder = {address: folders[address]}
                if different(expected, there[address]):
                    self.unlike = {**self.unlike, **folder}
                else:
                    self.alike = {**self.alike, **folder}
            if table := table_of(expected, there):
                self.say(f"Workers that joined differ, and train nothing: {'; '.join(table)}")

    def submitted(self, chunk: Chunk) -> Any:
        """The chunk's future, or None where no chunk may begin any more."""
        from distributed.client import ClosedClientError

        task = (self.expected, self.how, chunk.train)
        with self.lock:
            if self.cancelled or self.lost:
                return None
            allowed = (set(self.alike) or {NOBODY}) if self.unlike else set()
            # A key of its own: of another try, or of another command, Dask would give the result.
            key = f"chunk-{chunk.key}-{uuid4().hex}"
            with suppress(ClosedClientError):
                future = self.client.submit(train, *task, key=key, workers=list(allowed) or None)
                self.waiting[future] = allowed
                return future
        return None

    def one_at_a_time(self, advance: Advance) -> Advance:
        """`advance`, for several threads."""

        def locked(*args: Any, **more: Any) -> None:
            with self.lock:
                advance(*args, **more)

        return locked

    def side_by_side(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs, each in a thread that waits for its chunks. Ctrl-C cancels all of them.

        Raises what the first job raised, once all have ended.
        """
        errors: list[Exception] = []

        def run(job: Callable[[], None]) -> None:
            """Run the job; what it raises is kept for the thread that waits."""
            try:
                job()
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
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
        if errors:
            raise errors[0]

    def tune_all(self, run: Run, arms: Sequence[Any], tune: Callable[[Run, Any], object]) -> None:
        """`tune` the arms side by side; their rows in the order of the arms."""
        runs = [Run(run.settings, run.name, run.advance, run.folder, self) for _ in arms]

        def job(own: Run, arm: Any) -> None:
            """Tune the arm in a run of its own; failed chunks and Ctrl-C are noted there."""
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

    def cancel(self, lost: str = "") -> None:
        """Let no chunk begin any more, and wait for none: Ctrl-C, or what was lost."""
        with self.lock:
            self.cancelled, self.lost = self.cancelled or not lost, lost
            waiting = list(self.waiting)
        with suppress(Exception):
            # A client without a scheduler has cancelled them itself.
            self.client.cancel(waiting)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A block in which it is noticed which workers join, and that none is left."""
        ended = threading.Event()

        def watch() -> None:
            """Look at the workers every `BETWEEN_LOOKS` seconds until the block has ended."""
            alone = False
            # Without a scheduler there is nothing to watch.
            with suppress(Exception):
                while not ended.wait(BETWEEN_LOOKS):
                    alone = self.look(alone)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()

    def look(self, alone: bool) -> bool:
        """See to chunks that would wait without an end; whether no worker can train, as before."""
        own = self.client.cluster
        if own and not living(own):
            self.cancel("all workers have ended, and none could be started again")
        self.look_at_new_workers()
        workers = known_workers(self.client)
        present = workers.keys() - self.unlike.keys()
        able = any(workers[each]["status"] == "running" for each in present)
        if own and self.unlike and not present:
            self.cancel("the workers that were started again differ from this process")
        if present and not (able or alone):
            self.say(f"All workers pause, as Dask does at 80% of their memory: waiting. {LEAVE}.")
        elif not (own or able or alone):
            self.say(f"No worker is left: waiting for one. {LEAVE}.")
        with self.lock:
            stuck = {
                each for each, may in self.waiting.items() if present and may and not may & present
            }
            self.stuck |= stuck
        self.client.cancel(list(stuck))
        return not able


def known_workers(client: Any) -> Mapping[str, Any]:
    """What the scheduler knows of each worker, by address."""
    found: Mapping[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def folders_of(workers: Mapping[str, Any]) -> dict[str, str]:
    """The folder of each worker, by address."""
    return {address: known["local_directory"] for address, known in workers.items()}


def living(cluster: Any) -> list[Any]:
    """The names of workers that run, or are started again by Dask."""
    ended = ("closing", "closed", "failed", "stopped")
    return [name for name, each in cluster.workers.items() if each.status.name not in ended]

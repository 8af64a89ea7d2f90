"""Chunks handed to workers, and their numbers taken and kept as they arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from scratchnet.demos.cluster.alike import Facts, How, one_line, train
from scratchnet.demos.cluster.chunks import Chunk
from scratchnet.demos.running import Advance, ArmFailed, Numbers, Run, read, write

PATIENCE = 30.0
"""Seconds to wait for threads that are told to end."""
BETWEEN_LOOKS = 1.0
"""Seconds between two looks at whether a worker is left."""

GONE = "the scheduler is gone"
KEPT = "chunks that were finished are kept, and --resume goes on from them"


@dataclass(eq=False)
class Cluster:
    """Workers that train chunks."""

    client: Any
    expected: Facts
    """What every worker must have: see `facts`."""
    how: How
    networks: int
    """How many a chunk may have."""
    cancelled: bool = False
    lost: str = ""
    """Why no chunk can be trained any more, or nothing."""
    waiting: set[Any] = field(default_factory=set)
    """Futures of chunks that are not finished."""
    lock: threading.Lock = field(default_factory=threading.Lock)

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
            if isinstance(outcome, Exception):
                failures.append(f"{chunk.about}: {one_line(outcome)}")
            elif outcome:
                found[chunk.key] = outcome
                if chunk.path:
                    write(chunk.path, *outcome)
                advance(chunk.work)
            with self.lock:
                self.waiting.discard(future)
            future.release()
        if self.cancelled:
            raise KeyboardInterrupt
        if len(found) + len(failures) < len(chunks):
            failures.append(f"{self.lost or GONE}: {KEPT}")
        if failures:
            raise ArmFailed(failures)
        return [found[chunk.key] for chunk in chunks]

    def outcome(self, future: Any) -> Numbers | Exception | None:
        """Of a chunk that is done: its numbers, its error, or None where they cannot be had."""
        try:
            if future.status == "error":
                error: Exception = future.exception()
                return error
            numbers: Numbers = future.result()
            return numbers
        except Exception:
            # Whatever Dask raises where a scheduler dies meanwhile, or the chunk was cancelled.
            return None

    def submitted(self, chunk: Chunk) -> Any:
        """The chunk's future, or None where no chunk may begin any more."""
        from distributed.client import ClosedClientError

        task = (self.expected, self.how, chunk.train)
        with self.lock:
            if self.cancelled or self.lost:
                return None
            # A key of its own: of another try, or of another command, Dask would give the result.
            key = f"chunk-{chunk.key}-{uuid4().hex}"
            with suppress(ClosedClientError):
                future = self.client.submit(train, *task, key=key)
                self.waiting.add(future)
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
    def watched(self, say: Callable[[str], None]) -> Iterator[None]:
        """A block in which it is noticed that no worker is left, for which chunks would wait."""
        ended = threading.Event()

        def watch() -> None:
            told = False
            while not ended.wait(BETWEEN_LOOKS):
                if self.client.cluster and not living(self.client.cluster):
                    self.cancel("all workers have ended, and none could be started again")
                    return
                alone = not self.client.scheduler_info(n_workers=-1).get("workers", True)
                if alone and not told and not self.client.cluster:
                    say(f"No worker is left: waiting for one. Ctrl-C ends the run; {KEPT}.")
                told = alone

        def watch_quietly() -> None:
            # Without a scheduler there is nothing to watch.
            with suppress(Exception):
                watch()

        thread = threading.Thread(target=watch_quietly, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()


def living(cluster: Any) -> list[Any]:
    """The names of workers that run, or are started again by Dask."""
    ended = ("closing", "closed", "failed", "stopped")
    return [name for name, each in cluster.workers.items() if each.status.name not in ended]

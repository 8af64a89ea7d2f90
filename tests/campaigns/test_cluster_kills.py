"""Workers and schedulers killed at random moments: no number differs, and --resume goes on.

    pytest -m campaign tests/campaigns/test_cluster_kills.py

A moment is a number of finished chunks, not of seconds, so that a busy machine is no other case.
Every second scheduler is that of `--workers`, in the process of the command; the others have a
process of their own. Writes `cluster_kills.txt` beside this file after each kill.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger import enter

from scratchnet.demos.running import read

KILLS = 20
RUN = ["spiral", "--epochs", "150", "--seeds", "6", "--depths", "1,2", "--compile", "off", "--json"]
CHUNKS = 8


def start(*arguments: str) -> subprocess.Popen:
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", *arguments], **quiet)


def command(out: Path, *more: str) -> subprocess.Popen:
    return start("scratchnet", *RUN, "--out", str(out), *more)


def rows(run: subprocess.Popen) -> list[dict]:
    """The rows of a run that ends by itself, without their times."""
    text, errors = run.communicate()
    assert text, errors
    found = json.loads(text)["rows"]
    return [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in found]


def wait_for_chunks(run: subprocess.Popen, out: Path, chunks: int) -> bool:
    """Wait until so many have been kept, be it for a moment; whether the run still goes on."""
    seen: set[str] = set()
    while run.poll() is None and len(seen) < chunks:
        seen |= {each.name for each in out.glob("arms/*.npz")}
        time.sleep(0.005)
    return run.poll() is None


def workers_of(run: subprocess.Popen) -> list[int]:
    """The processes of its workers, once there is one."""
    import psutil

    while run.poll() is None:
        below = psutil.Process(run.pid).children(recursive=True)
        found = [each.pid for each in below if "spawn_main" in " ".join(command_of(each))]
        if found:
            return found
        time.sleep(0.01)
    return []


def command_of(process) -> list[str]:
    import psutil

    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def scheduler():
    """The process of a scheduler with two workers, and its address."""
    process = start("distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1")
    processes = [process]
    try:
        lines = iter(process.stderr.readline, b"")
        address = next(found[0] for each in lines if (found := re.findall(rb"tcp://[\d.:]+", each)))
        for _ in range(2):
            worker = ("distributed.cli.dask_worker", address.decode(), "--nthreads", "1")
            processes.append(start(*worker, "--no-nanny", "--no-dashboard"))
        yield process, address.decode()
    finally:
        for each in processes:
            each.kill()
            each.communicate()


def kill_a_worker(draw: random.Random, out: Path, expected: list[dict]) -> bool | None:
    """Whether the run has the expected rows; None where it had ended before."""
    run = command(out, "--workers", "2")
    found = wait_for_chunks(run, out, draw.randrange(CHUNKS)) and workers_of(run)
    if found:
        time.sleep(draw.uniform(0, 1))
    hit = bool(found) and run.poll() is None
    if hit:
        try:
            os.kill(draw.choice(found), signal.SIGKILL)
        except ProcessLookupError:
            hit = False
    same = rows(run) == expected
    return same if hit or not same else None


def kill_the_scheduler(draw: random.Random, out: Path, expected: list[dict], own: bool):
    """Whether all that was kept can be read, and the resumed run has the expected rows."""
    moment = draw.randrange(1, CHUNKS)
    if own:
        with scheduler() as (process, address):
            run = command(out, "--scheduler", address)
            hit = wait_for_chunks(run, out, moment)
            process.kill()
            run.communicate()
    else:
        run = command(out, "--workers", "2")
        hit = wait_for_chunks(run, out, moment)
        run.kill()
        run.communicate()
    kept = [read(each) for each in out.glob("arms/*.npz")]
    same = None not in kept and rows(command(out, "--workers", "1", "--resume")) == expected
    # A run that was hit after its last chunk ends well.
    return same if hit and run.returncode or not same else None


@pytest.mark.campaign
def test_nothing_is_lost(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    draw = random.Random(0)
    expected = rows(command(tmp_path / "whole"))
    results: dict[str, list[bool]] = {"worker": [], "scheduler": []}
    for number in range(2 * KILLS):
        if number % 2:
            results["scheduler"] += repeated(
                lambda out, own=number % 4 == 1: kill_the_scheduler(draw, out, expected, own),
                tmp_path / f"scheduler{number}",
            )
        else:
            results["worker"] += repeated(
                lambda out: kill_a_worker(draw, out, expected), tmp_path / f"worker{number}"
            )
        killed = {name: len(each) for name, each in results.items()}
        same = {name: sum(each) for name, each in results.items()}
        enter(
            "cluster_kills",
            f"{same['worker']} of {killed['worker']} runs whose worker was killed, and "
            f"{same['scheduler']} of {killed['scheduler']} whose scheduler was killed, half of "
            "them with their command, and that were resumed, have the rows of one process, bit for "
            f"bit ({KILLS} each are asked for)",
        )
    assert same == {"worker": KILLS, "scheduler": KILLS}


def repeated(trial, out: Path) -> list[bool]:
    """The outcome of the first of some trials in which the kill came in time."""
    for attempt in range(5):
        outcome = trial(Path(f"{out}-{attempt}"))
        if outcome is not None:
            return [outcome]
    return []

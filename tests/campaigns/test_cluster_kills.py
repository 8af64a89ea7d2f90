"""Workers and schedulers killed at random moments: no number differs, and --resume goes on.

    pytest -m campaign tests/campaigns/test_cluster_kills.py

Writes `cluster_kills.txt` beside this file.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from ledger import enter

KILLS = 20
RUN = ["spiral", "--epochs", "600", "--seeds", "6", "--depths", "1,2", "--compile", "off", "--json"]


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "scratchnet", *RUN, *more]


def start(*arguments: str, **more) -> subprocess.Popen:
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def rows(text: bytes) -> list[dict]:
    """The rows of a run without their times."""
    found = json.loads(text)["rows"]
    return [{k: v for k, v in row.items() if not k.endswith("seconds")} for row in found]


def children(pid: int) -> list[int]:
    """The processes below a process that hold a worker: those that have no children."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    parts = [line.split(None, 2) for line in listed]
    below, found = {pid}, []
    for _ in range(4):
        below |= {int(p) for p, parent, _ in parts if int(parent) in below}
    parents = {int(parent) for _, parent, _ in parts}
    for p, _, text in parts:
        if int(p) in below and int(p) not in parents and "spawn_main" in text:
            found.append(int(p))
    return found


@pytest.mark.campaign
def test_nothing_is_lost(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    draw = random.Random(0)
    whole = subprocess.run(command("--out", str(tmp_path / "whole")), capture_output=True)
    expected = rows(whole.stdout)
    same = resumed = 0
    for number in range(KILLS):
        out = str(tmp_path / f"worker{number}")
        run = start(*command("--workers", "2", "--out", out))
        time.sleep(draw.uniform(2, 12))
        if alive := children(run.pid):
            os.kill(draw.choice(alive), signal.SIGKILL)
        same += rows(run.communicate()[0]) == expected
    for number in range(KILLS):
        # The scheduler of `--workers` lives in the process of the command.
        out = tmp_path / f"scheduler{number}"
        run = start(*command("--workers", "2", "--out", str(out)))
        time.sleep(draw.uniform(4, 16))
        run.kill()
        run.communicate()
        after = subprocess.run(
            command("--workers", "2", "--out", str(out), "--resume"), capture_output=True
        )
        resumed += rows(after.stdout) == expected
    enter(
        "cluster_kills",
        f"{same} of {KILLS} runs whose worker was killed, and {resumed} of {KILLS} that were "
        "killed with their scheduler and resumed, have the rows of one process, bit for bit",
    )
    assert (same, resumed) == (KILLS, KILLS)

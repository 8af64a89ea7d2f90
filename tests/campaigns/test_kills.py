"""A training that is killed and goes on from its checkpoint has the bits of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import CALLS
from ledger import enter
from networks import assert_same_state

TRAINING = Path(__file__).with_name("killing.py")


def start(folder: Path, seed: int, *call: int) -> subprocess.Popen[str]:
    """The training, with one thread of BLAS, on whose number the bits depend."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TRAINING), str(folder), str(seed), *map(str, call)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def begun(folder: Path, seed: int) -> subprocess.Popen[str]:
    """The training, once it has loaded everything and begins."""
    process = start(folder, seed)
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    return process


def finish(folder: Path, seed: int) -> dict[str, Any]:
    """Train to the end; the last state. The folder then holds the two files, and nothing else."""
    process = start(folder, seed)
    process.communicate()
    assert process.returncode == 0
    assert sorted(os.listdir(folder)) == ["checkpoint", "final.npz"]
    with np.load(folder / "final.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return finish(tmp_path_factory.mktemp("whole"), 0)


@pytest.mark.parametrize(
    ("epoch", "call"), [(0, "new name"), (20, "content to disk"), (40, "name to disk")]
)
def test_a_training_that_is_killed_while_it_writes_goes_on(
    epoch: int, call: str, uninterrupted: dict[str, Any], tmp_path: Path
) -> None:
    process = start(tmp_path, 0, epoch * len(CALLS) + CALLS.index(call))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    has_leftover = any(name.startswith(".scratchnet-") for name in os.listdir(tmp_path))
    assert has_leftover == (call != "name to disk")
    assert (tmp_path / "checkpoint").exists() == (epoch > 0)
    assert_same_state(finish(tmp_path, 0), uninterrupted)


def test_early_stopping_ends_the_training_and_does_something(
    uninterrupted: dict[str, Any],
) -> None:
    """Otherwise a checkpoint without it could give the same bits."""
    assert uninterrupted["stopped"] == "early stopping"


@pytest.mark.campaign
def test_100_trainings_that_are_killed_at_a_random_moment_go_on(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Twenty trainings, each killed five times, at a moment within the time that it takes."""
    rng = np.random.default_rng(2026)
    kills = leftovers = before_a_checkpoint = 0
    for seed in range(20):
        folder = tmp_path_factory.mktemp("whole")
        process = begun(folder, seed)
        beginning = time.perf_counter()
        process.communicate()
        seconds = time.perf_counter() - beginning
        whole = finish(folder, seed)
        for _ in range(5):
            folder = tmp_path_factory.mktemp("killed")
            while True:
                process = begun(folder, seed)
                time.sleep(seconds * rng.random())
                process.kill()
                process.communicate()
                if process.returncode == -signal.SIGKILL:
                    break
                # It was faster this time, and has finished: begin anew.
                seconds /= 2
                for name in os.listdir(folder):
                    os.unlink(folder / name)
            kills += 1
            before_a_checkpoint += not (folder / "checkpoint").exists()
            leftovers += len(set(os.listdir(folder)) - {"checkpoint"})
            assert_same_state(finish(folder, seed), whole)
    assert kills == 100
    enter(
        "kills",
        f"{kills} of {kills} trainings that were killed (SIGKILL) at random moments, with early "
        f"stopping, went on bit for bit; {before_a_checkpoint} had no checkpoint yet, {leftovers} "
        "left a temporary file, and none was left after the resume (seed 2026)",
    )

"""A training in a process of its own, to be killed: see `test_kills.py`.

    python killing.py FOLDER SEED [CALL]

trains an ensemble with early stopping, mini-batches and a checkpoint after each epoch, goes on from
the checkpoint that the folder holds, and writes the last state to FOLDER/final.npz. With CALL it
kills itself just before that one of the calls that write a file, of which `CALLS` are made for each
checkpoint.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scratchnet import Adam, files, fit, mlp
from scratchnet.checkpoint import checkpoints, load_checkpoint
from scratchnet.datasets import circles

EPOCHS = 250
CALLS = ["make the temporary file", "content to disk", "new name", "open folder", "name to disk"]


def train(folder: Path, seed: int) -> None:
    model = mlp([2, 16, 1], batch_norm=True, dropout=0.2, ensemble=2, seed=seed)
    optimizer = Adam(model, 0.03)
    path = folder / "checkpoint"
    done = load_checkpoint(path, model, optimizer) if path.exists() else 0
    print("training", flush=True)
    history = fit(
        model,
        *circles(60, noise=0.3, seed=seed),
        optimizer=optimizer,
        epochs=EPOCHS,
        batch_size=16,
        validation=circles(40, noise=0.3, seed=seed + 1),
        patience=25,
        callbacks=[checkpoints(path, optimizer, 1)],
        first_epoch=done,
    )
    state = model.state_dict() | {
        f"optimizer.{name}": each for name, each in optimizer.state().items()
    }
    outcome = {"best": history.best_epoch, "stopped": history.stopped, "steps": optimizer.steps}
    np.savez(folder / "final.npz", **state, **outcome)


def kill_before(call: int) -> None:
    """Let this process be killed just before a call, counted over all checkpoints."""
    count = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            if count == call:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return function(*arguments, **options)

        return wrapped

    os.fsync, os.replace = counted(os.fsync), counted(os.replace)  # type: ignore[assignment]
    for name in ("_temporary_file", "_sync_folder"):
        setattr(files, name, counted(getattr(files, name)))


if __name__ == "__main__":
    folder, seed, *call = sys.argv[1:]
    if call:
        kill_before(int(call[0]))
    train(Path(folder), int(seed))

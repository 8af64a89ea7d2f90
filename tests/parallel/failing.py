"""A long training in whose fourth epoch, or before it, something happens to rank 1.

Argument 1 says what; argument 2 is a file that the test makes once a rank has spoken.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from scratchnet import attendance, training
from scratchnet.layers import Linear, Tanh
from scratchnet.model import Model
from scratchnet.optim import SGD
from scratchnet.training import fit

RANK = MPI.COMM_WORLD.rank
EVENTS = {"killed": signal.SIGKILL, "interrupted": signal.SIGINT}


def callback(epoch: int, model: Model, loss: Any) -> None:
    if epoch == 3 and sys.argv[1] == "all":
        raise ValueError("what all\nranks find")
    if epoch == 3 and RANK == 1:
        if sys.argv[1] == "raises":
            raise ValueError("what only\none finds")
        if sys.argv[1] == "changes":
            model.parameters()[0].data[...] += 1
        if sys.argv[1] in EVENTS:
            os.kill(os.getpid(), EVENTS[sys.argv[1]])
    time.sleep(0.01)


communicator = MPI.COMM_WORLD
if RANK == 1 and sys.argv[1] == "leaves":
    sys.exit()
if RANK == 1 and sys.argv[1] == "forgets":
    communicator = None
if RANK == 1 and sys.argv[1] == "begins":
    training.TrainingStep = None  # type: ignore[assignment, misc]
if sys.argv[1] == "is late":
    attendance.PATIENT = 0 if RANK == 0 else 1e9
    while RANK == 1 and not Path(sys.argv[2]).exists():
        time.sleep(0.01)
X = np.random.default_rng(RANK).normal(size=(20, 2))
model = Model(Linear(2, 4), Tanh(), Linear(4, 1))
epochs = 3 if sys.argv[1] in ("forgets", "is late") else 10**7
rate = (lambda step: 0.1 + RANK) if sys.argv[1] == "schedule" else 0.1
fit(
    model, X, X[:, 0] > 0, epochs=epochs, optimizer=SGD(model, rate), callbacks=[callback],
    communicator=communicator,
)  # fmt: skip

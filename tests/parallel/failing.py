"""A long training in whose fourth epoch something happens to rank 1; argument 1 says what."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import numpy as np
from mpi4py import MPI

from scratchnet.layers import Linear, Tanh
from scratchnet.model import Model
from scratchnet.training import fit

RANK = MPI.COMM_WORLD.rank
EVENTS = {"killed": signal.SIGKILL, "interrupted": signal.SIGINT}


def callback(epoch: int, model: Model, loss: Any) -> None:
    if epoch == 3 and sys.argv[1] == "all":
        raise ValueError("what all\nranks find")
    if epoch == 3 and RANK == 1:
        if sys.argv[1] == "raises":
            raise ValueError("what only\none finds")
        os.kill(os.getpid(), EVENTS[sys.argv[1]])
    time.sleep(0.01)


X = np.random.default_rng(RANK).normal(size=(20, 2))
model = Model(Linear(2, 4), Tanh(), Linear(4, 1))
fit(model, X, X[:, 0] > 0, epochs=10**7, callbacks=[callback], communicator=MPI.COMM_WORLD)

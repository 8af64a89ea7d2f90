"""The training loop.

All of training is one loop in a loop. An epoch goes once through the data, in an order that is
drawn anew each time; a step takes the next `batch_size` samples of it.

    every epoch:   order = 0 ... N - 1, shuffled
                   | batch 0 | batch 1 | batch 2 | rest |      N = 10, batch_size = 3: four steps
    every step:    outputs = model(X of the batch)             forward
                   loss = binary_cross_entropy(outputs, y of the batch)
                   loss.backward()                             sets the gradients
                   optimizer.step()                            moves the parameters

`loss.backward()` of this engine replaces the gradients that are there, so that nothing has to be
set to 0 between steps. (PyTorch adds to them, and has `optimizer.zero_grad()` for that.)

Return the mean loss of every epoch: the mean over its N samples, each taken before the step that
used it. The last batch may be smaller, and counts as much less. With L_b the loss of a batch of
n_b samples,

    loss of the epoch = (sum over batches of n_b L_b) / N

Shapes: X (N, inputs), y (N,) of 0 and 1, the result (epochs,). `float(loss)` is a loss as a
number. `model.train()` switches to training mode first; `rng.permutation(N)` shuffles.

Source: scratchnet/training.py:_train_epoch
"""

import numpy as np

from scratchnet import SGD, Model
from scratchnet.losses import binary_cross_entropy


def train(
    model: Model,
    X: np.ndarray,
    y: np.ndarray,
    optimizer: SGD,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
) -> list[float]:
    """Train the model in place; the mean loss of every epoch."""
    raise NotImplementedError

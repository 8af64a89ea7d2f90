"""The training loop, watched: which samples each step took, and where it moved the parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scratchnet import SGD, InputError, Linear, Model, Tanh
from scratchnet.demos.learn.answers import compare_numbers, numbers, row
from scratchnet.demos.learn.wrong import Wrong, is_close
from scratchnet.losses import binary_cross_entropy
from scratchnet.tensor import WRITTEN_SINCE, builds_graph

N, BATCH, EPOCHS, RATE = 22, 5, 3, 0.5


class Watched(Model):
    """A model that notes the inputs of its latest forward pass, and its mode there."""

    inputs: Any = None
    mode = True

    def __call__(self, X: Any) -> Any:
        outputs = super().__call__(X)
        if builds_graph():
            self.inputs, self.mode = np.array(numbers(X, "X", np.shape(X))), self.training
        return outputs


class Noting(SGD):
    """An optimizer that notes the parameters around each step, and the inputs that it was for."""

    def __init__(self, model: Watched, rate: float) -> None:
        super().__init__(model, rate)
        self.notes: list[tuple[Any, Any, Any, bool]] = []

    def zero_grad(self) -> None:
        """Raise `Wrong`: no gradient has to be set to 0 here."""
        raise Wrong(
            "optimizer.zero_grad() is PyTorch's: here backward() replaces the gradients, so that "
            "nothing has to be set to 0"
        )

    def step(self) -> None:
        """SGD's step; the inputs, the parameters before and after it, and the mode are noted."""
        watched: Any = self.model
        before = np.array(watched.parameter_buffer)
        super().step()
        after = np.array(watched.parameter_buffer)
        self.notes.append((watched.inputs, before, after, watched.mode))


def network(kind: Callable[..., Model] = Model) -> Model:
    """The network that is trained."""
    return kind(Linear(3, 4), Tanh(), Linear(4, 1), seed=1, dtype="float64")


def check(learner: Any) -> None:
    """Raise `Wrong` unless `train` makes the right steps and returns the right losses."""
    draw = np.random.default_rng(0)
    X = draw.standard_normal((N, 3))
    y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)
    losses, notes, steps, orders = watch(learner, X, y, 5)
    check_moves(notes, steps, X, y)
    if not all(mode for *_, mode in notes):
        raise Wrong("the forward passes ran in eval mode: call model.train() before the loop")
    check_losses(losses, notes, steps, X, y)
    again, other = (watch(learner, X, y, seed)[-1] for seed in (5, 6))
    if not np.array_equal(orders, again):
        raise Wrong(
            "train takes the samples in another order for the same rng: draw from rng, not from "
            "np.random"
        )
    same = (orders == other).all(axis=1)
    if same.any():
        raise Wrong(f"epoch {same.argmax()} takes the same order for another rng: draw from rng")


def watch(learner: Any, X: Any, y: Any, seed: int) -> tuple[Any, list[Any], list[Any], Any]:
    """What `train` returns with this seed; of each step a note and the samples; and the orders."""
    model: Any = network(Watched)
    model.eval()
    optimizer = Noting(model, RATE)
    rng = np.random.default_rng(seed)
    try:
        losses = learner.train(model, X.copy(), y.copy(), optimizer, EPOCHS, BATCH, rng)
    except InputError as error:
        if WRITTEN_SINCE in str(error):
            raise Wrong(
                "optimizer.step() comes before loss.backward(): the gradient must be that of the "
                "parameters which the forward pass used"
            ) from error
        raise
    check_count(optimizer.notes)
    steps = [rows_of(inputs, X) for inputs, *_ in optimizer.notes]
    return losses, optimizer.notes, steps, check_order(steps)


def check_count(notes: list[Any]) -> None:
    """There must be a step for every batch of every epoch."""
    batches = -(-N // BATCH)
    found, right = len(notes), EPOCHS * batches
    if found == right:
        return
    says = {
        0: "optimizer.step() was never called",
        EPOCHS: "there is one step in an epoch, not one for every batch",
        1: "there is one step in all, not one for every batch of every epoch",
        EPOCHS * (N // BATCH): "the last, smaller batch of an epoch is left out",
        batches: "there is one epoch only",
        EPOCHS * N: "there is a step for every sample, not for every batch",
        2 * right: "there are two steps for every batch",
        (EPOCHS - 1) * batches: "there is one epoch too few",
        (EPOCHS + 1) * batches: "there is one epoch too many",
    }
    counts = (
        f"{found} steps for {N} samples in batches of {BATCH}, {EPOCHS} epochs: must be {right}"
    )
    raise Wrong(f"{says[found]}: {counts}" if found in says else counts)


def rows_of(inputs: Any, X: Any) -> Any:
    """Which samples these inputs are."""
    if inputs is None:
        raise Wrong("optimizer.step() was called before the first forward pass")
    off = np.abs(inputs[:, None] - X[None]).max(axis=-1)
    if off.min(axis=1).max() > 1e-5:
        raise Wrong("model() got inputs that are no rows of X")
    return off.argmin(axis=1)


def check_order(steps: list[Any]) -> Any:
    """Every epoch must take every sample once, in another order, `BATCH` at a time.

    Returns the orders (epochs, N).
    """
    batches = -(-N // BATCH)
    if len(steps[0]) == N:
        raise Wrong(f"model() got all {N} samples in a step: must be the {BATCH} of the batch")
    orders = [np.concatenate(steps[i : i + batches]) for i in range(0, len(steps), batches)]
    for epoch, order in enumerate(orders):
        seen = np.bincount(order, minlength=N)
        if (seen != 1).any():
            sample = int(np.argmax(seen != 1))
            raise Wrong(
                f"an epoch must take every sample once: epoch {epoch} takes sample {sample} "
                f"{seen[sample]} times"
            )
    if any(len(rows) > BATCH for rows in steps):
        raise Wrong(f"a batch has {max(map(len, steps))} samples: must be {BATCH} at most")
    for epoch, order in enumerate(orders):
        if np.array_equal(order, np.arange(N)):
            raise Wrong(f"the samples are not shuffled: epoch {epoch} takes them as 0, 1, 2, ...")
    for a, b in itertools.combinations(range(EPOCHS), 2):
        if np.array_equal(orders[a], orders[b]):
            first = ", ".join(map(str, orders[a][:4]))
            raise Wrong(
                f"epochs {a} and {b} take the same order, {first}, ...: shuffle in every epoch anew"
            )
    return np.array(orders)


def gradient_at(parameters: Any, inputs: Any, targets: Any) -> tuple[Any, float]:
    """The gradient of the mean loss at these parameters, and the loss."""
    twin = network()
    twin.parameter_buffer[...] = parameters
    loss = binary_cross_entropy(twin(inputs), targets)
    loss.backward()
    return np.array(twin.gradient_buffer), float(loss)


def check_moves(notes: list[Any], steps: list[Any], X: Any, y: Any) -> None:
    """Every step must go along the gradient of its own batch."""
    gradients: list[Any] = []
    for number, ((_, before, after, _), rows) in enumerate(zip(notes, steps, strict=True)):
        gradient, _ = gradient_at(before, X[rows], y[rows])
        gradients.append(gradient)
        place = int(np.argmax(np.abs(after - before + RATE * gradient)))
        says = [
            ("no gradient has come yet, loss.backward() comes before the step", 0 * gradient),
            ("the loss is summed over the batch, must be its mean", gradient * len(rows)),
            ("the step uses gradients that are left from other batches", sum(gradients)),
        ]
        change = (after - before)[place]
        if not is_close(after - before, -RATE * gradient):
            says += targets_that_fit(before, after, X[rows], y[rows])
        fitting = [
            (sentence, -RATE * each[place])
            for sentence, each in says
            if is_close(after - before, -RATE * each)
        ]
        what = f"the change of parameter {place} in step {number}"
        compare_numbers(change, -RATE * gradient[place], what, fitting)


def targets_that_fit(before: Any, after: Any, inputs: Any, right: Any) -> list[tuple[str, Any]]:
    """The targets, other than the right ones, with which the step would be the one that was made.

    All 2^n are tried.
    """
    for t in itertools.product((0, 1), repeat=len(inputs)):
        gradient, _ = gradient_at(before, inputs, np.array(t))
        if is_close(after - before, -RATE * gradient):
            given = f"{list(t)}, must be {right.tolist()}"
            return [(f"take y by the same order as X, the batch's targets are {given}", gradient)]
    return []


def check_losses(value: Any, notes: list[Any], steps: list[Any], X: Any, y: Any) -> None:
    """The losses must be the epochs' means over their samples."""
    batches = -(-N // BATCH)
    of_batches = np.array(
        [gradient_at(note[1], X[rows], y[rows])[1] for note, rows in zip(notes, steps, strict=True)]
    ).reshape(EPOCHS, batches)
    sizes = np.array([len(rows) for rows in steps]).reshape(EPOCHS, batches)
    losses = row(value, "what train returns")
    if len(losses) == EPOCHS * batches:
        raise Wrong(f"train returns a loss for every step, {EPOCHS * batches}: must be {EPOCHS}")
    if len(losses) == 1:
        raise Wrong(
            f"train returns one number, {losses[0]:.4g}: must be {EPOCHS}, the loss of every epoch"
        )
    after = [np.mean(gradient_at(notes[i * batches + batches - 1][2], X, y)[1]) for i in range(3)]
    behind = [
        gradient_at(note[2], X[rows], y[rows])[1] for note, rows in zip(notes, steps, strict=True)
    ]
    of_moved = (np.reshape(behind, sizes.shape) * sizes).sum(axis=1)
    total = (of_batches * sizes).sum(axis=1)
    mistakes = [
        ("the small batch must count less, by its samples", of_batches.mean(axis=1)),
        ("the last batch has fewer than batch_size samples", BATCH * of_batches.sum(axis=1) / N),
        ("this is the loss of the last batch, not of the epoch", of_batches[:, -1]),
        ("the sum must go over all batches, += and not =", (of_batches * sizes)[:, -1] / N),
        ("the losses of the batches are added up, not averaged", of_batches.sum(axis=1)),
        ("the sum over the samples is not divided by N", total),
        ("the sum is divided by the number of batches, must be by N", total / batches),
        ("the sum must start at 0 in every epoch", np.cumsum(total) / N),
        ("the loss of a batch is taken after its step, must be before", of_moved / N),
        ("this is the loss after the epoch's steps, must be before each", after),
    ]
    compare_numbers(losses, total / N, "the loss of an epoch", mistakes)

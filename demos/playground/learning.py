"""A network that learns step by step, in the very bits of `fit`.

`Learning` makes the steps that `scratchnet.fit` would make, in its order of mini-batches, and can
stop between any two of them. Replayed and compiled steps differ in their last bits, so `segments`
keeps how many were made in which way: the exported code repeats them in the same ways.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any

import numpy as np

from scratchnet import SGD, Adam, AdamW, Model, mlp
from scratchnet.batches import Batches, checked_data
from scratchnet.classes import classes, loss_name, threshold
from scratchnet.compiled_step import CompiledTraining
from scratchnet.demos.playground.data import Task
from scratchnet.demos.playground.state import UNSCALED, State
from scratchnet.divergence import Divergence, note_divergence
from scratchnet.init import Initializer, normal
from scratchnet.losses import get_loss, loss_of
from scratchnet.model import evaluating
from scratchnet.optim import Optimizer
from scratchnet.tensor import enable_grad, note_write
from scratchnet.training import TrainingStep


def loss_and_outputs(loss: str, classes: int) -> tuple[str, int]:
    """The engine's name of a loss, and the outputs: one for two classes, else one for each."""
    if loss == "cross_entropy":
        loss = "binary_cross_entropy" if classes == 2 else "softmax_cross_entropy"
    return loss, 1 if classes == 2 else classes


def targets(y: Any, loss: str, outputs: int) -> Any:
    """Labels (N,) as the loss takes them: as they are, or as rows (N, outputs) with a single 1."""
    if outputs == 1 or loss == "softmax_cross_entropy":
        return y
    return np.eye(outputs, dtype=np.float32)[y]


def initializer(name: str) -> str | Initializer:
    """An initialiser as `mlp` takes it."""
    return normal(lambda fan_in, fan_out: 1.0) if name == UNSCALED else name


def make_model(state: State, task: Task, ensemble: int | None = None, **other: Any) -> Model:
    """The network of a state, or an ensemble of such networks, with the initial weights."""
    network = state.network
    _, outputs = loss_and_outputs(state.training.loss, len(task.classes))
    return mlp(
        [task.inputs, *network.layers, outputs],
        activation=network.activation,
        init=initializer(network.initialiser),
        batch_norm=network.batch_norm,
        dropout=network.dropout,
        residual=network.residual,
        backend="numpy",
        **{"seed": state.training.seed, "ensemble": ensemble, **other},
    )


def make_optimizer(state: State, model: Model, learning_rate: Any = None) -> Optimizer:
    """The optimizer of a state; an ensemble may have a learning rate for each network."""
    training = state.training
    rate = training.learning_rate if learning_rate is None else learning_rate
    decay = training.weight_decay
    if training.optimizer == "sgd":
        return SGD(model, rate, weight_decay=decay)
    if training.optimizer == "momentum":
        return SGD(model, rate, momentum=0.9, weight_decay=decay)
    kind = Adam if training.optimizer == "adam" else AdamW
    return kind(model, rate, weight_decay=decay)


@dataclass
class Segment:
    """Steps that follow one another and are made in one way."""

    compiled: bool
    steps: int


class Learning:
    """A model, its optimizer, and the steps made so far."""

    def __init__(
        self,
        state: State,
        task: Task,
        model: Model | None = None,
        optimizer: Optimizer | None = None,
        compile: bool = False,
    ) -> None:
        self.state, self.task = state, task
        self.model = make_model(state, task) if model is None else model
        self.optimizer = make_optimizer(state, self.model) if optimizer is None else optimizer
        name, outputs = loss_and_outputs(state.training.loss, len(task.classes))
        self.loss = get_loss(name)
        y = targets(task.y, name, outputs)
        data = checked_data(self.model, task.X, y, self.loss)
        self.held_out = checked_data(
            self.model, task.X_test, targets(task.y_test, name, outputs), self.loss
        )
        size = state.training.batch_size
        self.batches = Batches(self.model, *data, None if size is None else min(size, len(y)))
        self.model.loss = loss_name(self.loss)
        self.model.threshold = threshold(self.loss, np.asarray(y), self.model.root)
        self.steps = 0
        self.whole: Learning | None = None
        """Of a lottery ticket: the training of the whole network, see `tickets.py`."""
        self.segments: list[Segment] = []
        self.diverged: list[Divergence] = []
        self._coming = chain.from_iterable(repeat(self.batches))
        self._next: deque[tuple[Any, Any]] = deque()
        self.use(compile)

    def use(self, compile: bool) -> None:
        """Make the steps that follow compiled, or replayed."""
        self.compiled = compile
        self._step = TrainingStep(self.batches, self.loss, self.optimizer, None, True, compile)

    @property
    def is_compiled(self) -> bool:
        """Whether the steps are compiled, and none had to be replayed for want of that."""
        ahead = self._step.ahead
        return isinstance(ahead, CompiledTraining) and ahead.is_compiled

    @property
    def per_epoch(self) -> int:
        """The steps of an epoch."""
        return self.batches.per_epoch

    @property
    def left_of_epoch(self) -> int:
        """The steps to the end of the epoch; of a whole one at its start."""
        return self.per_epoch - self.steps % self.per_epoch

    @property
    def has_diverged(self) -> bool:
        """Whether no network can go on."""
        return len(self.diverged) == len(self.model.seeds)

    def advance(self, steps: int) -> None:
        """Make so many steps, or fewer, where the loss stops being finite."""
        self.model.train()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"), enable_grad():
            while steps > 0 and not self.has_diverged:
                done = self._several(steps) if self._step.ahead is not None else self._one()
                steps -= done
                self._count(done)
        note_write(self.model.parameters())

    def _count(self, steps: int) -> None:
        """Count the steps, in a segment of those that were made the same way."""
        self.steps += steps
        if not self.segments or self.segments[-1].compiled != self.is_compiled:
            self.segments.append(Segment(self.is_compiled, 0))
        self.segments[-1].steps += steps

    def _one(self) -> int:
        """A step on the next batch; how many were made."""
        rows, _ = self._next.popleft() if self._next else next(self._coming)
        self._look(self._step(*rows).numpy(), rows)
        return 1

    def _several(self, steps: int) -> int:
        """Compiled steps on batches of one shape; how many were made."""
        ahead = self._step.ahead
        assert ahead is not None
        steps = min(steps, max(ahead.affordable(), 1))
        self._next.extend(islice(self._coming, max(0, steps - len(self._next))))
        coming = list(islice(self._next, steps))
        size = [len(rows[0]) if rows else 0 for rows, _ in coming]
        same = next((i for i, each in enumerate(size) if each != size[0]), steps)
        rows = tuple(
            np.stack(parts) for parts in zip(*[rows for rows, _ in coming[:same]], strict=True)
        )
        losses = ahead.many(same, rows, {each.network for each in self.diverged})
        done = len(losses)
        self._look(losses[-1], tuple(each[done - 1] for each in rows))
        for _ in range(done):
            self._next.popleft()
        return done

    def _look(self, losses: Any, rows: tuple[Any, ...]) -> None:
        """Note the networks whose loss on these rows is not finite."""
        if not math.isfinite(losses.sum()):
            inputs = self.batches.select(*rows)[0]
            epoch = self.steps // self.per_epoch
            before = self._step.parameters_before
            note_divergence(self.diverged, self.batches, before, epoch, losses, inputs)

    def measured(self, model: Model | None = None) -> Measured:
        """Loss and accuracy on both sets in eval mode, and which points are in the wrong class.

        Of the model that learns, or of another one of its kind.
        """
        model, found = self.model if model is None else model, []
        for (inputs, y), labels in (
            ((self.batches.inputs, self.batches.targets), self.task.y),
            (self.held_out, self.task.y_test),
        ):
            with evaluating(model), np.errstate(all="ignore"):
                outputs = model(inputs)
                loss = loss_of(self.loss, outputs, y).numpy()
            wrong = classes(outputs.numpy(), model.threshold) != labels
            found.append((np.array(loss), 1 - wrong.mean(axis=-1), wrong.astype(np.uint8)))
        (loss, right, wrong), (test_loss, test_right, test_wrong) = found
        return Measured(loss, test_loss, right, test_right, wrong, test_wrong)


@dataclass(frozen=True)
class Measured:
    """Of one network, or of each of an ensemble; `wrong` is 1 where the class is, uint8."""

    loss: Any
    test_loss: Any
    accuracy: Any
    test_accuracy: Any
    wrong: Any
    test_wrong: Any

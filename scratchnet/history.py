"""What is measured while `fit` trains, and when it ends: the history, callbacks, early stopping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scratchnet.backends import Array, InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.divergence import Divergence
from scratchnet.early_stopping import EarlyStopping
from scratchnet.evaluation import mean_loss
from scratchnet.losses import Loss
from scratchnet.model import Model
from scratchnet.parallel import Alone, Ranks
from scratchnet.tensor import Tensor, note_write


@dataclass
class History:
    """What `fit` measured. The curves have shape (epochs,), or (epochs, E) for an ensemble."""

    loss: Any = field(default_factory=lambda: np.empty(0))
    """Training loss, the mean over the epoch's samples, each before its step."""
    validation_loss: Any = field(default_factory=lambda: np.empty(0))
    """Loss on the validation set after each epoch, in eval mode; empty without one."""
    accuracy: Any = field(default_factory=lambda: np.empty(0))
    """`evaluation.accuracy` on the training set after each epoch; empty without accuracy=True."""
    validation_accuracy: Any = field(default_factory=lambda: np.empty(0))
    """The same on the validation set."""
    seconds: float = 0.0
    stopped: str = "epochs"
    """Why training ended: 'epochs', 'early stopping', 'callback', 'interrupted' or 'diverged'."""
    best_epoch: Any = None
    """With early stopping, the epoch (of each network) whose parameters were kept.

    Where no epoch had a finite validation loss it is -1, or `first_epoch` - 1: the parameters are
    those from before the training.
    """
    diverged: list[Divergence] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The number of epochs with a loss; one in which all networks diverged counts too."""
        return len(self.loss)


Callback = Callable[[int, Model, Any], bool | None]
"""Called after each epoch with (epoch, model, training loss); a true value ends the training.

One with an attribute `every` is called after every so many epochs only. What lies between needs
nothing of Python, and with compile=True is one call.
"""


@dataclass
class Watch:
    """What looks at a training after its epochs: measures, early stopping and callbacks."""

    model: Model
    loss: Loss
    held_out: tuple[Tensor, Array] | None
    measures: Sequence[Callable[[], Any]]
    stopping: EarlyStopping | None
    callbacks: Sequence[Callback]
    ranks: Ranks | Alone
    stopped: str = ""
    """Why training ends; empty while it goes on."""
    diverged: list[Divergence] = field(default_factory=list)
    losses: list[Any] = field(default_factory=list)
    validation_losses: list[Any] = field(default_factory=list)
    accuracies: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.periods = [
            positive_whole("every of a callback", getattr(each, "every", 1))
            for each in self.callbacks
        ]
        self.is_measured = bool(self.measures) or self.held_out is not None
        # An epoch that is measured enters the curves with what was measured.
        self.new: list[Any] = [] if self.is_measured else self.losses
        self._stop_early()  # the checkpoint that it goes on from may be of a training that is over

    def until_next_look(self, done: int, epochs: int) -> int:
        """After how many of the epochs something looks at the model, once so many are done."""
        periods = [*self.periods, 1] if self.is_measured else self.periods
        return min([epochs - done, *(each - done % each for each in periods)])

    def look(self, done: int) -> None:
        """Measure and call back, once so many epochs are done."""
        measured = [measure() for measure in self.measures]
        if self.held_out is not None:
            own = mean_loss(self.model, *self.held_out, self.loss)
            validation_loss = self.ranks.mean(own, self.held_out[0].shape[-2])
            if self.stopping is not None:
                self.stopping.update(done - 1, validation_loss)
            self.validation_losses.append(validation_loss)
        if self.is_measured:
            self.losses.append(self.new.pop())
            self.accuracies.append(measured)
        if self.callbacks:
            # A replay takes no note of its writes, and a callback may compute results.
            note_write(self.model.parameters())
        # A list, not a generator: every callback is called, whatever another one answers.
        answers = [
            _answer(callback(done - 1, self.model, self.losses[-1]))
            for callback, period in zip(self.callbacks, self.periods, strict=True)
            if done % period == 0 and self._is_called(callback)
        ]
        stops = any(answers)
        if self.callbacks and self.ranks.any(stops):
            self.stopped = "callback"
        self._stop_early()
        if len(self.diverged) == len(self.model.seeds):
            self.stopped = "diverged"

    def _is_called(self, callback: Callback) -> bool:
        return self.ranks.rank == 0 or not getattr(callback, "on_first_rank", False)

    def _stop_early(self) -> None:
        """Stop where early stopping has found that no network goes on."""
        if self.stopping is not None and self.stopping.done.all():
            self.stopped = "early stopping"

    def history(self, best_epoch: Any, seconds: float) -> History:
        """What was measured, as arrays."""
        return History(
            np.array(self.losses),
            np.array(self.validation_losses),
            np.array([each[0] for each in self.accuracies if each]),
            np.array([each[1] for each in self.accuracies if each[1:]]),
            seconds,
            self.stopped or "epochs",
            best_epoch,
            self.diverged,
        )


def _answer(answer: Any) -> bool:
    """Whether a callback ends the training; an array answers for no network or for several."""
    if np.ndim(answer):
        raise InputError(
            f"a callback answered with shape {np.shape(answer)}: must be None, or one true or "
            "false value"
        )
    return bool(answer)

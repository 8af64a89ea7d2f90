"""Early stopping in a checkpoint: a training that goes on stops where it would have, with its bits.

What early stopping does within one training stands in `test_training.py`.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, refused, two_classes

from scratchnet import SGD, Adam, AdamW, Model, fit, mlp
from scratchnet.backends.compile import compiler_available
from scratchnet.checkpoint import load_checkpoint, save_checkpoint
from scratchnet.early_stopping import EarlyStopping
from scratchnet.losses import binary_cross_entropy
from scratchnet.optim import Optimizer
from scratchnet.pruning import prune
from scratchnet.schedules import cosine

EPOCHS = 14

OPTIMIZERS: dict[str, Callable[[Model], Optimizer]] = {
    "momentum": lambda model: SGD(model, cosine(0.3, EPOCHS), momentum=0.9),
    "adam": lambda model: Adam(model, 0.1),
    "adamw": lambda model: AdamW(model, 0.1, weight_decay=0.1),
}


def begin(
    optimizer: str = "adam", ensemble: int | None = None, masked: bool = False, plain: bool = False
) -> tuple[Model, Optimizer]:
    inside: dict[str, Any] = {} if plain else {"batch_norm": True, "dropout": 0.3}
    model = mlp([2, 6, 1], ensemble=ensemble, seed=7, **inside)
    if masked:
        prune(model, fraction=0.3)
    return model, OPTIMIZERS[optimizer](model)


def train(model: Model, optimizer: Optimizer, epochs: int = EPOCHS, **settings: Any) -> Any:
    """Small noisy data, which are learned by heart while the validation loss goes up and down."""
    usual = {"patience": 4, "batch_size": 8, "validation": two_classes(15, seed=1)}
    return fit(model, *two_classes(20), optimizer=optimizer, epochs=epochs, **{**usual, **settings})


def kept(folder: Path, optimizer: Optimizer) -> Callable[[int, Model, Any], None]:
    """A callback that keeps a checkpoint of each epoch, by its number."""

    def callback(epoch: int, model: Model, loss: Any) -> None:
        save_checkpoint(folder / str(epoch + 1), model, optimizer, epoch + 1)

    return callback


def assert_every_resume_is_the_same(
    folder: Path, begin: Callable[[], tuple[Model, Optimizer]], every: int = 1, **settings: Any
) -> Any:
    """The training, resumed from the checkpoints of its last and of every so many of its epochs.

    Returns its history.
    """
    model, optimizer = begin()
    history = train(model, optimizer, callbacks=[kept(folder, optimizer)], **settings)
    assert len(os.listdir(folder)) == history.epochs
    for done in {*range(1, history.epochs, every), history.epochs}:
        again, optimizer_again = begin()
        assert load_checkpoint(folder / str(done), again, optimizer_again) == done
        rest = train(again, optimizer_again, first_epoch=done, **settings)
        assert_same_state(again.state_dict(), model.state_dict())
        assert_same_bits(rest.best_epoch, history.best_epoch)
        assert rest.stopped == history.stopped
        assert rest.epochs == history.epochs - done
        if rest.epochs:
            assert_same_bits(rest.validation_loss, history.validation_loss[done:])
        assert optimizer_again.steps == optimizer.steps
        assert_same_state(optimizer_again.state(), optimizer.state())
    return history


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("record", [False, True])
def test_a_training_that_goes_on_stops_where_it_would_have(
    optimizer: str, ensemble: int | None, masked: bool, record: bool, tmp_path: Path
) -> None:
    """Whether the best epoch lies before the checkpoint or after it, and whatever stops it.

    Checkpoints of all epochs are tried in the tests below; what these settings keep is the same.
    """
    assert_every_resume_is_the_same(
        tmp_path, lambda: begin(optimizer, ensemble, masked), every=3, record=record
    )


@pytest.mark.parametrize(("patience", "stopped"), [(2, "early stopping"), (50, "epochs")])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_both_ends_of_a_training_are_met_again(
    patience: int, stopped: str, batch_size: int | None, tmp_path: Path
) -> None:
    """The last checkpoint is of a training that is over: only the best is restored."""
    history = assert_every_resume_is_the_same(
        tmp_path, begin, patience=patience, batch_size=batch_size
    )
    assert history.stopped == stopped
    # Otherwise the parameters would be the last ones, and a resume without the best could be right.
    assert history.best_epoch < history.epochs - 1


@pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")
@pytest.mark.parametrize("ensemble", [None, 2])
def test_a_compiled_training_goes_on_too(ensemble: int | None, tmp_path: Path) -> None:
    assert_every_resume_is_the_same(
        tmp_path, lambda: begin(ensemble=ensemble, plain=True), compile=True
    )


def test_without_a_finite_validation_loss_the_first_parameters_come_back(tmp_path: Path) -> None:
    model, optimizer = begin()
    validation = np.ones((2, 2)), np.zeros(2)
    settings: dict[str, Any] = {"validation": validation, "loss": infinite, "patience": 50}
    history = assert_every_resume_is_the_same(tmp_path, begin, **settings)
    assert history.best_epoch == -1
    train(model, optimizer, **settings)
    assert_same_bits(model.parameter_buffer, begin()[0].parameter_buffer)


def infinite(outputs: Any, targets: Any) -> Any:
    """On two samples, which is what there is to validate."""
    loss = binary_cross_entropy(outputs, targets)
    return loss if outputs.shape[-2] > 2 else loss * 0.0 + np.inf


def test_a_checkpoint_can_be_written_and_loaded_many_times(tmp_path: Path) -> None:
    """A training that is killed and resumed at every second epoch."""
    model, optimizer = begin()
    history = train(model, optimizer)
    done, path = 0, tmp_path / "run"
    while True:
        again, optimizer_again = begin()
        if done:
            assert load_checkpoint(path, again, optimizer_again) == done

        def stop(epoch: int, model: Model, loss: Any, first: int = done, o: Any = None) -> None:
            if epoch == first + 2:
                raise RuntimeError("killed")

        write = kept(tmp_path, optimizer_again)
        try:
            rest = train(again, optimizer_again, callbacks=[stop, write], first_epoch=done)
            break
        except RuntimeError:
            done += 2
            shutil.copy(tmp_path / str(done), path)
    assert_same_state(again.state_dict(), model.state_dict())
    assert (rest.stopped, rest.best_epoch) == (history.stopped, history.best_epoch)


def test_other_trainings_watch_anew(tmp_path: Path) -> None:
    """From epoch 0, without patience, after a training that ended, or with another optimizer."""
    model, optimizer = begin()
    train(model, optimizer, callbacks=[kept(tmp_path, optimizer)])
    assert optimizer.early_stopping is None
    load_checkpoint(tmp_path / "3", model, optimizer)
    assert optimizer.early_stopping is not None
    start, fresh = begin()[0], begin()[1]
    start.load_state_dict(model.state_dict())
    history = train(model, optimizer, epochs=2)
    assert history.best_epoch in (0, 1) and optimizer.early_stopping is None
    load_checkpoint(tmp_path / "3", model, optimizer)
    train(model, optimizer, patience=None, epochs=4, first_epoch=3)
    assert optimizer.early_stopping is None
    save_checkpoint(tmp_path / "plain", model, optimizer, 4)
    load_checkpoint(tmp_path / "3", model, optimizer)
    load_checkpoint(tmp_path / "plain", model, optimizer)
    assert optimizer.early_stopping is None
    assert fresh.early_stopping is None


def test_a_checkpoint_of_another_epoch_than_the_one_that_was_watched_is_refused(
    tmp_path: Path,
) -> None:
    """An epoch's number is not the number of epochs that are done."""
    model, optimizer = begin()

    def off_by_one(epoch: int, model: Model, loss: Any) -> None:
        save_checkpoint(tmp_path / "run", model, optimizer, epoch)

    with refused("epochs of a checkpoint is 0: must be 1"):
        train(model, optimizer, callbacks=[off_by_one])
    for wrong in (-1, 1.5, "3", 2**60):
        with refused("epochs of a checkpoint"):
            save_checkpoint(tmp_path / "run", model, begin()[1], wrong)  # type: ignore[arg-type]
    assert not os.listdir(tmp_path)


def test_a_longer_patience_goes_on_after_a_stop(tmp_path: Path) -> None:
    """The parameters are those of a training that had the longer patience from the start."""
    model, optimizer = begin()
    history = train(model, optimizer, patience=2, callbacks=[kept(tmp_path, optimizer)])
    again, optimizer_again = begin()
    done = load_checkpoint(tmp_path / str(history.epochs), again, optimizer_again)
    train(again, optimizer_again, patience=9, first_epoch=done)
    longer, optimizer_longer = begin()
    train(longer, optimizer_longer, patience=9)
    assert history.stopped == "early stopping" and done < EPOCHS
    assert_same_state(again.state_dict(), longer.state_dict())


def test_arrays_that_no_early_stopping_can_have_are_refused(tmp_path: Path) -> None:
    model, optimizer = begin(ensemble=2)
    path = tmp_path / "run"
    for name, wrong, part in [
        ("best_loss", np.nan, "nan: must be a number"),
        ("waited", -1, "must be from 0 to 3"),
        ("waited", 4, "4 epochs since the best"),
    ]:
        optimizer.early_stopping = EarlyStopping(model, 3)
        getattr(optimizer.early_stopping, name)[1] = wrong
        save_checkpoint(path, model, optimizer, 3)
        optimizer.early_stopping = None
        before = model.state_dict()
        with refused(str(path), part):
            load_checkpoint(path, model, optimizer)
        assert optimizer.early_stopping is None
        assert_same_state(model.state_dict(), before)

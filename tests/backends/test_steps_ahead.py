"""Losses that are read together stop a training at the same step, with the same numbers."""

import warnings
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Adam, History, Model, fit, mlp
from scratchnet.backends import Backend
from scratchnet.steps_ahead import StepsAhead

X = np.random.default_rng(0).uniform(-3, 3, (40, 2))
Y = X[:, :1] * X[:, 1:]


def trained(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, together: int, rates: Any, **settings: Any
) -> tuple[Model, History, int]:
    """Where a device would have to be waited for, so many steps are done before one looks."""
    asked: list[int] = []
    many = StepsAhead._done

    def done(self: StepsAhead, steps: int, rows: Any) -> Any:
        asked.append(steps)
        return many(self, steps, rows)

    with monkeypatch.context() as patch:
        patch.setattr(backend, "reading_waits", together > 0, raising=False)
        patch.setattr(StepsAhead, "affordable", lambda self: together)
        patch.setattr(StepsAhead, "_done", done)
        model = mlp([2, 8, 8, 1], dropout=0.2, batch_norm=True, ensemble=3, backend=backend)
        optimizer: Any = SGD(model, np.asarray(rates), momentum=0.9)
        settings = {"loss": "mean_squared_error", "epochs": 12, "optimizer": optimizer} | settings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            history = fit(model, X, Y, **settings)
    return model, history, max(asked, default=0)


@pytest.mark.parametrize("batch_size", [None, 8, 16])
@pytest.mark.parametrize("rates", [[0.01] * 3, [0.01, 1e12, 0.02], [30.0, 10.0, 100.0]], ids=str)
def test_the_same_steps_and_numbers(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, rates: Any, batch_size: int | None
) -> None:
    """With networks that diverge at different steps, in the middle of those that are together."""
    one, alone, _ = trained(backend, monkeypatch, 0, rates, batch_size=batch_size)
    other, together, most = trained(backend, monkeypatch, 7, rates, batch_size=batch_size)
    assert together.diverged == alone.diverged and together.stopped == alone.stopped
    assert len(together.diverged) == sum(rate > 1 for rate in rates)
    assert together.loss.tobytes() == alone.loss.tobytes()
    for name, array in one.state_dict().items():
        assert array.tobytes() == other.state_dict()[name].tobytes(), name
    assert most > 1


def test_what_looks_at_the_model_sees_every_epoch(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    *_, most = trained(
        backend, monkeypatch, 7, [0.01] * 3, callbacks=[lambda epoch, *_: seen.append(epoch)]
    )
    assert seen == list(range(12)) and most == 1


def test_an_interruption_takes_back_the_steps_that_were_not_looked_at(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = mlp([2, 4, 1], backend=backend)
    monkeypatch.setattr(backend, "reading_waits", True, raising=False)
    monkeypatch.setattr(StepsAhead, "affordable", lambda self: 5)
    optimizer = Adam(model, 0.01)
    prepare = Adam.prepare

    def interrupted(self: Adam) -> None:
        if self.steps == 8:
            raise KeyboardInterrupt
        prepare(self)

    monkeypatch.setattr(Adam, "prepare", interrupted)
    monkeypatch.setattr("scratchnet.steps_ahead.ORDINARY", (interrupted,))
    history = fit(model, X, Y, loss="mean_squared_error", epochs=20, optimizer=optimizer)
    assert history.stopped == "interrupted"
    assert optimizer.steps == len(history.loss) and optimizer.steps in (5, 6, 7)
    monkeypatch.setattr(Adam, "prepare", prepare)
    monkeypatch.setattr(backend, "reading_waits", False, raising=False)
    again = mlp([2, 4, 1], backend=backend)
    fit(again, X, Y, loss="mean_squared_error", epochs=optimizer.steps, optimizer=Adam(again, 0.01))
    for name, array in again.state_dict().items():
        assert array.tobytes() == model.state_dict()[name].tobytes()

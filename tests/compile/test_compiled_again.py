"""A second training takes up the function of the first, and sees what has changed since."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Adam, Model, Tensor, fit, mlp
from scratchnet.backends.compile import compiler_available, signature, step
from scratchnet.compiled_step import CompiledTraining
from scratchnet.optim import Optimizer
from scratchnet.schedules import cosine

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(float)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The programs that are written from here on."""
    found: list[Any] = []
    monkeypatch.setattr(step, "_kept", {})

    def write(*arguments: Any) -> Any:
        found.append(arguments)
        return write_program(*arguments)

    write_program = step.write_program
    monkeypatch.setattr(step, "write_program", write)
    return found


def bits(model: Model) -> bytes:
    return model.parameter_buffer.tobytes()


def test_the_program_is_written_once_for_all_networks_of_a_shape(written: list[Any]) -> None:
    for seed in range(3):
        for _ in range(2):
            fit(mlp([2, 5, 1], seed=seed), X + seed, Y, epochs=3, compile=True)
    assert len(written) == 1
    fit(mlp([2, 6, 1]), X, Y, epochs=3, compile=True)
    assert len(written) == 2


def test_a_function_that_other_threads_push_out_at_once_is_used_nevertheless(
    written: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "keep", lambda *_: None)
    fit(mlp([2, 5, 1]), X, Y, epochs=3, compile=True)
    assert len(written) == 1 and not step._kept


def test_the_oldest_of_many_functions_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature, "MOST_KEPT", 2)
    kept: dict[Any, Any] = {}
    for number in range(4):
        signature.keep(kept, number, str(number))
    assert kept == {2: "2", 3: "3"}


def test_a_second_training_has_the_bits_of_a_first_one(written: list[Any]) -> None:
    found = []
    for _ in range(2):
        model = mlp([2, 5, 1])
        fit(model, X, Y, epochs=20, compile=True)
        found.append(bits(model))
        fit(mlp([2, 5, 1], seed=7), X[::-1], Y, epochs=3, compile=True)
    assert found[0] == found[1] and len(written) == 1


def test_what_changes_between_two_trainings_is_seen() -> None:
    factor, shift = 1.0, np.zeros(1)

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        error = outputs * factor - targets - shift
        return (error * error).mean()

    results = []
    for compile in (False, True):
        factor, shift = 1.0, np.zeros(1)
        model = mlp([2, 5, 1], dtype="float64", dropout=0.25)
        for change in range(4):
            if change == 1:
                factor = 2.0
            elif change == 2:
                shift = np.full(1, 0.5)
            elif change == 3:
                model.parameters()[-2].requires_grad = False
            fit(model, X, Y, loss=loss, optimizer=SGD(model, 0.1), epochs=5, compile=compile)
        results.append(model.parameter_buffer.copy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("batch_size", [None, 10, 16])
@pytest.mark.parametrize("weights", [None, "weights"])
@pytest.mark.parametrize("every", [1, 3, 7])
def test_how_often_python_looks_changes_no_bit(
    batch_size: int | None, weights: str | None, every: int
) -> None:
    def trained(callbacks: list[Any]) -> tuple[Any, bytes]:
        model = mlp([2, 5, 1], ensemble=2)
        history = fit(
            model,
            X,
            Y,
            optimizer=Adam(model, cosine(0.02, steps=40)),
            sample_weight=None if weights is None else np.linspace(0, 2, 50),
            batch_size=batch_size,
            epochs=10,
            callbacks=callbacks,
            compile=True,
        )
        return history.loss, bits(model)

    def look(epoch: int, model: Model, loss: Any) -> None:
        seen.append((epoch, loss.copy()))

    look.every = every  # type: ignore[attr-defined]
    seen: list[Any] = []
    losses, end = trained([])
    again, end_again = trained([look])
    np.testing.assert_array_equal(losses, again)
    assert end == end_again
    assert [epoch for epoch, _ in seen] == list(range(every - 1, 10, every))
    for epoch, loss in seen:
        np.testing.assert_array_equal(loss, losses[epoch])


@pytest.mark.parametrize("compile", [False, True])
def test_a_callback_of_every_k_epochs_ends_the_training(compile: bool) -> None:
    def stop(epoch: int, model: Model, loss: Any) -> bool:
        return epoch >= 5

    stop.every = 4  # type: ignore[attr-defined]
    history = fit(mlp([2, 5, 1]), X, Y, epochs=20, callbacks=[stop], compile=compile)
    assert history.stopped == "callback" and history.epochs == 8


def test_the_mean_loss_of_mini_batches_is_that_of_a_replay() -> None:
    losses = []
    for compile in (False, True):
        model = mlp([2, 5, 1], dtype="float64")
        history = fit(
            model, X, Y, optimizer=SGD(model, 0.1), batch_size=7, epochs=6, compile=compile
        )
        losses.append(history.loss)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-9)


@pytest.mark.parametrize("batch_size", [10, 16])
def test_divergence_in_mini_batches_is_found_where_a_replay_finds_it(batch_size: int) -> None:
    found = []
    for rates in ([0.1, 1e30], [1e30, 1e25]):
        for compile in (False, True):
            model = mlp([2, 8, 1], ensemble=2)
            with pytest.warns(RuntimeWarning, match="network 1"):
                history = fit(
                    model,
                    X,
                    Y,
                    optimizer=SGD(model, rates),
                    batch_size=batch_size,
                    epochs=20,
                    compile=compile,
                )
            diverged = [(each.network, each.epoch, each.layer) for each in history.diverged]
            found.append((diverged, history.stopped, history.epochs))
    assert found[0] == found[1]
    assert found[2] == found[3] and found[2][1] == "diverged"


@pytest.mark.parametrize("optimizer", ["adam", "own"])
def test_an_optimizer_that_looks_at_what_a_step_leaves(optimizer: str) -> None:
    class Own(SGD):
        """Its rate falls with the size of the first parameter."""

        def prepare(self) -> None:
            super().prepare()
            self.arrays["learning_rate"][...] = 0.1 / (1 + abs(self.model.parameter_buffer[0]))

    results = []
    for compile in (False, True):
        model = mlp([2, 5, 5, 1], dtype="float64")
        moving: Optimizer = Adam(model, 0.05) if optimizer == "adam" else Own(model, 0.1)
        first = model.parameters()[0]
        first.requires_grad = False
        fit(model, X, Y, optimizer=moving, epochs=6, compile=compile)
        first.requires_grad = True
        fit(model, X, Y, optimizer=moving, epochs=6, compile=compile)
        results.append(model.parameter_buffer.copy())
        assert moving.steps == 12
    np.testing.assert_allclose(results[1], results[0], rtol=1e-7, atol=1e-9)


def test_the_steps_that_left_a_parameter_out_are_counted_once_for_all_networks() -> None:
    results = []
    for compile in (False, True):
        model = mlp([2, 5, 1], ensemble=3, dtype="float64")
        optimizer = Adam(model, 0.05)
        first = model.parameters()[0]
        first.requires_grad = False
        fit(model, X, Y, optimizer=optimizer, epochs=4, compile=compile)
        assert optimizer.missed.tolist() == [4, 0, 0, 0]
        first.requires_grad = True
        fit(model, X, Y, optimizer=optimizer, epochs=4, compile=compile)
        results.append(model.parameter_buffer.copy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-9, atol=1e-11)


def test_a_signal_ends_a_training_between_two_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C itself: what was computed when it came is undone, and what was done before stays."""
    begun = threading.Event()
    run = step.CompiledStep.run

    def noted(self: Any, steps: int, *arguments: Any) -> Any:
        if steps > 1:
            begun.set()
        return run(self, steps, *arguments)

    monkeypatch.setattr(step.CompiledStep, "run", noted)

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    # A shell that runs tests in the background lets them ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        model = mlp([2, 5, 1], ensemble=2)
        optimizer = Adam(model, 0.01)
        history = fit(model, X, Y, optimizer=optimizer, epochs=10**9, compile=True)
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
    assert history.stopped == "interrupted" and optimizer.steps == history.epochs > 0
    other = mlp([2, 5, 1], ensemble=2)
    fit(other, X, Y, optimizer=Adam(other, 0.01), epochs=history.epochs, compile=True)
    assert bits(model) == bits(other)


def test_a_thread_that_a_signal_found_unbegun_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the threads change is undone then, and must stay so."""
    late: list[threading.Thread] = []

    class Interrupted:
        def __init__(self, threads: int) -> None:
            self.threads = threads

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: Any) -> None:
            pass

        def map(self, part: Any, numbers: Any) -> Any:
            part(0)
            late.extend(threading.Thread(target=part, args=(i,)) for i in range(1, self.threads))
            raise KeyboardInterrupt

    monkeypatch.setattr(step, "ThreadPoolExecutor", Interrupted)
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        step._together(done.append, 3)
    for each in late:
        each.start()
        each.join()
    assert len(late) == 2 and done == [0]


def test_an_interruption_just_after_a_call_undoes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its losses are lost, so the parameters must not be those that they lead to."""
    many, calls = CompiledTraining.many, 0

    def interrupted(self: CompiledTraining, *arguments: Any) -> Any:
        nonlocal calls
        losses = many(self, *arguments)
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(CompiledTraining, "many", interrupted)
    model = mlp([2, 5, 1])
    optimizer = Adam(model, 0.01)
    history = fit(model, X, Y, optimizer=optimizer, epochs=10**7, compile=True)
    assert history.stopped == "interrupted" and optimizer.steps == history.epochs > 0
    monkeypatch.undo()
    other = mlp([2, 5, 1])
    fit(other, X, Y, optimizer=Adam(other, 0.01), epochs=history.epochs, compile=True)
    assert bits(model) == bits(other)


def test_an_interrupted_call_leaves_the_model_as_its_losses_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0
    run = step.CompiledStep.run

    def interrupted(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        losses = run(self, *arguments)
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(step.CompiledStep, "run", interrupted)
    model = mlp([2, 5, 1])
    optimizer = Adam(model, 0.01)
    history = fit(model, X, Y, optimizer=optimizer, epochs=10**7, compile=True)
    assert history.stopped == "interrupted" and optimizer.steps == history.epochs > 0
    monkeypatch.undo()
    other = mlp([2, 5, 1])
    fit(other, X, Y, optimizer=Adam(other, 0.01), epochs=history.epochs, compile=True)
    assert bits(model) == bits(other)

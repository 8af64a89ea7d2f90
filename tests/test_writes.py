"""Numbers of parameters that are written between a forward and a backward pass."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Adam, Model, Tensor, fit, mlp, no_grad
from scratchnet.backends import InputError
from scratchnet.checkpoint import load_checkpoint, save_checkpoint
from scratchnet.early_stopping import EarlyStopping
from scratchnet.layers import LeakyReLU, Linear, Residual
from scratchnet.losses import mean_squared_error
from scratchnet.ops import broadcast_to
from scratchnet.program import recorded

X = np.random.default_rng(0).uniform(-1, 1, (8, 2)).astype("float32")


WRITES: dict[str, Callable[[Model], Any]] = {
    "assigned": lambda model: setattr(
        model.parameters()[0], "data", model.parameters()[0].data * 2
    ),
    "loaded": lambda model: model.load_state_dict(model.state_dict()),
    "masked": lambda model: model.set_mask(np.ones(model.parameter_buffer.shape)),
    "stepped": lambda model: SGD(model, 0.1).step(),
    "filled in place": lambda model: model.parameters()[0].data.fill(0.5),
    "one number in place": lambda model: model.parameters()[2].data.__setitem__((0, 0), 0.5),
    "the last bias in place": lambda model: model.parameters()[3].data.__setitem__(..., np.nan),
    "by NumPy": lambda model: np.copyto(model.parameters()[0].data, 2.0),
    "in place and read": lambda model: (
        model.parameters()[0].data.fill(0.5),
        model.predict(X),
        model.state_dict(),
    ),
    "early stopping": lambda model: EarlyStopping(model, 0).restore(),
    "into the buffer": lambda model: (model.parameter_buffer.fill(0.5), model.apply_mask()),
    "in place, under no_grad": lambda model: no_grad()(
        lambda: model.parameters()[0].data.fill(0.5)
    )(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_backward_refuses_a_result_that_is_older_than_its_parameters(write: Any) -> None:
    model = mlp([2, 4, 1], seed=1)
    model(X).mean().backward()
    loss = model(X).mean()
    write(model)
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()
    model(X).mean().backward()  # a new one is fine


def test_an_optimizer_that_leaves_a_head_alone_leaves_its_results_alone() -> None:
    one, other = Tensor(np.ones(2)), mlp([2, 1], seed=1)
    loss = (one * 2.0).sum()
    other(np.ones((1, 2))).mean().backward()
    SGD(other, 0.1).step()
    loss.backward()
    assert one.grad.tolist() == [2.0, 2.0]


def test_an_array_assigned_to_a_parameter_is_copied_into_the_buffer() -> None:
    model = mlp([2, 4, 1], seed=1)
    weight = model.parameters()[0]
    weight.data = np.full((2, 4), 3.0)
    assert (model.parameter_buffer[:8] == 3).all() and weight.dtype == "float32"
    weight.grad = np.full((2, 4), 5.0)
    assert (model.gradient_buffer[:8] == 5).all()
    weight.grad = None
    assert not model.gradient_buffer[:8].any() and weight.grad is not None
    weight.data -= 1.0
    assert (model.parameter_buffer[:8] == 2).all()
    for name in ("data", "grad"):
        with pytest.raises(InputError, match=rf"{name} of shape \(4, 2\): must be \(2, 4\)"):
            setattr(weight, name, np.ones((4, 2)))
    SGD(model, 1.0).step()
    with no_grad():
        assert np.shares_memory(weight.data, model.parameter_buffer)


SETTINGS: dict[str, Callable[[Model, Any], Any]] = {
    "slope": lambda model, X: setattr(model.layers[1], "slope", 0.9),
    "scale": lambda model, X: setattr(model.layers[2], "scale", 0.9),
    "the array of inputs": lambda model, X: X.fill(0.0),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_set_after_the_forward_pass_does_not_reach_into_backward(name: str) -> None:
    residual = Residual(Linear(4, 4), scale=0.5)
    model = Model(Linear(2, 4), LeakyReLU(0.1), residual, Linear(4, 1), seed=1)
    model(X).mean().backward()
    expected, inputs = model.gradient_buffer.copy(), X.copy()
    loss = model(inputs).mean()
    SETTINGS[name](model, inputs)
    loss.backward()
    assert model.gradient_buffer.tobytes() == expected.tobytes()


def test_an_array_that_was_taken_before_the_forward_pass_is_seen_to_be_written() -> None:
    model = mlp([2, 4, 1], seed=1)
    weight = model.parameters()[0].data
    loss = model(X).mean()
    weight *= 2
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


def test_a_graph_that_was_gone_through_before_is_refused_after_a_write() -> None:
    model = mlp([2, 4, 1], seed=1)
    loss = model(X).mean()
    loss.backward()
    loss.backward()
    model.parameters()[2].data[0] += 1
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_frozen_parameters_that_were_written_are_refused_too(write: Any) -> None:
    """No gradient flows to them, but the gradients of what comes before are computed from them."""
    model, x = mlp([2, 4, 1], seed=1), Tensor(X)
    model.freeze("0", "2")
    loss = model(x).mean()
    if write is WRITES["stepped"]:
        model.unfreeze()  # else nothing is written
    write(model)
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()
    loss = model(x).mean()
    loss.backward()


def test_a_frozen_parameter_behind_which_nothing_learns_may_be_written() -> None:
    model = mlp([2, 4, 1], seed=1)
    model.freeze("0")
    loss = model(X).mean()
    model.parameters()[0].data[0] = 1
    loss.backward()


def test_writes_before_the_forward_pass_and_reads_after_it_are_no_writes_between() -> None:
    model = mlp([2, 4, 1], seed=1)
    weight, bias = model.parameters()[:2]
    weight.data[0] = 1
    weight.data[1] *= 2
    bias.data.fill(np.nan)
    bias.data[...] = -0.0
    first = model(X).mean()
    model.state_dict(), model.predict(X), repr(weight), weight.shape, bias.numpy()
    second = model(X).sum()
    first.backward()
    second.backward()
    SGD(model, 0.1).step()
    assert model.predict(X).shape == (8, 1)


def test_in_place_writes_between_steps_train_as_assignments_do() -> None:
    """Recorded or not, and with a callback that writes."""

    def trained(assign: bool, record: bool) -> Any:
        model = mlp([2, 4, 1], seed=1)

        def halve(epoch: int, model: Model, loss: Any) -> None:
            weight = model.parameters()[0]
            if assign:
                weight.data = weight.data / 2
            else:
                weight.data[...] /= 2
                model(X)

        fit(model, X, X[:, 0] > 0, epochs=6, record=record, callbacks=[halve])
        return model.parameter_buffer.tobytes()

    assert (
        len({trained(assign, record) for assign in (True, False) for record in (True, False)}) == 1
    )


def test_a_result_from_a_callback_is_refused_an_epoch_later() -> None:
    model, kept = mlp([2, 4, 1], seed=1), []

    def keep(epoch: int, model: Model, loss: Any) -> None:
        if epoch in (4, 5):
            kept.append(model(X).mean())
        if epoch == 5:
            kept[1].backward()
            with pytest.raises(InputError, match="written since it was computed"):
                kept[0].backward()

    fit(model, X, X[:, 0] > 0, epochs=7, callbacks=[keep])
    assert len(kept) == 2


@pytest.mark.parametrize("optimizer", [SGD, Adam])
def test_a_training_step_copies_no_parameter(optimizer: Any, monkeypatch: Any) -> None:
    """It reads each of them once, and nothing else has to be looked for."""
    model = mlp([2, 16, 16, 1], seed=1)
    step = optimizer(model, 0.1)
    step.step()

    def copied(self: Any) -> None:
        raise AssertionError("a copy")

    for method in ("_keep_numbers", "look_for_writes"):
        monkeypatch.setattr(type(model.parameters()[0]), method, copied)
    for _ in range(3):
        mean_squared_error(model(X), X[:, :1]).backward()
        step.step()
        model.predict(X)


def test_a_training_goes_on_while_another_thread_reads() -> None:
    model, ended = mlp([2, 32, 1], seed=1), threading.Event()

    def read() -> None:
        while not ended.is_set():
            model(X)
            model.predict(X)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        fit(model, X, X[:, 0] > 0, epochs=300, record=False)
    finally:
        ended.set()
        reader.join()
    alone = mlp([2, 32, 1], seed=1)
    fit(alone, X, X[:, 0] > 0, epochs=300, record=False)
    assert model.parameter_buffer.tobytes() == alone.parameter_buffer.tobytes()


def test_a_checkpoint_that_is_loaded_is_a_write(tmp_path: Path) -> None:
    model = mlp([2, 4, 1], seed=1)
    optimizer = SGD(model, 0.1)
    save_checkpoint(tmp_path / "file", model, optimizer, 0)
    loss = model(X).mean()
    load_checkpoint(tmp_path / "file", model, optimizer)
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


def test_a_copy_of_a_model_begins_without_what_was_kept_of_it() -> None:
    model = mlp([2, 4, 1], seed=1)
    model(X), model(X)
    model.parameters()[0].data[0] = 1
    other = copy.deepcopy(model)
    loss = other(X).mean()
    loss.backward()
    other.parameters()[0].data[0] = 2
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "detach": lambda weight: weight.detach(),
    "T": lambda weight: weight.T,
    "reshape": lambda weight: weight.reshape(2, 2),
    "broadcast_to": lambda weight: broadcast_to(weight, (1, 2, 2)),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_of_a_frozen_parameter_is_as_old_as_that(view: Any) -> None:
    x = Tensor(X, requires_grad=True)
    model = mlp([2, 2, 1], seed=0)
    model.freeze("0")
    weight = model.parameters()[0]
    loss = (x @ view(weight)).sum()
    weight.data = weight.data + 1
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


def test_a_replayed_step_makes_earlier_results_old() -> None:
    model = mlp([2, 4, 1], seed=0)
    optimizer = SGD(model, 0.5)

    def step(inputs: Any) -> Tensor:
        loss = (model(inputs) ** 2.0).mean()
        loss.backward()
        optimizer.update()
        return loss

    replayed = recorded(step, model, optimizer)
    for _ in range(3):
        optimizer.prepare()
        replayed(X)
    loss = model(X).mean()
    optimizer.prepare()
    replayed(X)
    with pytest.raises(InputError, match="written since it was computed"):
        loss.backward()


def test_an_assigned_gradient_is_stepped_along() -> None:
    model = mlp([2, 1], seed=0)
    optimizer = SGD(model, 1.0)
    model(X).mean().backward()
    optimizer.step()
    weight, bias = model.parameters()
    before = np.array(weight.data), np.array(bias.data)
    weight.grad = np.ones((2, 1))
    optimizer.step()
    np.testing.assert_allclose(weight.data, before[0] - 1, rtol=1e-6)
    np.testing.assert_array_equal(bias.data, before[1])

"""fit(compile=True): the losses of a replay within the bound, and the same bits every time."""

from __future__ import annotations

import errno
import json
import os
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from scratchnet import SGD, Adam, Tensor, fit, mlp
from scratchnet.backends import InputError, get_backend
from scratchnet.backends.compile import NotCompiled, build, compiler_available, find_compiler
from scratchnet.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from scratchnet.compiled_step import BOUND, CompiledTraining, compiling
from scratchnet.schedules import cosine

pytestmark = pytest.mark.skipif(compiler_available() is not None, reason="no C++ compiler")

X = np.random.default_rng(0).normal(size=(50, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(float)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_losses_of_a_replay(batch_size: int | None) -> None:
    histories, models = [], []
    for compile in (False, True):
        model = mlp([2, 8, 8, 1], dtype="float64", ensemble=2)
        optimizer = Adam(model, cosine(0.01, steps=30))
        histories.append(
            fit(model, X, Y, optimizer=optimizer, epochs=30, batch_size=batch_size, compile=compile)
        )
        models.append(model)
    np.testing.assert_allclose(histories[1].loss, histories[0].loss, rtol=1e-8)
    np.testing.assert_allclose(
        models[1].parameter_buffer, models[0].parameter_buffer, rtol=1e-6, atol=1e-9
    )


@pytest.mark.filterwarnings("error:the step is replayed")
@pytest.mark.parametrize(("networks", "batch_size"), [(3, 7), (3, 49), (1, 7)])
def test_a_last_batch_of_one_sample_of_each_networks_own(networks: int, batch_size: int) -> None:
    """Of 50 samples one is left, so that no axis of that step is as long as a batch."""
    rng = np.random.default_rng(1)
    own = rng.normal(size=(networks, 50, 2))
    labels = (own.sum(axis=-1, keepdims=True) > 0).astype(float)
    buffers = []
    for compile in (False, True):
        model = mlp([2, 8, 8, 1], dtype="float64", ensemble=networks)
        fit(model, own, labels, epochs=4, batch_size=batch_size, compile=compile)
        buffers.append(model.parameter_buffer)
    np.testing.assert_allclose(buffers[1], buffers[0], rtol=1e-9, atol=1e-12)


def test_a_loss_need_not_read_the_targets() -> None:
    losses = [
        fit(
            mlp([2, 8, 1], dtype="float64"), X, Y, epochs=3, batch_size=25, compile=compile,
            loss=lambda outputs, targets: (outputs * outputs).mean(axis=(-2, -1)),
        ).loss
        for compile in (False, True)
    ]  # fmt: skip
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)


def test_a_frozen_parameter_under_adam_in_mini_batches() -> None:
    """Adam's corrections get another shape in the second step, so that the call ends before it."""
    histories = []
    for compile in (False, True):
        model = mlp([2, 8, 1], dtype="float64")
        model.parameters()[0].requires_grad = False
        histories.append(fit(model, X, Y, epochs=3, batch_size=25, compile=compile).loss)
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-12)


def test_callbacks_do_not_change_the_bits() -> None:
    buffers = []
    for callbacks in ([], [lambda *_: None]):
        model = mlp([2, 8, 1])
        history = fit(model, X, Y, epochs=20, callbacks=callbacks, compile=True)
        assert len(history.loss) == 20
        buffers.append(model.parameter_buffer.tobytes())
    assert buffers[0] == buffers[1]


def test_a_training_goes_on_with_the_same_bits() -> None:
    buffers = []
    for stops in ([20], [7, 20]):
        model = mlp([2, 8, 1])
        optimizer, first = SGD(model, 0.1, momentum=0.9), 0
        for stop in stops:
            fit(model, X, Y, optimizer=optimizer, epochs=stop, first_epoch=first, compile=True)
            first = stop
        buffers.append(model.parameter_buffer.tobytes())
    assert buffers[0] == buffers[1]


def test_divergence_is_found_where_a_replay_finds_it() -> None:
    found = []
    for compile in (False, True):
        model = mlp([2, 8, 1], ensemble=2)
        rates = [0.1, 1e30]
        with pytest.warns(RuntimeWarning, match="network 1"):
            history = fit(model, X, Y, optimizer=SGD(model, rates), epochs=40, compile=compile)
        found.append([(each.network, each.epoch) for each in history.diverged])
        assert np.isfinite(history.loss[:, 0]).all()
    assert found[0] == found[1]


def test_compile_needs_a_recording() -> None:
    with pytest.raises(InputError, match="must be recorded"):
        fit(mlp([2, 4, 1]), X, Y, compile=True, record=False)


@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
def test_a_compiled_step_never_drops_the_precision_asked_for(precision: str) -> None:
    """Its products would be in fp32: `fit` refuses it, or replays what it was left to choose."""
    k, buffers = get_backend("numpy", precision), []
    with pytest.raises(
        InputError, match=f"^compile=True with precision {precision}: must be fp32$"
    ):
        fit(mlp([2, 4, 1], backend=k), X, Y, compile=True)
    for block in (nullcontext, compiling):
        model = mlp([2, 4, 1], backend=k)
        with block():
            fit(model, X, Y, epochs=3)
        buffers.append(model.parameter_buffer.tobytes())
    assert buffers[0] == buffers[1]
    model = mlp([2, 4, 1], backend=k)

    def step() -> Tensor:
        loss = model(X).sum()
        loss.backward()
        return loss

    with pytest.warns(RuntimeWarning, match="the step is replayed: "):
        CompiledTraining(step, SGD(model, 0.1)).many(1, (), set())


def test_without_a_compiler_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="install"):
        fit(mlp([2, 4, 1]), X, Y, compile=True)


def test_on_a_full_disk_the_step_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build, "_build", full)
    monkeypatch.setattr(build, "_is_intact", lambda library: False)
    buffers = []
    for compile in (False, True):
        model = mlp([2, 3, 5, 3, 1], "tanh")
        warned = pytest.warns(RuntimeWarning, match=r"replayed: .*No space left.*must have room")
        with warned if compile else nullcontext():
            fit(model, X, Y, epochs=3, compile=compile)
        buffers.append(model.parameter_buffer.tobytes())
    assert buffers[0] == buffers[1]


def warnings_of_going_on(path: Path, before: bool, after: bool) -> list[str]:
    """What a training that goes on from a checkpoint in another mode, or the same, warns of."""
    model = mlp([2, 8, 1])
    optimizer = SGD(model, 0.1, momentum=0.9)
    kept = checkpoints(path, optimizer, 7)
    fit(model, X, Y, optimizer=optimizer, epochs=7, callbacks=[kept], compile=before)
    model = mlp([2, 8, 1])
    optimizer = SGD(model, 0.1, momentum=0.9)
    done = load_checkpoint(path, model, optimizer)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit(model, X, Y, optimizer=optimizer, epochs=9, first_epoch=done, compile=after)
    return [str(each.message) for each in found]


@pytest.mark.parametrize("before", [False, True])
def test_a_checkpoint_of_another_mode_is_warned_of_in_one_line(
    tmp_path: Path, before: bool
) -> None:
    assert not warnings_of_going_on(tmp_path / "run", before, before)
    (line,) = warnings_of_going_on(tmp_path / "run", before, not before)
    assert "its steps were " + ("compiled by" if before else "replayed") in line
    assert "here they are " + ("replayed" if before else "compiled by") in line


def test_a_checkpoint_says_what_compiled_its_steps(tmp_path: Path) -> None:
    model = mlp([2, 8, 1])
    optimizer = SGD(model, 0.1)
    for compile in (False, True):
        fit(model, X, Y, optimizer=optimizer, epochs=2, compile=compile)
        save_checkpoint(tmp_path / "run", model, optimizer, 2)
        with safe_open(tmp_path / "run", framework="np") as file:
            header = json.loads(file.metadata()["checkpoint"])
        assert header["environment"]["compiler"] == (str(find_compiler()) if compile else "")
    assert "vectors of" in header["environment"]["compiler"]


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1.0])
def test_a_compiled_step_with_other_gradients_is_refused(size: float) -> None:
    """The bound is a share of the largest one, or of 1e-6 where all are smaller."""
    model = mlp([2, 3, 1])
    training = CompiledTraining(lambda X, y: model(X).mean(), SGD(model, 0.1))
    right, unit = np.full(4, size), BOUND[model.dtype] * max(size, 1e-6)
    training._compare((right, right + 0.5 * unit), (right, right))
    with pytest.raises(NotCompiled, match="has other gradients"):
        training._compare((right, right + 2 * unit), (right, right))


def test_a_step_that_differs_when_compiled_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bits of a recorded training, and a line that says so."""

    def differs(*_: Any) -> None:
        raise NotCompiled("compiled it has other losses than as Python, beyond rounding")

    monkeypatch.setattr(CompiledTraining, "_compare", differs)
    X = np.random.default_rng(1).normal(size=(17, 2))
    models = [mlp([2, 5, 1], seed=3) for _ in range(2)]
    fit(models[0], X, X[:, :1] > 0, epochs=4)
    what = "the step is replayed: compiled it has other losses"
    with pytest.warns(RuntimeWarning, match=what) as said:
        fit(models[1], X, X[:, :1] > 0, epochs=4, compile=True)
    assert said[0].filename == __file__  # of the call of fit
    assert models[0].parameter_buffer.tobytes() == models[1].parameter_buffer.tobytes()


def test_ensembles_of_any_size_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have one source; a network of another width has its own, and is compared."""
    compared: list[int] = []
    monkeypatch.setattr(CompiledTraining, "_compare", lambda *_: compared.append(networks))
    X = np.random.default_rng(2).normal(size=(23, 2))
    for networks, width in ((3, 6), (2, 6), (3, 6), (4, 7)):
        model = mlp([2, width, 1], ensemble=networks)
        fit(model, X, X[:, :1] > 0, epochs=2, compile=True)
    assert compared == [3, 4]

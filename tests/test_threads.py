"""Threads, asyncio tasks and generators: each computes the bits that it computes alone."""

import asyncio
import functools
import itertools
import operator
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, assert_same_state, two_classes

import scratchnet.backends
from scratchnet import (
    SGD,
    Adam,
    InputError,
    Model,
    Tensor,
    accuracy,
    evaluate_loss,
    fit,
    get_backend,
    mlp,
    no_grad,
)
from scratchnet.backends import NumpyBackend
from scratchnet.losses import binary_cross_entropy
from scratchnet.model import evaluating, in_mode
from scratchnet.program import RecordedStep, eager, is_eager, recorded

BACKEND = get_backend()
THREADS = 4


@pytest.fixture
def short_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often as they do by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def elsewhere(action: Callable[[], Any]) -> Any:
    """What the action returns or raises in a thread of its own, which ends before this returns."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(action).result()


def network(seed: int = 0, **options: Any) -> Model:
    return mlp((2, 8, 8, 1), batch_norm=True, dropout=0.2, seed=seed, **options)


def trained(seed: int, **options: Any) -> tuple[dict[str, Any], Any]:
    """State and losses after a short fit whose settings follow from the seed."""
    model = network(seed, ensemble=(None, 3)[seed % 2])
    X, y = two_classes(seed=seed)
    history = fit(
        model,
        X,
        y,
        optimizer=Adam(model, 0.01) if seed % 3 else SGD(model, 0.1, momentum=0.9),
        epochs=4,
        batch_size=(None, 4)[seed // 2 % 2],
        validation=(X, y),
        record=seed % 4 != 3,
        **options,
    )
    return model.state_dict(), history.loss


def assert_same_training(actual: Any, expected: Any) -> None:
    assert_same_state(actual[0], expected[0])
    assert_same_bits(actual[1], expected[1])


def builds_a_graph() -> bool:
    return (Tensor(1.0) * 2.0).requires_grad


def assert_clean() -> None:
    """No block is open here: what they change is as it was."""
    assert builds_a_graph() and not is_eager()
    BACKEND.host_work("anything")
    assert BACKEND.run is operator.call


# Threads.


def test_fits_in_threads_give_the_bits_of_fits_one_after_another(short_switches: None) -> None:
    seeds = range(24)
    alone = [trained(seed) for seed in seeds]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(trained, seeds))
    for actual, expected in zip(together, alone, strict=True):
        assert_same_training(actual, expected)
    assert_clean()


X, Y = two_classes()

MEANWHILE: dict[str, Callable[[Model], Any]] = {
    "another model is trained": lambda model: trained(3),
    "another model is trained by a replay": lambda model: trained(4),
    "another model predicts": lambda model: network(7).predict(X),
    "the same model predicts": lambda model: model.predict(X),
    "its accuracy is asked for": lambda model: accuracy(model, X, Y),
    "its loss is asked for": lambda model: evaluate_loss(model, X, Y, "binary_cross_entropy"),
    "its activations are asked for": lambda model: model.activations(X),
    "it is put into eval mode for a while": lambda model: in_mode(model, False).__enter__(),
    "numbers are read": lambda model: Tensor(1.0).item(),
    "a tensor is differentiated": lambda model: (Tensor(1.0) * 2.0).backward(),
    "no_grad is left on": lambda model: no_grad().__enter__(),
    "eager is left on": lambda model: eager().__enter__(),
}


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("action", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_a_step_has_its_bits_whatever_another_thread_does(
    action: Callable[[Model], Any], record: bool
) -> None:
    """The other thread begins and ends in the middle of the step, also while it is recorded."""
    model = network()

    def loss(outputs: Tensor, targets: Any) -> Tensor:
        elsewhere(lambda: action(model))
        return binary_cross_entropy(outputs * 1.0, targets)

    def plain_loss(outputs: Tensor, targets: Any) -> Tensor:
        return binary_cross_entropy(outputs * 1.0, targets)

    targets = Y[:, None].astype(np.float32)
    history = fit(model, X, targets, loss=loss, epochs=4, record=record)
    alone = network()
    expected = fit(alone, X, targets, loss=plain_loss, epochs=4, record=record)
    assert_same_training((model.state_dict(), history.loss), (alone.state_dict(), expected.loss))
    assert model.training and all(layer.training for layer in model.layers)
    assert_clean()


def test_what_another_thread_computes_in_the_middle_of_a_step_is_right() -> None:
    model, other, found = network(), network(7).eval(), []
    alone = model.predict(X), other.predict(X), trained(4)

    def step() -> Tensor:
        actions = (lambda: model.predict(X), lambda: other.predict(X), lambda: trained(4))
        found.append([elsewhere(action) for action in actions])
        return (model(X) * 1.0).sum()

    RecordedStep(step, model)()
    ((same, another, training),) = found
    assert_same_bits(same, alone[0])
    assert_same_bits(another, alone[1])
    assert_same_training(training, alone[2])


def test_a_block_in_one_thread_does_not_reach_another() -> None:
    model = network()
    with no_grad(), eager(), evaluating(model), BACKEND.recording() as calls:
        assert elsewhere(lambda: (builds_a_graph(), is_eager(), model.training)) == (
            True,
            False,
            True,
        )
        assert not calls and not builds_a_graph() and is_eager() and not model.training
    assert_clean()


def test_train_and_eval_inside_a_mode_end_with_it() -> None:
    model = network()
    for own in (True, False):
        model.train(own)
        with in_mode(model, not own):
            with in_mode(model, own):
                assert model.training is own
                model.layers[3].training = not own
                assert model.layers[3].training is not own
            assert all(layer.training is not own for layer in model.layers)
            model.train(own)
            assert model.training is own
        assert all(layer.training is own for layer in model.layers)


def test_a_recorded_step_is_recorded_for_each_mode() -> None:
    model = network()
    step = recorded(lambda x: model(x), model)
    x = X.astype(np.float32)
    for _ in range(3):
        before = model.state_dict()
        with evaluating(model):
            assert_same_bits(step(x).numpy(), model.predict(X))
        assert_same_state(model.state_dict(), before)
        assert step(x).numpy().tobytes() != model.predict(X).tobytes()


def test_a_recorded_step_can_be_called_in_several_threads(short_switches: None) -> None:
    """Its buffers are there once: a replay in the middle of another would overwrite them."""
    model = mlp((2, 32, 32, 1))
    model.eval()
    step = recorded(lambda x: model(x), model)
    inputs = [np.full((64, 2), i, np.float32) for i in range(THREADS)]
    expected = [model.predict(x).tobytes() for x in inputs]

    def predictions(number: int) -> set[bytes]:
        return {step(inputs[number]).numpy().tobytes() for _ in range(300)}

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(predictions, range(THREADS))) == [{each} for each in expected]


def test_threads_that_ask_first_get_one_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would not compute with each other's tensors."""

    def slow(precision: str) -> NumpyBackend:
        time.sleep(0.01)
        return NumpyBackend()

    fresh = functools.cache(scratchnet.backends._backend.__wrapped__)
    monkeypatch.setattr(scratchnet.backends, "_backend", fresh)
    monkeypatch.setattr(scratchnet.backends, "on_numpy", slow)
    start = threading.Barrier(THREADS)

    def ask(_: int) -> int:
        start.wait()
        return id(get_backend("numpy"))

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(ask, range(THREADS)))) == 1


# Generators and tasks.

MODEL = network()

BLOCKS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_grad": no_grad,
    "eager": eager,
    "evaluating": lambda: evaluating(MODEL),
    "recording": BACKEND.recording,
}


def inside(block: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
    with block():
        yield


@pytest.mark.parametrize("blocks", list(itertools.product(BLOCKS, BLOCKS)), ids="-".join)
@pytest.mark.parametrize("close", [operator.methodcaller("close"), lambda g: next(g, None)])
def test_suspended_generators_end_in_every_order(blocks: Any, close: Callable[[Any], Any]) -> None:
    for count in (2, 3):
        for order in itertools.permutations(range(count)):
            generators = [inside(BLOCKS[name]) for name in (*blocks, blocks[0])[:count]]
            for generator in generators:
                next(generator)
            for number in order:
                close(generators[number])
            assert_clean()
            assert MODEL.training


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_generator_that_another_thread_closes_leaves_nothing(block: Any) -> None:
    first, second = inside(block), inside(block)
    next(first)
    elsewhere(lambda: next(second))
    elsewhere(first.close)  # type: ignore[attr-defined]
    second.close()  # type: ignore[attr-defined]
    assert_clean()
    elsewhere(assert_clean)
    assert MODEL.training


def test_a_generator_that_is_forgotten_leaves_nothing() -> None:
    generators = [inside(block) for block in BLOCKS.values()]
    for generator in generators:
        next(generator)
    del generator, generators
    assert_clean()


def trainings(seed: int) -> Iterator[Any]:
    """A training in pieces, which is suspended while its model is evaluated."""
    model = network(seed)
    optimizer = Adam(model, 0.01)
    for epoch in range(1, 4):
        fit(model, X, Y, optimizer=optimizer, epochs=epoch, first_epoch=epoch - 1)
        with evaluating(model):
            yield model.state_dict(), np.array(0.0)
    yield model.state_dict(), model.predict(X)


def test_trainings_in_generators_take_turns() -> None:
    alone = [list(trainings(seed)) for seed in range(3)]
    together = zip(*[trainings(seed) for seed in range(3)], strict=True)
    for turn, expected in zip(together, zip(*alone, strict=True), strict=True):
        for one, other in zip(turn, expected, strict=True):
            assert_same_training(one, other)
    assert_clean()


def test_fit_builds_the_graph_that_it_needs() -> None:
    alone = trained(0)
    with no_grad():
        assert_same_training(trained(0), alone)
        assert not builds_a_graph()


async def training_task(seed: int, record: bool) -> tuple[dict[str, Any], Any]:
    """Steps by hand; other tasks run between them, and inside the blocks."""
    model = network(seed)
    optimizer = Adam(model, 0.01)

    def device_part() -> Tensor:
        loss = binary_cross_entropy(model(X), Y[:, None].astype(np.float32))
        loss.backward()
        optimizer.update()
        return loss

    with eager() if not record else in_mode(model, True):
        await asyncio.sleep(0)
        step = recorded(device_part, model, optimizer)
        assert isinstance(step, RecordedStep) is record
    losses = []
    for _ in range(4):
        optimizer.prepare()
        losses.append(step().item())
        await asyncio.sleep(0)
        with evaluating(model):
            await asyncio.sleep(0)
            assert not model.training and not builds_a_graph()
            losses.append(model.predict(X).sum())
        await asyncio.sleep(0)
        assert builds_a_graph()
    return model.state_dict(), np.array(losses)


def test_tasks_take_turns() -> None:
    settings = [(seed, seed % 2 == 0) for seed in range(6)]
    alone = [asyncio.run(training_task(*each)) for each in settings]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*[training_task(*each) for each in settings])

    for actual, expected in zip(asyncio.run(all_at_once()), alone, strict=True):
        assert_same_training(actual, expected)
    assert_clean()


def test_a_task_made_inside_a_block_is_free_of_it_when_the_block_has_ended() -> None:
    async def main() -> None:
        with no_grad(), eager(), BACKEND.recording() as calls:
            task = asyncio.create_task(later())
        await task
        assert not calls

    async def later() -> None:
        assert_clean()
        BACKEND.add(np.ones(2), 1.0)

    asyncio.run(main())


# Failures.


class Broken(Exception):
    pass


def test_an_exception_inside_a_recording_leaves_nothing() -> None:
    model = network()
    failing = True

    def step() -> Tensor:
        outcome = model(X).sum()
        if failing:
            raise Broken
        return outcome

    run = RecordedStep(step, model)
    for _ in range(2):
        with pytest.raises(Broken):
            run()
        assert_clean()
    failing = False
    model.eval()
    assert_same_bits([run().item() for _ in range(3)], [step().item() for _ in range(3)])


def test_a_recording_that_fails_does_not_end_that_of_another_thread() -> None:
    x = np.ones(2, np.float32)

    def fail() -> None:
        with BACKEND.recording():
            BACKEND.multiply(x, 2.0)
            raise Broken

    with BACKEND.recording() as calls:
        BACKEND.add(x, 1.0)
        with pytest.raises(Broken):
            elsewhere(fail)
        BACKEND.subtract(x, 1.0)
    assert [call.kernel for call in calls] == [np.add, np.subtract]
    assert_clean()


def test_the_host_is_refused_in_a_recorded_step_alone() -> None:
    """Also while another thread is inside one, and after one was refused."""
    model = network()

    def step() -> Tensor:
        elsewhere(lambda: RecordedStep(lambda: Tensor(2.0) * 1.0, model)())
        assert elsewhere(Tensor(3.0).item) == 3.0
        return Tensor(Tensor(1.0).item())

    for _ in range(2):
        with pytest.raises(InputError, match="inside a recorded step"):
            RecordedStep(step, model)()
        assert_clean()

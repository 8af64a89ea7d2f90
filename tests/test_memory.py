"""Steps leave nothing behind: counted in objects and allocated bytes, not read off the process."""

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

from networks import every_layer, network_with, two_classes

from scratchnet import Adam, Tensor, clip_gradients, fit, losses, mlp
from scratchnet.schedules import cosine


def stepping(layer: Any) -> Callable[[int], None]:
    model = network_with(layer, ensemble=2).train()
    optimizer = Adam(model, cosine(0.01, steps=1000))
    X, y = two_classes()

    def steps(count: int) -> None:
        for _ in range(count):
            losses.binary_cross_entropy(model(X), y).backward()
            clip_gradients(model, 1.0)
            optimizer.step()
            model.predict(X)

    return steps


@every_layer
def test_no_step_leaves_objects_or_bytes_behind(layer: Any) -> None:
    def in_use() -> tuple[int, int]:
        gc.collect()  # This also empties Python's lists of freed tuples.
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    steps = stepping(layer)
    tracemalloc.start()
    try:
        steps(50)
        objects, size = in_use()
        steps(150)
        more_objects, larger_size = in_use()
    finally:
        tracemalloc.stop()
    # One object or one small array per step would be 150, or 15,000 bytes.
    assert more_objects <= objects + 10
    assert larger_size <= size + 2000


@every_layer
def test_the_graph_of_a_step_is_freed_with_its_loss_and_without_the_collector(layer: Any) -> None:
    model = network_with(layer).train()
    X, y = two_classes()
    gc.collect()
    gc.disable()
    try:
        outputs = model(X)
        loss = losses.binary_cross_entropy(outputs, y)
        hidden = outputs.inputs[0][0]
        loss.backward()
        nodes = [weakref.ref(node) for node in (loss, outputs)]
        if hidden.inputs:
            nodes.append(weakref.ref(hidden))
        del hidden, outputs, loss
        assert [node() for node in nodes] == [None] * len(nodes)
        steps = stepping(layer)
        gc.collect()
        steps(5)
        assert gc.collect() == 0  # unreachable objects that only the collector could free
    finally:
        gc.enable()


def test_a_training_keeps_none_of_its_tensors() -> None:
    X, y = two_classes()
    model = mlp((2, 4, 1), batch_norm=True, dropout=0.2)
    gc.collect()
    before = sum(isinstance(each, Tensor) for each in gc.get_objects())
    history = fit(model, X, y, epochs=20, batch_size=4, validation=(X, y), patience=30)
    assert sum(isinstance(each, Tensor) for each in gc.get_objects()) <= before
    assert history.epochs == 20

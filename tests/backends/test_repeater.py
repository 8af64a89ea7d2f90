"""Repeating recorded calls: on each backend the bits of an eager run; on CUDA by one graph."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from agreement import either_dtype
from strategies import EVERY_OP, positive

from scratchnet import Adam, InputError, Model, Tensor, clip_gradients, fit, mlp
from scratchnet.backends import Backend, DeviceMemoryError
from scratchnet.losses import binary_cross_entropy
from scratchnet.program import recorded


def repeated(backend: Backend, calls: Any) -> Any:
    """The repeater, made without a warning; on CUDA it launches a graph."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repeat = backend.repeater(calls)
    if backend.name == "cupy" and "cuda" in vars(backend.xp):
        from scratchnet.backends.cuda_graph import Launch

        assert isinstance(repeat, Launch)
    return repeat


@either_dtype
@pytest.mark.parametrize("name", EVERY_OP)
def test_an_op_and_its_gradient(backend: Backend, name: str, dtype: str) -> None:
    def run(a: Tensor, b: Tensor) -> list[Any]:
        y = EVERY_OP[name](a, b).retain_grad()
        (y * y).backward()
        return [y.data, *[t.grad for t in (y, a, b) if t.grad is not None]]

    values = [positive(i, (3, 4), 0.02 * (i % 2)) for i in range(4)]
    a, b = (Tensor(each, dtype, backend) for each in values[:2])
    found: list[Any] = []
    with backend.recording() as calls:
        found.extend(run(a, b))
    repeat = repeated(backend, calls)
    for tensor, each in zip((a, b), values[2:], strict=True):
        backend.copy(backend.asarray(each, dtype), out=tensor.data)
    repeat()
    eager = run(*[Tensor(each, dtype, backend) for each in values[2:]])
    for one, other in zip(found, eager, strict=True):
        assert backend.to_numpy(one).tobytes() == backend.to_numpy(other).tobytes()


class Step:
    """A training step with all that a step can have, on the rows of a mini-batch."""

    def __init__(self, backend: Backend, ensemble: int | None) -> None:
        self.backend = backend
        self.model: Model = mlp(
            [2, 16, 16, 1], dropout=0.2, batch_norm=False, ensemble=ensemble, backend=backend
        )
        self.optimizer = Adam(self.model, 0.01, weight_decay=0.01)
        rng = np.random.default_rng(0)
        X = rng.uniform(-1, 1, (20, 2))
        self.inputs = backend.asarray(X, "float32")
        self.targets = backend.asarray(X[:, :1] * X[:, 1:] > 0, "float32")
        self.rows = backend.asarray(np.arange(8))

    def __call__(self) -> None:
        k = self.backend
        inputs, targets = k.take(self.inputs, self.rows), k.take(self.targets, self.rows)
        binary_cross_entropy(self.model(inputs), targets).backward()
        clip_gradients(self.model, 0.1)
        self.optimizer.update()

    def state(self) -> dict[str, bytes]:
        arrays = {
            **self.model.state_dict(),
            "gradients": self.backend.to_numpy(self.model.gradient_buffer),
            "first": self.backend.to_numpy(self.optimizer.first_moment),
            "second": self.backend.to_numpy(self.optimizer.second_moment),
        }
        return {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("ensemble", [None, 3])
def test_a_training_step(precise_backend: Backend, ensemble: int | None) -> None:
    eager, replayed = Step(precise_backend, ensemble), Step(precise_backend, ensemble)
    for step in (eager, replayed):
        step.optimizer.prepare()
    eager()
    with precise_backend.recording() as calls:
        replayed()
    before = replayed.state()
    repeat = repeated(precise_backend, calls)
    assert replayed.state() == before == eager.state()  # to make the repeater changes nothing
    for number in range(3):
        rows = precise_backend.asarray(np.random.default_rng(number).integers(0, 20, 8))
        precise_backend.copy(rows, out=replayed.rows)
        eager.rows = rows
        for step in (eager, replayed):
            step.optimizer.prepare()
        eager()
        repeat()
        assert replayed.state() == eager.state()


def test_the_bias_and_the_relu_of_a_layer_are_one_kernel(backend: Backend) -> None:
    """Of a product's bias and its ReLU, where the sum itself is not needed afterwards."""
    if backend.name != "cupy":
        pytest.skip("on NumPy they are two calls")
    for shape, bias_shape in (((4, 3), (3,)), ((2, 4, 3), (2, 1, 3))):
        y = backend.asarray(positive(0, shape) - 0.4, "float32")
        bias = backend.asarray(positive(1, bias_shape) - 0.5, "float32")
        start = backend.to_numpy(y).copy()
        with backend.recording() as calls:
            backend.maximum(backend.add_bias(y, bias), 0.0, out=y)
        assert len(calls) == 2 and len(backend.fused(calls)) == 1
        expected = backend.to_numpy(y).copy()
        backend.copy(backend.asarray(start), out=y)
        repeated(backend, calls)()
        assert np.array_equal(backend.to_numpy(y), expected) and (expected == 0).any()
        with backend.recording() as calls:
            backend.relu(backend.add_bias(y, bias))  # the sum stays: it may be read again
        assert len(backend.fused(calls)) == 2


def filled(backend: Backend, shape: Any, seed: int) -> Any:
    return backend.asarray(positive(seed, shape) - 0.6, "float32")


@pytest.mark.parametrize("lead", [(), (2,)], ids=str)
def test_what_is_fused_keeps_its_bits(backend: Backend, lead: Any) -> None:
    """A layer; a gain, a shift and a ReLU; and the sums of what a gradient has just become."""
    if backend.name != "cupy":
        pytest.skip("on NumPy nothing is fused")
    k, row = backend, (*lead, 1, 3) if lead else (3,)
    x, w = filled(k, (*lead, 5, 4), 0), filled(k, (*lead, 4, 3), 1)
    gain, bias, dy = filled(k, row, 2), filled(k, row, 3), filled(k, (*lead, 5, 3), 4)
    wide = k.zeros((*lead, 9), "float32")
    sums = [wide[..., :3], wide[..., 4:7]]

    def step() -> list[Any]:
        y = k.add_bias(k.matmul(x, w), bias)
        y = k.maximum(y, 0.0, out=y)
        z = k.multiply(y, gain)
        z = k.maximum(k.add(z, bias, out=z), 0.0, out=z)
        dz = k.relu_backward(dy, z)
        k.sum_rows(dz, out=sums[0])
        dg = k.times_slope(dz, y)
        k.sum_rows(dg, out=sums[1])
        return [y, z, dz, dg]

    with k.recording() as calls:
        made = step()
    assert len(calls) == 10 and len(k.fused(calls)) == 4
    repeat = repeated(k, calls)
    for each in (x, gain, dy):
        each[...] = k.asarray(k.to_numpy(each)[..., ::-1].copy())
    repeat()
    replayed = [k.to_numpy(each).tobytes() for each in (*made, wide)]
    again = step()
    assert replayed == [k.to_numpy(each).tobytes() for each in (*again, wide)]


@pytest.mark.parametrize("lead", [(), (2,)], ids=str)
@pytest.mark.parametrize("name", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_a_loss_its_mean_and_its_gradient_are_one_kernel(
    backend: Backend, lead: Any, name: str
) -> None:
    if backend.name != "cupy":
        pytest.skip("on NumPy nothing is fused")
    k, rows, d = backend, 700, 1 if name == "binary_cross_entropy" else 3
    both = filled(k, (2, *lead, rows, d), 0).reshape(-1)
    size = both.size // 2
    logits, away = (both[i : i + size].reshape(*lead, rows, d) for i in (0, d))
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (*lead, rows))
    targets = k.asarray(labels[..., None], "float32") if d == 1 else k.asarray(labels)
    dm = filled(k, lead, 2)

    def step() -> list[Any]:
        more = () if d == 1 else (0.1,)
        losses, slopes = getattr(k, name)(logits, targets, *more)
        mean = k.scaled_sum(k.reshape(losses, (*lead, -1)), 1.0 / rows)
        return [mean, k.times_share(slopes, dm, 1.0 / rows)]

    with k.recording() as calls:
        made = step()
    assert len(calls) == 3 and len(k.fused(calls)) == 1
    # It may be written over the logits, entry by entry, but not a row away, nor with gaps.
    gaps = k.ones((*lead, rows, d + 1), "float32")[..., :d]
    for place, number in ((logits, 1), (away, 3), (gaps, 3)):
        assert len(k.fused([*calls[:2], calls[2]._replace(out=place)])) == number
    repeat = repeated(k, calls)
    for each in (logits, targets):
        each[...] = k.asarray(k.to_numpy(each)[..., ::-1, :].copy() if each.ndim > 1 else each)
    repeat()
    replayed = [k.to_numpy(each).tobytes() for each in made]
    assert replayed == [k.to_numpy(each).tobytes() for each in step()]


def test_a_row_times_several_matrices_is_no_layer(backend: Backend) -> None:
    """The result (E, m) and its bias look like those of a batch."""
    if backend.name != "cupy":
        pytest.skip("on NumPy nothing is fused")
    k = backend
    x, w, y = filled(k, (4,), 0), filled(k, (2, 4, 3), 1), filled(k, (2, 3), 2)
    assert not k.is_small_product(x, w, y)
    assert k.is_small_product(filled(k, (2, 4), 0), w[0], y)


def test_a_sum_is_not_taken_ahead_of_who_reads_its_place(backend: Backend) -> None:
    if backend.name != "cupy":
        pytest.skip("on NumPy nothing is fused")
    k = backend
    dy, y, sums = filled(k, (4, 3), 0), filled(k, (4, 3), 1), filled(k, (3,), 2)
    with k.recording() as calls:
        dx = k.relu_backward(dy, y)
        old = k.copy(sums)
        k.sum_rows(dx, out=sums)
    assert len(k.fused(calls)) == 3
    before = k.to_numpy(sums).copy()
    repeated(k, calls)()
    assert np.array_equal(k.to_numpy(old), before)


def test_a_step_that_is_not_all_recorded_is_refused(backend: Backend) -> None:
    """By the check of the second call; one whose numbers are all the backend's passes it."""
    for factors, passes in (([2.0, 2.0], True), ([2.0, 2.5], False)):
        model = mlp([2, 4, 1], ensemble=3, backend=backend)
        inputs = model.as_input(np.random.default_rng(0).uniform(-1, 1, (5, 2)))
        steps = iter(factors)

        def step(model: Model = model, inputs: Tensor = inputs, steps: Any = steps) -> Tensor:
            loss = (model(inputs) * next(steps)).mean()
            loss.backward()
            return loss

        run = recorded(step, model)
        run()
        if passes:
            run()
        else:
            with pytest.raises(InputError, match="differs from an eager run"):
                run()


# What only a device can show.


def test_what_cannot_be_captured_is_repeated_kernel_by_kernel_and_said_once(cuda: Any) -> None:
    x = cuda.asarray(np.arange(4.0))

    def with_a_read_by_the_host(x: Any, out: Any) -> Any:
        return cuda._written(x * float(x.sum()), out)

    with cuda.recording() as calls:
        y = cuda.run(with_a_read_by_the_host, x, out=...)
    with pytest.warns(RuntimeWarning, match="kernel by kernel") as caught:
        repeat = cuda.repeater(calls)
    assert len(caught) == 1
    x[...] = cuda.asarray(np.full(4, 2.0))
    repeat()
    assert cuda.to_numpy(y).tolist() == [16.0] * 4
    # The stream is usable again, and so is the next capture.
    repeated(cuda, calls[:0])()


def test_memory_that_a_call_takes_for_itself_is_not_given_to_others(cuda: Any) -> None:
    """A graph writes to the addresses it was captured with, at every launch."""
    x = cuda.asarray(np.arange(2.0**20).reshape(2, -1))
    with cuda.recording() as calls:
        y = cuda.take(x[:, ::-1], (slice(None), slice(0, 2**18)))
    repeat = repeated(cuda, calls)
    others = [cuda.asarray(np.full(2**18, 7.0)) for _ in range(16)]
    repeat()
    assert all((cuda.to_numpy(each) == 7).all() for each in others)
    assert cuda.to_numpy(y)[0, 0] == 2**19 - 1


def test_products_on_several_streams(cuda: Any) -> None:
    a = np.random.default_rng(0).standard_normal((300, 300))
    for _ in range(3):
        for stream in (cuda.xp.cuda.Stream(non_blocking=True), cuda.xp.cuda.Stream.null):
            with stream:
                x = cuda.asarray(a)
                y = cuda.matmul(cuda.matmul(x, x.mT), x)
                stream.synchronize()
                np.testing.assert_allclose(cuda.to_numpy(y), a @ a.T @ a, rtol=1e-10, atol=1e-9)


def test_threads_and_streams_share_no_handle_and_no_memory_on_the_way(cuda: Any) -> None:
    found = []

    def multiply() -> None:
        for stream in (cuda.xp.cuda.Stream(non_blocking=True), cuda.xp.cuda.Stream.null):
            with stream:
                x = cuda.ones((300, 300), "float32")
                cuda.matmul(x, x)
                found.append((stream, cuda._cublas._handle()))

    multiply()
    other = threading.Thread(target=multiply)
    other.start()
    other.join()
    handles = [handle for _, handle in found]
    assert len({handle.pointer.value for handle in handles}) == 4
    spans = sorted((handle._workspace.data.ptr, handle._workspace.nbytes) for handle in handles)
    for (start, size), (following, _) in pairwise(spans):
        assert size >= 2**22 and start + size <= following


def test_trainings_in_threads_leave_the_bits_of_those_one_after_another(cuda: Any) -> None:
    """Each records and captures its steps while the others compute; some products by cuBLAS."""
    X = np.random.default_rng(0).uniform(-1, 1, (20, 2))

    def trained(seed: int) -> bytes:
        model = mlp([2, 130, 130, 1], ensemble=2, seed=seed, backend=cuda)
        fit(model, X, X[:, :1] > 0, optimizer=Adam(model, 0.01), epochs=4, batch_size=8)
        return cuda.to_numpy(model.parameter_buffer).tobytes()

    want = [trained(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(trained, range(3))) == want


def test_what_another_thread_does_spoils_no_capture(cuda: Any) -> None:
    """It trains, captures its own steps, ends its streams and waits, in the midst of this one."""
    X = np.random.default_rng(0).uniform(-1, 1, (20, 2))

    def trained() -> None:
        for seed in range(2):
            fit(mlp([2, 130, 130, 1], seed=seed, backend=cuda), X, X[:, :1] > 0, epochs=4)
            cuda.synchronize()

    def meanwhile(x: Any, out: Any) -> Any:
        if cuda.xp.cuda.get_current_stream().is_capturing():
            with ThreadPoolExecutor(1) as pool:
                pool.submit(trained).result()
        return cuda.xp.add(x, 1.0, out=out)

    x = cuda.asarray(np.arange(3.0))
    y = cuda.empty((3,), x.dtype)
    with cuda.recording() as calls:
        cuda.run(meanwhile, x, out=y)
    repeated(cuda, calls)()
    assert cuda.to_numpy(y).tolist() == [1, 2, 3]


def test_a_full_device_is_one_line_that_says_how_much(cuda: Any) -> None:
    for ask in (
        lambda: cuda.empty((2**42,), "float32"),
        lambda: cuda.add(cuda.ones((2**21, 1), "float32"), cuda.ones((2**21,), "float32")),
    ):
        with pytest.raises(DeviceMemoryError, match="GiB free") as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert cuda.to_numpy(cuda.ones((2,), "float32")).tolist() == [1, 1]


def test_the_timer_has_waited_for_the_devices_work(cuda: Any) -> None:
    x = cuda.ones((4096, 4096), "float32")
    with cuda.timer() as timer:
        cuda.matmul(x, x)
    assert cuda.xp.cuda.get_current_stream().done and timer.seconds > 0

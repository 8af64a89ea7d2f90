"""What a recorded step computes from its arrays in other ways than through the backend.

Each spelling gives the numbers of an eager run or is refused in one line; none may keep the numbers
of the step that was recorded.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scratchnet import SGD, Model, Tensor, fit, mlp, ops
from scratchnet.backends import InputError
from scratchnet.backends.compile import compiler_available
from scratchnet.layers import Layer, Linear
from scratchnet.program import recorded

Loss = Callable[[Tensor, Any], Tensor]


pytestmark = pytest.mark.filterwarnings("ignore:.*not finite:RuntimeWarning")


def huber(mask: Callable[[Tensor], Any]) -> Loss:
    def loss(y: Tensor, targets: Any) -> Tensor:
        d = y - targets
        return ops.where(mask(d), d * d * 0.5, abs(d) - 0.5).mean()

    return loss


def scaled(factor: Callable[[Tensor, Any], Any]) -> Loss:
    """The squared error times a factor that depends on the outputs."""

    def loss(y: Tensor, targets: Any) -> Tensor:
        d = y - targets
        return (d * d * factor(d, targets)).mean()

    return loss


def hard_examples(y: Tensor, targets: Any) -> Tensor:
    d = y - targets
    return (d[np.argsort(d.data[:, 0])[-5:]] ** 2).mean()


def branch(y: Tensor, targets: Any) -> Tensor:
    loss = ((y - targets) ** 2).mean()
    return loss if loss.data < 0.3 else abs(y - targets).mean()


def branch_of_tensor(y: Tensor, targets: Any) -> Tensor:
    loss = ((y - targets) ** 2).mean()
    return loss if loss < 0.3 else abs(y - targets).mean()


def loop(y: Tensor, targets: Any) -> Tensor:
    d, loss = y - targets, (y * 0.0).sum()
    for row in d.data:
        loss = loss + (row * row).sum()
    return loss + (d * d).mean()


def in_place(y: Tensor, targets: Any) -> Tensor:
    d = y - targets
    d.data[d.data > 0.5] = 0.0
    return (d * d).mean()


def negated_in_place(y: Tensor, targets: Any) -> Tensor:
    d = y - targets
    d.data *= 2.0
    return (d * d).mean()


def assigned(y: Tensor, targets: Any) -> Tensor:
    d = y - targets
    d.data = d.data * 2.0 + 1.0
    return (d * d).mean()


RECORDED: dict[str, Loss] = {
    "np.abs(data) <= 1": huber(lambda d: np.abs(d.data) <= 1),
    "abs(data) <= 1": huber(lambda d: abs(d.data) <= 1),
    "abs(tensor) <= 1": huber(lambda d: abs(d) <= 1),
    "two comparisons": huber(lambda d: (d.data < 1) & (d.data > -1)),
    "two comparisons of tensors": huber(lambda d: (d < 1) & (d > -1)),
    "not a comparison": huber(lambda d: ~(np.abs(d.data) > 1)),
    "np.less_equal": huber(lambda d: np.less_equal(np.abs(d.data), 1)),
    "np.logical_and": huber(lambda d: np.logical_and(d.data < 1, d.data > -1)),
    "the backend": huber(lambda d: d.backend.less_equal(d.backend.absolute(d.data), 1.0)),
    "a transposed view": huber(lambda d: (np.abs(d.data.T) <= 1).T),
    "a slice": huber(lambda d: np.abs(d.data[:, :1]) <= 1),
    "one entry": scaled(lambda d, _: np.tanh(d.data[0, 0])),
    "astype": scaled(lambda d, _: (np.abs(d.data) <= 1).astype("float32")),
    "np.exp": scaled(lambda d, _: np.exp(-(d.data**2))),
    "np.tanh": scaled(lambda d, _: np.tanh(d.data)),
    "a copy": scaled(lambda d, _: d.data.copy()),
    "flattened and back": scaled(lambda d, _: d.data.ravel().reshape(-1, 1)),
    "division of numbers by an array": scaled(lambda d, _: 1.0 / (1.0 + np.abs(d.data))),
    "@": scaled(lambda d, _: d.data @ d.data.T @ d.data),
    "np.matmul": scaled(lambda d, _: np.matmul(d.data, d.data.T) @ d.data),
    "np.sign": scaled(lambda d, _: np.sign(d.data)),
    "a leaf from numbers": scaled(lambda d, _: Tensor(d.data, requires_grad=False)),
    "np.broadcast_to": scaled(lambda d, _: np.broadcast_to(d.data[:1], d.shape).copy()),
    "the tensor detached": scaled(lambda d, _: d.detach()),
    "targets minus outputs": lambda y, targets: ((targets - y) ** 2).mean(),
    "targets divided by outputs": lambda y, targets: (targets / (abs(y) + 1)).mean(),
    "targets by outputs": lambda y, targets: (targets.T @ y).mean() + (y * y).mean(),
    "targets to the power of outputs": lambda y, targets: (abs(targets) ** (y * y)).mean(),
    "targets above outputs": lambda y, targets: ops.where(targets >= y, -y, y * y).mean(),
    "targets compared times outputs": lambda y, targets: ((targets > 0) * y).mean(),
    "a comparison times a tensor": scaled(lambda d, _: d > 0),
    "the share of a comparison": scaled(lambda d, _: (d > 0).mean()),
    "targets compared": scaled(lambda d, targets: (targets > 0).astype("float32") + 1),
}
REFUSED: dict[str, Loss] = {
    "if": branch,
    "if on a tensor": branch_of_tensor,
    "a loop over rows": loop,
    "hard examples": hard_examples,
    "writing": in_place,
    "an operator in place": negated_in_place,
    "float()": scaled(lambda d, _: float(d.data.reshape(-1)[0])),
    "int()": scaled(lambda d, _: int(d.data[0, 0])),
    "item()": scaled(lambda d, _: d.data[0, 0].item()),
    "tensor.item()": scaled(lambda d, _: d.mean().item()),
    "math.exp": scaled(lambda d, _: math.exp(d.data[0, 0])),
    "max()": scaled(lambda d, _: float(d.data.max())),
    "a method": scaled(lambda d, _: d.data.mean()),
    "np.mean": scaled(lambda d, _: np.mean(d.data)),
    "np.where": scaled(lambda d, _: np.where(d.data > 0, 1.0, 0.5)),
    "np.clip": scaled(lambda d, _: np.clip(d.data, -1, 1)),
    "np.add.reduce": scaled(lambda d, _: np.add.reduce(d.data)),
    "np.asarray": scaled(lambda d, _: np.asarray(d.data)),
    "np.array of a tensor": scaled(lambda d, _: np.array(d)),
    "np.linalg.norm": scaled(lambda d, _: np.linalg.norm(d.data)),
    "np.median": scaled(lambda d, _: np.median(d.data)),
    "argmax": scaled(lambda d, _: float(d.data.argmax())),
    "a mask as an index": scaled(lambda d, _: d.data[d.data > 0].size),
    "any": scaled(lambda d, _: 2.0 if (d.data > 0).any() else 1.0),
    "tolist": scaled(lambda d, _: d.data.tolist()[0][0]),
    "sorted": scaled(lambda d, _: sorted(d.data.ravel())[0]),
    "in": scaled(lambda d, _: 1.0 if 0.5 in d.data else 2.0),
    "deepcopy": scaled(lambda d, _: copy.deepcopy(d.data)),
    "divmod": scaled(lambda d, _: divmod(d.data, 1.0)[1]),
    "shift": scaled(lambda d, _: (d.data > 0) << 1),
    "range": scaled(lambda d, _: float(len(range(d.data[0, 0])))),
    "np.random": scaled(lambda d, _: np.random.default_rng(0).permutation(d.data)),
}


def trained(loss: Loss, record: bool, batch_size: int | None = None) -> Model:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (24, 2)).astype("float32")
    y = (2.5 * X[:, :1] - X[:, 1:] ** 2).astype("float32")
    model = mlp([2, 8, 1], seed=1)
    fit(
        model,
        X,
        y,
        loss=loss,
        optimizer=SGD(model, 0.05),
        epochs=6,
        batch_size=batch_size,
        record=record,
    )
    return model


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("loss", RECORDED.values(), ids=RECORDED)
def test_arithmetic_on_the_arrays_of_a_step_is_recorded(loss: Loss, batch_size: int | None) -> None:
    eager, replayed = (trained(loss, record, batch_size) for record in (False, True))
    assert eager.parameter_buffer.tobytes() == replayed.parameter_buffer.tobytes()


@pytest.mark.parametrize("loss", REFUSED.values(), ids=REFUSED)
def test_what_a_replay_would_not_do_again_is_refused_in_one_line(loss: Loss) -> None:
    with pytest.raises(InputError) as caught:
        trained(loss, record=True)
    assert "inside a recorded step: " in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_assigned_to_a_result_are_those_of_an_eager_run() -> None:
    eager, replayed = (trained(assigned, record) for record in (False, True))
    assert eager.parameter_buffer.tobytes() == replayed.parameter_buffer.tobytes()


class Elu(Layer):
    """e^x - 1 below 0, with the mask made by NumPy."""

    def forward(self, x: Tensor) -> Tensor:
        return ops.where(np.greater(x.data, 0), x, ops.exp(ops.minimum(x, 0.0)) - 1.0)


class Norm(Layer):
    """Divides by a number that only Python knows."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1.0 / float(np.abs(x.data).max()))


class Counter(Layer):
    """Reads one of its parameters on the host."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"scale": (1,)}

    def initial_parameters(self, rng: Any) -> dict[str, Any]:
        return {"scale": np.ones(1)}

    def forward(self, x: Tensor) -> Tensor:
        scale = self.parameters["scale"]
        return x * scale if scale.data[0] > 0 else x


@pytest.mark.parametrize(("layer", "is_recorded"), [(Elu, True), (Norm, False), (Counter, False)])
def test_layers_of_ones_own(layer: type[Layer], is_recorded: bool) -> None:
    def run(record: bool) -> Any:
        rng = np.random.default_rng(0)
        X, y = rng.uniform(-1, 1, (24, 2)), rng.uniform(-1, 1, (24, 1))
        model = Model(Linear(2, 8), layer(), Linear(8, 1), seed=1)
        optimizer = SGD(model, 0.5)
        fit(model, X, y, loss="mean_squared_error", optimizer=optimizer, epochs=6, record=record)
        return model.parameter_buffer.tobytes()

    if is_recorded:
        assert run(True) == run(False)
    else:
        run(False)
        with pytest.raises(InputError, match="inside a recorded step: "):
            run(True)


def test_the_check_runs_from_a_disturbed_state_and_leaves_no_trace() -> None:
    """A factor made from the buffer itself is the same in two steps from nearly the same state."""
    model = mlp([2, 4, 1], seed=1)
    X = np.random.default_rng(0).uniform(-1, 1, (8, 2)).astype("float32")

    def step(X: Any) -> Tensor:
        loss = (model(X) * float(np.round(np.abs(model.parameter_buffer).sum(), -2))).mean()
        loss.backward()
        return loss

    replayed = recorded(step, model)
    replayed(X)
    model.parameter_buffer[...] *= 60
    before = model.parameter_buffer.copy(), model.gradient_buffer.copy()
    with pytest.raises(InputError, match="recorded step: call"):
        replayed(X)
    assert before[0].tobytes() == model.parameter_buffer.tobytes()
    assert before[1].tobytes() == model.gradient_buffer.tobytes()


@pytest.mark.parametrize("compile", [False, True])
def test_ctrl_c_while_a_step_is_checked_leaves_the_numbers_of_the_steps_that_were_done(
    compile: bool,
) -> None:
    """The check runs from disturbed numbers: none of them may stay."""
    if compile and compiler_available():
        compile = False
    X, y = np.random.default_rng(0).uniform(-1, 1, (2, 8, 1)).astype("float32")

    def run(interrupted_pass: int) -> tuple[Model, SGD]:
        passes = []

        def loss(outputs: Tensor, targets: Any) -> Tensor:
            passes.append(1)
            if len(passes) == interrupted_pass:
                raise KeyboardInterrupt
            return ((outputs - targets) ** 2).mean()

        model = mlp([1, 4, 1], seed=1)
        optimizer = SGD(model, 0.1, momentum=0.9)
        fit(model, X, y, loss=loss, optimizer=optimizer, epochs=5, compile=compile)
        return model, optimizer

    done = 0 if compile else 1
    model, optimizer = run(2)
    expected = mlp([1, 4, 1], seed=1)
    other = SGD(expected, 0.1, momentum=0.9)
    if done:
        fit(expected, X, y, loss="mean_squared_error", optimizer=other, epochs=done, record=False)
    assert np.allclose(model.parameter_buffer, expected.parameter_buffer, rtol=1e-6, atol=0)
    assert np.allclose(optimizer.velocity, other.velocity, rtol=1e-5, atol=0)


def test_what_is_kept_from_a_recorded_step_stays_shut() -> None:
    kept: list[Any] = []
    model = mlp([2, 4, 1], seed=1)

    def step(X: Any) -> Tensor:
        loss = model(X).mean()
        kept.append(loss.data)
        return loss

    recorded(step, model)(np.ones((3, 2), "float32"))
    assert kept[0].shape == () and "recorded step" in repr(kept[0])
    with pytest.raises(InputError, match="inside a recorded step"):
        float(kept[0])


# Comparisons of tensors.


def test_comparisons_are_numpys() -> None:
    a = np.array([[-1.0, 0.0, np.nan], [2.0, 3.0, -0.0]])
    b = np.array([0.0, 3.0, 1.0])
    x, y = Tensor(a), Tensor(b)
    for one, other, p, q in ((x, y, a, b), (x, 0.0, a, 0.0), (x, b, a, b), (y, x, b, a)):
        for got, want in (
            (one < other, p < q),
            (one <= other, p <= q),
            (one > other, p > q),
            (one >= other, p >= q),
            (one == other, p == q),
            (one != other, p != q),
        ):
            assert got.dtype == "bool" and not got.requires_grad
            assert got.numpy().tolist() == want.tolist()
    assert (~(x > 0)).numpy().tolist() == (~(a > 0)).tolist()
    assert ((x > 0) | (x == 0)).numpy().tolist() == ((a > 0) | (a == 0)).tolist()
    assert (0 < y).numpy().tolist() == (b > 0).tolist()
    assert (x is not None) and not (x == None) and x != "name"  # noqa: E711


def test_a_tensor_is_a_key_by_its_identity() -> None:
    x, y = Tensor(np.ones(2)), Tensor(np.ones(2))
    assert {x: 1, y: 2}[y] == 2 and len({x, y, x}) == 2


def test_numpy_gets_a_copy_of_a_tensor() -> None:
    x = Tensor(np.ones(3))
    array = np.asarray(x)
    array[0] = 5
    assert x.numpy().tolist() == [1.0, 1.0, 1.0] and array.dtype == np.float64
    assert np.asarray(x, dtype="int64").dtype == np.int64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, copy=False)

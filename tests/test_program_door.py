"""One door: the calls that `backend.run` made are all there is to a step.

They are recorded once, the step's inputs are overwritten, and the calls are repeated into the same
buffers. What was computed outside the door keeps its old numbers then, and differs from an eager
run in some bit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DTYPES, EVERY_OP, positive, seeds

from scratchnet import SGD, Adam, AdamW, Model, Tensor, clip_gradients, get_backend, mlp, ops
from scratchnet.layers import ACTIVATIONS
from scratchnet.losses import LOSSES, softmax_cross_entropy
from scratchnet.schedules import cosine
from scratchnet.tensor import result

BACKEND = get_backend()
SAMPLES, INPUTS, OUTPUTS = 12, 3, 4

OPTIMIZERS: dict[str, Callable[[Model], Any]] = {
    "gradient descent": lambda model: SGD(model, 0.1),
    "momentum": lambda model: SGD(model, cosine(0.1, 10), momentum=0.9, weight_decay=0.01),
    "nesterov": lambda model: SGD(model, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda model: Adam(model, cosine(0.1, 10), weight_decay=0.01),
    "adamw": lambda model: AdamW(model, 0.1),
}


def recorded(step: Callable[[], Any]) -> list[Any]:
    with BACKEND.recording() as calls:
        step()
    return calls


def replay(calls: list[Any]) -> None:
    for kernel, inputs, out, _ in calls:
        assert kernel(*inputs, out=out) is out


# Every op, forwards and backwards.

JOINED_WITH_VIEWS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "reshape of a transpose": lambda a, b: a.mT.reshape(2, 6) * 2.0,
    "sum of a transpose": lambda a, b: (a.mT * b.mT).sum(axis=0),
    "transpose of a broadcast gradient": lambda a, b: (a.mT.reshape(-1) * 3.0).mean(),
    "slices of a transpose": lambda a, b: ops.concatenate([a.mT[1:], b.mT]).reshape(-1),
    "where of a transposed condition": lambda a, b: ops.where(
        BACKEND.greater(a.data, 1.0).T, b.mT, 0.0
    ),
    "where of a condition of numbers": lambda a, b: ops.where(
        BACKEND.greater(a.data, 1.0).view(np.int8), b, a
    ),
    "batched product": lambda a, b: a.reshape(2, 2, 3).mT @ b.reshape(2, 2, 3),
    "rows of one's own for each network": lambda a, b: a.reshape(2, 2, 3)[
        np.arange(2).reshape(2, 1), np.array([[0, 1, 1], [1, 0, 0]])
    ],
    "broadcast operands": lambda a, b: (a[:, :1] * b) ** b[0] / a.sum(),
    "a node used three times": lambda a, b: (a * b) * (a * b + a),
}
CASES = {**EVERY_OP, **JOINED_WITH_VIEWS}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", CASES.values(), ids=CASES)
@given(seed=seeds)
@settings(max_examples=5)
def test_replay_of_an_op_gives_the_bits_of_an_eager_run(op: Any, dtype: str, seed: int) -> None:
    def run(a: Tensor, b: Tensor) -> list[Any]:
        y = op(a, b).retain_grad()
        (y * y).backward()
        return [y.data, *[t.grad for t in (y, a, b) if t.grad is not None]]

    first = [positive(seed + i, (3, 4), 0.02 * i).astype(dtype) for i in range(2)]
    second = [positive(seed + i, (3, 4), 0.02 * i).astype(dtype) for i in range(2, 4)]
    a, b = (Tensor(values) for values in first)
    found: list[Any] = []
    calls = recorded(lambda: found.extend(run(a, b)))
    a.data[...], b.data[...] = second
    replay(calls)
    eager = run(*[Tensor(values) for values in second])
    assert all(same_bits(x, y) for x, y in zip(found, eager, strict=True))


def same_bits(x: Any, y: Any) -> bool:
    return bool(x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes())


def test_a_number_made_outside_the_door_is_found_out() -> None:
    """Test the test: a raw array operation in a step keeps its first numbers."""
    x = Tensor(np.ones(3))
    found: list[Any] = []
    calls = recorded(lambda: found.append(result(x.data * 2.0, BACKEND) + x))
    x.data[...] = 5.0
    replay(calls)
    assert found[0].numpy().tolist() == [7.0] * 3 and len(calls) == 1


@pytest.mark.parametrize("uses", [0, 1, 2])
def test_a_leafs_gradient_is_the_same_in_the_first_and_in_later_steps(uses: int) -> None:
    """A buffer that exists is replaced, one that does not exist yet is made: the same calls."""
    w, x = Tensor(np.full(3, 2.0)), Tensor(np.full(3, 5.0))
    w.grad = np.full(3, 7.0)
    fresh = Tensor(np.full(3, 2.0))

    def step() -> None:
        y = x * 1.0
        for _ in range(uses):
            y = y * w * fresh
        y.backward()

    calls = recorded(step)
    x.data[...] = 1.0
    replay(calls)
    expected = {0: 7.0, 1: 2.0, 2: 2 * 2.0**3}[uses]
    assert w.grad.tolist() == [expected] * 3
    assert uses == 0 or fresh.grad.tolist() == [expected] * 3


# A whole training step.


class Training:
    """A model, its optimizer, and one training step on the buffers that hold the batch."""

    def __init__(
        self,
        loss: str,
        optimizer: str,
        by_index: bool,
        raw: bool = False,
        training: bool = True,
        **settings: Any,
    ) -> None:
        multiclass = loss not in ("binary_cross_entropy", "hinge")
        self.model = mlp([INPUTS, 5, 5, OUTPUTS if multiclass else 1], seed=3, **settings)
        self.model.train(training)
        self.optimizer = OPTIMIZERS[optimizer](self.model)
        self.loss, self.by_index = LOSSES[loss], by_index
        self.dtype, self.ensemble = settings["dtype"], settings["ensemble"]
        self.inputs, self.targets, self.index = self.batch(0)
        if raw:
            other = np.float64 if self.dtype == "float32" else np.float32
            self.inputs = np.asfortranarray(self.inputs, other)
            self.targets = self.targets.astype(np.int16)

    def batch(self, number: int) -> tuple[Any, Any, Any]:
        """Inputs, targets and the rows of a mini-batch, one selection per network."""
        rng = np.random.default_rng(number)
        inputs = rng.standard_normal((SAMPLES, INPUTS)).astype(self.dtype)
        if self.loss is softmax_cross_entropy:
            targets = rng.integers(0, OUTPUTS, SAMPLES)
        elif self.loss not in (LOSSES["binary_cross_entropy"], LOSSES["hinge"]):
            targets = rng.standard_normal((SAMPLES, OUTPUTS)).astype(self.dtype)
        else:
            targets = rng.integers(0, 2, (SAMPLES, 1)).astype(self.dtype)
        lead = () if self.ensemble is None else (self.ensemble,)
        return inputs, targets, rng.integers(0, SAMPLES, (*lead, 6))

    def load(self, number: int) -> None:
        for buffer, values in zip(
            (self.inputs, self.targets, self.index), self.batch(number), strict=True
        ):
            buffer[...] = values

    def step(self) -> None:
        """All of a step but `prepare`, which is the host's part."""
        inputs, targets = self.inputs, self.targets
        if self.by_index:
            inputs, targets = BACKEND.take(inputs, self.index), BACKEND.take(targets, self.index)
        self.loss(self.model(inputs), targets).backward()
        clip_gradients(self.model, 0.5)
        self.optimizer.update()

    def state(self) -> dict[str, Any]:
        return {**self.model.state_dict(), "gradients": self.model.gradient_buffer}


def check_training(**settings: Any) -> None:
    eager, replayed = Training(**settings), Training(**settings)
    replayed.optimizer.prepare()
    calls = recorded(replayed.step)
    for number in range(4):
        eager.load(number)
        eager.optimizer.prepare()
        eager.step()
        if number:
            replayed.load(number)
            replayed.optimizer.prepare()
            replay(calls)
        expected = eager.state()
        for name, array in replayed.state().items():
            assert same_bits(array, expected[name]), f"{name} differs in step {number}"


EVERYTHING: dict[str, Any] = {
    "activation": "relu",
    "loss": "binary_cross_entropy",
    "optimizer": "adam",
    "batch_norm": True,
    "dropout": 0.3,
    "residual": True,
    "bias": True,
    "ensemble": None,
    "dtype": "float32",
    "by_index": True,
}
CHOICES: dict[str, list[Any]] = {
    "activation": list(ACTIVATIONS),
    "loss": list(LOSSES),
    "optimizer": list(OPTIMIZERS),
    "ensemble": [None, 1, 3],
    "dtype": list(DTYPES),
    "by_index": [False, True],
    "batch_norm": [False, True],
    "dropout": [0.0, 0.3],
    "residual": [False, True],
    "bias": [False, True],
}


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize(
    ("setting", "value"),
    [(setting, value) for setting, values in CHOICES.items() for value in values],
)
def test_replayed_steps_give_the_bits_of_eager_steps(
    setting: str, value: Any, ensemble: int | None
) -> None:
    """Forward, loss, backward, clipping and update; each setting in turn, with all others on."""
    check_training(**{**EVERYTHING, "ensemble": ensemble, setting: value})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_data_that_a_step_converts_are_read_anew(loss: str, dtype: str) -> None:
    """Inputs of another dtype, or in columns, and whole numbers as targets."""
    check_training(**{**EVERYTHING, "loss": loss, "dtype": dtype, "by_index": False}, raw=True)


def test_replayed_steps_in_eval_mode() -> None:
    """Dropout is off, and the running averages are read but stay."""
    check_training(**EVERYTHING, training=False)


def test_a_first_and_a_later_step_make_the_same_calls() -> None:
    """State that came into being during the first step would be missing from the recording."""
    training = Training(**EVERYTHING)
    steps = []
    for _ in range(2):
        training.optimizer.prepare()
        steps.append([(kernel, out.shape) for kernel, _, out, _ in recorded(training.step)])
    assert steps[0] == steps[1]


@given(chosen=st.fixed_dictionaries({name: st.sampled_from(CHOICES[name]) for name in CHOICES}))
def test_replayed_steps_of_any_combination(chosen: dict[str, Any]) -> None:
    check_training(**chosen)

"""A recorded step computes what the step computes, bit for bit, or says that it cannot."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DTYPES

from scratchnet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Dropout,
    InputError,
    Layer,
    LeakyReLU,
    Linear,
    Model,
    Tensor,
    fit,
    get_backend,
    mlp,
    ops,
)
from scratchnet.backends import NumpyBackend
from scratchnet.buffer_reuse import arrays_in, elide_copies, owner, reuse_buffers
from scratchnet.layers import Bottleneck, Residual, Sigmoid, Tanh
from scratchnet.losses import mean_squared_error
from scratchnet.program import RecordedStep, eager, recorded
from scratchnet.tensor import result

BACKEND = get_backend("numpy")
SIZE = 3

OPERATIONS: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - b * 0.5,
    lambda a, b: ops.tanh(a),
    lambda a, b: ops.relu(a + b),
    lambda a, b: ops.relu(a),
    lambda a, b: a @ b * 0.3,
    lambda a, b: a.mT @ b * 0.3,
    lambda a, b: a.mT,
    lambda a, b: a * b.sum(axis=0),
    lambda a, b: a + b.sum(axis=1, keepdims=True) * 0.1,
    lambda a, b: ops.concatenate([a[1:], b[:1]]),
    lambda a, b: a.reshape(-1).reshape(SIZE, SIZE),
    lambda a, b: ops.sigmoid(a) * a,
]
programs = st.lists(
    st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=12,
)


def bits(*arrays: Any) -> list[bytes]:
    return [np.asarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@given(program=programs, seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_random_program_replays_to_the_same_bits(
    dtype: str, program: list[tuple[int, int, int]], seed: int
) -> None:
    """Nodes used again, views, products and in-place buffers: which reuse breaks a number?"""

    def built() -> tuple[Model, Callable[[Any], Tensor]]:
        model = mlp((SIZE, SIZE), seed=seed, dtype=dtype)
        optimizer = SGD(model, 0.1, momentum=0.9)
        weight, bias = model.parameters()

        def step(values: Any) -> Tensor:
            pool = [result(values, BACKEND) * weight, weight + bias]
            for operation, i, j in program:
                a, b = pool[i % len(pool)], pool[j % len(pool)]
                pool.append(OPERATIONS[operation](a, b))
            loss = pool[-1].sum() + pool[i % len(pool)].mean()
            loss.backward()
            optimizer.update()
            return loss

        optimizer.prepare()
        return model, step

    (one, eager), (other, step) = built(), built()
    replayed = recorded(step, other)
    for number in range(4):
        values = np.random.default_rng((seed, number)).uniform(-1, 1, (SIZE, SIZE)).astype(dtype)
        with np.errstate(all="ignore"):
            losses = eager(values).numpy(), replayed(values.copy()).numpy()
        assert bits(losses[0]) == bits(losses[1])
        assert bits(one.parameter_buffer, one.gradient_buffer) == bits(
            other.parameter_buffer, other.gradient_buffer
        )


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_norm": True, "dropout": 0.3},
        {"residual": True, "activation": "gelu"},
        {"activation": "leaky_relu", "dtype": "float64"},
    ],
)
def test_recorded_training_is_eager_training(ensemble: int | None, settings: Any) -> None:
    """With a ragged last batch, clipping, validation in between, and a schedule."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), rng.integers(0, 2, 50)
    models, histories = [], []
    for record in (True, False):
        model = mlp((3, 8, 8, 1), ensemble=ensemble, **settings)
        histories.append(
            fit(
                model,
                X,
                y,
                optimizer=Adam(model, lambda step: 0.01 / (1 + step)),
                epochs=5,
                batch_size=16,
                clip_norm=0.2,
                validation=(X[:20], y[:20]),
                record=record,
            )
        )
        models.append(model)
    for one, other in zip(*[model.state_dict().values() for model in models], strict=True):
        assert bits(one) == bits(other)
    assert bits(histories[0].loss) == bits(histories[1].loss)
    assert bits(histories[0].validation_loss) == bits(histories[1].validation_loss)


def regression() -> tuple[Model, Callable[..., Tensor], Any, Any]:
    model = mlp((2, 16, 16, 1), dropout=0.5)
    optimizer = SGD(model, 0.1)
    optimizer.prepare()

    def step(X: Any, y: Any) -> Tensor:
        loss = mean_squared_error(model(X), y)
        loss.backward()
        optimizer.update()
        return loss

    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 2)).astype(np.float32)
    return model, step, X, X[:, :1] * 2


def test_new_shapes_and_modes_are_recorded_anew() -> None:
    model, step, X, y = regression()
    passes: list[tuple[Any, bool]] = []

    def counted(X: Any, y: Any) -> Tensor:
        passes.append((X.shape, model.training))
        return step(X, y)

    replayed = recorded(counted, model)
    for _ in range(4):
        replayed(X, y)
    assert passes == [((20, 2), True)] * 2
    for _ in range(4):
        replayed(X[:7], y[:7])
    assert passes[2:] == [((7, 2), True)] * 2
    model.eval()
    for _ in range(4):
        replayed(X, y)
    assert passes[4:] == [((20, 2), False)] * 2


def test_each_outcome_has_numbers_of_its_own() -> None:
    model, step, X, y = regression()
    replayed = recorded(step, model)
    outcomes = [replayed(X, y) for _ in range(5)]
    values = [outcome.item() for outcome in outcomes]
    assert len(set(values)) == 5 and not np.shares_memory(outcomes[3].data, outcomes[4].data)


def test_dead_buffers_are_used_again_and_gradients_written_where_they_belong() -> None:
    model, step, X, y = regression()
    replayed = RecordedStep(step, model)
    with BACKEND.recording() as calls:
        step(X, y)
    replayed(X, y)
    (recording,) = replayed._recordings.values()
    memory = {id(owner(array)) for call in recording.calls for array in (call.out,)}
    assert len(memory) < len({id(owner(call.out)) for call in calls}) / 2
    copies = [call for call in recording.calls if call.kernel is np.positive]
    assert not copies
    for call in recording.calls:
        if call.kernel is np.matmul:
            assert not any(np.shares_memory(call.out, array) for array in arrays_in(call.inputs))


def test_what_is_copied_and_also_returned_or_read_stays_where_it_is() -> None:
    """Written to the copy's target instead, the outcome would be stale, or a product would write
    onto its own input."""
    a, b = BACKEND.ones((2, 2), "float32"), BACKEND.ones((2, 2), "float32")
    for target, is_outcome in ((a, False), (BACKEND.empty((2, 2), "float32"), True)):
        with BACKEND.recording() as calls:
            product = BACKEND.matmul(a, b)
            BACKEND.copy(product, out=target)
        outcome = product if is_outcome else BACKEND.ones((), "float32")
        assert elide_copies(calls, outcome, BACKEND) == calls


@pytest.mark.parametrize(
    ("op", "may_write_onto_its_input"),
    [
        (lambda x: BACKEND.add(x, 1.0), True),
        (lambda x: BACKEND.add(x, x), True),
        (lambda x: BACKEND.add(x, x.mT), False),
        (lambda x: BACKEND.matmul(x, x), False),
        (lambda x: BACKEND.softmax(x, -1), True),
        (lambda x: BACKEND.concatenate([x[:1], x[1:]], 0), False),
    ],
)
def test_only_what_reads_each_place_for_itself_writes_onto_what_it_reads(
    op: Callable[[Any], Any], may_write_onto_its_input: bool
) -> None:
    with BACKEND.recording() as calls:
        x = BACKEND.add(BACKEND.ones((3, 3), "float32"), 1.0)
        outcome = BACKEND.add(op(x), 1.0)
    first, *_, last, _ = reuse_buffers(calls, outcome, BACKEND)
    assert np.shares_memory(first.out, last.out) == may_write_onto_its_input


def test_the_listing_names_parameters_and_gradients() -> None:
    model, step, X, y = regression()
    replayed = RecordedStep(step, model)
    with pytest.raises(InputError, match="nothing is recorded"):
        replayed.listing()
    replayed(X, y)
    lines = replayed.listing()
    assert any(line.startswith("d 0.weight (2, 16) = matmul(argument 0', ") for line in lines)
    assert any("matmul(argument 0, 0.weight)" in line for line in lines)


def test_what_only_the_host_can_do_is_refused() -> None:
    model, step, X, y = regression()
    optimizer = SGD(model, 0.1)

    def reads(X: Any, y: Any) -> Tensor:
        loss = step(X, y)
        return loss * 2.0 if loss.item() > 1 else loss

    def steps(X: Any, y: Any) -> Tensor:
        loss = step(X, y)
        optimizer.step()
        return loss

    with pytest.raises(InputError, match="inside a recorded step: numpy"):
        recorded(reads, model)(X, y)
    with pytest.raises(InputError, match=r"optimizer.step\(\), .*: use prepare\(\) before it"):
        recorded(steps, model)(X, y)
    assert step(X, y).item() > 0  # the backend reads for the host again


def test_a_number_made_outside_the_backend_is_found_and_nothing_is_changed() -> None:
    model, step, X, y = regression()
    replayed = recorded(lambda X, y: step(X * float(model.parameter_buffer.sum()), y), model)
    replayed(X, y)
    before = model.parameter_buffer.copy()
    with pytest.raises(InputError, match=r"call 1, multiply giving .* differs from an eager"):
        replayed(X + 1, y)
    assert bits(model.parameter_buffer) == bits(before)


def test_a_step_that_takes_another_way_is_found() -> None:
    model, step, X, y = regression()
    passes: list[int] = []

    def branching(X: Any, y: Any) -> Tensor:
        passes.append(1)
        return step(X, y) if len(passes) == 1 else step(X, y) * 3.0

    replayed = recorded(branching, model)
    replayed(X, y)
    with pytest.raises(InputError, match="takes another way than before"):
        replayed(X, y)


def test_a_step_that_computes_no_more_is_named() -> None:
    model, step, X, y = regression()
    passes: list[int] = []

    def shorter(X: Any, y: Any) -> Tensor:
        passes.append(1)
        loss = step(X, y)
        return loss + 1.0 if len(passes) == 1 else loss

    replayed = recorded(shorter, model)
    replayed(X, y)
    with pytest.raises(InputError, match="and is now nothing"):
        replayed(X, y)


def test_a_step_must_return_a_tensor() -> None:
    model, step, X, y = regression()
    with pytest.raises(InputError, match="returned NoneType: needs a Tensor"):
        recorded(lambda X, y: None, model)(X, y)  # type: ignore[arg-type, return-value]


def test_recording_can_be_switched_off() -> None:
    model, step, X, y = regression()
    with eager():
        assert recorded(step, model) is step
    assert isinstance(recorded(step, model), RecordedStep)


# Settings that a callback changes


def varied(model: Model) -> dict[str, Callable[[Any, int], None]]:
    """Each setting that may change, and how a callback changes it after an epoch."""
    dropout, norm, leaky = (model.layers[i] for i in (2, 1, 3))

    def replace_velocity(optimizer: Any, epoch: int) -> None:
        name = next(iter(optimizer.state()))
        setattr(optimizer, name, np.full_like(optimizer.state()[name], 0.01))

    def replace_buffer(optimizer: Any, epoch: int) -> None:
        norm.buffers["running_mean"] = np.full_like(norm.buffers["running_mean"], epoch)

    numbers = [0.5, 0.0, 0.2, 0.0, 0.9]
    return {
        "learning_rate": lambda o, e: setattr(o, "learning_rate", numbers[e] / 10),
        "weight_decay": lambda o, e: setattr(o, "weight_decay", numbers[e]),
        "momentum": lambda o, e: setattr(o, "momentum", numbers[e]),
        "nesterov": lambda o, e: setattr(o, "nesterov", e % 2 == 0),
        "betas": lambda o, e: setattr(o, "betas", (numbers[e], numbers[-e])),
        "epsilon": lambda o, e: setattr(o, "epsilon", 10.0**-e),
        "rate": lambda o, e: setattr(dropout, "rate", numbers[e]),
        "slope": lambda o, e: setattr(leaky, "slope", numbers[e]),
        "norm's momentum": lambda o, e: setattr(norm, "momentum", numbers[e]),
        "norm's epsilon": lambda o, e: setattr(norm, "epsilon", 10.0**-e),
        "state": replace_velocity,
        "buffer": replace_buffer,
        "mode": lambda o, e: setattr(norm, "training", e % 2 == 0) or model.train(e % 3 == 0),
        "mask": lambda o, e: model.set_mask(np.arange(model.parameter_buffer.size) % (e + 2) > 0),
        "own number": lambda o, e: setattr(model.layers[-1], "factor", numbers[e]),
    }


class Times(Layer):
    """A user's own layer with a number that is no hyperparameter."""

    factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def varied_model() -> Model:
    return Model(
        Linear(2, 4), BatchNorm(4), Dropout(0.3), LeakyReLU(0.1), Linear(4, 1), Times(), seed=3
    )


OF_SGD, OF_ADAM = {"momentum", "nesterov"}, {"betas", "epsilon"}


@pytest.mark.parametrize(
    ("optimizer", "setting"),
    [
        (optimizer, setting)
        for optimizer in (SGD, Adam, AdamW)
        for setting in varied(varied_model())
        if setting not in (OF_ADAM if optimizer is SGD else OF_SGD)
    ],
)
def test_what_a_callback_changes_has_the_same_effect_recorded(optimizer: Any, setting: str) -> None:
    X = np.random.default_rng(0).standard_normal((8, 2))
    ends = []
    for record in (False, True):
        model = varied_model()
        moving = optimizer(model, 0.05, **({"momentum": 0.9} if optimizer is SGD else {}))
        change = varied(model)[setting]

        def callback(epoch: int, model: Model, loss: Any) -> None:
            change(moving, epoch)  # noqa: B023

        history = fit(
            model, X, X[:, 0] > 0, optimizer=moving, epochs=5, callbacks=[callback], record=record
        )
        state = [*model.state_dict().values(), *moving.state().values()]
        ends.append(bits(history.loss, *state))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("setting", ["learning_rate", "momentum", "rate", "slope"])
def test_a_number_that_changes_every_epoch_is_recorded_once(setting: str) -> None:
    passes = []

    class Counting(Layer):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(1)
            return x

    model = Model(Linear(2, 4), LeakyReLU(), Dropout(0.2), Linear(4, 1), Counting())
    optimizer = SGD(model, 0.1, momentum=0.9)
    holder: Any = {"rate": model.layers[2], "slope": model.layers[1]}.get(setting, optimizer)
    X = np.random.default_rng(0).standard_normal((8, 2))
    fit(
        model,
        X,
        X[:, 0] > 0,
        optimizer=optimizer,
        epochs=12,
        callbacks=[lambda epoch, *_: setattr(holder, setting, 0.9 / (epoch + 1))],
    )
    # One to look at the data, and two before the step is replayed.
    assert len(passes) == 1 + 2


class AnyOrder(NumpyBackend):
    """Adds values of one place in another order each time, as atomic additions do."""

    def __init__(self) -> None:
        super().__init__()
        self.random = np.random.default_rng(0)

    def adds_in_any_order(self, kernel: Any) -> bool:
        return bool(kernel == self._scatter_add)

    def _scatter_add(self, values: Any, index: Any, shape: Any, out: Any) -> Any:
        out = np.empty(shape, values.dtype) if out is ... else out
        out[...] = 0
        for place in self.random.permutation(len(index)):
            out[index[place]] += values[place]
        return out


@pytest.mark.parametrize("is_stale", [False, True])
def test_a_sum_in_any_order_passes_the_check_and_what_is_stale_does_not(is_stale: bool) -> None:
    backend = AnyOrder()
    model = mlp([2, 8, 1], backend=backend)
    index = np.arange(50) % 3
    rng = np.random.default_rng(0)
    X = Tensor(rng.uniform(-1, 1, (3, 2)), "float32", backend, requires_grad=False)
    weights = Tensor(rng.uniform(-1, 1, (50, 1)), "float32", backend, requires_grad=False)
    factors = iter([1.0, 1.01] if is_stale else [1.0, 1.0])

    def step() -> Tensor:
        loss = (model(X)[index] * weights * next(factors)).sum()
        loss.backward()
        return loss

    run = recorded(step, model)
    run()
    if is_stale:
        with pytest.raises(InputError, match="differs from an eager run"):
            run()
    else:
        run()


INSIDE_A_BLOCK: dict[str, Callable[[Any], Any]] = {
    "a layer of a residual": lambda residual: setattr(
        residual.body, "layers", (residual.layers[0], Sigmoid())
    ),
    "the body of a residual": lambda residual: setattr(residual, "body", Sigmoid()),
    "the scale of a bottleneck": lambda bottleneck: setattr(bottleneck.body, "scale", 0.1),
    "a layer of a bottleneck": lambda bottleneck: setattr(
        bottleneck.body.body, "layers", (*bottleneck.body.layers, Sigmoid())
    ),
}


@pytest.mark.parametrize("name", INSIDE_A_BLOCK)
def test_what_a_callback_changes_inside_a_block_has_the_same_effect_recorded(name: str) -> None:
    X = np.random.default_rng(0).standard_normal((8, 2))
    ends = []
    for record in (False, True):
        block: Any = Bottleneck(4, 2) if "bottleneck" in name else Residual(Linear(4, 4), Tanh())
        model = Model(Linear(2, 4), block, Linear(4, 1), seed=3)

        def callback(epoch: int, *_: Any) -> None:
            if epoch == 3:
                INSIDE_A_BLOCK[name](block)  # noqa: B023

        history = fit(model, X, X[:, 0] > 0, epochs=6, callbacks=[callback], record=record)
        ends.append(bits(history.loss, *model.state_dict().values()))
    assert ends[0] == ends[1]


def test_a_layer_that_knows_what_holds_it_can_be_recorded() -> None:
    inner, outer = Times(), Times()
    inner.holder, outer.held = outer, inner  # type: ignore[attr-defined]
    model = Model(Linear(2, 1), inner, outer)
    X = np.random.default_rng(0).standard_normal((8, 2))
    assert fit(model, X, X[:, 0] > 0, epochs=4).epochs == 4

"""Optimizers: steps worked out by hand, twenty steps of the formulas, clipping per network."""

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assert_same_bits, assert_views, refused, two_classes
from strategies import seeds

from scratchnet import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Linear,
    Model,
    ReLU,
    clip_gradients,
    fit,
    losses,
    mlp,
)
from scratchnet.optim import Optimizer, adam_rule, sgd_rule
from scratchnet.program import recorded
from scratchnet.schedules import cosine, linear_warmup, step_decay


def two_numbers() -> Model:
    """A model whose parameters are 1 and -1."""
    model = Model(Linear(1, 1), dtype="float64")
    model.parameter_buffer[...] = [1, -1]
    return model


def path(optimizer: Optimizer, gradients: list[float]) -> list[float]:
    """The first parameter after each step; the second one mirrors it."""
    model, places = optimizer.model, []
    for gradient in gradients:
        model.gradient_buffer[...] = [gradient, -gradient]
        optimizer.step()
        first, second = model.parameter_buffer.tolist()
        assert second == -first
        assert model.gradient_buffer.tolist() == [gradient, -gradient]
        places.append(first)
    return places


BY_HAND: dict[str, tuple[Callable[[Model], Optimizer], list[float], list[float]]] = {
    # 1 - 0.1 * 0.5 = 0.95;   0.95 + 0.1 * 2 = 1.15
    "gradient descent": (lambda model: SGD(model, 0.1), [0.5, -2], [0.95, 1.15]),
    # v = 0.5, p = 1 - 0.05;   v = 0.9 * 0.5 + 0.5 = 0.95, p = 0.95 - 0.095;
    # v = 0.9 * 0.95 + 0 = 0.855, p = 0.855 - 0.0855
    "momentum": (lambda model: SGD(model, 0.1, 0.9), [0.5, 0.5, 0], [0.95, 0.855, 0.7695]),
    # v = 0.5, along 0.5 + 0.9 * 0.5 = 0.95;   v = 0.95, along 0.5 + 0.855 = 1.355;
    # v = 0.855, along 0 + 0.7695
    "nesterov": (
        lambda model: SGD(model, 0.1, 0.9, nesterov=True),
        [0.5, 0.5, 0],
        [0.905, 0.7695, 0.69255],
    ),
    # g = 0.5 + 0.2 * 1 = 0.7, p = 0.93;   g = 0 + 0.2 * 0.93 = 0.186, p = 0.93 - 0.0186
    "weight decay": (lambda model: SGD(model, 0.1, weight_decay=0.2), [0.5, 0], [0.93, 0.9114]),
    # g = v = 0.7, p = 0.93;   g = 0.186, v = 0.5 * 0.7 + 0.186 = 0.536, p = 0.93 - 0.0536
    "momentum and decay": (
        lambda model: SGD(model, 0.1, 0.5, weight_decay=0.2),
        [0.5, 0],
        [0.93, 0.8764],
    ),
    # As before, but along g + 0.5 v:   0.7 + 0.35 = 1.05, p = 0.895;
    # g = 0.2 * 0.895 = 0.179, v = 0.35 + 0.179 = 0.529, along 0.179 + 0.2645 = 0.4435
    "nesterov and decay": (
        lambda model: SGD(model, 0.1, 0.5, True, 0.2),
        [0.5, 0],
        [0.895, 0.85065],
    ),
    # t = 1: m = 0.5 * 0.5 = 1/4, v = 0.25 * 0.25 = 1/16; m / (1 - 0.5) = 1/2,
    #        v / (1 - 0.75) = 1/4; p = 1 - 0.1 * (1/2) / (1/2) = 0.9
    # t = 2: m = 0.5 * 1/4 - 0.5 * 0.5 = -1/8, v = 0.75 * 1/16 + 0.25 * 0.25 = 7/64;
    #        m / (1 - 0.25) = -1/6, v / (1 - 0.5625) = 1/4; p = 0.9 + 0.1 * (1/6) / (1/2)
    "adam": (
        lambda model: Adam(model, 0.1, (0.5, 0.75), epsilon=1e-300),
        [0.5, -0.5],
        [0.9, 0.9 + 1 / 30],
    ),
    # Epsilon joins the root, not what is under it: each step is over 1/2 + 1/2 instead of 1/2.
    "adam's epsilon": (
        lambda model: Adam(model, 0.1, (0.5, 0.75), epsilon=0.5),
        [0.5, -0.5],
        [0.95, 0.95 + 1 / 60],
    ),
    # g = 0 + 0.5 * 1 = 0.5;   g = -0.95 + 0.5 * 0.9 = -0.5: the gradients of "adam"
    "adam and decay": (
        lambda model: Adam(model, 0.1, (0.5, 0.75), 1e-300, weight_decay=0.5),
        [0, -0.95],
        [0.9, 0.9 + 1 / 30],
    ),
    # 1 - 0.1 * 0.5 * 1 = 0.95, then - 0.1;   0.85 - 0.05 * 0.85 = 0.8075, then + 1/30
    "adamw": (
        lambda model: AdamW(model, 0.1, (0.5, 0.75), 1e-300, weight_decay=0.5),
        [0.5, -0.5],
        [0.85, 0.8075 + 1 / 30],
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_steps_worked_out_by_hand(case: str) -> None:
    make, gradients, expected = BY_HAND[case]
    assert path(make(two_numbers()), gradients) == pytest.approx(expected, rel=1e-14)


def test_adams_first_step_is_the_learning_rate_whatever_the_size_of_the_gradient() -> None:
    for gradient in (1e-3, 1.0, 1e6):
        assert path(Adam(two_numbers(), 0.25), [gradient]) == pytest.approx([0.75], rel=1e-4)


# Twenty steps of the formulas, each parameter for itself.

Loop = Generator[Any, Any, None]


def sgd_loop(rate: float, momentum: float, nesterov: bool, decay: float) -> Loop:
    p, velocity = yield
    for _ in range(20):
        gradient = yield p
        p, velocity = sgd_rule(p, gradient, velocity, rate, momentum, nesterov, decay)
    yield p


def adam_loop(rate: float, b1: float, b2: float, l2: float, decoupled: float) -> Loop:
    p, m = yield
    v = m
    for t in range(1, 21):
        gradient = yield p
        gradient, p = gradient + l2 * p, p - rate * decoupled * p
        p, m, v = adam_rule(p, gradient, m, v, t, rate, b1, b2, 1e-8)
    yield p


LOOPS: dict[str, tuple[Callable[[Model], Optimizer], Callable[[], Loop]]] = {
    "sgd": (lambda model: SGD(model, 0.05), lambda: sgd_loop(0.05, 0, False, 0)),
    "momentum": (lambda model: SGD(model, 0.05, 0.9), lambda: sgd_loop(0.05, 0.9, False, 0)),
    "nesterov": (
        lambda model: SGD(model, 0.05, 0.8, True, 0.1),
        lambda: sgd_loop(0.05, 0.8, True, 0.1),
    ),
    "adam": (lambda model: Adam(model), lambda: adam_loop(1e-3, 0.9, 0.999, 0, 0)),
    "adam and decay": (
        lambda model: Adam(model, 0.02, (0.8, 0.99), weight_decay=0.1),
        lambda: adam_loop(0.02, 0.8, 0.99, 0.1, 0),
    ),
    "adamw": (lambda model: AdamW(model, 0.02), lambda: adam_loop(0.02, 0.9, 0.999, 0, 0.01)),
}


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("case", LOOPS)
def test_twenty_steps_follow_a_plain_loop(case: str, ensemble: int | None) -> None:
    make, loop = LOOPS[case]
    model = mlp((2, 4, 1), ensemble=ensemble, dtype="float64")
    optimizer, expected = make(model), loop()
    next(expected)
    p = expected.send((model.parameter_buffer.copy(), np.zeros(model.parameter_buffer.shape)))
    rng = np.random.default_rng(0)
    for _ in range(20):
        gradient = rng.standard_normal(p.shape) + np.sin(p)
        model.gradient_buffer[...] = gradient
        optimizer.step()
        p = expected.send(gradient)
        np.testing.assert_allclose(model.parameter_buffer, p, rtol=0, atol=1e-13)
    assert_views(model)


@pytest.mark.parametrize("case", LOOPS)
def test_steps_in_float32_stay_in_float32_and_near_those_in_float64(case: str) -> None:
    ends = []
    for dtype in ("float32", "float64"):
        model = mlp((2, 4, 1), dtype=dtype)
        optimizer = LOOPS[case][0](model)
        for step in range(20):
            model.gradient_buffer[...] = np.cos(np.arange(17) + step)
            optimizer.step()
        arrays = [each for each in vars(optimizer).values() if isinstance(each, np.ndarray)]
        assert {each.dtype for each in [*arrays, model.parameter_buffer]} == {np.dtype(dtype)}
        ends.append(model.parameter_buffer)
    np.testing.assert_allclose(ends[0], ends[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", LOOPS)
def test_state_exists_from_construction_and_is_the_optimizers_own(case: str) -> None:
    model = mlp((2, 4, 1), ensemble=2)
    optimizer, other = LOOPS[case][0](model), LOOPS[case][0](model)
    before = {name: each for name, each in vars(optimizer).items() if isinstance(each, np.ndarray)}
    X, y = two_classes()
    for _ in range(2):
        losses.binary_cross_entropy(model(X), y).backward()
        optimizer.step()
    for name, array in before.items():
        assert vars(optimizer)[name] is array
        assert not np.shares_memory(array, vars(other)[name])
        assert not np.shares_memory(array, model.parameter_buffer)
    assert optimizer.steps == 2 and other.steps == 0


@pytest.mark.parametrize(
    "schedule",
    [
        step_decay(0.4, every=2, factor=0.25),
        cosine(0.3, steps=5),
        linear_warmup(cosine(0.3, steps=5), steps=3),
        lambda step: 1.0 / (1 + step),
    ],
)
@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_schedule_drives_the_learning_rate_from_step_0(make: Callable, schedule: Any) -> None:
    optimizer = make(two_numbers(), schedule)
    rates = []
    for step in range(6):
        assert optimizer.learning_rate == schedule(step)
        rates.append(schedule(step))
        optimizer.model.parameter_buffer[...] = 0
        # A gradient that is always 1 makes Adam's quotient 1 too.
        optimizer.model.gradient_buffer[...] = 1
        optimizer.step()
        # Read once per step, from the count before it.
        assert optimizer.model.parameter_buffer == pytest.approx([-rates[-1]] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda m: SGD(m, -0.1), ("learning_rate is -0.1", "from 0")),
        (lambda m: SGD(m, math.nan), ("learning_rate is nan",)),
        (lambda m: Adam(m, math.inf), ("learning_rate is inf",)),
        (lambda m: SGD(m, 0.1, momentum=1), ("momentum is 1", "from 0 to below 1")),
        (lambda m: SGD(m, 0.1, momentum=-0.1), ("momentum is -0.1",)),
        (lambda m: SGD(m, 0.1, nesterov=True), ("nesterov without momentum",)),
        (lambda m: SGD(m, 0.1, weight_decay=-1), ("weight_decay is -1",)),
        (lambda m: Adam(m, betas=(1.0, 0.9)), ("betas[0] is 1.0",)),
        (lambda m: Adam(m, betas=(0.9, -0.5)), ("betas[1] is -0.5",)),
        (lambda m: Adam(m, betas=0.9), ("betas is 0.9", "a pair")),
        (lambda m: Adam(m, epsilon=-1e-8), ("epsilon is -1e-08",)),
        (lambda m: Adam(m, epsilon=0), ("epsilon is 0", "above 0")),
        (lambda m: Adam(mlp((2, 1)), epsilon=1e-60), ("epsilon is 1e-60", "in float32")),
        (lambda m: SGD(mlp((2, 1)), 1e39), ("learning_rate is 1e+39", "in float32")),
        (lambda m: Adam(m.parameters()), ("Adam of list", "must be of a Model")),
        (lambda m: SGD(m, [0.1, 0.2]), ("learning_rate has 2 numbers", "no ensemble")),
        (lambda m: SGD(m, "fast"), ("learning_rate is 'fast'", "must be")),
        (lambda m: SGD(m, None), ("learning_rate is None", "must be")),
        (lambda m: SGD(m, True), ("learning_rate is True", "must be")),
        (lambda m: SGD(m, lambda step: math.nan).step(), ("learning_rate is nan",)),
        (lambda m: SGD(m, lambda step: None).step(), ("learning_rate is None",)),
        (lambda m: AdamW(m, weight_decay=math.nan), ("weight_decay is nan",)),
        (lambda m: clip_gradients(m, 0), ("max_norm is 0", "above 0")),
        (lambda m: clip_gradients(m, math.nan), ("max_norm is nan",)),
    ],
)
def test_settings_outside_their_range_are_refused(make: Callable, named: tuple[str, ...]) -> None:
    with refused(*named):
        make(two_numbers())


# Clipping


def test_clipping_by_hand_is_per_network_and_leaves_small_gradients_alone() -> None:
    model = Model(Linear(1, 1), ensemble=3, dtype="float64")
    model.gradient_buffer[...] = [[3, -4], [0.3, -0.4], [0, 0]]
    with np.errstate(all="raise"):
        norms = clip_gradients(model, 1)
    assert norms == pytest.approx([5, 0.5, 0], rel=1e-15)
    assert model.gradient_buffer[0] == pytest.approx([0.6, -0.8], rel=1e-15)
    # Unchanged to the bit, and zero stays zero.
    assert model.gradient_buffer[1:].tolist() == [[0.3, -0.4], [0, 0]]
    assert_views(model)


@given(seed=seeds, scale=st.floats(-12, 12), max_norm=st.floats(1e-3, 1e3))
@settings(max_examples=30)
def test_clipping_bounds_the_norm_over_all_parameters_and_keeps_the_direction(
    seed: int, scale: float, max_norm: float
) -> None:
    model = mlp((2, 3, 1), ensemble=2)
    shape = model.gradient_buffer.shape
    before = np.random.default_rng(seed).standard_normal(shape).astype("float32")
    before[1] *= np.float32(10.0**scale)
    model.gradient_buffer[...] = before
    norms = clip_gradients(model, max_norm)
    np.testing.assert_allclose(norms, np.linalg.norm(before, axis=1), rtol=1e-5)
    after = np.linalg.norm(model.gradient_buffer, axis=1)
    np.testing.assert_allclose(after, np.minimum(norms, max_norm), rtol=1e-5)
    expected = before * np.minimum(1, max_norm / np.linalg.norm(before, axis=1))[:, None]
    np.testing.assert_allclose(model.gradient_buffer, expected, rtol=1e-5)


def test_clipping_of_a_diverged_network_does_not_touch_the_others() -> None:
    model = Model(Linear(1, 1), ensemble=3)
    model.gradient_buffer[...] = [[3, 4], [np.nan, 1], [np.inf, 1]]
    with np.errstate(invalid="ignore"):
        clip_gradients(model, 1)
    np.testing.assert_allclose(model.gradient_buffer[0], [0.6, 0.8], rtol=1e-6)


def test_clipping_of_one_network_returns_a_norm_without_axes() -> None:
    model = two_numbers()
    model.gradient_buffer[...] = [30, 40]
    assert clip_gradients(model, 5).shape == ()
    assert_same_bits(model.gradient_buffer, np.array([3.0, 4.0]))


def test_a_gradient_too_large_to_be_squared_is_clipped_and_not_erased() -> None:
    model = Model(Linear(1, 1))
    model.gradient_buffer[...] = [3e20, 4e20]
    assert clip_gradients(model, 1.0) == pytest.approx(5e20)
    np.testing.assert_allclose(model.gradient_buffer, [0.6, 0.8], rtol=1e-6)


# Frozen and unreached parameters

KINDS: dict[str, Callable[[Model], Optimizer]] = {
    "momentum": lambda model: SGD(model, 0.05, 0.9, weight_decay=0.1),
    "adam": lambda model: Adam(model, 0.02, (0.8, 0.99), weight_decay=0.1),
    "adamw": lambda model: AdamW(model, 0.02, (0.8, 0.99), weight_decay=0.1),
}


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_frozen_parameters_and_their_state_stay(
    kind: str, ensemble: int | None, record: bool
) -> None:
    model = Model(Linear(2, 4), BatchNorm(4), ReLU(), Linear(4, 1), ensemble=ensemble)
    optimizer = KINDS[kind](model)
    X, y = two_classes()
    options: Any = {"optimizer": optimizer, "epochs": 4, "record": record, "clip_norm": 1.0}
    fit(model, X, y, **options)
    model.freeze("0", "1", "3.bias")
    before = model.state_dict()
    moments = {name: each.copy() for name, each in optimizer.moments().items()}
    fit(model, X, y, **options)
    after = model.state_dict()
    for name in before:
        if name == "3.weight":
            assert (after[name] != before[name]).any()
        else:
            assert_same_bits(after[name], before[name])
    for name, array in optimizer.moments().items():
        assert_same_bits(array[..., :20], moments[name][..., :20])
    model.unfreeze()
    fit(model, X, y, **options)
    assert all((model.state_dict()[name] != after[name]).any() for name in after)


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_alternating_heads_follow_a_plain_loop_that_counts_for_each_parameter(
    kind: str, record: bool
) -> None:
    model = Model(Linear(1, 2), dtype="float64", seed=1)
    optimizer = KINDS[kind](model)
    weight, bias = (each.data.copy() for each in model.parameters())
    loops = {}
    for name, p in (("weight", weight), ("bias", bias)):
        loop = (
            sgd_loop(0.05, 0.9, False, 0.1)
            if kind == "momentum"
            else adam_loop(0.02, 0.8, 0.99, *((0.1, 0) if kind == "adam" else (0, 0.1)))
        )
        next(loop)
        loops[name] = loop, loop.send((p, np.zeros(p.shape)))
    steps = {}
    for number, name in enumerate(("weight", "bias")):
        parameter = model.parameters()[number]

        def step(parameter: Any = parameter) -> Any:
            loss = (parameter * parameter).sum() * 0.5 + parameter.sum()
            loss.backward()
            optimizer.update()
            return loss

        steps[name] = recorded(step, model, optimizer) if record else step
    for turn in range(14):
        name = "weight" if turn % 3 else "bias"
        optimizer.prepare()
        steps[name]()
        loop, p = loops[name]
        loops[name] = loop, loop.send(p + 1)
    for parameter, name in zip(model.parameters(), ("weight", "bias"), strict=True):
        np.testing.assert_allclose(parameter.data, loops[name][1], rtol=0, atol=1e-13)


def test_a_frozen_gradient_does_not_count_in_the_norm() -> None:
    model = two_numbers()
    model.freeze("0.bias")
    model.gradient_buffer[...] = [3, 4000]
    assert clip_gradients(model, 1) == pytest.approx(3)
    with refused("'7' has no parameters"):
        model.freeze("7")


def test_a_learning_rate_is_read_as_it_was_given() -> None:
    """A number, one for each network, and of a schedule that of the next step."""
    model = two_numbers()
    assert SGD(model, 0.25).learning_rate == 0.25 and Adam(model).learning_rate == 1e-3
    ensemble = mlp([2, 1], ensemble=2)
    np.testing.assert_array_equal(SGD(ensemble, [0.1, 0.2]).learning_rate, [0.1, 0.2])
    optimizer = SGD(model, step_decay(0.5, every=1, factor=0.5))
    assert optimizer.learning_rate == 0.5
    optimizer.step()
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = 0.125
    assert optimizer.learning_rate == 0.125


@pytest.mark.parametrize("optimizer", [SGD, Adam, AdamW])
def test_a_model_that_no_loss_has_reached_since_its_last_step_stays(optimizer: Any) -> None:
    """Two heads in turns, with an optimizer each, and all of them make their step each time."""
    X = np.random.default_rng(0).standard_normal((8, 2)).astype("float32")
    trunk, *heads = models = [mlp([2, 4]), mlp([4, 1], seed=1), mlp([4, 1], seed=2)]
    optimizers = [optimizer(each, 0.1, weight_decay=0.5) for each in models]
    for turn in range(6):
        before = [each.parameter_buffer.copy() for each in models]
        heads[turn % 2](trunk(X)).mean().backward()
        for each in optimizers:
            each.step()
        moved = [(b != each.parameter_buffer).any() for b, each in zip(before, models, strict=True)]
        # The first step of a model that was never reached goes along gradients that are 0.
        if turn:
            assert moved == [True, turn % 2 == 0, turn % 2 == 1]

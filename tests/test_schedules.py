"""Learning-rate schedules: end points, direction, and no jumps."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.schedules import constant, cosine, linear_warmup, step_decay

rates = st.floats(1e-6, 10)
counts = st.integers(1, 200)


def test_constant_is_a_python_float_at_every_step() -> None:
    values = [constant(1)(step) for step in (0, 1, 10**9)]
    assert values == [1.0] * 3 and all(type(value) is float for value in values)


def test_step_decay_by_hand() -> None:
    schedule = step_decay(0.8, every=3, factor=0.5)
    assert [schedule(step) for step in range(8)] == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]


@given(rate=rates, steps=counts, share=st.floats(0, 1))
@settings(deadline=None)
def test_cosine_falls_from_its_rate_to_its_final_one(rate: float, steps: int, share: float) -> None:
    final = share * rate
    schedule = cosine(rate, steps, final)
    values = [schedule(step) for step in range(steps + 1)]
    assert values[0] == pytest.approx(rate) and values[-1] == final
    assert schedule(steps + 1) == schedule(100 * steps) == final
    assert all(later <= earlier + 1e-15 for earlier, later in zip(values, values[1:], strict=False))
    for step in range(steps + 1):
        assert values[step] + values[steps - step] == pytest.approx(rate + final)


def test_cosine_is_steepest_in_the_middle() -> None:
    schedule = cosine(1.0, steps=100)
    assert schedule(25) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert schedule(50) == pytest.approx(0.5)


@given(rate=rates, steps=counts)
@settings(deadline=None)
def test_warmup_rises_in_equal_steps_and_then_follows_its_schedule(rate: float, steps: int) -> None:
    schedule = linear_warmup(constant(rate), steps)
    values = [schedule(step) for step in range(steps + 3)]
    assert values[0] == pytest.approx(rate / steps) and values[0] > 0
    rises = [later - earlier for earlier, later in zip(values, values[1:], strict=False)]
    assert rises[: steps - 1] == pytest.approx([rate / steps] * (steps - 1))
    assert values[steps - 1 :] == [rate] * 4


def test_warmup_neither_delays_nor_jumps() -> None:
    inner = cosine(0.1, steps=100)
    schedule = linear_warmup(inner, steps=10)
    assert [schedule(step) for step in range(9, 101)] == [inner(step) for step in range(9, 101)]
    assert schedule(4) == pytest.approx(inner(4) * 0.5)
    assert max(abs(schedule(step + 1) - schedule(step)) for step in range(100)) <= 0.1 / 10


def test_the_repr_makes_the_schedule_again() -> None:
    schedule = linear_warmup(cosine(0.1, steps=300), steps=20)
    text = repr(schedule)
    assert text == (
        "linear_warmup(schedule=cosine(learning_rate=0.1, steps=300, final=0.0), steps=20)"
    )
    assert eval(text, {"linear_warmup": linear_warmup, "cosine": cosine}) == schedule


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: constant(-0.1), "learning_rate is -0.1"),
        (lambda: constant(math.nan), "learning_rate is nan"),
        (lambda: step_decay(math.inf, 1, 0.5), "learning_rate is inf"),
        (lambda: step_decay(0.1, 0, 0.5), "every is 0"),
        (lambda: step_decay(0.1, 1, 0), "factor is 0"),
        (lambda: step_decay(0.1, 1, 1.5), "factor is 1.5"),
        (lambda: step_decay(0.1, 1, math.nan), "factor is nan"),
        (lambda: cosine(0.1, 0), "steps is 0"),
        (lambda: cosine(0.1, 2.5), "steps is 2.5"),
        (lambda: cosine(0.1, 10, final=-1), "final is -1"),
        (lambda: linear_warmup(constant(0.1), -1), "steps is -1"),
        (lambda: linear_warmup(0.1, 10), "schedule is 0.1"),
    ],
)
def test_bad_input_is_named_in_one_line(make: Callable, named: str) -> None:
    with pytest.raises(InputError) as raised:
        make()
    message = str(raised.value)
    assert named in message and "must be" in message and "\n" not in message

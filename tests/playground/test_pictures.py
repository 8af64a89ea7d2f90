"""What makes a picture fast leaves it as it was."""

import threading
from functools import partial
from typing import Any

import numpy as np
import pytest
from browsing import wait_for

from scratchnet.backends.compile import NoCompiler, compiler_available
from scratchnet.demos.playground import compiling, pictures, session
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.learning import Learning
from scratchnet.demos.playground.state import state_from
from scratchnet.demos.playground.tickets import ticket
from scratchnet.depth import compiled_polygons


def learned(layers: list[int], steps: int) -> Learning:
    state = state_from({"network": {"layers": layers}, "data": {"points": 60}})
    learning = Learning(state, make_task(state.data, None))
    learning.advance(steps)
    return learning


@pytest.mark.skipif(compiler_available() is not None, reason="needs a C++ compiler")
def test_compiled_cuts_give_the_same_picture() -> None:
    learning = learned([12, 12, 12], 30)
    asked = compiling.Compiling()
    assert not asked.has_cutter
    asked.ask(learning)
    wait_for(lambda: asked.is_ready(learning))
    assert asked.has_cutter
    ours, theirs = (
        pictures.plane_arrays(learning.model, learning.task, 16, True, compile=each)
        for each in (True, False)
    )
    assert ours[1:] == theirs[1:] and ours[1] is not None and ours[1] > 20
    assert ours[0].keys() == theirs[0].keys()
    for name, array in ours[0].items():
        np.testing.assert_array_equal(array, theirs[0][name], name)


@pytest.mark.parametrize("error", [NoCompiler, OSError])
def test_a_cutter_that_cannot_be_built_is_tried_once(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """A full disk, or a folder of which nothing runs, does not end the compiling of steps."""
    tries = []

    def fails() -> None:
        if threading.current_thread() is asked._thread:
            tries.append(1)
        raise error("no space left on device")

    asked = compiling.Compiling()
    monkeypatch.setattr(compiled_polygons, "cutter", fails)
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    monkeypatch.setattr(compiling, "compiles", lambda *_: True)
    for _ in range(3):
        learning = learned([3], 0)
        asked.ask(learning)
        wait_for(partial(asked.is_ready, learning))
    assert len(tries) == 1 and not asked.has_cutter


@pytest.mark.parametrize("error", [OSError, MemoryError])
def test_steps_that_cannot_be_built_are_replayed(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    tries = []

    def fails(*arguments: Any, **named: Any) -> None:
        if threading.current_thread() is asked._thread:
            tries.append(1)
        raise error("no space left on device")

    asked = compiling.Compiling()
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    monkeypatch.setattr(compiling, "compiles_cuts", lambda: True)
    learnings = [learned([3], 0) for _ in range(2)]
    monkeypatch.setattr(Learning, "advance", fails)
    for count, learning in enumerate(learnings, 1):
        asked.ask(learning)
        wait_for(lambda: asked._thread is None)
        assert len(tries) == count and not asked.is_ready(learning)


def test_the_mask_of_a_ticket_is_not_read_while_a_step_disturbs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What checks the first replay of a step writes other numbers into it, and takes them back."""
    learning = ticket(learned([4], 3), 0.5, "smallest")
    mask, found = learning.model.mask_buffer.copy(), []
    monkeypatch.setattr(compiling, "has_compiler", lambda: True)
    monkeypatch.setattr(compiling, "compiles_cuts", lambda: True)
    monkeypatch.setattr(Learning, "advance", lambda twin, _: found.append(twin.model.mask_buffer))
    asked = compiling.Compiling()
    with compiling._ONE_AT_A_TIME:  # until then its thread waits
        asked.ask(learning)
        learning.model.mask_buffer += 0.5
    wait_for(lambda: asked._thread is None)
    assert any(np.array_equal(each, mask) for each in found)


@pytest.mark.parametrize(("seconds", "pause"), [(0.01, 1 / 32), (0.1, 0.204)])
def test_thirty_pictures_a_second_begin_and_leave_time_for_training(
    monkeypatch: pytest.MonkeyPatch, seconds: float, pause: float
) -> None:
    """The time that a picture takes is part of the 1/32 s; a slow one leaves as much time."""
    clock = Clock()
    monkeypatch.setattr(session, "time", clock)
    draw = pictures.plane_arrays

    def slow(*arguments: Any) -> Any:
        clock.now += seconds
        return draw(*arguments)

    monkeypatch.setattr(pictures, "plane_arrays", slow)
    tab = session.Session(lambda message: None)
    tab.begin(state_from({}))
    begun = []
    for _ in range(30):
        tab.do_step()
        tab.do_seen(tab._sent)
        clock.now += max(0.0, tab._picture_waits())
        begun.append(clock.now)
        clock.now += 0.004  # it looks a little late
        tab.picture()
    assert (begun[-1] - begun[9]) / 20 == pytest.approx(pause, abs=1e-3)


def test_pictures_that_are_forced_do_not_delay_those_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "time", Clock())
    tab = session.Session(lambda message: None)
    for _ in range(60):
        tab.begin(state_from({}))
    tab.do_step()
    tab.do_seen(tab._sent)
    assert 0 < tab._picture_waits() <= 1 / 30 + 1e-9


class Clock:
    """Stands for the module `time` where the thread does nothing but what is measured."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    thread_time = monotonic

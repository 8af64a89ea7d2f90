"""What makes a picture fast leaves it as it was."""

from typing import Any

import numpy as np
import pytest
from browsing import wait_for

from scratchnet.backends.compile import compiler_available
from scratchnet.demos.playground import pictures, session
from scratchnet.demos.playground.compiling import Compiling
from scratchnet.demos.playground.data import make_task
from scratchnet.demos.playground.learning import Learning
from scratchnet.demos.playground.state import state_from


def learned(layers: list[int], steps: int) -> Learning:
    state = state_from({"network": {"layers": layers}, "data": {"points": 60}})
    learning = Learning(state, make_task(state.data, None))
    learning.advance(steps)
    return learning


@pytest.mark.skipif(compiler_available() is not None, reason="needs a C++ compiler")
def test_compiled_cuts_give_the_same_picture() -> None:
    learning = learned([12, 12, 12], 30)
    compiling = Compiling()
    assert not compiling.has_cutter
    compiling.ask(learning)
    wait_for(lambda: compiling.is_ready(learning))
    assert compiling.has_cutter
    ours, theirs = (
        pictures.plane_arrays(learning.model, learning.task, 16, True, compile=each)
        for each in (True, False)
    )
    assert ours[1:] == theirs[1:] and ours[1] is not None and ours[1] > 20
    assert ours[0].keys() == theirs[0].keys()
    for name, array in ours[0].items():
        np.testing.assert_array_equal(array, theirs[0][name], name)


@pytest.mark.parametrize(("seconds", "pause"), [(0.01, 1 / 30), (0.1, 0.204)])
def test_thirty_pictures_a_second_begin_and_leave_time_for_training(
    monkeypatch: pytest.MonkeyPatch, seconds: float, pause: float
) -> None:
    """The time that a picture takes is part of the thirtieth; a slow one leaves as much time."""
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


class Clock:
    """Stands for the module `time` where the thread does nothing but what is measured."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now

    thread_time = monotonic

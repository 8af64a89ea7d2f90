"""What makes a picture fast leaves it as it was."""

import numpy as np
import pytest
from browsing import wait_for

from scratchnet.backends.compile import compiler_available
from scratchnet.demos.playground import pictures
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

"""A recorded forward pass, two recorders at once, and a training whose steps are replays."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet.demos.learn.answers import compare_numbers
from scratchnet.demos.learn.wrong import Wrong, is_close

RATE = 0.1
MOST_CALLS = 1000


class Kernels:
    """NumPy's kernels, and a list of the calls that were made of them."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.inputs: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)

        def kernel(*inputs: Any, out: Any = None) -> Any:
            """NumPy's result; the call's name and its first input are noted."""
            self.made.append(name)
            if len(self.made) > MOST_CALLS:
                raise Wrong(
                    "replay does not end: it goes through run, which notes each call again while "
                    "the list is gone through; call the kernels themselves"
                )
            self.inputs.append(inputs[0])
            return function(*inputs, out=out)

        kernel.__name__ = name
        return kernel


def check(learner: Any) -> None:
    """Raise `Wrong` unless a replay repeats the recorded calls, in order and in the same arrays."""
    draw = np.random.default_rng(0)
    check_run(learner.Recorder(), draw)
    check_replay(learner.Recorder(), draw)
    check_two(learner, draw)
    check_training(learner.Recorder(), draw)


def check_run(recorder: Any, draw: Any) -> None:
    """The numbers of a first call, with and without an array to write into."""
    a, b = draw.standard_normal((2, 3, 4))
    before = a.copy()
    made = recorder.run(np.add, a, b)
    if not np.array_equal(a, before):
        raise Wrong("run(add, a, b) changes a: must make a new array where no `out` is given")
    compare_numbers(made, a + b, "run(add, a, b)")
    if any(made is each or np.shares_memory(made, each) for each in (a, b)):
        raise Wrong("run(add, a, b) writes onto an input: must make a new array without `out`")
    place = np.zeros((3, 4))
    found = recorder.run(np.multiply, a, b, out=place)
    compare_numbers(
        place, a * b, "the array given as out", [("run must pass `out` on to the kernel", 0 * a)]
    )
    if found is not place:
        raise Wrong("run(..., out=array) must return that array, this is another one")


def check_replay(recorder: Any, draw: Any) -> None:
    """New inputs in the recorded arrays, and what the recorded results hold after a replay."""
    kernels = Kernels()
    x, W = draw.standard_normal((5, 3)), draw.standard_normal((3, 2))
    b = draw.standard_normal(2)
    h = recorder.run(kernels.matmul, x, W)
    shifted = recorder.run(kernels.add, h, b)
    y = recorder.run(kernels.maximum, shifted, 0.0)
    first, recorded = y.copy(), list(kernels.made)
    if recorded != ["matmul", "add", "maximum"]:
        raise Wrong(
            f"three calls of run made the calls {', '.join(recorded)}: must be one each, "
            "matmul, add, maximum"
        )
    for number in (1, 2):
        x[...] = draw.standard_normal(x.shape)
        kernels.made.clear()
        kernels.inputs.clear()
        recorder.replay()
        check_calls(kernels.made, recorded, number)
        right_h = x @ W
        if is_close(y, np.maximum(right_h + b, 0)):
            continue
        i, j = np.unravel_index(np.argmax(np.abs(y - np.maximum(right_h + b, 0))), y.shape)
        one = f"y[{i}, {j}] is {y[i, j]:.4g} after replay {number}"
        if is_close(y, first):
            one += ", as in the recording"
        must = f"must be {max(right_h[i, j] + b[j], 0):.4g}"
        reads = np.shares_memory(kernels.inputs[0], x)
        if not reads:
            raise Wrong(f"{one}, {must}: the list holds copies, must hold the arrays themselves")
        raise Wrong(f"{one}, {must}: a replay must write into the array of the first time (out=)")


def check_calls(made: list[str], recorded: list[str], number: int) -> None:
    """A replay must make the recorded calls, no more and no fewer, in order."""
    if made == recorded:
        return
    found = f"replay {number} makes the calls {', '.join(made) or 'of none'}"
    must = f"must be {', '.join(recorded)}"
    if not made and number > 1:
        raise Wrong(f"{found}, {must}: the first replay has emptied the list, and must keep it")
    if not made:
        raise Wrong(f"{found}, {must}: nothing was noted, or nothing is repeated")
    if made == recorded[-1:]:
        raise Wrong(f"{found}, {must}: only the last call is kept or repeated")
    if made == recorded[::-1]:
        raise Wrong(f"{found}, {must}: this is the reverse order")
    if len(made) > len(recorded):
        raise Wrong(f"{found}, {must}: a replay must not note its calls again")
    raise Wrong(f"{found}, {must}")


def check_two(learner: Any, draw: Any) -> None:
    """What one recorder notes is not the other's."""
    one, other = learner.Recorder(), learner.Recorder()
    kernels = Kernels()
    x = draw.standard_normal(4)
    one.run(kernels.add, x, 1.0)
    other.run(kernels.multiply, x, 2.0)
    kernels.made.clear()
    one.replay()
    if kernels.made != ["add"]:
        raise Wrong(
            f"the replay of one recorder makes the calls {', '.join(kernels.made)}, must be add: "
            "two recorders share one list; make it in __init__"
        )


def check_training(recorder: Any, draw: Any) -> None:
    """Least squares, one recorded step and three replayed ones, on another batch each."""
    W, x = np.zeros((3, 2)), np.empty((6, 3))
    target = np.empty((6, 2))
    right = W.copy()
    for number in range(4):
        x[...] = draw.standard_normal(x.shape)
        target[...] = draw.standard_normal(target.shape)
        right -= RATE * x.T @ (x @ right - target)
        if number:
            recorder.replay()
        else:
            error = recorder.run(np.subtract, recorder.run(np.matmul, x, W), target)
            slope = recorder.run(np.matmul, x.T, error)
            recorder.run(np.subtract, W, recorder.run(np.multiply, slope, RATE), out=W)
        what = f"W after {number} replays of a training step"
        try:
            compare_numbers(W, right, what)
        except Wrong as error_found:
            raise Wrong(f"{error_found}: what was written with out=W must be so again") from None

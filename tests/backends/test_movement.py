"""Movement between host and device, recording, and the table of backends."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from agreement import either_dtype
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import shapes

from scratchnet import Tensor
from scratchnet.backends import (
    Backend,
    InputError,
    NumpyBackend,
    available_backends,
    get_backend,
)
from scratchnet.backends.cupy_backend import CupyBackend, DeviceTimer, refuse_outside
from scratchnet.backends.interface import Timer


@either_dtype
@given(values=hnp.arrays(np.float64, shapes(), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=15)
def test_arrays_survive_the_way_to_the_device_and_back(
    backend: Backend, dtype: str, values: Any
) -> None:
    array = backend.asarray(values.T, dtype)
    assert array.flags.c_contiguous and array.dtype == dtype
    assert type(backend.to_numpy(array)) is np.ndarray
    assert np.array_equal(backend.to_numpy(array), values.T)
    copy = backend.copy(array)
    assert not backend.shares_memory(copy, array) and backend.asarray(array) is array
    backend.synchronize()


def test_whether_two_views_share_an_entry(backend: Backend) -> None:
    """Exactly, for parts that lie between each other, as the layers of an ensemble do."""
    buffer = backend.zeros((3, 10), "float32")
    first, second, both = buffer[:, :4], buffer[:, 4:], buffer[:, 3:5]
    assert not backend.shares_memory(first, second)
    assert backend.shares_memory(first, both) and backend.shares_memory(both, second)
    assert not backend.shares_memory(buffer[::2], buffer[1:2])
    assert not backend.shares_memory(first, backend.copy(first))
    assert not backend.shares_memory(first, first[:0])


@pytest.mark.parametrize("wanted", ["float32", "float64", "int64"])
@pytest.mark.parametrize("given", [np.float32, np.float64, np.int16, np.bool_])
def test_converting_an_array_is_one_call(backend: Backend, given: Any, wanted: str) -> None:
    """So that a replay converts the batch anew. An array that fits is taken as it is."""
    x = backend.asarray(np.arange(6).reshape(2, 3), given)
    for values in (x, x.T):
        with backend.recording() as calls:
            array = backend.asarray(values, wanted)
        fits = array is values
        assert fits == (values is x and x.dtype == wanted) and len(calls) == (not fits)
        values[...] = 0
        for kernel, inputs, out, _ in calls:
            kernel(*inputs, out=out)
        assert not backend.to_numpy(array).any() and array.dtype == wanted
        values[...] = 1


def test_recording_notes_each_call_once_and_ends_with_its_block(backend: Backend) -> None:
    """Also after an exception, and in a block within a block."""
    x = backend.asarray(np.ones((2, 3)))
    with backend.recording() as calls:
        y = backend.add(x, 1.0)
        with backend.recording() as inner:
            backend.sigmoid(y)
        with pytest.raises(ZeroDivisionError), backend.recording():
            raise ZeroDivisionError
        assert calls[1:] == inner and len({id(out) for *_, out in inner}) < len(inner)
        noted = len(calls)
    backend.add(x, 1.0)
    assert len(calls) == noted and calls[0][2] is y and calls[0][1] == (x, 1.0)


def test_device_info_is_plain_and_the_timer_counts_seconds(backend: Backend) -> None:
    info = backend.device_info()
    assert info["backend"] == backend.name
    assert all(type(value) in (str, int, float) for value in info.values())
    timer = backend.timer()
    assert math.isnan(timer.seconds)
    with timer:
        backend.ones((2,), "float32")
    assert timer.seconds >= 0


def test_the_timer_waits_for_the_device_at_both_ends() -> None:
    """Without, it would measure how long it takes to hand the work over."""
    waits: list[str] = []
    with Timer(lambda: waits.append("waited")):
        waits.append("worked")
    assert waits == ["waited", "worked", "waited"]


def test_the_timer_of_a_device_first_waits_for_what_was_begun_before() -> None:
    """Else the host would hand over the first calls while the device is still busy with others."""
    events: list[str] = []

    class Event:
        def record(self) -> None:
            events.append("recorded")

        def synchronize(self) -> None:
            events.append("waited")

    cuda = SimpleNamespace(Event=Event, get_elapsed_time=lambda first, last: 3.0)
    with DeviceTimer(SimpleNamespace(cuda=cuda)) as timer:
        events.append("worked")
    assert events == ["recorded", "waited", "worked", "recorded", "waited"]
    assert timer.seconds == 0.003


def test_backends_by_name() -> None:
    assert get_backend("numpy") is get_backend("numpy")
    assert get_backend() in map(
        get_backend, [n for n, why in available_backends().items() if not why]
    )
    own = NumpyBackend()
    assert get_backend(own) is own
    for name, why_not in available_backends().items():
        if why_not:
            assert "\n" not in why_not
            with pytest.raises(InputError, match=f"backend '{name}' cannot be used: "):
                get_backend(name)


@pytest.mark.parametrize("name", ["Numpy", "cuda", "", None, 3])
def test_an_unknown_backend_lists_the_known_ones(name: Any) -> None:
    with pytest.raises(InputError, match=r"^unknown backend .*: known are auto, numpy, cupy.*$"):
        get_backend(name)


# Indices.


class OnDevice:
    """An array that the host cannot read."""

    def __init__(self, values: Any) -> None:
        array = np.array(values)
        self.shape, self.dtype = array.shape, array.dtype

    def __repr__(self) -> str:
        return f"OnDevice(shape={self.shape}, dtype={self.dtype})"


BAD_INDICES = [2, -3, 0.5, [0.5], [0, 2], (0, -4), (0, 0, 0), [True], "a", [[0], [0, 1]], 2**70]


@pytest.mark.parametrize(
    "index", [*BAD_INDICES, slice(0.5, 1), (..., [3]), OnDevice([1.0])], ids=str
)
def test_a_place_outside_is_one_line_on_every_backend(backend: Backend, index: Any) -> None:
    x = Tensor(np.ones((2, 3)), backend=backend)
    with pytest.raises(InputError, match=r"^index into shape \(2, 3\): .*$"):
        x[index]


@pytest.mark.parametrize("add", [False, True], ids=["take", "scatter_add"])
@pytest.mark.parametrize("index", [[0, 2], [-3], [True] * 3, (0, [3]), [[True] * 4] * 2], ids=str)
def test_every_backend_says_what_numpy_says_of_a_place_outside(
    backend: Backend, index: Any, add: bool
) -> None:
    """CuPy's own indexing counts on from the other end."""
    with pytest.raises(IndexError) as numpys:
        np.ones((2, 3))[index]
    x = backend.asarray(np.ones((2, 3)))
    with pytest.raises(IndexError) as ours:
        if add:
            backend.scatter_add(backend.asarray(1.0, "float64"), index, (2, 3))
        else:
            backend.take(x, index)
    assert str(ours.value) == str(numpys.value)


@pytest.mark.parametrize(
    "index", [*BAD_INDICES, (OnDevice([0]), 3), (OnDevice([0]), 0, 0)], ids=str
)
def test_the_host_refuses_a_place_outside_before_the_device_counts_on(index: Any) -> None:
    with pytest.raises((IndexError, ValueError)):
        refuse_outside((2, 3), index, OnDevice)


@pytest.mark.parametrize(
    "index",
    [1, -2, True, None, ..., [0, -1], [True, False], range(2), (0, [2]), (slice(9), None, [0, 2])]
    # What is on the device is not read.
    + [OnDevice([7]), (OnDevice([7]), [2]), (OnDevice([7]), slice(1))],
    ids=str,
)
def test_the_host_lets_every_place_inside_pass(index: Any) -> None:
    refuse_outside((2, 3), index, OnDevice)


def test_cupys_take_asks_the_host_first(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(
        "scratchnet.backends.cupy_backend.refuse_outside", lambda *call: calls.append(call)
    )
    stand_in = SimpleNamespace(xp=np, _on_device=lambda index: index)
    with pytest.raises(TypeError, match="super"):
        CupyBackend.take(stand_in, np.ones((2, 3)), [5])  # type: ignore[arg-type]
    assert calls == [((2, 3), [5], np.ndarray)]


def test_bits_are_compared_where_the_arrays_are(backend: Backend) -> None:
    """-0.0 equals 0.0 in other bits, and NaN has its own."""
    one = backend.asarray([1.0, -0.0, float("nan")], "float32")
    assert backend.have_same_bits(one, backend.xp.array(one))
    assert not backend.have_same_bits(one, backend.asarray([1.0, 0.0, float("nan")], "float32"))
    counts = backend.asarray([1, 2], "int64")
    assert not backend.have_same_bits(counts, counts + 1)
    assert Backend.have_same_bits(backend, counts, backend.xp.array(counts))
    assert not Backend.have_same_bits(backend, one, -one)

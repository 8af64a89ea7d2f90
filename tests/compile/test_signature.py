"""Steps of one signature are one function: what may differ between them, and what may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchnet.backends.compile.signature import Signature
from scratchnet.backends.interface import Call


def step(scale: Any = 2.0, **changes: Any) -> tuple[list[Call], Any]:
    """y = x W, y *= scale; in arrays of its own every time."""
    how = {"points": 30, "dtype": np.float32, "kernel": "multiply", "is_new": False} | changes
    x, W = (np.zeros(shape, how["dtype"]) for shape in ((how["points"], 2), (2, 5)))
    y = np.zeros((how["points"], 5), how["dtype"])
    calls = [
        KERNELS["matmul"](x, W, y, True),
        KERNELS[how["kernel"]](y, scale, y, how["is_new"]),
    ]
    return calls, y


def by(kernel: Any) -> Any:
    return lambda a, b, out, is_new: Call(kernel, (a, b), out, is_new)


KERNELS = {"matmul": by(np.matmul), "multiply": by(np.multiply), "add": by(np.add)}


def key(calls: list[Call], outcome: Any) -> Any:
    return Signature(calls, outcome).key


def test_it_does_not_matter_where_arrays_lie_and_what_they_hold() -> None:
    calls, y = step()
    other, z = step()
    other[0].inputs[0][...] = 1
    assert key(calls, y) == key(other, z)
    assert hash(key(calls, y)) == hash(key(other, z))


@pytest.mark.parametrize(
    "changes",
    [
        {"points": 31},
        {"dtype": np.float64},
        {"kernel": "add"},
        {"is_new": True},
        {"scale": 3.0},
        {"scale": 2},  # whole numbers are written otherwise
        {"scale": np.float32(2.0)},
        {"scale": np.full(5, 2.0, np.float32)},
    ],
)
def test_what_is_written_into_the_source_matters(changes: dict[str, Any]) -> None:
    assert key(*step(**changes)) != key(*step())


def test_a_number_that_nobody_can_write_to_is_written_into_the_source() -> None:
    def scaled(number: float, writeable: bool) -> Any:
        scale = np.full(5, number, np.float32)
        scale.flags.writeable = writeable
        return key(*step(scale))

    assert scaled(2.0, True) == scaled(3.0, True)
    assert scaled(2.0, False) != scaled(3.0, False)
    assert scaled(2.0, False) != scaled(2.0, True)
    assert scaled(2.0, False) == scaled(2.0, False)


def test_which_array_is_used_where_matters() -> None:
    a, b, out = (np.zeros(5, np.float32) for _ in range(3))
    keys = [
        key([call_of(*inputs, out=out)], out)
        for inputs in ((a, a), (a, b), (b, b), (b, a), (a, out))
    ]
    assert keys[0] == keys[2] and keys[1] == keys[3]
    assert len(set(keys)) == 3
    assert key([call_of(a, b, out=out)], out) != key([call_of(a, b, out=out)], a)


def call_of(*inputs: Any, out: Any) -> Call:
    return Call(np.add, inputs, out, False)


def test_where_a_view_lies_in_its_array_matters() -> None:
    def of(part: Any, size: int = 10) -> Any:
        buffer, out = np.zeros(size, np.float32), np.zeros(4, np.float32)
        return key([call_of(buffer[part], 1.0, out=out)], out)

    keys = [of(slice(4)), of(slice(1, 5)), of(slice(0, 8, 2)), of(slice(4), 11)]
    assert len(set(keys)) == 4 and of(slice(4)) == keys[0]
    # A copy of the part is an array of its own.
    whole, out = np.zeros(4, np.float32), np.zeros(4, np.float32)
    assert key([call_of(whole, 1.0, out=out)], out) not in keys


def test_arrays_inside_a_tuple_and_the_networks_of_rows_matter() -> None:
    def taken(networks: Any, index: Any = None) -> Any:
        x, out = np.zeros((3, 50, 2), np.float32), np.zeros((3, 8, 2), np.float32)
        index = np.zeros((3, 8), int) if index is None else index
        return key([Call(take, (x, (networks, index)), out, True)], out)

    rows = np.array([[0], [1], [2]])
    assert taken(rows) == taken(rows.copy(), np.ones((3, 8), int))
    assert taken(rows) != taken(rows[::-1].copy())
    assert taken(rows) != taken(rows, np.zeros((1, 8), int))


def take(x: Any, index: Any, out: Any) -> None:
    raise AssertionError("the calls of a signature are not done")


def test_arrays_are_numbered_as_they_are_met() -> None:
    calls, y = step()
    signature = Signature(calls, y)
    x, W = calls[0].inputs
    assert [id(each) for each in signature.owners] == [id(x), id(W), id(y)]
    assert [signature.number(each) for each in (y, W, x)] == [2, 1, 0]
    late = np.zeros(3)
    assert signature.number(late) == 3 and signature.owners[3] is late

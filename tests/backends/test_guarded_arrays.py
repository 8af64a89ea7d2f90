"""The arrays of a recorded step meet NumPy, CuPy and arrays from outside of the step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import same
from strategies import positive
from test_repeater import repeated

from scratchnet import InputError
from scratchnet.backends import Backend
from scratchnet.backends.guarded import bare

Computed = Callable[[Any, Any], Any]

COMPUTED: dict[str, Computed] = {
    "x @ x.mT": lambda x, _: x @ x.mT,
    "np.matmul": lambda x, _: np.matmul(x, x.mT),
    "outside @ x.mT": lambda x, outside: np.matmul(outside, x.mT),
    "outside * x": lambda x, outside: outside * x,
    "x * outside": lambda x, outside: x * outside,
    "outside ** x": lambda x, outside: outside**x,
    "np.multiply": lambda x, outside: np.multiply(outside, x),
    "np.abs": lambda x, _: (np.abs(x) <= 1) * x,
    "abs": lambda x, _: x * (abs(x - 1.0) <= 0.5),
    "a number on the left": lambda x, _: 1.0 / (np.float32(1.0) + x),
}


@pytest.mark.parametrize("compute", COMPUTED.values(), ids=COMPUTED)
def test_what_is_computed_is_repeated(backend: Backend, compute: Computed) -> None:
    first, second, other = (positive(seed, (3, 4)).astype("float32") for seed in range(3))
    x, outside = backend.asarray(first), backend.asarray(other)
    with backend.recording() as calls, backend.guarding():
        y = bare(compute(backend.guarded(x), outside))
    assert type(y) is backend.xp.ndarray
    same(backend, y, compute(first, other), "float32")
    repeat = repeated(backend, calls)
    backend.copy(backend.asarray(second), out=x)
    repeat()
    same(backend, y, compute(second, other), "float32")


def test_a_product_of_cupys_arrays_is_one_that_a_graph_can_hold(backend: Backend) -> None:
    if backend.name != "cupy":
        assert backend.ufunc("matmul") is np.matmul
        return
    x = backend.asarray(positive(0, (3, 4)))
    with backend.recording() as calls, backend.guarding():
        backend.guarded(x) @ backend.guarded(x).mT
    assert [call.kernel.__name__ for call in calls] == ["_matmul"]
    assert backend.ufunc("sum") is None is backend.ufunc("no such name")


def test_a_ufunc_of_cupy_is_recorded_and_one_that_writes_is_refused(backend: Backend) -> None:
    """CuPy asks its operands for this method, in each of its ufuncs and so in its operators."""
    x, outside = (backend.asarray(positive(seed, (3, 4))) for seed in range(2))
    with backend.recording() as calls, backend.guarding():
        guarded = backend.guarded(x)
        compute = guarded.__cupy_override_elementwise_kernel__
        y = compute(backend.xp.multiply, outside, guarded)
        for refused in (
            lambda: compute(backend.xp.add, outside, guarded, outside),
            lambda: compute(backend.xp.add, outside, guarded, out=outside),
            lambda: compute(backend.synchronize, guarded),
        ):
            with pytest.raises(InputError, match="inside a recorded step: "):
                refused()
    assert len(calls) == 1
    same(backend, bare(y), positive(1, (3, 4)) * positive(0, (3, 4)), "float64")


def test_a_call_that_takes_no_recorded_array_is_refused_in_one_line(backend: Backend) -> None:
    x = backend.asarray(positive(0, (3, 4)))
    for refused in (lambda y: divmod(y, 1.0), lambda y: y << 1):
        with pytest.raises(InputError, match="^inside a recorded step: [^\n]*$"):
            with backend.guarding():
                refused(backend.guarded(x))
    with pytest.raises(TypeError, match="NoneType"), backend.guarding():
        None + backend.guarded(x).shape  # type: ignore[operator]

"""What cuBLAS is asked for, carried out by its definition: columns first, with given gaps."""

import threading
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.cublas import (
    OPERANDS,
    SIGNATURES,
    Cublas,
    Gemm,
    batch_step,
    gemm_arguments,
    is_usable,
    is_writable,
    layout_of,
    matrix_layout,
    product_shape,
)

KINDS = (
    "contiguous",
    "transposed",
    "part of a buffer",
    "part, transposed",
    "shared",
    "every second",
)


def matrices(kind: str, batch: tuple[int, ...], rows: int, columns: int) -> tuple[Any, Any]:
    """(the memory as a flat array, a view of it with that shape), filled with distinct numbers."""
    if kind == "shared":
        memory = np.arange(1.0, rows * columns + 1)
        return memory, np.broadcast_to(memory.reshape(rows, columns), (*batch, rows, columns))
    if kind.endswith("transposed"):
        memory, view = matrices(
            "contiguous" if kind == "transposed" else "part of a buffer", batch, columns, rows
        )
        return memory, view.swapaxes(-1, -2)
    size = rows * columns
    if kind == "every second":
        memory = np.arange(1.0, 2 * int(np.prod(batch)) * size + 1)
        return memory, memory.reshape(*batch, rows, 2 * columns)[..., ::2]
    before, after = (0, 0) if kind == "contiguous" else (3, 2)
    memory = np.arange(1.0, int(np.prod(batch)) * (before + size + after) + 1)
    packed = memory.reshape(*batch, before + size + after)[..., before : before + size]
    return memory, packed.reshape(*batch, rows, columns)


def start(memory: Any, view: Any) -> int:
    """Which entry of the memory is the view's first."""
    addresses = [each.__array_interface__["data"][0] for each in (memory, view)]
    return (addresses[1] - addresses[0]) // memory.itemsize


def blas(g: Gemm, a: Any, a_start: int, b: Any, b_start: int, out: Any, out_start: int) -> None:
    """C_i <- op(B_i) op(A_i), each matrix stored by columns; as NVIDIA's reference defines it."""
    m, n, k = np.arange(g.m), np.arange(g.n), np.arange(g.k)
    for i in range(g.batch):
        row, column = (k, m) if g.transpose_b else (m, k)
        first = b[b_start + i * g.step_b + row[:, None] + column * g.leading_b]
        row, column = (n, k) if g.transpose_a else (k, n)
        second = a[a_start + i * g.step_a + row[:, None] + column * g.leading_a]
        first = first.T if g.transpose_b else first
        second = second.T if g.transpose_a else second
        out[out_start + i * g.step_out + m[:, None] + n * g.leading_out] = first @ second


@given(
    batch=st.lists(st.integers(1, 3), max_size=2).map(tuple),
    sides=st.tuples(*[st.integers(1, 4)] * 3),
    kinds=st.tuples(*[st.sampled_from(KINDS)] * 2),
    target=st.sampled_from(KINDS[:1] + KINDS[2:3]),
)
@settings(max_examples=150)
def test_every_layout_that_is_used_gives_the_product(
    batch: Any, sides: Any, kinds: Any, target: str
) -> None:
    n, k, m = sides
    (a_memory, a), (b_memory, b) = (
        matrices(kind, batch, *shape) for kind, shape in zip(kinds, ((n, k), (k, m)), strict=True)
    )
    out_memory, out = matrices(target, batch, n, m)
    untouched = out_memory.copy()
    assert out.shape == product_shape(a.shape, b.shape)
    assert is_writable(layout_of(out), batch)
    for kind, each in zip(kinds, (a, b), strict=True):
        if kind != "every second":
            assert is_usable(layout_of(each), batch), kind
    if all(is_usable(layout_of(each), batch) for each in (a, b)):
        gemm = gemm_arguments(*map(layout_of, (a, b, out)))
        blas(
            gemm,
            *(a_memory, start(a_memory, a), b_memory, start(b_memory, b)),
            *(out_memory, start(out_memory, out)),
        )
        np.testing.assert_array_equal(out, a @ b)
        inside = start(out_memory, out)
        np.testing.assert_array_equal(out_memory[:inside], untouched[:inside])


def test_one_operand_of_a_network_alone_serves_an_ensemble() -> None:
    """Inputs (N, d) with weights (E, d, h), and the other way round."""
    x, weights = np.arange(8.0).reshape(4, 2), np.arange(18.0).reshape(3, 2, 3)
    for a, b in ((x, weights), (weights.swapaxes(-1, -2).copy(), x.T)):
        out = np.empty(product_shape(a.shape, b.shape))
        blas(
            gemm_arguments(*map(layout_of, (a, b, out))),
            a.ravel(),
            0,
            b.ravel(order="K"),
            0,
            out.ravel(),
            0,
        )
        np.testing.assert_array_equal(out, a @ b)


def test_layouts_that_need_a_copy() -> None:
    x = np.zeros((6, 8))
    assert matrix_layout(layout_of(x[::2])) == (False, 16)
    assert matrix_layout(layout_of(x[:, ::2])) is None
    assert matrix_layout(layout_of(x[::-1])) is None
    assert matrix_layout(layout_of(np.broadcast_to(x[0], (6, 8)))) is None
    shared_inside = np.broadcast_to(np.zeros((2, 1, 3, 3)), (2, 4, 3, 3))
    assert batch_step(layout_of(shared_inside), (2, 4)) is None
    assert not is_writable(layout_of(x.T), ())
    assert not is_writable(layout_of(np.broadcast_to(x, (2, 6, 8))), (2,))


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (4, 5)), ((2, 3, 4), (3, 4, 5)), ((3, 2, 2), (2, 2, 2))]
)
def test_shapes_that_do_not_fit(a: Any, b: Any) -> None:
    with pytest.raises(ValueError):
        product_shape(a, b)


HEADER_ARGUMENTS = {
    "cublasCreate_v2": 1,
    "cublasSetStream_v2": 2,
    "cublasSetWorkspace_v2": 3,
    "cublasGemmEx": 19,
    "cublasGemmStridedBatchedEx": 23,
}
"""How many each function has in cublas_api.h of CUDA 13."""


def test_the_bindings_have_as_many_arguments_as_nvidias_header() -> None:
    assert {name: len(types) for name, types in SIGNATURES.items()} == HEADER_ARGUMENTS


class Library:
    """Stands for cuBLAS, and notes its calls with the number of their handle."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.handles = 0

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, name)

    def _call(self, name: str, handle: Any, *arguments: Any) -> int:
        if name == "cublasCreate_v2":
            self.handles += 1
            handle._obj.value = self.handles
            handle = handle._obj
        self.calls.append((name, handle.value, *arguments))
        return 0


class Stream:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


def library_for(
    monkeypatch: pytest.MonkeyPatch, current: Any, capability: str = "90"
) -> tuple[Cublas, Library]:
    """Cublas on streams that `current` gives; each workspace has an address of its own."""
    library = Library()
    addresses = count(256, 256)
    monkeypatch.setattr("scratchnet.backends.cublas.load_library", lambda: library)
    device = SimpleNamespace(compute_capability=capability)
    cuda = SimpleNamespace(get_current_stream=current, Device=lambda: device)

    def empty(size: int, _: Any) -> Any:
        return SimpleNamespace(data=SimpleNamespace(ptr=next(addresses)), nbytes=size)

    return Cublas(SimpleNamespace(cuda=cuda, empty=empty)), library


def product(cublas: Cublas) -> None:
    x = SimpleNamespace(data=SimpleNamespace(ptr=0))
    layout = layout_of(np.ones((2, 2)))
    cublas.multiply(gemm_arguments(layout, layout, layout), x, x, x, OPERANDS["float64"])


def test_each_stream_has_a_handle_and_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that has the address of a stream that is gone; a handle ends with its stream."""
    streams = [Stream(0), Stream(16)]
    now = streams[0]
    cublas, library = library_for(monkeypatch, lambda: now)
    for stream in (streams[0], streams[1], streams[0], streams[1]):
        now = stream
        product(cublas)
    made = [call for call in library.calls if call[0] == "cublasSetWorkspace_v2"]
    assert [(handle, address) for _, handle, address, _ in made] == [(1, 256), (2, 512)]
    products = [call[1] for call in library.calls if call[0] == "cublasGemmEx"]
    assert products == [1, 2, 1, 2]
    now = streams[1] = Stream(16)
    product(cublas)
    # To destroy the old one waits for the device, so the new stream takes it over.
    assert library.handles == 2
    order = [name for name, handle, *_ in library.calls if handle == 2]
    made = ["cublasSetStream_v2", "cublasSetWorkspace_v2", "cublasGemmEx"]
    assert order == ["cublasCreate_v2", *made, "cublasGemmEx", *made]


def test_two_threads_share_no_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    """One would set the stream, or use the memory, while the other's product is on its way."""
    stream = Stream(0)
    cublas, library = library_for(monkeypatch, lambda: stream)
    product(cublas)
    other = threading.Thread(target=product, args=[cublas])
    other.start()
    other.join()
    products = [call[1] for call in library.calls if call[0] == "cublasGemmEx"]
    assert products == [1, 2]


@pytest.mark.parametrize(
    ("capability", "mebibytes"), {"80": 4, "89": 4, "90": 32, "100": 32, "120": 32}.items()
)
def test_memory_on_the_way_is_as_large_as_the_device_asks_for(
    monkeypatch: pytest.MonkeyPatch, capability: str, mebibytes: int
) -> None:
    """Each thread has its own for each stream: 32 MiB are a lot where 4 are enough."""
    stream = Stream(0)
    cublas, library = library_for(monkeypatch, lambda: stream, capability)
    product(cublas)
    (made,) = [call for call in library.calls if call[0] == "cublasSetWorkspace_v2"]
    assert made[-1] == mebibytes * 2**20


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_call_of_cublas(batch: Any, dtype: str) -> None:
    """Each argument in its place, and read back from it: nothing is computed."""
    a, b = np.ones((*batch, 2, 3), dtype), np.ones((*batch, 3, 4), dtype)
    out = np.ones((*batch, 2, 4), dtype)
    calls: list[Any] = []
    cublas = Cublas.__new__(Cublas)
    handle = SimpleNamespace(call=lambda *arguments: calls.append(arguments))
    cublas._handle = lambda: handle  # type: ignore
    operands = OPERANDS["float64" if dtype == "float64" else "tf32"]
    placed = [SimpleNamespace(data=SimpleNamespace(ptr=100 * i)) for i in (1, 2, 3)]
    cublas.multiply(gemm_arguments(*map(layout_of, (a, b, out))), *placed, operands)
    ((name, *given),) = calls
    for value, kind in zip(given, SIGNATURES[name][1:], strict=True):
        kind.from_param(value)
    numbers = [each for each in given if isinstance(each, int)]
    steps = [(12,), (6,), (8,)] if batch else [(), (), ()]
    assert name == ("cublasGemmStridedBatchedEx" if batch else "cublasGemmEx")
    kind_of = {"float64": (1, 70), "float32": (0, 77)}[dtype]
    assert numbers == [
        *(0, 0, 4, 2, 3),
        *(200, kind_of[0], 4, *steps[0]),
        *(100, kind_of[0], 3, *steps[1]),
        *(300, kind_of[0], 4, *steps[2]),
        *((3,) if batch else ()),
        *(kind_of[1], -1),
    ]

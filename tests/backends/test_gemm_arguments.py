"""What cuBLAS is asked for, carried out by its definition: columns first, with given gaps."""

import ctypes
import threading
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


def test_a_handle_follows_the_stream_and_keeps_it_alive() -> None:
    """While it lives no other stream can have its address, by which a change is noticed."""
    streams = [SimpleNamespace(ptr=ptr) for ptr in (0, 16, 16, 0)]
    current = iter(streams)
    cublas = Cublas.__new__(Cublas)
    calls: list[str] = []
    cublas._call = lambda name, *_: calls.append(name)  # type: ignore[method-assign]
    cublas._handle, cublas._stream = ctypes.c_void_p(1), None
    cublas._workspace = SimpleNamespace(data=SimpleNamespace(ptr=256), nbytes=1)
    cublas._xp = SimpleNamespace(cuda=SimpleNamespace(get_current_stream=lambda: next(current)))
    for changes, kept in ((1, 0), (2, 1), (2, 1), (3, 3)):
        cublas._follow_current_stream()
        assert calls == ["cublasSetStream_v2", "cublasSetWorkspace_v2"] * changes
        assert cublas._stream is streams[kept]


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_call_of_cublas(batch: Any, dtype: str) -> None:
    """Each argument in its place, and read back from it: nothing is computed."""
    a, b = np.ones((*batch, 2, 3), dtype), np.ones((*batch, 3, 4), dtype)
    out = np.ones((*batch, 2, 4), dtype)
    calls: list[Any] = []
    cublas = Cublas.__new__(Cublas)
    cublas._call = lambda *arguments: calls.append(arguments)  # type: ignore[method-assign]
    cublas._follow_current_stream = lambda: None  # type: ignore[method-assign]
    cublas._handle, cublas._one_at_a_time = ctypes.c_void_p(1), threading.Lock()
    operands = OPERANDS["float64" if dtype == "float64" else "tf32"]
    placed = [SimpleNamespace(data=SimpleNamespace(ptr=100 * i)) for i in (1, 2, 3)]
    cublas.multiply(gemm_arguments(*map(layout_of, (a, b, out))), *placed, operands)
    ((name, _, *given),) = calls
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


def test_no_thread_sets_the_stream_while_another_asks_for_its_product() -> None:
    """The second thread is given every chance to; each product gets onto its own stream."""
    cublas = Cublas.__new__(Cublas)
    here, asked = threading.local(), threading.Event()
    on_handle: list[str] = []
    products: list[tuple[str, str]] = []

    def call(name: str, _: Any, *arguments: Any) -> None:
        if name == "cublasSetStream_v2":
            on_handle.append(arguments[0])
            asked.set()
        elif name == "cublasGemmEx":
            if here.name == "first":
                asked.clear()
                second.start()
                asked.wait(0.1)
            products.append((here.name, on_handle[-1]))

    def multiply(name: str) -> None:
        here.name = name
        x = SimpleNamespace(data=SimpleNamespace(ptr=0))
        layout = layout_of(np.ones((2, 2)))
        cublas.multiply(gemm_arguments(layout, layout, layout), x, x, x, OPERANDS["float64"])

    cublas._call = call  # type: ignore[method-assign]
    cublas._handle, cublas._one_at_a_time = ctypes.c_void_p(1), threading.Lock()
    cublas._stream, cublas._workspace = None, SimpleNamespace(data=SimpleNamespace(ptr=0), nbytes=1)
    cublas._xp = SimpleNamespace(
        cuda=SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=here.name))
    )
    second = threading.Thread(target=multiply, args=["second"])
    multiply("first")
    second.join()
    assert products == [("first", "first"), ("second", "second")]

"""Products in TF32 by tensor cores: the instruction, what is built on it, and trainings."""

import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_training import RNG, X, Y, backwards, noted_launches

from scratchnet import SGD, Adam, Tensor, fit, mlp, ops
from scratchnet.backends import compile as compile_package
from scratchnet.backends import get_backend
from scratchnet.backends.compile import cuda_source, cuda_step
from scratchnet.backends.cublas import OPERANDS
from scratchnet.backends.cuda_kernels import COMPILER_OPTIONS
from scratchnet.backends.cupy_backend import CupyBackend
from scratchnet.backends.rounding import ROUNDINGS
from scratchnet.optim import Optimizer

THREADS, GAP = 256, 4


@cache
def function(name: str, source: str, tile: int = 8) -> Any:
    """A kernel over what the kernels of steps are built on, with tiles of so many points."""
    folder = Path(compile_package.__file__).parent
    sizes = {"THREADS": THREADS, "TILE": tile, "LD": tile + GAP, "CLUSTER": 1}
    head = "".join(f"#define {each} {size}\n" for each, size in sizes.items())
    parts = [(folder / each).read_text() for each in ("kernel.cuh", "tensor_cores.cuh")]
    xp = get_backend("cupy").xp
    source = "\n".join([head, *parts, source])
    return xp.RawModule(code=source, options=COMPILER_OPTIONS).get_function(name)


def on_device(array: Any) -> Any:
    return get_backend("cupy").xp.asarray(array)


def on_host(array: Any) -> Any:
    return get_backend("cupy").to_numpy(array)


ROUNDED = """
extern "C" __global__ void __launch_bounds__(THREADS) rounded(const float* x, unsigned* y, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = to_tf32(x[i]);
}
"""


def test_operands_are_rounded_as_on_numpy() -> None:
    """Ties, carries, infinities, subnormal numbers, and NaN of any bits."""
    fractions = [f for k in (0, 1, 0x3FF) for f in (k << 13, (k << 13) + 0x1000)]
    fractions = [max(0, f + by) for f in fractions for by in (-1, 0, 1)]
    exponents = [e << 23 for e in (0, 1, 127, 254, 255)]
    signs = (0, 1 << 31)
    chosen = [s | e | f & 0x7FFFFF for s in signs for e in exponents for f in fractions]
    drawn = RNG.integers(0, 2**32, 5000, dtype=np.uint32)
    x = np.concatenate([np.array(chosen, np.uint32), drawn]).view(np.float32)
    y = on_device(np.zeros(len(x), np.uint32))
    function("rounded", ROUNDED)((1,), (THREADS,), (on_device(x), y, np.int32(len(x))))
    want, got = ROUNDINGS["tf32"](x, ...), on_host(y)
    np.testing.assert_array_equal(np.isnan(got.view(np.float32)), np.isnan(x))
    # Of a NaN a GPU makes one of its own.
    known = ~np.isnan(x)
    np.testing.assert_array_equal(got[known], want.view(np.uint32)[known])


ONE = """
extern "C" __global__ void __launch_bounds__(32) one(
    const unsigned* a, const unsigned* b, float* d) {
  const int lane = threadIdx.x;
  unsigned left[4], right[2];
  float sums[4];
  for (int n = 0; n < 4; n++) left[n] = a[4 * lane + n], sums[n] = d[4 * lane + n];
  for (int n = 0; n < 2; n++) right[n] = b[2 * lane + n];
  __syncwarp();
  mma(sums, left, right);
  for (int n = 0; n < 4; n++) d[4 * lane + n] = sums[n];
}
"""


def test_the_instruction_by_another_account_of_its_layout() -> None:
    """CUTLASS's, of SM80_16x8x8_F32TF32TF32F32_TN: by columns, where each part of a thread's number
    and of a register's moves. As registers it is the PTX ISA's."""
    lane, n = np.arange(32)[:, None], np.arange(4)
    t, g = lane % 4, lane // 4
    of_a = 16 * t + g + 8 * (n % 2) + 64 * (n // 2)
    of_b = 8 * t + g + 32 * n[:2]
    of_d = 32 * t + g + 16 * (n % 2) + 8 * (n // 2)
    a, b, d = (RNG.integers(-9, 10, size).astype(np.float32) for size in ((16, 8), (8, 8), (16, 8)))
    # CUTLASS has b as (N, K).
    fragments = [each.ravel("F")[where] for each, where in ((a, of_a), (b.T, of_b), (d, of_d))]
    found = [on_device(np.ascontiguousarray(each)) for each in fragments]
    function("one", ONE)((1,), (32,), tuple(found))
    np.testing.assert_array_equal(on_host(found[2]), (d + a @ b).ravel("F")[of_d])


SHAPES = [(1, 1), (2, 32), (7, 9), (8, 16), (9, 17), (16, 8), (33, 1), (32, 32), (70, 65)]
PRODUCTS = """
extern "C" __global__ void __launch_bounds__(THREADS) forward_{K}_{M}_{way}(
    const float* x, const float* w, float* y) {{
  multiply_tf32<{R}, {C}, {K}, {M}, {down}, {along}>(x, w, [&](int p, int j, Some<float, 2> n) {{
    store(y + j * LD + p, n);
  }});
  __syncthreads();
}}
extern "C" __global__ void __launch_bounds__(THREADS) outer_{K}_{M}_{way}(
    const float* x, const float* dy, int rows, int is_first, float* out) {{
  add_outer_tf32<{R}, {C}, {K}, {M}>(x, dy, rows, is_first, out);
  __syncthreads();
}}
"""
"""A barrier that a kernel names makes it run as fibers on the emulated device."""
BLOCKS = [(1, 1), (2, 4), (2, 1), (1, 2), (1, 4), (2, 2)]


def sources() -> str:
    """Each shape with the matrix as it is and transposed, in blocks of each size in turn."""
    text = []
    for number, (K, M) in enumerate(SHAPES):
        for way, (down, along) in enumerate([(M, 1), (1, K)]):
            R, C = BLOCKS[(2 * number + way) % len(BLOCKS)]
            text.append(PRODUCTS.format(K=K, M=M, way=way, R=R, C=C, down=down, along=along))
    return "".join(text)


def in_tile(x: Any, tile: int) -> Any:
    """(points, columns) column by column, NaN in every place that no point has."""
    columns = np.full((x.shape[1], tile + GAP), np.nan, np.float32)
    columns[:, : len(x)] = x.T
    return on_device(columns)


def assert_products(got: Any, a: Any, b: Any, before: Any = 0.0) -> None:
    """Of rounded operands, within the rounding of sums that may also cut off."""
    a, b = (ROUNDINGS["tf32"](np.ascontiguousarray(each), ...).astype(float) for each in (a, b))
    terms = a.shape[-1] + 2
    bound = terms * 2.0**-23 * (np.abs(a) @ np.abs(b) + np.abs(before))
    assert (np.abs(got - (a @ b + before)) <= bound).all()


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("tile", [12, 40])
def test_products_of_any_shape(tile: int, way: int) -> None:
    """And no other entry is written, nor one from behind the last point read."""
    text = sources()
    for K, M in SHAPES:
        x, w = (RNG.normal(size=size).astype(np.float32) for size in ((tile, K), (K, M)))
        y = on_device(np.full((M, tile + GAP), -7, np.float32))
        stored = w if way == 0 else w.T
        forward = function(f"forward_{K}_{M}_{way}", text, tile)
        matrix = on_device(np.ascontiguousarray(stored))
        forward((1,), (THREADS,), (in_tile(x, tile), matrix, y))
        found = on_host(y)
        assert_products(found[:, :tile].T, x, w)
        assert (found[:, tile:] == -7).all()


@pytest.mark.parametrize("rows", [1, 5, 8, 37, 40])
def test_sums_over_the_points(rows: int) -> None:
    text, tile = sources(), 40
    for K, M in SHAPES:
        x, dy = (RNG.normal(size=(rows, n)).astype(np.float32) for n in (K, M))
        before = RNG.normal(size=(K, M)).astype(np.float32)
        for way, is_first in enumerate((True, False)):
            out = on_device(np.append(before.ravel(), np.float32([-7] * 8)))
            sums = function(f"outer_{K}_{M}_{way}", text, tile)
            arguments = in_tile(x, tile), in_tile(dy, tile), np.int32(rows), np.int32(is_first), out
            sums((1,), (THREADS,), arguments)
            found = on_host(out)
            assert_products(found[:-8].reshape(K, M), x.T, dy, 0.0 if is_first else before)
            assert (found[-8:] == -7).all()


# Trainings.

Make = Callable[[str, str], Optimizer]


def network(*widths: int, kind: Any = SGD, rate: float = 0.1, **settings: Any) -> Make:
    """Makes an optimizer, with its model, on a backend in a precision."""

    def make(backend: str, precision: str) -> Optimizer:
        model = mlp(list(widths), backend=get_backend(backend, precision), seed=3, **settings)
        return kind(model, rate)

    return make


def trained(make: Make, backend: str, precision: str, **how: Any) -> tuple[Any, Any]:
    """The losses and the parameters that are left; on the device by the kernel."""
    optimizer, is_kernel = make(backend, precision), backend == "cupy"
    how = {"epochs": 6, "optimizer": optimizer, "compile": is_kernel, **how}
    with noted_launches() as launches, warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(optimizer.model, X, **how)
    assert bool(launches) == is_kernel
    return history.loss, optimizer.model.backend.to_numpy(optimizer.model.parameter_buffer)


def check(make: Make, **how: Any) -> Any:
    """As NumPy in TF32, and nearer to that than to fp32; the parameters.

    A sum that was rounded otherwise may fall on the other side of a middle between two numbers in
    TF32: so it is nearer but for a tenth.
    """
    how = {"y": Y, **how}
    got, rounded, full = (
        trained(make, *where, **how)
        for where in (("cupy", "tf32"), ("numpy", "tf32"), ("numpy", "fp32"))
    )
    for mine, same, other in zip(got, rounded, full, strict=True):
        far = np.abs(same - other).max()
        assert far > 1e-5  # else nothing was rounded
        assert np.abs(mine - same).max() <= min(0.1 * far, 1e-3)
    return got[1]


CLASSES = RNG.integers(0, 3, len(X))


@pytest.mark.parametrize("ensemble", [None, 3])
@pytest.mark.parametrize(
    ("loss", "kind"), [("mean_squared_error", SGD), ("softmax_cross_entropy", Adam)]
)
def test_trainings(loss: str, kind: Any, ensemble: int | None) -> None:
    is_classes = loss == "softmax_cross_entropy"
    widths = 2, 19, 9, 3 if is_classes else 1
    make = network(*widths, kind=kind, rate=0.02, ensemble=ensemble)
    check(make, loss=loss, y=CLASSES if is_classes else Y)


def test_in_small_tiles_in_either_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles, the last one ragged; what threads are first must not matter."""
    monkeypatch.setattr(cuda_step, "_kept", {})
    for name in ("_LARGEST_TILE", "_USEFUL_TILE", "_SMALLEST_TILE"):
        monkeypatch.setattr(cuda_source, name, 12)
    settings = {"ensemble": 2, "batch_norm": True, "dropout": 0.3, "activation": "tanh"}
    make = network(2, 18, 7, 1, **settings)
    first = check(make, batch_size=17, clip_norm=0.5, epochs=3)
    with backwards():
        second = trained(make, "cupy", "tf32", y=Y, batch_size=17, clip_norm=0.5, epochs=3)[1]
    assert first.tobytes() == second.tobytes()


def test_products_without_points() -> None:
    """A penalty on the weights' inner products."""

    def trained(backend: str, precision: str) -> Any:
        model = mlp([2, 6, 5, 1], backend=get_backend(backend, precision), seed=3)
        weight = model.parameters()[2]

        def loss(outputs: Tensor, targets: Any) -> Tensor:
            product = ops.matmul(weight.mT, weight)
            return ((outputs - targets) ** 2).mean() + (product**2).sum() * 0.1

        is_kernel = backend == "cupy"
        with noted_launches() as launches:
            how = {"optimizer": SGD(model, 0.05), "epochs": 4, "compile": is_kernel}
            history = fit(model, X, Y, loss=loss, **how)
        assert bool(launches) == is_kernel
        return history.loss

    got, same, other = (
        trained(*where) for where in (("cupy", "tf32"), ("numpy", "tf32"), ("numpy", "fp32"))
    )
    far = np.abs(same - other).max()
    assert far > 1e-5
    assert np.abs(got - same).max() <= 0.1 * far


def test_a_replay_that_rounds_otherwise_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuBLAS may round an operand in another way, or leave it as it is."""
    monkeypatch.setattr(cuda_step, "_kept", {})
    monkeypatch.setitem(OPERANDS, "tf32", OPERANDS["fp32"])
    trained(network(2, *[12] * 6, 1, activation="tanh"), "cupy", "tf32", y=Y, epochs=2)


def test_a_gpu_without_tensor_cores_for_it_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = get_backend("cupy").device_info() | {"compute_capability": "7.5"}
    monkeypatch.setattr(CupyBackend, "device_info", lambda self: facts)
    for precision, has_kernel in (("fp32", True), ("tf32", False)):
        optimizer = network(2, 3, 1)("cupy", precision)
        refused = pytest.warns(RuntimeWarning, match="replayed: .* 7.5: must be at least 8.0")
        with nullcontext() if has_kernel else refused, noted_launches() as launches:
            fit(optimizer.model, X, Y, optimizer=optimizer, epochs=2, compile=True)
        assert bool(launches) == has_kernel


def test_one_network_in_both_precisions() -> None:
    """A kernel that is kept from before is not taken for the other precision."""
    make = network(2, 9, 1)
    full, rounded, again = (
        trained(make, "cupy", each, y=Y)[1] for each in ("fp32", "tf32", "fp32")
    )
    assert full.tobytes() == again.tobytes() != rounded.tobytes()
    assert math.isclose(np.abs(full).max(), np.abs(rounded).max(), rel_tol=1e-2)

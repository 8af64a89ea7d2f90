"""Products of rounded operands: the roundings by hand, and the error of a product."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from agreement import UNIT_ROUNDOFF
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import refused
from strategies import seeds

from scratchnet import Tensor, mlp, ops
from scratchnet.backends import PRECISIONS, Backend, get_backend
from scratchnet.backends.numpy_backend import NumpyBackend
from scratchnet.backends.rounding import ROUNDINGS

ROUNDED = [each for each in PRECISIONS if each != "fp32"]

# x, then what tf32, bf16 and fp16 make of it. tf32 and fp16 keep 10 bits of the fraction, bf16 7.
BY_HAND = [
    (1.0, 1.0, 1.0, 1.0),
    (1 + 2**-7, 1 + 2**-7, 1 + 2**-7, 1 + 2**-7),
    (1 + 2**-8, 1 + 2**-8, 1.0, 1 + 2**-8),  # in the middle for bf16: down to the even 1
    (1 + 3 * 2**-8, 1 + 3 * 2**-8, 1 + 2**-6, 1 + 3 * 2**-8),  # in the middle: up to the even one
    (1 + 2**-8 + 2**-20, 1 + 2**-8, 1 + 2**-7, 1 + 2**-8),  # just above it: up
    (1 + 2**-11, 1.0, 1.0, 1.0),
    (1 + 3 * 2**-11, 1 + 2**-9, 1.0, 1 + 2**-9),
    (-1 - 2**-11 - 2**-20, -1 - 2**-10, -1.0, -1 - 2**-10),
    (2 - 2**-20, 2.0, 2.0, 2.0),  # carries into the exponent
    (0.0, 0.0, 0.0, 0.0),
    (65504.0, 65504.0, 65536.0, 65504.0),
    (65519.0, 65504.0, 65536.0, 65504.0),
    (65520.0, 65536.0, 65536.0, np.inf),  # above the largest number of fp16
    (2.0**-24, 2.0**-24, 2.0**-24, 2.0**-24),  # the smallest of fp16
    (2.0**-25, 2.0**-25, 2.0**-25, 0.0),
    (2.0**-25 * 1.25, 2.0**-25 * 1.25, 2.0**-25 * 1.25, 2.0**-24),
    (np.float32(3.4028235e38), np.inf, np.inf, np.inf),
    (np.inf, np.inf, np.inf, np.inf),
    (-np.inf, -np.inf, -np.inf, -np.inf),
    (np.nan, np.nan, np.nan, np.nan),
]


@pytest.mark.parametrize("precision", ROUNDED)
def test_the_roundings_by_hand(precision: str) -> None:
    x, *columns = np.array(BY_HAND, np.float32).T
    expected = columns[ROUNDED.index(precision)]
    np.testing.assert_array_equal(ROUNDINGS[precision](x, ...), expected)
    out = np.empty_like(x)
    assert ROUNDINGS[precision](x, out) is out
    np.testing.assert_array_equal(out, expected)


def test_a_nan_of_any_bits_stays_one() -> None:
    x = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001, 0xFF800001], np.uint32).view(np.float32)
    for rounding in ROUNDINGS.values():
        assert np.isnan(rounding(x, ...)).all()


@given(
    x=hnp.arrays(np.float32, 20, elements=st.floats(-60000, 60000, width=32, allow_subnormal=False))
)
def test_rounding_twice_is_rounding_once_and_the_error_is_bounded(x: Any) -> None:
    for precision, rounding in ROUNDINGS.items():
        once = rounding(x, ...)
        assert np.array_equal(rounding(once, ...), once)
        # Below the smallest normal number of fp16 the gaps no longer shrink.
        smallest = 2.0**-14 if precision == "fp16" else 0.0
        bound = UNIT_ROUNDOFF[precision] * np.maximum(np.abs(x.astype(float)), smallest)
        assert (np.abs(once.astype(float) - x) <= bound).all()


def test_emulated_fp16_is_numpys() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].astype(np.float32)
    assert np.array_equal(ROUNDINGS["fp16"](finite, ...), finite)


@given(seed=seeds, transposed=st.tuples(st.booleans(), st.booleans()), batch=st.booleans())
def test_the_error_of_a_product(
    precise_backend: Backend, seed: int, transposed: Any, batch: bool
) -> None:
    """At most that of two roundings and of the sum, in float32, of k = 40 products."""
    precision, k = precise_backend.precision, 40
    rng = np.random.default_rng(seed)
    shapes = [(3, 6, k), (3, k, 5)] if batch else [(6, k), (k, 5)]
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    views = [
        precise_backend.asarray(np.ascontiguousarray(x.mT)).mT
        if turned
        else precise_backend.asarray(x)
        for x, turned in zip((a, b), transposed, strict=True)
    ]
    before = [precise_backend.to_numpy(view).copy() for view in views]
    actual = precise_backend.matmul(*views)
    assert actual.dtype == np.float32
    error = np.abs(precise_backend.to_numpy(actual) - a.astype(float) @ b.astype(float))
    size = np.abs(a).astype(float) @ np.abs(b)
    # A GPU may cut tf32 operands instead of rounding them.
    u = UNIT_ROUNDOFF[precision] * (2 if precision == "tf32" else 1)
    rounding = 2 * u + u**2 if precision != "fp32" else 0
    assert (error <= (rounding + (k + 1) * 2.0**-24) * size).all()
    if precision != "fp32":
        assert error.max() > 1e-5 * size.max()  # else the precision was not obeyed
    for view, kept in zip(views, before, strict=True):
        assert np.array_equal(precise_backend.to_numpy(view), kept)


def test_only_products_are_rounded(precise_backend: Backend) -> None:
    """Sums over the samples are no products here, whatever computes them."""
    third = precise_backend.asarray(np.full((5, 2), 1 / 3, np.float32))
    once = np.float32(1 / 3)
    for found, expected in (
        (precise_backend.sum_rows(third), 5 * once),
        (precise_backend.add(third, 0.0), once),
        (precise_backend.multiply(third, third), once * once),
    ):
        np.testing.assert_allclose(precise_backend.to_numpy(found), expected, rtol=3e-7)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_copies_keep_the_precision(precision: str) -> None:
    k = get_backend("numpy", precision)
    model = mlp([2, 3, 1], backend=k)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.backend is k


@pytest.mark.parametrize("precision", ROUNDED)
def test_float64_is_refused(precision: str) -> None:
    k = get_backend("numpy", precision)
    for make in (
        lambda: mlp([2, 1], dtype="float64", backend=k),
        lambda: Tensor(np.ones((2, 2)), backend=k),
    ):
        with refused("float64", precision, "fp32"):
            make()
    wide = np.ones((2, 2))
    with pytest.raises(TypeError, match=f"float64 in precision {precision}"):
        k.matmul(wide, wide)
    narrow = Tensor(wide, "float32", k)
    assert ops.matmul(narrow, narrow).dtype == "float32"


def test_precisions_by_name() -> None:
    assert get_backend("numpy", "fp32") is get_backend("numpy")
    half = get_backend("numpy", "fp16")
    assert half is not get_backend("numpy") and half is get_backend(half) is get_backend(
        half, "fp16"
    )
    with refused("precision 'fp8'", *PRECISIONS):
        get_backend("numpy", "fp8")
    with refused("bf16", "fp16"):
        get_backend(half, "bf16")


def test_fp32_on_numpy_takes_no_detour() -> None:
    """Its speed is the point of a backend that is one call of NumPy deep."""
    k = get_backend("numpy")
    assert type(k) is NumpyBackend and "built-in" in repr(k.run)
    with k.recording() as calls:
        k.matmul(np.ones((2, 3)), np.ones((3, 2)))
    assert [call.kernel for call in calls] == [np.matmul]


@pytest.mark.parametrize("precision", ROUNDED)
def test_no_array_of_float64_beside_rounded_products(precision: str) -> None:
    backend = get_backend("numpy", precision)
    assert not backend.zeros((2, 3), "float32").any()
    assert backend.zeros((2, 3), "float32").shape == (2, 3)
    for make in (lambda: backend.zeros((2,), "float64"), lambda: backend.asarray([1.0], "float64")):
        with refused(f"float64 with precision {precision}"):
            make()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_which_kernels_are_elementwise(precision: str) -> None:
    """A buffer is written over by these alone: each number must depend on its own place."""
    backend = get_backend("numpy", precision)
    with backend.recording() as calls:
        x = backend.asarray([[1.0, 2.0], [3.0, 4.0]], "float32")
        backend.matmul(x, x)
        backend.add(x, x)
        backend.sum(x, axis=0)
    by_name = {getattr(call.kernel, "__name__", ""): call.kernel for call in calls}
    assert backend.is_elementwise(by_name["add"])
    assert not any(backend.is_elementwise(by_name[name]) for name in ("matmul", "_sum"))
    if precision != "fp32":
        assert backend.is_elementwise(ROUNDINGS[precision])
        others = [each for name, each in ROUNDINGS.items() if name != precision]
        assert not any(map(backend.is_elementwise, others))

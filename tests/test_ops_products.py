"""Matrix products, square ones too: there a missing transpose raises no error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import broadcasting_pairs, check_op, computed, seeds, spread

from scratchnet import InputError, Tensor, ops


@given(pair=broadcasting_pairs("(n,k),(k,m)->(n,m)"), seed=seeds)
def test_matmul_with_leading_axes_that_broadcast(pair: Any, seed: int) -> None:
    """Axes of size 1 and empty ones included: over an empty k the product is 0."""
    check_op(ops.matmul, np.matmul, spread(seed, pair[0]), spread(seed + 1, pair[1]))


VECTORS = ["(k),(k)->()", "(n,k),(k)->(n)", "(k),(k,m)->(m)"]


@pytest.mark.parametrize("signature", VECTORS)
@given(data=st.data(), seed=seeds)
def test_matmul_with_vectors(signature: str, data: st.DataObject, seed: int) -> None:
    """A vector has no batch: leading axes are the matrix's alone. Sizes of 0 and 1 included."""
    lead = data.draw(st.lists(st.integers(0, 3), max_size=2))
    sizes = {letter: data.draw(st.integers(0, 3)) for letter in "nkm"}
    shapes = [
        [sizes[letter] for letter in core if letter in sizes]
        for core in signature.partition("->")[0].split("),(")
    ]
    arrays = [
        spread(seed + i, (*lead * (len(shape) == 2), *shape)) for i, shape in enumerate(shapes)
    ]
    check_op(ops.matmul, np.matmul, *arrays)


def test_products_with_vectors_by_operators_methods_and_constants() -> None:
    x, w = Tensor(spread(0, (2, 3))), Tensor(spread(1, (3,)))
    rows = np.array([[1.0, 10.0], [2.0, 20.0]])
    y = rows @ (x @ w)
    y.backward()
    np.testing.assert_allclose(y.data, rows @ (x.data @ w.data))
    np.testing.assert_allclose(w.grad, (rows @ x.data).sum(0))
    assert type((w @ w).data) is np.ndarray and (w @ w).shape == ()


@given(lead=st.sampled_from([(), (2,)]), size=st.integers(1, 4), seed=seeds)
def test_square_matrices_and_transposed_views(lead: Any, size: int, seed: int) -> None:
    a, b = spread(seed, (*lead, size, size)), spread(seed + 1, (size, size))
    for op in (
        lambda a, b: a @ b,
        lambda a, b: a.mT @ b,
        lambda a, b: a @ b.mT,
        lambda a, b: a.mT @ b.mT,
    ):
        check_op(op, op, a, b)


def test_gradients_of_a_square_product_by_hand() -> None:
    """y = a b with dL/dy = c gives c b^T and a^T c, which differ from every variant of them."""
    a, b, c = (spread(seed, (3, 3)) for seed in range(3))
    _, da, db = computed(lambda a, b: (a @ b) * c, Tensor(a), Tensor(b))
    np.testing.assert_allclose(da, c @ b.T, rtol=1e-12)
    np.testing.assert_allclose(db, a.T @ c, rtol=1e-12)


sizes = st.integers(0, 3)


@given(n=sizes, k=sizes, m=sizes, networks=st.none() | sizes, shared=st.booleans(), seed=seeds)
def test_affine_of_one_network_and_of_an_ensemble_with_or_without_inputs_of_its_own(
    n: int, k: int, m: int, networks: int | None, shared: bool, seed: int
) -> None:
    lead = () if networks is None else (networks,)
    check_op(
        ops.affine,
        lambda x, weight, bias: x @ weight + bias,
        spread(seed, (n, k) if shared else (*lead, n, k)),
        spread(seed + 1, (*lead, k, m)),
        spread(seed + 2, (m,) if networks is None else (*lead, 1, m)),
    )


def test_affine_of_one_network_on_a_stack_of_inputs() -> None:
    """Weight and bias get the sum over the stack."""
    x, weight, bias = spread(0, (2, 4, 3)), spread(1, (3, 2)), spread(2, (2,))
    check_op(ops.affine, lambda x, weight, bias: x @ weight + bias, x, weight, bias)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[((2, 3), (2, 3)), ((2,), (3, 2)), ((2, 3), (2,)), ((2,), (3,)), ((2, 1, 3), (3, 3, 1))],
        *[((), (2, 2)), ((2,), ()), ((), ())],
    ],
)
def test_shapes_that_do_not_fit_are_both_named(a: Any, b: Any) -> None:
    with pytest.raises(InputError) as caught:
        Tensor(np.ones(a)) @ Tensor(np.ones(b))
    assert str(caught.value).startswith(f"matmul of shapes {a} and {b}: ")


@pytest.mark.parametrize("wide", range(3))
def test_affine_does_not_promote_where_one_of_its_three_arrays_is_float64(wide: int) -> None:
    arrays = [
        Tensor(np.ones(shape), "float64" if i == wide else "float32")
        for i, shape in enumerate([(2, 3), (3, 4), (4,)])
    ]
    with pytest.raises(TypeError, match="float32.*float64|float64.*float32"):
        ops.affine(*arrays)

"""What data may be: every entry point takes the same, and refuses the same with one line."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from networks import assert_same_bits, refused
from scipy.sparse import csr_array

from scratchnet import Model, Tensor, accuracy, evaluate_loss, fit, mlp
from scratchnet.backends import InputError
from scratchnet.layer_statistics import layer_statistics
from scratchnet.program import recorded

GOOD_X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.5], [0.5, 0.5]])
GOOD_Y = np.array([0, 1, 1, 0])
BCE = "binary_cross_entropy"


def network(**options: Any) -> Model:
    return mlp((2, 3, 1), **options)


ENTRY_POINTS: dict[str, Callable[[Model, Any], Any]] = {
    "fit": lambda model, X: fit(model, X, GOOD_Y, epochs=1),
    "fit, validation": lambda model, X: fit(
        model, GOOD_X, GOOD_Y, epochs=1, validation=(X, GOOD_Y)
    ),
    "evaluate_loss": lambda model, X: evaluate_loss(model, X, GOOD_Y, BCE),
    "accuracy": lambda model, X: accuracy(model, X, GOOD_Y),
    "predict": lambda model, X: model.predict(X),
    "classify": lambda model, X: model.classify(X),
    "activations": lambda model, X: model.activations(X),
    "model(X)": lambda model, X: model(X),
    "layer_outputs": lambda model, X: list(model.layer_outputs(X)),
    "layer_statistics": lambda model, X: layer_statistics(model, X),
}


class Frame:
    """What a data frame is to NumPy: something that becomes an array, often one of objects."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.rows, dtype=object)


class Missing:
    """As pandas' NA: neither a number nor true or false."""

    def __repr__(self) -> str:
        return "<NA>"

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __eq__ = None  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Unreadable:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("needs a gradient,\nso detach it")


def with_value(value: Any, dtype: Any = None) -> Any:
    X = GOOD_X.astype(dtype or GOOD_X.dtype)
    X[2, 1] = value
    return X


def masked(masks: Any = ((0, 0), (0, 0), (0, 1), (0, 0))) -> Any:
    return np.ma.masked_array(GOOD_X, masks)


Bad = tuple[Callable[[], Any], tuple[str, ...]]

BAD_VALUES: dict[str, Bad] = {
    "NaN": (lambda: with_value(np.nan), ("X[2, 1] is nan", "must be finite")),
    "infinity": (lambda: with_value(-np.inf), ("X[2, 1] is -inf",)),
    "too large for float32": (lambda: with_value(1e39), ("X[2, 1] is 1e+39", "float32")),
    "NaN as an object": (lambda: with_value(float("nan"), object), ("X[2, 1] is nan",)),
    "a decimal NaN": (lambda: with_value(Decimal("NaN"), object), ("X[2, 1] is nan",)),
    "a number too large for a float": (lambda: with_value(10**400, object), ("X", "overflow")),
    "strings": (lambda: np.full((4, 2), "1.0"), ("X of type <U3", "must be real numbers")),
    "a string among numbers": (lambda: with_value("1", object), ("X[2, 1] is '1'", "real numbers")),
    "None": (lambda: [[1, 2], [1, None], [3, 4], [5, 6]], ("X[1, 1] is None",)),
    "a missing value of pandas": (
        lambda: Frame([[1, 2.0], [True, 0.5], [0, Missing()], [1, 1]]),
        ("X[2, 1] is <NA>", "real numbers"),
    ),
    "complex numbers": (lambda: GOOD_X + 1j, ("X of type complex128", "must be real numbers")),
    "a complex object": (lambda: with_value(2j, object), ("X[2, 1] is 2j",)),
    "dates": (lambda: GOOD_X.astype("datetime64[s]"), ("X of type datetime64[s]",)),
    "an unequal row": (lambda: [[1, 2], [3], [1, 2], [1, 2]], ("X", "rows differ in length")),
    "arrays as objects": (
        lambda: with_value(np.ones(3), object),
        ("X[2, 1] is array([1., 1., 1.])",),
    ),
    "nothing": (lambda: None, ("X of type NoneType",)),
    "a generator": (lambda: (row for row in GOOD_X), ("X of type generator",)),
    "a dictionary": (lambda: {"a": [1, 2]}, ("X of type dict",)),
    "a masked array": (masked, ("X is a masked array", "X.filled(0)")),
    "a masked array without a mask": (lambda: masked(False), ("X is a masked array",)),
    "masked rows in a list": (lambda: list(masked()), ("X is a masked array",)),
    "masked rows in a tuple of lists": (
        lambda: ([1, 2], [3, np.ma.masked], [1, 2], [1, 2]),
        ("X is a masked array",),
    ),
    "a masked row among objects": (
        lambda: np.array([*GOOD_X[:3].tolist(), [1, np.ma.masked]], object),
        ("X is a masked array",),
    ),
    "a sparse array": (lambda: csr_array(GOOD_X), ("X is a sparse array", "X.toarray()")),
    "what cannot be read": (Unreadable, ("X of type Unreadable", "needs a gradient, so detach it")),
}


@pytest.mark.parametrize("entry", ENTRY_POINTS)
@pytest.mark.parametrize("bad", BAD_VALUES)
def test_every_entry_point_refuses_every_bad_value(entry: str, bad: str) -> None:
    model = network(seed=1)
    before = model.parameter_buffer.copy()
    build, parts = BAD_VALUES[bad]
    with refused(*parts):
        ENTRY_POINTS[entry](model, build())
    assert_same_bits(model.parameter_buffer, before)


GOOD_VALUES: dict[str, Any] = {
    "lists": GOOD_X.tolist(),
    "tuples of arrays": tuple(GOOD_X),
    "float16": GOOD_X.astype(np.float16),
    "long double": GOOD_X.astype(np.longdouble),
    "another memory order": np.asfortranarray(GOOD_X),
    "objects": GOOD_X.astype(object),
    "a frame of mixed columns": Frame([[False, 1], [True, 2.0], [2, 0.5], [0.5, np.float32(0.5)]]),
    "NumPy's scalars": Frame(
        [[np.bool_(False), np.int8(1)], [np.uint64(1), 2], [2, 0.5], [np.float64(0.5), 0.5]]
    ),
    "fractions and decimals": Frame(
        [[0, 1], [1, Decimal(2)], [2, Fraction(1, 2)], [Fraction(1, 2), Decimal("0.5")]]
    ),
    "a tensor": Tensor(GOOD_X.astype(np.float32)),
}


@pytest.mark.parametrize("entry", ENTRY_POINTS)
@pytest.mark.parametrize("good", GOOD_VALUES)
def test_every_entry_point_takes_what_is_a_table_of_numbers(entry: str, good: str) -> None:
    one, other = network(), network()
    found = ENTRY_POINTS[entry](one, GOOD_VALUES[good])
    expected = ENTRY_POINTS[entry](other, GOOD_X)
    assert_same_bits(one.parameter_buffer, other.parameter_buffer)
    if isinstance(expected, np.ndarray):
        assert_same_bits(found, expected)


TAKE_TENSORS_AS_THEY_ARE = ("model(X)", "layer_outputs", "layer_statistics")
"""So that a step, and the search for the layer that diverged, work with tensors of their own."""


@pytest.mark.parametrize("entry", sorted(ENTRY_POINTS.keys() - {*TAKE_TENSORS_AS_THEY_ARE}))
def test_other_entry_points_look_into_tensors_and_convert_them(entry: str) -> None:
    with refused("X[2, 1] is nan"):
        ENTRY_POINTS[entry](network(), Tensor(with_value(np.nan)))
    ENTRY_POINTS[entry](network(), Tensor(GOOD_X, "float64"))


@pytest.mark.parametrize("column", [[True, False, True, True], [1, 0, 2**40, 3]])
def test_objects_of_one_kind_keep_their_kind(column: list[Any]) -> None:
    """A loss of one's own gets whole targets as whole numbers, also from an array of objects."""
    seen = []

    def own(outputs: Tensor, targets: Any) -> Tensor:
        seen.append(np.array(targets))
        return (outputs * 0.0).mean()

    fit(network(), GOOD_X, np.array(column, object), loss=own, epochs=1)
    assert seen[0].dtype == np.array(column).dtype and seen[0].ravel().tolist() == column


def test_a_recorded_step_takes_arrays_of_the_backend_as_they_are() -> None:
    """Only outside are values looked at: inside, a replay would not look again."""
    model = network(backend="numpy")
    step = recorded(lambda X: model(X).sum(), model)
    for _ in range(3):
        assert np.isnan(step(with_value(np.nan).astype(np.float32)).item())
    with refused("X[2, 1] is nan"):
        model(with_value(np.nan))


# Labels


def binary(**options: Any) -> Model:
    """One input, which is the output."""
    model = mlp((1, 1), **options)
    model.parameter_buffer[...] = [1, 0]
    return model


def of_three(**options: Any) -> Model:
    """One input x, and outputs of which that of class 0, 1 and 2 is largest for x = -1, 0, 1."""
    model = mlp((1, 3), **options)
    model.parameter_buffer[...] = [-1, 0, 1, 0, 0.5, 0]
    return model


LABEL_CHECKS: dict[str, Callable[[Model, Any, Any], Any]] = {
    "fit": lambda model, X, y: fit(model, X, y, epochs=1, loss=loss_for(model)),
    "validation": lambda model, X, y: fit(
        model, X3, [0, 1, 0], epochs=1, loss=loss_for(model), validation=(X, y)
    ),
    "evaluate_loss": lambda model, X, y: evaluate_loss(model, X, y, loss_for(model)),
    "accuracy": accuracy,
}


def loss_for(model: Model) -> str:
    return BCE if model.layers[-1].fan_out == 1 else "softmax_cross_entropy"  # type: ignore[attr-defined]


X3 = np.array([[-1.0], [0.0], [1.0]])
NOT_MASKED = np.ma.masked_array([0, 1, 1])

BAD_LABELS: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
    "-1 and 1": ([-1, 1, 1], ("label -1", "must be 0 or 1"), ("label -1", "must be 0 or 1")),
    "NaN": ([0, 1, np.nan], ("y[2] is nan",), ("y[2] is nan",)),
    "strings": (["a", "b", "a"], ("y of type <U1",), ("y of type <U1",)),
    "string objects": (np.array(["a", "b", "a"], object), ("y[0] is 'a'",), ("y[0] is 'a'",)),
    "None": ([0, None, 1], ("y[1] is None",), ("y[1] is None",)),
    "missing": (Frame([0, Missing(), 1]), ("y[1] is <NA>",), ("y[1] is <NA>",)),
    "complex": ([0j, 1, 1], ("y of type complex128",), ("y of type complex128",)),
    "masked": (NOT_MASKED, ("y is a masked array",), ("y is a masked array",)),
    "masked in a list": ([0, 1, np.ma.masked], ("y is a masked array",), ("y is a masked array",)),
    "three classes, or four": (
        [0, 1, 2, 3],
        ("label 3", "one output", "4 classes", "softmax_cross_entropy"),
        ("label 3", "from 0 to 2", "3 outputs"),
    ),
    "one-hot": (
        np.eye(3),
        ("(3, 3)", "one-hot", "y.argmax(axis=1)"),
        ("(3, 3)", "one-hot", "y.argmax(axis=1)"),
    ),
    "too few": ([0, 1], ("(3, 1)", "(2,)"), ("(3, 1)", "(2,)")),
    "none": ([], ("no samples",), ("no samples",)),
    "a number": (1, ("()",), ("()",)),
    "a row": ([[0, 1, 1]], ("(1, 3)",), ("(1, 3)",)),
}


@pytest.mark.parametrize("ensemble", [None, 2])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("entry", LABEL_CHECKS)
@pytest.mark.parametrize("bad", BAD_LABELS)
def test_every_entry_point_refuses_other_labels(
    bad: str, entry: str, outputs: int, ensemble: int | None
) -> None:
    y, *lines = BAD_LABELS[bad]
    model = (binary if outputs == 1 else of_three)(ensemble=ensemble)
    X = X3
    if bad == "three classes, or four":
        X = X3[[0, 1, 2, 2]]
    with refused(*lines[outputs > 1]):
        LABEL_CHECKS[entry](model, X, y)


@pytest.mark.parametrize("y", [[0, 0.5, 1], [0, 0, 2], [0, 0, -1]])
@pytest.mark.parametrize("loss", ["hinge", None])
def test_labels_of_one_output_are_0_and_1(y: Any, loss: str | None) -> None:
    wrong = next(value for value in y if value not in (0, 1))
    with refused(f"label {wrong}", "must be 0 or 1"):
        fit(binary(), X3, y, loss=loss, epochs=1) if loss else accuracy(binary(), X3, y)


@pytest.mark.parametrize(("make", "ends"), [(binary, "1 output"), (of_three, "3 outputs")])
def test_the_number_of_outputs_is_named(make: Any, ends: str) -> None:
    with pytest.raises(InputError, match=f"since the model has {ends}$"):
        accuracy(make(), X3, [0, 0, -1])


def test_a_single_output_for_softmax_is_refused_with_the_loss_that_is_meant() -> None:
    with refused("softmax_cross_entropy with one output", "binary_cross_entropy"):
        fit(binary(), X3, [0, 1, 1], loss="softmax_cross_entropy", epochs=1)


SHAPES: dict[str, Callable[[Any], Any]] = {
    "(N,)": lambda y: y,
    "(N, 1)": lambda y: y[:, None],
    "a list": lambda y: y.tolist(),
    "floats": lambda y: y.astype(float),
    "unsigned": lambda y: y.astype(np.uint8),
    "objects": lambda y: y.astype(object),
    "a frame with a column": lambda y: Frame(y[:, None].tolist()),
    "a tensor": lambda y: Tensor(y.astype(float)),
}


@pytest.mark.parametrize("entry", LABEL_CHECKS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("make", [binary, of_three])
@pytest.mark.parametrize("ensemble", [None, 2])
def test_every_entry_point_takes_labels_of_every_shape(
    entry: str, shape: str, make: Callable[..., Model], ensemble: int | None
) -> None:
    y = np.array([0, 0, 1] if make is binary else [0, 1, 2])
    models = make(ensemble=ensemble), make(ensemble=ensemble)
    found = LABEL_CHECKS[entry](models[0], X3, SHAPES[shape](y))
    expected = LABEL_CHECKS[entry](models[1], X3, y)
    if entry == "accuracy":
        assert np.all(found == 1)
    if isinstance(expected, np.ndarray):
        assert_same_bits(found, expected)
    assert_same_bits(models[0].parameter_buffer, models[1].parameter_buffer)


def test_labels_of_each_networks_own() -> None:
    y = np.array([[0, 1, 2], [2, 1, 2]])
    for labels in (y, y[..., None]):
        assert accuracy(of_three(ensemble=2), X3, labels).tolist() == [1, pytest.approx(2 / 3)]
    assert accuracy(binary(ensemble=2), X3, y > 1).tolist() == [1, pytest.approx(2 / 3)]
    with refused("one-hot", "y.argmax(axis=2)"):
        accuracy(of_three(ensemble=2), X3, np.stack([np.eye(3)] * 2))

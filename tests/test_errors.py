"""Bad input: one line that names the thing, the value and what is accepted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from networks import refused, two_classes

from scratchnet import (
    BatchNorm,
    Dropout,
    Linear,
    Model,
    ReLU,
    Residual,
    Sequential,
    Tensor,
    evaluate_loss,
    fit,
    mlp,
)

X, y = two_classes(6)


def fitted(model: Model | None = None, X: Any = X, y: Any = y, **options: Any) -> Any:
    return fit(model or mlp((2, 3, 1)), X, y, **options)


def with_value(value: float, place: tuple[int, ...]) -> Any:
    changed = X.copy()
    changed[place] = value
    return changed


Case = tuple[Callable[[], Any], tuple[str, ...]]

SHAPES: dict[str, Case] = {
    "inputs of another width": (
        lambda: mlp((2, 3, 1)).predict(np.zeros((4, 5))),
        ("Linear(2 -> 3)", "(4, 5)", "(N, 2)"),
    ),
    "a vector": (lambda: mlp((2, 3, 1)).predict(np.zeros(2)), ("Linear(2 -> 3)", "(2,)")),
    "a number": (lambda: mlp((2, 3, 1)).predict(1.0), ("Linear(2 -> 3)", "()")),
    "layers that do not meet": (
        lambda: Model(Linear(2, 3), ReLU(), Linear(4, 1)).predict(X),
        ("Linear(4 -> 1)", "(6, 3)", "(N, 4)"),
    ),
    "inputs of another ensemble": (
        lambda: mlp((2, 1), ensemble=3).predict(np.zeros((2, 4, 2))),
        ("Linear(2 -> 1)", "(2, 4, 2)", "3 networks"),
    ),
    "BatchNorm of another width": (
        lambda: Model(Linear(2, 3), BatchNorm(4)).predict(X),
        ("BatchNorm(4)", "(6, 3)", "(N, 4)"),
    ),
    "BatchNorm of another ensemble": (
        lambda: Model(BatchNorm(2), ensemble=3)(np.zeros((2, 4, 2))),
        ("BatchNorm(2)", "(2, 4, 2)", "3 networks"),
    ),
    "BatchNorm of one network with an axis more": (
        lambda: Model(BatchNorm(2))(np.zeros((3, 4, 2))),
        ("BatchNorm(2)", "(3, 4, 2)", "(N, 2)"),
    ),
    "residual that changes the width": (
        lambda: Model(Residual(Linear(2, 3))).predict(X),
        ("Residual(Linear(2 -> 3))", "(6, 2)", "(6, 3)"),
    ),
    "X as a vector": (lambda: fitted(X=X[:, 0]), ("X of shape (6,)", "(N, inputs)")),
    "X of each network for one": (
        lambda: fitted(X=np.stack([X, X])),
        ("X of shape (2, 6, 2)", "(N, inputs)"),
    ),
    "X of another ensemble": (
        lambda: fitted(mlp((2, 1), ensemble=3), X=np.stack([X, X])),
        ("X of shape (2, 6, 2)", "(3, N, inputs)"),
    ),
    "X of another width": (lambda: fitted(X=np.zeros((6, 5))), ("Linear(2 -> 3)", "(N, 2)")),
    "y too short": (lambda: fitted(y=y[:4]), ("X of shape (6, 2)", "y of shape (4,)")),
    "y too wide": (
        lambda: fitted(y=np.zeros((6, 2))),
        ("targets of shape (6, 2)", "outputs of shape (6, 1)"),
    ),
    "y of another ensemble": (
        lambda: fitted(mlp((2, 1), ensemble=3), y=np.zeros((2, 6, 1))),
        ("targets of shape (2, 6, 1)", "outputs of shape (3, 6, 1)"),
    ),
    "y as a number": (lambda: fitted(y=1), ("X of shape (6, 2)", "y of shape ()")),
    "validation of another width": (
        lambda: fitted(validation=(np.zeros((6, 5)), y)),
        ("validation", "Linear(2 -> 3)", "(1, 5)"),
    ),
    "validation without labels": (lambda: fitted(validation=X), ("validation", "(X, y)")),
}

VALUES: dict[str, Case] = {
    "NaN in X": (lambda: fitted(X=with_value(np.nan, (3, 1))), ("X[3, 1] is nan", "finite")),
    "infinity in X": (lambda: fitted(X=with_value(-np.inf, (0, 0))), ("X[0, 0] is -inf",)),
    "X too large for float32": (
        lambda: fitted(X=with_value(1e39, (5, 0))),
        ("X[5, 0] is 1e+39", "float32"),
    ),
    "NaN in y": (
        lambda: fitted(y=[0, 1, np.nan, 0, 0, 0], loss="mean_squared_error"),
        ("y[2] is nan",),
    ),
    "NaN in the validation": (
        lambda: fitted(validation=(with_value(np.nan, (0, 1)), y)),
        ("validation", "X[0, 1] is nan"),
    ),
    "no samples": (lambda: fitted(X=np.zeros((0, 2)), y=[]), ("(0, 2)", "no samples")),
    "no samples as a list": (lambda: fitted(X=[], y=[]), ("X of shape (0,)",)),
    "no targets": (lambda: fitted(y=[]), ("y of shape (0,)", "no samples")),
    "X of words": (lambda: fitted(X=[["a", "b"]] * 6), ("X of type <U1", "numbers")),
    "X with a gap": (lambda: fitted(X=[[1, None]] * 6), ("X[0, 1] is None", "real numbers")),
    "X of unequal rows": (lambda: fitted(X=[[1, 2], [3]]), ("X is not a table of numbers",)),
    "complex X": (lambda: fitted(X=X + 1j), ("X of type complex128", "numbers")),
    "a target 2": (lambda: fitted(y=y * 2), ("target 2", "must be from 0 to 1")),
    "a target below 0": (lambda: fitted(y=y - 0.25), ("target -0.25", "must be from 0 to 1")),
    "a target above 1": (lambda: fitted(y=y * 1.0001), ("target 1.0001", "must be from 0 to 1")),
    "a label -1": (lambda: fitted(y=y * 2 - 1, loss="hinge"), ("label -1", "must be 0 or 1")),
    "half a label": (lambda: fitted(y=y / 2, loss="hinge"), ("label 0.5", "must be 0 or 1")),
    "a target in the validation": (
        lambda: fitted(validation=(X, y + 1)),
        ("validation", "target 2", "must be from 0 to 1"),
    ),
    "a class too many": (
        lambda: fitted(mlp((2, 3)), y=y + 2, loss="softmax_cross_entropy"),
        ("label 3", "from 0 to 2", "3 outputs"),
    ),
    "a negative class": (
        lambda: fitted(mlp((2, 3)), y=y - 1, loss="softmax_cross_entropy"),
        ("label -1", "from 0 to 2"),
    ),
    "half a class": (
        lambda: fitted(mlp((2, 3)), y=y / 2, loss="softmax_cross_entropy"),
        ("label 0.5", "whole numbers"),
    ),
    "an unknown class in an evaluation": (
        lambda: evaluate_loss(mlp((2, 3)), X, y + 2, "softmax_cross_entropy"),
        ("label 3", "from 0 to 2"),
    ),
    "NaN in an evaluation": (
        lambda: evaluate_loss(mlp((2, 1)), with_value(np.nan, (0, 0)), y, "hinge"),
        ("X[0, 0] is nan",),
    ),
}

NAMES: dict[str, Case] = {
    "activation": (
        lambda: mlp((2, 3, 1), "rellu"),
        ("unknown activation 'rellu'", "softplus", "did you mean 'relu'?"),
    ),
    "initialiser": (
        lambda: mlp((2, 3, 1), init="xavier"),
        ("unknown initialiser 'xavier'", "he_uniform", "did you mean 'xavier_"),
    ),
    "loss": (
        lambda: fitted(loss="hinj"),
        ("unknown loss 'hinj'", "mean_squared_error", "did you mean 'hinge'?"),
    ),
    "loss of no name": (lambda: fitted(loss=None), ("unknown loss None", "hinge")),
    "backend": (
        lambda: mlp((2, 1), backend="nunpy"),
        ("unknown backend 'nunpy'", "auto", "did you mean 'numpy'?"),
    ),
    "dtype": (lambda: mlp((2, 1), dtype="float16"), ("float16", "must be float32 or float64")),
    "activation far from all": (
        lambda: mlp((2, 3, 1), "qqq"),
        ("unknown activation 'qqq'", "known are relu,"),
    ),
}

SETTINGS: dict[str, Case] = {
    "one width": (lambda: mlp((2,)), ("(2,)", "inputs and the outputs")),
    "no widths": (lambda: mlp([]), ("[]", "inputs and the outputs")),
    "widths as a number": (lambda: mlp(5), ("widths 5",)),  # type: ignore[arg-type]
    "widths as words": (lambda: mlp("2,3,1"), ("2,3,1",)),  # type: ignore[arg-type]
    "width 0": (lambda: mlp((2, 0, 1)), ("width", "is 0", "from 1")),
    "width -3": (lambda: mlp((2, -3, 1)), ("width", "is -3")),
    "width 2.5": (lambda: mlp((2, 2.5, 1)), ("width", "is 2.5")),  # type: ignore[arg-type]
    "width True": (lambda: mlp((2, True, 1)), ("width", "is True")),
    "Linear of 0": (lambda: Linear(0, 2), ("fan_in of Linear is 0", "from 1")),
    "Linear to 0": (lambda: Linear(2, 0), ("fan_out of Linear is 0", "from 1")),
    "BatchNorm of 0": (lambda: BatchNorm(0), ("features of BatchNorm is 0",)),
    "BatchNorm momentum": (lambda: BatchNorm(2, momentum=1.5), ("momentum", "1.5", "from 0 to 1")),
    "BatchNorm epsilon": (lambda: BatchNorm(2, epsilon=-1), ("epsilon of BatchNorm is -1",)),
    "dropout 1": (lambda: Dropout(1), ("dropout rate is 1", "from 0 to below 1")),
    "dropout -0.1": (lambda: mlp((2, 3, 1), dropout=-0.1), ("dropout rate is -0.1",)),
    "dropout nan": (lambda: Dropout(float("nan")), ("dropout rate is nan",)),
    "no layers": (lambda: Model(), ("zero layers",)),
    "no layers inside": (lambda: Residual(), ("zero layers",)),
    "a class instead of a layer": (
        lambda: Sequential(Linear(2, 2), ReLU),  # type: ignore[arg-type]
        ("ReLU", "must be layers"),
    ),
    "negative seed": (lambda: mlp((2, 1), seed=-1), ("seed is -1", "from 0")),
    "fractional seed": (lambda: mlp((2, 1), seed=0.5), ("seed is 0.5",)),  # type: ignore[arg-type]
    "ensemble of 0": (lambda: mlp((2, 1), ensemble=0), ("ensemble is 0", "from 1")),
    "negative epochs": (lambda: fitted(epochs=-1), ("epochs is -1", "from 0")),
    "fractional epochs": (lambda: fitted(epochs=1.5), ("epochs is 1.5",)),
    "batch_size 0": (lambda: fitted(batch_size=0), ("batch_size is 0", "from 1")),
    "batch_size -4": (lambda: fitted(batch_size=-4), ("batch_size is -4",)),
    "clip_norm in words": (lambda: fitted(clip_norm="1"), ("clip_norm is '1'", "above 0")),
    "a callback that is none": (lambda: fitted(callbacks=[3]), ("callbacks is [3]", "functions")),
    "callbacks in words": (lambda: fitted(callbacks="ab"), ("callbacks is 'ab'", "functions")),
    "callbacks None": (lambda: fitted(callbacks=None), ("callbacks is None", "functions")),
    "clip_norm 0": (lambda: fitted(clip_norm=0), ("clip_norm is 0", "above 0")),
    "patience 0": (lambda: fitted(patience=0, validation=(X, y)), ("patience is 0", "from 1")),
    "patience with nothing to watch": (
        lambda: fitted(patience=3),
        ("patience is 3", "validation=(X, y)"),
    ),
    "a batch of one for BatchNorm": (
        lambda: fitted(mlp((2, 3, 1), batch_norm=True), batch_size=5),
        ("batches of 5 from 6 samples", "layer 1, BatchNorm(3)", "batch_size"),
    ),
    "a sample of one for BatchNorm": (
        lambda: fitted(mlp((2, 2, 1), batch_norm=True, residual=True), X=X[:1], y=y[:1]),
        ("1 samples", "layer 0.1, BatchNorm(2)"),
    ),
    "another model's optimizer": (
        lambda: fitted(optimizer=__import__("scratchnet").Adam(mlp((2, 1)))),
        ("optimizer belongs to another model",),
    ),
    "a layer of two models": (
        lambda: Model(*mlp((2, 1)).layers),
        ("Linear(2 -> 1)", "belongs to a model already"),
    ),
    "a layer of no model": (
        lambda: Linear(2, 1)(Tensor(X)),
        ("Linear(2 -> 1)", "give it to a Model"),
    ),
    "BatchNorm of no model": (lambda: BatchNorm(2)(Tensor(X)), ("BatchNorm(2)", "a Model")),
    "Dropout of no model": (lambda: Dropout(0.5)(Tensor(X)), ("Dropout(0.5)", "a Model")),
}

CASES = {
    f"{kind}: {name}": case
    for kind, table in {
        "shape": SHAPES,
        "value": VALUES,
        "name": NAMES,
        "setting": SETTINGS,
    }.items()
    for name, case in table.items()
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_names_the_thing_the_value_and_what_is_accepted(case: str) -> None:
    call, parts = CASES[case]
    with refused(*parts):
        call()

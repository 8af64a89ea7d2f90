"""Accuracies and the trained model, beside an evaluation in eval mode and a training in its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from scratchnet import Adam, BatchNorm, Dropout, Linear, Model, ReLU
from scratchnet.datasets import circles
from scratchnet.demos.learn.answers import compare_numbers, row
from scratchnet.demos.learn.wrong import Wrong, is_close
from scratchnet.losses import binary_cross_entropy

EPOCHS = 8


def network() -> Model:
    """2 inputs, 16 ReLUs with BatchNorm and Dropout, 1 logit; always the same initial weights."""
    return Model(Linear(2, 16), BatchNorm(16), ReLU(), Dropout(0.4), Linear(16, 1), seed=1)


def check(learner: Any) -> None:
    """Raise `Wrong` unless steps run in training mode, and evaluations in eval mode."""
    X, y = circles(60, noise=0.15, seed=0)
    X_test, y_test = circles(90, noise=0.15, seed=1)
    data = (X, y, X_test, y_test)
    model = network().eval()
    copies = [each.copy() for each in data]
    found = row(learner.train(model, *copies, EPOCHS), "what train returns")
    right, reference = train(data)
    if len(found) != EPOCHS:
        raise Wrong(f"train returns {len(found)} numbers for {EPOCHS} epochs: must be {EPOCHS}")
    state, wanted = model.state_dict(), reference.state_dict()
    check_weights(state, wanted, data)
    check_averages(state, wanted)
    mistakes = [
        ("not mended, the model evaluates in training mode", train(data, "noisy")[0]),
        ("this is the accuracy on the training set", train(data, "on training data")[0]),
        ("this is the share of errors", 1 - right),
        ("a logit above 0 means class 1, not one above 1/2", train(data, "half")[0]),
    ]
    compare_numbers(found, right, "the accuracy after an epoch", mistakes)


def check_weights(state: Any, wanted: Any, data: Any) -> None:
    """The weights must be those of a training in training mode."""
    name = "4.weight"
    if is_close(state[name], wanted[name], 1e-3):
        return
    i = int(np.argmax(np.abs(state[name] - wanted[name])))
    now, right = float(state[name][i, 0]), float(wanted[name][i, 0])
    one = f"{name}[{i}, 0] is {now:.4g} after training, must be {right:.4g}"
    for kind, sentence in (
        ("eval only", "the training runs in eval mode, without Dropout"),
        ("eval once", "after the first evaluation the model stays in eval mode: switch it back"),
        ("noisy", "not mended, an evaluation in training mode draws from Dropout"),
        (
            "noisy on training data",
            "the accuracy is taken on the training set, and in training mode",
        ),
        ("ten times", "an evaluation in training mode, however often, draws from Dropout"),
        ("no dropout", "the training goes without Dropout"),
        ("no step", "nothing is learned, the weights are the initial ones"),
    ):
        if is_close(state[name], train(data, kind)[1].state_dict()[name], 1e-3):
            raise Wrong(f"{one}: {sentence}")
    raise Wrong(f"{one}: the training itself has changed")


def check_averages(state: Any, wanted: Any) -> None:
    """BatchNorm's running averages must have seen the training batches alone."""
    names = [
        name for name in wanted if name.startswith("1.") and name not in ("1.weight", "1.bias")
    ]
    for name in names:
        if not is_close(np.ravel(state[name]), np.ravel(wanted[name]), 1e-3):
            raise Wrong(
                f"BatchNorm's {name.partition('.')[2]} has {np.ravel(state[name])[0]:.4g} in its "
                f"first entry, must be {np.ravel(wanted[name])[0]:.4g}: an evaluation in training "
                "mode moves it towards the test set"
            )


def train(data: Any, kind: str = "") -> tuple[Any, Model]:
    """The accuracies and the model of a training with a mistake of this kind, or of a right one."""
    X, y, X_test, y_test = data
    model = network()
    if kind == "no dropout":
        next(each for each in model.layers if isinstance(each, Dropout)).rate = 0.0
    optimizer = Adam(model, 0.01)
    found = []
    for epoch in range(EPOCHS):
        model.train(kind != "eval only" and not (kind == "eval once" and epoch))
        binary_cross_entropy(model(X), y).backward()
        if kind != "no step":
            optimizer.step()
        on = (X, y) if kind.endswith("on training data") else (X_test, y_test)
        times = 10 if kind == "ten times" else int(kind.startswith("noisy"))
        noisy = [model(on[0]).numpy() for _ in range(times)]
        outputs = np.mean(noisy, axis=0) if noisy else model.predict(on[0])
        above = 0.5 if kind == "half" else 0
        found.append(float(((outputs[:, 0] > above) == (on[1] == 1)).mean()))
    return np.array(found), model

"""What an output means: the threshold between classes follows from the loss, and is kept."""

import copy
import pickle
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import refused, two_classes

from scratchnet import (
    Adam,
    Layer,
    Linear,
    Model,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    Tensor,
    accuracy,
    fit,
    mlp,
)
from scratchnet.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from scratchnet.compacting import compact
from scratchnet.datasets import xor
from scratchnet.losses import LOSSES, huber, mean_squared_error

X, Y = two_classes(12)
OF_TARGETS = ("mean_squared_error", "mean_absolute_error", "huber")
OF_LOGITS = ("binary_cross_entropy", "hinge")


def identity(*layers: Layer, **options: Any) -> Model:
    """One input, and its value as the output, or as the input of the layers that follow."""
    model = Model(Linear(1, 1), *layers, **options)
    model.parameter_buffer[...] = [1, 0]
    return model


def trained(loss: Any, y: Any = Y, **options: Any) -> Model:
    model = mlp((2, 3, 1), **options)
    fit(model, X, y, loss=loss, epochs=1)
    return model


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "mean_squared_error", "huber"])
def test_a_solved_xor_scores_1_whatever_the_loss(loss: str) -> None:
    points, y = xor()
    model = mlp((2, 8, 1), "tanh", seed=1)
    fit(model, points, y, loss=loss, optimizer=Adam(model, 0.03), epochs=600)
    assert accuracy(model, points, y) == 1
    assert model.classify(points).tolist() == np.ravel(y).tolist()


@pytest.mark.parametrize("ensemble", [None, 2])
def test_the_threshold_follows_from_the_loss(ensemble: int | None) -> None:
    for name in OF_LOGITS:
        model = trained(name, ensemble=ensemble)
        assert (model.loss, model.threshold) == (name, 0.0)
    for name in OF_TARGETS:
        model = trained(name, ensemble=ensemble)
        assert (model.loss, model.threshold) == (name, 0.5)
        assert trained(name, 2 * Y - 1, ensemble=ensemble).threshold == 0.0
        assert trained(name, X[:, 0], ensemble=ensemble).threshold is None
    assert set(LOSSES) == {*OF_LOGITS, *OF_TARGETS, "softmax_cross_entropy"}
    assert trained(partial(huber, delta=0.1)).threshold == 0.5
    assert trained(partial(huber, delta=0.1)).loss == "huber"


def test_a_model_without_a_loss_is_cut_at_0_and_probabilities_at_a_half() -> None:
    points = [[-1.0], [0.0], [0.4], [3.0]]
    assert identity().classify(points).tolist() == [0, 0, 1, 1]
    for last in (Sigmoid(), Sequential(Tanh(), Sigmoid())):
        assert identity(last).threshold == 0.5
        assert identity(last).classify(points).tolist() == [0, 0, 1, 1]
    found = identity(ensemble=2).classify(points)
    assert found.tolist() == [[0, 0, 1, 1]] * 2 and found.dtype == np.int64


def test_several_outputs_give_the_class_of_the_largest() -> None:
    model = Model(Linear(1, 3))
    model.parameter_buffer[...] = [-1, 0, 1, 0, 0.5, 0]
    assert model.classify([[-1.0], [0.0], [1.0]]).tolist() == [0, 1, 2]


def test_accuracy_takes_the_threshold_of_a_loss_that_it_is_given() -> None:
    points = [[-1.0], [0.25], [0.75], [3.0]]
    assert accuracy(identity(), points, [0, 0, 1, 1]) == 0.75
    for name in OF_TARGETS:
        assert accuracy(identity(), points, [0, 0, 1, 1], loss=name) == 1
    model = identity()
    model.threshold = 0.5
    assert accuracy(model, points, [0, 0, 1, 1]) == 1
    assert accuracy(model, points, [0, 1, 1, 1], "hinge") == 1


def test_where_targets_are_no_labels_one_line_says_how_to_name_a_threshold() -> None:
    model = trained("mean_squared_error", X[:, 0])
    for call in (lambda m: m.classify(X), lambda m: accuracy(m, X, Y)):
        with refused("model.threshold", "'binary_cross_entropy'"):
            call(model)
    assert accuracy(model, X, Y, loss="huber").shape == ()
    model.threshold = 0.0
    assert model.classify(X).shape == (12,)


def test_a_loss_of_ones_own_keeps_its_name_and_is_cut_at_0_unless_another_is_named() -> None:
    def own(outputs: Tensor, targets: Any) -> Tensor:
        return mean_squared_error(outputs, targets)

    model = trained(own)
    assert (model.loss, model.threshold) == ("own", 0.0)
    fitted = identity()
    fit(fitted, [[0.0], [0.75]], [0, 1], loss=own, epochs=1)
    fitted.parameter_buffer[...] = [1, 0]
    points, y = [[0.25], [0.75]], [0, 1]
    assert (accuracy(fitted, points, y), accuracy(fitted, points, y, "huber")) == (0.5, 1)


def test_a_refused_fit_keeps_the_meaning() -> None:
    model = trained("mean_squared_error")
    with refused("label 2"):
        fit(model, X, Y * 2, loss="hinge")
    assert (model.loss, model.threshold) == ("mean_squared_error", 0.5)


@pytest.mark.parametrize("loss", [*OF_LOGITS, "softmax_cross_entropy"])
@pytest.mark.parametrize("last", [Sigmoid, Softplus, ReLU])
def test_an_output_that_is_never_negative_under_a_loss_of_logits_is_warned_of_once(
    loss: str, last: type[Layer]
) -> None:
    model = Model(Linear(2, 2 if loss[0] == "s" else 1), Sequential(last()))
    with pytest.warns(UserWarning, match=f"ends in {last.__name__}.*{loss} takes logits") as seen:
        fit(model, X, Y, loss=loss, epochs=2)
    assert len(seen) == 1 and "\n" not in str(seen[0].message)


def test_other_ends_are_not_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(Model(Linear(2, 1), Sigmoid()), X, Y, loss="mean_squared_error", epochs=1)
        fit(Model(Linear(2, 1), Tanh()), X, Y, epochs=1)
        trained("hinge")


def test_probabilities_under_a_loss_of_logits_are_told_apart_at_a_half() -> None:
    points = np.linspace(-3, 3, 20)[:, None]
    model = identity(Sigmoid())
    with pytest.warns(UserWarning, match=r"at 0\.5"):
        fit(model, points, points[:, 0] > 0, epochs=1)
    assert accuracy(model, points, points[:, 0] > 0) == 1


def test_copies_networks_and_files_keep_the_meaning(tmp_path: Path) -> None:
    model = trained("mean_squared_error")
    ensemble = trained("mean_squared_error", ensemble=2)
    save_model(tmp_path / "model", model)
    save_model(tmp_path / "network", ensemble, network=1)
    optimizer = Adam(model)
    save_checkpoint(tmp_path / "checkpoint", model, optimizer, 1)
    resumed = mlp((2, 3, 1))
    load_checkpoint(tmp_path / "checkpoint", resumed, Adam(resumed))
    for each in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        model.repeated(3),
        ensemble.network(1),
        compact(model),
        load_model(tmp_path / "model"),
        load_model(tmp_path / "network"),
        resumed,
    ):
        assert (each.loss, each.threshold) == ("mean_squared_error", 0.5)
    model.threshold = None
    save_model(tmp_path / "model", model)
    assert load_model(tmp_path / "model").threshold is None

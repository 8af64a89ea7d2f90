"""What each layer of a network puts out: its outputs, and numbers that sum them up.

Three of the numbers show how a deep network fails before it learns: a standard deviation that
shrinks or grows from layer to layer, units that are zero on every input, and outputs that vary in
fewer and fewer directions (a falling effective rank).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from scratchnet.backends import InputError
from scratchnet.backends.errors import positive_whole
from scratchnet.layers import Linear
from scratchnet.model import Model, evaluating


def hidden_layers(model: Model) -> tuple[str, ...]:
    """The name of each hidden layer's last part, which is the one whose output the next layer sees.

    A hidden layer is a Linear, or a block that holds one (such as `Residual`), with all that
    follows it up to the next (BatchNorm, activation, Dropout). The last one is the output layer and
    is left out, so a network 2-[32]*8-1 has eight names, whatever its layers are made of.
    """
    ends: list[str] = []
    before = ""
    for name, layer in model.root.children().items():
        if any(isinstance(each, Linear) for _, each in layer.walk()):
            ends.append(before)
        before = name
    return tuple(ends[1:])


def hidden_outputs(model: Model, X: Any) -> list[Any]:
    """The output of each hidden layer for X, in eval mode and without a graph.

    NumPy arrays of shape (N, units), or (E, N, units) for an ensemble, one for each name in
    `hidden_layers`. X is (N, inputs), or (E, N, inputs) for an ensemble.
    """
    outputs = model.activations(X)
    return [outputs[name] for name in hidden_layers(model)]


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """Numbers that sum up a layer's outputs for N inputs; arrays of shape (), or (E,)."""

    name: str
    layer: str
    units: int
    mean: Any
    """Over all inputs and units."""
    standard_deviation: Any
    """Over all inputs and units, about `mean`, divided by their number."""
    zero_share: Any
    """The share of outputs that are exactly 0: about a half in a healthy ReLU layer."""
    dead_units: Any
    """The number of units that are 0 on *every* input.

    Such a ReLU gets no gradient from these inputs. This is not the share of zeros: where each unit
    is 0 on half of the inputs, half of the outputs are zero and no unit is dead.
    """
    effective_rank: Any
    """`effective_rank` of the outputs as a matrix (N, units), not centred."""

    @property
    def dead_share(self) -> Any:
        """The share of units that are dead."""
        return self.dead_units / self.units


STATISTICS = ("mean", "standard_deviation", "zero_share", "dead_units", "effective_rank")
"""The numbers of `LayerStatistics`, by name; `dead_share` follows from `dead_units`."""


def layer_statistics(model: Model, X: Any) -> list[LayerStatistics]:
    """The statistics of every layer of the model for X, in eval mode and without a graph.

    One entry for each of `model.layers`, in order, so a Linear and the ReLU behind it have one
    each; `hidden_statistics` gives those of whole hidden layers. X is (N, inputs), or
    (E, N, inputs) for an ensemble. A network whose outputs are not all finite has NaN for mean,
    standard deviation and effective rank.
    """
    return list(_statistics(model, X))


def hidden_statistics(model: Model, X: Any) -> list[LayerStatistics]:
    """The statistics of the hidden layers' outputs alone, one for each name in `hidden_layers`."""
    wanted = hidden_layers(model)
    return [each for each in _statistics(model, X) if each.name in wanted]


def _statistics(model: Model, X: Any) -> Iterator[LayerStatistics]:
    """The statistics of every layer's outputs in eval mode, in float64."""
    networks = () if model.ensemble is None else (model.ensemble,)
    with evaluating(model):
        for (name, output), layer in zip(model.layer_outputs(X), model.layers, strict=True):
            # In float64: a sum of many float32 numbers would round.
            outputs = output.numpy().astype(np.float64)
            # What stands before the first Linear has no ensemble axis: all networks share it.
            outputs = np.broadcast_to(outputs, (*networks, *outputs.shape[-2:]))
            yield summarize(outputs, name, str(layer))


def summarize(outputs: Any, name: str = "", layer: str = "") -> LayerStatistics:
    """The statistics of outputs (N, units) or (E, N, units), which may come from anywhere."""
    outputs = np.asarray(outputs, dtype=np.float64)
    if outputs.ndim < 2 or 0 in outputs.shape:
        raise InputError(f"outputs of shape {outputs.shape}: needs (N, units) or (E, N, units)")
    both = (-2, -1)
    is_zero = outputs == 0
    finite = np.isfinite(outputs).all(axis=both)
    known = np.where(finite[..., None, None], outputs, 0.0)
    return LayerStatistics(
        name,
        layer,
        outputs.shape[-1],
        mean=np.where(finite, known.mean(axis=both), np.nan),
        standard_deviation=np.where(finite, known.std(axis=both), np.nan),
        zero_share=is_zero.mean(axis=both),
        dead_units=is_zero.all(axis=-2).sum(axis=-1),
        effective_rank=np.where(finite, effective_rank(known), np.nan),
    )


def effective_rank(matrix: Any) -> Any:
    """In how many directions the rows spread: exp(-sum_i p_i ln p_i), p_i = s_i / sum_j s_j.

    s are the singular values of `matrix` (..., rows, columns), so the result, of shape (...), is r
    for r equal singular values and all others zero, lies between 1 and the rank, and hardly notices
    singular values that are tiny. It is 0 for a matrix of zeros.

    Roy and Vetterli, "The effective rank: a measure of effective dimensionality" (2007).
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim < 2 or not np.isfinite(matrix).all():
        raise InputError(
            f"effective rank of shape {matrix.shape}: needs a matrix of finite numbers"
        )
    values = np.linalg.svd(matrix, compute_uv=False)
    total = values.sum(axis=-1, keepdims=True)
    p = values / np.where(total > 0, total, 1.0)
    entropy = -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), 0.0)


class StatisticsRecorder:
    """A callback for `fit` that takes the hidden layers' statistics for X while a model learns.

        recorder = StatisticsRecorder(X, every=10)
        recorder.take(model, 0)  # before training, if that is wanted too
        fit(model, X, y, callbacks=[recorder])
        recorder.curves("dead_units")  # (times, hidden layers), or (times, hidden layers, E)

    It takes them after every `every`-th epoch. `epochs` holds the number of epochs done each time,
    and `taken` the `hidden_statistics` of that time.
    """

    def __init__(self, X: Any, every: int = 1) -> None:
        self.X = X
        self.every = positive_whole("every of StatisticsRecorder", every)
        self.epochs: list[int] = []
        self.taken: list[list[LayerStatistics]] = []

    def __call__(self, epoch: int, model: Model, loss: Any) -> None:
        if (epoch + 1) % self.every == 0:
            self.take(model, epoch + 1)

    def take(self, model: Model, epochs_done: int) -> None:
        """Add the statistics of the model as it is now."""
        self.epochs.append(epochs_done)
        self.taken.append(hidden_statistics(model, self.X))

    def curves(self, statistic: str) -> Any:
        """One statistic over time, of shape (times, hidden layers), or with E behind them."""
        accepted = (*STATISTICS, "dead_share")
        if statistic not in accepted:
            raise InputError(f"statistic {statistic!r}: must be one of {', '.join(accepted)}")
        return np.array([[getattr(each, statistic) for each in layers] for layers in self.taken])

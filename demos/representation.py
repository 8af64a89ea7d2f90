"""What the hidden layers of an ensemble represent, before and after training, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.figures import LINE_COLORS, POINT_COLORS, mean_with_band, new_figure
from scratchnet.demos.seeded_data import Data
from scratchnet.depth.probes import (
    PENALTY,
    ProbeAccuracy,
    principal_components,
    probe_accuracy,
    t_sne,
)
from scratchnet.layer_statistics import hidden_layers, hidden_outputs, summarize
from scratchnet.model import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATISTICS = ("zero_share", "dead_share", "effective_rank")

PROBE_WORDS = (
    "Each probe is a softmax regression, trained to convergence on standardised outputs with an L2 "
    f"penalty of {PENALTY:g} / 2 times the squared weights."
)
UNCONVERGED = (
    "Some probes did not converge: where training stopped is not the accuracy of the best probe."
)

# Points of each panel: more would hide one another.
MOST_POINTS = 400


@dataclass(frozen=True, eq=False)
class Representation:
    """Numbers for each hidden layer that was asked for; arrays are (layers, seeds)."""

    layers: tuple[int, ...]
    """Their numbers, from 1."""
    train: Any
    """Accuracy of a linear probe of the layer's outputs on the samples it was fitted to."""
    test: Any
    converged: bool
    """Whether every probe met its stopping rule."""
    zero_share: Any
    dead_share: Any
    effective_rank: Any
    """These three on the test samples."""


def measure(model: Model, data: Data, layers: Sequence[int]) -> Representation:
    """Probe the hidden layers of these numbers, and take their statistics."""
    with np.errstate(over="ignore", invalid="ignore"):
        outputs, outputs_test = (hidden_outputs(model, X) for X in (data.X, data.X_test))
    probes = [
        probe_accuracy(outputs[layer - 1], data.y, outputs_test[layer - 1], data.y_test)
        for layer in layers
    ]
    statistics = [summarize(outputs_test[layer - 1]) for layer in layers]
    return Representation(
        tuple(layers),
        np.array([each.train for each in probes]),
        np.array([each.test for each in probes]),
        bool(np.all([each.converged for each in probes])),
        *(np.array([getattr(each, name) for each in statistics]) for name in STATISTICS),
    )


def measure_inputs(data: Data, seeds: int) -> ProbeAccuracy:
    """A probe of the raw inputs, with an entry for each seed, equal where they share the data."""
    found = probe_accuracy(data.X, data.y, data.X_test, data.y_test)
    return ProbeAccuracy(
        *(np.broadcast_to(part, (seeds,)) for part in (found.train, found.test, found.converged))
    )


def layers_to_show(depth: int) -> tuple[int, ...]:
    """1, 2, 4, 8 and so on, and the last: as many as a figure has room for."""
    doublings = [2**i for i in range(depth.bit_length()) if 2**i < depth]
    return (*doublings[:3], depth) if depth > 1 else (1,)


@dataclass(frozen=True, eq=False)
class Map:
    """A layer's outputs for some test samples as points of the plane."""

    points: Any
    """(samples, 2)"""
    explained: Any
    """The share of the variance along each axis, or None for t-SNE."""


def sample_for_maps(data: Data) -> Any:
    """The places of the test samples that maps show: all, or evenly chosen ones."""
    n = len(data.y_test)
    return np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(int))


def maps(model: Model, data: Data, layers: Sequence[int], method: str = "pca") -> list[Map]:
    """A map for each hidden layer of these numbers, of the first network of the ensemble.

    `method` is pca (principal components of the test samples shown) or tsne.
    """
    _, X_test = data.first()
    X = X_test[sample_for_maps(data)]
    if model.ensemble is not None:
        X = np.broadcast_to(X, (model.ensemble, *X.shape))
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = model.activations(X)
    names = hidden_layers(model)
    shown = [outputs[names[layer - 1]] for layer in layers]
    return [project(each[0] if each.ndim == 3 else each, method) for each in shown]


def project(A: Any, method: str) -> Map:
    """A map of A (N, units); all points lie at 0 where A is not finite."""
    if not np.isfinite(A).all() or min(A.shape) < 2:
        return Map(np.zeros((len(A), 2)), np.zeros(2))
    if method == "tsne":
        return Map(t_sne(A, perplexity=min(30.0, (len(A) - 1) / 3)), None)
    found = principal_components(A)
    return Map(found.transform(A), found.explained)


def map_figure(
    rows: Sequence[tuple[str, Sequence[Map]]],
    titles: Sequence[Sequence[str]],
    labels: Any,
) -> Figure:
    """A line of maps for each (name, maps), with a title above each map."""
    columns = max(len(each) for _, each in rows)
    figure, axes = new_figure(
        len(rows), columns, width=2.65 * columns + 0.4, height=2.9 * len(rows), squeeze=False
    )
    engine: Any = figure.get_layout_engine()
    engine.set(h_pad=0.08)
    for line, (name, shown), above in zip(axes, rows, titles, strict=True):
        for panel in line[len(shown) :]:
            panel.remove()
        for panel, each, title in zip(line, shown, above, strict=False):
            draw_map(panel, each, labels)
            panel.set_title(title, fontsize=10)
        line[0].set_ylabel(name + "\n" + line[0].get_ylabel(), fontsize=10)
    return figure


def draw_map(axes: Axes, shown: Map, labels: Any) -> None:
    """The points in the colours of their classes; a digit is drawn as itself."""
    classes = np.unique(labels)
    for label in classes:
        x, y = shown.points[labels == label].T
        if len(classes) == 2:
            axes.scatter(
                x, y, s=9, c=POINT_COLORS[label], marker="os"[label], linewidths=0.3, edgecolors="w"
            )
        else:
            color = LINE_COLORS[label % len(LINE_COLORS)]
            axes.scatter(x, y, s=16, c=color, marker=f"${label}$", linewidths=0.2)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.06)
    if shown.explained is not None:
        first, second = shown.explained
        axes.set(xlabel=f"1st, {first:.0%} of variance", ylabel=f"2nd, {second:.0%}")
    axes.xaxis.label.set_fontsize(8.5)
    axes.yaxis.label.set_fontsize(8.5)


def layer_curve(axes: Axes, trained: Representation, untrained: Representation, of: str) -> None:
    """One number of the trained networks' layers, beside that of the untrained ones'."""
    looks = (("trained", trained, "-"), ("untrained", untrained, "--"))
    for (label, numbers, linestyle), color in zip(looks, LINE_COLORS, strict=False):
        samples = getattr(numbers, of).T
        mean_with_band(axes, numbers.layers, samples, label, color, linestyle=linestyle)
    axes.set_xlabel("hidden layer")
    axes.locator_params(axis="x", integer=True)

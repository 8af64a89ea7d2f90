"""Pictures of a trained table: scores by split, right and wrong predictions, learning rates."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from scratchnet.demos.drawing import named_places, rate_figures, seeds_at
from scratchnet.demos.figures import LINE_COLORS, new_figure, styled
from scratchnet.demos.running import Result
from scratchnet.demos.train import experiment as train
from scratchnet.demos.train.columns import deviation_of, printable

MOST_CLASSES = 20
"""A confusion matrix of more classes cannot be read."""


def drawings(result: Result) -> dict[str, Any]:
    """The figures of a run, by name."""
    return {"train": partial(plot, result), **rate_figures(result, {"models": list(result.tuned)})}


@styled
def plot(result: Result) -> Any:
    """The test scores of all splits, and what the first network predicts of its test rows."""
    rows = list(result.verdict_rows())
    figure, (scores, predictions) = new_figure(1, 2, width=10, height=4.4)
    measure, factor, unit = train.score_of(result.settings)
    for i, row in enumerate(rows):
        seeds_at(scores, [i], [row[measure] * factor], LINE_COLORS[0], "", bimodal=False)
    named_places(scores, [row.arm for row in rows])
    scores.set(ylabel=f"{unit} on test rows", title="each dot a split")
    encoding = train.load(result.settings).encoding
    if train.NETWORK not in result:
        predictions.remove()
    elif encoding.task == "regression":
        values(predictions, result)
    elif len(encoding.classes) <= MOST_CLASSES:
        confusion(predictions, result)
    else:
        predictions.remove()
    figure.suptitle(f"{label(encoding.target, 40)}: {train.answer(result, ())}")
    return figure


def values(axes: Any, result: Result) -> None:
    """Predicted against true numbers, in the target's unit."""
    arrays = result[train.NETWORK].arrays
    prepared, seed = train.load(result.settings), result.settings.seed
    training = prepared.y[np.concatenate(train.split(prepared, seed)[:2])]
    truth, predicted = (
        arrays[name] * (deviation_of(training) or 1.0) + training.mean()
        for name in ("truth", "predicted")
    )
    limits = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    axes.plot(limits, limits, color="#999999", linewidth=1)
    axes.plot(truth, predicted, "o", color=LINE_COLORS[0], alpha=0.6, markeredgewidth=0)
    axes.set(
        xlabel=f"true {label(prepared.encoding.target, 40)}", ylabel="predicted", aspect="equal"
    )
    axes.set_title("test rows of the first split; on the line: right")


def confusion(axes: Any, result: Result) -> None:
    """How many test rows of each class were taken for which."""
    names = train.load(result.settings).encoding.classes
    arrays = result[train.NETWORK].arrays
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (arrays["truth"].astype(int), arrays["predicted"].astype(int)), 1)
    axes.imshow(counts, cmap="Blues", interpolation="nearest", vmax=max(1, counts.max()) * 2)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, str(count), ha="center", va="center", fontsize=9)
    short = [label(name, 12) for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90 if len(names) > 4 else 0)
    axes.set_yticks(range(len(names)), short)
    axes.set(xlabel="predicted", ylabel="true", title="test rows of the first split")
    axes.grid(False)


def label(name: str, most: int) -> str:
    """A name from the table as it is: Matplotlib takes what stands between two $ for a formula."""
    return printable(name, most).replace("$", r"\$")

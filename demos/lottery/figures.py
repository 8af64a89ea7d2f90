"""The figures of `scratchnet lottery`, and its moving picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scratchnet.demos.animation import gif
from scratchnet.demos.figures import LINE_COLORS, mean_with_band, new_figure, styled
from scratchnet.demos.lottery.report import left
from scratchnet.demos.lottery.settings import VARIANTS
from scratchnet.lottery import CONTROLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scratchnet.demos.lottery.experiment import Result, Round

GREY = "#666666"
COLORS = dict(zip(VARIANTS, ("#000000", *LINE_COLORS), strict=False))
MARKERS = dict(zip(VARIANTS, "os^Dv<", strict=True))
PRUNED_AND_KEPT = ("#F2F2F2", "#0C528F")
ROUNDS_WITH_MASKS = 5


@styled
def plot(result: Result) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    return {
        "lottery": lottery_figure(result),
        "masks": mask_figure(result),
        "layers": layer_figure(result),
    }


def lottery_figure(result: Result) -> Figure:
    """Accuracy of ticket and controls, and the ticket's advantage, against remaining weights."""
    figure, (above, beside) = new_figure(1, 2, width=11.4, height=4.5)
    # Nothing left has no place on a log axis: it is drawn as half a weight.
    shares = [max(each.remaining, 0.5) / result.weights for each in result.rounds]
    accuracy = np.array([each.test_accuracy for each in result.rounds])
    for place, variant in enumerate(VARIANTS):
        style: dict[str, Any] = {
            "marker": MARKERS[variant],
            "markersize": 4,
            "color": COLORS[variant],
        }
        mean_with_band(above, shares, accuracy[:, place].T, label=variant, **style)
    for place, control in enumerate(CONTROLS, 1):
        style = {"marker": MARKERS[control], "markersize": 4, "color": COLORS[control]}
        gain = 100 * (accuracy[:, 0] - accuracy[:, place])
        mean_with_band(beside, shares, gain.T, label=control, **style)
    beside.axhline(0, color=GREY, linewidth=0.9)
    draw_axes(above, shares)
    draw_axes(beside, shares)
    # The intervals of a few seeds reach beyond what an accuracy can be.
    above.set(ylabel="test accuracy", ylim=(ends(accuracy)[0] - 0.03, 1.02))
    above.yaxis.set_major_formatter("{x:.0%}")
    low, high = ends(accuracy[:, :1] - accuracy[:, 1:])
    beside.set(ylabel="ticket minus control, points", ylim=(100 * low - 4, 100 * high + 4))
    above.set_title(f"Ticket and controls: {describe(result)}", fontsize=10)
    beside.set_title("What the ticket has over each control", fontsize=10)
    above.legend(loc="lower left")
    return figure


def ends(values: Any) -> tuple[float, float]:
    """The smallest and the largest of those that are numbers, with 0 where none is."""
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def describe(result: Result) -> str:
    seeds = result.settings.seeds
    return f"mean and 95 % interval of {seeds} seeds" if seeds > 1 else "one seed"


def draw_axes(axes: Axes, shares: Sequence[float]) -> None:
    """Remaining weights from many to few on a log scale, with a tick for each round."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(max(shares) * 1.08, min(shares) / 1.08)
    axes.set_xticks(shares, [f"{100 * share:.3g}" for share in shares], fontsize=8)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("remaining weights, %")


def chosen_rounds(result: Result) -> list[Round]:
    """A few rounds, evenly chosen, the first pruned one and the last among them."""
    pruned = result.rounds[1:]
    places = np.linspace(0, len(pruned) - 1, min(len(pruned), ROUNDS_WITH_MASKS))
    return [pruned[round(place)] for place in places]


def mask_figure(result: Result) -> Figure:
    """The masks of the first seed's ticket, a line for each round, a column for each layer."""
    rounds = chosen_rounds(result)
    figure, axes = mask_axes(result, rows=len(rounds))
    for line, each in zip(axes, rounds, strict=True):
        draw_masks(line, each)
        line[0].set_ylabel(f"{left(result, each.number):.1%}\nremain", fontsize=9)
    name_layers(axes[0])
    figure.suptitle(
        f"Weights that remain in the ticket of seed {result.settings.seed}, from each input of a "
        "layer (down) to each neuron (across)",
        fontsize=10,
    )
    return figure


def mask_axes(result: Result, rows: int, **options: Any) -> tuple[Figure, Any]:
    """A figure and its axes (rows, layers), where a layer is as wide as its mask, or 5 neurons."""
    widths = [max(mask.shape[1], 5) for mask in result.rounds[0].masks]
    tallest = max(mask.shape[0] for mask in result.rounds[0].masks)
    scale = 10.5 / sum(widths)
    height = max(1.2, min(2.4, 1.25 * tallest * scale))
    figure, axes = new_figure(
        rows,
        len(widths),
        width=12,
        height=height * rows + 0.7,
        squeeze=False,
        width_ratios=widths,
        **options,
    )
    return figure, axes


def draw_masks(line: Sequence[Axes], each: Round) -> None:
    from matplotlib.colors import ListedColormap

    for axes, mask in zip(line, each.masks, strict=True):
        axes.clear()
        axes.imshow(
            mask, cmap=ListedColormap(PRUNED_AND_KEPT), vmin=0, vmax=1, interpolation="nearest"
        )
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set(visible=True, color="#BBBBBB", linewidth=0.5)
        axes.set_xlabel(f"{mask.mean():.0%}", fontsize=8)


def name_layers(line: Sequence[Axes]) -> None:
    for number, axes in enumerate(line, 1):
        axes.set_title("out" if number == len(line) else f"layer {number}", fontsize=9)


def layer_figure(result: Result) -> Figure:
    """The share of each layer's weights that remains in the tickets, a line for each round."""
    from matplotlib import colormaps

    figure, axes = new_figure(width=7.4, height=4.4)
    layers = np.arange(1, len(result.layer_weights) + 1)
    colors = colormaps["viridis"](np.linspace(0, 0.85, len(result.rounds)))
    shown = False
    for each, color in zip(result.rounds[1:], colors, strict=False):
        shares = each.layer_remaining / np.array(result.layer_weights)[:, None]
        shown = shown or bool((shares == 0).any())
        mean_with_band(
            axes,
            layers,
            100 * shares.T,
            label=f"{left(result, each.number):.1%}",
            color=color,
            marker="o",
            markersize=3.5,
        )
    # Linear below half a percent, so that an empty layer has a place.
    axes.set_yscale("symlog", linthresh=0.5, linscale=0.3)
    ticks = [tick for tick in (0, 0.5, 1, 2, 5, 10, 20, 50, 100) if shown or tick]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0 if shown else None, 110)
    axes.set_xticks(layers, [*map(str, layers[:-1]), "output"])
    axes.set(xlabel="layer", ylabel="remaining weights of the layer, %")
    axes.set_title(f"Where the tickets' weights are: {describe(result)}", fontsize=10)
    axes.legend(title="of all weights", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@styled
def animate(result: Result) -> bytes:
    """A GIF of the mask of the first seed's ticket as it thins, a picture for each round."""
    figure, axes = mask_axes(result, rows=1)
    seed = result.settings.seed

    def draw(i: int) -> None:
        each = result.rounds[i]
        draw_masks(axes[0], each)
        name_layers(axes[0])
        figure.suptitle(
            f"The ticket of seed {seed}, round {i}: {left(result, i):6.1%} of the weights remain, "
            f"test accuracy {each.test_accuracy[0, 0]:6.1%}",
            fontsize=10,
        )

    return gif(figure, draw, len(result.rounds), milliseconds=800)

"""One style for every figure: colour-blind safe, no ornaments, the same file for the same data.

Figures are `matplotlib.figure.Figure` objects with their own canvas; pyplot, which needs a
display, is imported only to show them in a window. `drawn` draws one in this style.
"""

import io
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
else:
    # Matplotlib is imported where something is drawn.
    Axes = Colormap = Figure = Any

# Okabe and Ito (2008), "Color Universal Design": distinguishable under every common form of
# colour blindness. Their yellow is left out, since a thin yellow line on white cannot be read.
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# Class 0 is blue and class 1 orange everywhere. The two region colours differ in lightness as well,
# by a contrast of more than 1.5, so that a print without colour tells the classes apart.
REGION_COLORS = ("#6FAEDB", "#FAD3A6")
UNDECIDED_COLOR = "#F7F7F7"
POINT_COLORS = ("#0C528F", "#8C3300")

PIXELS_PER_INCH = 200

# Taken away before matplotlib is imported, since a wrong one would forbid every figure.
USERS_WINDOWS = os.environ.pop("MPLBACKEND", None)

STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    # 0.01, not a power with its small exponent.
    "axes.formatter.min_exponent": 4,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "image.interpolation": "bilinear",
}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib with its own defaults and this module's style, whatever a matplotlibrc says."""
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        matplotlib.rcParams["axes.prop_cycle"] = cycler(color=LINE_COLORS)
        yield


styled = style()
"""A decorator of functions that draw or save: they do so in this style."""


@styled
def drawn(draw: Callable[[], Figure]) -> Figure:
    """The figure that the function draws, with a title in lines as long as it is wide.

    Powers of ten are written as 1e-7: an exponent above the line would be too small to read.
    """
    from matplotlib.ticker import LogFormatterMathtext

    figure = draw()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
            axis.set_major_formatter(power_of_ten)
    letters = int(11 * figure.get_figwidth())
    lines = [each for line in figure.get_suptitle().split("\n") for each in wrap(line, letters)]
    if lines:
        figure.suptitle("\n".join(lines), fontsize=11)
    return figure


def power_of_ten(value: float, place: float = 0) -> str:
    """The label of a tick, such as 0.01, 100 or 1e-7."""
    return f"{value:g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")


@styled
def new_figure(
    rows: int = 1, columns: int = 1, width: float = 6.4, height: float = 4.0, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure of `width` × `height` inches and its axes.

    `subplots` goes to `Figure.subplots`, for example `sharey=True`. Returns the axes alone for
    one panel, else an array of them, as `Figure.subplots` does.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **subplots)


def class_colormap() -> Colormap:
    """Probability 0 is blue, ½ nearly white, 1 orange."""
    from matplotlib.colors import LinearSegmentedColormap

    zero, one = REGION_COLORS
    return LinearSegmentedColormap.from_list("classes", [zero, UNDECIDED_COLOR, one])


def window(X: NDArray[Any], margin: float = 0.08) -> tuple[float, float, float, float]:
    """The square (left, right, bottom, top) around the points (n, 2), a little larger."""
    low, high = X.min(axis=0), X.max(axis=0)
    middle, half = (low + high) / 2, max(float((high - low).max()) / 2, 1e-6) * (1 + margin)
    x, y = float(middle[0]), float(middle[1])
    return x - half, x + half, y - half, y + half


def grid_points(
    extent: tuple[float, float, float, float], resolution: int = 200
) -> NDArray[np.float64]:
    """The centres of resolution × resolution pixels of the window, shape (resolution², 2).

    Row by row from the bottom, so that `predict(points).reshape(resolution, resolution)` is what
    `decision_panel` takes.
    """
    left, right, bottom, top = extent
    centres = (np.arange(resolution) + 0.5) / resolution
    x, y = np.meshgrid(left + (right - left) * centres, bottom + (top - bottom) * centres)
    return np.column_stack([x.ravel(), y.ravel()])


def probabilities(
    model: Any, extent: tuple[float, float, float, float], resolution: int = 150
) -> NDArray[np.float64]:
    """P(class 1) by a network with one logit (not an ensemble), as `decision_panel` takes it.

    A network with one input is given the first coordinate: every row of the picture is the same.
    """
    points = grid_points(extent, resolution)[:, : model.layers[0].fan_in]
    parts = np.array_split(points, -(-(resolution**2) // 2500))
    logits = np.concatenate([model.predict(part)[:, 0] for part in parts]).astype(np.float64)
    return np.exp(-np.logaddexp(0, -logits)).reshape(resolution, resolution)


def decision_panel(
    axes: Axes,
    extent: tuple[float, float, float, float],
    probabilities: NDArray[Any],
    X: NDArray[Any],
    y: NDArray[Any],
    title: str = "",
    point_size: float = 9,
) -> None:
    """Draw P(class 1) over the plane, the line where it is ½, and the data on top.

    `probabilities` (rows, columns) has its row 0 at the bottom; `extent` is (left, right,
    bottom, top); `X` is (n, 2) and `y` holds n labels 0 or 1. `point_size` is the area of a
    mark in square points: 9 for hundreds of points, 80 for four.
    """
    plane: Any = {"extent": extent, "origin": "lower"}
    axes.imshow(probabilities, cmap=class_colormap(), vmin=0, vmax=1, aspect="equal", **plane)
    if probabilities.min() < 0.5 <= probabilities.max():
        axes.contour(probabilities, levels=[0.5], colors="#333333", linewidths=0.9, **plane)
    scatter_classes(axes, X, y, point_size, linewidths=0.4, edgecolors="white")
    axes.set(xlim=extent[:2], ylim=extent[2:])
    bare(axes, title)


def scatter_classes(
    axes: Axes, X: NDArray[Any], y: NDArray[Any], size: float, **style: Any
) -> None:
    """The points X (n, 2) in their classes' colours and marks: 0 blue circles, 1 orange squares.

    `style` goes to `Axes.scatter`.
    """
    for label, (color, marker) in enumerate(zip(POINT_COLORS, "os", strict=True)):
        points = X[np.ravel(y) == label]
        marks: Any = {"s": size, "c": color, "marker": marker, "label": f"class {label}"}
        axes.scatter(points[:, 0], points[:, 1], **marks, **style)


def bare(axes: Axes, title: str = "") -> None:
    """A picture's axes: a title, and neither ticks nor spines nor grid."""
    axes.set(xticks=[], yticks=[], title=title)
    axes.spines[:].set_visible(False)
    axes.grid(False)


def mean_interval(values: ArrayLike) -> tuple[float, float]:
    """The mean and the half-width of its 95 % interval, t(0.975, n-1) s / sqrt(n), Student's.

    s is the sample standard deviation. Values that are NaN or infinite (a network that diverged)
    are left out; of one value the half-width is 0, of none both are NaN.
    """
    from scipy.special import stdtrit

    array = np.asarray(values, np.float64)
    array = array[np.isfinite(array)]
    if array.size < 2:
        return (float(array[0]), 0.0) if array.size else (math.nan, math.nan)
    t = float(stdtrit(array.size - 1, 0.975))
    return float(array.mean()), t * float(array.std(ddof=1)) / math.sqrt(array.size)


@styled
def png(figure: Figure) -> bytes:
    """The figure as a PNG of 200 pixels per inch; it holds no date and no version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PIXELS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


@styled
def svg(figure: Figure) -> bytes:
    """The figure as SVG, the same bytes for the same figure."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "scratchnet"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def show(figures: Sequence[Figure], say: Callable[[str], None]) -> None:
    """Open the figures in windows until they are closed; one line where there is no display."""
    import matplotlib

    if USERS_WINDOWS is not None:
        try:
            matplotlib.use(USERS_WINDOWS)
        except (ImportError, ValueError) as error:
            say(f"--show: MPLBACKEND is {USERS_WINDOWS!r}: {error}")
            return
    from matplotlib import pyplot

    if matplotlib.get_backend().lower() in {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}:
        say("--show: no display here; open the files instead")
        return
    for figure in figures:
        manager: Any = pyplot.figure().canvas.manager
        manager.canvas.figure = figure
        figure.set_canvas(manager.canvas)
    pyplot.show(block=True)

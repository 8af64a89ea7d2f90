"""What a person sees: progress, and the style of figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scratchnet.demos.drawing import seeds_at
from scratchnet.demos.figures import (
    REGION_COLORS,
    decision_panel,
    grid_points,
    new_figure,
    styled,
    window,
)
from scratchnet.demos.screen import Screen

SQUARE = (0.0, 1.0, 0.0, 1.0)


def upper_right(points: np.ndarray) -> np.ndarray:
    """A decision that differs between all four corners' reflections but one."""
    return ((points[:, 0] > 0.5) & (points[:, 1] > 0.5)).astype(float)


GRID = upper_right(grid_points(SQUARE, 20)).reshape(20, 20)


def test_json_moves_the_report_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(json=True).text("report")
    assert capsys.readouterr() == ("", "report\n")
    Screen().text("report")
    assert capsys.readouterr() == ("report\n", "")


def test_names_are_whole_and_sentences_wrapped_beside_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Screen().pairs([("a-long-name", "[not markup] " * 5), ("b", "short")])
    Screen().items([])
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first.startswith("a-long-name  [not markup]") and last.startswith("b            short")
    assert all(line.startswith("             [not") for line in others)


def test_the_window_is_square_and_holds_all_points() -> None:
    left, right, bottom, top = window(np.array([[0.0, 1.0], [4.0, 2.0]]))
    assert right - left == pytest.approx(top - bottom)
    assert left < 0 and right > 4 and bottom < 1 and top > 2


def test_the_style_ends_with_the_plot() -> None:
    import matplotlib

    @styled
    def size() -> Any:
        return matplotlib.rcParams["legend.frameon"]

    before = dict(matplotlib.rcParams)
    assert size() is False
    assert dict(matplotlib.rcParams) == before


def test_a_decision_panel_has_the_classes_where_they_are() -> None:
    figure, axes = new_figure(width=2, height=2)
    X, y = np.array([[0.1, 0.1], [0.9, 0.9]]), np.array([0, 1])
    decision_panel(axes, SQUARE, GRID, X, y)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1]
    column, row = axes.transData.transform([(0.75, 0.7), (0.25, 0.7)]).astype(int).T
    red, _, blue = pixels[row, column, :3].T.astype(int)
    assert red[0] > blue[0]
    assert red[1] < blue[1]


def test_a_bar_is_as_long_as_the_interval() -> None:
    _, axes = new_figure()
    samples = [[1.0, 2.0, 3.0, 4.0, np.nan], [3.0, np.nan, 3.0, np.nan, np.nan]]
    seeds_at(axes, [1, 2], samples, "black", "a label", bimodal=False)
    (drawn,) = axes.containers
    np.testing.assert_allclose(drawn[0].get_ydata(), [2.5, 3.0])
    heights = drawn[2][0].get_segments()
    np.testing.assert_allclose(heights[0][:, 1], [2.5 - 2.054260, 2.5 + 2.054260], atol=1e-6)
    np.testing.assert_allclose(heights[1][:, 1], 3.0)


def test_the_regions_of_the_classes_differ_in_grey() -> None:
    def luminance(color: str) -> float:
        """Of sRGB, as the accessibility guidelines of the W3C define it (WCAG 2)."""
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, REGION_COLORS))
    assert (light + 0.05) / (dark + 0.05) > 1.5

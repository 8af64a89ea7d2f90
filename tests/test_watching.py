"""Pictures of training in a terminal."""

import io
import re

import numpy as np
import pytest

from scratchnet import SGD, fit, mlp
from scratchnet.backends.errors import InputError
from scratchnet.demos.watching import check_watch, every_of, ink, plane, sparkline, watching


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_sparkline_falls_where_the_loss_falls_and_marks_what_is_not_finite():
    assert sparkline([8, 4, 2, 1], 4) == "█▆▃▁"
    assert sparkline([1.0, np.nan, 1.0]) == "▁×▁"
    assert sparkline([]) == sparkline([np.inf]) == ""
    assert len(sparkline(list(range(1, 1000)), 60)) == 60


def test_the_plane_shows_the_classes_where_they_are():
    model = mlp([2, 1])
    model.load_state_dict({"0.weight": np.array([[0.0], [1.0]]), "0.bias": np.zeros(1)})
    lines = plane(model, np.array([[-1.0, -1.0], [1.0, 1.0]]), rows=4, columns=8)
    assert len(lines) == 4 and all(line.count("▀") == 8 for line in lines)
    assert ink(1, 38) in lines[0] and ink(0, 38) not in lines[0]  # class 1 is above
    assert ink(0, 48) in lines[-1] and ink(1, 48) not in lines[-1]


def test_each_picture_is_drawn_over_the_last_one():
    X = np.random.default_rng(0).standard_normal((20, 2))
    y = (X[:, 0] > 0).astype(int)
    model, out = mlp([2, 4, 1], ensemble=2), Terminal()
    draw = watching(X, 40, out)(model)
    fit(model, X, y, optimizer=SGD(model, 0.1), epochs=40, callbacks=draw)
    text = out.getvalue()
    assert "epoch 1, loss" in text and "epoch 40, loss" in text
    heights = {int(up) for up in re.findall(r"\x1b\[(\d+)A", text)}
    first = text.split("\x1b[20A")[0]
    assert heights == {20} and first.count("\n") == 20


@pytest.mark.parametrize("epochs", [1, 7, 300, 1000, 9973])
def test_looks_divide_the_epochs(epochs):
    assert epochs % every_of(epochs) == 0


def test_without_a_terminal_there_is_one_line():
    check_watch(False, io.StringIO())
    check_watch(True, Terminal())
    with pytest.raises(InputError, match="stderr must be one"):
        check_watch(True, io.StringIO())

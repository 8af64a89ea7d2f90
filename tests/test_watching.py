"""Pictures of training in a terminal."""

import io
import re

import numpy as np
import pytest

from scratchnet import SGD, fit, mlp
from scratchnet.backends.errors import InputError
from scratchnet.demos import watching as watching_module
from scratchnet.demos.experiment import run_small
from scratchnet.demos.train.experiment import experiment as train
from scratchnet.demos.watching import (
    check_watch,
    every_of,
    ink,
    picture,
    plane,
    sparkline,
    watching,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_sparkline_falls_where_the_loss_falls_and_marks_what_is_not_finite():
    assert sparkline([8, 4, 2, 1], 4) == "█▆▃▁"
    assert sparkline([1.0, np.nan, 1.0]) == "▁×▁"
    assert sparkline([]) == sparkline([np.inf]) == ""
    assert len(sparkline(list(range(1, 1000)), 60)) == 60


def test_the_plane_shows_the_classes_where_they_are(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
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


@pytest.mark.parametrize("size", [(40, 24), (20, 6), (8, 3), (3, 2), (1, 1), (200, 100)])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_picture_fits_its_terminal(size, no_color, monkeypatch):
    monkeypatch.setenv("NO_COLOR", no_color)
    model, X = mlp([2, 4, 1], ensemble=2), np.random.default_rng(0).standard_normal((20, 2))
    lines = picture(model, X, 99_999, list(np.linspace(2, 1, 99)), size)
    seen = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert all(len(line) < max(2, size[0]) for line in seen) and len(seen) < max(2, size[1])
    assert not (no_color and any("\x1b" in line for line in lines))
    if size[1] >= 24:
        assert len(lines) > 15


def test_a_resized_terminal_gets_a_new_picture(monkeypatch):
    sizes = iter([(80, 24), (80, 24), (40, 24), (40, 24)])
    monkeypatch.setattr(watching_module, "size_of", lambda stream: next(sizes))
    monkeypatch.setattr(watching_module, "SECONDS_BETWEEN", 0)
    model, out = mlp([2, 1]), Terminal()
    (draw,) = watching(None, 4, out)(model)
    for epoch in range(4):
        draw(epoch, model, 1.0)
    assert [text.split("epoch")[0] for text in out.getvalue().split("\r")[1:]] == [
        "\x1b[K",
        "\x1b[K\x1b[2A",
        "\x1b[K",
        "\x1b[K\x1b[2A",
    ]


def test_a_terminal_that_cannot_go_back_is_refused(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(InputError, match="TERM must not be dumb"):
        check_watch(True, Terminal())


def test_the_last_picture_is_that_of_the_trained_network(tmp_path, monkeypatch):
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    x = np.arange(60.0)
    np.savez(tmp_path / "t.npz", x=x, z=np.sin(x), y=x > 29)
    run_small(train, file=tmp_path / "t.npz", quick=False, watch=True, epochs=97, patience=5)
    epochs = [int(each) for each in re.findall(r"epoch (\d+)", out.getvalue())]
    result = run_small(train, file=tmp_path / "t.npz", quick=False, epochs=97, patience=5)
    assert epochs[-1] == result["network"]["best_epochs"][0]


@pytest.mark.parametrize("epochs", [1, 7, 300, 1000, 9973])
def test_looks_divide_the_epochs(epochs):
    assert epochs % every_of(epochs) == 0


def test_without_a_terminal_there_is_one_line(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    check_watch(False, io.StringIO())
    check_watch(True, Terminal())
    with pytest.raises(InputError, match="stderr must be one"):
        check_watch(True, io.StringIO())

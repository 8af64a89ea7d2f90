"""What `scratchnet spiral` keeps when asked: a network with its task, and a moving picture."""

import json
from pathlib import Path

import numpy as np
import pytest

from scratchnet import accuracy
from scratchnet.checkpoint import load_model, load_task
from scratchnet.demos.animation import frame_epochs
from scratchnet.demos.command_line import main
from scratchnet.demos.spiral import command
from scratchnet.demos.spiral.experiment import datasets, run
from scratchnet.demos.spiral.settings import TASK, chapter_settings, settings_of_task


def test_a_saved_network_is_the_deepest_of_the_first_seed_with_its_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = "--depths 2,1 --width 4 --epochs 5 --points 12 --seeds 2 --seed 4 --noise 0.1"
    path = tmp_path / "new" / "model"
    arguments = ["spiral", *tiny.split(), "--out", str(tmp_path / "out"), "--save", str(path)]
    assert main(arguments) == 0
    assert "Saved seed 4 of depth 2, width 4, gradient descent to" in capsys.readouterr().out
    saved = load_model(path)
    settings = settings_of_task(load_task(path)[TASK])
    X, y, X_test, y_test = datasets(settings)
    printed = json.loads((tmp_path / "out" / "result.json").read_text())["rows"][0]
    assert printed["depth"] == 2
    assert accuracy(saved, X[0], y) == printed["train_accuracy"][0]
    assert accuracy(saved, X_test[0], y_test) == printed["test_accuracy"][0]


def test_the_chapters_network_is_saved_with_its_task(tmp_path: Path) -> None:
    result = run(chapter_settings((1,), epochs=2))
    command.save_deepest(tmp_path / "model", result)
    settings = settings_of_task(load_task(tmp_path / "model")[TASK])
    X, y, _, _ = datasets(settings)
    assert accuracy(load_model(tmp_path / "model"), X[0], y) == result.rows[0].train_accuracy[0]


def test_a_saved_file_that_cannot_be_is_refused_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    for path, part in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "model", "is a file; give a folder"),
    ):
        assert main(["spiral", "--out", str(tmp_path / "out"), "--save", str(path)]) == 2
        error = capsys.readouterr().err
        assert f"--save {path.parent if 'file' in part else path}" in error and part in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_moving_picture_shows_the_boundaries_being_learned(tmp_path: Path) -> None:
    from PIL import Image

    tiny = "--depths 1,2 --width 8 --epochs 12 --points 40 --seeds 1"
    adam = "--optimizer adam --learning-rate 0.03"
    options = [*tiny.split(), *adam.split(), "--animate"]
    assert main(["spiral", *options, "--out", str(tmp_path)]) == 0
    with Image.open(tmp_path / "training.gif") as picture:
        count = picture.n_frames  # type: ignore[attr-defined]
        frames = []
        for i in (0, count - 1):
            picture.seek(i)
            frames.append(np.array(picture.convert("RGB")))
    assert count == 12
    assert (frames[0] != frames[1]).mean() > 0.05


def test_frames_are_close_together_at_first_and_end_with_the_last_epoch() -> None:
    assert frame_epochs(100, 5) == [0, 6, 25, 56, 99]
    assert frame_epochs(3, 60) == [0, 1, 2]
    assert frame_epochs(1, 60) == [0]
    assert frame_epochs(100, 0) == []

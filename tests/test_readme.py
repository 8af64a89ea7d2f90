"""The README's code runs, and what it points at exists."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def no_window(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)


def test_quickstart_learns_and_draws(tmp_path):
    names: dict = {}
    exec(BLOCKS[0], names)
    assert names["accuracy"](names["model"], names["X"], names["y"]) > 0.97
    assert (tmp_path / "prediction.png").stat().st_size > 1000


def test_own_op_passes_its_check_and_a_wrong_derivative_would_not():
    names: dict = {}
    exec(BLOCKS[1], names)
    np.testing.assert_allclose(names["softsign"](names["Tensor"]([1.0])).numpy(), [0.5])
    wrong = BLOCKS[1].replace("k.square(size)", "size")
    assert wrong != BLOCKS[1]
    with pytest.raises(AssertionError, match="gradient of tensor 0"):
        exec(wrong, {})


def test_the_diagnosis_of_a_pullback_is_as_shown(capsys):
    (block,) = [block for block in BLOCKS if "explain_pullback" in block]
    exec("import numpy as np\n" + block, {})
    shown = re.findall(r"```text\n(.*?)```", README.partition(block)[2], flags=re.DOTALL)[0]
    assert capsys.readouterr().out == shown


def test_own_activation_is_found_by_its_name():
    from scratchnet.layers import ACTIVATIONS, unregister

    names: dict = {}
    try:
        exec(BLOCKS[1] + BLOCKS[3], names)
        assert names["model"].activations(np.zeros((1, 2)))["1"].shape == (1, 8)
    finally:
        unregister(ACTIVATIONS["softsign"])


def test_every_file_of_the_reading_path_and_every_picture_exists():
    for place in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / place).exists(), place
    folder = ""
    for row in re.findall(r"^\| (`[^|]+) \|", README, flags=re.MULTILINE):
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", row):
            folder = name.rsplit("/", 1)[0] if "/" in name else folder
            place = name if "/" in name else f"{folder}/{name}"
            assert (ROOT / place).exists(), place


def number(text):
    return int(text.replace(",", ""))


def reading_path():
    """Each row's files, and the number of lines that it says they have."""
    folder = ""
    for row, said in re.findall(r"^\| (`[^|]+) \|.*\| ([\d,]+) \|$", README, flags=re.MULTILINE):
        files = []
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", row):
            folder = name.rsplit("/", 1)[0] if "/" in name else folder
            place = ROOT / (name if "/" in name else f"{folder}/{name}")
            files += place.rglob("*.py") if place.is_dir() else [place]
        yield files, number(said)


def lines(files):
    return sum(bool(line.strip()) for file in files for line in file.read_text().splitlines())


def test_the_lines_of_the_reading_path_are_about_as_many_as_it_says():
    rows = list(reading_path())
    for files, said in rows:
        assert lines(files) == pytest.approx(said, rel=0.25), files
    text = " ".join(README.split())
    for first, pattern in (
        (3, r"first three rows are .{,60} about ([\d,]+) lines"),
        (11, r"first eleven are .{,60} about ([\d,]+), of which"),
    ):
        (said,) = re.findall(pattern, text)
        files = [file for row, _ in rows[:first] for file in row]
        assert lines(files) == pytest.approx(number(said), rel=0.1)
    for folder, said in re.findall(r"the (exercises|playground) \(([\d,]+)\)", text):
        place = ROOT / "demos" / {"exercises": "learn"}.get(folder, folder)
        assert lines(place.rglob("*.py")) == pytest.approx(number(said), rel=0.25)


def test_every_module_stands_in_the_reading_path_once():
    named = [file for files, _ in reading_path() for file in files]
    packages = (ROOT / name for name in ("backends", "scratchnet", "demos"))
    modules = {file for package in packages for file in package.rglob("*.py")}
    missing = {file for file in modules - set(named) if not file.name.startswith("__")}
    assert len(named) == len(set(named)) and not missing


def test_every_command_of_the_readme_is_a_demo():
    from scratchnet.demos.registry import entries

    commands = set(re.findall(r"scratchnet ([a-z][a-z-]*)`", README))
    assert commands == set(entries())


def test_the_screen_of_an_exercise_is_the_one_that_is_printed(tmp_path, capsys, monkeypatch):
    from scratchnet.demos.learn import command

    monkeypatch.setenv("COLUMNS", "80")
    (said,) = re.findall(r"```text\n(\d+ of .*?)```", README, flags=re.DOTALL)
    assert command.main(["--start", "learn", "--list"]) == 0
    mistake = ROOT / "tests" / "learn" / "pullbacks" / "wrong_no_minus.py"
    Path("learn/020_pullbacks.py").write_text(mistake.read_text())
    capsys.readouterr()
    assert command.main(["--open", "pullbacks"]) == 1
    # The number of exercises may have grown since.
    screens = [re.sub(r"of \d+", "of", text).split() for text in (said, capsys.readouterr().out)]
    assert screens[0] == screens[1]


def test_every_extra_that_a_text_or_a_message_advises_can_be_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = (ROOT / name for name in ("backends", "scratchnet", "demos"))
    files = [ROOT / "README.md", *(file for folder in folders for file in folder.rglob("*.py"))]
    advised = {
        extra for file in files for extra in re.findall(r"'\.\[([\w-]+)\]'", file.read_text())
    }
    assert {"gpu", "gpu-cuda12", "bench", "data", "test"} <= advised
    assert advised <= set(setup["options.extras_require"])

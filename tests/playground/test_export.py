"""The exported code makes the same bits, and the exported file is the model."""

import base64
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import wait_for
from tabs import Tab
from threadpoolctl import threadpool_limits

from scratchnet.checkpoint import load_model, load_task
from scratchnet.demos.playground.compiling import Compiling, has_compiler
from scratchnet.demos.playground.state import KINDS, state_from
from scratchnet.demos.playground.tables import read
from scratchnet.extras import is_installed

pytestmark = pytest.mark.filterwarnings("ignore:network .* not finite:RuntimeWarning")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1, "blas"):
        yield


def run(code: str) -> Mapping[str, Any]:
    """The names that the code leaves."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(code, "playground.py", "exec"), names)
    return names


def assert_exported(tab: Tab, capsys: pytest.CaptureFixture[str]) -> None:
    code = tab.only("export", what="python")["text"]
    model = run(code)["model"]
    own = tab.session.learning.model
    np.testing.assert_array_equal(model.parameter_buffer, own.parameter_buffer)
    for name, array in own.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array)
    out = capsys.readouterr().out
    assert "the same bits" in out and "other bits" not in out


STATES: list[Mapping[str, Any]] = [
    {},
    {"training": {"batch_size": 16, "optimizer": "momentum", "weight_decay": 0.01}},
    {"training": {"batch_size": 16, "optimizer": "adamw", "seed": 9}, "network": {"dropout": 0.2}},
    {"network": {"layers": [6, 6], "batch_norm": True, "residual": True, "activation": "gelu"}},
    {"network": {"layers": [], "initialiser": "xavier_uniform"}, "training": {"optimizer": "sgd"}},
    {"network": {"initialiser": "unscaled"}},
    {"data": {"kind": "blobs", "classes": 4}, "training": {"loss": "mean_squared_error"}},
    {"data": {"kind": "blobs", "classes": 3}, "training": {"loss": "huber", "batch_size": 1000}},
    {"data": {"kind": "parity", "dimensions": 3}, "network": {"activation": "threshold"}},
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("steps", [0, 13, 14])
def test_the_code_makes_the_same_bits(
    state: Mapping[str, Any], steps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {**state, "data": {"points": 60, **state.get("data", {})}}
    tab = Tab(state)
    for _ in range(steps):
        tab.do("step")
    assert_exported(tab, capsys)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("table", "digits")])
def test_the_code_makes_every_kind_of_data(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = [[0, 0, 0], [1, 1, 0], [0, 1, 7], [1, 0, 7]]
    tab = Tab({"data": {"kind": kind, "points": 50, "drawn": drawn, "noise": 0.123}})
    tab.do("step")
    assert_exported(tab, capsys)


@pytest.mark.skipif(not is_installed("sklearn"), reason="needs the extra 'data'")
def test_digits_are_drawn_on_a_plane_and_exported(capsys: pytest.CaptureFixture[str]) -> None:
    tab = Tab({"data": {"kind": "digits"}, "network": {"layers": [8]}})
    for _ in range(3):
        tab.do("step")
    header, arrays = tab.picture()
    assert header["regions"] > 1 and arrays["prediction"].shape == (10, 80, 80)
    assert_exported(tab, capsys)


def test_the_code_reads_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "a,b,c,kind\n" + "".join(
        f"{i},{i * i % 7},{i % 3},{'xy'[i % 2]}\n" for i in range(30)
    )
    (tmp_path / "it's.csv").write_text(content)
    monkeypatch.chdir(tmp_path)
    tab = Tab()
    table = tab.tables.add(read(content.encode(), "it's.csv"))
    for columns in ([], ["a", "b"]):
        tab.do("set", state={"data": {"kind": "table", "table": table, "columns": columns}})
        tab.do("step")
        assert_exported(tab, capsys)


@pytest.mark.parametrize("batch", [None, 16])
def test_the_code_ends_where_the_training_diverged(
    batch: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the compiler was fast the last steps would be compiled, and the code warn of the change.
    monkeypatch.setattr(Compiling, "is_ready", lambda *_: False)
    training = {"optimizer": "sgd", "learning_rate": 100.0, "loss": "mean_squared_error"}
    tab = Tab({"data": {"points": 60}, "training": {**training, "batch_size": batch}})
    tab.do("play")
    tab.work("stopped")
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert_exported(tab, capsys)


@pytest.mark.skipif(not has_compiler(), reason="needs a C++ compiler")
@pytest.mark.parametrize("batch", [None, 7])
def test_steps_that_were_replayed_and_then_compiled(
    batch: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    tab = Tab({"data": {"points": 40}, "training": {"batch_size": batch}})
    session = tab.session
    for _ in range(4):
        tab.do("step")
    tab.do("play")
    wait_for(lambda: session._compiling.is_ready(session.learning))
    while not session.learning.compiled:
        tab.do("step")
    for _ in range(5):
        tab.do("step")
    assert [each.compiled for each in session.learning.segments] == [False, True]
    with pytest.warns(RuntimeWarning, match="goes on"):
        assert_exported(tab, capsys)
    tab.do("epoch")
    with pytest.warns(RuntimeWarning, match="goes on"):
        assert_exported(tab, capsys)
    tab.do("back")
    assert session.learning.compiled
    for _ in range(10):
        tab.do("step")
    assert_exported(tab, capsys)


def test_the_code_runs_as_a_program(tmp_path: Path) -> None:
    tab = Tab({"data": {"points": 60}})
    for _ in range(10):
        tab.do("step")
    answer = tab.only("export", what="python")
    (tmp_path / answer["name"]).write_text(answer["text"])
    ran = subprocess.run([sys.executable, answer["name"]], cwd=tmp_path, capture_output=True,
                         text=True)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "the same bits" in ran.stdout


def test_the_file_is_the_model(tmp_path: Path) -> None:
    tab = Tab({"network": {"layers": [5, 5], "batch_norm": True}})
    for _ in range(5):
        tab.do("step")
    answer = tab.only("export", what="safetensors")
    path = tmp_path / answer["name"]
    path.write_bytes(base64.b64decode(answer["base64"]))
    learning = tab.session.learning
    X = learning.task.X_test
    np.testing.assert_array_equal(load_model(path).predict(X), learning.model.predict(X))
    task = load_task(path)
    assert (
        state_from({part: task[part] for part in ("data", "network", "training")}) == learning.state
    )

"""`scratchnet train --ranks N` is `scratchnet train`, up to rounding; rank 0 alone writes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet.backends.compile import compiler_available
from scratchnet.demos.command_line import main


def table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (120, 2))
    lines = [f"{x},{y},{'in' if x * x + y * y < 0.6 else 'out'}" for x, y in rows]
    path = folder / "points.csv"
    path.write_text("\n".join(["x,y,place", *lines]))
    return path


def trained(path: Path, out: Path, *options: str) -> Any:
    quick = ["--quick", "--json", "--out", str(out)]
    command = [sys.executable, "-m", "scratchnet", "train", str(path), *quick, *options]
    # A step that is replayed would agree, whatever the compiled one computes.
    environment = {**os.environ, "PYTHONWARNINGS": "error:the step is replayed"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("compile", ["off", "on"])
def test_two_ranks_train_as_one_process_does(tmp_path: Path, compile: str) -> None:
    if compile == "on" and (reason := compiler_available()):
        pytest.skip(reason)
    pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")
    from safetensors.numpy import load_file

    path = table(tmp_path)
    size = ["--batch", "32"]
    trained(path, tmp_path / "one", *size, "--compile", "off")
    trained(path, tmp_path / "two", *size, "--ranks", "2", "--compile", compile)
    one, two = (load_file(tmp_path / each / "model.safetensors") for each in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-3, atol=1e-4)
    assert sorted(each.name for each in (tmp_path / "two").iterdir()) == sorted(
        each.name for each in (tmp_path / "one").iterdir()
    )


def test_a_terminal_shows_how_far_rank_0_is(tmp_path: Path) -> None:
    pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")
    terminal, stderr = pty.openpty()
    command = [sys.executable, "-m", "scratchnet", "train", str(table(tmp_path)), "--quick"]
    # So many splits that it takes seconds: the line changes five times in each.
    options = ["--ranks", "2", "--out", str(tmp_path), "--seeds", "40", "--compile", "off"]
    with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=stderr) as run:
        os.close(stderr)
        shown = b""
        with suppress(OSError):  # the end, on Linux
            while part := os.read(terminal, 4096):
                shown += part
    os.close(terminal)
    assert run.returncode == 0, shown
    states = [float(each) for each in re.findall(rb"\r\x1b\[K *(\d+)%, network", shown)]
    # Of one rank: two would go back and forth.
    assert states and states == sorted(states)
    assert shown.endswith(b"\r\x1b[K\r") and b"\n" not in shown


def test_what_ranks_cannot_do_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(table(tmp_path)), "--ranks", "2", "--resume"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("scratchnet: --resume with --ranks: must be")
    assert said.count("\n") == 1


def test_without_mpi4py_one_line_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", str(table(tmp_path)), "--ranks", "2"]) == 2
    assert capsys.readouterr().err == (
        "scratchnet: training on 2 ranks needs mpi4py, which is not installed: "
        "pip install -e '.[mpi]'\n"
    )

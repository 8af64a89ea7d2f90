"""`scratchnet train --ranks N` is `scratchnet train`, up to rounding; rank 0 alone writes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scratchnet import launching
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


@pytest.mark.parametrize("folders", [("one", "other"), ("one", "none")])
def test_ranks_that_read_another_file_are_refused(
    tmp_path: Path,
    folders: tuple[str, str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")
    for name in ("one", "other", "none"):
        (tmp_path / name).mkdir()
    lines = table(tmp_path / "one").read_text().splitlines()
    (tmp_path / "other" / "points.csv").write_text("\n".join(lines[:-20]))
    start = launching.launched

    def launched(ranks: int, arguments: Any) -> Any:
        (mpiexec, *_, python, _, module), rest = start(ranks, [])[0], list(arguments)
        of_each = [
            ["-n", "1", "sh", "-c", f'cd "{tmp_path / folder}"; exec "$@"', "sh", python, "-m"]
            for folder in folders
        ]
        first, second = ([*each, module, *rest] for each in of_each)
        return [mpiexec, *first, ":", *second], start(ranks, [])[1]

    monkeypatch.setattr(launching, "launched", launched)
    monkeypatch.chdir(tmp_path / "one")
    assert main(["train", "points.csv", "--quick", "--ranks", "2", "--out", str(tmp_path)]) != 0
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("scratchnet:")]
    begins = {
        "other": "scratchnet: rank 1 of 2 has another table than rank 0: ",
        "none": "scratchnet: rank 1 of 2: points.csv: must be a file",
    }
    assert len(said) == 1 and said[0].startswith(begins[folders[1]])


def is_there(process: int) -> bool:
    """Whether it runs; one that has ended stays listed where nobody asks for its status."""
    try:
        os.kill(process, 0)
        if not Path("/proc").is_dir():
            state = ["ps", "-o", "stat=", "-p", str(process)]
            return subprocess.check_output(state, text=True).strip()[:1] != "Z"
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    except (ProcessLookupError, FileNotFoundError, subprocess.CalledProcessError):
        return False


COMMANDS = """
import sys
from pathlib import Path
from scratchnet import launching
from scratchnet.demos.bench import ranks
from scratchnet.demos.bench.cases import Case

ours = [sys.executable, "-c", sys.argv[2]]
launching.launched = ranks.launched = lambda *_: (ours, {"FILE": sys.argv[3]})
launching.run_on(2, []) if sys.argv[1] == "train" else ranks.measured(Case(2, 4, 8), 2)
"""
WAITING = """
import os, time
from pathlib import Path
path = Path(os.environ["FILE"])
path.with_suffix(".part").write_text(str(os.getpid()))
path.with_suffix(".part").replace(path)
time.sleep(300)
"""


@pytest.mark.parametrize("command", ["train", "bench"])
def test_what_a_killed_command_has_started_ends(tmp_path: Path, command: str) -> None:
    path = tmp_path / "process"
    arguments = [sys.executable, "-c", COMMANDS, command, WAITING, str(path)]
    with subprocess.Popen(arguments) as run:
        while not path.exists():
            assert run.poll() is None
            time.sleep(0.01)
        started = int(path.read_text())
        os.kill(run.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    try:
        while is_there(started):
            assert time.monotonic() < end, "it goes on without anybody"
            time.sleep(0.05)
    finally:
        if is_there(started):
            os.kill(started, signal.SIGKILL)


@pytest.mark.parametrize("line", ["", "rank 0 of 2 waits for rank 1\n"])
def test_an_mpiexec_that_ends_by_itself_is_named(
    line: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{line}scratchnet: interrupted\n"
    said = f"import sys; sys.stderr.write({text!r}); sys.exit(7)"
    command = [sys.executable, "-c", said]
    monkeypatch.setattr(launching, "launched", lambda ranks, arguments: (command, {}))
    assert launching.run_on(2, []) == 7
    assert capfd.readouterr().err == f"{line}mpiexec ended with status 7, and all ranks\n"


def test_what_all_ranks_refuse_is_said_once(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "bad.csv: must be a file\n"
    of_each = ["rank 2 of 3: ", "rank 1 of 3: ", ""]
    text = "".join(f"scratchnet: {name}{reason}" for name in of_each) + "\0"
    said = f"import sys; sys.stderr.write({text!r}); sys.exit(2)"
    command = [sys.executable, "-c", said]
    monkeypatch.setattr(launching, "launched", lambda ranks, arguments: (command, {}))
    assert launching.run_on(3, []) == 2
    assert capfd.readouterr().err == f"scratchnet: rank 2 of 3: {reason}"


def test_a_terminal_interrupts_only_what_ends_mpiexec(monkeypatch: pytest.MonkeyPatch) -> None:
    # Interrupted by both it leaves ranks behind.
    command = [sys.executable, "-c", "import os, sys; sys.exit(os.getsid(0) == os.getpid())"]
    monkeypatch.setattr(launching, "launched", lambda ranks, arguments: (command, {}))
    assert launching.run_on(2, []) == 1


def test_what_ranks_cannot_do_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(table(tmp_path)), "--ranks", "2", "--resume"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("scratchnet: --resume with --ranks: must be")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("ranks", "reason"),
    [
        ("74", "must be at most 73, one for a training row"),
        ("0", "must be a whole number from 1 to 4,096"),
        ("-1", "must be a whole number from 1 to 4,096"),
        ("two", "must be a whole number from 1 to 4,096"),
    ],
)
def test_a_number_of_ranks_that_cannot_be_is_one_line(
    ranks: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(table(tmp_path)), "--ranks", ranks]) == 2
    shown = ranks if ranks != "two" else "'two'"
    assert capsys.readouterr().err == f"scratchnet: --ranks {shown}: {reason}\n"


@pytest.mark.parametrize("wrong", [["no.csv"], ["points.csv", "--target", "no"]])
def test_bad_input_is_refused_before_any_rank_starts(
    wrong: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launching, "launched", None)
    assert main(["train", *wrong, "--ranks", "2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_mpiexec_one_line_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mpi4py", reason="needs the extra mpi: pip install -e '.[mpi]'")
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    assert main(["train", str(table(tmp_path)), "--ranks", "2"]) == 2
    assert capsys.readouterr().err == (
        "scratchnet: training on 2 ranks needs the program mpiexec: pip install -e '.[mpi]'\n"
    )


def test_without_mpi4py_one_line_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", str(table(tmp_path)), "--ranks", "2"]) == 2
    assert capsys.readouterr().err == (
        "scratchnet: training on 2 ranks needs mpi4py, which is not installed: "
        "pip install -e '.[mpi]'\n"
    )

"""The command for the day on which there is a GPU, rehearsed with small networks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

if "cupy_on_cpu" not in sys.modules:
    pytest.skip("runs on the emulated device: tests/emulator/run", allow_module_level=True)

COMMAND = Path(__file__).resolve().parent.parent / "on_gpu.py"


def test_it_tests_measures_and_writes_the_readme(tmp_path: Path) -> None:
    command = [sys.executable, str(COMMAND), "--rehearse", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "results" / "bench_emulated_h100.json").read_text())
    took_part = [set(row["time_over_recorded"]) for row in record["rows"]]
    assert len(took_part) == 5 and all("CUDA kernel" in each for each in took_part)
    readme = (tmp_path / "README.md").read_text()
    assert "**Emulated H100, 1 thread**" in readme and "No GPU has been measured" not in readme


@pytest.mark.parametrize(
    ("is_emulated", "said"),
    [(False, "must be started as tests/emulator/run"), (True, "must be a folder")],
)
def test_where_it_cannot_be_rehearsed_one_line_says_why(
    is_emulated: bool, said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a file"
    folder.write_text("")
    environment = {**os.environ} if is_emulated else {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, str(COMMAND), "--rehearse", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and said in line

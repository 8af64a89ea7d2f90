"""All tests of the CUDA backend on the emulated device, file by file: whole.txt keeps the counts.

tests/emulator/run python tests/emulator/whole.py [FILE...]
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT, KEPT = HERE.parent.parent, HERE / "whole.txt"
LEFT_OUT = "timer_has_waited"
"""A product that takes minutes here, and whose time means nothing."""


def files() -> list[str]:
    """Those with tests of the backend cupy, and our own."""
    found = [*sorted((ROOT / "tests/backends").glob("test_*.py")), *sorted(HERE.glob("test_*.py"))]
    return [str(path.relative_to(ROOT)) for path in found]


def counts(file: str) -> str:
    """Such as `12 passed, 1 skipped`; nothing where the file has no test of the backend."""
    chosen = f"not {LEFT_OUT}" if "emulator" in file else f"cupy- and not {LEFT_OUT}"
    command = [sys.executable, "-m", "pytest", "-p", "cupy_on_cpu", "-k", chosen, file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout[-3000:], flush=True)
    found = re.findall(r"(\d+) (passed|failed|errors?|skipped)", done.stdout.splitlines()[-1])
    return ", ".join(" ".join(each) for each in found) or f"status {done.returncode}"


def commit() -> str:
    """Which one this is, before any line is entered."""
    git = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "?"


def enter(file: str, found: str, at: str) -> None:
    """The file's line over its last one."""
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    kept = [line for line in lines if f" {file}: " not in line]
    line = f"{datetime.now(UTC):%Y-%m-%d} {at} {file}: {found}"
    KEPT.write_text("\n".join(sorted([*kept, line], key=lambda each: each.split()[2])) + "\n")


if __name__ == "__main__":
    at = commit()
    for file in sys.argv[1:] or files():
        found = counts(file)
        if found != "status 5":  # pytest's word for no test at all
            enter(file, found, at)

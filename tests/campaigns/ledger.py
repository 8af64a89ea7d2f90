"""The results of campaigns: a file for each beside its test, with date and commit."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent


def enter(name: str, result: str) -> None:
    """Write the result of a campaign over the last one."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    (HERE / f"{name}.txt").write_text(f"{datetime.now(UTC):%Y-%m-%d} {commit or '?'}: {result}\n")

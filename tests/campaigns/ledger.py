"""The results of campaigns: a file for each beside its test, with date and commit."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent


def enter(name: str, result: str) -> None:
    """Write the result of a campaign over the last one."""
    (HERE / f"{name}.txt").write_text(f"{datetime.now(UTC):%Y-%m-%d} {commit()}: {result}\n")


def commit() -> str:
    """The commit, with `-dirty` where any file but a campaign's result has been changed since."""
    found = git("rev-parse", "--short", "HEAD").stdout.strip()
    unchanged = git("diff", "--quiet", "HEAD", "--", ":/", f":(exclude){HERE}/*.txt")
    return f"{found or '?'}{'-dirty' if unchanged.returncode else ''}"


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True)

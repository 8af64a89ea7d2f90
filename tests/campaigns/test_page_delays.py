"""The playground's tests in a browser, with delays that seeds draw in page and server.

    pytest -m campaign tests/campaigns/test_page_delays.py

A test that fails here has found a race, of the page or of itself. `tests/playground/delays.js` says
what is delayed. Writes `page_delays.txt` beside this file.
"""

import os
import re
import subprocess
import sys

import pytest
from ledger import HERE, enter

SEEDS = (1, 2, 3)


@pytest.mark.campaign
def test_the_page_under_delays() -> None:
    passed = []
    for seed in SEEDS:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-m", "not campaign"]
            + [str(each) for each in sorted(HERE.parent.glob("playground/test_page*.py"))],
            env={**os.environ, "PLAYGROUND_DELAYS": str(seed)},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, f"seed {seed}\n{run.stdout}"
        (count,) = re.findall(r"(\d+) passed", run.stdout)
        passed.append(f"seed {seed}: {count} tests passed")
    enter("page_delays", "; ".join(passed))

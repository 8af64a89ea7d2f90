"""The mutation campaign: how many small mistakes in the engine its tests find.

    python tests/campaigns/mutation.py --count 60 --folder /tmp/campaign

Mutants are drawn by `SEED` from the engine and the NumPy backend (see mutants.py), and each meets
the test files that fit its module, in a copy of the repository, until a test fails. `killed` names
that test; `survived` says that all passed; `timeout`, that they took more than `LIMIT` seconds of
the processor, which counts as not killed. Hypothesis draws the same examples every time. Results
are added to results.jsonl in the folder, where a stopped campaign goes on; mutation.txt is
written from it at the end.

The score is killed / (all - equivalent); equivalent_mutants.md argues which are, one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from mutants import DRAWN, Mutant, drawn

SEED = 11
LIMIT = 150
"""Seconds of the processor; the right code takes a fifth of that at most."""
REPOSITORY = Path(__file__).resolve().parents[2]

FITTING = {
    "backends/compile/": "compile/test_",
    "backends/errors.py": "test_losses",
    "backends/interface.py": "test_(losses|ops_activations|optim)",
    "backends/(?!compile)": "backends/test_(?!agree|fused|gemm|guard|cuda_s)",
    "scratchnet/batches.py": "test_(weighting|own_|checkpoint|data_|errors|accum)",
    "scratchnet/classes.py": "test_data_checks",
    "scratchnet/buffer_reuse.py": "test_program|test_repeater",
    "scratchnet/compiled_step.py": "compile/test_",
    "scratchnet/depth/(pieces|polygons|piecewise|slices)": "test_known_regions|test_regions.py",
    "scratchnet/depth/convex.py": "test_fractal_networks|test_fractals|test_parity",
    "scratchnet/early_stopping.py": "test_early|test_training",
    "scratchnet/environment.py": "test_checkpoint|test_bad_files",
    "scratchnet/data_checks.py": "test_errors",
    "scratchnet/evaluation.py": "test_evaluation|test_training|test_data_checks|test_classes",
    "scratchnet/hyperparameters.py": "test_(hyperparameters|optim|layers|ensemble|errors)",
    "scratchnet/layers": "test_(layers|registry|pruning|ensemble|model|checkpoint|errors)",
    "scratchnet/model.py": "test_(model|ensemble|errors|pruning|optim|guarded)",
    "scratchnet/interruption.py": "test_finished|test_command_line|test_terminal",
    "scratchnet/losses.py": "test_own_losses|test_weighting|test_errors",
    "scratchnet/ops/": "test_ops_|test_tensor|test_layers|test_losses|test_own_losses",
    "scratchnet/state.py": "test_model|test_bad_files",
    "scratchnet/training.py": "test_(training|errors|accumulation|own_losses)",
}
"""For modules, by how their paths begin, the test files beside those of their own name."""


def copied(folder: Path) -> Path:
    """What is committed, and beside it `import`, from which it is imported as when installed."""
    root = folder / "repository"
    if not root.exists():
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=REPOSITORY, text=True)
        commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, text=True)
        (folder / "commit").write_text(commit[:7])
        for name in filter(None, listed.split("\0")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
        package = root / "import" / "scratchnet"
        package.mkdir(parents=True)
        for each in [*(root / "scratchnet").iterdir(), root / "backends", root / "demos"]:
            (package / each.name).symlink_to(each)
    return root


def fitting_tests(path: str, root: Path) -> list[str]:
    """The test files of a module: of its name first, then of `FITTING`, then those that import it.

    Tests of demos, which take long, only where they have its name.
    """
    stem = Path(path).stem
    name = "scratchnet." + path.removeprefix("scratchnet/").removesuffix(".py").replace("/", ".")
    patterns = [tests for modules, tests in FITTING.items() if re.match(modules, path)]
    found: dict[str, int] = {}
    for file in sorted((root / "tests").glob("**/test_*.py")):
        test, text = str(file.relative_to(root)), file.read_text()
        if file.stem.removeprefix("test_").removeprefix("ops_") == stem:
            found[test] = 0
        elif "scratchnet.demos" in text:
            continue
        elif any(re.search(pattern, test) for pattern in patterns):
            found[test] = 1
        elif re.search(rf"{re.escape(name)}\b", text):
            found[test] = 2
    return sorted(found, key=lambda test: found[test])


def outcome(mutant: Mutant, number: int, root: Path) -> str:
    """`killed` with the test that failed, `survived` with the files, or `timeout`."""
    tests, path = fitting_tests(mutant.path, root), root / mutant.path
    if not tests:
        return "survived without tests"
    right = path.read_text()
    try:
        path.write_text(mutant.source)
        # Else a compiled file of the same second and size would be taken for this one's.
        os.utime(path, (10**9 + number, 10**9 + number))
        status, output = run_tests(tests, root)
    finally:
        path.write_text(right)
    if status == 0:
        return f"survived {' '.join(tests)}"
    if status < 0:
        return f"timeout or signal {-status}"
    reasons = re.findall("^(?:FAILED|ERROR) ([^ ]*)", output, re.MULTILINE)
    return f"killed by {reasons[0] if reasons else f'an import, status {status}'}"


def run_tests(tests: list[str], root: Path) -> tuple[int, str]:
    """Pytest's exit status, the negative of a signal that ended it, and what it printed."""
    variables = {
        "PYTHONPATH": str(root / "import"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "OPENBLAS_NUM_THREADS": "1",
        "COLUMNS": "300",
    }
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-profile=campaign"]
    done = subprocess.run(
        ["nice", "-n", "10", sys.executable, "-m", "pytest", *options, *tests],
        cwd=root,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT)),
    )
    return done.returncode, done.stdout


def report(folder: Path) -> None:
    """Write mutation.txt: the counts, and a line for each mutant as it was found last."""
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    last = {line["number"]: line for line in lines}
    counts = Counter(line["outcome"].split()[0] for line in last.values())
    head = (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {(folder / 'commit').read_text()}, seed {SEED}: "
        f"{len(last)} of {DRAWN} mutants were run, "
        + ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    )
    rows = [f"{n}  {last[n]['mutant']}\n    {last[n]['outcome']}" for n in sorted(last)]
    (folder / "mutation.txt").write_text("\n".join([head, "", *rows]) + "\n")
    print(head)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=300, help="how many of the 300 mutants")
    parser.add_argument("--folder", type=Path, required=True, help="for the copy and the results")
    parser.add_argument("--again", type=int, nargs="*", default=[], help="mutants to try again")
    parser.add_argument("--leave-out", default="-", help="modules whose path begins so, for now")
    options = parser.parse_args()
    # A campaign that is stopped puts the right code back, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    root = copied(options.folder.resolve())
    results = root.parent / "results.jsonl"
    lines = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    done = {line["number"]: line["outcome"] for line in lines}
    for number, mutant in enumerate(drawn(root, options.count, SEED)):
        if number in done and number not in options.again:
            continue
        if mutant.path.startswith(options.leave_out):
            continue
        begun = time.perf_counter()
        done[number] = outcome(mutant, number, root)
        what = f"{mutant.path}:{mutant.line} {mutant.kind}: {mutant.what}"
        line = {"number": number, "mutant": what, "outcome": done[number]}
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        seconds = time.perf_counter() - begun
        print(number, what, "|", done[number], f"({seconds:.0f} s)", flush=True)
    report(root.parent)


if __name__ == "__main__":
    main()

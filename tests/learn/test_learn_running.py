"""A learner's code does no harm, and whatever it does is told in one sentence."""

from pathlib import Path

import pytest

from scratchnet.demos.learn import running
from scratchnet.demos.learn.catalogue import exercises
from scratchnet.demos.learn.judge import Verdict, judge

FIRST = exercises()["chain_rule"]
FUNCTION = "def backward(x, w, b, t):\n"


def written(folder: Path, text: str) -> Path:
    (file := folder / "010_chain_rule.py").write_text(text)
    return file


def assert_one_sentence(verdict: Verdict, kind: str, *words: str) -> None:
    assert verdict.kind == kind, verdict
    assert "\n" not in verdict.message and "Traceback" not in verdict.message
    for word in words:
        assert word in verdict.message


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (f"{FUNCTION}    return (1, 2\n", "error", ("line 2", "SyntaxError", "never closed")),
        (f"{FUNCTION}return 1\n", "error", ("line 2", "IndentationError")),
        (f"{FUNCTION}    return 1, 2, 3\0", "error", ("null bytes",)),
        (f"{FUNCTION}    exit()\n", "error", ("exit()", "line 2")),
        ("import sys\nsys.exit(0)\n", "error", ("exit()", "line 2")),
        (f"{FUNCTION}    return backward(x, w, b, t)\n", "error", ("RecursionError", "line 2")),
        (f"import nobodys\n{FUNCTION}    return 0\n", "error", ("nobodys", "line 1")),
        (f"{FUNCTION}    return input()\n", "error", ("asks for input",)),
        (f"{FUNCTION}    y = x\n    return y / 0, y, y\n", "error", ("ZeroDivision", "line 3")),
        (f"{FUNCTION}    return nobody\n", "error", ("NameError", "nobody", "line 2")),
        ("def back(x, w, b, t):\n    return 1\n", "wrong", ("`backward` is missing",)),
        ("def backward(x):\n    return 1\n", "error", ("TypeError", "backward()")),
        ("", "wrong", ("`backward` is missing",)),
        (f"{FUNCTION}    raise NotImplementedError\n", "gap", ("`backward`", "line 2")),
        (f"{FUNCTION}    raise ValueError('a\\nb ' * 1000)\n", "error", ("ValueError: a b",)),
        (f"{FUNCTION}    raise BaseException\n", "error", ("BaseException",)),
        (f"{FUNCTION}    return 'x', [1], {{}}\n", "wrong", ("must be a number",)),
    ],
)  # fmt: skip
def test_an_error_of_the_learner_is_one_sentence_with_its_line(
    text: str, kind: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", open("/dev/null"))
    verdict = judge(FIRST, written(tmp_path, text))
    assert_one_sentence(verdict, kind, *words)
    assert len(verdict.message) < 300


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("    while True:\n        pass\n", "error", ("longer than 1 seconds", "(line ")),
        ("    import os\n    os._exit(0)\n", "error", ("ended the process",)),
        ("    import numpy\n    numpy.ones(10**10)\n", "error", ("memory", "line 3")),
        ("    while True:\n        print('flood')\n", "error", ("prints or writes more", "line 3")),
        ("    open('{}', 'w')\n", "error", ("changes the file",)),
        ("    import os\n    os.remove('{}')\n", "error", ("changes the file",)),
        ("    import shutil\n    shutil.rmtree('{}'[:-14])\n", "error", ("changes the file",)),
        ("    import os\n    os.system('true')\n", "error", ("other programs",)),
        ("    raise KeyboardInterrupt\n", "error", ("KeyboardInterrupt (line 2)",)),
        (
            "    import os, sys\n    os.chdir('/')\n    sys.stdout.close()\n    return 1, 2, 3\n",
            "wrong",
            ("dL/dw",),
        ),
        (
            "    import sys\n    sys.setrecursionlimit(10**9)\n"
            "    return eval('backward(x, w, b, t)')\n",
            "error",
            ("",),
        ),
    ],
    ids=[
        "loop",
        "_exit",
        "memory",
        "flood",
        "write",
        "remove",
        "tree",
        "program",
        "interrupt",
        "closed",
        "crash",
    ],
)
def test_what_would_harm_is_stopped(
    body: str, kind: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    (other := tmp_path / "progress.json").write_text("kept")
    file = written(tmp_path, FUNCTION + body.replace("{}", str(other)))
    checked = running.check(FIRST, file, seconds=1 if "pass" in body else 60)
    assert_one_sentence(checked.verdict, kind, *words)
    assert other.read_text() == "kept" and sorted(tmp_path.iterdir()) == [file, other]
    assert len(checked.printed) <= running.MOST_PRINTED


def test_what_is_printed_is_kept_and_the_folder_stays_clean(tmp_path: Path) -> None:
    file = written(tmp_path, FIRST.solution + "\nprint('here')\nopen('mine', 'w').write('x')\n")
    checked = running.check(FIRST, file)
    assert checked == running.Checked(Verdict("right"), "here")
    assert [*tmp_path.iterdir()] == [file]

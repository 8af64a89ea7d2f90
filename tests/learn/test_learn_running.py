"""A learner's code does no harm, and whatever it does is told in one sentence."""

import ast
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
        ("    import shutil\n    shutil.rmtree('{}'[:-14])\n", "error", ("changes no files",)),
        (
            "    import os\n    folder = os.open('{}'[:-14], os.O_RDONLY)\n"
            "    os.open('progress.json', os.O_WRONLY | os.O_TRUNC, dir_fd=folder)\n",
            "error",
            ("opens the folder", "changes no files"),
        ),
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
        "beside an open folder",
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


ODD = {
    "a truth value": "True",
    "a word": "'x'",
    "a ragged list": "[[1.0], [1.0, 2.0]]",
    "a type": "float",
    "a type of NumPy": "np.float64",
    "an object": "object()",
    "a complex number": "1j",
    "a long integer": "10**400",
    "a generator": "(i for i in range(3))",
    "a dictionary": "{}",
    "nothing in it": "[]",
    "another shape": "np.zeros((2, 3, 4, 5))",
    "twice the result": "(found, found)",
    "four in an array": "np.array([found] * 4)",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    "name",
    [name for name in exercises() if not name.startswith("hunt_")],
)
def test_whatever_a_function_returns_is_judged(name: str, odd: str, tmp_path: Path) -> None:
    """An odd value is called wrong by the check, or the learner's code fails in a line of it."""
    solution = exercises()[name].solution
    functions = [node for node in ast.parse(solution).body if isinstance(node, ast.FunctionDef)]
    for function in functions:
        text = (
            f"{solution}\nimport numpy as np\n_right = {function.name}\n"
            f"def {function.name}(*given):\n    found = _right(*given)\n    return {odd}\n"
        )
        verdict = judge(exercises()[name], written(tmp_path, text))
        is_told = verdict.kind in ("wrong", "right") or "(line " in verdict.message
        assert is_told and "NoneType" not in verdict.message, verdict


def test_what_is_printed_is_kept_and_the_folder_stays_clean(tmp_path: Path) -> None:
    file = written(tmp_path, FIRST.solution + "\nprint('here')\nopen('mine', 'w').write('x')\n")
    checked = running.check(FIRST, file)
    assert checked == running.Checked(Verdict("right"), "here")
    assert [*tmp_path.iterdir()] == [file]

"""Reading answers: every form that is right, and one sentence for what is not."""

import ast
from pathlib import Path

import numpy as np
import pytest

from scratchnet import Tensor
from scratchnet.demos.learn.answers import compare_numbers, numbers, parts
from scratchnet.demos.learn.catalogue import exercises
from scratchnet.demos.learn.judge import judge
from scratchnet.demos.learn.wrong import Wrong

HUNTS = [name for name in exercises() if name.startswith("hunt_")]


@pytest.mark.parametrize(
    "value",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([[1], [2], [3]]),
        np.array([1, 2, 3], np.float32),
        Tensor(np.array([1.0, 2.0, 3.0])),
        [Tensor(1.0), Tensor(2.0), Tensor(3.0)],
        map(float, [1, 2, 3]),
    ],
    ids=["list", "tuple", "column", "float32", "tensor", "tensors", "map"],
)
def test_every_form_of_the_same_numbers_is_read(value: object) -> None:
    found = numbers(value, "y", (3,))
    assert found.shape == (3,) and found.dtype == np.float64
    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "y is None"),
        ("abc", "must be numbers of shape"),
        ([1, [2, 3]], "must be numbers of shape"),
        (np.ones((3, 2)), "has shape (3, 2)"),
        (np.ones((1, 3, 3)), "has shape (1, 3, 3)"),
        ([1, np.nan, 3], "y at entry 1 is nan"),
        ([1, 2, np.inf], "y at entry 2 is inf"),
    ],
)
def test_what_is_no_answer_gets_one_sentence(value: object, says: str) -> None:
    with pytest.raises(Wrong) as error:
        numbers(value, "y", (3,))
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_transposed_answer_is_not_taken_for_the_right_one() -> None:
    right = np.arange(6.0).reshape(2, 3)
    compare_numbers(right[:, None], right, "y")
    with pytest.raises(Wrong, match=r"has shape \(3, 2\)"):
        compare_numbers(right.T, right, "y")


@pytest.mark.parametrize("length", [3, 5])
def test_an_iterator_of_another_length_gets_the_reason_of_a_list(length: int) -> None:
    numbers_given, mistakes = [float(i) for i in range(length)], [("one is left out", [0, 1, 2])]
    said = []
    for value in (numbers_given, map(float, range(length)), (each for each in numbers_given)):
        with pytest.raises(Wrong) as error:
            compare_numbers(value, np.zeros(4), "y", mistakes)
        said.append(str(error.value))
    assert f"has shape ({length},)" in said[0] and ("left out" in said[0]) == (length == 3)
    assert said[1:] == [said[0]] * 2


def test_rounding_of_float32_is_right_and_a_hundredth_is_not() -> None:
    right = np.random.default_rng(0).standard_normal((40, 30)) @ np.ones((30, 2))
    compare_numbers(right.astype(np.float32), right, "y")
    with pytest.raises(Wrong, match="must be"):
        compare_numbers(right * 1.01, right, "y")


def test_parts_are_counted() -> None:
    assert parts([1, 2], 2, "f") == (1, 2)
    for value, says in ((None, "None"), (3, "must be 2 values"), ((1, 2, 3), "3 parts")):
        with pytest.raises(Wrong, match=says):
            parts(value, 2, "f")


@pytest.mark.parametrize("name", HUNTS)
def test_a_hunt_runs_as_it_is_and_the_check_says_that_it_is_not_mended(
    name: str, tmp_path: Path
) -> None:
    (file := tmp_path / "start.py").write_text(exercises()[name].start)
    verdict = judge(exercises()[name], file)
    assert verdict.kind == "wrong", verdict


ODD = ("None", "'x'", "[[1], [2, 3]]", "np.zeros((2, 2, 2))", "(1, 2)", "iter([1, 2])")


@pytest.mark.parametrize("name", [name for name, each in exercises().items() if each.place >= 130])
def test_whatever_a_function_returns_is_answered_in_one_sentence(name: str, tmp_path: Path) -> None:
    exercise, file = exercises()[name], tmp_path / "odd.py"
    for node in ast.parse(exercise.solution).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for each in inner:
            if not isinstance(each, ast.FunctionDef) or each.name == "__init__":
                continue
            for value in ODD:
                ending = f"import numpy as np\n{owner}{each.name} = lambda *a, **k: {value}\n"
                file.write_text(f"{exercise.solution}\n{ending}")
                verdict = judge(exercise, file)
                # An error of the check itself has no line of the learner's file.
                assert verdict.kind != "error" or "(line " in verdict.message, (value, verdict)

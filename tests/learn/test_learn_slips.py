"""Mistakes that no check was told of: a slip in the solution explains them."""

import ast
from pathlib import Path

import pytest

from scratchnet.demos.learn import running
from scratchnet.demos.learn.catalogue import exercises
from scratchnet.demos.learn.judge import Verdict, judge, with_slip
from scratchnet.demos.learn.slips import slip_that_says, slips


def verdict_on(name: str, text: str, folder: Path) -> Verdict:
    (file := folder / "code.py").write_text(text)
    return with_slip(judge(exercises()[name], file), exercises()[name])


@pytest.mark.parametrize(
    ("name", "right", "wrong", "line"),
    [
        ("optimizers", "(1 - b2) * g**2", "(1 - b1) * g * g", "v = b2 * v + (1 - b1) * g ** 2"),
        ("optimizers", "beta * v + g", "g + beta * w", "v = beta * w + g"),
        ("chain_rule", "2 * (y - t)", "2 * y - 2 * -t", "dy = 2 * (y + t)"),
        ("batchnorm_backward", ".mean(axis=0) + eps", ".sum(0) + eps", "sum(axis=0) + eps"),
        ("cross_entropy", "np.log(np.exp(z).sum", "np.log(np.exp(z).mean", ".mean(axis=1"),
    ],
)  # fmt: skip
def test_a_slip_is_quoted(name: str, right: str, wrong: str, line: str, tmp_path: Path) -> None:
    solution = exercises()[name].solution
    assert right in solution
    verdict = verdict_on(name, solution.replace(right, wrong), tmp_path)
    assert verdict.kind == "wrong" and ": this is what `" in verdict.message
    assert line in verdict.message


def test_a_slip_must_give_all_numbers_and_not_only_those_of_the_sentence(tmp_path: Path) -> None:
    exercise = exercises()["optimizers"]
    (file := tmp_path / "code.py").write_text(
        exercise.solution.replace("beta * v + g", "beta * w + g")
    )
    verdict = judge(exercise, file)
    assert verdict.lacks_reason and len(verdict.numbers) == 12
    assert slip_that_says(exercise, verdict.message, verdict.numbers) == "v = beta * w + g"
    others = [number + (i == 0) for i, number in enumerate(verdict.numbers)]
    assert slip_that_says(exercise, verdict.message, others) is None


def test_a_long_reason_is_not_cut_off(tmp_path: Path) -> None:
    exercise = exercises()["matmul"]
    (file := tmp_path / "code.py").write_text(exercise.solution.replace("dy.sum(axis=0)", "dy"))
    message = judge(exercise, file).message
    assert len(message) > 200 and message.endswith("it has shape (5, 4), the input (4,)")


def test_what_is_still_to_be_written_is_not_quoted(tmp_path: Path) -> None:
    right = "return dz * x, dz, dz * w"
    text = exercises()["chain_rule"].solution
    assert right in text
    verdict = verdict_on("chain_rule", text.replace(right, "return dz / x, 0.0, 0.0"), tmp_path)
    assert "this is what `return (dz / x, ..., ...)` gives" in verdict.message


def test_numbers_that_no_slip_gives_are_left_without_a_reason(tmp_path: Path) -> None:
    text = exercises()["he_variance"].solution.replace("np.mean(x**2)", "np.mean(x**2) - 7.3")
    verdict = verdict_on("he_variance", text, tmp_path)
    assert (
        verdict.kind == "wrong" and verdict.lacks_reason and "this is what" not in verdict.message
    )


@pytest.mark.parametrize("name", ["cross_entropy", "finite_differences", "own_backend"])
def test_no_slip_is_the_solution_itself_and_each_can_be_compiled(name: str) -> None:
    tree = ast.parse(exercises()[name].solution)
    solution = ast.unparse(tree)
    for line, changed in slips(tree):
        assert line and ast.unparse(changed) != solution
        compile(ast.fix_missing_locations(changed), "slip", "exec")
    assert ast.unparse(tree) == solution


def test_a_solution_that_may_never_end_is_not_changed() -> None:
    exercise = exercises()["the_walk"]
    assert "while" in exercise.solution
    assert slip_that_says(exercise, "anything") is None


def test_the_process_tells_the_slip_too(tmp_path: Path) -> None:
    exercise = exercises()["matmul"]
    (file := tmp_path / "code.py").write_text(
        exercise.solution.replace("dy.sum(axis=0)", "dy.max(axis=0)")
    )
    verdict = running.check(exercise, file).verdict
    assert ": this is what `return" in verdict.message
    assert "dy.max(axis=0)" in verdict.message
